/* See diff.h. Three steps: lines become numbers, equal lines equal numbers; the numbers are compared
 * by Myers' algorithm (An O(ND) Difference Algorithm and Its Variations, 1986) in its linear-space
 * form; runs of changed lines become hunks.
 *
 * Lines that stand in one text only are changed in any case: they are marked first and left out, so
 * that two texts without anything in common cost nothing. What remains has two budgets: steps for one
 * search, after which the farthest point that was reached cuts the problem in two, and steps for the
 * whole, after which the rest counts as replaced. */
#include "workers/common/diff.h"

#include <errno.h>
#include <stdint.h>

#include "shared/alloc.h"

enum {
	SEARCH_DISTANCE = 2048, /* edits that one search goes to from each side */
	TOTAL_STEPS = 50000000, /* compared lines and tried diagonals; less than a second */
	MAX_BOXES = 128,        /* waiting; each is at most half as hard as the one below */
	EMPTY_SLOT = -1,
	MAX_LINES = 2000000, /* of each side, without those that are equal at both ends */
};

/* One of the two texts. */
struct side {
	const char **lines; /* where each begins; n + 1 of them */
	int32_t *ids;       /* equal lines have equal ids */
	bool *changed;
	int32_t n;
	int32_t skipped; /* lines before the first */
	int32_t *kept;   /* indexes of the lines that stand in the other text too */
	int32_t n_kept;
};

/* Ids of lines by their bytes: open addressing, at most half full. */
struct line_table {
	int32_t *slots; /* ids */
	const char **at;
	size_t *len;
	uint8_t *sides; /* bit 0: stands in a; bit 1: in b */
	size_t size;
	int32_t n;
	uint64_t seed;
};

struct search {
	struct side *a;
	struct side *b;
	int32_t *forward; /* farthest x on each diagonal; index 0 is diagonal 0 */
	int32_t *backward;
	int64_t steps_left;
};

/* A part of the problem: kept lines a[a_from..a_to) against b[b_from..b_to). */
struct box {
	int32_t a_from, a_to;
	int32_t b_from, b_to;
};

static void side_done(struct side *side)
{
	free(side->lines);
	free(side->ids);
	free(side->changed);
	free(side->kept);
}

static size_t count_lines(const char *at, const char *end)
{
	size_t n = 0;

	for (; at < end; n++) {
		const char *newline = memchr(at, '\n', (size_t)(end - at));

		at = newline ? newline + 1 : end;
	}
	return n;
}

static void split_lines(struct side *side, const char *text, const char *end)
{
	const size_t n = count_lines(text, end);
	size_t i = 0;

	side->lines = alloc_zero((n + 1) * sizeof(*side->lines));
	side->ids = alloc_zero((n + 1) * sizeof(*side->ids));
	side->changed = alloc_zero((n + 1) * sizeof(*side->changed));
	side->kept = alloc_zero((n + 1) * sizeof(*side->kept));
	side->n = (int32_t)n;
	for (const char *at = text; at < end; i++) {
		const char *newline = memchr(at, '\n', (size_t)(end - at));

		side->lines[i] = at;
		at = newline ? newline + 1 : end;
	}
	side->lines[n] = end;
}

static void line_table_init(struct line_table *table, int32_t max_lines)
{
	size_t n = (size_t)max_lines + 1;

	table->size = 16;
	while (table->size < 2 * n)
		table->size *= 2;
	table->slots = alloc_resize(NULL, table->size, sizeof(*table->slots));
	for (size_t i = 0; i < table->size; i++)
		table->slots[i] = EMPTY_SLOT;
	table->at = alloc_zero(n * sizeof(*table->at));
	table->len = alloc_zero(n * sizeof(*table->len));
	table->sides = alloc_zero(n);
	/* Addresses are random, so that nobody can choose lines that all hash alike. */
	table->seed = (uint64_t)(uintptr_t)table->slots * UINT64_C(0x9e3779b97f4a7c15);
}

static void line_table_done(struct line_table *table)
{
	free(table->slots);
	free(table->at);
	free(table->len);
	free(table->sides);
}

