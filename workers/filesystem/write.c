/* Tool code_write. tools.md sections 7.3 to 7.5.
 *
 * All that can be wrong with the request is found before anything is changed. The new content is
 * complete on disk before it gets the file's name; a backup is complete before that. */
#include <errno.h>
#include <fcntl.h>
#include <strings.h>
#include <time.h>

#include "shared/alloc.h"
#include "shared/fd.h"
#include "shared/quote.h"
#include "workers/common/precious.h"
#include "workers/filesystem/atomic.h"
#include "workers/filesystem/content.h"
#include "workers/filesystem/paths.h"
#include "workers/filesystem/target.h"
#include "workers/filesystem/text.h"
#include "workers/filesystem/tools.h"

enum {
	CONTENT_MAX_CHARS = 4194304,
	NEW_FILE_MODE = 0666, /* less the umask */
	PRIVATE_MODE = 0600,  /* until it gets the old file's */
	BACKUP_ATTEMPTS = 100,
};

struct code_write_args {
	const char *path;
	const char *content;
	const char *mode;
	bool backup;
	bool create_dirs;
	const char *encoding;
	const char *expected_sha256;
	bool force;
};

static const char *const modes[] = { "overwrite", "create", "append", NULL };

static const struct param code_write_params[] = {
	PARAM(code_write_args, path, .required = true, .doc = "File."),
	PARAM(code_write_args, content, .required = true, AT_MOST(CONTENT_MAX_CHARS),
		.doc = "New content."),
	PARAM(code_write_args, mode, .choices = modes, .def_str = "overwrite",
		.doc = "overwrite replaces, create refuses an existing file, append adds at the end."),
	PARAM(code_write_args, backup, .def_bool = true,
		.doc = "Keep the old content as NAME.EXT.YYYYMMDD_HHMMSS.bak beside it."),
	PARAM(code_write_args, create_dirs, .def_bool = true,
		.doc = "Create missing parent directories."),
	PARAM(code_write_args, encoding, .choices = text_write_encodings, .def_str = "utf-8",
		.doc = "Encoding to write."),
	PARAM(code_write_args, expected_sha256, RANGE(64, 64),
		.doc = "Refuse if the present content has another SHA-256."),
	PARAM(code_write_args, force, .doc = "Write although the file is protected."),
	{ 0 },
};

/* One call. */
struct job {
	struct call *call;
	const struct code_write_args *args;
	struct strbuf bytes; /* what is to be written */
	struct target target;
	int old_fd;   /* for reading; -1 */
	char *backup; /* its name beside the file; NULL: none was made */
	int64_t size; /* of the file, in the end */
	char hash[DIGEST_HEX_SIZE];
};

static void job_done(struct job *job)
{
	strbuf_done(&job->bytes);
	target_done(&job->target);
	job->old_fd = fd_close(job->old_fd);
	free(job->backup);
}

static bool has_mode(const struct job *job, const char *mode)
{
	return streq(job->args->mode, mode);
}

/* The call fails for -errno; false. */
static bool fail(const struct job *job, int err)
{
	(void)content_fail(job->call, job->args->path, err, CONTENT_COPY_MAX);
	return false;
}

static bool encode(struct job *job)
{
	const char *text = job->args->content;
	size_t at = 0;
	int r = text_encode(
		text_choose(job->args->encoding, NULL, 0), text, strlen(text), &job->bytes, &at);

	if (r == -EILSEQ)
		(void)call_fail(job->call, "bad_encoding",
			"%s has no character for what stands at byte %zu of content. Use utf-8.",
			job->args->encoding, at);
	else if (r < 0)
		(void)call_fail(job->call, "bad_encoding",
			"this system cannot convert to %s. Use utf-8.", job->args->encoding);
	return r == 0;
}

/* A file that must exist needs no parents; one that must not is never reached by a symlink. */
static bool find(struct job *job)
{
	const struct code_write_args *a = job->args;
	unsigned flags = 0;
	char quoted[QUOTE_SIZE];

	if (!has_mode(job, "create"))
		flags |= TARGET_FOLLOW;
	if (a->create_dirs && !a->expected_sha256)
		flags |= TARGET_PARENTS;
	if (!target_find(job->call, a->path, flags, &job->target))
		return false;
	if (!job->target.exists)
		return true;
	if (has_mode(job, "create")) {
		(void)call_fail(job->call, "already_exists",
			"%s exists already. Use mode overwrite to replace it.",
			quote(quoted, a->path));
		return false;
	}
	return target_check_file(job->call, a->path, &job->target);
}

static bool open_old(struct job *job)
{
	const struct code_write_args *a = job->args;

	if (!job->target.exists)
		return true;
	if (!a->backup && !a->expected_sha256 && !has_mode(job, "append"))
		return true;
	job->old_fd = target_open(&job->target, O_RDONLY);
	if (job->old_fd < 0)
		return fail(job, job->old_fd);
	if (fstat(job->old_fd, &job->target.st) < 0)
		return fail(job, -errno);
	if (!S_ISREG(job->target.st.st_mode))
		return fail(job, -ENXIO);
	if (job->target.st.st_size > CONTENT_COPY_MAX)
		return fail(job, -EFBIG);
	return true;
}

