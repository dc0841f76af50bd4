/* Tool code_get_info: what is known of a file, a directory or a symlink itself.
 *
 * The thing is looked at through an O_PATH descriptor, which opens nothing; a regular file or a
 * directory is then opened for its content, when that may be read. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>

#include "shared/fd.h"
#include "workers/common/digest.h"
#include "workers/filesystem/attributes.h"
#include "workers/filesystem/blocks.h"
#include "workers/filesystem/kind.h"
#include "workers/filesystem/paths.h"
#include "workers/filesystem/text.h"
#include "workers/filesystem/tools.h"

struct code_get_info_args {
	const char *path;
	bool hash;
};

static const struct param code_get_info_params[] = {
	PARAM(code_get_info_args, path, .required = true, .doc = "File or directory."),
	PARAM(code_get_info_args, hash, .doc = "Add the SHA-256."),
	{ 0 },
};

struct info {
	struct call *call;
	const struct code_get_info_args *args;
	struct place place;
	int fd; /* O_PATH */
	struct stat st;
	const char *mime_type;        /* NULL: not known */
	const char *language;         /* NULL: not known */
	int64_t n_lines;              /* -1: not known */
	int64_t n_entries;            /* -1: not known */
	char sha256[DIGEST_HEX_SIZE]; /* "": not asked for, or no regular file */
	char target[PATH_MAX];        /* of a symlink; "": none */
	int target_inside;            /* -1: not known */
};

static void info_done(struct info *info)
{
	place_done(&info->place);
	(void)fd_close(info->fd);
}

/* All below: 0, or -errno; -ECANCELED: call_stopped(). */

static int open_content(const struct info *info, int flags)
{
	auto_close int fd =
		place_open(&info->place, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW | flags, 0);
	struct stat st;

	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (st.st_dev != info->st.st_dev || st.st_ino != info->st.st_ino)
		return -EAGAIN;
	return TAKE_FD(fd);
}

/* What a whole file's bytes tell: the number of its lines, the hash. */
static int read_whole(struct info *info, int fd, enum text_encoding encoding, bool is_text)
{
	auto_(digest_freep) struct digest *digest = info->args->hash ? digest_new("sha256") : NULL;
	char block[BLOCK_BYTES];
	int64_t n_lines = 0;
	bool is_open = false;
	int64_t at = 0;
	ssize_t n;

	while ((n = blocks_read(info->call, fd, block, sizeof(block), at)) > 0) {
		if (digest)
			digest_add(digest, block, (size_t)n);
		if (is_text) {
			n_lines += (int64_t)text_count_line_ends(encoding, block, (size_t)n);
			is_open = text_last_line(encoding, block, (size_t)n) != (size_t)n;
		}
		at += n;
	}
	if (n < 0)
		return (int)n;
	if (is_text)
		info->n_lines = n_lines + is_open;
	if (digest)
		digest_finish_hex(digest, info->sha256);
	return 0;
}

static int look_at_content(struct info *info, int fd)
{
	char first[TEXT_LOOK_BYTES];
	ssize_t n = blocks_read(info->call, fd, first, sizeof(first), 0);
	enum text_encoding encoding;
	bool is_text;

	if (n < 0)
		return (int)n;
	encoding = text_choose("auto", first, (size_t)n);
	is_text = !text_is_binary(encoding, first, (size_t)n);
	info->mime_type = kind_mime_type(info->place.rest, first, (size_t)n);
	if (!info->args->hash && (!is_text || info->st.st_size > BLOCKS_CASUAL_BYTES))
		return 0;
	return read_whole(info, fd, encoding, is_text);
}

static int look_at_file(struct info *info)
{
	auto_close int fd = open_content(info, 0);

	info->language = kind_language(info->place.rest);
	if (fd >= 0)
		return look_at_content(info, fd);
	/* Without its content there still is something to tell. */
	return info->args->hash || (fd != -EACCES && fd != -EPERM) ? fd : 0;
}

