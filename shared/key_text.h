/* The text of a key, what a client sends: "mcpf_" · its id · "_" · 32 random bytes as base64url.
 *
 * The id is public: it finds the key without a search in which a secret is compared, and names it in the log. The
 * prefix lets scanners of repositories find keys that were published by mistake. There is no checksum: a mistyped
 * key is refused as any wrong one, and only a scanner without access to the daemon would gain.
 *
 * Kept is SHA-256 of the whole text. A slow hash (scrypt, Argon2) and a salt are for secrets that people choose: 256
 * random bits cannot be guessed, nor can any table hold them, and the hash is computed for every request.
 *
 * Whoever uses this links libcrypto; the rest of shared/ does without. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "shared/cleanup.h"

enum {
	KEY_TEXT_ID_CHARS = 8, /* a-z and 2-7: 40 bits */
	KEY_TEXT_ID_SIZE = KEY_TEXT_ID_CHARS + 1,
	KEY_TEXT_CHARS = 5 + KEY_TEXT_ID_CHARS + 1 + 43,
	KEY_TEXT_SIZE = KEY_TEXT_CHARS + 1,
	KEY_TEXT_HASH_BYTES = 32,
};

/* Eight characters of which a new id is made, by the kernel's random numbers. */
void key_text_make_id(char ret[KEY_TEXT_ID_SIZE]);
bool key_text_is_id(const char *id);

/* A new text for the key of this id. */
void key_text_make(const char *id, char ret[KEY_TEXT_SIZE]);

/* The id in a text that has the form of a key. False: it has not. Says nothing of whether there is such a key. */
bool key_text_get_id(const char *text, size_t len, char ret_id[KEY_TEXT_ID_SIZE]) must_check;

/* -ENOTSUP: the system's cryptographic policy refuses SHA-256. */
int key_text_hash(const char *text, size_t len, uint8_t ret[KEY_TEXT_HASH_BYTES]) must_check;

/* In a time that does not depend on where they differ. */
bool key_text_hash_equal(
	const uint8_t a[KEY_TEXT_HASH_BYTES], const uint8_t b[KEY_TEXT_HASH_BYTES]);
