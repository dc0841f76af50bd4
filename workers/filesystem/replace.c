/* See replace.h. Where line ends of both kinds have to match, the text is searched in a copy that has
 * LF only, and places in it are counted back to places in the text itself: matches come in order, so
 * that this goes along with them. */
#include "workers/filesystem/replace.h"

#include <stdint.h>

#include "shared/quote.h"

enum {
	SHOWN_LINES = 10, /* of ambiguous matches */
	NEAR_BYTES = 200, /* of a line are compared in looking for the nearest */
	NEAR_MAX_LINES = 200000,
	QUOTED_BYTES = 160,
};

/* A part of the text that is replaced. */
struct span {
	size_t from;
	size_t to;
};

/* Matches, in order, without overlap. */
struct search {
	const char *text;
	size_t len;
	const struct replace_edit *edit;
	bool is_folded;      /* `plain` is searched */
	struct strbuf plain; /* the text with LF in the place of CRLF */
	size_t plain_at;     /* a place in it that corresponds … */
	size_t text_at;      /* … with this one in the text */
	const char *crlf;    /* the first at or behind it */
	size_t next;         /* where to go on: in `plain`, or in the text */
};

/* The first CRLF; NULL: there is none. */
static const char *find_crlf(const char *at, const char *end)
{
	const char *cr = at;

	while (cr < end && (cr = memchr(cr, '\r', (size_t)(end - cr)))) {
		if (cr + 1 < end && cr[1] == '\n')
			return cr;
		cr++;
	}
	return NULL;
}

/* Copies without the CR of each CRLF. */
static void fold(struct strbuf *out, const char *at, const char *end)
{
	(void)strbuf_reserve(out, (size_t)(end - at));
	while (at < end) {
		const char *crlf = find_crlf(at, end);

		strbuf_add(out, at, (size_t)((crlf ? crlf : end) - at));
		if (!crlf)
			return;
		at = crlf + 1;
	}
}

static void search_init(
	struct search *s, const struct strbuf *text, const struct replace_edit *edit)
{
	*s = (struct search){ .text = strbuf_get(text), .len = text->len, .edit = edit };
	s->is_folded = memchr(edit->old_text, '\n', edit->old_len) &&
		       !memchr(edit->old_text, '\r', edit->old_len) &&
		       find_crlf(s->text, s->text + s->len);
	if (!s->is_folded)
		return;
	fold(&s->plain, s->text, s->text + s->len);
	s->crlf = find_crlf(s->text, s->text + s->len);
}

static void search_done(struct search *s)
{
	strbuf_done(&s->plain);
}

/* The place in the text of one in the copy: that of the CR, where a CRLF was folded. */
static size_t unfold(struct search *s, size_t plain)
{
	while (s->plain_at < plain) {
		size_t to = s->crlf ? (size_t)(s->crlf - s->text) : s->len;
		size_t run = to - s->text_at;

		if (run >= plain - s->plain_at) {
			s->text_at += plain - s->plain_at;
			s->plain_at = plain;
		} else {
			s->text_at += run + 2;
			s->plain_at += run + 1;
			s->crlf = find_crlf(s->text + s->text_at, s->text + s->len);
		}
	}
	return s->text_at;
}

static bool search_next(struct search *s, struct span *ret)
{
	const char *where = s->is_folded ? strbuf_get(&s->plain) : s->text;
	size_t len = s->is_folded ? s->plain.len : s->len;
	const char *found =
		memmem(where + s->next, len - s->next, s->edit->old_text, s->edit->old_len);
	size_t at;

	if (!found)
		return false;
	at = (size_t)(found - where);
	s->next = at + s->edit->old_len;
	ret->from = s->is_folded ? unfold(s, at) : at;
	ret->to = s->is_folded ? unfold(s, s->next) : s->next;
	return true;
}

/* Failures */

static size_t count_newlines(const char *at, const char *end)
{
	size_t n = 0;

	while (at < end && (at = memchr(at, '\n', (size_t)(end - at)))) {
		n++;
		at++;
	}
	return n;
}

static int fail_ambiguous(const struct strbuf *text, const struct replace_edit *edit, size_t nth,
	struct failure *fail)
{
	auto_(search_done) struct search s;
	auto_strbuf lines = { 0 };
	size_t counted_to = 0;
	size_t line = 1;
	struct span span;
	size_t n = 0;