static int count_entries(struct info *info, DIR *dir)
{
	const struct dirent *entry;
	int64_t n = 0;

	while ((errno = 0, entry = readdir(dir))) {
		if (streq(entry->d_name, ".") || streq(entry->d_name, ".."))
			continue;
		if (++n % 256 == 0 && call_stopped(info->call))
			return -ECANCELED;
	}
	if (errno != 0)
		return -errno;
	info->n_entries = n;
	return 0;
}

static int look_at_directory(struct info *info)
{
	auto_close int fd = open_content(info, O_DIRECTORY);
	DIR *dir;
	int r;

	if (fd < 0)
		return fd == -EACCES || fd == -EPERM ? 0 : fd;
	dir = fdopendir(fd);
	if (!dir)
		return -errno;
	(void)TAKE_FD(fd);
	r = count_entries(info, dir);
	(void)closedir(dir);
	return r;
}

/* Whether the place lies inside of the roots also after all symlinks; what is not there counts as
 * where it would be. -1: not known. */
static int is_inside(const struct place *place)
{
	auto_close int fd = place_open(place, O_PATH, 0);

	if (fd >= 0 || fd == -ENOENT || fd == -ENOTDIR)
		return true;
	return fd == -EXDEV || fd == -ELOOP ? false : -1;
}

static int look_at_symlink(struct info *info)
{
	auto_(place_done) struct place target = { 0 };
	struct fail ignored = { 0 };
	ssize_t n = readlinkat(info->fd, "", info->target, sizeof(info->target) - 1);

	if (n < 0)
		return -errno;
	info->target[n] = '\0';
	if (*info->target != '/')
		info->target_inside = is_inside(&info->place);
	else if (place_find(info->target, &target, &ignored) == 0)
		info->target_inside = is_inside(&target);
	else
		info->target_inside = false;
	return 0;
}

static int look(struct info *info)
{
	info->fd = place_open(&info->place, O_PATH | O_NOFOLLOW, 0);
	if (info->fd < 0)
		return info->fd;
	if (fstat(info->fd, &info->st) < 0)
		return -errno;
	if (S_ISREG(info->st.st_mode))
		return look_at_file(info);
	if (S_ISDIR(info->st.st_mode))
		return look_at_directory(info);
	return S_ISLNK(info->st.st_mode) ? look_at_symlink(info) : 0;
}

static json_t *to_json(const struct info *info)
{
	const struct timespec modified = info->st.st_mtim;
	char time[ATTRIBUTES_TIME_SIZE];
	char mode[8];
	json_t *out;

	attributes_time(modified, time);
	(void)snprintf(mode, sizeof(mode), "%04o", info->st.st_mode & 07777U);
	out = json_pack("{s:o, s:s, s:I, s:s, s:f, s:s, s:I}", "path", paths_json(info->args->path),
		"type", attributes_type(&info->st), "size", (json_int_t)info->st.st_size,
		"modified", time, "modified_unix",
		(double)modified.tv_sec + (double)modified.tv_nsec / 1e9, "mode", mode, "nlink",
		(json_int_t)info->st.st_nlink);
	if (info->language)
		json_object_set_new(out, "language", json_string(info->language));
	if (info->n_lines >= 0)
		json_object_set_new(out, "lines", json_integer(info->n_lines));
	if (info->mime_type)
		json_object_set_new(out, "mime_type", json_string(info->mime_type));
	if (*info->target)
		json_object_set_new(out, "symlink_target", paths_json(info->target));
	if (info->target_inside >= 0)
		json_object_set_new(
			out, "target_inside_roots", json_boolean(info->target_inside > 0));
	if (info->n_entries >= 0)
		json_object_set_new(out, "entries", json_integer(info->n_entries));
	if (*info->sha256)
		json_object_set_new(out, "sha256", json_string(info->sha256));
	return out;
}

