/* Cells of a table, collected to be written in GitHub's form. Its width is known only at the end. */
#pragma once

#include <stdbool.h>

#include "workers/network/blocks.h"

enum { TABLE_MAX_COLUMNS = 64 };

/* Zero-initialised is empty. */
struct table {
	struct strbuf cells; /* TABLE_CELL_END behind each cell, TABLE_ROW_END … row */
	unsigned spans[TABLE_MAX_COLUMNS]; /* rows that a cell above still covers */
	size_t column;                     /* of the next cell */
	size_t width;                      /* the longest row */
	size_t n_rows;
	bool has_data_cell; /* in the first row */
};

void table_done(struct table *table);
void table_reset(struct table *table);

/* False: the row has no room for it. `text` is inline Markdown, with '\n' for breaks. */
bool table_add_cell(struct table *table, const struct strbuf *text, bool is_header,
	unsigned columns, unsigned rows) must_check;
void table_end_row(struct table *table);

/* Writes what there is, and resets. A table of one column is no table but blocks. */
void table_write(struct table *table, struct blocks *blocks);
