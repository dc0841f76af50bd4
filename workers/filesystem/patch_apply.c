/* See patch.h: applying. The file is an array of the places where its lines begin; hunks are placed
 * in order, each behind the one before. */
#include <stdint.h>

#include "shared/alloc.h"
#include "shared/quote.h"
#include "workers/filesystem/patch.h"

enum {
	MAX_STEPS = 20000000, /* compared lines (long ones count more), for one file */
	QUOTED_BYTES = 120,
};

/* What to do when the patch is not of this file as it is. */
#define AGAIN "Read the file again, and make the patch from that."

struct span {
	const char *at;
	size_t len; /* with its line end, if it has one */
};

/* A line of a hunk. */
struct body_line {
	char sign;
	struct span text; /* what the file has: without LF when the patch says so */
};

struct old_file {
	const char *text;
	size_t len;
	uint32_t *starts; /* n + 1 */
	size_t n;
};

struct work {
	const struct patch *patch;
	const struct old_file *old;
	struct strbuf *out;
	size_t copied; /* lines of the old file that are in `out`, or were removed */
	long shift;    /* how far the last hunk was from where it should be */
	size_t moved;
	bool is_lenient; /* a hunk fits only because CRLF counts as LF */
	size_t steps;
	struct failure *fail;
};

static void old_done(struct old_file *old)
{
	free(old->starts);
}

static void old_init(struct old_file *old, const char *text, size_t len)
{
	size_t n = 0;

	*old = (struct old_file){ .text = text, .len = len };
	for (size_t at = 0; at < len; n++) {
		const char *newline = memchr(text + at, '\n', len - at);

		at = newline ? (size_t)(newline - text) + 1 : len;
	}
	old->starts = alloc_resize(NULL, n + 1, sizeof(*old->starts));
	for (size_t at = 0; at < len;) {
		const char *newline = memchr(text + at, '\n', len - at);

		old->starts[old->n++] = (uint32_t)at;
		at = newline ? (size_t)(newline - text) + 1 : len;
	}
	old->starts[old->n] = (uint32_t)len;
}

static struct span old_line(const struct old_file *old, size_t i)
{
	return (struct span){ old->text + old->starts[i], old->starts[i + 1] - old->starts[i] };
}

/* The line at *pos of the patch, before `end`; *pos goes behind it and its remark. */
static bool next_line(const struct work *w, size_t end, size_t *pos, struct body_line *ret)
{
	const char *text = w->patch->text;
	const char *at = text + *pos;
	const char *newline;
	size_t len;
	bool has_sign;

	if (*pos >= end)
		return false;
	newline = memchr(at, '\n', end - *pos);
	len = newline ? (size_t)(newline - at) + 1 : end - *pos;
	*pos += len;
	has_sign = len > 0 && *at != '\n' && *at != '\r';
	ret->sign = ' ';
	if (has_sign)
		ret->sign = *at;
	ret->text = (struct span){ at + has_sign, len - has_sign };
	if (*pos >= end || text[*pos] != '\\')
		return true;
	/* "\ No newline at end of file" */
	if (newline)
		ret->text.len--;
	newline = memchr(text + *pos, '\n', end - *pos);
	*pos = newline ? (size_t)(newline - text) + 1 : end;
	return true;
}

static bool ends_with(struct span span, const char *end)
{
	size_t len = strlen(end);

	return span.len >= len && memcmp(span.at + span.len - len, end, len) == 0;
}

/* *ret_lenient: only because CRLF counts as LF. */
static bool is_equal(struct span file, struct span patch, bool *ret_lenient)
{
	if (file.len == patch.len && memcmp(file.at, patch.at, file.len) == 0)
		return true;
	if (file.len != patch.len + 1 || !ends_with(file, "\r\n") || !ends_with(patch, "\n"))
		return false;
	*ret_lenient = true;
	return memcmp(file.at, patch.at, patch.len - 1) == 0;
}

/* Whether a hunk fits behind the first `at` lines; *ret_wrong: else the line that does not. */
static bool fits(struct work *w, const struct patch_hunk *hunk, size_t at, bool *ret_lenient,
	size_t *ret_wrong)
{
	size_t pos = hunk->body;
	struct body_line line;

	*ret_lenient = false;
	while (next_line(w, hunk->end, &pos, &line)) {
		if (line.sign == '+')
			continue;
		w->steps += 1 + line.text.len / 64;
		if (at >= w->old->n || !is_equal(old_line(w->old, at), line.text, ret_lenient)) {
			*ret_wrong = at;
			return false;
		}
		at++;
	}
	return true;
}

static int fail_hunk(struct work *w, size_t nth, size_t wanted, size_t wrong)
{
	auto_strbuf shown = { 0 };

	if (wrong >= w->old->n)
		return failure_set(w->fail, "no_match",
			"hunk %zu is for line %zu, but the file has %zu lines. " AGAIN, nth, wanted,
			w->old->n);
	quote_add(&shown, old_line(w->old, wrong).at,
		old_line(w->old, wrong).len < QUOTED_BYTES ? old_line(w->old, wrong).len
							   : QUOTED_BYTES);
	return failure_set(w->fail, "no_match",
		"hunk %zu is for line %zu, and fits nowhere: line %zu of the file is %s. " AGAIN,
		nth, wanted, wrong + 1, strbuf_get(&shown));
}

