/* See excerpt.h. */
#include "workers/filesystem/excerpt.h"

#include "shared/utf8.h"

/* Before the match, the match, and behind it. */
struct part {
	struct strbuf text;
	size_t chars;
	size_t shown; /* of them */
};

enum { BEFORE, MATCH, BEHIND, N_PARTS };

/* So many bytes are more characters than are shown; a character cut at their end is not. */
enum { LOOK_BYTES = 4 * (EXCERPT_MAX_CHARS + 2) };

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

static void read_part(struct part *part, const char *bytes, size_t len)
{
	utf8_repair(&part->text, bytes, len);
	part->chars = utf8_count(strbuf_get(&part->text), part->text.len);
}

/* A byte that is not UTF-8 is one. */
static size_t count_chars(const char *bytes, size_t len)
{
	size_t n = 0;

	for (size_t at = 0; at < len; n++) {
		size_t step = utf8_next(bytes + at, len - at);

		at += step ? step : 1;
	}
	return n;
}

/* As much on either side; what one side does not need goes to the other. */
static void share(struct part *parts, size_t room)
{
	size_t rest;

	parts[MATCH].shown = least(parts[MATCH].chars, room);
	rest = room - parts[MATCH].shown;
	parts[BEFORE].shown = least(parts[BEFORE].chars, rest / 2);
	parts[BEHIND].shown = least(parts[BEHIND].chars, rest - parts[BEFORE].shown);
	parts[BEFORE].shown = least(parts[BEFORE].chars, rest - parts[BEHIND].shown);
}

static void add_first(struct strbuf *out, const struct part *part)
{
	const char *text = strbuf_get(&part->text);

	strbuf_add(out, text, utf8_cut(text, part->text.len, part->shown));
}

static void add_last(struct strbuf *out, const struct part *part)
{
	const char *text = strbuf_get(&part->text);
	size_t skipped = utf8_cut(text, part->text.len, part->chars - part->shown);

	strbuf_add(out, text + skipped, part->text.len - skipped);
}

size_t excerpt(struct strbuf *out, const char *line, size_t len, struct regex_span match)
{
	struct part parts[N_PARTS] = { 0 };
	size_t before = least(match.from, LOOK_BYTES);
	bool is_cut;

	read_part(&parts[BEFORE], line + match.from - before, before);
	read_part(&parts[MATCH], line + match.from, least(match.to - match.from, LOOK_BYTES));
	read_part(&parts[BEHIND], line + match.to, least(len - match.to, LOOK_BYTES));
	is_cut = parts[BEFORE].chars + parts[MATCH].chars + parts[BEHIND].chars > EXCERPT_MAX_CHARS;
	share(parts, is_cut ? EXCERPT_MAX_CHARS - 2 : EXCERPT_MAX_CHARS);

	strbuf_cut(out, 0);
	if (parts[BEFORE].shown < parts[BEFORE].chars)
		strbuf_adds(out, "…");
	add_last(out, &parts[BEFORE]);
	add_first(out, &parts[MATCH]);
	add_first(out, &parts[BEHIND]);
	if (parts[MATCH].shown + parts[BEHIND].shown < parts[MATCH].chars + parts[BEHIND].chars)
		strbuf_adds(out, "…");
	for (size_t i = 0; i < N_PARTS; i++)
		strbuf_done(&parts[i].text);
	return count_chars(line, match.from) + 1;
}
