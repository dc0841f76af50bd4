/* Tool code_delete. A directory is looked through first, so that what must not be deleted is found
 * before anything is; then it is emptied from its leaves up. Symlinks are deleted, never followed. */
#include <errno.h>
#include <fcntl.h>

#include "shared/alloc.h"
#include "shared/quote.h"
#include "workers/common/precious.h"
#include "workers/filesystem/atomic.h"
#include "workers/filesystem/paths.h"
#include "workers/filesystem/survey.h"
#include "workers/filesystem/target.h"
#include "workers/filesystem/tools.h"
#include "workers/filesystem/walk.h"

enum { MAX_ENTRIES = 100000 };

struct code_delete_args {
	const char *path;
	bool force;
	bool recursive;
};

static const struct param code_delete_params[] = {
	PARAM(code_delete_args, path, .required = true, .doc = "File or directory."),
	PARAM(code_delete_args, force, .doc = "Although protected."),
	PARAM(code_delete_args, recursive, .doc = "A directory with what is in it."),
	{ 0 },
};

struct job {
	struct call *call;
	const struct code_delete_args *args;
	struct target target;
	size_t total;   /* entries that were found */
	size_t deleted; /* and the target itself, in the end */
	int64_t bytes;
};

static void job_done(struct job *job)
{
	target_done(&job->target);
}

static bool find(struct job *job)
{
	char quoted[QUOTE_SIZE];

	if (!target_find(job->call, job->args->path, 0, &job->target))
		return false;
	if (!job->target.exists) {
		(void)paths_fail(job->call, job->args->path, ENOENT);
		return false;
	}
	if (!precious_file(job->target.name) || job->args->force)
		return true;
	(void)call_fail(job->call, "protected",
		"%s is a file that is rarely deleted on purpose. Use force to delete it all the same.",
		quote(quoted, job->args->path));
	return false;
}

/* -errno on `name`, which is `inside` the target ("": itself). */
static int fail_delete(const struct job *job, const char *inside, int err)
{
	auto_free char *path = *inside ? alloc_printf("%s/%s", job->args->path, inside)
				       : alloc_str(job->args->path);
	char quoted[QUOTE_SIZE];

	if (err == -ENOTEMPTY || err == -EEXIST)
		return call_fail(job->call, "not_empty",
			"something was put into %s meanwhile; %zu of %zu entries were deleted. Try "
			"again.",
			quote(quoted, path), job->deleted, job->total + 1);
	if (job->deleted > 0)
		return call_fail(job->call, path_error_code(err),
			"%s could not be deleted: %s; %zu of %zu entries were deleted before. List it to see "
			"what is left.",
			quote(quoted, path), strerror(-err), job->deleted, job->total + 1);
	return paths_fail(job->call, path, err);
}

