/* Hashes for tables whose keys others choose: addresses, names, URIs.
 *
 * SipHash-2-4 under a key of this process alone, made at the first use: who does not know it cannot choose things that
 * meet in one bucket, and a walk along a bucket stays short whoever fills the table. It is no checksum for files: the
 * next process has other values. What is random by itself (ids of sessions, digests) needs none of this.
 *
 * Source: Aumasson and Bernstein, "SipHash: a fast short-input PRF" (2012). */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum { SIPHASH_KEY_BYTES = 16 };

/* The function itself, for any key. */
uint64_t siphash(const uint8_t key[SIPHASH_KEY_BYTES], const void *bytes, size_t len);

/* Under the key of this process. `start` is hashed before the bytes: 0, or what came back for what stands before them
 * (a thing of several parts), so that ("ab", "c") is another one than ("a", "bc"). */
uint64_t keyed_hash(uint64_t start, const void *bytes, size_t len);
uint64_t keyed_hash_text(uint64_t start, const char *text);
