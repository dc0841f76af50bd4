/* See inlines.h. Escaped is what would be misread, not more: most readers see the source.
 * Source: CommonMark 0.31, sections 2.4 and 6; GitHub Flavored Markdown, sections 4.10 and 6.5. */
#include "workers/network/inlines.h"

#include "shared/alloc.h"
#include "shared/ascii.h"

enum { MAX_REFERENCE_BYTES = 32 };

static const char *const signs[INLINE_KINDS] = {
	[INLINE_EMPHASIS] = "*",
	[INLINE_STRONG] = "**",
	[INLINE_STRIKE] = "~~",
	[INLINE_LINK] = "[",
};

void inlines_done(struct inlines *in)
{
	for (size_t i = 0; i < in->n_marks; i++)
		free(in->marks[i].url);
	strbuf_done(&in->text);
	strbuf_done(&in->code);
}

static bool is_word(char c)
{
	return ascii_is_letter(c) || ascii_is_digit(c) || (unsigned char)c >= 0x80;
}

static bool is_punctuation(char c)
{
	return c > ' ' && c < 0x7f && !is_word(c);
}

/* The bytes of a blank; 0: it is none. No-break spaces (U+00A0) count as blanks. */
static size_t blank_len(const char *at, const char *end)
{
	if (*at == ' ' || (*at >= '\t' && *at <= '\r'))
		return 1;

	return at + 1 < end && memcmp(at, "\xc2\xa0", 2) == 0 ? 2 : 0;
}

/* Whether "&…" would be read as a reference. */
static bool is_reference(const char *at, const char *end)
{
	const char *from = ++at;

	while (at < end && at - from < MAX_REFERENCE_BYTES &&
		(ascii_is_letter(*at) || ascii_is_digit(*at) || *at == '#'))
		at++;

	return at == end || (at > from && *at == ';');
}

/* `before` and `after` the character: '\0' where that is not known, ' ' at the ends of the block. */
static bool needs_escape(const struct inlines *in, const char *at, const char *end, char before)
{
	char after = (char)(at + 1 < end ? at[1] : '\0');

	if (at + 1 < end && blank_len(at + 1, end) > 0)
		after = ' ';
	switch (*at) {
	case '\\':
		return after == '\0' || is_punctuation(after);
	case '`':
		return true;
	case '*':
		return before != ' ' || after != ' ';
	case '_':
		return !(is_word(before) && is_word(after)) && (before != ' ' || after != ' ');
	case '~':
		return before == '~' || after == '~' || after == '\0';
	case '<':
		return after == '\0' || ascii_is_letter(after) || (after && strchr("/!?", after));
	case '&':
		return is_reference(at, end);
	case '[':
		return in->n_marks > 0;
	case ']':
		return in->n_marks > 0 || after == '\0' || strchr("([:", after);
	case '|':
		return in->is_cell;
	default:
		return false;
	}
}

static void close_mark(struct inlines *in, struct inlines_mark *mark)
{
	if (!mark->is_written)
		return;
	mark->is_written = false;
	if (mark->kind == INLINE_LINK)
		strbuf_addf(&in->text, "](%s)", mark->url);
	else
		strbuf_adds(&in->text, signs[mark->kind]);
	in->closed = mark->kind;
	in->closed_at = in->text.len;
}

static void open_mark(struct inlines *in, struct inlines_mark *mark)
{
	if (!mark->is_shown || mark->is_written || in->is_plain || in->is_bare)
		return;
	mark->is_written = true;
	if (mark->kind != INLINE_LINK && in->closed == mark->kind && in->closed_at > 0 &&
		in->closed_at == in->text.len) {
		/* "**a****b**" would be misread. */
		strbuf_cut(&in->text, in->text.len - strlen(signs[mark->kind]));
		return;
	}
	if (mark->kind == INLINE_LINK && in->text.len > 0 &&
		in->text.data[in->text.len - 1] == '!') {
		strbuf_cut(&in->text, in->text.len - 1);
		strbuf_adds(&in->text, "\\!"); /* else it would be an image */
	}
	strbuf_adds(&in->text, signs[mark->kind]);
}

