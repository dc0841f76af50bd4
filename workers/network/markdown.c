/* See markdown.h. Three layers: this file knows what HTML's elements mean, inlines.c makes the text of
 * one block, blocks.c puts blocks below each other. Tables go through table.c.
 *
 * Source: HTML Living Standard, section 4; issue of the network worker. */
#include "workers/network/markdown.h"

#include <strings.h>

#include "shared/alloc.h"
#include "shared/ascii.h"
#include "shared/utf8.h"
#include "workers/network/blocks.h"
#include "workers/network/cuts.h"
#include "workers/network/element.h"
#include "workers/network/inlines.h"
#include "workers/network/lists.h"
#include "workers/network/pre.h"
#include "workers/network/table.h"

enum {
	MAX_TITLE_CHARS = 500,
	MAX_SPAN = 1000,
};

struct markdown {
	struct href *href;
	bool has_base;
	bool is_plain;
	size_t budget;
	struct strbuf text; /* of one element; it may have come in pieces */
	struct blocks blocks;
	struct inlines in;
	struct table table;
	struct lists lists;
	int heading;        /* level; 0: none */
	size_t skip;        /* open elements from a skipped one on */
	size_t tables;      /* open ones */
	bool is_collecting; /* the innermost table: its cells go to `table` */
	bool in_cell;       /* of that table */
	bool is_header_cell;
	unsigned columns; /* that the cell covers */
	unsigned rows;
	struct pre pre;
	bool in_head;
	bool in_title;
	bool has_title;
	struct strbuf title;
	size_t navs; /* open ones */
	bool nav_is_cut;
	bool has_main;
	struct cuts nav_cuts; /* from the output, when there is a main element */
};

typedef const char *const *attributes_t;

static const char *get_attribute(attributes_t attributes, const char *name)
{
	for (; attributes && attributes[0]; attributes += 2)
		if (strcasecmp(attributes[0], name) == 0)
			return attributes[1];

	return NULL;
}

/* A small number, or `def`. */
static int64_t get_number(attributes_t attributes, const char *name, int64_t max, int64_t def)
{
	const char *text = get_attribute(attributes, name);
	int64_t number = 0;

	if (!text || !ascii_is_digit(*text))
		return def;
	for (; ascii_is_digit(*text) && number < max; text++)
		number = number * 10 + (*text - '0');

	return number < max ? number : max;
}

/* Whether nothing may be written any more that could multiply the input. */
static bool is_lavish(const struct markdown *md)
{
	size_t used = md->blocks.out.len;

	used += md->in.text.len + md->table.cells.len;
	return used > md->budget;
}

static void add_block(struct markdown *md, const char *text, size_t len)
{
	blocks_add(&md->blocks, text, len);
	lists_forget_last(&md->lists);
}

/* Ends the paragraph or heading, if there is one; in a cell, the line. */
static void flush(struct markdown *md)
{
	auto_strbuf text = { 0 };
	auto_strbuf block = { 0 };

	if (md->in_cell) {
		inlines_break(&md->in);
		return;
	}
	inlines_finish(&md->in, &text);
	md->in.is_bare = is_lavish(md);
	if (text.len == 0)
		return;
	if (md->heading > 0 && !md->is_plain) {
		strbuf_addf(&block, "%.*s ", md->heading, "######");
		/* " #" at the end would be taken for the heading's own. */
		if (text.data[text.len - 1] == '#') {
			strbuf_cut(&text, text.len - 1);
			strbuf_adds(&text, "\\#");
		}
	}
	strbuf_add(&block, text.data, text.len);
	add_block(md, block.data, block.len);
}

static void set_cell(struct markdown *md, bool in_cell)
{
	md->in_cell = in_cell;
	md->in.is_cell = in_cell;
}

static void write_table(struct markdown *md)
{
	size_t before = md->blocks.out.len;

	table_write(&md->table, &md->blocks);
	if (md->blocks.out.len > before)
		lists_forget_last(&md->lists);
}

/* The table has what does not fit into a cell: it gives the page its layout, and its cells are plain
 * blocks from here on. */
static void give_up_table(struct markdown *md)
{
	if (!md->is_collecting)
		return;
	md->is_collecting = false;
	set_cell(md, false);
	write_table(md);
	flush(md);
}

static void end_cell(struct markdown *md)
{
	auto_strbuf text = { 0 };
	bool is_full;

	if (!md->in_cell)
		return;
	inlines_finish(&md->in, &text);
	set_cell(md, false);
	is_full = !table_add_cell(&md->table, &text, md->is_header_cell, md->columns, md->rows);
	if (!is_full)
		return;
	give_up_table(md);
	if (text.len > 0)
		add_block(md, text.data, text.len);
}

