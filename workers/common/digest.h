/* Hashes of bytes: those of libcrypto, and CRC-32. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "shared/cleanup.h"

enum { DIGEST_MAX_BYTES = 64 };

extern const char *const digest_names[]; /* md5 sha1 … crc32; NULL at the end */

/* The hash of `len` bytes by `name`, one of digest_names: *ret_len bytes at `ret`.
 * -ENOTSUP: the system's cryptographic policy refuses this algorithm. */
int digest_compute(const char *name, const void *bytes, size_t len, uint8_t ret[DIGEST_MAX_BYTES],
	size_t *ret_len) must_check;

/* CRC-32 as in gzip, PNG and Ethernet: reflected polynomial 0xedb88320. */
uint32_t digest_crc32(const void *bytes, size_t len);
