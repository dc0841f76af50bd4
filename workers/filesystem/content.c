/* See content.h. Everything goes piece by piece, so that a cancellation is noticed. */
#include "workers/filesystem/content.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/evp.h>

#include "shared/alloc.h"
#include "shared/fd.h"
#include "shared/quote.h"
#include "shared/utf8.h"
#include "workers/filesystem/paths.h"

enum {
	READ_BYTES = 256 * 1024,
	COPY_BYTES = 1024 * 1024,
};

/* read(2) at an offset; bytes, 0 at the end, or -errno. */
static ssize_t read_at(int fd, void *to, size_t len, int64_t offset)
{
	ssize_t n;

	do {
		n = pread(fd, to, len, offset);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

int content_read(struct call *call, int fd, size_t max, struct strbuf *ret)
{
	const size_t begin = ret->len;

	for (;;) {
		char *at = strbuf_reserve(ret, READ_BYTES);
		ssize_t n = read_at(fd, at, READ_BYTES, (int64_t)(ret->len - begin));

		if (n < 0)
			return (int)n;
		ret->len += (size_t)n;
		ret->data[ret->len] = '\0';
		if (n == 0)
			return 0;
		if (ret->len - begin > max)
			return -EFBIG;
		if (call_stopped(call))
			return -ECANCELED;
	}
}

static void to_hex(const uint8_t *bytes, char ret[CONTENT_HASH_SIZE])
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < CONTENT_HASH_SIZE - 1; i++)
		ret[i] = digits[i % 2 ? bytes[i / 2] & 15 : bytes[i / 2] >> 4];
	ret[CONTENT_HASH_SIZE - 1] = '\0';
}

static int hash_failed(void)
{
	ERR_clear_error();
	return -ENOTSUP;
}

int content_hash(const void *bytes, size_t len, char ret[CONTENT_HASH_SIZE])
{
	uint8_t hash[EVP_MAX_MD_SIZE];

	if (EVP_Digest(bytes, len, hash, NULL, EVP_sha256(), NULL) != 1)
		return hash_failed();
	to_hex(hash, ret);
	return 0;
}

static void md_freep(EVP_MD_CTX **md)
{
	EVP_MD_CTX_free(*md);
}

int content_hash_file(
	struct call *call, int fd, const void *more, size_t more_len, char ret[CONTENT_HASH_SIZE])
{
	auto_(md_freep) EVP_MD_CTX *md = EVP_MD_CTX_new();
	auto_free char *buffer = alloc_zero(READ_BYTES);
	uint8_t hash[EVP_MAX_MD_SIZE];
	int64_t offset = 0;
	ssize_t n;

	if (!md || EVP_DigestInit_ex(md, EVP_sha256(), NULL) != 1)
		return hash_failed();
	while ((n = read_at(fd, buffer, READ_BYTES, offset)) > 0) {
		if (EVP_DigestUpdate(md, buffer, (size_t)n) != 1)
			return hash_failed();
		offset += n;
		if (offset > CONTENT_COPY_MAX)
			return -EFBIG;
		if (call_stopped(call))
			return -ECANCELED;
	}
	if (n < 0)
		return (int)n;
	if (more_len > 0 && EVP_DigestUpdate(md, more, more_len) != 1)
		return hash_failed();
	if (EVP_DigestFinal_ex(md, hash, NULL) != 1)
		return hash_failed();
	to_hex(hash, ret);
	return 0;
}

/* The kernel copies, or shares the blocks; where it cannot, by hand. Bytes, 0 at the end, or -errno. */
static ssize_t copy_piece(int from, int to, int64_t *offset, char **buffer)
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
	n = read_at(from, *buffer, READ_BYTES, *offset);
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

	while ((n = copy_piece(from, to, &offset, &buffer)) > 0) {
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
			"%s has more than %lld bytes, the most that can "
			"be handled here.",
			quote(quoted, path), (long long)max);
	if (err == -ESTALE)
		return call_fail(call, "conflict",
			"%s was changed by someone else meanwhile; nothing was written. Read it "
			"again.",
			quote(quoted, path));
	return paths_fail(call, path, err);
}
