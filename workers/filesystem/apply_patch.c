/* Tool code_apply_patch. Every file of the patch is read, checked and written to a nameless file first;
 * only then names change, one after the other. When that fails in the middle, what was done is undone:
 * until all is done, each old file still has a temporary name. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>

#include "shared/alloc.h"
#include "shared/fd.h"
#include "shared/quote.h"
#include "workers/filesystem/atomic.h"
#include "workers/filesystem/content.h"
#include "workers/filesystem/patch.h"
#include "workers/filesystem/paths.h"
#include "workers/filesystem/target.h"
#include "workers/filesystem/tools.h"

enum {
	PATCH_MAX_CHARS = 4194304,
	MAX_STRIP = 10,
	NEW_FILE_MODE = 0666, /* less the umask */
	PRIVATE_MODE = 0600,
	EXEC_BITS = 0111,
	READ_BITS = 0444,
	TEMP_ATTEMPTS = 16,
};

struct code_apply_patch_args {
	const char *patch;
	const char *path;
	int64_t strip;
	bool dry_run;
};

static const struct param code_apply_patch_params[] = {
	PARAM(code_apply_patch_args, patch, .required = true, RANGE(1, PATCH_MAX_CHARS),
		.doc = "Unified diff."),
	PARAM(code_apply_patch_args, path, .def_str = ".",
		.doc = "Directory the names are relative to."),
	PARAM(code_apply_patch_args, strip, RANGE(0, MAX_STRIP), .def_int = 1,
		.doc = "Leading path parts to drop."),
	PARAM(code_apply_patch_args, dry_run, .doc = "Only check."),
	{ 0 },
};

/* One file of the patch. */
struct change {
	const struct patch_file *patch;
	char *old_path; /* as the asker would name them; NULL: there is none */
	char *new_path;
	struct target from; /* of old_path */
	struct target to;   /* of new_path; the same as `from` unless it is created or renamed */
	struct atomic_file file;
	size_t moved;                /* hunks */
	char old_temp[NAME_MAX + 1]; /* where the old file is meanwhile; "": where it was */
	bool is_placed;              /* the new file has its name */
};

struct job {
	struct call *call;
	const struct code_apply_patch_args *args;
	struct strbuf text;
	struct patch patch;
	struct change *changes;
};

static void change_done(struct change *c)
{
	free(c->old_path);
	free(c->new_path);
	target_done(&c->from);
	target_done(&c->to);
	atomic_done(&c->file);
}

static void job_done(struct job *job)
{
	for (size_t i = 0; job->changes && i < job->patch.n_files; i++)
		change_done(&job->changes[i]);
	free(job->changes);
	patch_done(&job->patch);
	strbuf_done(&job->text);
}

static bool is_created(const struct change *c)
{
	return !c->old_path;
}

static bool is_deleted(const struct change *c)
{
	return !c->new_path;
}

static bool is_renamed(const struct change *c)
{
	return c->patch->is_rename && strcmp(c->from.full, c->to.full) != 0;
}

/* False: the call has failed for -errno on `path`. */
static bool fail(const struct job *job, const char *path, int err)
{
	(void)content_fail(job->call, path, err, PATCH_MAX_FILE_BYTES);
	return false;
}

/* Preparing */

static char *path_below(const struct job *job, const char *name)
{
	const char *base = job->args->path;

	if (!name)
		return NULL;
	return streq(base, ".") ? alloc_str(name) : alloc_printf("%s/%s", base, name);
}

/* A name in a patch is relative, and stays below `path`, whatever ".." would mean there. */
static bool check_name(const struct job *job, const char *name)
{
	char quoted[QUOTE_SIZE];
	const char *at = name;

	while (at && *at) {
		size_t len = strcspn(at, "/");

		if ((at == name && len == 0) || (len == 2 && memcmp(at, "..", 2) == 0)) {
			(void)call_fail(job->call, "outside_roots",
				"the patch names %s, which does not lie below path. Name a directory above it as path, or set strip.",
				quote(quoted, name));
			return false;
		}
		at += len + (at[len] == '/');
	}
	return true;
}

