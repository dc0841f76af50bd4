/* The page that is being built, below what HTML's elements mean: inlines.c makes the text of one block,
 * blocks.c puts blocks below each other, lists.c says how items are marked, and the cells of a table go
 * through table.c.
 *
 * Only the innermost table is one; a table around it, or with what does not fit into a cell, gives the
 * page its layout, and its cells are plain blocks. */
#pragma once

#include "workers/network/blocks.h"
#include "workers/network/inlines.h"
#include "workers/network/lists.h"
#include "workers/network/table.h"

struct document {
	bool is_plain;
	size_t budget;
	struct blocks blocks;
	struct inlines in;
	struct lists lists;
	int heading; /* level; 0: none */
	struct table table;
	size_t tables;      /* open ones */
	bool is_collecting; /* the innermost table: its cells go to `table` */
	bool in_cell;       /* of that table */
	bool is_header_cell;
	unsigned columns; /* that the cell covers */
	unsigned rows;
};

/* `budget` as of markdown_new(). */
void document_init(struct document *doc, bool is_plain, size_t budget);
void document_done(struct document *doc);

/* Whether nothing may be written any more that could multiply the input. */
bool document_is_lavish(const struct document *doc);

/* A block as it is. */
void document_add_block(struct document *doc, const char *text, size_t len);

/* Ends the paragraph or heading, if there is one; in a cell, the line. */
void document_flush(struct document *doc);

/* Of the innermost table. Ends that have no beginning do no harm. */
void document_begin_table(struct document *doc);
void document_end_table(struct document *doc);
void document_end_row(struct document *doc);
void document_begin_cell(struct document *doc, bool is_header, unsigned columns, unsigned rows);
void document_end_cell(struct document *doc);

/* The table has what does not fit into a cell: from here on its cells are plain blocks. */
void document_give_up_table(struct document *doc);