	search_init(&s, text, edit);
	while (search_next(&s, &span)) {
		if (n++ >= SHOWN_LINES)
			continue;
		line += count_newlines(s.text + counted_to, s.text + span.from);
		counted_to = span.from;
		strbuf_addf(&lines, "%s%zu", n == 1 ? "" : ", ", line);
	}
	/* One that overlaps with itself. */
	return failure_set(fail, "ambiguous",
		"edits[%zu]: old_text matches %zu times, on lines %s%s. Give more text around it, or "
		"set replace_all.",
		nth, n > 1 ? n : 2, strbuf_get(&lines), n > SHOWN_LINES ? " …" : "");
}

static struct span trim(const char *text, size_t from, size_t to)
{
	while (from < to && strchr(" \t\r\n", text[from]) && text[from])
		from++;
	while (from < to && strchr(" \t\r\n", text[to - 1]) && text[to - 1])
		to--;
	return (struct span){ from, to };
}

/* How much of two lines is equal, from both ends; in thousandths of the longer one. */
static size_t likeness(const char *a, size_t a_len, const char *b, size_t b_len)
{
	size_t most = a_len < b_len ? a_len : b_len;
	size_t longest = a_len < b_len ? b_len : a_len;
	size_t head = 0;
	size_t tail = 0;

	most = most < NEAR_BYTES ? most : NEAR_BYTES;
	longest = longest < NEAR_BYTES ? longest : NEAR_BYTES;
	while (head < most && a[head] == b[head])
		head++;
	while (tail < most - head && a[a_len - 1 - tail] == b[b_len - 1 - tail])
		tail++;
	return longest ? (head + tail) * 1000 / longest : 0;
}

/* The line that is most like the first one of old_text that is not blank; 0: none is at all. */
static size_t find_nearest(
	const struct strbuf *text, const struct replace_edit *edit, struct span *ret_line)
{
	const char *bytes = strbuf_get(text);
	struct span want = trim(edit->old_text, 0, edit->old_len);
	const char *end = memchr(edit->old_text + want.from, '\n', want.to - want.from);
	size_t best_score = 300; /* below a third it would only mislead */
	size_t best = 0;
	size_t line = 0;

	if (end)
		want = trim(edit->old_text, want.from, (size_t)(end - edit->old_text));
	for (size_t at = 0; at < text->len && line < NEAR_MAX_LINES;) {
		const char *newline = memchr(bytes + at, '\n', text->len - at);
		size_t next = newline ? (size_t)(newline - bytes) + 1 : text->len;
		struct span have = trim(bytes, at, next);
		size_t score = likeness(bytes + have.from, have.to - have.from,
			edit->old_text + want.from, want.to - want.from);

		line++;
		if (score > best_score) {
			best = line;
			best_score = score;
			*ret_line = have;
		}
		at = next;
	}
	return best;
}

static int fail_no_match(const struct strbuf *text, const struct replace_edit *edit, size_t nth,
	struct failure *fail)
{
	auto_strbuf shown = { 0 };
	struct span span = { 0 };
	size_t line = find_nearest(text, edit, &span);
	size_t len = span.to - span.from;

	if (line == 0)
		return failure_set(fail, "no_match",
			"edits[%zu]: old_text is not in the file, and no line is like it. Read the "
			"file again.",
			nth);
	quote_add(&shown, strbuf_get(text) + span.from, len < QUOTED_BYTES ? len : QUOTED_BYTES);
	return failure_set(fail, "no_match",
		"edits[%zu]: old_text is not in the file as it is. The nearest line is %zu: %s. It must "
		"match exactly, with blanks and indentation.",
		nth, line, strbuf_get(&shown));
}

/* Line ends */

static bool is_crlf(const char *text, const char *newline)
{
	return newline > text && newline[-1] == '\r';
}

/* Whether the line that holds the place `at` ends in CRLF; the last one is as the one before. */
static bool line_is_crlf(const struct search *s, size_t at)
{
	const char *newline = memchr(s->text + at, '\n', s->len - at);

	if (!newline)
		newline = memrchr(s->text, '\n', at);
	return newline && is_crlf(s->text, newline);
}

