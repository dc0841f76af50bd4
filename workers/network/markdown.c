/* See markdown.h. Three layers: this file knows what HTML's elements mean, inlines.c makes the text of
 * one block, blocks.c puts blocks below each other. Tables go through table.c.
 *
 * Source: HTML Living Standard, section 4; issue of the network worker. */
#include "workers/network/markdown.h"

#include <stdio.h>
#include <strings.h>

#include "shared/alloc.h"
#include "shared/ascii.h"
#include "shared/utf8.h"
#include "workers/network/blocks.h"
#include "workers/network/inlines.h"
#include "workers/network/table.h"

enum {
	MAX_LISTS = 64, /* lists, items and quotes that are tracked; deeper ones are not shown */
	MAX_TITLE_CHARS = 500,
	MAX_LANGUAGE_BYTES = 32,
	MAX_LIST_NUMBER = 99999999,
	MAX_SPAN = 1000,
};

enum kind {
	EL_OTHER, /* inline, without a meaning for us */
	EL_BASE,
	EL_BLOCK,
	EL_BODY,
	EL_BR,
	EL_CELL,
	EL_CODE,
	EL_EMPHASIS,
	EL_HEAD,
	EL_HEADING,
	EL_IMAGE,
	EL_ITEM,
	EL_LINK,
	EL_LIST,
	EL_MAIN,
	EL_NAV,
	EL_PRE,
	EL_QUOTE,
	EL_ROW,
	EL_RULE,
	EL_SKIP,
	EL_STRIKE,
	EL_STRONG,
	EL_TABLE,
	EL_TERM,
	EL_TITLE,
	EL_KINDS,
};

struct element {
	const char *name;
	enum kind kind;
};

/* Sorted by name. Elements of links to other media, and those whose content is for programs, are
 * skipped. */
/* clang-format off */
static const struct element elements[] = {
	{ "a", EL_LINK }, { "address", EL_BLOCK }, { "article", EL_MAIN }, { "aside", EL_BLOCK },
	{ "b", EL_STRONG }, { "base", EL_BASE }, { "blockquote", EL_QUOTE }, { "body", EL_BODY },
	{ "br", EL_BR }, { "canvas", EL_SKIP }, { "caption", EL_BLOCK }, { "center", EL_BLOCK },
	{ "code", EL_CODE }, { "dd", EL_ITEM }, { "del", EL_STRIKE }, { "details", EL_BLOCK },
	{ "dialog", EL_BLOCK }, { "dir", EL_LIST }, { "div", EL_BLOCK }, { "dl", EL_BLOCK },
	{ "dt", EL_TERM }, { "em", EL_EMPHASIS }, { "fieldset", EL_BLOCK },
	{ "figcaption", EL_BLOCK }, { "figure", EL_BLOCK }, { "footer", EL_BLOCK },
	{ "form", EL_BLOCK }, { "h1", EL_HEADING }, { "h2", EL_HEADING }, { "h3", EL_HEADING },
	{ "h4", EL_HEADING }, { "h5", EL_HEADING }, { "h6", EL_HEADING }, { "head", EL_HEAD },
	{ "header", EL_BLOCK }, { "hgroup", EL_BLOCK }, { "hr", EL_RULE }, { "i", EL_EMPHASIS },
	{ "iframe", EL_SKIP }, { "img", EL_IMAGE }, { "kbd", EL_CODE }, { "legend", EL_BLOCK },
	{ "li", EL_ITEM }, { "listing", EL_PRE }, { "main", EL_MAIN }, { "menu", EL_LIST },
	{ "nav", EL_NAV }, { "noembed", EL_SKIP }, { "noframes", EL_SKIP },
	{ "noscript", EL_SKIP }, { "ol", EL_LIST }, { "optgroup", EL_BLOCK },
	{ "option", EL_BLOCK }, { "p", EL_BLOCK }, { "plaintext", EL_PRE }, { "pre", EL_PRE },
	{ "s", EL_STRIKE }, { "samp", EL_CODE }, { "script", EL_SKIP }, { "search", EL_BLOCK },
	{ "section", EL_BLOCK }, { "strike", EL_STRIKE }, { "strong", EL_STRONG },
	{ "style", EL_SKIP }, { "summary", EL_BLOCK }, { "svg", EL_SKIP }, { "table", EL_TABLE },
	{ "td", EL_CELL }, { "template", EL_SKIP }, { "th", EL_CELL }, { "title", EL_TITLE },
	{ "tr", EL_ROW }, { "tt", EL_CODE }, { "ul", EL_LIST }, { "xmp", EL_PRE },
};
/* clang-format on */

