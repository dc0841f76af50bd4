/* Bytes of the network as UTF-8.
 *
 * Only the encodings of the WHATWG standard are known, so that no page can have the C library load a
 * conversion of its choice.
 *
 * Source: WHATWG Encoding Standard (labels, BOM); HTML Living Standard 13.2.3 (which one it is). */
#pragma once

#include <stdbool.h>

#include "shared/strbuf.h"

struct charset {
	const char *label; /* in lower case */
	const char *name;  /* as the standard calls it, in lower case */
	const char *iconv; /* NULL: converted here */
};

/* By a label in any case, "latin1"; NULL: unknown. */
const struct charset *charset_find(const char *label, size_t len);

/* Which one a body is in: its byte order mark, the charset of its content type (may be NULL), the
 * declaration in its first KiB when it is HTML or XML, else UTF-8 if it is that, else windows-1252.
 * *ret_skip: bytes of the mark. */
const struct charset *charset_detect(
	const char *content_type, const char *body, size_t len, size_t *ret_skip);

/* Appends the bytes as valid UTF-8 without NUL. What has no meaning becomes U+FFFD.
 * False: the system does not have this conversion; nothing was appended. */
bool charset_convert(const struct charset *charset, const char *bytes, size_t len,
	struct strbuf *out) must_check;
