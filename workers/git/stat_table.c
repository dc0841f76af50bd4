#include "workers/git/stat_table.h"

#include <stdio.h>

#include "shared/alloc.h"
#include "shared/utf8.h"
#include "workers/git/out.h"

enum {
	WIDTH = 80,
	LEAST_GRAPH = 6,
	FRAME = 6, /* " ", " | ", " " and one to spare */
};

void stat_table_done(struct stat_table *table)
{
	for (size_t i = 0; i < table->n; i++)
		free(table->rows[i].name);
	free(table->rows);
	*table = (struct stat_table){ 0 };
}

/* Bytes of the leading directories that both have, with the slash. */
static size_t common_prefix(const char *a, const char *b)
{
	size_t len = 0;

	for (size_t i = 0; a[i] && a[i] == b[i]; i++)
		if (a[i] == '/')
			len = i + 1;

	return len;
}

/* Bytes of the common end from a slash on, where `prefix` bytes are taken at the start: the slash of
 * the prefix may be that of the end as well, as in "a/{ => b}/c". */
static size_t common_suffix(const char *a, const char *b, size_t prefix)
{
	size_t a_len = strlen(a), b_len = strlen(b);
	size_t floor = prefix > 0 ? prefix - 1 : 0;
	size_t len = 0;

	for (size_t i = 1; i <= a_len - floor && i <= b_len - floor; i++) {
		if (a[a_len - i] != b[b_len - i])
			break;
		if (a[a_len - i] == '/')
			len = i;
	}
	return len;
}

/* What is left of a name of `len` bytes between prefix and suffix; they may share one slash. */
static void add_middle(struct strbuf *buf, const char *name, size_t prefix, size_t suffix)
{
	size_t len = strlen(name);

	if (len > prefix + suffix)
		strbuf_add(buf, name + prefix, len - prefix - suffix);
}

void stat_table_rename(struct strbuf *buf, const char *from, const char *to)
{
	size_t prefix = common_prefix(from, to);
	size_t suffix = common_suffix(from, to, prefix);

	if (prefix + suffix == 0) {
		strbuf_addf(buf, "%s => %s", from, to);
		return;
	}
	strbuf_add(buf, from, prefix);
	strbuf_addc(buf, '{');
	add_middle(buf, from, prefix, suffix);
	strbuf_adds(buf, " => ");
	add_middle(buf, to, prefix, suffix);
	strbuf_addc(buf, '}');
	strbuf_adds(buf, from + strlen(from) - suffix);
}

static char *row_name(const git_diff_delta *delta)
{
	auto_strbuf raw = { 0 };
	auto_strbuf name = { 0 };

	if (delta->status == GIT_DELTA_RENAMED || delta->status == GIT_DELTA_COPIED)
		stat_table_rename(&raw, delta->old_file.path, delta->new_file.path);
	else
		strbuf_adds(
			&raw, delta->new_file.path ? delta->new_file.path : delta->old_file.path);
	out_name(&name, strbuf_get(&raw));
	return strbuf_take(&name);
}

void stat_table_add(struct stat_table *table, const git_diff_delta *delta, size_t additions,
	size_t deletions, bool is_binary)
{
	if ((table->n & (table->n - 1)) == 0)
		table->rows = alloc_resize(
			table->rows, table->n ? table->n * 2 : 1, sizeof(*table->rows));
	table->rows[table->n++] = (struct stat_row){
		.name = row_name(delta),
		.additions = additions,
		.deletions = deletions,
		.old_bytes = delta->old_file.size,
		.new_bytes = delta->new_file.size,
		.is_binary = is_binary,
	};
}

struct widths {
	size_t name;
	size_t number;
	size_t graph;
	size_t max_change;
};

static size_t digits_of(size_t n)
{
	size_t digits = 1;

	while (n /= 10)
		digits++;

	return digits;
}

static size_t name_chars(const struct stat_row *row)
{
	return utf8_count(row->name, strlen(row->name));
}

/* The graph gets what the names leave, but at least three eighths of the line; then names are cut. */
static struct widths measure(const struct stat_table *table)
{
	struct widths w = { 0 };
	size_t bytes = 0; /* columns of the longest "N -> M bytes" */
	size_t cap;