/* Lines before the hunk, as its header says and the hunks before it suggest. */
static long expected_place(const struct work *w, const struct patch_hunk *hunk)
{
	long at = (long)hunk->old_start - (hunk->old_lines > 0);

	return at + w->shift;
}

/* Where the hunk fits, nearest to where it should be. One without any old line has nothing by which it
 * could be found elsewhere. */
static int find_place(
	struct work *w, const struct patch_hunk *hunk, size_t nth, size_t *ret, bool *ret_lenient)
{
	const long first = (long)w->copied;
	const long last = (long)w->old->n - (long)hunk->old_lines;
	long want = expected_place(w, hunk);
	size_t wrong = w->old->n;
	size_t first_wrong = w->old->n;

	if (hunk->old_lines == 0 && (want < first || want > last))
		return fail_hunk(w, nth, hunk->old_start, w->old->n);
	/* The nearest place to one that is not in the file is nearest to its edge. */
	want = want < first ? first : want > last ? last : want;
	for (long away = 0; want - away >= first || want + away <= last; away++) {
		for (int side = -1; side <= 1; side += 2) {
			long at = want + side * away;

			if (at < first || at > last || (away == 0 && side == 1))
				continue;
			if (fits(w, hunk, (size_t)at, ret_lenient, &wrong)) {
				*ret = (size_t)at;
				return 0;
			}
			if (away == 0)
				first_wrong = wrong;
		}
		if (w->steps > MAX_STEPS)
			break;
	}
	return fail_hunk(w, nth, hunk->old_start, first_wrong);
}

static void copy_old(struct work *w, size_t to)
{
	const struct old_file *old = w->old;

	strbuf_add(w->out, old->text + old->starts[w->copied],
		old->starts[to] - old->starts[w->copied]);
	w->copied = to;
}

/* Behind a line that has no line end nothing can follow. */
static int check_open_line(struct work *w, size_t begin, size_t nth)
{
	if (w->out->len == begin || w->out->data[w->out->len - 1] == '\n')
		return 0;
	return failure_set(w->fail, "no_match",
		"hunk %zu adds lines behind a last line that has no line end. Replace that line as well.",
		nth);
}

static void add_new(struct work *w, struct span text, bool crlf)
{
	if (crlf && ends_with(text, "\n") && !ends_with(text, "\r\n")) {
		strbuf_add(w->out, text.at, text.len - 1);
		strbuf_adds(w->out, "\r\n");
	} else {
		strbuf_add(w->out, text.at, text.len);
	}
}

static int apply_hunk(struct work *w, const struct patch_hunk *hunk, size_t nth, size_t begin)
{
	size_t pos = hunk->body;
	struct body_line line;
	bool crlf = false;
	size_t at = 0;
	int r = find_place(w, hunk, nth, &at, &crlf);

	if (r < 0)
		return r;
	w->moved += (long)at != expected_place(w, hunk) - w->shift;
	w->shift += (long)at - expected_place(w, hunk);
	copy_old(w, at);
	w->is_lenient |= crlf;
	/* Nothing old in the hunk that shows how lines end: as the one before, if this patch has
	 * lost CR elsewhere. */
	if (hunk->old_lines == 0 && at > 0 && w->is_lenient)
		crlf = ends_with(old_line(w->old, at - 1), "\r\n");
	while (r == 0 && next_line(w, hunk->end, &pos, &line)) {
		if (line.sign != '-')
			r = check_open_line(w, begin, nth);
		if (line.sign == ' ')
			copy_old(w, w->copied + 1);
		else if (line.sign == '-')
			w->copied++;
		else
			add_new(w, line.text, crlf);
	}
	return r;
}

static int fail_size(struct failure *fail)
{
	return failure_set(fail, "too_large",
		"a file that is patched may have %d bytes. Change it with code_edit.",
		PATCH_MAX_FILE_BYTES);
}

static int finish(struct work *w, const struct patch_file *file, size_t begin)
{
	if (w->copied < w->old->n && check_open_line(w, begin, file->n_hunks) < 0)
		return -1;
	copy_old(w, w->old->n);
	if (w->out->len - begin > PATCH_MAX_FILE_BYTES)
		return fail_size(w->fail);
	if (!file->new_name && w->out->len > begin)
		return failure_set(w->fail, "no_match",
			"the patch deletes the file, but there is more in it than the patch removes. Use code_delete.");
	return 0;
}

int patch_apply(const struct patch *patch, const struct patch_file *file, const char *old,
	size_t old_len, struct strbuf *out, size_t *ret_moved, struct failure *fail)
{
	auto_(old_done) struct old_file lines = { 0 };
	struct work w = { .patch = patch, .old = &lines, .out = out, .fail = fail };
	const size_t begin = out->len;
	int r = 0;

	if (old_len > PATCH_MAX_FILE_BYTES)
		return fail_size(fail);
	old_init(&lines, old, old_len);
	for (size_t i = 0; r == 0 && i < file->n_hunks; i++)
		r = apply_hunk(&w, &file->hunks[i], i + 1, begin);
	if (r == 0)
		r = finish(&w, file, begin);
	if (r < 0) {
		strbuf_cut(out, begin);
		return r;
	}
	*ret_moved = w.moved;
	return 0;
}
