/* Blocks of Markdown: paragraphs and the like below quotes and list items, with the marks, indents and
 * blank lines that keep them apart. It knows no HTML. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "shared/strbuf.h"

enum {
	BLOCKS_MAX_DEPTH = 16,  /* of quotes and items that are shown */
	BLOCKS_MARK_BYTES = 24, /* of an item, "1. " */
};

enum blocks_gap { GAP_LINE, GAP_BLANK };

struct blocks_container {
	char mark[BLOCKS_MARK_BYTES]; /* of an item; empty: a quote */
	bool is_started;              /* something was written in it */
};

/* Zero-initialised is empty, with no budget. */
struct blocks {
	struct strbuf out;
	struct blocks_container open[BLOCKS_MAX_DEPTH];
	size_t n_open;
	size_t n_hidden; /* open ones that are deeper than that */
	enum blocks_gap gap;
	size_t budget; /* of output; what follows has no marks and indents */
	bool is_plain; /* no marks of quotes */
};

void blocks_done(struct blocks *blocks);

void blocks_open_quote(struct blocks *blocks);

/* `mark` with the blank behind it, "- ". The mark of an item is written with its first block. */
void blocks_open_item(struct blocks *blocks, const char *mark);

/* Closes what was opened last. */
void blocks_close(struct blocks *blocks);

bool blocks_in_item(const struct blocks *blocks);

/* A block of one or more lines, and the gap that follows unless somebody sets another. */
void blocks_add(struct blocks *blocks, const char *text, size_t len);