static bool check_expected(const struct job *job)
{
	const char *expected = job->args->expected_sha256;
	char hash[DIGEST_HEX_SIZE];
	char quoted[QUOTE_SIZE];
	int r;

	if (!expected)
		return true;
	if (!job->target.exists) {
		(void)call_fail(job->call, "conflict",
			"%s does not exist, so it has no SHA-256 to compare. Leave expected_sha256 "
			"out to create it.",
			quote(quoted, job->args->path));
		return false;
	}
	r = content_hash_file(job->call, job->old_fd, NULL, 0, hash);
	if (r < 0)
		return fail(job, r);
	if (strcasecmp(hash, expected) == 0)
		return true;
	(void)call_fail(job->call, "conflict",
		"%s has another content than expected: its SHA-256 is %s. Read it again.",
		quote(quoted, job->args->path), hash);
	return false;
}

static bool check_precious(const struct job *job)
{
	const struct target *t = &job->target;
	char quoted[QUOTE_SIZE];

	if (!t->exists || job->args->force || !has_mode(job, "overwrite") ||
		!precious_file(t->name))
		return true;
	if ((int64_t)job->bytes.len >= t->st.st_size - (int64_t)job->bytes.len)
		return true;
	(void)call_fail(job->call, "protected",
		"%s would shrink from %lld to %zu bytes, to less than half, which for this file is "
		"mostly a mistake. Use force to write it all the same.",
		quote(quoted, job->args->path), (long long)t->st.st_size, job->bytes.len);
	return false;
}

/* NAME.EXT.YYYYMMDD_HHMMSS.bak; the next within the same second has _2 behind the time. */
static int backup_name(const char *name, int attempt, char **ret)
{
	time_t now = time(NULL);
	char stamp[32];
	struct tm tm;

	if (!localtime_r(&now, &tm) || !strftime(stamp, sizeof(stamp), "%Y%m%d_%H%M%S", &tm))
		return -EOVERFLOW;
	free(*ret);
	*ret = attempt == 1 ? alloc_printf("%s.%s.bak", name, stamp)
			    : alloc_printf("%s.%s_%d.bak", name, stamp, attempt);
	return strlen(*ret) > NAME_MAX ? -ENAMETOOLONG : 0;
}

/* The copy is as old as the content. */
static int fill_backup(struct job *job, const struct atomic_file *file)
{
	const struct target *t = &job->target;
	const struct timespec times[] = { t->st.st_atim, t->st.st_mtim };
	int64_t bytes;
	int r = content_copy(job->call, job->old_fd, file->fd, CONTENT_COPY_MAX, &bytes);

	if (r == 0)
		r = atomic_keep_attributes(file, t->dir_fd, t->name, &t->st);
	if (r < 0)
		return r;
	return futimens(file->fd, times) < 0 ? -errno : 0;
}

static int make_backup(struct job *job)
{
	auto_(atomic_done) struct atomic_file file = ATOMIC_FILE_NONE;
	const struct target *t = &job->target;
	int r;

	if (!job->args->backup || !t->exists)
		return 0;
	r = atomic_begin(&file, t->dir_fd, t->name, PRIVATE_MODE);
	if (r == 0)
		r = fill_backup(job, &file);
	for (int i = 1; r == 0 && i <= BACKUP_ATTEMPTS; i++) {
		auto_free char *name = NULL;

		r = backup_name(t->name, i, &name);
		if (r == 0)
			r = atomic_create(&file, name);
		if (r == 0) {
			job->backup = TAKE(name);
			return 0;
		}
		if (r == -EEXIST && i < BACKUP_ATTEMPTS)
			r = 0;
	}
	return r;
}

static int write_new(struct job *job)
{
	auto_(atomic_done) struct atomic_file file = ATOMIC_FILE_NONE;
	const struct target *t = &job->target;
	int r = atomic_begin(&file, t->dir_fd, t->name, NEW_FILE_MODE);

	if (r == 0)
		r = content_write(job->call, file.fd, job->bytes.data, job->bytes.len);
	if (r == 0)
		r = atomic_create(&file, t->name);
	job->size = (int64_t)job->bytes.len;
	return r;
}

/* Nobody else's change is lost: one that came after the content was looked at is noticed. */
static int replace_old(struct job *job, struct atomic_file *file)
{
	const struct target *t = &job->target;
	int r = atomic_keep_attributes(file, t->dir_fd, t->name, &t->st);

	if (r == 0 && job->old_fd >= 0)
		r = target_check_same(t);
	return r < 0 ? r : atomic_replace(file, t->name);
}

