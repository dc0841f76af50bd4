/* Unified diff of two texts by lines.
 *
 * Work is bounded: where the shortest edit would cost too much to find, what was reached by then is
 * taken, and at last a whole part is shown as replaced. The result is always a right diff. */
#pragma once

#include <stdbool.h>

#include "shared/strbuf.h"

/* Appends the diff with the file names a and b; nothing when the texts are equal.
 * -E2BIG: it would have more than max_bytes. */
int diff_unified(const char *a, const char *b, size_t context, size_t max_bytes, struct strbuf *out)
	must_check;
