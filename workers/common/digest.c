/* See digest.h. */
#include "workers/common/digest.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/evp.h>

_Static_assert(DIGEST_MAX_BYTES >= EVP_MAX_MD_SIZE, "every hash fits");

const char *const digest_names[] = { "md5", "sha1", "sha224", "sha256", "sha384", "sha512", "crc32",
	NULL };

uint32_t digest_crc32(const void *bytes, size_t len)
{
	const uint8_t *in = bytes;
	uint32_t table[256];
	uint32_t crc = UINT32_MAX;

	for (uint32_t i = 0; i < N_ELEMENTS(table); i++) {
		table[i] = i;
		for (int bit = 0; bit < 8; bit++)
			table[i] = table[i] >> 1 ^ (table[i] & 1 ? 0xedb88320 : 0);
	}
	for (size_t i = 0; i < len; i++)
		crc = crc >> 8 ^ table[(crc ^ in[i]) & 0xff];
	return ~crc;
}

int digest_compute(const char *name, const void *bytes, size_t len, uint8_t ret[DIGEST_MAX_BYTES],
	size_t *ret_len)
{
	const EVP_MD *md = EVP_get_digestbyname(name);
	unsigned n = 0;

	if (streq(name, "crc32")) {
		uint32_t crc = digest_crc32(bytes, len);

		for (int i = 0; i < 4; i++)
			ret[i] = (uint8_t)(crc >> (24 - 8 * i));
		*ret_len = 4;
		return 0;
	}
	if (!md || EVP_Digest(bytes, len, ret, &n, md, NULL) != 1) {
		ERR_clear_error();
		return -ENOTSUP;
	}
	*ret_len = n;
	return 0;
}
