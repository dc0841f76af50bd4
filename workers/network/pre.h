/* Text that keeps its lines and blanks, as a fenced block of Markdown. */
#pragma once

#include <stdbool.h>

#include "shared/strbuf.h"

enum { PRE_MAX_LANGUAGE_BYTES = 32 };

/* Zero-initialised is empty. */
struct pre {
	size_t depth; /* open ones */
	struct strbuf text;
	char language[PRE_MAX_LANGUAGE_BYTES + 1];
};

void pre_done(struct pre *pre);

void pre_open(struct pre *pre);

/* The language is x where a class is "language-x" or "lang-x"; the first that is found counts. NULL: no
 * class. */
void pre_set_class(struct pre *pre, const char *classes);

/* Control characters but tab and line break are left out. */
void pre_add(struct pre *pre, const char *text, size_t len);

/* A line break, where the line is not empty. */
void pre_begin_line(struct pre *pre);

/* True: it was the outermost, and its block was appended (nothing when it is empty). */
bool pre_close(struct pre *pre, bool is_plain, struct strbuf *ret);
