/* Names in the styles of programs and web addresses. */
#pragma once

#include "shared/strbuf.h"

extern const char *const naming_styles[]; /* camel, pascal …; NULL at the end */

/* Appends the words of `text` (valid UTF-8) in `style`, one of naming_styles. */
void naming_convert(const char *style, const char *text, size_t len, struct strbuf *out);
