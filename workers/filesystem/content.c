/* See content.h. Everything goes piece by piece, so that a cancellation is noticed. */
#include "workers/filesystem/content.h"

#include <errno.h>
#include <unistd.h>

#include "shared/alloc.h"
#include "shared/fd.h"
#include "shared/quote.h"
#include "shared/utf8.h"
#include "workers/filesystem/blocks.h"
#include "workers/filesystem/paths.h"

enum {
	READ_BYTES = 256 * 1024,
	COPY_BYTES = 1024 * 1024,
};

int content_read(struct call *call, int fd, size_t max, struct strbuf *ret)
{
	const size_t begin = ret->len;

	for (;;) {
		char *at = strbuf_reserve(ret, READ_BYTES);
		ssize_t n = blocks_read(call, fd, at, READ_BYTES, (int64_t)(ret->len - begin));

		if (n < 0)
			return (int)n;
		ret->len += (size_t)n;
		ret->data[ret->len] = '\0';
		if (n == 0)
			return 0;
		if (ret->len - begin > max)
			return -EFBIG;
	}
}

int content_hash(const void *bytes, size_t len, char ret[DIGEST_HEX_SIZE])
{
	auto_(digest_freep) struct digest *digest = digest_new("sha256");

	if (!digest)
		return -ENOTSUP;
	digest_add(digest, bytes, len);
	digest_finish_hex(digest, ret);
	return 0;
}

int content_hash_file(
	struct call *call, int fd, const void *more, size_t more_len, char ret[DIGEST_HEX_SIZE])
{
	auto_(digest_freep) struct digest *digest = digest_new("sha256");
	auto_free char *buffer = alloc_zero(READ_BYTES);
	int64_t offset = 0;
	ssize_t n;

	if (!digest)
		return -ENOTSUP;
	while ((n = blocks_read(call, fd, buffer, READ_BYTES, offset)) > 0) {
		digest_add(digest, buffer, (size_t)n);
		offset += n;
		if (offset > CONTENT_COPY_MAX)
			return -EFBIG;
	}
	if (n < 0)
		return (int)n;
	digest_add(digest, more, more_len);
	digest_finish_hex(digest, ret);
	return 0;
}

/* The kernel copies, or shares the blocks; where it cannot, by hand. Bytes, 0 at the end, or -errno. */
static ssize_t copy_piece(struct call *call, int from, int to, int64_t *offset, char **buffer)
{
	ssize_t n;

	if (!*buffer) {
		off_t at = *offset;

		n = copy_file_range(from, &at, to, NULL, COPY_BYTES, 0);
		if (n > 0)
			*offset = at;
		/* 0 may also mean a file whose size the kernel does not know: ask read(2). */
		if (n > 0 || (n < 0 && (errno == ENOSPC || errno == EDQUOT || errno == EIO)))
			return n < 0 ? -errno : n;
		*buffer = alloc_zero(READ_BYTES);
	}
	n = blocks_read(call, from, *buffer, READ_BYTES, *offset);
	if (n > 0) {
		int r = fd_write_all(to, *buffer, (size_t)n);

		if (r < 0)
			return r;
		*offset += n;
	}
	return n;
}

int content_copy(struct call *call, int from, int to, int64_t max, int64_t *ret_bytes)
{
	auto_free char *buffer = NULL;
	int64_t offset = 0;
	ssize_t n;

	while ((n = copy_piece(call, from, to, &offset, &buffer)) > 0) {
		*ret_bytes = offset;
		if (offset > max)
			return -EFBIG;
		if (call_stopped(call))
			return -ECANCELED;
	}
	*ret_bytes = offset;
	return (int)n;
}

int content_write(struct call *call, int fd, const char *bytes, size_t len)
{
	while (len > 0) {
		size_t n = len < COPY_BYTES ? len : COPY_BYTES;
		int r = fd_write_all(fd, bytes, n);

		if (r < 0)
			return r;
		bytes += n;
		len -= n;
		if (call_stopped(call))
			return -ECANCELED;
	}
	return 0;
}

json_t *content_json(const char *bytes, size_t len)
{
	auto_strbuf mended = { 0 };

	utf8_repair(&mended, bytes, len);
	return json_stringn(strbuf_get(&mended), mended.len);
}

int content_fail(struct call *call, const char *path, int err, int64_t max)
{
	char quoted[QUOTE_SIZE];

	if (err == -ECANCELED)
		return call_fail_stopped(call, "nothing was changed");
	if (err == -EFBIG)
		return call_fail(call, "too_large",
			"%s has more than %lld bytes, the most that can be handled here. Work on a smaller "
			"file.",
			quote(quoted, path), (long long)max);
	if (err == -ESTALE)
		return call_fail(call, "conflict",
			"%s was changed by someone else meanwhile; nothing was written. Read it "
			"again.",
			quote(quoted, path));
	return paths_fail(call, path, err);
}
