/* Names in the styles of programs and web addresses. */
#pragma once

#include "shared/strbuf.h"

extern const char *const naming_styles[]; /* camel, pascal …; NULL at the end */

/* Puts the words of `text` (valid UTF-8) into `out`, which is empty, in `style`, one of naming_styles.
 * -E2BIG: the result would have more than max_bytes. */
int naming_convert(const char *style, const char *text, size_t len, size_t max_bytes,
	struct strbuf *out) must_check;
