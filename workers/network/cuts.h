/* Parts of a text that are left out of its copy: remembered while it is written, cut at the end. */
#pragma once

#include "shared/strbuf.h"

struct cuts_span {
	size_t from;
	size_t to;
};

/* Zero-initialised is empty. */
struct cuts {
	struct cuts_span *spans; /* the last may be open: not counted yet */
	size_t n;
	size_t size;
};

void cuts_done(struct cuts *cuts);

/* A part begins and ends, at offsets that only rise. One without an end is not cut. */
void cuts_begin(struct cuts *cuts, size_t at);
void cuts_end(struct cuts *cuts, size_t at);
void cuts_forget(struct cuts *cuts);

/* Appends the text without the parts, and without line breaks at its start. */
void cuts_copy(const struct cuts *cuts, const char *text, size_t len, struct strbuf *ret);