static uint64_t hash_line(uint64_t seed, const char *line, size_t len)
{
	uint64_t hash = seed ^ len;

	for (; len >= sizeof(uint64_t); len -= sizeof(uint64_t), line += sizeof(uint64_t)) {
		uint64_t word;

		memcpy(&word, line, sizeof(word));
		hash = (hash ^ word) * UINT64_C(0xff51afd7ed558ccd);
		hash ^= hash >> 32;
	}
	for (; len; len--, line++) {
		hash = (hash ^ (unsigned char)*line) * UINT64_C(0xc4ceb9fe1a85ec53);
		hash ^= hash >> 29;
	}
	return hash;
}

static int32_t line_id(struct line_table *table, const char *line, size_t len, uint8_t side)
{
	size_t slot = hash_line(table->seed, line, len) & (table->size - 1);
	int32_t id;

	while ((id = table->slots[slot]) != EMPTY_SLOT) {
		if (table->len[id] == len && memcmp(table->at[id], line, len) == 0) {
			table->sides[id] |= side;
			return id;
		}
		slot = (slot + 1) & (table->size - 1);
	}
	id = table->n++;
	table->slots[slot] = id;
	table->at[id] = line;
	table->len[id] = len;
	table->sides[id] = side;
	return id;
}

static void number_lines(struct line_table *table, struct side *side, uint8_t bit)
{
	for (int32_t i = 0; i < side->n; i++)
		side->ids[i] = line_id(
			table, side->lines[i], (size_t)(side->lines[i + 1] - side->lines[i]), bit);
}

/* Marks the lines that the other text has not, and lists the others. */
static void keep_common(const struct line_table *table, struct side *side)
{
	for (int32_t i = 0; i < side->n; i++) {
		side->changed[i] = table->sides[side->ids[i]] != 3;
		if (!side->changed[i])
			side->kept[side->n_kept++] = i;
	}
}

static bool same(const struct search *s, int32_t x, int32_t y)
{
	return s->a->ids[s->a->kept[x]] == s->b->ids[s->b->kept[y]];
}

static void mark_changed(struct search *s, const struct box *box)
{
	for (int32_t i = box->a_from; i < box->a_to; i++)
		s->a->changed[s->a->kept[i]] = true;
	for (int32_t i = box->b_from; i < box->b_to; i++)
		s->b->changed[s->b->kept[i]] = true;
}

/* The state of one search. Diagonal k is x - y; low and high bound those that were tried. */
struct frontier {
	int32_t *far;
	int32_t start; /* the diagonal of the corner */
	int32_t low;
	int32_t high;
};

/* Widens the range of diagonals by one on each side, or narrows it where the box ends. */
static void widen(
	struct frontier *f, int32_t distance, int32_t lowest, int32_t highest, int32_t outside)
{
	int32_t low = f->start - distance;
	int32_t high = f->start + distance;

	f->low = low < lowest ? lowest + ((low ^ lowest) & 1) : low;
	f->high = high > highest ? highest - ((high ^ highest) & 1) : high;
	if (low >= lowest)
		f->far[low - 1] = outside;
	if (high <= highest)
		f->far[high + 1] = outside;
}

/* One more edit from the upper left corner. True: met the other frontier, at *ret_x, *ret_y. */
static bool step_forward(struct search *s, const struct box *box, const struct frontier *f,
	const struct frontier *other, bool odd, int32_t *ret_x, int32_t *ret_y)
{
	for (int32_t k = f->high; k >= f->low; k -= 2) {
		int32_t x = f->far[k - 1] >= f->far[k + 1] ? f->far[k - 1] + 1 : f->far[k + 1];
		int32_t from = x;

		while (x < box->a_to && x - k < box->b_to && same(s, x, x - k))
			x++;
		f->far[k] = x;
		s->steps_left -= x - from + 1;
		if (odd && k >= other->low && k <= other->high && other->far[k] <= x) {
			*ret_x = x;
			*ret_y = x - k;
			return true;
		}
	}
	return false;
}

