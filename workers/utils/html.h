/* Characters that mean something in HTML, and character references.
 *
 * Source: HTML Living Standard, 13.2.5.72 to 13.2.5.80 (numbers); HTML 4.01, section 24 (names). */
#pragma once

#include "shared/strbuf.h"

/* Appends the text with & < > " ' as references: fit for element content and quoted attributes. */
void html_encode(const void *text, size_t len, struct strbuf *buf);

/* Appends UTF-8 text with its references resolved. Numbers without a meaning become U+FFFD; unknown
 * names, and references without a semicolon, stay as they are. */
void html_decode(const char *text, size_t len, struct strbuf *buf);
