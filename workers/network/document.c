/* See document.h. */
#include "workers/network/document.h"

void document_init(struct document *doc, bool is_plain, size_t budget)
{
	*doc = (struct document){ .is_plain = is_plain, .budget = budget };
	doc->blocks.is_plain = is_plain;
	doc->blocks.budget = budget;
	doc->in.is_plain = is_plain;
}

void document_done(struct document *doc)
{
	blocks_done(&doc->blocks);
	inlines_done(&doc->in);
	table_done(&doc->table);
}

bool document_is_lavish(const struct document *doc)
{
	size_t used = doc->blocks.out.len;

	used += doc->in.text.len + doc->table.cells.len;
	return used > doc->budget;
}

void document_add_block(struct document *doc, const char *text, size_t len)
{
	blocks_add(&doc->blocks, text, len);
	lists_forget_last(&doc->lists);
}

void document_flush(struct document *doc)
{
	auto_strbuf text = { 0 };
	auto_strbuf block = { 0 };

	if (doc->in_cell) {
		inlines_break(&doc->in);
		return;
	}
	inlines_finish(&doc->in, &text);
	doc->in.is_bare = document_is_lavish(doc);
	if (text.len == 0)
		return;
	if (doc->heading > 0 && !doc->is_plain) {
		strbuf_addf(&block, "%.*s ", doc->heading, "######");
		/* " #" at the end would be taken for the heading's own. */
		if (text.data[text.len - 1] == '#') {
			strbuf_cut(&text, text.len - 1);
			strbuf_adds(&text, "\\#");
		}
	}
	strbuf_add(&block, text.data, text.len);
	document_add_block(doc, block.data, block.len);
}

static void set_cell(struct document *doc, bool in_cell)
{
	doc->in_cell = in_cell;
	doc->in.is_cell = in_cell;
}

static void write_table(struct document *doc)
{
	size_t before = doc->blocks.out.len;

	table_write(&doc->table, &doc->blocks);
	if (doc->blocks.out.len > before)
		lists_forget_last(&doc->lists);
}

void document_give_up_table(struct document *doc)
{
	if (!doc->is_collecting)
		return;
	doc->is_collecting = false;
	set_cell(doc, false);
	write_table(doc);
	document_flush(doc);
}

static void end_cell(struct document *doc)
{
	auto_strbuf text = { 0 };
	bool is_full;

	if (!doc->in_cell)
		return;
	inlines_finish(&doc->in, &text);
	set_cell(doc, false);
	is_full = !table_add_cell(&doc->table, &text, doc->is_header_cell, doc->columns, doc->rows);
	if (!is_full)
		return;
	document_give_up_table(doc);
	if (text.len > 0)
		document_add_block(doc, text.data, text.len);
}

void document_begin_table(struct document *doc)
{
	document_give_up_table(doc);
	document_flush(doc);
	doc->tables++;
	doc->is_collecting = true;
	table_reset(&doc->table);
}

void document_end_table(struct document *doc)
{
	end_cell(doc);
	document_flush(doc);
	if (doc->is_collecting)
		write_table(doc);
	doc->is_collecting = false;
	doc->tables -= doc->tables > 0;
}

void document_end_row(struct document *doc)
{
	end_cell(doc);
	if (doc->is_collecting)
		table_end_row(&doc->table);
	else
		document_flush(doc);
}

void document_begin_cell(struct document *doc, bool is_header, unsigned columns, unsigned rows)
{
	end_cell(doc);
	document_flush(doc);
	if (!doc->is_collecting)
		return;
	doc->is_header_cell = is_header;
	doc->columns = columns;
	doc->rows = rows;
	set_cell(doc, true);
}

void document_end_cell(struct document *doc)
{
	if (doc->in_cell)
		end_cell(doc);
	else
		document_flush(doc);
}