/* The same from the lower right corner. */
static bool step_backward(struct search *s, const struct box *box, const struct frontier *f,
	const struct frontier *other, bool odd, int32_t *ret_x, int32_t *ret_y)
{
	for (int32_t k = f->high; k >= f->low; k -= 2) {
		int32_t x = f->far[k - 1] < f->far[k + 1] ? f->far[k - 1] : f->far[k + 1] - 1;
		int32_t from = x;

		while (x > box->a_from && x - k > box->b_from && same(s, x - 1, x - k - 1))
			x--;
		f->far[k] = x;
		s->steps_left -= from - x + 1;
		if (!odd && k >= other->low && k <= other->high && x <= other->far[k]) {
			*ret_x = x;
			*ret_y = x - k;
			return true;
		}
	}
	return false;
}

/* The point of a frontier that is farthest from its corner. */
static void farthest(
	const struct box *box, const struct frontier *f, int32_t *ret_x, int32_t *ret_y)
{
	int64_t best = -1;

	for (int32_t k = f->high; k >= f->low; k -= 2) {
		int32_t x = f->far[k] < box->a_to ? f->far[k] : box->a_to;
		int32_t y = x - k;

		if (y > box->b_to) {
			y = box->b_to;
			x = y + k;
		}
		if (x < box->a_from || y < box->b_from || (int64_t)x + y <= best)
			continue;
		best = (int64_t)x + y;
		*ret_x = x;
		*ret_y = y;
	}
}

/* A point on a shortest path through the box, or when that is too far, on a short one.
 * False: the steps are used up. */
static bool find_middle(struct search *s, const struct box *box, int32_t *ret_x, int32_t *ret_y)
{
	int32_t lowest = box->a_from - box->b_to;
	int32_t highest = box->a_to - box->b_from;
	struct frontier forward = { .far = s->forward, .start = box->a_from - box->b_from };
	struct frontier backward = { .far = s->backward, .start = box->a_to - box->b_to };
	bool odd = (forward.start - backward.start) & 1;

	forward.low = forward.high = forward.start;
	backward.low = backward.high = backward.start;
	forward.far[forward.start] = box->a_from;
	backward.far[backward.start] = box->a_to;
	for (int32_t distance = 1; s->steps_left > 0; distance++) {
		widen(&forward, distance, lowest, highest, INT32_MIN / 2);
		if (step_forward(s, box, &forward, &backward, odd, ret_x, ret_y))
			return true;
		widen(&backward, distance, lowest, highest, INT32_MAX / 2);
		if (step_backward(s, box, &backward, &forward, odd, ret_x, ret_y))
			return true;
		if (distance >= SEARCH_DISTANCE) {
			farthest(box, &forward, ret_x, ret_y);
			return true;
		}
	}
	return false;
}

/* Equal lines at both ends belong to every shortest path. */
static void trim(const struct search *s, struct box *box)
{
	while (box->a_from < box->a_to && box->b_from < box->b_to &&
		same(s, box->a_from, box->b_from)) {
		box->a_from++;
		box->b_from++;
	}
	while (box->a_from < box->a_to && box->b_from < box->b_to &&
		same(s, box->a_to - 1, box->b_to - 1)) {
		box->a_to--;
		box->b_to--;
	}
}

static void compare(struct search *s)
{
	struct box boxes[MAX_BOXES];
	int n = 1;

	boxes[0] = (struct box){ .a_to = s->a->n_kept, .b_to = s->b->n_kept };
	while (n > 0) {
		struct box box = boxes[--n];
		int32_t x = 0;
		int32_t y = 0;

		trim(s, &box);
		if (box.a_from == box.a_to || box.b_from == box.b_to || n + 2 > MAX_BOXES ||
			!find_middle(s, &box, &x, &y)) {
			mark_changed(s, &box);
			continue;
		}
		boxes[n++] = (struct box){ x, box.a_to, y, box.b_to };
		boxes[n++] = (struct box){ box.a_from, x, box.b_from, y };
	}
}

