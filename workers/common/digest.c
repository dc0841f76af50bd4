/* See digest.h. */
#include "workers/common/digest.h"

#include <assert.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/evp.h>

#include "shared/alloc.h"

_Static_assert(DIGEST_MAX_BYTES >= EVP_MAX_MD_SIZE, "every hash fits");

struct digest {
	EVP_MD_CTX *evp; /* NULL: CRC-32 */
	uint32_t crc;
};

const char *const digest_names[] = { "md5", "sha1", "sha224", "sha256", "sha384", "sha512", "crc32",
	NULL };

static uint32_t add_crc32(uint32_t crc, const uint8_t *in, size_t len)
{
	uint32_t table[256];

	for (uint32_t i = 0; i < N_ELEMENTS(table); i++) {
		table[i] = i;
		for (int bit = 0; bit < 8; bit++)
			table[i] = table[i] >> 1 ^ (table[i] & 1 ? 0xedb88320 : 0);
	}
	for (size_t i = 0; i < len; i++)
		crc = crc >> 8 ^ table[(crc ^ in[i]) & 0xff];
	return crc;
}

uint32_t digest_crc32(const void *bytes, size_t len)
{
	return ~add_crc32(UINT32_MAX, bytes, len);
}

struct digest *digest_new(const char *name)
{
	auto_(digest_freep) struct digest *digest = alloc_zero(sizeof(*digest));
	const EVP_MD *md = EVP_get_digestbyname(name);

	digest->crc = UINT32_MAX;
	if (streq(name, "crc32"))
		return TAKE(digest);
	digest->evp = EVP_MD_CTX_new();
	if (md && digest->evp && EVP_DigestInit_ex(digest->evp, md, NULL) == 1)
		return TAKE(digest);
	ERR_clear_error();
	return NULL;
}

void digest_free(struct digest *digest)
{
	if (!digest)
		return;
	EVP_MD_CTX_free(digest->evp);
	free(digest);
}

void digest_add(struct digest *digest, const void *bytes, size_t len)
{
	if (!digest->evp)
		digest->crc = add_crc32(digest->crc, bytes, len);
	else if (EVP_DigestUpdate(digest->evp, bytes, len) != 1)
		abort(); /* there is nothing in it that can fail */
}

static size_t finish(struct digest *digest, uint8_t ret[DIGEST_MAX_BYTES])
{
	unsigned n = 0;

	if (digest->evp) {
		if (EVP_DigestFinal_ex(digest->evp, ret, &n) != 1)
			abort();
		return n;
	}
	for (int i = 0; i < 4; i++)
		ret[i] = (uint8_t)(~digest->crc >> (24 - 8 * i));
	return 4;
}

void digest_finish_hex(struct digest *digest, char ret[DIGEST_HEX_SIZE])
{
	uint8_t bytes[DIGEST_MAX_BYTES] = { 0 };
	size_t len = finish(digest, bytes);

	digest_to_hex(bytes, len, ret);
}

void digest_to_hex(const uint8_t *bytes, size_t len, char ret[DIGEST_HEX_SIZE])
{
	static const char digits[] = "0123456789abcdef";

	assert(len <= DIGEST_MAX_BYTES);
	for (size_t i = 0; i < len; i++) {
		ret[2 * i] = digits[bytes[i] >> 4];
		ret[2 * i + 1] = digits[bytes[i] & 15];
	}
	ret[2 * len] = '\0';
}

int digest_compute(const char *name, const void *bytes, size_t len, uint8_t ret[DIGEST_MAX_BYTES],
	size_t *ret_len)
{
	auto_(digest_freep) struct digest *digest = digest_new(name);

	if (!digest)
		return -ENOTSUP;
	digest_add(digest, bytes, len);
	*ret_len = finish(digest, ret);
	return 0;
}
