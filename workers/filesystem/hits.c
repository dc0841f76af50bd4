/* See hits.h. */
#include "workers/filesystem/hits.h"

#include <errno.h>

#include "shared/alloc.h"
#include "shared/clock.h"
#include "shared/utf8.h"
#include "workers/filesystem/excerpt.h"
#include "workers/filesystem/needle.h"
#include "workers/filesystem/paths.h"
#include "workers/filesystem/room.h"

enum {
	FILE_TIME_MS = 2000, /* for a regular expression */
	LINES_A_LOOK = 256,  /* between two questions whether to stop */
	MATCH_BYTES = 200,   /* around the texts of a match, in text and structured content */
	LINE_BYTES = 40,     /* the same for a line of context */
};

/* A match whose `after` still wants lines. */
struct open_match {
	json_t *after;
	size_t last_line;
};

struct hits {
	struct call *call;
	struct hits_options options;
	struct needle *needle;
	struct room room;
	json_t *matches;
	struct strbuf text;
	struct strbuf mended;
	struct strbuf shown;   /* of a line of context */
	struct strbuf content; /* of a match */
	bool truncated;
	/* Of the file at hand: */
	const char *path;
	int64_t deadline_ms;
	bool is_late;
	bool has_matches;
	const char *first;
	const char *at; /* a line, and its number from 1 */
	const char *end;
	size_t line;
	struct open_match open[HITS_MAX_CONTEXT + 1];
	size_t n_open;
	size_t last_shown; /* line in the text; 0: none */
};

/* All that return an int: as hits_search(). */

static bool is_late(void *arg)
{
	struct hits *hits = arg;

	hits->is_late = hits->options.is_regex && clock_now_ms() > hits->deadline_ms;
	return hits->is_late || call_stopped(hits->call);
}

static int fail_late(struct hits *hits)
{
	auto_strbuf path = { 0 };

	if (!hits->is_late)
		return -ECANCELED;
	paths_show(&path, hits->path);
	(void)call_fail(hits->call, "regex_limit",
		"%s: more than %d s were needed for this file. Make the pattern more exact, or leave "
		"the file out with exclude_patterns.",
		strbuf_get(&path), (int)(FILE_TIME_MS / CLOCK_SECOND_MS));
	return -EINVAL;
}

static int fail_regex(struct hits *hits, int r, const struct failure *fail)
{
	auto_strbuf path = { 0 };

	if (r == -ECANCELED)
		return fail_late(hits);
	paths_show(&path, hits->path);
	(void)call_fail(hits->call, fail->code, "%s: %s", strbuf_get(&path), fail->text);
	return -EINVAL;
}

/* Lines */

struct text {
	const char *at;
	size_t len;
};

/* The line that begins at `at`, without its end. */
static struct text line_at(const struct hits *hits, const char *at)
{
	const char *stop = memchr(at, '\n', (size_t)(hits->end - at));
	size_t len = (size_t)((stop ? stop : hits->end) - at);

	return (struct text){ at, len - (len > 0 && at[len - 1] == '\r') };
}

static const char *next_line(const struct hits *hits, const char *at)
{
	const char *stop = memchr(at, '\n', (size_t)(hits->end - at));

	return stop ? stop + 1 : hits->end;
}

/* 1: the line has a match, *ret_line is the line that it is in (mended where it had to be). */
static int find_in_line(
	struct hits *hits, struct text line, struct text *ret_line, struct regex_span *ret)
{
	struct failure fail;
	int r;

	if (!needle_takes_lines(hits->needle) && !utf8_valid(line.at, line.len)) {
		strbuf_cut(&hits->mended, 0);
		utf8_repair(&hits->mended, line.at, line.len);
		line = (struct text){ hits->mended.data, hits->mended.len };
	}
	*ret_line = line;
	r = needle_find(hits->needle, line.at, line.len, ret, &fail);
	return r < 0 ? fail_regex(hits, r, &fail) : r;
}

/* Showing */

static void show_line(struct hits *hits, size_t line, char mark, const struct strbuf *shown)
{
	if (!hits->has_matches) {
		strbuf_addc(&hits->text, '\n');
		paths_show(&hits->text, hits->path);
		strbuf_addc(&hits->text, ':');
		hits->has_matches = true;
	}
	strbuf_addf(&hits->text, "\n  Line %zu%c ", line, mark);
	strbuf_add(&hits->text, strbuf_get(shown), shown->len);
	hits->last_shown = line;
}

static json_t *shown_json(const struct strbuf *shown)
{
	return json_stringn(strbuf_get(shown), shown->len);
}

/* False, and the search is at its end: there is no more room in the answer. */
static bool take_room(struct hits *hits, const char *text, size_t fixed)
{
	if (room_take(&hits->room, text, fixed))
		return true;
	hits->truncated = true;
	hits->n_open = 0;
	return false;
}

static bool add_context(struct hits *hits, struct text line, size_t number, json_t *list)
{
	struct strbuf *shown = &hits->shown;

	(void)excerpt(shown, line.at, line.len, (struct regex_span){ 0 });
	if (!take_room(hits, strbuf_get(shown), LINE_BYTES))
		return false;
	(void)json_array_append_new(list, shown_json(shown));
	if (number > hits->last_shown)
		show_line(hits, number, '-', shown);
	return true;
}