/* Before a word: the break or blank, then the marks that begin with it. */
static void begin_word(struct inlines *in)
{
	if (in->text.len > 0 && in->has_break && !in->is_title)
		strbuf_adds(&in->text, in->is_plain || in->is_cell ? "\n" : "\\\n");
	else if (in->text.len > 0 && (in->has_blank || in->has_break))
		strbuf_addc(&in->text, ' ');
	in->has_break = false;
	in->has_blank = false;
	for (size_t i = 0; i < in->n_marks; i++)
		open_mark(in, &in->marks[i]);
}

/* The bytes of what cannot be seen: control characters, soft hyphens; 0: it can be. */
static size_t unseen_len(const char *at, const char *end)
{
	if ((unsigned char)*at < ' ' || *at == 0x7f)
		return 1;

	return at + 1 < end && memcmp(at, "\xc2\xad", 2) == 0 ? 2 : 0;
}

static void add_code(struct inlines *in, const char *at, const char *end)
{
	while (at < end) {
		size_t blank = blank_len(at, end);
		size_t skip = blank ? blank : unseen_len(at, end);

		if (skip == 0)
			strbuf_addc(&in->code, *at);
		else if (blank && (in->code.len == 0 || in->code.data[in->code.len - 1] != ' '))
			strbuf_addc(&in->code, ' ');
		at += skip ? skip : 1;
	}
}

/* What stands before the next word, as far as emphasis is concerned. */
static char get_before(const struct inlines *in)
{
	if (in->text.len == 0 || in->has_blank || in->has_break)
		return ' ';

	return in->text.data[in->text.len - 1];
}

void inlines_add(struct inlines *in, const char *text, size_t len)
{
	const char *end = text + len;

	if (in->code_depth > 0 && !in->is_plain) {
		add_code(in, text, end);
		return;
	}
	while (text < end) {
		size_t skip = blank_len(text, end);
		char before;

		in->has_blank = in->has_blank || skip > 0;
		skip = skip ? skip : unseen_len(text, end);
		if (skip > 0) {
			text += skip;
			continue;
		}
		before = get_before(in);
		begin_word(in);
		if (!in->is_plain && needs_escape(in, text, end, before))
			strbuf_addc(&in->text, '\\');
		strbuf_addc(&in->text, *text++);
	}
}

void inlines_open(struct inlines *in, enum inlines_kind kind, char *url)
{
	struct inlines_mark *mark;

	if (in->n_marks == INLINES_MAX_DEPTH) {
		in->n_hidden++;
		free(url);
		return;
	}
	mark = &in->marks[in->n_marks];
	*mark = (struct inlines_mark){ .kind = kind, .is_shown = true, .url = url };
	for (size_t i = 0; i < in->n_marks; i++)
		if (in->marks[i].kind == kind && in->marks[i].is_shown)
			mark->is_shown = false;
	if (kind == INLINE_LINK && !url)
		mark->is_shown = false;
	in->n_marks++;
}

void inlines_close(struct inlines *in, enum inlines_kind kind)
{
	struct inlines_mark *mark;

	if (in->n_hidden > 0) {
		in->n_hidden--;
		return;
	}
	if (in->n_marks == 0 || in->marks[in->n_marks - 1].kind != kind)
		return;
	mark = &in->marks[--in->n_marks];
	close_mark(in, mark);
	free(TAKE(mark->url));
}

/* Moves what was collected as code into the text. */
static void finish_code(struct inlines *in)
{
	const char *code = strbuf_get(&in->code);
	size_t len = in->code.len;
	size_t longest = 0;
	size_t run = 0;
	bool is_padded;

	if (len > 0 && *code == ' ') {
		in->has_blank = true;
		code++;
		len--;
	}
	len -= len > 0 && code[len - 1] == ' ';
	if (len > 0) {
		for (size_t i = 0; i < len; i++) {
			run = code[i] == '`' ? run + 1 : 0;
			longest = run > longest ? run : longest;
		}
		is_padded = *code == '`' || code[len - 1] == '`';
		begin_word(in);
		for (size_t i = 0; i <= longest; i++)
			strbuf_addc(&in->text, '`');
		strbuf_adds(&in->text, is_padded ? " " : "");
		for (size_t i = 0; i < len; i++) {
			if (code[i] == '|' && in->is_cell)
				strbuf_addc(&in->text, '\\');
			strbuf_addc(&in->text, code[i]);
		}
		strbuf_adds(&in->text, is_padded ? " " : "");
		for (size_t i = 0; i <= longest; i++)
			strbuf_addc(&in->text, '`');
		in->has_blank = in->code.data[in->code.len - 1] == ' ';
	}
	strbuf_cut(&in->code, 0);
}