	for (size_t i = 0; i < table->n; i++) {
		const struct stat_row *row = &table->rows[i];
		size_t change = row->additions + row->deletions;

		if (name_chars(row) > w.name)
			w.name = name_chars(row);
		if (row->is_binary) {
			size_t columns = digits_of(row->old_bytes) + digits_of(row->new_bytes) +
					 strlen(" ->  bytes");

			bytes = columns > bytes ? columns : bytes;
			w.number = strlen("Bin");
		} else if (change > w.max_change) {
			w.max_change = change;
		}
	}
	if (digits_of(w.max_change) > w.number)
		w.number = digits_of(w.max_change);
	w.graph = w.max_change > bytes ? w.max_change : bytes;
	if (w.name + w.number + FRAME + w.graph <= WIDTH)
		return w;

	cap = WIDTH * 3 / 8 - w.number - FRAME;
	if (w.graph > cap)
		w.graph = cap < LEAST_GRAPH ? LEAST_GRAPH : cap;
	if (w.name > WIDTH - w.number - FRAME - w.graph)
		w.name = WIDTH - w.number - FRAME - w.graph;
	else
		w.graph = WIDTH - w.number - FRAME - w.name;
	return w;
}

/* A name that is too long loses its start, at a slash where there is one. */
static void add_name(struct strbuf *text, const struct stat_row *row, size_t width)
{
	size_t chars = name_chars(row);
	const char *name = row->name;

	strbuf_addc(text, ' ');
	if (chars > width) {
		size_t keep = width - strlen("...");
		const char *slash;

		name += utf8_cut(name, strlen(name), chars - keep);
		slash = strchr(name, '/');
		name = slash ? slash : name;
		strbuf_adds(text, "...");
		chars = utf8_count(name, strlen(name)) + strlen("...");
	}
	strbuf_adds(text, name);
	for (; chars < width; chars++)
		strbuf_addc(text, ' ');
	strbuf_adds(text, " |");
}

/* `n` changes as signs: any change has at least one. */
static size_t scale(size_t n, const struct widths *w)
{
	return n == 0 || w->max_change == 0 ? 0 : 1 + n * (w->graph - 1) / w->max_change;
}

static void add_graph(struct strbuf *text, const struct stat_row *row, const struct widths *w)
{
	size_t plus = row->additions, minus = row->deletions;

	if (w->graph <= w->max_change) {
		size_t total = scale(plus + minus, w);

		if (total < 2 && plus && minus)
			total = 2;
		if (plus < minus) {
			plus = scale(plus, w);
			minus = total - plus;
		} else {
			minus = scale(minus, w);
			plus = total - minus;
		}
	}
	if (plus + minus > 0)
		strbuf_addc(text, ' ');
	while (plus-- > 0)
		strbuf_addc(text, '+');
	while (minus-- > 0)
		strbuf_addc(text, '-');
}

static void add_row(struct strbuf *text, const struct stat_row *row, const struct widths *w)
{
	add_name(text, row, w->name);
	if (row->is_binary) {
		strbuf_addf(text, " %*s", (int)w->number, "Bin");
		if (row->old_bytes || row->new_bytes)
			strbuf_addf(text, " %ju -> %ju bytes", (uintmax_t)row->old_bytes,
				(uintmax_t)row->new_bytes);
	} else {
		strbuf_addf(text, " %*zu", (int)w->number, row->additions + row->deletions);
		add_graph(text, row, w);
	}
	strbuf_addc(text, '\n');
}

void stat_table_print(const struct stat_table *table, size_t n_files, size_t additions,
	size_t deletions, struct strbuf *text)
{
	struct widths w = measure(table);

	if (n_files == 0)
		return;
	for (size_t i = 0; i < table->n; i++)
		add_row(text, &table->rows[i], &w);

	strbuf_addf(text, " %zu file%s changed", n_files, n_files == 1 ? "" : "s");
	if (additions > 0 || deletions == 0)
		strbuf_addf(text, ", %zu insertion%s(+)", additions, additions == 1 ? "" : "s");
	if (deletions > 0 || additions == 0)
		strbuf_addf(text, ", %zu deletion%s(-)", deletions, deletions == 1 ? "" : "s");
	strbuf_addc(text, '\n');
}
