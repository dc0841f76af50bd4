/* Helpers around jansson. */
#pragma once

#include <jansson.h>

#include "shared/cleanup.h"
#include "shared/strbuf.h"

/* Appends `value` as compact JSON, members in the order in which they were set. Unlike json_dumps()
 * it writes where the text belongs, and a real number with the fewest digits that give the same
 * number again (0.1, not 0.10000000000000001). */
void jx_dump(struct strbuf *out, json_t *value);

/* The shortest text of a number, 5 or 0.1 or 1e+300. Not for NaN and infinity. */
void jx_real_text(char ret[32], double value);

/* A string, or null for a text that is NULL, empty, or not UTF-8. A new reference. */
json_t *jx_text(const char *text) must_check;
