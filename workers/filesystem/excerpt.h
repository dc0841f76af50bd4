/* Lines of foreign files as they are shown: valid UTF-8, and of a long one only a part. */
#pragma once

#include "shared/strbuf.h"
#include "workers/common/regex.h"

enum { EXCERPT_MAX_CHARS = 500 };

/* Sets `out` to the line (any bytes), or to what is around `match`, a part of it (the whole match, if
 * it is not too long itself): at most EXCERPT_MAX_CHARS characters, among them a … for what is cut off
 * at either end. Returns the column of the match in characters, from 1. */
size_t excerpt(struct strbuf *out, const char *line, size_t len, struct regex_span match);