/* An open list, item or quote. */
struct list {
	bool is_list;
	bool is_shown; /* it has a container in blocks */
	bool is_ordered;
	bool has_items;
	bool is_definition; /* a <dd> */
	int64_t number;     /* of the next item */
	char sign;          /* '-', '*' or '.', ')' */
};

struct span {
	size_t from;
	size_t to;
};

struct markdown {
	struct href *href;
	bool has_base;
	bool is_plain;
	size_t budget;
	struct blocks blocks;
	struct inlines in;
	struct table table;
	struct list lists[MAX_LISTS];
	size_t n_lists;
	size_t n_hidden_lists;
	char last_sign;     /* of a list that has just ended; '\0': something followed */
	int heading;        /* level; 0: none */
	size_t skip;        /* open elements from a skipped one on */
	size_t tables;      /* open ones */
	bool is_collecting; /* the innermost table: its cells go to `table` */
	bool in_cell;       /* of that table */
	bool is_header_cell;
	unsigned columns; /* that the cell covers */
	unsigned rows;
	size_t pre; /* open ones */
	struct strbuf pre_text;
	char language[MAX_LANGUAGE_BYTES + 1];
	bool in_head;
	bool in_title;
	bool has_title;
	struct strbuf title;
	size_t navs; /* open ones */
	bool nav_is_cut;
	bool has_main;
	struct span *nav_spans; /* of the output */
	size_t n_nav_spans;
	size_t nav_spans_size;
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
	md->last_sign = '\0';
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
	md->in.is_unlinked = is_lavish(md);
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

/* The table has what does not fit into a cell: it gives the page its layout, and its cells are plain
 * blocks from here on. */
static void give_up_table(struct markdown *md)
{
	if (!md->is_collecting)
		return;
	md->is_collecting = false;
	set_cell(md, false);
	table_write(&md->table, &md->blocks);
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

static struct list *push_list(struct markdown *md)
{
	struct list *list;

	if (md->n_lists == MAX_LISTS) {
		md->n_hidden_lists++;
		return NULL;
	}
	list = &md->lists[md->n_lists++];
	*list = (struct list){ 0 };
	return list;
}

static struct list *pop_list(struct markdown *md)
{
	if (md->n_hidden_lists > 0) {
		md->n_hidden_lists--;
		return NULL;
	}
	return md->n_lists > 0 ? &md->lists[--md->n_lists] : NULL;
}

/* Parsers do not end a <dd> where the next one begins, or a <dt>. */
static void close_definition(struct markdown *md)
{
	struct list *last = md->n_lists > 0 ? &md->lists[md->n_lists - 1] : NULL;

	if (!last || !last->is_definition || !last->is_shown || md->n_hidden_lists > 0)
		return;
	last->is_shown = false;
	blocks_close(&md->blocks);
}

static void start_term(struct markdown *md, const char *name, attributes_t attributes)
{
	flush(md);
	close_definition(md);
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
	md->nav_is_cut = md->n_lists == 0 && !md->is_collecting;
	if (!md->nav_is_cut)
		return;
	if (md->n_nav_spans == md->nav_spans_size) {
		md->nav_spans_size = md->nav_spans_size ? md->nav_spans_size * 2 : 8;
		md->nav_spans =
			alloc_resize(md->nav_spans, md->nav_spans_size, sizeof(*md->nav_spans));
	}
	md->nav_spans[md->n_nav_spans] = (struct span){ md->blocks.out.len, SIZE_MAX };
}

static void end_nav(struct markdown *md, const char *name)
{
	struct span *span;

	flush(md);
	if (md->navs == 0 || --md->navs > 0 || !md->nav_is_cut)
		return;
	md->nav_is_cut = false;
	span = &md->nav_spans[md->n_nav_spans];
	span->to = md->blocks.out.len;
	if (span->to > span->from)
		md->n_nav_spans++;
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
	struct list *list;

	give_up_table(md);
	flush(md);
	list = push_list(md);
	if (!list)
		return;
	list->is_shown = true;
	blocks_open_quote(&md->blocks);
}

static void end_container(struct markdown *md, const char *name)
{
	const struct list *list;

	flush(md);
	list = pop_list(md);
	if (list && list->is_shown)
		blocks_close(&md->blocks);
}

static void start_list(struct markdown *md, const char *name, attributes_t attributes)
{
	bool is_ordered = streq(name, "ol");
	char last_sign = md->last_sign;
	struct list *list;

	flush(md);
	list = push_list(md);
	if (!list)
		return;
	list->is_list = true;
	list->is_ordered = is_ordered;
	list->number = is_ordered ? get_number(attributes, "start", MAX_LIST_NUMBER, 1) : 0;
	list->sign = is_ordered ? '.' : '-';
	/* A list right behind another would continue it. */
	if (md->last_sign && last_sign == list->sign)
		list->sign = is_ordered ? ')' : '*';
}

static void end_list(struct markdown *md, const char *name)
{
	const struct list *list;

	flush(md);
	list = pop_list(md);
	md->blocks.gap = GAP_BLANK;
	md->last_sign = (char)(list ? list->sign : '\0');
}

static void write_mark(struct list *list, bool is_plain, char ret[BLOCKS_MARK_BYTES])
{
	char sign = is_plain ? (char)(list->is_ordered ? '.' : '-') : list->sign;

	if (list->is_ordered)
		(void)snprintf(ret, BLOCKS_MARK_BYTES, "%lld%c ", (long long)list->number++, sign);
	else
		(void)snprintf(ret, BLOCKS_MARK_BYTES, "%c ", sign);
}

/* Items without a list, and those of <dl>, get a bullet. */
static void start_item(struct markdown *md, const char *name, attributes_t attributes)
{
	struct list none = { .sign = '-' };
	struct list *list = &none;
	struct list *item;
	char mark[BLOCKS_MARK_BYTES];
	bool is_first;

	flush(md);
	if (*name == 'd')
		close_definition(md);
	if (md->n_lists > 0 && md->lists[md->n_lists - 1].is_list && *name == 'l')
		list = &md->lists[md->n_lists - 1];
	if (list->is_ordered)
		list->number = get_number(attributes, "value", MAX_LIST_NUMBER, list->number);
	item = push_list(md);
	if (!item || md->in_cell || md->pre > 0)
		return;

	/* Items follow each other without a gap, and a list in an item its first line. */
	is_first = *name == 'l' && !list->has_items;
	list->has_items = true;
	if (!is_first || blocks_in_item(&md->blocks))
		md->blocks.gap = GAP_LINE;
	write_mark(list, md->is_plain, mark);
	blocks_open_item(&md->blocks, mark);
	item->is_shown = true;
	item->is_definition = *name == 'd';
}

static void start_mark(struct markdown *md, enum inlines_kind kind)
{
	if (md->pre == 0)
		inlines_open(&md->in, kind, NULL);
}

static void end_mark(struct markdown *md, enum inlines_kind kind)
{
	if (md->pre == 0)
		inlines_close(&md->in, kind);
}

static void start_emphasis(struct markdown *md, const char *name, attributes_t attributes)
{
	start_mark(md, INLINE_EMPHASIS);
}

static void end_emphasis(struct markdown *md, const char *name)
{
	end_mark(md, INLINE_EMPHASIS);
}

static void start_strong(struct markdown *md, const char *name, attributes_t attributes)
{
	start_mark(md, INLINE_STRONG);
}

static void end_strong(struct markdown *md, const char *name)
{
	end_mark(md, INLINE_STRONG);
}

static void start_strike(struct markdown *md, const char *name, attributes_t attributes)
{
	start_mark(md, INLINE_STRIKE);
}

static void end_strike(struct markdown *md, const char *name)
{
	end_mark(md, INLINE_STRIKE);
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
	if (md->pre == 0)
		inlines_open(&md->in, INLINE_LINK, resolve(md, get_attribute(attributes, "href")));
}

static void end_link(struct markdown *md, const char *name)
{
	end_mark(md, INLINE_LINK);
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

/* "x" of a class "language-x" or "lang-x". */
static void find_language(struct markdown *md, attributes_t attributes)
{
	static const char *const prefixes[] = { "language-", "lang-" };
	const char *at = get_attribute(attributes, "class");

	if (!at || *md->language)
		return;
	while (*at) {
		size_t len = strcspn(at, " \t\r\n\f");

		for (size_t i = 0; i < N_ELEMENTS(prefixes); i++) {
			size_t skip = strlen(prefixes[i]);

			if (len <= skip || len - skip > MAX_LANGUAGE_BYTES ||
				strncasecmp(at, prefixes[i], skip) != 0 ||
				strspn(at + skip, "abcdefghijklmnopqrstuvwxyz"
						  "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
						  "0123456789+#._-") != len - skip)
				continue;
			memcpy(md->language, at + skip, len - skip);
			md->language[len - skip] = '\0';
			return;
		}
		at += len;
		at += strspn(at, " \t\r\n\f");
	}
}

static void start_pre(struct markdown *md, const char *name, attributes_t attributes)
{
	if (md->pre++ > 0)
		return;
	give_up_table(md);
	flush(md);
	*md->language = '\0';
	find_language(md, attributes);
}

/* Longer than any run of backticks in the text. */
static void add_fence(struct strbuf *block, const char *text)
{
	size_t longest = 2;
	size_t run;

	for (; *text; text += run + (run == 0)) {
		run = strspn(text, "`");
		longest = run > longest ? run : longest;
	}
	for (size_t i = 0; i <= longest; i++)
		strbuf_addc(block, '`');
}

static void write_pre(struct markdown *md)
{
	const char *text = strbuf_get(&md->pre_text);
	auto_strbuf block = { 0 };

	while (md->pre_text.len > 0 && strchr(" \t\n", text[md->pre_text.len - 1]))
		strbuf_cut(&md->pre_text, md->pre_text.len - 1);
	text += *text == '\n';
	if (!*text)
		return;
	if (!md->is_plain) {
		add_fence(&block, text);
		strbuf_addf(&block, "%s\n", md->language);
	}
	strbuf_adds(&block, text);
	if (!md->is_plain) {
		strbuf_addc(&block, '\n');
		add_fence(&block, text);
	}
	add_block(md, block.data, block.len);
}

static void end_pre(struct markdown *md, const char *name)
{
	if (md->pre == 0 || --md->pre > 0)
		return;
	write_pre(md);
	strbuf_cut(&md->pre_text, 0);
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
	if (md->is_collecting) {
		size_t before = md->blocks.out.len;

		table_write(&md->table, &md->blocks);
		md->last_sign = (char)(md->blocks.out.len > before ? '\0' : md->last_sign);
	}
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
	[EL_LIST] = { start_list, end_list },
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
static bool is_for_pre(struct markdown *md, enum kind kind, attributes_t attributes)
{
	bool at_line_start =
		md->pre_text.len == 0 || md->pre_text.data[md->pre_text.len - 1] == '\n';

	if (md->pre == 0 || kind == EL_PRE || kind == EL_SKIP)
		return false;
	if (kind == EL_CODE)
		find_language(md, attributes);
	if (kind == EL_BR || (!at_line_start && (kind == EL_BLOCK || kind == EL_ITEM)))
		strbuf_addc(&md->pre_text, '\n');

	return true;
}

static int compare_name(const void *key, const void *entry)
{
	return strcmp(key, ((const struct element *)entry)->name);
}

static enum kind find_kind(const char *name)
{
	const struct element *element =
		bsearch(name, elements, N_ELEMENTS(elements), sizeof(elements[0]), compare_name);

	return element ? element->kind : EL_OTHER;
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
	blocks_done(&md->blocks);
	inlines_done(&md->in);
	table_done(&md->table);
	strbuf_done(&md->pre_text);
	strbuf_done(&md->title);
	free(md->nav_spans);
	free(md);
}

void markdown_start(struct markdown *md, const char *name, const char *const *attributes)
{
	enum kind kind = find_kind(name);

	if (md->skip > 0 || kind == EL_SKIP) {
		md->skip++;
		return;
	}
	if (is_for_pre(md, kind, attributes))
		return;
	if (handlers[kind].start)
		handlers[kind].start(md, name, attributes);
}

void markdown_end(struct markdown *md, const char *name)
{
	enum kind kind = find_kind(name);

	if (md->skip > 0) {
		md->skip--;
		return;
	}
	if (md->pre > 0 && kind != EL_PRE)
		return;
	if (handlers[kind].end)
		handlers[kind].end(md, name);
}

void markdown_text(struct markdown *md, const char *text, size_t len)
{
	if (md->skip > 0)
		return;
	if (md->in_title) {
		if (!md->has_title)
			strbuf_add(&md->title, text, len);
	} else if (md->pre > 0) {
		strbuf_add(&md->pre_text, text, len);
	} else if (!md->in_head) {
		inlines_add(&md->in, text, len);
	}
}

void markdown_note(struct markdown *md, const char *text)
{
	if (md->pre > 0) {
		md->pre = 1;
		end_pre(md, "pre");
	}
	give_up_table(md);
	flush(md);
	add_block(md, text, strlen(text));
}

/* Copies what has been written but for the nav elements that are left out. */
static void copy_text(struct markdown *md, struct strbuf *ret)
{
	const char *text = strbuf_get(&md->blocks.out);
	size_t from = ret->len;
	size_t at = 0;

	for (size_t i = 0; md->has_main && i < md->n_nav_spans; i++) {
		strbuf_add(ret, text + at, md->nav_spans[i].from - at);
		at = md->nav_spans[i].to;
	}
	/* What begins with a nav element goes on with a gap. */
	while (ret->len == from && text[at] == '\n')
		at++;
	strbuf_add(ret, text + at, md->blocks.out.len - at);
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
	if (md->pre > 0) {
		md->pre = 1;
		end_pre(md, "pre");
	}
	while (md->tables > 0)
		end_table(md, "table");
	flush(md);
	copy_text(md, ret);
	*ret_title = take_title(md);
}
