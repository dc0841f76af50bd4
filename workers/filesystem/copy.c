/* Tool code_copy. Each file gets its name when its copy is complete; a copy that is broken off leaves
 * whole files only. What cannot or must not be copied (FIFOs, sockets, devices, .git) is left out and
 * counted. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>

#include "shared/alloc.h"
#include "shared/fd.h"
#include "shared/quote.h"
#include "workers/filesystem/atomic.h"
#include "workers/filesystem/content.h"
#include "workers/filesystem/paths.h"
#include "workers/filesystem/survey.h"
#include "workers/filesystem/target.h"
#include "workers/filesystem/tools.h"
#include "workers/filesystem/walk.h"

enum {
	MAX_ENTRIES = 100000,
	PRIVATE_FILE = 0600, /* until it is complete */
	PRIVATE_DIR = 0700,
	MODE_BITS = 0777, /* what a copy has of its original's mode */
	LINK_ATTEMPTS = 16,
};

struct code_copy_args {
	const char *source;
	const char *destination;
	bool recursive;
	bool overwrite;
};

static const struct param code_copy_params[] = {
	PARAM(code_copy_args, source, .required = true, .doc = "From."),
	PARAM(code_copy_args, destination, .required = true, .doc = "To."),
	PARAM(code_copy_args, recursive, .doc = "Directories."),
	PARAM(code_copy_args, overwrite, .doc = "Replace existing files."),
	{ 0 },
};

struct job {
	struct call *call;
	const struct code_copy_args *args;
	struct target from;
	struct target to;
	size_t total; /* entries that were found */
	size_t seen;
	int64_t files;
	int64_t bytes;
	size_t skipped;
	/* The copy's directory that was used last. */
	int top_fd;
	int dir_fd;
	char *dir_path; /* NULL: none */
};

static void job_done(struct job *job)
{
	target_done(&job->from);
	target_done(&job->to);
	job->top_fd = fd_close(job->top_fd);
	job->dir_fd = fd_close(job->dir_fd);
	free(job->dir_path);
}

/* One thing, below any two directories. */
struct item {
	int from_fd;
	const char *from;
	int to_fd;
	const char *to;
};

static int open_source(const struct item *item, struct stat *ret)
{
	auto_close int fd =
		walk_open(item->from_fd, item->from, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);

	if (fd < 0)
		return fd;
	if (fstat(fd, ret) < 0)
		return -errno;
	return S_ISREG(ret->st_mode) ? TAKE_FD(fd) : -ENXIO;
}