static void find_changes(struct side *a, struct side *b)
{
	auto_(line_table_done) struct line_table table = { 0 };
	struct search s = { .a = a, .b = b, .steps_left = TOTAL_STEPS };
	auto_free int32_t *forward = NULL;
	auto_free int32_t *backward = NULL;
	size_t diagonals;

	line_table_init(&table, a->n + b->n);
	number_lines(&table, a, 1);
	number_lines(&table, b, 2);
	keep_common(&table, a);
	keep_common(&table, b);
	/* From -b->n_kept - 1 to a->n_kept + 1. */
	diagonals = (size_t)a->n_kept + (size_t)b->n_kept + 3;
	forward = alloc_zero(diagonals * sizeof(*forward));
	backward = alloc_zero(diagonals * sizeof(*backward));
	s.forward = forward + b->n_kept + 1;
	s.backward = backward + b->n_kept + 1;
	compare(&s);
}

/* Lines a[a_from..a_to) were replaced by b[b_from..b_to). */
struct change {
	int32_t a_from, a_to;
	int32_t b_from, b_to;
};

/* The next change at or behind the lines a, b, which correspond. False: there is none. */
static bool next_change(
	const struct side *a, const struct side *b, int32_t at_a, int32_t at_b, struct change *ret)
{
	while (at_a < a->n && at_b < b->n && !a->changed[at_a] && !b->changed[at_b]) {
		at_a++;
		at_b++;
	}
	*ret = (struct change){ at_a, at_a, at_b, at_b };
	while (ret->a_to < a->n && a->changed[ret->a_to])
		ret->a_to++;
	while (ret->b_to < b->n && b->changed[ret->b_to])
		ret->b_to++;
	return ret->a_to > at_a || ret->b_to > at_b;
}

static void add_range(struct strbuf *out, char sign, int32_t from, int32_t n)
{
	strbuf_addf(out, "%c%d", sign, n ? from + 1 : from);
	if (n != 1)
		strbuf_addf(out, ",%d", n);
}

static void add_lines(
	struct strbuf *out, char sign, const struct side *side, int32_t from, int32_t to)
{
	for (int32_t i = from; i < to; i++) {
		size_t len = (size_t)(side->lines[i + 1] - side->lines[i]);

		strbuf_addc(out, sign);
		strbuf_add(out, side->lines[i], len);
		if (side->lines[i][len - 1] != '\n')
			strbuf_adds(out, "\n\\ No newline at end of file\n");
	}
}

/* Writes the hunk that begins with *change; on return *change is its last one. */
static void add_hunk(struct strbuf *out, const struct side *a, const struct side *b,
	int32_t context, struct change *change)
{
	struct change first = *change;
	struct change next;
	int32_t before = first.a_from < context ? first.a_from : context;
	int32_t after;
	int32_t at = first.a_from - before;
	auto_strbuf body = { 0 };

	for (;;) {
		add_lines(&body, ' ', a, at, change->a_from);
		add_lines(&body, '-', a, change->a_from, change->a_to);
		add_lines(&body, '+', b, change->b_from, change->b_to);
		at = change->a_to;
		if (!next_change(a, b, change->a_to, change->b_to, &next) ||
			next.a_from - at > 2 * context)
			break;
		*change = next;
	}
	after = a->n - at < context ? a->n - at : context;
	add_lines(&body, ' ', a, at, at + after);

	strbuf_adds(out, "@@ ");
	add_range(out, '-', a->skipped + first.a_from - before, at + after - first.a_from + before);
	strbuf_addc(out, ' ');
	add_range(out, '+', b->skipped + first.b_from - before,
		change->b_to + after - first.b_from + before);
	strbuf_adds(out, " @@\n");
	strbuf_add(out, body.data, body.len);
}

/* What lies between the lines that both texts have at their ends. */
struct middle {
	const char *a, *a_end;
	const char *b, *b_end;
	size_t skipped; /* lines before it */
};

static const char *line_before(const char *text, const char *at)
{
	const char *newline = at > text ? memrchr(text, '\n', (size_t)(at - text - 1)) : NULL;

	return newline ? newline + 1 : text;
}

static const char *line_behind(const char *at, const char *end)
{
	const char *newline = memchr(at, '\n', (size_t)(end - at));

	return newline ? newline + 1 : end;
}

