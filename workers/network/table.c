/* See table.h. Source: GitHub Flavored Markdown, section 4.10. */
#include "workers/network/table.h"

#include <stdint.h>

/* No text has these: inlines.c leaves control characters out. */
enum { CELL_END = '\x1f', ROW_END = '\x1e' };

/* From then on a cell covers none below: few bytes of HTML would make many empty cells. */
enum { MAX_COVERING_BYTES = 1024 * 1024 };

void table_done(struct table *table)
{
	strbuf_done(&table->cells);
}

void table_reset(struct table *table)
{
	struct strbuf cells = table->cells;

	strbuf_cut(&cells, 0);
	*table = (struct table){ .cells = cells };
}

static void add_empty(struct table *table)
{
	strbuf_addc(&table->cells, CELL_END);
	table->column++;
}

/* Past the columns that are covered from above. */
static void skip_covered(struct table *table)
{
	while (table->column < TABLE_MAX_COLUMNS && table->spans[table->column] > 0) {
		table->spans[table->column]--;
		add_empty(table);
	}
}

bool table_add_cell(struct table *table, const struct strbuf *text, bool is_header,
	unsigned columns, unsigned rows)
{
	skip_covered(table);
	if (columns > TABLE_MAX_COLUMNS - table->column)
		return false;

	strbuf_add(&table->cells, strbuf_get(text), text->len);
	for (unsigned i = 0; i < columns; i++) {
		table->spans[table->column] =
			rows > 0 && table->cells.len < MAX_COVERING_BYTES ? rows - 1 : 0;
		add_empty(table);
	}
	table->has_data_cell = table->has_data_cell || (table->n_rows == 0 && !is_header);
	return true;
}

void table_end_row(struct table *table)
{
	size_t last = table->column;

	if (table->column == 0)
		return;
	if (table->cells.len > MAX_COVERING_BYTES)
		memset(table->spans, 0, sizeof(table->spans));
	for (size_t i = table->column; i < TABLE_MAX_COLUMNS; i++)
		last = table->spans[i] > 0 ? i + 1 : last;
	while (table->column < last) {
		table->spans[table->column] -= table->spans[table->column] > 0;
		add_empty(table);
	}
	strbuf_addc(&table->cells, ROW_END);
	table->n_rows++;
	table->width = table->column > table->width ? table->column : table->width;
	table->column = 0;
}

static void add_text(struct strbuf *out, const char *at, size_t len, bool is_plain)
{
	for (; len > 0; at++, len--) {
		if (*at != '\n')
			strbuf_addc(out, *at);
		else
			strbuf_adds(out, is_plain ? " " : "<br>");
	}
}

/* One row up to its ROW_END; at least `width` cells. Returns what follows it. */
static const char *add_row(struct strbuf *out, const char *at, size_t width, bool is_plain)
{
	size_t n = 0;

	for (; *at != ROW_END; n++) {
		const char *stop = strchr(at, CELL_END);

		strbuf_adds(out, !is_plain ? "| " : n > 0 ? "\t" : "");
		add_text(out, at, (size_t)(stop - at), is_plain);
		strbuf_adds(out, is_plain || stop == at ? "" : " ");
		at = stop + 1;
	}
	for (; n < width && !is_plain; n++)
		strbuf_adds(out, "| ");
	strbuf_adds(out, is_plain ? "" : "|");
	return at + 1;
}

static void write_rows(struct table *table, struct blocks *blocks)
{
	const char *at = strbuf_get(&table->cells);
	bool is_plain = blocks->is_plain;
	auto_strbuf out = { 0 };

	if (!is_plain) {
		/* The form needs a head, also when the table has none. */
		if (table->has_data_cell)
			for (size_t i = 0; i < table->width; i++)
				strbuf_adds(&out, "| ");
		strbuf_adds(&out, table->has_data_cell ? "|" : "");
		if (!table->has_data_cell)
			at = add_row(&out, at, table->width, false);
		strbuf_addc(&out, '\n');
		for (size_t i = 0; i < table->width; i++)
			strbuf_adds(&out, "| --- ");
		strbuf_addc(&out, '|');
	}
	while (*at) {
		size_t before = out.len;
		size_t row;

		strbuf_adds(&out, out.len > 0 ? "\n" : "");
		row = out.len;
		at = add_row(&out, at, 0, is_plain);
		/* Without marks nothing would be left of it but blanks at the end of the text. */
		if (is_plain && strspn(strbuf_get(&out) + row, "\t") == out.len - row)
			strbuf_cut(&out, before);
	}
	blocks_add(blocks, strbuf_get(&out), out.len);
}

static void write_column(struct table *table, struct blocks *blocks)
{
	const char *at = strbuf_get(&table->cells);

	while (*at) {
		const char *stop = strchr(at, CELL_END);
		auto_strbuf out = { 0 };

		for (; at < stop; at++) {
			strbuf_adds(&out, *at == '\n' && !blocks->is_plain ? "\\" : "");
			strbuf_addc(&out, *at);
		}
		if (out.len > 0)
			blocks_add(blocks, out.data, out.len);
		at = stop + 2;
	}
}

void table_write(struct table *table, struct blocks *blocks)
{
	static const char ends[] = { CELL_END, ROW_END, '\0' };

	table_end_row(table);
	if (strspn(strbuf_get(&table->cells), ends) == table->cells.len)
		; /* nothing in it */
	else if (table->width == 1)
		write_column(table, blocks);
	else
		write_rows(table, blocks);
	table_reset(table);
}
