/* See markdown.h. This file knows what HTML's elements mean; document.c builds the page from that.
 *
 * Source: HTML Living Standard, section 4; issue of the network worker. */
#include "workers/network/markdown.h"

#include <strings.h>

#include "shared/alloc.h"
#include "shared/ascii.h"
#include "shared/utf8.h"
#include "workers/network/cuts.h"
#include "workers/network/document.h"
#include "workers/network/element.h"
#include "workers/network/pre.h"

enum {
	MAX_TITLE_CHARS = 500,
	MAX_SPAN = 1000,
};

struct markdown {
	struct href *href;
	bool has_base;
	struct strbuf text; /* of one element; it may have come in pieces */
	struct document doc;
	size_t skip; /* open elements from a skipped one on */
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

static void start_term(struct markdown *md, const char *name, attributes_t attributes)
{
	document_flush(&md->doc);
	lists_close_definition(&md->doc.lists, &md->doc.blocks);
}

static void start_block(struct markdown *md, const char *name, attributes_t attributes)
{
	document_flush(&md->doc);
}

static void end_block(struct markdown *md, const char *name)
{
	document_flush(&md->doc);
}

static void start_body(struct markdown *md, const char *name, attributes_t attributes)
{
	md->in_head = false;
	document_flush(&md->doc);
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
	document_flush(&md->doc);
}

/* What a nav element gave is remembered, since a main element may come later. */
static void start_nav(struct markdown *md, const char *name, attributes_t attributes)
{
	document_flush(&md->doc);
	if (md->navs++ > 0)
		return;
	md->nav_is_cut = lists_is_empty(&md->doc.lists) && !md->doc.is_collecting;
	if (md->nav_is_cut)
		cuts_begin(&md->nav_cuts, md->doc.blocks.out.len);
}

static void end_nav(struct markdown *md, const char *name)
{
	document_flush(&md->doc);
	if (md->navs == 0 || --md->navs > 0 || !md->nav_is_cut)
		return;
	md->nav_is_cut = false;
	cuts_end(&md->nav_cuts, md->doc.blocks.out.len);
}

static void start_heading(struct markdown *md, const char *name, attributes_t attributes)
{
	document_give_up_table(&md->doc);
	document_flush(&md->doc);
	md->doc.heading = name[1] - '0';
	md->doc.in.is_title = true;
}

static void end_heading(struct markdown *md, const char *name)
{
	document_flush(&md->doc);
	md->doc.heading = 0;
	md->doc.in.is_title = false;
}

static void start_quote(struct markdown *md, const char *name, attributes_t attributes)
{
	document_give_up_table(&md->doc);
	document_flush(&md->doc);
	lists_open_quote(&md->doc.lists, &md->doc.blocks);
}

/* Of a list, an item or a quote. */
static void end_container(struct markdown *md, const char *name)
{
	document_flush(&md->doc);
	lists_close(&md->doc.lists, &md->doc.blocks);
}

static void start_list(struct markdown *md, const char *name, attributes_t attributes)
{
	document_flush(&md->doc);
	if (streq(name, "ol"))
		lists_open_ordered(
			&md->doc.lists, get_number(attributes, "start", LISTS_MAX_NUMBER, 1));
	else
		lists_open_bullets(&md->doc.lists);
}

static void start_item(struct markdown *md, const char *name, attributes_t attributes)
{
	document_flush(&md->doc);
	if (md->doc.in_cell)
		lists_open_hidden(&md->doc.lists);
	else if (streq(name, "dd"))
		lists_open_definition(&md->doc.lists, &md->doc.blocks);
	else
		lists_open_item(&md->doc.lists, &md->doc.blocks,
			get_number(attributes, "value", LISTS_MAX_NUMBER, -1));
}

static void start_emphasis(struct markdown *md, const char *name, attributes_t attributes)
{
	inlines_open(&md->doc.in, INLINE_EMPHASIS, NULL);
}

static void end_emphasis(struct markdown *md, const char *name)
{
	inlines_close(&md->doc.in, INLINE_EMPHASIS);
}

static void start_strong(struct markdown *md, const char *name, attributes_t attributes)
{
	inlines_open(&md->doc.in, INLINE_STRONG, NULL);
}

static void end_strong(struct markdown *md, const char *name)
{
	inlines_close(&md->doc.in, INLINE_STRONG);
}

static void start_strike(struct markdown *md, const char *name, attributes_t attributes)
{
	inlines_open(&md->doc.in, INLINE_STRIKE, NULL);
}

static void end_strike(struct markdown *md, const char *name)
{
	inlines_close(&md->doc.in, INLINE_STRIKE);
}

/* The link made absolute; NULL: nothing to follow. Yours to free. */
static char *resolve(struct markdown *md, const char *link)
{
	auto_strbuf url = { 0 };

	if (!link || md->doc.is_plain || document_is_lavish(&md->doc) ||
		!href_resolve(md->href, link, &url))
		return NULL;

	return strbuf_take(&url);
}

static void start_link(struct markdown *md, const char *name, attributes_t attributes)
{
	const char *link = get_attribute(attributes, "href");
	bool is_anchor =
		md->doc.heading > 0 && link && *link == '#'; /* a heading's link to itself */

	inlines_open(&md->doc.in, INLINE_LINK, is_anchor ? NULL : resolve(md, link));
}

static void end_link(struct markdown *md, const char *name)
{
	inlines_close(&md->doc.in, INLINE_LINK);
}

static void start_image(struct markdown *md, const char *name, attributes_t attributes)
{
	const char *alt = get_attribute(attributes, "alt");
	auto_free char *url = NULL;

	/* An empty text says that the image is mere decoration. */
	if (alt && !*alt && !inlines_in_link(&md->doc.in))
		return;
	url = resolve(md, get_attribute(attributes, "src"));
	inlines_image(&md->doc.in, alt ? alt : "", url);
}

/* Two breaks end the paragraph. */
static void start_br(struct markdown *md, const char *name, attributes_t attributes)
{
	if (md->doc.in.has_break && !md->doc.in_cell && md->doc.heading == 0)
		document_flush(&md->doc);
	else
		inlines_break(&md->doc.in);
}

static void start_rule(struct markdown *md, const char *name, attributes_t attributes)
{
	document_flush(&md->doc);
	if (!md->doc.in_cell && !md->doc.is_plain)
		document_add_block(&md->doc, "---", 3);
}

static void start_pre(struct markdown *md, const char *name, attributes_t attributes)
{
	if (md->pre.depth == 0) {
		document_give_up_table(&md->doc);
		document_flush(&md->doc);
	}
	pre_open(&md->pre);
	pre_set_class(&md->pre, get_attribute(attributes, "class"));
}

static void end_pre(struct markdown *md, const char *name)
{
	auto_strbuf block = { 0 };

	if (!pre_close(&md->pre, md->doc.is_plain, &block))
		return;
	if (block.len > 0)
		document_add_block(&md->doc, block.data, block.len);
}

/* Ends <pre> however deep it is. */
static void end_all_pre(struct markdown *md)
{
	while (md->pre.depth > 0)
		end_pre(md, "pre");
}

static void start_code(struct markdown *md, const char *name, attributes_t attributes)
{
	inlines_open_code(&md->doc.in);
}

static void end_code(struct markdown *md, const char *name)
{
	inlines_close_code(&md->doc.in);
}

static void start_table(struct markdown *md, const char *name, attributes_t attributes)
{
	document_begin_table(&md->doc);
}

static void end_table(struct markdown *md, const char *name)
{
	document_end_table(&md->doc);
}

static void start_row(struct markdown *md, const char *name, attributes_t attributes)
{
	document_end_row(&md->doc);
}

static void end_row(struct markdown *md, const char *name)
{
	document_end_row(&md->doc);
}

static void start_cell(struct markdown *md, const char *name, attributes_t attributes)
{
	int64_t columns = get_number(attributes, "colspan", MAX_SPAN, 1);
	int64_t rows = get_number(attributes, "rowspan", MAX_SPAN, 1);

	document_begin_cell(
		&md->doc, name[1] == 'h', columns > 0 ? (unsigned)columns : 1, (unsigned)rows);
}

static void end_cell(struct markdown *md, const char *name)
{
	document_end_cell(&md->doc);
}

static const struct {
	void (*start)(struct markdown *md, const char *name, attributes_t attributes);
	void (*end)(struct markdown *md, const char *name);
} handlers[EL_KINDS] = {
	[EL_BASE] = { start_base, NULL },
	[EL_BLOCK] = { start_block, end_block },
	[EL_BODY] = { start_body, end_block },
	[EL_BR] = { start_br, NULL },
	[EL_CELL] = { start_cell, end_cell },
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
	document_init(&md->doc, is_plain, budget);
	return md;
}

void markdown_free(struct markdown *md)
{
	if (!md)
		return;
	strbuf_done(&md->text);
	document_done(&md->doc);
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
		inlines_add(&md->doc.in, text, len);
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
	document_give_up_table(&md->doc);
	document_flush(&md->doc);
	document_add_block(&md->doc, text, strlen(text));
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
	while (md->doc.tables > 0)
		document_end_table(&md->doc);
	document_flush(&md->doc);
	if (!md->has_main)
		cuts_forget(&md->nav_cuts);
	cuts_copy(&md->nav_cuts, strbuf_get(&md->doc.blocks.out), md->doc.blocks.out.len, ret);
	*ret_title = take_title(md);
}