static void add_text(const struct info *info, struct strbuf *text)
{
	char time[ATTRIBUTES_TIME_SIZE];

	attributes_time(info->st.st_mtim, time);
	strbuf_adds(text, "File info for ");
	paths_show(text, info->args->path);
	strbuf_adds(text, ":\n");
	if (info->language)
		strbuf_addf(text, "  Language: %s\n", info->language);
	strbuf_addf(text, "  Size: %lld bytes (%.1f KB)\n", (long long)info->st.st_size,
		(double)info->st.st_size / 1024);
	if (info->n_lines >= 0)
		strbuf_addf(text, "  Lines: %lld\n", (long long)info->n_lines);
	strbuf_addf(text, "  Modified: %s\n  Type: %s\n  Mode: %04o\n", time,
		attributes_type(&info->st), info->st.st_mode & 07777U);
	if (info->mime_type)
		strbuf_addf(text, "  Media type: %s\n", info->mime_type);
	if (*info->target) {
		strbuf_adds(text, "  Target: ");
		paths_show(text, info->target);
		strbuf_adds(text, info->target_inside == 0
					  ? " (outside of the allowed directories)\n"
					  : "\n");
	}
	if (info->n_entries >= 0)
		strbuf_addf(text, "  Entries: %lld\n", (long long)info->n_entries);
	if (*info->sha256)
		strbuf_addf(text, "  SHA-256: %s\n", info->sha256);
}

static void add_time_line(struct strbuf *text, const char *key, struct timespec time)
{
	char shown[ATTRIBUTES_TIME_SIZE];

	attributes_time(time, shown);
	strbuf_addf(text, "%s: %s\n", key, shown);
}

/* The lines that users of the reference filesystem server know. */
static void add_alias_text(const struct info *info, struct strbuf *text)
{
	struct statx stx;

	strbuf_addf(text, "size: %lld\n", (long long)info->st.st_size);
	if (statx(info->fd, "", AT_EMPTY_PATH, STATX_BTIME, &stx) == 0 &&
		(stx.stx_mask & STATX_BTIME))
		add_time_line(text, "created",
			(struct timespec){
				.tv_sec = stx.stx_btime.tv_sec, .tv_nsec = stx.stx_btime.tv_nsec });
	add_time_line(text, "modified", info->st.st_mtim);
	add_time_line(text, "accessed", info->st.st_atim);
	strbuf_addf(text, "isDirectory: %s\nisFile: %s\npermissions: %03o",
		S_ISDIR(info->st.st_mode) ? "true" : "false",
		S_ISREG(info->st.st_mode) ? "true" : "false", info->st.st_mode & 0777U);
}

static int code_get_info(struct call *call, const void *args)
{
	const struct code_get_info_args *a = args;
	auto_(info_done) struct info info = {
		.call = call,
		.args = a,
		.fd = -1,
		.n_lines = -1,
		.n_entries = -1,
		.target_inside = -1,
	};
	auto_strbuf text = { 0 };
	int r;

	if (!paths_find(call, a->path, &info.place))
		return 0;
	r = look(&info);
	if (r == -ECANCELED)
		return call_fail_stopped(call, "it was not read to its end");
	if (r < 0)
		return paths_fail(call, a->path, r);
	if (call_is_alias(call, "get_file_info"))
		add_alias_text(&info, &text);
	else
		add_text(&info, &text);
	return call_result(call, to_json(&info), text.data, text.len);
}

const struct tool filesystem_get_info_tools[] = {
	TOOL(code_get_info, "File info", .hints = TOOL_READ_ONLY | TOOL_IDEMPOTENT,
		.doc = "Metadata of a file, directory or symlink.",
		.out = "path string, type string, size integer, modified string, "
		       "modified_unix number, mode string, nlink integer, language? string, "
		       "lines? integer, mime_type? string, symlink_target? string, "
		       "target_inside_roots? boolean, entries? integer, sha256? string"),
	{ 0 },
};