/* Leaves out the lines at the beginning that are equal, but for the context. */
static void skip_head(struct middle *m, size_t context)
{
	const char *text = m->a;
	const char *same_to = m->a;
	const char *b = m->b;
	size_t len;

	while (same_to < m->a_end && b < m->b_end && *same_to == *b) {
		same_to++;
		b++;
	}
	while (same_to > text && same_to[-1] != '\n')
		same_to--;
	for (size_t i = 0; i < context && same_to > text; i++)
		same_to = line_before(text, same_to);
	len = (size_t)(same_to - text);
	m->skipped = count_lines(text, same_to);
	m->a += len;
	m->b += len;
}

/* The same at the end. Both sides keep what skip_head() left them, so they still correspond. */
static void skip_tail(struct middle *m, size_t context)
{
	const char *a = m->a_end;
	const char *b = m->b_end;

	while (a > m->a && b > m->b && a[-1] == b[-1]) {
		a--;
		b--;
	}
	/* To the beginning of a line, in both. */
	if (!(a == m->a && b == m->b))
		a = line_behind(a, m->a_end);
	for (size_t i = 0; i < context && a < m->a_end; i++)
		a = line_behind(a, m->a_end);
	m->b_end -= m->a_end - a;
	m->a_end = a;
}

static bool needs_quotes(const char *name)
{
	for (; *name; name++)
		if ((unsigned char)*name < 0x20 || strchr("\"\\\x7f", *name))
			return true;
	return false;
}

void diff_add_name(struct strbuf *out, const char *name)
{
	static const char escaped[] = "\a\b\t\n\v\f\r\"\\";
	static const char letters[] = "abtnvfr\"\\";

	if (!needs_quotes(name)) {
		strbuf_adds(out, name);
		return;
	}
	strbuf_addc(out, '"');
	for (; *name; name++) {
		const char *at = strchr(escaped, *name);

		if (at)
			strbuf_addf(out, "\\%c", letters[at - escaped]);
		else if ((unsigned char)*name < 0x20 || *name == 0x7f)
			strbuf_addf(out, "\\%03o", (unsigned)(unsigned char)*name);
		else
			strbuf_addc(out, *name);
	}
	strbuf_addc(out, '"');
}

static void add_name_line(struct strbuf *out, const char *sign, const char *name)
{
	strbuf_adds(out, sign);
	diff_add_name(out, name);
	/* Tells where the name ends to programs that look for a date behind it. */
	if (strchr(name, ' '))
		strbuf_addc(out, '\t');
	strbuf_addc(out, '\n');
}

int diff_unified_texts(const struct diff_text *a_text, const struct diff_text *b_text,
	size_t context, size_t max_bytes, struct strbuf *out)
{
	auto_(side_done) struct side a = { 0 };
	auto_(side_done) struct side b = { 0 };
	struct middle m = { a_text->bytes, a_text->bytes + a_text->len, b_text->bytes,
		b_text->bytes + b_text->len, 0 };
	struct change change = { 0 };

	if (a_text->len == b_text->len && memcmp(m.a, m.b, a_text->len) == 0)
		return 0;
	skip_head(&m, context);
	skip_tail(&m, context);
	if (count_lines(m.a, m.a_end) > MAX_LINES || count_lines(m.b, m.b_end) > MAX_LINES)
		return -E2BIG;
	split_lines(&a, m.a, m.a_end);
	split_lines(&b, m.b, m.b_end);
	a.skipped = (int32_t)m.skipped;
	b.skipped = (int32_t)m.skipped;
	find_changes(&a, &b);
	add_name_line(out, "--- ", a_text->name);
	add_name_line(out, "+++ ", b_text->name);
	while (next_change(&a, &b, change.a_to, change.b_to, &change)) {
		size_t len = out->len;

		add_hunk(out, &a, &b, (int32_t)context, &change);
		if (out->len > max_bytes) {
			strbuf_cut(out, len);
			return -E2BIG;
		}
	}
	return 0;
}

int diff_unified(const char *a_text, const char *b_text, size_t context, size_t max_bytes,
	struct strbuf *out)
{
	const struct diff_text a = { "a", a_text, strlen(a_text) };
	const struct diff_text b = { "b", b_text, strlen(b_text) };

	return diff_unified_texts(&a, &b, context, max_bytes, out);
}