static bool find_old(const struct job *job, struct change *c)
{
	unsigned flags = is_deleted(c) || c->patch->is_rename ? 0 : TARGET_FOLLOW;

	if (!target_find(job->call, c->old_path, flags, &c->from))
		return false;
	if (!c->from.exists)
		return fail(job, c->old_path, -ENOENT);
	return target_check_file(job->call, c->old_path, &c->from);
}

static bool find_new(const struct job *job, struct change *c)
{
	unsigned flags = job->args->dry_run ? TARGET_LOOK : TARGET_PARENTS;

	if (is_deleted(c) || (!is_created(c) && !c->patch->is_rename))
		return true;
	if (!target_find(job->call, c->new_path, flags, &c->to))
		return false;
	return !c->to.exists || (!is_created(c) && !is_renamed(c)) ||
	       fail(job, c->new_path, -EEXIST);
}

static bool read_old(const struct job *job, struct change *c, struct strbuf *ret)
{
	auto_close int fd = -1;
	int r;

	if (is_created(c))
		return true;
	fd = target_open(&c->from, O_RDONLY);
	if (fd < 0)
		return fail(job, c->old_path, fd);
	if (fstat(fd, &c->from.st) < 0)
		return fail(job, c->old_path, -errno);
	if (!S_ISREG(c->from.st.st_mode))
		return fail(job, c->old_path, -ENXIO);
	r = content_read(job->call, fd, PATCH_MAX_FILE_BYTES, ret);
	return r == 0 || fail(job, c->old_path, r);
}

static const struct target *place_of(const struct change *c)
{
	return is_created(c) || c->patch->is_rename ? &c->to : &c->from;
}

/* Who may read it may run it, or nobody may. */
static int set_executable(const struct change *c)
{
	struct stat st;
	mode_t mode;

	if (!c->patch->has_mode || (is_created(c) && !c->patch->is_executable))
		return 0;
	if (fstat(c->file.fd, &st) < 0)
		return -errno;
	mode = st.st_mode & 0777 & ~(mode_t)EXEC_BITS;
	if (c->patch->is_executable)
		mode |= (mode & READ_BITS) >> 2;
	return fchmod(c->file.fd, mode) < 0 ? -errno : 0;
}

static int write_new(const struct job *job, struct change *c, const struct strbuf *content)
{
	const struct target *place = place_of(c);
	int r = atomic_begin(
		&c->file, place->dir_fd, place->name, is_created(c) ? NEW_FILE_MODE : PRIVATE_MODE);

	if (r == 0)
		r = content_write(job->call, c->file.fd, content->data, content->len);
	if (r == 0 && !is_created(c))
		r = atomic_keep_attributes(&c->file, c->from.dir_fd, c->from.name, &c->from.st);
	if (r == 0)
		r = set_executable(c);
	if (r == 0 && fsync(c->file.fd) < 0)
		r = -errno;
	return r;
}

static bool prepare(const struct job *job, struct change *c)
{
	auto_strbuf before = { 0 };
	auto_strbuf after = { 0 };
	struct failure why = { 0 };
	const char *path = c->old_path ? c->old_path : c->new_path;
	char quoted[QUOTE_SIZE];
	int r;

	if (!is_created(c) && !find_old(job, c))
		return false;
	if (!find_new(job, c) || !read_old(job, c, &before))
		return false;
	if (patch_apply(&job->patch, c->patch, strbuf_get(&before), before.len, &after, &c->moved,
		    &why) < 0) {
		(void)call_fail(job->call, why.code, "%s: %s", quote(quoted, path), why.text);
		return false;
	}
	if (is_deleted(c) || job->args->dry_run)
		return true;
	r = write_new(job, c, &after);
	return r == 0 || fail(job, c->new_path, r);
}

static bool is_same_place(const struct target *a, const struct target *b)
{
	return a->full && b->full && streq(a->full, b->full);
}