static void start_term(struct markdown *md, const char *name, attributes_t attributes)
{
	flush(md);
	lists_close_definition(&md->lists, &md->blocks);
}

static void start_block(struct markdown *md, const char *name, attributes_t attributes)
{
	flush(md);
}

static void end_block(struct markdown *md, const char *name)
{
	flush(md);
}

static void start_body(struct markdown *md, const char *name, attributes_t attributes)
{
	md->in_head = false;
	flush(md);
}

static void start_head(struct markdown *md, const char *name, attributes_t attributes)
{
	md->in_head = true;
}

static void end_head(struct markdown *md, const char *name)
{
	md->in_head = false;
}

static void start_base(struct markdown *md, const char *name, attributes_t attributes)
{
	const char *base = get_attribute(attributes, "href");

	if (!base || md->has_base || !md->href)
		return;
	md->has_base = true;
	href_set_base(md->href, base);
}

static void start_title(struct markdown *md, const char *name, attributes_t attributes)
{
	md->in_title = true;
}

static void end_title(struct markdown *md, const char *name)
{
	md->in_title = false;
	md->has_title = md->has_title || md->title.len > 0;
}

static void start_main(struct markdown *md, const char *name, attributes_t attributes)
{
	md->has_main = true;
	flush(md);
}

/* What a nav element gave is remembered, since a main element may come later. */
static void start_nav(struct markdown *md, const char *name, attributes_t attributes)
{
	flush(md);
	if (md->navs++ > 0)
		return;
	md->nav_is_cut = lists_is_empty(&md->lists) && !md->is_collecting;
	if (md->nav_is_cut)
		cuts_begin(&md->nav_cuts, md->blocks.out.len);
}

static void end_nav(struct markdown *md, const char *name)
{
	flush(md);
	if (md->navs == 0 || --md->navs > 0 || !md->nav_is_cut)
		return;
	md->nav_is_cut = false;
	cuts_end(&md->nav_cuts, md->blocks.out.len);
}

static void start_heading(struct markdown *md, const char *name, attributes_t attributes)
{
	give_up_table(md);
	flush(md);
	md->heading = name[1] - '0';
	md->in.is_title = true;
}

static void end_heading(struct markdown *md, const char *name)
{
	flush(md);
	md->heading = 0;
	md->in.is_title = false;
}

static void start_quote(struct markdown *md, const char *name, attributes_t attributes)
{
	give_up_table(md);
	flush(md);
	lists_open_quote(&md->lists, &md->blocks);
}

/* Of a list, an item or a quote. */
static void end_container(struct markdown *md, const char *name)
{
	flush(md);
	lists_close(&md->lists, &md->blocks);
}

static void start_list(struct markdown *md, const char *name, attributes_t attributes)
{
	flush(md);
	if (streq(name, "ol"))
		lists_open_ordered(
			&md->lists, get_number(attributes, "start", LISTS_MAX_NUMBER, 1));
	else
		lists_open_bullets(&md->lists);
}

static void start_item(struct markdown *md, const char *name, attributes_t attributes)
{
	flush(md);
	if (md->in_cell)
		lists_open_hidden(&md->lists);
	else if (streq(name, "dd"))
		lists_open_definition(&md->lists, &md->blocks);
	else
		lists_open_item(&md->lists, &md->blocks,
			get_number(attributes, "value", LISTS_MAX_NUMBER, -1));
}

static void start_emphasis(struct markdown *md, const char *name, attributes_t attributes)
{
	inlines_open(&md->in, INLINE_EMPHASIS, NULL);
}

static void end_emphasis(struct markdown *md, const char *name)
{
	inlines_close(&md->in, INLINE_EMPHASIS);
}

static void start_strong(struct markdown *md, const char *name, attributes_t attributes)
{
	inlines_open(&md->in, INLINE_STRONG, NULL);
}

static void end_strong(struct markdown *md, const char *name)
{
	inlines_close(&md->in, INLINE_STRONG);
}

static void start_strike(struct markdown *md, const char *name, attributes_t attributes)
{
	inlines_open(&md->in, INLINE_STRIKE, NULL);
}

static void end_strike(struct markdown *md, const char *name)
{
	inlines_close(&md->in, INLINE_STRIKE);
}