static int delete_entry(struct job *job, int dir_fd, const struct walk_entry *entry)
{
	struct stat st;

	if (fstatat(dir_fd, entry->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -errno;
	/* It became a directory: this one was not looked through. */
	if (S_ISDIR(st.st_mode))
		return -ENOTEMPTY;
	if (unlinkat(dir_fd, entry->name, 0) < 0)
		return errno == ENOENT ? 0 : errno == EISDIR ? -ENOTEMPTY : -errno;
	job->deleted++;
	if (S_ISREG(st.st_mode))
		job->bytes += st.st_size;
	return 0;
}

static int leave_dir(struct job *job, int dir_fd, const struct walk_entry *entry)
{
	/* ENOTDIR: something else has its name now. */
	if (unlinkat(dir_fd, entry->name, AT_REMOVEDIR) < 0)
		return errno == ENOENT ? 0 : errno == ENOTDIR ? -ENOTEMPTY : -errno;
	job->deleted++;
	return 0;
}

static int handle(struct job *job, struct walk *walk, int event, const struct walk_entry *entry)
{
	int dir_fd;

	if (event == WALK_UNREADABLE)
		return entry->error;
	if (target_is_closed(job->call, entry->name))
		return -ENOTEMPTY;
	if (event == WALK_ENTRY && entry->type == S_IFDIR)
		return 0;
	dir_fd = walk_dir_fd(walk);
	if (dir_fd < 0)
		return dir_fd;
	return event == WALK_LEAVE ? leave_dir(job, dir_fd, entry)
				   : delete_entry(job, dir_fd, entry);
}

static bool fail_stopped(const struct job *job)
{
	auto_free char *how_far =
		alloc_printf("%zu of %zu entries were deleted", job->deleted, job->total + 1);

	(void)call_fail_stopped(job->call, how_far);
	return false;
}

static bool empty_dir(struct job *job, int fd)
{
	const struct walk_options options = { .enters_git = true };
	auto_(walk_freep) struct walk *walk = walk_new(&options, fd, job->call);
	struct walk_entry entry;
	int event;

	while ((event = walk_next(walk, &entry)) > 0) {
		int r = handle(job, walk, event, &entry);

		if (r < 0) {
			(void)fail_delete(job, entry.path, r);
			return false;
		}
		call_progress(job->call, (double)job->deleted, (double)(job->total + 1), NULL);
	}
	return event == WALK_END || fail_stopped(job);
}

static bool delete_content(struct job *job)
{
	const struct survey_limits limits = {
		.max_entries = MAX_ENTRIES, .refuses_git = true, .refuses_mounts = true
	};
	struct survey survey;
	auto_close int fd = -1;

	if (!survey_make(job->call, job->args->path, &job->target, &limits, &survey))
		return false;
	job->total = survey.entries;
	fd = target_open(&job->target, O_RDONLY | O_DIRECTORY);
	if (fd < 0) {
		(void)fail_delete(job, "", fd);
		return false;
	}
	return empty_dir(job, fd);
}

static int delete_name(const struct job *job)
{
	const struct target *t = &job->target;

	if (unlinkat(t->dir_fd, t->name, S_ISDIR(t->st.st_mode) ? AT_REMOVEDIR : 0) < 0)
		return -errno;
	atomic_sync_dir(t->dir_fd);
	return 0;
}

static int answer(const struct job *job)
{
	auto_strbuf text = { 0 };

	strbuf_adds(&text, "Deleted: ");
	paths_show(&text, job->args->path);
	return call_result(job->call,
		json_pack("{s:o, s:b, s:I, s:I, s:o}", "path", paths_json(job->args->path),
			"deleted", 1, "size", (json_int_t)job->bytes, "entries",
			(json_int_t)job->deleted, "message", paths_json(strbuf_get(&text))),
		text.data, text.len);
}

static int code_delete(struct call *call, const void *args)
{
	auto_(job_done) struct job job = { .call = call, .args = args, .target = { .dir_fd = -1 } };
	char quoted[QUOTE_SIZE];
	bool is_dir;
	int r;

	if (!find(&job))
		return 0;
	is_dir = S_ISDIR(job.target.st.st_mode);
	if (is_dir && job.args->recursive && !delete_content(&job))
		return 0;
	r = delete_name(&job);
	if (r == -ENOTEMPTY && !job.args->recursive)
		return call_fail(call, "is_a_directory",
			"%s is a directory that is not empty. Use recursive to delete it with all that "
			"is in it.",
			quote(quoted, job.args->path));
	if (r < 0)
		return fail_delete(&job, "", r);
	job.deleted++;
	if (S_ISREG(job.target.st.st_mode))
		job.bytes += job.target.st.st_size;
	return answer(&job);
}

const struct tool filesystem_delete_tools[] = {
	TOOL(code_delete, "Delete", .hints = TOOL_DESTRUCTIVE,
		.doc = "Delete a file, a symlink itself, or a directory. There is no way back.",
		.out = "path string, deleted boolean, size integer, entries integer, message string"),
	{ 0 },
};
