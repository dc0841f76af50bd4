/* UTF-8: checking, counting, mending. Source: RFC 3629 (no surrogates, nothing above U+10FFFF);
 * Unicode 15, section 3.9, "U+FFFD Substitution of Maximal Subparts". */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "shared/strbuf.h"

/* Bytes of the code point that starts `bytes`; 0: it is not UTF-8 (or len is 0). */
size_t utf8_next(const char *bytes, size_t len);

bool utf8_valid(const char *bytes, size_t len);

/* Code points of a valid text. */
size_t utf8_count(const char *text, size_t len);

/* Bytes of the first `max_chars` code points of a valid text. */
size_t utf8_cut(const char *text, size_t len, size_t max_chars);

/* Appends `bytes`; what is not UTF-8 becomes U+FFFD. */
void utf8_repair(struct strbuf *out, const char *bytes, size_t len);