/* The link made absolute; NULL: nothing to follow. Yours to free. */
static char *resolve(struct markdown *md, const char *link)
{
	auto_strbuf url = { 0 };

	if (!link || md->is_plain || is_lavish(md) || !href_resolve(md->href, link, &url))
		return NULL;

	return strbuf_take(&url);
}

static void start_link(struct markdown *md, const char *name, attributes_t attributes)
{
	const char *link = get_attribute(attributes, "href");
	bool is_anchor = md->heading > 0 && link && *link == '#'; /* a heading's link to itself */

	inlines_open(&md->in, INLINE_LINK, is_anchor ? NULL : resolve(md, link));
}

static void end_link(struct markdown *md, const char *name)
{
	inlines_close(&md->in, INLINE_LINK);
}

static void start_image(struct markdown *md, const char *name, attributes_t attributes)
{
	const char *alt = get_attribute(attributes, "alt");
	auto_free char *url = NULL;

	/* An empty text says that the image is mere decoration. */
	if (alt && !*alt && !inlines_in_link(&md->in))
		return;
	url = resolve(md, get_attribute(attributes, "src"));
	inlines_image(&md->in, alt ? alt : "", url);
}

/* Two breaks end the paragraph. */
static void start_br(struct markdown *md, const char *name, attributes_t attributes)
{
	if (md->in.has_break && !md->in_cell && md->heading == 0)
		flush(md);
	else
		inlines_break(&md->in);
}

static void start_rule(struct markdown *md, const char *name, attributes_t attributes)
{
	flush(md);
	if (!md->in_cell && !md->is_plain)
		add_block(md, "---", 3);
}

static void start_pre(struct markdown *md, const char *name, attributes_t attributes)
{
	if (md->pre.depth == 0) {
		give_up_table(md);
		flush(md);
	}
	pre_open(&md->pre);
	pre_set_class(&md->pre, get_attribute(attributes, "class"));
}

static void end_pre(struct markdown *md, const char *name)
{
	auto_strbuf block = { 0 };

	if (!pre_close(&md->pre, md->is_plain, &block))
		return;
	if (block.len > 0)
		add_block(md, block.data, block.len);
}

/* Ends <pre> however deep it is. */
static void end_all_pre(struct markdown *md)
{
	while (md->pre.depth > 0)
		end_pre(md, "pre");
}

static void start_code(struct markdown *md, const char *name, attributes_t attributes)
{
	inlines_open_code(&md->in);
}

static void end_code(struct markdown *md, const char *name)
{
	inlines_close_code(&md->in);
}

static void start_table(struct markdown *md, const char *name, attributes_t attributes)
{
	give_up_table(md);
	flush(md);
	md->tables++;
	md->is_collecting = true;
	table_reset(&md->table);
}

static void end_table(struct markdown *md, const char *name)
{
	end_cell(md);
	flush(md);
	if (md->is_collecting)
		write_table(md);
	md->is_collecting = false;
	md->tables -= md->tables > 0;
}

static void end_row(struct markdown *md, const char *name)
{
	end_cell(md);
	if (md->is_collecting)
		table_end_row(&md->table);
	else
		flush(md);
}

static void start_row(struct markdown *md, const char *name, attributes_t attributes)
{
	end_row(md, name);
}

static void start_cell(struct markdown *md, const char *name, attributes_t attributes)
{
	end_cell(md);
	flush(md);
	if (!md->is_collecting)
		return;
	md->is_header_cell = name[1] == 'h';
	md->columns = (unsigned)get_number(attributes, "colspan", MAX_SPAN, 1);
	md->columns = md->columns > 0 ? md->columns : 1;
	md->rows = (unsigned)get_number(attributes, "rowspan", MAX_SPAN, 1);
	set_cell(md, true);
}

static void end_td(struct markdown *md, const char *name)
{
	if (md->in_cell)
		end_cell(md);
	else
		flush(md);
}