/* Each name once, or what is prepared for it would not fit any more. */
static bool check_distinct(const struct job *job, size_t i)
{
	const struct change *c = &job->changes[i];
	char quoted[QUOTE_SIZE];

	for (size_t k = 0; k < i; k++) {
		const struct change *other = &job->changes[k];

		if (!is_same_place(&c->from, &other->from) &&
			!is_same_place(&c->from, &other->to) &&
			!is_same_place(&c->to, &other->from) && !is_same_place(&c->to, &other->to))
			continue;
		(void)call_fail(job->call, "invalid_argument",
			"the patch changes %s twice. Give its parts one after the other.",
			quote(quoted, c->old_path ? c->old_path : c->new_path));
		return false;
	}
	return true;
}

static bool prepare_all(struct job *job)
{
	for (size_t i = 0; i < job->patch.n_files; i++) {
		struct change *c = &job->changes[i];

		if (call_stopped(job->call))
			return fail(job, job->args->path, -ECANCELED);
		if (!check_name(job, c->patch->old_name) || !check_name(job, c->patch->new_name) ||
			!prepare(job, c) || !check_distinct(job, i))
			return false;
	}
	return true;
}

/* Doing */

/* Gives the old file a temporary name and takes its own away: 0 or -errno. */
static int put_aside(struct change *c)
{
	int r = -EEXIST;

	for (int i = 0; r == -EEXIST && i < TEMP_ATTEMPTS; i++) {
		atomic_temp_name(c->old_temp, c->from.name);
		r = atomic_rename_new(
			c->from.dir_fd, c->from.name, c->from.dir_fd, c->old_temp, false);
	}
	if (r < 0)
		*c->old_temp = '\0';
	return r;
}

/* Exchanges new and old, so that the old one has the temporary name now; by a second name for the old
 * one where the file system has no exchange. */
static int exchange(struct change *c)
{
	const int dir_fd = c->from.dir_fd;
	int r = atomic_name(&c->file, c->from.name);

	if (r < 0)
		return r;
	if (renameat2(dir_fd, c->file.temp, dir_fd, c->from.name, RENAME_EXCHANGE) == 0) {
		memcpy(c->old_temp, c->file.temp, sizeof(c->old_temp));
		*c->file.temp = '\0';
		return 0;
	}
	if (errno != EINVAL && errno != ENOSYS)
		return -errno;
	atomic_temp_name(c->old_temp, c->from.name);
	if (linkat(dir_fd, c->from.name, dir_fd, c->old_temp, 0) < 0) {
		*c->old_temp = '\0';
		return -errno;
	}
	if (renameat(dir_fd, c->file.temp, dir_fd, c->from.name) < 0) {
		r = -errno;
		/* Here rename(2) could not take it back: both are names of one file. */
		(void)unlinkat(dir_fd, c->old_temp, 0);
		*c->old_temp = '\0';
		return r;
	}
	*c->file.temp = '\0';
	return 0;
}

static int do_change(struct change *c)
{
	int r = is_created(c) ? 0 : target_check_same(&c->from);

	if (r < 0)
		return r;
	if (is_deleted(c))
		return put_aside(c);
	if (is_created(c) || is_renamed(c)) {
		r = atomic_create(&c->file, c->to.name);
		c->is_placed = r == 0;
		return r < 0 || is_created(c) ? r : put_aside(c);
	}
	return exchange(c);
}

static void undo_change(struct change *c)
{
	if (*c->old_temp)
		(void)renameat(c->from.dir_fd, c->old_temp, c->from.dir_fd, c->from.name);
	if (c->is_placed)
		(void)unlinkat(c->to.dir_fd, c->to.name, 0);
	*c->old_temp = '\0';
	c->is_placed = false;
}

static void undo_all(struct job *job)
{
	for (size_t i = job->patch.n_files; i-- > 0;) {
		struct change *c = &job->changes[i];

		undo_change(c);
		atomic_done(&c->file);
		if (c->to.dir_fd >= 0)
			target_undo_parents(&c->to);
	}
}

static void finish_all(const struct job *job)
{
	for (size_t i = 0; i < job->patch.n_files; i++) {
		struct change *c = &job->changes[i];

		if (*c->old_temp)
			(void)unlinkat(c->from.dir_fd, c->old_temp, 0);
		if (c->from.dir_fd >= 0)
			atomic_sync_dir(c->from.dir_fd);
		if (c->to.dir_fd >= 0)
			atomic_sync_dir(c->to.dir_fd);
	}
}