static int overwrite(struct job *job)
{
	auto_(atomic_done) struct atomic_file file = ATOMIC_FILE_NONE;
	int r = atomic_begin(&file, job->target.dir_fd, job->target.name, PRIVATE_MODE);

	if (r == 0)
		r = content_write(job->call, file.fd, job->bytes.data, job->bytes.len);
	job->size = (int64_t)job->bytes.len;
	return r < 0 ? r : replace_old(job, &file);
}

/* Other names of the file keep the old content. */
static int append_by_copy(struct job *job)
{
	auto_(atomic_done) struct atomic_file file = ATOMIC_FILE_NONE;
	int64_t old_bytes = 0;
	int r = atomic_begin(&file, job->target.dir_fd, job->target.name, PRIVATE_MODE);

	if (r == 0)
		r = content_copy(job->call, job->old_fd, file.fd, CONTENT_COPY_MAX, &old_bytes);
	if (r == 0)
		r = content_write(job->call, file.fd, job->bytes.data, job->bytes.len);
	if (r == 0)
		r = content_hash_file(job->call, file.fd, NULL, 0, job->hash);
	job->size = old_bytes + (int64_t)job->bytes.len;
	return r < 0 ? r : replace_old(job, &file);
}

/* A part of what was to be appended is taken back, unless someone else appended behind it. */
static int append_all(int fd, const struct strbuf *bytes, int64_t old_size)
{
	int r = fd_write_all(fd, bytes->data, bytes->len);
	struct stat st;

	if (r == 0)
		return fsync(fd) < 0 ? -errno : 0;
	if (fstat(fd, &st) == 0 && st.st_size > old_size &&
		st.st_size < old_size + (int64_t)bytes->len)
		(void)!ftruncate(fd, old_size);
	return r;
}

/* The file that was looked at, and it alone: whether another name leads to it is asked again. */
static int append_in_place(struct job *job)
{
	auto_close int fd = target_open(&job->target, O_WRONLY | O_APPEND);
	const struct stat *was = &job->target.st;
	struct stat st;
	int r;

	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (st.st_dev != was->st_dev || st.st_ino != was->st_ino)
		return -ESTALE;
	if (st.st_nlink > 1)
		return append_by_copy(job);
	/* Before, because afterwards nothing may fail any more. */
	r = content_hash_file(job->call, job->old_fd, job->bytes.data, job->bytes.len, job->hash);
	if (r < 0)
		return r;
	job->size = st.st_size + (int64_t)job->bytes.len;
	return append_all(fd, &job->bytes, st.st_size);
}

static int write_file(struct job *job)
{
	int r = content_hash(strbuf_get(&job->bytes), job->bytes.len, job->hash);

	if (r < 0)
		return r;
	if (!job->target.exists)
		return write_new(job);
	if (has_mode(job, "overwrite"))
		return overwrite(job);
	return job->target.st.st_nlink > 1 ? append_by_copy(job) : append_in_place(job);
}

/* Nothing is left of what did not come to its end. */
static void undo(const struct job *job)
{
	if (job->backup)
		(void)unlinkat(job->target.dir_fd, job->backup, 0);
	if (!job->target.exists)
		target_undo_parents(&job->target);
}

static int answer(const struct job *job)
{
	const bool created = !job->target.exists;
	auto_free char *backup = job->backup ? target_show(&job->target, job->backup) : NULL;
	auto_strbuf text = { 0 };
	json_t *data;

	strbuf_adds(&text, created ? "Created file: " : "Updated file: ");
	paths_show(&text, job->args->path);
	strbuf_addf(&text, "\nSize: %lld bytes", (long long)job->size);
	if (backup) {
		strbuf_adds(&text, "\nBackup: ");
		paths_show(&text, backup);
	}
	data = json_pack("{s:o, s:I, s:b, s:o*, s:s}", "path", paths_json(job->args->path), "size",
		(json_int_t)job->size, "created", created, "backup",
		backup ? paths_json(backup) : NULL, "sha256", job->hash);
	return call_result(job->call, data, text.data, text.len);
}

static int code_write(struct call *call, const void *args)
{
	auto_(job_done) struct job job = {
		.call = call, .args = args, .target = { .dir_fd = -1 }, .old_fd = -1
	};
	int r;

	if (!encode(&job) || !find(&job) || !open_old(&job) || !check_expected(&job) ||
		!check_precious(&job))
		return 0;
	r = make_backup(&job);
	if (r == 0)
		r = write_file(&job);
	if (r < 0) {
		undo(&job);
		(void)fail(&job, r);
		return 0;
	}
	return answer(&job);
}

const struct tool filesystem_write_tools[] = {
	TOOL(code_write, "Write file", .hints = TOOL_DESTRUCTIVE,
		.doc = "Write a file: replace, create or append. The file is never seen half written.",
		.out = "path string, size integer, created boolean, backup? string, sha256 string"),
	{ 0 },
};
