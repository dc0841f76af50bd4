/* Base64 and its variant for URLs and file names.
 *
 * Decoding is strict: no blanks, no line breaks, no foreign characters, no padding in the wrong
 * place, and no bits in the last character that mean nothing. So one value has one text.
 *
 * Source: RFC 4648, sections 3.2 to 3.5, 4 and 5; RFC 7515, appendix C (no padding in URLs). */
#pragma once

#include "shared/strbuf.h"

enum base64_kind {
	BASE64_PLAIN, /* "+/", padded with "=" */
	BASE64_URL,   /* "-_", written without padding, read with or without it */
};

/* Appends the text of `len` bytes. */
void base64_encode(enum base64_kind kind, const void *bytes, size_t len, struct strbuf *buf);

/* Appends the bytes that `len` characters stand for.
 * -EBADMSG: not base64; *ret_error_at (may be NULL) is the offset of the first character that is
 * wrong, or `len` when something is missing at the end; `buf` is as before. */
int base64_decode(enum base64_kind kind, const char *text, size_t len, struct strbuf *buf,
	size_t *ret_error_at) must_check;
