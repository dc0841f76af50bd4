/* Tool code_create_directory. */
#include <errno.h>
#include <fcntl.h>

#include "shared/quote.h"
#include "workers/filesystem/atomic.h"
#include "workers/filesystem/paths.h"
#include "workers/filesystem/target.h"
#include "workers/filesystem/tools.h"

enum { DIR_MODE = 0777 }; /* less the umask */

struct code_create_directory_args {
	const char *path;
	bool parents;
};

static const struct param code_create_directory_params[] = {
	PARAM(code_create_directory_args, path, .required = true, .doc = "Directory."),
	PARAM(code_create_directory_args, parents, .def_bool = true, .doc = "Missing parents too."),
	{ 0 },
};

/* Whether there is a directory at this path already; also a root, or where a symlink leads. */
static bool is_there(const char *path)
{
	auto_(place_done) struct place place = { 0 };
	struct fail fail = { 0 };
	auto_close int fd = -1;

	if (place_find(path, &place, &fail) < 0)
		return false;
	fd = place_open(&place, O_PATH | O_DIRECTORY, 0);
	return fd >= 0;
}

static int answer(struct call *call, const char *path, bool created)
{
	auto_strbuf text = { 0 };

	strbuf_adds(&text, created ? "Created directory: " : "Directory exists: ");
	paths_show(&text, path);
	return call_result(call,
		json_pack("{s:o, s:b}", "path", paths_json(path), "created", created), text.data,
		text.len);
}

static int code_create_directory(struct call *call, const void *args)
{
	const struct code_create_directory_args *a = args;
	auto_(target_done) struct target target = { .dir_fd = -1 };

	if (is_there(a->path))
		return answer(call, a->path, false);
	if (!target_find(call, a->path, a->parents ? TARGET_PARENTS : 0, &target))
		return 0;
	if (mkdirat(target.dir_fd, target.name, DIR_MODE) < 0) {
		int r = -errno;

		/* Somebody else was faster. */
		if (r == -EEXIST && is_there(a->path))
			return answer(call, a->path, false);
		target_undo_parents(&target);
		return paths_fail(call, a->path, r);
	}
	atomic_sync_dir(target.dir_fd);
	return answer(call, a->path, true);
}

const struct tool filesystem_create_directory_tools[] = {
	TOOL(code_create_directory, "Create directory", .hints = TOOL_IDEMPOTENT,
		.doc = "Create a directory, with missing parents.",
		.out = "path string, created boolean"),
	{ 0 },
};
