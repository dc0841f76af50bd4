/* The text of one block as inline Markdown: words, emphasis, links, images, code.
 *
 * Blanks collapse. A mark is opened with the first word in it and closed behind the last, so that
 * "<b> x </b>" becomes " **x** ", and empty marks leave no trace. Marks that are open when a block
 * ends are closed there, and opened again in the next. It knows no HTML. */
#pragma once

#include <stdbool.h>

#include "shared/strbuf.h"

enum inlines_kind { INLINE_EMPHASIS, INLINE_STRONG, INLINE_STRIKE, INLINE_LINK, INLINE_KINDS };

enum {
	INLINES_MAX_DEPTH = 16, /* of open marks; deeper ones are not shown */
};

struct inlines_mark {
	enum inlines_kind kind;
	bool is_shown;   /* false: within one of its kind */
	bool is_written; /* in this block */
	char *url;       /* of a link */
};

/* Zero-initialised is empty. */
struct inlines {
	struct strbuf text;
	struct strbuf code;
	struct inlines_mark marks[INLINES_MAX_DEPTH];
	size_t n_marks;
	size_t n_hidden;
	size_t code_depth;
	size_t closed_at; /* where the last mark was closed, and which */
	enum inlines_kind closed;
	bool has_blank; /* before the next word */
	bool has_break;
	bool is_plain; /* no marks */
	bool is_cell;  /* '|' has a meaning; a break is a plain '\n' */
	bool is_bare;  /* open marks are not written again */
	bool is_title; /* a break is a blank */
};

void inlines_done(struct inlines *in);

void inlines_add(struct inlines *in, const char *text, size_t len);

/* `url`: of a link, taken over. */
void inlines_open(struct inlines *in, enum inlines_kind kind, char *url);
void inlines_close(struct inlines *in, enum inlines_kind kind);

/* Whether a link is open that leads somewhere. */
bool inlines_in_link(const struct inlines *in);

void inlines_open_code(struct inlines *in);
void inlines_close_code(struct inlines *in);

/* A line break within the block. Nothing at its start and end. */
void inlines_break(struct inlines *in);
void inlines_image(struct inlines *in, const char *alt, const char *url);

/* Ends the block: moves its text to `ret` (appended; nothing when there was none). */
void inlines_finish(struct inlines *in, struct strbuf *ret);
