/* Hashes of bytes: those of libcrypto, and CRC-32. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "shared/cleanup.h"

enum {
	DIGEST_MAX_BYTES = 64,
	DIGEST_HEX_SIZE = 2 * DIGEST_MAX_BYTES + 1,
};

extern const char *const digest_names[]; /* md5 sha1 … crc32; NULL at the end */

/* The hash of `len` bytes by `name`, one of digest_names: *ret_len bytes at `ret`.
 * -ENOTSUP: the system's cryptographic policy refuses this algorithm. */
int digest_compute(const char *name, const void *bytes, size_t len, uint8_t ret[DIGEST_MAX_BYTES],
	size_t *ret_len) must_check;

/* The same of bytes that come in pieces. */
struct digest;

/* By one of digest_names. NULL: the system's cryptographic policy refuses this algorithm. */
struct digest *digest_new(const char *name) must_check;
void digest_free(struct digest *digest);
DEFINE_FREEP(struct digest, digest_free)

void digest_add(struct digest *digest, const void *bytes, size_t len);

/* The hash of all that was added, in hexadecimal digits; nothing may be added afterwards. */
void digest_finish_hex(struct digest *digest, char ret[DIGEST_HEX_SIZE]);

/* `len` bytes (at most DIGEST_MAX_BYTES) in hexadecimal digits. */
void digest_to_hex(const uint8_t *bytes, size_t len, char ret[DIGEST_HEX_SIZE]);

/* CRC-32 as in gzip, PNG and Ethernet: reflected polynomial 0xedb88320. */
uint32_t digest_crc32(const void *bytes, size_t len);