/* The kinds of line ends in a part, one after the other. */
struct endings {
	const struct search *s;
	const char *at;
	const char *end;
	bool last; /* CRLF */
};

static bool next_is_crlf(struct endings *endings)
{
	const char *newline =
		endings->at ? memchr(endings->at, '\n', (size_t)(endings->end - endings->at))
			    : NULL;

	if (newline)
		endings->last = is_crlf(endings->s->text, newline);
	endings->at = newline ? newline + 1 : NULL;
	return endings->last;
}

/* New text with CR is meant as it is; so is that of an edit whose old text has CR. */
static bool is_literal(const struct replace_edit *edit)
{
	return !memchr(edit->new_text, '\n', edit->new_len) ||
	       memchr(edit->old_text, '\r', edit->old_len) ||
	       memchr(edit->new_text, '\r', edit->new_len);
}

/* `outside`: how the line ends where a part without line end is replaced. */
static void add_new(struct strbuf *out, const struct search *s, struct span span, bool outside)
{
	const struct replace_edit *edit = s->edit;
	struct endings endings = { s, s->text + span.from, s->text + span.to, outside };
	const char *at = edit->new_text;
	const char *end = at + edit->new_len;
	const char *newline;

	if (is_literal(edit)) {
		strbuf_add(out, at, edit->new_len);
		return;
	}
	while ((newline = memchr(at, '\n', (size_t)(end - at)))) {
		strbuf_add(out, at, (size_t)(newline - at));
		strbuf_adds(out, next_is_crlf(&endings) ? "\r\n" : "\n");
		at = newline + 1;
	}
	strbuf_add(out, at, (size_t)(end - at));
}

/* Replacing */

/* 0: none. 1. 2: more than one, or one that overlaps with itself. With `all` the exact number. */
static size_t count_matches(const struct strbuf *text, const struct replace_edit *edit)
{
	auto_(search_done) struct search s;
	struct span span;
	size_t n = 0;

	search_init(&s, text, edit);
	while (search_next(&s, &span)) {
		n++;
		if (!edit->all && n == 2)
			break;
		if (!edit->all)
			s.next -= edit->old_len - 1;
	}
	return n;
}

static size_t most_bytes(const struct replace_edit *edit)
{
	return edit->new_len + count_newlines(edit->new_text, edit->new_text + edit->new_len);
}

/* Lines are looked up once for all matches in them. */
static void rebuild(struct search *s, struct strbuf *out)
{
	const bool needs_ending = !is_literal(s->edit);
	size_t done = 0;
	size_t line_end = 0; /* the line that ends here is known */
	bool outside = false;
	struct span span;

	while (search_next(s, &span)) {
		if (needs_ending && (span.to >= line_end || line_end == 0)) {
			const char *newline = memchr(s->text + span.to, '\n', s->len - span.to);

			outside = line_is_crlf(s, span.to);
			line_end = newline ? (size_t)(newline - s->text) + 1 : SIZE_MAX;
		}
		strbuf_add(out, s->text + done, span.from - done);
		add_new(out, s, span, outside);
		done = span.to;
	}
	strbuf_add(out, s->text + done, s->len - done);
}

int replace_once(struct strbuf *text, const struct replace_edit *edit, size_t nth, size_t max_bytes,
	size_t *ret_count, struct failure *fail)
{
	auto_(search_done) struct search s = { 0 };
	auto_strbuf out = { 0 };
	size_t n = count_matches(text, edit);

	if (n == 0)
		return fail_no_match(text, edit, nth, fail);
	if (!edit->all && n > 1)
		return fail_ambiguous(text, edit, nth, fail);
	if (most_bytes(edit) > edit->old_len &&
		(max_bytes < text->len ||
			n > (max_bytes - text->len) / (most_bytes(edit) - edit->old_len)))
		return failure_set(fail, "too_large",
			"edits[%zu]: the file would have more than %zu bytes afterwards. Insert less, or in fewer places.",
			nth, max_bytes);
	search_init(&s, text, edit);
	(void)strbuf_reserve(&out, text->len);
	rebuild(&s, &out);
	strbuf_done(text);
	*text = out;
	out = (struct strbuf){ 0 };
	*ret_count = n;
	return 0;
}
