/* The table of output.h. */
#include "ctl/output.h"

#include <stdio.h>

#include "shared/alloc.h"

enum { GAP = 2 };

struct cell {
	char *text;
	size_t width;
	enum color color;
};

struct table {
	const struct column *columns;
	size_t n_columns;
	size_t *widths;
	struct cell *cells; /* row after row */
	size_t n_cells;
	size_t n_room;
};

struct table *table_new(const struct column *columns, size_t n)
{
	struct table *table = alloc_zero(sizeof(*table));

	table->columns = columns;
	table->n_columns = n;
	table->widths = alloc_zero(n * sizeof(*table->widths));
	for (size_t i = 0; i < n; i++)
		table->widths[i] = out_width(columns[i].title);
	return table;
}

void table_free(struct table *table)
{
	if (!table)
		return;
	for (size_t i = 0; i < table->n_cells; i++)
		free(table->cells[i].text);
	free(table->cells);
	free(table->widths);
	free(table);
}

void table_add(struct table *table, enum color color, const char *text)
{
	size_t column = table->n_cells % table->n_columns;
	auto_strbuf clean = { 0 };
	struct cell *cell;

	if (table->n_cells == table->n_room) {
		table->n_room = table->n_room ? 2 * table->n_room : 64;
		table->cells = alloc_resize(table->cells, table->n_room, sizeof(*table->cells));
	}
	out_clean(&clean, text ? text : "");
	cell = &table->cells[table->n_cells++];
	*cell = (struct cell){ .width = out_width(strbuf_get(&clean)), .color = color };
	cell->text = strbuf_take(&clean);
	if (cell->width > table->widths[column])
		table->widths[column] = cell->width;
}

void table_addf(struct table *table, enum color color, const char *fmt, ...)
{
	auto_strbuf text = { 0 };
	va_list args;

	va_start(args, fmt);
	strbuf_addv(&text, fmt, args);
	va_end(args);
	table_add(table, color, strbuf_get(&text));
}

/* A line is written up to `max_width`; colours take no room. */
struct line {
	const struct ctl *ctl;
	struct strbuf *out;
	size_t width;
	size_t max_width;
};

static void add_cell(struct line *line, const struct cell *cell)
{
	size_t room = line->max_width > line->width ? line->max_width - line->width : 0;

	if (line->max_width == 0 || cell->width <= room) {
		out_add_colored(line->out, line->ctl, cell->color, cell->text);
		line->width += cell->width;
	} else if (room > 0) {
		auto_free char *cut = alloc_mem(cell->text, out_cut(cell->text, room - 1));
		auto_free char *marked = alloc_printf("%s…", cut);

		out_add_colored(line->out, line->ctl, cell->color, marked);
		line->width = line->max_width;
	}
}

/* False: no room is left behind the gap, and that is shown. */
static bool add_gap(struct line *line, size_t n)
{
	size_t room = line->max_width - line->width;

	if (line->max_width && n >= room) {
		strbuf_adds(line->out, room >= 2 ? " …" : "");
		return false;
	}
	strbuf_addf(line->out, "%*s", (int)n, "");
	line->width += n;
	return true;
}

/* `first` is that of the row; no blanks at the end of a line. */
static void add_row(struct line *line, const struct table *table, const struct cell *first)
{
	size_t gap = 0;

	line->width = 0;
	for (size_t i = 0; i < table->n_columns; i++) {
		size_t padding = table->widths[i] - first[i].width;

		if (first[i].width == 0) {
			gap += table->widths[i] + GAP;
			continue;
		}
		if (!add_gap(line, gap + (table->columns[i].is_right ? padding : 0)))
			break;
		add_cell(line, &first[i]);
		gap = (table->columns[i].is_right ? 0 : padding) + GAP;
	}
	strbuf_addc(line->out, '\n');
}

static void add_titles(struct line *line, const struct table *table)
{
	auto_free struct cell *titles = alloc_zero(table->n_columns * sizeof(*titles));
	bool has_titles = false;

	for (size_t i = 0; i < table->n_columns; i++) {
		titles[i].text = alloc_str(table->columns[i].title);
		titles[i].width = out_width(titles[i].text);
		titles[i].color = COLOR_BOLD;
		has_titles |= titles[i].width > 0;
	}
	if (has_titles)
		add_row(line, table, titles);
	for (size_t i = 0; i < table->n_columns; i++)
		free(titles[i].text);
}

void table_render(
	const struct ctl *ctl, const struct table *table, size_t max_width, struct strbuf *out)
{
	struct line line = { .ctl = ctl, .out = out, .max_width = max_width };

	add_titles(&line, table);
	for (size_t at = 0; at + table->n_columns <= table->n_cells; at += table->n_columns)
		add_row(&line, table, table->cells + at);
}

void table_print(const struct ctl *ctl, const struct table *table, size_t max_width)
{
	auto_strbuf out = { 0 };

	table_render(ctl, table, max_width, &out);
	(void)fwrite(strbuf_get(&out), 1, out.len, stdout);
}