static void add_before(struct hits *hits, json_t *list)
{
	const char *first = hits->first;
	const char *starts[HITS_MAX_CONTEXT];
	const char *at = hits->at;
	size_t n = 0;

	while (at > first && (int64_t)n < hits->options.context_lines) {
		const char *stop = memrchr(first, '\n', (size_t)(at - 1 - first));

		at = stop ? stop + 1 : first;
		starts[n++] = at;
	}
	for (; n > 0; n--)
		if (!add_context(hits, line_at(hits, starts[n - 1]), hits->line - n, list))
			return;
}

static void add_match(struct hits *hits, struct text line, struct regex_span span)
{
	struct strbuf *content = &hits->content;
	size_t column = excerpt(content, line.at, line.len, span);
	json_t *before = json_array();
	json_t *after = json_array();
	json_t *match;

	if (take_room(hits, strbuf_get(content), MATCH_BYTES) && take_room(hits, hits->path, 0)) {
		match = json_pack("{s:o, s:I, s:I, s:o}", "file", paths_json(hits->path), "line",
			(json_int_t)hits->line, "column", (json_int_t)column, "content",
			shown_json(content));
		(void)json_array_append_new(hits->matches, match);
		add_before(hits, before);
		show_line(hits, hits->line, ':', content);
		if (hits->options.context_lines > 0) {
			(void)json_object_set(match, "before", before);
			(void)json_object_set(match, "after", after);
			hits->open[hits->n_open++] = (struct open_match){
				.after = after,
				.last_line = hits->line + (size_t)hits->options.context_lines,
			};
		}
	}
	json_decref(before);
	json_decref(after);
}

/* The line at hand comes after the first `n` open matches. */
static void add_after(struct hits *hits, struct text line, size_t n)
{
	size_t n_closed = 0;

	for (size_t i = 0; i < n; i++) {
		struct open_match *open = &hits->open[i];

		if (!add_context(hits, line, hits->line, open->after))
			return;
		n_closed += open->last_line == hits->line;
	}
	hits->n_open -= n_closed;
	memmove(hits->open, hits->open + n_closed, hits->n_open * sizeof(*hits->open));
}

/* A file */

/* Goes to the next line that has the text. False: no line has. */
static bool skip_to_hit(struct hits *hits)
{
	struct failure fail;
	struct regex_span span;
	const char *line;

	if (needle_find(hits->needle, hits->at, (size_t)(hits->end - hits->at), &span, &fail) <= 0)
		return false;
	line = memrchr(hits->at, '\n', span.from);
	if (!line)
		return true;
	for (const char *at = hits->at; at <= line; at = next_line(hits, at))
		hits->line++;
	hits->at = line + 1;
	return true;
}

static int search_line(struct hits *hits)
{
	struct text line = line_at(hits, hits->at);
	const size_t n_open = hits->n_open;
	struct regex_span span;
	struct text found;
	int r = 0;

	/* Once it is cut, only what comes after matches is still wanted. */
	if (!hits->truncated)
		r = find_in_line(hits, line, &found, &span);
	if (r < 0)
		return r;
	if (r > 0 && (int64_t)json_array_size(hits->matches) == hits->options.max_results)
		hits->truncated = true;
	else if (r > 0)
		add_match(hits, found, span);
	if (hits->n_open > 0)
		add_after(hits, line, n_open);
	return 0;
}

int hits_search(struct hits *hits, const char *path, const char *bytes, size_t len)
{
	hits->path = path;
	hits->first = bytes;
	hits->at = bytes;
	hits->end = bytes + len;
	hits->line = 1;
	hits->last_shown = 0;
	hits->n_open = 0;
	hits->has_matches = false;
	hits->deadline_ms = clock_now_ms() + FILE_TIME_MS;
	while (hits->at < hits->end && (!hits->truncated || hits->n_open > 0)) {
		int r;

		if (hits->n_open == 0 && needle_takes_lines(hits->needle) && !skip_to_hit(hits))
			return 0;
		if (hits->line % LINES_A_LOOK == 0 && is_late(hits))
			return fail_late(hits);
		r = search_line(hits);
		if (r < 0)
			return r;
		hits->at = next_line(hits, hits->at);
		hits->line++;
	}
	return 0;
}

/* The whole */

int hits_new(struct call *call, const char *query, const struct hits_options *options,
	struct hits **ret, struct failure *fail)
{
	unsigned flags = (options->is_regex ? NEEDLE_REGEX : 0U) |
			 (options->is_case_sensitive ? 0U : NEEDLE_NO_CASE);
	struct needle *needle;
	struct hits *hits;
	int r = needle_new(query, flags, &needle, fail);

	if (r < 0)
		return r;
	hits = alloc_zero(sizeof(*hits));
	hits->call = call;
	hits->options = *options;
	hits->needle = needle;
	hits->room = room_of(call);
	hits->matches = json_array();
	needle_set_stop(needle, is_late, hits);
	*ret = hits;
	return 0;
}

void hits_free(struct hits *hits)
{
	if (!hits)
		return;
	needle_free(hits->needle);
	json_decref(hits->matches);
	strbuf_done(&hits->text);
	strbuf_done(&hits->mended);
	strbuf_done(&hits->shown);
	strbuf_done(&hits->content);
	free(hits);
}

size_t hits_count(const struct hits *hits)
{
	return json_array_size(hits->matches);
}

bool hits_truncated(const struct hits *hits)
{
	return hits->truncated;
}

json_t *hits_json(const struct hits *hits)
{
	return hits->matches;
}

const struct strbuf *hits_text(const struct hits *hits)
{
	return &hits->text;
}
