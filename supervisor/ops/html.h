/* HTML for people, made so that foreign words stay words: what goes in by %s is escaped, and what is not
 * comes from our own sources as it stands.
 *
 * Source: HTML Living Standard, section 13.1.2.3 (attribute values in double quotes) and 13.3 (escaping). */
#pragma once

#include "shared/strbuf.h"

/* Appends `text` escaped, for content and for attribute values in double quotes; NULL is empty. What is not
 * UTF-8, and control characters but line breaks and tabs, become U+FFFD. */
void html_add(struct strbuf *out, const char *text);

/* Like printf, of which it knows %s (escaped), %d, %lld, %c (one of ours, not escaped) and %%. */
void html_addf(struct strbuf *out, const char *fmt, ...) printf_like(2, 3);