/* Only files and links make way. */
static int check_replaced(const struct job *job, const struct item *item)
{
	struct stat st;

	if (fstatat(item->to_fd, item->to, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!job->args->overwrite)
		return -EEXIST;
	if (S_ISDIR(st.st_mode))
		return -EISDIR;
	return S_ISREG(st.st_mode) || S_ISLNK(st.st_mode) ? 0 : -ENXIO;
}

static int copy_file(struct job *job, const struct item *item)
{
	auto_(atomic_done) struct atomic_file file = ATOMIC_FILE_NONE;
	auto_close int fd = -1;
	int64_t bytes = 0;
	struct stat st;
	int r = check_replaced(job, item);

	if (r < 0)
		return r;
	fd = open_source(item, &st);
	if (fd < 0)
		return fd;
	r = atomic_begin(&file, item->to_fd, item->to, PRIVATE_FILE);
	if (r == 0)
		r = content_copy(job->call, fd, file.fd, CONTENT_COPY_MAX - job->bytes, &bytes);
	if (r == 0 && fchmod(file.fd, st.st_mode & MODE_BITS) < 0)
		r = -errno;
	if (r < 0)
		return r;
	r = job->args->overwrite ? atomic_replace(&file, item->to) : atomic_create(&file, item->to);
	if (r < 0)
		return r;
	job->files++;
	job->bytes += bytes;
	return 0;
}

static int make_link(const struct job *job, const struct item *item, const char *target)
{
	if (symlinkat(target, item->to_fd, item->to) == 0)
		return 0;
	if (errno != EEXIST || !job->args->overwrite)
		return -errno;
	for (int i = 0; i < LINK_ATTEMPTS; i++) {
		char temp[NAME_MAX + 1];
		int r;

		atomic_temp_name(temp, item->to);
		if (symlinkat(target, item->to_fd, temp) == 0) {
			if (renameat(item->to_fd, temp, item->to_fd, item->to) == 0)
				return 0;
			r = -errno;
			(void)unlinkat(item->to_fd, temp, 0);
			return r;
		}
		if (errno != EEXIST)
			return -errno;
	}
	return -EEXIST;
}

static int copy_link(struct job *job, const struct item *item)
{
	char target[PATH_MAX];
	ssize_t n;
	int r = check_replaced(job, item);

	if (r < 0)
		return r;
	n = readlinkat(item->from_fd, item->from, target, sizeof(target));
	if (n < 0)
		return -errno;
	if ((size_t)n == sizeof(target))
		return -ENAMETOOLONG;
	target[n] = '\0';
	r = make_link(job, item, target);
	job->files += r == 0;
	return r;
}

/* One that is there is filled, if files may be replaced. */
static int make_dir(const struct job *job, const struct item *item)
{
	struct stat st;

	if (mkdirat(item->to_fd, item->to, PRIVATE_DIR) == 0)
		return 0;
	if (errno != EEXIST || !job->args->overwrite)
		return -errno;
	if (fstatat(item->to_fd, item->to, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	return S_ISDIR(st.st_mode) ? 0 : -ENOTDIR;
}

/* 0: copied, or left out and counted. */
static int copy_one(struct job *job, const struct item *item, mode_t type)
{
	int r = 0;

	if (S_ISREG(type)) {
		r = copy_file(job, item);
		/* It is not any more what its directory said. */
		if (r != -ENXIO)
			return r;
	} else if (S_ISLNK(type)) {
		return copy_link(job, item);
	} else if (S_ISDIR(type)) {
		return make_dir(job, item);
	}
	job->skipped++;
	return 0;
}

/* The directory of the copy that corresponds to the one that holds entry->path; borrowed. */
static int open_copied_dir(struct job *job, const struct walk_entry *entry)
{
	size_t len = (size_t)(entry->name - entry->path);
	auto_free char *path = alloc_mem(entry->path, len > 0 ? len - 1 : 0);

	if (len == 0)
		return job->top_fd;
	if (job->dir_path && streq(job->dir_path, path))
		return job->dir_fd;
	job->dir_fd = fd_close(job->dir_fd);
	job->dir_fd = walk_open(job->top_fd, path, O_RDONLY | O_DIRECTORY);
	free(job->dir_path);
	job->dir_path = job->dir_fd >= 0 ? TAKE(path) : NULL;
	return job->dir_fd;
}

/* A directory gets its mode when nothing is put in it any more. */
static int copy_mode(int from_dir, int to_dir, const char *name)
{
	auto_close int to = walk_open(to_dir, name, O_RDONLY | O_DIRECTORY);
	struct stat st;

	if (to < 0)
		return to;
	if (fstatat(from_dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -errno;
	return fchmod(to, st.st_mode & MODE_BITS) < 0 ? -errno : 0;
}

static int handle(struct job *job, struct walk *walk, int event, const struct walk_entry *entry)
{
	struct item item = { .from = entry->name, .to = entry->name };

	if (event == WALK_UNREADABLE) {
		job->skipped += entry->error == -EXDEV;
		return entry->error == -EXDEV ? 0 : entry->error;
	}
	item.from_fd = walk_dir_fd(walk);
	if (item.from_fd < 0)
		return item.from_fd;
	item.to_fd = open_copied_dir(job, entry);
	if (item.to_fd < 0)
		return item.to_fd;
	if (event == WALK_LEAVE)
		return copy_mode(item.from_fd, item.to_fd, entry->name);
	if (++job->seen > MAX_ENTRIES)
		return -E2BIG;
	return copy_one(job, &item, entry->type);
}

static int fail_copy(const struct job *job, const char *base, const char *inside, int err)
{
	auto_free char *path = *inside ? alloc_printf("%s/%s", base, inside) : alloc_str(base);
	auto_free char *how_far = alloc_printf("%lld file(s) were copied", (long long)job->files);
	char quoted[QUOTE_SIZE];

	if (err == -ECANCELED)
		return call_fail_stopped(job->call, how_far);
	if (err == -EFBIG || err == -E2BIG)
		return call_fail(job->call, "too_large",
			"more than %lld bytes or %d entries; %s. Copy a part at a time.",
			(long long)CONTENT_COPY_MAX, MAX_ENTRIES, how_far);
	if (job->files > 0)
		return call_fail(job->call, path_error_code(err),
			"%s could not be copied: %s; %s before. Copy what is missing on its own.",
			quote(quoted, path), strerror(-err), how_far);
	return paths_fail(job->call, path, err);
}

static unsigned filter(void *arg, const struct walk_entry *entry)
{
	const struct job *job = arg;

	return target_is_closed(job->call, entry->name) ? WALK_SEE : WALK_SEE | WALK_ENTER;
}

static int walk_and_copy(struct job *job, struct walk *walk)
{
	struct walk_entry entry;
	int event;

	while ((event = walk_next(walk, &entry)) > 0) {
		int r = 0;

		if (event == WALK_ENTRY && target_is_closed(job->call, entry.name))
			job->skipped++;
		else
			r = handle(job, walk, event, &entry);
		if (r < 0)
			return fail_copy(job, job->args->destination, entry.path, r), -1;
		call_progress(job->call, (double)job->seen, (double)job->total, NULL);
	}
	if (event == WALK_END)
		return 0;
	return fail_copy(job, job->args->destination, "", event), -1;
}

static bool copy_tree(struct job *job)
{
	const struct walk_options options = { .filter = filter, .arg = job, .enters_git = true };
	const struct item item = { job->from.dir_fd, job->from.name, job->to.dir_fd, job->to.name };
	auto_(walk_freep) struct walk *walk = NULL;
	auto_close int fd = target_open(&job->from, O_RDONLY | O_DIRECTORY);
	int r = fd < 0 ? fd : make_dir(job, &item);

	if (r == 0)
		job->top_fd = target_open(&job->to, O_RDONLY | O_DIRECTORY);
	if (r == 0 && job->top_fd < 0)
		r = job->top_fd;
	if (r < 0) {
		(void)fail_copy(job, fd < 0 ? job->args->source : job->args->destination, "", r);
		return false;
	}
	walk = walk_new(&options, fd, job->call);
	if (walk_and_copy(job, walk) < 0)
		return false;
	if (!job->to.exists && fchmod(job->top_fd, job->from.st.st_mode & MODE_BITS) < 0) {
		(void)fail_copy(job, job->args->destination, "", -errno);
		return false;
	}
	return true;
}

static bool find(struct job *job)
{
	char quoted[QUOTE_SIZE];

	if (!target_find_source(job->call, job->args->source, &job->from))
		return false;
	if (!job->from.exists) {
		(void)paths_fail(job->call, job->args->source, ENOENT);
		return false;
	}
	if (!target_find(job->call, job->args->destination, 0, &job->to))
		return false;
	if (S_ISDIR(job->from.st.st_mode) && !job->args->recursive) {
		(void)call_fail(job->call, "is_a_directory",
			"%s is a directory. Use recursive to copy it with what is in it.",
			quote(quoted, job->args->source));
		return false;
	}
	if (S_ISREG(job->from.st.st_mode) || S_ISLNK(job->from.st.st_mode) ||
		S_ISDIR(job->from.st.st_mode))
		return true;
	(void)paths_fail(job->call, job->args->source, ENXIO);
	return false;
}

static bool is_same_or_below(const char *path, const char *dir)
{
	size_t len = strlen(dir);

	return strncmp(path, dir, len) == 0 && (path[len] == '/' || path[len] == '\0');
}

static bool check_destination(const struct job *job)
{
	const char *path = job->args->destination;
	char quoted[QUOTE_SIZE];

	if (is_same_or_below(job->to.full, job->from.full)) {
		(void)call_fail(job->call, "invalid_argument",
			"destination %s is source, or lies in it. Choose another one.",
			quote(quoted, path));
		return false;
	}
	if (!job->to.exists)
		return true;
	if (!job->args->overwrite)
		(void)call_fail(job->call, "already_exists",
			"%s exists already. Use overwrite to replace files.", quote(quoted, path));
	else if (S_ISDIR(job->to.st.st_mode) && !S_ISDIR(job->from.st.st_mode))
		(void)call_fail(job->call, "already_exists",
			"%s is a directory, and those are not replaced. To copy into it, name the "
			"new path in it.",
			quote(quoted, path));
	else if (!S_ISDIR(job->to.st.st_mode) && S_ISDIR(job->from.st.st_mode))
		(void)call_fail(job->call, "already_exists",
			"%s is no directory, and is not replaced by one. Delete it first.",
			quote(quoted, path));
	else
		return true;
	return false;
}

static bool copy(struct job *job)
{
	const struct item item = { job->from.dir_fd, job->from.name, job->to.dir_fd, job->to.name };
	const struct survey_limits limits = { .max_entries = MAX_ENTRIES,
		.max_bytes = CONTENT_COPY_MAX };
	struct survey survey;
	int r;

	if (!S_ISDIR(job->from.st.st_mode)) {
		r = S_ISREG(job->from.st.st_mode) ? copy_file(job, &item) : copy_link(job, &item);
		if (r < 0)
			(void)fail_copy(job,
				r == -EEXIST || r == -EISDIR ? job->args->destination
							     : job->args->source,
				"", r);
		return r == 0;
	}
	if (!survey_make(job->call, job->args->source, &job->from, &limits, &survey))
		return false;
	job->total = survey.entries;
	return copy_tree(job);
}

static int answer(const struct job *job)
{
	auto_strbuf text = { 0 };

	strbuf_adds(&text, "Copied ");
	paths_show(&text, job->args->source);
	strbuf_adds(&text, " to ");
	paths_show(&text, job->args->destination);
	strbuf_addf(&text, " (%lld file(s))", (long long)job->files);
	if (job->skipped > 0)
		strbuf_addf(&text, "\nLeft out: %zu (special files, .git, other file systems)",
			job->skipped);
	return call_result(job->call,
		json_pack("{s:o, s:o, s:I, s:I, s:I}", "source", paths_json(job->args->source),
			"destination", paths_json(job->args->destination), "files",
			(json_int_t)job->files, "bytes", (json_int_t)job->bytes, "skipped",
			(json_int_t)job->skipped),
		text.data, text.len);
}

static int code_copy(struct call *call, const void *args)
{
	auto_(job_done) struct job job = {
		.call = call,
		.args = args,
		.from = { .dir_fd = -1 },
		.to = { .dir_fd = -1 },
		.top_fd = -1,
		.dir_fd = -1,
	};

	if (!find(&job) || !check_destination(&job) || !copy(&job))
		return 0;
	atomic_sync_dir(job.to.dir_fd);
	return answer(&job);
}

const struct tool filesystem_copy_tools[] = {
	TOOL(code_copy, "Copy", .hints = TOOL_WRITES,
		.doc = "Copy a file or directory inside the roots. Symlinks are copied as symlinks; "
		       "special files and .git are left out.",
		.out = "source string, destination string, files integer, bytes integer, "
		       "skipped integer"),
	{ 0 },
};
