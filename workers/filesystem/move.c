/* Tool code_move. One renameat2(2) between two directories that are held open: there is no moment at
 * which the thing is nowhere, or in two places. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "shared/quote.h"
#include "workers/filesystem/atomic.h"
#include "workers/filesystem/paths.h"
#include "workers/filesystem/survey.h"
#include "workers/filesystem/target.h"
#include "workers/filesystem/tools.h"

enum { MOVE_MAX_ENTRIES = 1000000 }; /* as many are looked through for .git */

struct code_move_args {
	const char *source;
	const char *destination;
	bool overwrite;
};

static const struct param code_move_params[] = {
	PARAM(code_move_args, source, .required = true, .doc = "From."),
	PARAM(code_move_args, destination, .required = true, .doc = "To."),
	PARAM(code_move_args, overwrite, .doc = "Replace an existing file."),
	{ 0 },
};

struct job {
	struct call *call;
	const struct code_move_args *args;
	struct target from;
	struct target to;
};

static void job_done(struct job *job)
{
	target_done(&job->from);
	target_done(&job->to);
}

static bool find(struct job *job)
{
	if (!target_find(job->call, job->args->source, 0, &job->from))
		return false;
	if (!job->from.exists) {
		(void)paths_fail(job->call, job->args->source, ENOENT);
		return false;
	}
	/* The sandbox lets nobody make such a thing, not even by another name. */
	if (!S_ISREG(job->from.st.st_mode) && !S_ISDIR(job->from.st.st_mode) &&
		!S_ISLNK(job->from.st.st_mode)) {
		(void)paths_fail(job->call, job->args->source, ENXIO);
		return false;
	}
	return target_find(job->call, job->args->destination, 0, &job->to);
}

static bool is_below(const char *path, const char *dir)
{
	size_t len = strlen(dir);

	return strncmp(path, dir, len) == 0 && path[len] == '/';
}

/* A directory is replaced by nothing, and replaces nothing. */
static bool check_destination(const struct job *job)
{
	const char *path = job->args->destination;
	char quoted[QUOTE_SIZE];

	if (S_ISDIR(job->from.st.st_mode) && is_below(job->to.full, job->from.full)) {
		(void)call_fail(job->call, "invalid_argument",
			"destination %s lies in source, and a directory cannot be moved into itself. Choose "
			"another one.",
			quote(quoted, path));
		return false;
	}
	/* To make one, even by moving it, takes a right that this worker does not have. */
	if (!S_ISDIR(job->from.st.st_mode) && !S_ISREG(job->from.st.st_mode) &&
		!S_ISLNK(job->from.st.st_mode)) {
		(void)paths_fail(job->call, job->args->source, ENXIO);
		return false;
	}
	if (!job->to.exists)
		return true;
	if (!job->args->overwrite)
		(void)call_fail(job->call, "already_exists",
			"%s exists already. Use overwrite to replace a file.", quote(quoted, path));
	else if (S_ISDIR(job->to.st.st_mode))
		(void)call_fail(job->call, "already_exists",
			"%s is a directory, and those are not replaced. To move into it, name the "
			"new path in it.",
			quote(quoted, path));
	else if (S_ISDIR(job->from.st.st_mode))
		(void)call_fail(job->call, "already_exists",
			"%s is a file, and is not replaced by a directory. Delete it first.",
			quote(quoted, path));
	else if (!S_ISREG(job->to.st.st_mode) && !S_ISLNK(job->to.st.st_mode))
		(void)paths_fail(job->call, path, ENXIO);
	else
		return true;
	return false;
}

static bool check_content(const struct job *job)
{
	const struct survey_limits limits = { .max_entries = MOVE_MAX_ENTRIES,
		.refuses_git = true };
	struct survey survey;

	return !S_ISDIR(job->from.st.st_mode) ||
	       survey_make(job->call, job->args->source, &job->from, &limits, &survey);
}

static bool is_same(const struct job *job)
{
	return job->to.exists && job->from.st.st_dev == job->to.st.st_dev &&
	       job->from.st.st_ino == job->to.st.st_ino;
}

/* Two names of one file: rename(2) would do nothing and say that it had. */
static int move_same(const struct job *job)
{
	if (strcmp(job->from.full, job->to.full) == 0)
		return 0;
	return unlinkat(job->from.dir_fd, job->from.name, 0) < 0 ? -errno : 0;
}

static int move(const struct job *job)
{
	const struct target *from = &job->from;
	const struct target *to = &job->to;

	if (is_same(job))
		return move_same(job);
	if (!job->to.exists)
		return atomic_rename_new(
			from->dir_fd, from->name, to->dir_fd, to->name, S_ISDIR(from->st.st_mode));
	return renameat(from->dir_fd, from->name, to->dir_fd, to->name) < 0 ? -errno : 0;
}

static int fail_move(const struct job *job, int err)
{
	char from[QUOTE_SIZE];
	char to[QUOTE_SIZE];

	if (err == -EXDEV)
		return call_fail(job->call, "cross_device",
			"%s and %s are on different file systems. Use code_copy, then code_delete.",
			quote(from, job->args->source), quote(to, job->args->destination));
	if (err == -EINVAL)
		return call_fail(job->call, "invalid_argument",
			"%s cannot be moved to %s: it would lie in itself. Choose another destination.",
			quote(from, job->args->source), quote(to, job->args->destination));
	if (err == -ENOENT || err == -EACCES || err == -EPERM)
		return paths_fail(job->call, job->args->source, err);
	return paths_fail(job->call, job->args->destination, err);
}

static int answer(const struct job *job)
{
	auto_strbuf text = { 0 };

	strbuf_adds(&text, "Moved ");
	paths_show(&text, job->args->source);
	strbuf_adds(&text, " to ");
	paths_show(&text, job->args->destination);
	return call_result(job->call,
		json_pack("{s:o, s:o, s:b}", "source", paths_json(job->args->source), "destination",
			paths_json(job->args->destination), "overwritten",
			job->to.exists && !is_same(job)),
		text.data, text.len);
}

static int code_move(struct call *call, const void *args)
{
	auto_(job_done) struct job job = {
		.call = call,
		.args = args,
		.from = { .dir_fd = -1 },
		.to = { .dir_fd = -1 },
	};
	int r;

	if (!find(&job) || !check_destination(&job) || !check_content(&job))
		return 0;
	r = move(&job);
	if (r < 0)
		return fail_move(&job, r);
	atomic_sync_dir(job.to.dir_fd);
	atomic_sync_dir(job.from.dir_fd);
	return answer(&job);
}

const struct tool filesystem_move_tools[] = {
	TOOL(code_move, "Move", .hints = TOOL_DESTRUCTIVE,
		.doc = "Move or rename a file, a symlink itself, or a directory; never overwrites "
		       "unless told.",
		.out = "source string, destination string, overwritten boolean"),
	{ 0 },
};
