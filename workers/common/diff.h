/* Unified diff of two texts by lines.
 *
 * Work is bounded: where the shortest edit would cost too much to find, what was reached by then is
 * taken, and at last a whole part is shown as replaced. The result is always a right diff. */
#pragma once

#include <stdbool.h>

#include "shared/strbuf.h"

/* One of the two texts: any bytes. */
struct diff_text {
	const char *name; /* as git has it, "a/src/main.c"; quoted where that is needed */
	const char *bytes;
	size_t len;
};

/* Appends the diff with the file names a and b; nothing when the texts are equal.
 * -E2BIG: it would have more than max_bytes. */
int diff_unified(const char *a, const char *b, size_t context, size_t max_bytes, struct strbuf *out)
	must_check;

/* The same for texts with names of their own, which may hold any bytes. -E2BIG also when there are too
 * many lines to compare; what was added to `out` are then whole hunks, or nothing. */
int diff_unified_texts(const struct diff_text *a, const struct diff_text *b, size_t context,
	size_t max_bytes, struct strbuf *out) must_check;

/* Appends a name as git does: as it is, or as a C string when it has a control character, a quote or a
 * backslash. */
void diff_add_name(struct strbuf *out, const char *name);
