/* See survey.h. */
#include "workers/filesystem/survey.h"

#include <errno.h>
#include <fcntl.h>

#include "shared/alloc.h"
#include "shared/quote.h"
#include "workers/filesystem/paths.h"
#include "workers/filesystem/walk.h"

struct look {
	struct call *call;
	const char *path;
	const struct survey_limits *limits;
	struct survey *ret;
	struct walk *walk;
};

static bool fail_closed(const struct look *look, const struct walk_entry *entry)
{
	auto_free char *inside = alloc_printf("%s/%s", look->path, entry->path);
	char quoted[QUOTE_SIZE];

	(void)call_fail(look->call, "protected",
		"%s is closed to writing, and would be touched as well. Nothing was changed; work on "
		"what is beside it.",
		quote(quoted, inside));
	return false;
}

static bool fail_unreadable(const struct look *look, const struct walk_entry *entry)
{
	auto_free char *inside = *entry->path ? alloc_printf("%s/%s", look->path, entry->path)
					      : alloc_str(look->path);
	char quoted[QUOTE_SIZE];

	if (entry->error == -EXDEV && !look->limits->refuses_mounts)
		return true;
	if (entry->error == -EXDEV)
		(void)call_fail(look->call, "busy",
			"another file system is mounted at %s, and this server does not reach into it. "
			"Nothing was changed; work on what is beside it.",
			quote(quoted, inside));
	else
		(void)paths_fail(look->call, inside, entry->error);
	return false;
}

static bool fail_too_large(const struct look *look, const char *what, int64_t max)
{
	char quoted[QUOTE_SIZE];

	(void)call_fail(look->call, "too_large",
		"%s holds more than %lld %s, the most for one call. Nothing was changed; take a part "
		"at a time.",
		quote(quoted, look->path), (long long)max, what);
	return false;
}

static bool count_bytes(const struct look *look, const struct walk_entry *entry)
{
	int64_t max = look->limits->max_bytes;
	struct stat st;
	int dir_fd;

	if (max == 0 || entry->type != S_IFREG)
		return true;
	dir_fd = walk_dir_fd(look->walk);
	if (dir_fd < 0 || fstatat(dir_fd, entry->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return true;
	if (st.st_size > max - look->ret->bytes)
		return fail_too_large(look, "bytes", max);
	look->ret->bytes += st.st_size;
	return true;
}

static bool look_at(const struct look *look, int event, const struct walk_entry *entry)
{
	if (event == WALK_UNREADABLE)
		return fail_unreadable(look, entry);
	if (event != WALK_ENTRY)
		return true;
	if (look->limits->refuses_git && target_is_closed(look->call, entry->name))
		return fail_closed(look, entry);
	if (++look->ret->entries > look->limits->max_entries)
		return fail_too_large(look, "entries", (int64_t)look->limits->max_entries);
	return count_bytes(look, entry);
}

static bool look_through(struct look *look)
{
	struct walk_entry entry;
	int event;

	while ((event = walk_next(look->walk, &entry)) > 0)
		if (!look_at(look, event, &entry))
			return false;
	if (event == WALK_END)
		return true;
	(void)call_fail_stopped(look->call, "nothing was changed");
	return false;
}

static unsigned filter(void *arg, const struct walk_entry *entry)
{
	const struct look *look = arg;

	return !look->limits->refuses_git && target_is_closed(look->call, entry->name)
		       ? WALK_PASS_OVER
		       : WALK_SEE | WALK_ENTER;
}

bool survey_make(struct call *call, const char *path, const struct target *target,
	const struct survey_limits *limits, struct survey *ret)
{
	struct look look = { .call = call, .path = path, .limits = limits, .ret = ret };
	const struct walk_options options = { .filter = filter, .arg = &look, .enters_git = true };
	auto_close int fd = target_open(target, O_RDONLY | O_DIRECTORY);
	bool ok;

	*ret = (struct survey){ 0 };
	if (fd < 0) {
		(void)paths_fail(call, path, fd);
		return false;
	}
	look.walk = walk_new(&options, fd, call);
	ok = look_through(&look);
	walk_free(look.walk);
	return ok;
}
