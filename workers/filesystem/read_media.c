/* Tool code_read_media: a file of any kind as a content block that clients can show. */
#include <errno.h>
#include <sys/stat.h>

#include "shared/base64.h"
#include "shared/fd.h"
#include "shared/limits.h"
#include "shared/quote.h"
#include "workers/filesystem/content.h"
#include "workers/filesystem/kind.h"
#include "workers/filesystem/paths.h"
#include "workers/filesystem/tools.h"

enum { FRAME_BYTES = 8192 }; /* of the answer, beside the file's bytes; more for a long path */

struct code_read_media_args {
	const char *path;
	double max_size_mb;
};

static const struct param code_read_media_params[] = {
	PARAM(code_read_media_args, path, .required = true, .doc = "File."),
	PARAM(code_read_media_args, max_size_mb, RANGE_NUM(0.001, 50), .def_num = 3,
		.doc = "Refuse larger files."),
	{ 0 },
};

struct media {
	struct call *call;
	const struct code_read_media_args *args;
	struct place place;
	int fd;
	struct strbuf bytes;
	const char *mime_type;
};

static void media_done(struct media *media)
{
	place_done(&media->place);
	(void)fd_close(media->fd);
	strbuf_done(&media->bytes);
}

/* The alias has the block twice, as content and as structured content. */
static bool is_twice(const struct call *call)
{
	return call_is_alias(call, "read_media_file");
}

/* Bytes of a file whose base64 fits into an answer. */
static size_t max_by_answer(const struct call *call)
{
	size_t room = call_max_result(call) > FRAME_BYTES ? call_max_result(call) - FRAME_BYTES : 0;

	return room / (is_twice(call) ? 2 : 1) / 4 * 3;
}

/* 0: the file may have *ret_max bytes; else the call has failed. */
static bool check_size(struct media *media, int64_t size, size_t *ret_max)
{
	const size_t by_answer = max_by_answer(media->call);
	const size_t by_asker = (size_t)(media->args->max_size_mb * (double)MIB);
	char quoted[QUOTE_SIZE];

	(void)quote(quoted, media->args->path);
	*ret_max = by_answer < by_asker ? by_answer : by_asker;
	if (size <= (int64_t)*ret_max)
		return true;
	if (by_asker <= by_answer)
		(void)call_fail(media->call, "too_large",
			"%s has %lld bytes, and max_size_mb allows %g MiB. Ask with a greater one; an answer can hold %zu bytes of a file.",
			quoted, (long long)size, media->args->max_size_mb, by_answer);
	else
		(void)call_fail(media->call, "too_large",
			"%s has %lld bytes; an answer can hold %zu bytes of a file. Of a text file code_read reads parts.",
			quoted, (long long)size, by_answer);
	return false;
}

/* False: the call has failed. A file that grows meanwhile may have become too large. */
static bool read_all(struct media *media, size_t max)
{
	int r = content_read(media->call, media->fd, max, &media->bytes);

	if (r == -EFBIG)
		return check_size(media, (int64_t)media->bytes.len, &max);
	if (r == -ECANCELED)
		(void)call_fail_stopped(media->call, "the file was not read to its end");
	else if (r < 0)
		(void)paths_fail(media->call, media->args->path, r);
	return r == 0;
}

/* False: the call has failed. */
static bool read_file(struct media *media)
{
	struct stat st;
	size_t max = 0;

	if (!paths_find(media->call, media->args->path, &media->place))
		return false;
	media->fd = paths_open_file(&media->place, &st);
	if (media->fd < 0) {
		(void)paths_fail(media->call, media->args->path, media->fd);
		return false;
	}
	if (!check_size(media, st.st_size, &max) || !read_all(media, max))
		return false;
	media->mime_type =
		kind_mime_type(media->place.rest, strbuf_get(&media->bytes), media->bytes.len);
	return true;
}

/* "file:///srv/a%20b": all but what RFC 3986 calls unreserved, and slashes, percent-encoded. */
static json_t *file_uri(const char *path)
{
	static const char plain[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~/";
	auto_strbuf uri = { 0 };

	strbuf_adds(&uri, "file://");
	for (; *path; path++) {
		if (strchr(plain, *path))
			strbuf_addc(&uri, *path);
		else
			strbuf_addf(&uri, "%%%02X", (unsigned char)*path);
	}
	return json_stringn(uri.data, uri.len);
}

static bool is_a(const char *mime_type, const char *type)
{
	return strncmp(mime_type, type, strlen(type)) == 0;
}

static json_t *make_block(const struct media *media)
{
	auto_strbuf base64 = { 0 };
	const char *kind = is_a(media->mime_type, "image/")   ? "image"
			   : is_a(media->mime_type, "audio/") ? "audio"
							      : NULL;

	base64_encode(BASE64_PLAIN, strbuf_get(&media->bytes), media->bytes.len, &base64);
	if (kind)
		return json_pack("{s:s, s:s%, s:s}", "type", kind, "data", strbuf_get(&base64),
			base64.len, "mimeType", media->mime_type);
	return json_pack("{s:s, s:{s:o, s:s, s:s%}}", "type", "resource", "resource", "uri",
		file_uri(media->place.full), "mimeType", media->mime_type, "blob",
		strbuf_get(&base64), base64.len);
}

static json_t *describe(const struct media *media)
{
	char hex[DIGEST_HEX_SIZE];

	if (content_hash(strbuf_get(&media->bytes), media->bytes.len, hex) < 0)
		*hex = '\0';
	return json_pack("{s:o, s:s, s:I, s:s}", "path", paths_json(media->args->path), "mime_type",
		media->mime_type, "size", (json_int_t)media->bytes.len, "sha256", hex);
}

static int code_read_media(struct call *call, const void *args)
{
	auto_(media_done) struct media media = { .call = call, .args = args, .fd = -1 };
	json_t *content;

	if (!read_file(&media))
		return 0;
	content = json_pack("[o]", make_block(&media));
	if (is_twice(call))
		return call_result_blocks(call, json_pack("{s:O}", "content", content), content);
	return call_result_blocks(call, describe(&media), content);
}

const struct tool filesystem_read_media_tools[] = {
	TOOL(code_read_media, "Read media file", .hints = TOOL_READ_ONLY | TOOL_IDEMPOTENT,
		.doc = "Read an image, audio or other binary file as base64.",
		.out = "path string, mime_type string, size integer, sha256 string"),
	{ 0 },
};