/* It takes no time that a cancellation would be asked in: names only. */
static bool do_all(struct job *job)
{
	for (size_t i = 0; i < job->patch.n_files; i++) {
		struct change *c = &job->changes[i];
		int r = do_change(c);

		if (r < 0)
			return fail(job, c->new_path ? c->new_path : c->old_path, r);
	}
	finish_all(job);
	return true;
}

/* Answering */

static const char *status_of(const struct change *c)
{
	if (is_created(c))
		return "added";
	if (is_deleted(c))
		return "deleted";
	return is_renamed(c) ? "renamed" : "modified";
}

static void add_text(const struct change *c, bool dry_run, struct strbuf *out)
{
	strbuf_addf(out, "%s%s: ", dry_run ? "would be " : "", status_of(c));
	if (is_renamed(c)) {
		paths_show(out, c->old_path);
		strbuf_adds(out, " to ");
	}
	paths_show(out, c->new_path ? c->new_path : c->old_path);
	if (c->moved > 0)
		strbuf_addf(out, " (%zu of %zu hunks on other lines than they say)", c->moved,
			c->patch->n_hunks);
	strbuf_addc(out, '\n');
}

static int answer(const struct job *job)
{
	auto_strbuf text = { 0 };
	json_t *files = json_array();

	for (size_t i = 0; i < job->patch.n_files; i++) {
		const struct change *c = &job->changes[i];

		add_text(c, job->args->dry_run, &text);
		(void)json_array_append_new(
			files, json_pack("{s:o, s:s, s:o*, s:i, s:i}", "path",
				       paths_json(c->new_path ? c->new_path : c->old_path),
				       "status", status_of(c), "old_path",
				       is_renamed(c) ? paths_json(c->old_path) : NULL, "hunks",
				       (int)c->patch->n_hunks, "moved_hunks", (int)c->moved));
	}
	strbuf_cut(&text, text.len - 1);
	return call_result(job->call,
		json_pack("{s:o, s:b}", "files", files, "applied", !job->args->dry_run), text.data,
		text.len);
}

static bool parse(struct job *job)
{
	const char *patch = job->args->patch;
	struct failure why = { 0 };

	/* The last line end is often lost on the way, and never meant. */
	strbuf_adds(&job->text, patch);
	if (job->text.data[job->text.len - 1] != '\n')
		strbuf_addc(&job->text, '\n');
	if (patch_parse(job->text.data, job->text.len, (unsigned)job->args->strip, &job->patch,
		    &why) < 0) {
		(void)call_fail(job->call, why.code, "%s", why.text);
		return false;
	}
	job->changes = alloc_zero(job->patch.n_files * sizeof(*job->changes));
	for (size_t i = 0; i < job->patch.n_files; i++) {
		const struct patch_file *file = &job->patch.files[i];

		job->changes[i] = (struct change){
			.patch = file,
			.old_path = path_below(job, file->old_name),
			.new_path = path_below(job, file->new_name),
			.from = { .dir_fd = -1 },
			.to = { .dir_fd = -1 },
			.file = ATOMIC_FILE_NONE,
		};
	}
	return true;
}

static int code_apply_patch(struct call *call, const void *args)
{
	auto_(job_done) struct job job = { .call = call, .args = args };

	if (!parse(&job))
		return 0;
	if (!prepare_all(&job) || (!job.args->dry_run && !do_all(&job))) {
		undo_all(&job);
		return 0;
	}
	return answer(&job);
}

const struct tool filesystem_apply_patch_tools[] = {
	TOOL(code_apply_patch, "Apply patch", .hints = TOOL_DESTRUCTIVE,
		.doc = "Apply a unified diff to files in the roots; all or nothing. Context must "
		       "match exactly.",
		.out = "files {path string, status string, old_path? string, hunks integer, "
		       "moved_hunks integer}[], applied boolean"),
	{ 0 },
};