static const struct {
	void (*start)(struct markdown *md, const char *name, attributes_t attributes);
	void (*end)(struct markdown *md, const char *name);
} handlers[EL_KINDS] = {
	[EL_BASE] = { start_base, NULL },
	[EL_BLOCK] = { start_block, end_block },
	[EL_BODY] = { start_body, end_block },
	[EL_BR] = { start_br, NULL },
	[EL_CELL] = { start_cell, end_td },
	[EL_CODE] = { start_code, end_code },
	[EL_EMPHASIS] = { start_emphasis, end_emphasis },
	[EL_HEAD] = { start_head, end_head },
	[EL_HEADING] = { start_heading, end_heading },
	[EL_IMAGE] = { start_image, NULL },
	[EL_ITEM] = { start_item, end_container },
	[EL_LINK] = { start_link, end_link },
	[EL_LIST] = { start_list, end_container },
	[EL_MAIN] = { start_main, end_block },
	[EL_NAV] = { start_nav, end_nav },
	[EL_PRE] = { start_pre, end_pre },
	[EL_QUOTE] = { start_quote, end_container },
	[EL_ROW] = { start_row, end_row },
	[EL_RULE] = { start_rule, NULL },
	[EL_STRIKE] = { start_strike, end_strike },
	[EL_STRONG] = { start_strong, end_strong },
	[EL_TABLE] = { start_table, end_table },
	[EL_TERM] = { start_term, end_block },
	[EL_TITLE] = { start_title, end_title },
};

/* What an element means within <pre>: only lines. */
static void start_in_pre(struct markdown *md, enum element_kind kind, attributes_t attributes)
{
	if (kind == EL_CODE)
		pre_set_class(&md->pre, get_attribute(attributes, "class"));
	else if (kind == EL_BR)
		pre_add(&md->pre, "\n", 1);
	else if (kind == EL_BLOCK || kind == EL_ITEM)
		pre_begin_line(&md->pre);
}

struct markdown *markdown_new(struct href *href, bool is_plain, size_t budget)
{
	struct markdown *md = alloc_zero(sizeof(*md));

	md->href = href;
	md->is_plain = is_plain;
	md->blocks.is_plain = is_plain;
	md->in.is_plain = is_plain;
	md->budget = budget;
	md->blocks.budget = budget;
	return md;
}

void markdown_free(struct markdown *md)
{
	if (!md)
		return;
	strbuf_done(&md->text);
	blocks_done(&md->blocks);
	inlines_done(&md->in);
	table_done(&md->table);
	pre_done(&md->pre);
	strbuf_done(&md->title);
	cuts_done(&md->nav_cuts);
	free(md);
}

/* Whole words and signs are easier to judge than pieces. */
static void deliver_text(struct markdown *md)
{
	const char *text = strbuf_get(&md->text);
	size_t len = md->text.len;

	if (md->in_title) {
		if (!md->has_title)
			strbuf_add(&md->title, text, len);
	} else if (md->pre.depth > 0) {
		pre_add(&md->pre, text, len);
	} else if (!md->in_head) {
		inlines_add(&md->in, text, len);
	}
	strbuf_cut(&md->text, 0);
}

void markdown_start(struct markdown *md, const char *name, const char *const *attributes)
{
	enum element_kind kind = element_find(name);

	deliver_text(md);
	if (md->skip > 0 || kind == EL_SKIP)
		md->skip++;
	else if (md->pre.depth > 0 && kind != EL_PRE)
		start_in_pre(md, kind, attributes);
	else if (handlers[kind].start)
		handlers[kind].start(md, name, attributes);
}

void markdown_end(struct markdown *md, const char *name)
{
	enum element_kind kind = element_find(name);

	deliver_text(md);
	if (md->skip > 0)
		md->skip--;
	else if (handlers[kind].end && (md->pre.depth == 0 || kind == EL_PRE))
		handlers[kind].end(md, name);
}

void markdown_text(struct markdown *md, const char *text, size_t len)
{
	if (md->skip == 0)
		strbuf_add(&md->text, text, len);
}

void markdown_note(struct markdown *md, const char *text)
{
	deliver_text(md);
	end_all_pre(md);
	give_up_table(md);
	flush(md);
	add_block(md, text, strlen(text));
}

static char *take_title(struct markdown *md)
{
	struct inlines in = { .is_plain = true, .is_title = true };
	auto_strbuf words = { 0 };

	inlines_add(&in, strbuf_get(&md->title), md->title.len);
	inlines_finish(&in, &words);
	inlines_done(&in);
	if (words.len == 0)
		return NULL;

	return alloc_mem(words.data, utf8_cut(words.data, words.len, MAX_TITLE_CHARS));
}

void markdown_finish(struct markdown *md, struct strbuf *ret, char **ret_title)
{
	deliver_text(md);
	end_all_pre(md);
	while (md->tables > 0)
		end_table(md, "table");
	flush(md);
	if (!md->has_main)
		cuts_forget(&md->nav_cuts);
	cuts_copy(&md->nav_cuts, strbuf_get(&md->blocks.out), md->blocks.out.len, ret);
	*ret_title = take_title(md);
}