bool inlines_in_link(const struct inlines *in)
{
	for (size_t i = 0; i < in->n_marks; i++)
		if (in->marks[i].kind == INLINE_LINK && in->marks[i].is_shown)
			return true;

	return false;
}

void inlines_open_code(struct inlines *in)
{
	in->code_depth++;
}

void inlines_close_code(struct inlines *in)
{
	if (in->code_depth > 0 && --in->code_depth == 0)
		finish_code(in);
}

void inlines_break(struct inlines *in)
{
	if (in->code_depth > 0)
		finish_code(in);
	in->has_break = true;
}

void inlines_image(struct inlines *in, const char *alt, const char *url)
{
	auto_strbuf words = { 0 };
	struct inlines inner = {
		.is_plain = in->is_plain, .is_cell = in->is_cell, .is_title = true
	};

	if (in->code_depth > 0)
		return;
	/* An image counts as an open mark: brackets in its words are escaped. */
	inner.n_marks = 1;
	inlines_add(&inner, alt, strlen(alt));
	inner.n_marks = 0;
	inlines_finish(&inner, &words);
	inlines_done(&inner);
	if (words.len == 0 && (!url || in->is_plain))
		return;

	begin_word(in);
	if (url && !in->is_plain)
		strbuf_addf(&in->text, "![%s](%s)", strbuf_get(&words), url);
	else
		strbuf_add(&in->text, strbuf_get(&words), words.len);
}

/* The bytes before which a backslash keeps a line from being read as a heading, an item, a quote, a
 * rule, or the row of a table; `len`: no need. */
static size_t find_line_escape(const char *line, size_t len)
{
	size_t n = 0;
	char c = *line;
	char next = (char)(len > 1 ? line[1] : ' ');

	if (c == '>' || c == '|' || (c == '=' && (next == '=' || next == ' ')) ||
		(strchr("-+*", c) && next == ' ') || (c == '-' && next == '-'))
		return 0;
	if (c == '#') {
		while (n < len && line[n] == '#')
			n++;
		return n <= 6 && (n == len || line[n] == ' ') ? 0 : len;
	}
	while (n < len && n < 10 && ascii_is_digit(line[n]))
		n++;
	if (n > 0 && n < len && (line[n] == '.' || line[n] == ')') &&
		(n + 1 == len || line[n + 1] == ' '))
		return n;

	return len;
}

static void add_lines(struct strbuf *ret, const char *at, size_t len)
{
	const char *end = at + len;

	while (at < end) {
		const char *stop = memchr(at, '\n', (size_t)(end - at));
		size_t n = (size_t)((stop ? stop + 1 : end) - at);
		size_t shown = n - (stop ? 1 : 0);
		size_t plain = shown > 0 ? find_line_escape(at, shown) : n;

		strbuf_add(ret, at, plain);
		strbuf_adds(ret, plain < shown ? "\\" : "");
		strbuf_add(ret, at + plain, n - plain);
		at += n;
	}
}

void inlines_finish(struct inlines *in, struct strbuf *ret)
{
	if (in->code_depth > 0)
		finish_code(in);
	for (size_t i = in->n_marks; i > 0; i--)
		close_mark(in, &in->marks[i - 1]);
	if (in->is_plain || in->is_cell || in->is_title)
		strbuf_add(ret, strbuf_get(&in->text), in->text.len);
	else
		add_lines(ret, strbuf_get(&in->text), in->text.len);
	strbuf_cut(&in->text, 0);
	in->closed_at = 0;
	in->has_blank = false;
	in->has_break = false;
}
