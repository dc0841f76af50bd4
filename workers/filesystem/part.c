/* See part.h. */
#include "workers/filesystem/part.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include "shared/alloc.h"
#include "shared/fd.h"
#include "shared/limits.h"
#include "shared/quote.h"
#include "workers/filesystem/blocks.h"
#include "workers/filesystem/paths.h"
#include "workers/filesystem/text.h"

struct reader {
	struct call *call;
	const struct part_want *want;
	struct failure *why;
	int fd;
	enum text_encoding encoding;
	int64_t size; /* when it was opened */
	int64_t at;   /* where the next block begins */
	char *block;  /* BLOCK_BYTES */
	size_t max_bytes;
	bool is_answer_limit; /* max_bytes comes from what an answer can hold */
	struct strbuf bytes;  /* of the part */
	bool is_open;         /* the last line before `at` has no line end */
};

static void reader_done(struct reader *reader)
{
	(void)fd_close(reader->fd);
	free(reader->block);
	strbuf_done(&reader->bytes);
}

void part_done(struct part *part)
{
	strbuf_done(&part->content);
}

static bool wants_all(const struct part_want *want)
{
	return want->n_last == 0 && want->first_line == 1 && want->n_lines == PART_TO_END;
}

/* Failures. */

/* `n_fit`: lines of the part that are not too much. */
static void say_too_large(const struct reader *reader, int64_t n_fit)
{
	const struct part_want *want = reader->want;
	char quoted[QUOTE_SIZE];
	char limit[96];

	(void)quote(quoted, want->path);
	if (reader->is_answer_limit)
		(void)snprintf(limit, sizeof(limit), "an answer can hold %zu bytes of text",
			want->max_text_bytes);
	else
		(void)snprintf(limit, sizeof(limit), "max_size_mb allows %g MiB", want->max_mib);
	if (wants_all(want))
		(void)failure_set(reader->why, "too_large",
			"%s has %lld bytes; %s. Read a part with head, tail, or offset and limit.",
			quoted, (long long)reader->size, limit);
	else if (want->n_last > 0)
		(void)failure_set(reader->why, "too_large",
			"the last %lld lines of %s have more bytes: %s. Ask for fewer lines; code_search_content shows the part of a long one that matches.",
			(long long)want->n_last, quoted, limit);
	else if (n_fit == 0)
		(void)failure_set(reader->why, "too_large",
			"line %lld of %s alone has more bytes: %s. code_search_content shows the part of a long line that matches.",
			(long long)want->first_line, quoted, limit);
	else
		(void)failure_set(reader->why, "too_large",
			"the lines of %s from %lld on have more bytes: %s. With limit=%lld they fit.",
			quoted, (long long)want->first_line, limit, (long long)n_fit);
}

static int fail_too_large(const struct reader *reader, int64_t n_fit)
{
	say_too_large(reader, n_fit);
	return reader->is_answer_limit ? -EFBIG : -EINVAL;
}

static int fail_text_too_large(const struct reader *reader)
{
	char quoted[QUOTE_SIZE];

	(void)failure_set(reader->why, "too_large",
		"this text of %s has more bytes than an answer can hold (%zu of UTF-8). Ask for fewer lines.",
		quote(quoted, reader->want->path), reader->want->max_text_bytes);
	return -EFBIG;
}

static int fail_binary(const struct reader *reader)
{
	char quoted[QUOTE_SIZE];

	return failure_set(reader->why, "binary_file",
		"%s is no text: there is a NUL in its first %d bytes. Read it with code_read_media; UTF-16 without a byte order mark, by naming the encoding.",
		quote(quoted, reader->want->path), TEXT_LOOK_BYTES);
}

static int fail_decode(const struct reader *reader, int err)
{
	if (err == -EFBIG)
		return fail_text_too_large(reader);
	return failure_set(reader->why, "bad_encoding",
		"this system cannot convert %s: its C library's character sets are not all installed. Read it with code_read_media.",
		text_encoding_name(reader->encoding));
}

/* A block at `offset` into reader->block. Bytes, or a negative result of part_read(). */
static ssize_t read_block(const struct reader *reader, size_t len, int64_t offset)
{
	ssize_t n = blocks_read(reader->call, reader->fd, reader->block, len, offset);

	if (n < 0 && n != -ECANCELED)
		return paths_failure(reader->why, reader->want->path, (int)n);
	return n;
}

/* The bytes at the beginning of the block in which lines end, until *n_lines is `max`; all of them
 * when the block has fewer. */
static size_t take_lines(const struct reader *reader, size_t len, int64_t max, int64_t *n_lines)
{
	size_t used = 0;

	while (*n_lines < max) {
		size_t n = text_after_line(reader->encoding, reader->block + used, len - used);

		if (n == 0)
			return len;
		used += n;
		++*n_lines;
	}
	return used;
}

static void step(struct reader *reader, size_t used)
{
	reader->at += (int64_t)used;
	reader->is_open = text_last_line(reader->encoding, reader->block, used) != used;
}

/* Stops behind `n_wanted` lines, or at the end of the file; *ret: how many there were. */
static int skip_lines(struct reader *reader, int64_t n_wanted, int64_t *ret)
{
	int64_t n_lines = 0;

	while (n_lines < n_wanted) {
		ssize_t n = read_block(reader, BLOCK_BYTES, reader->at);

		if (n < 0)
			return (int)n;
		if (n == 0)
			break;
		step(reader, take_lines(reader, (size_t)n, n_wanted, &n_lines));
	}
	*ret = n_lines;
	return 0;
}

static int fail_gathered(const struct reader *reader, int64_t n_lines)
{
	(void)take_lines(reader, reader->max_bytes - reader->bytes.len, INT64_MAX, &n_lines);
	return fail_too_large(reader, n_lines);
}

/* Takes up to `max_lines` from here into reader->bytes, and into `digest` unless NULL. *ret: how many
 * there were. */
static int gather_lines(
	struct reader *reader, int64_t max_lines, struct digest *digest, int64_t *ret)
{
	int64_t n_lines = 0;

	while (n_lines < max_lines) {
		int64_t n_before = n_lines;
		ssize_t n = read_block(reader, BLOCK_BYTES, reader->at);
		size_t used;

		if (n < 0)
			return (int)n;
		if (n == 0)
			break;
		used = take_lines(reader, (size_t)n, max_lines, &n_lines);
		if (used > reader->max_bytes - reader->bytes.len)
			return fail_gathered(reader, n_before);
		strbuf_add(&reader->bytes, reader->block, used);
		if (digest)
			digest_add(digest, reader->block, used);
		step(reader, used);
	}
	*ret = reader->bytes.len > 0 && reader->is_open ? n_lines + 1 : n_lines;
	return 0;
}

/* Where the lines end that are looked through from the end: before the last line's own line end, which
 * does not separate two lines. Half a unit behind it is a line that is open. */
static int last_separator(const struct reader *reader, int64_t *ret)
{
	const int64_t unit = (int64_t)text_unit(reader->encoding);
	const int64_t end = reader->size - reader->size % unit;
	ssize_t n;

	*ret = end;
	if (end == 0 || end < reader->size)
		return 0;
	n = read_block(reader, (size_t)unit, end - unit);
	if (n < 0)
		return (int)n;
	if (n == unit && text_after_line(reader->encoding, reader->block, (size_t)unit) > 0)
		*ret = end - unit;
	return 0;
}

/* Sets reader->at to where the last `n_wanted` lines begin. */
static int find_last_lines(struct reader *reader, int64_t n_wanted)
{
	const size_t unit = text_unit(reader->encoding);
	int64_t end = 0;
	int r = last_separator(reader, &end);

	for (int64_t pos = end; r == 0 && pos > 0;) {
		size_t want = pos < BLOCK_BYTES ? (size_t)pos : BLOCK_BYTES;
		ssize_t n = read_block(reader, want, pos - (int64_t)want);
		size_t at;

		if (n < 0)
			return (int)n;
		pos -= (int64_t)want;
		while ((at = text_last_line(reader->encoding, reader->block, (size_t)n)) > 0) {
			if (--n_wanted == 0) {
				reader->at = pos + (int64_t)at;
				return 0;
			}
			n = (ssize_t)(at - unit);
		}
		if (end - pos > (int64_t)reader->max_bytes)
			return fail_too_large(reader, 0);
	}
	return r;
}

/* The line that begins at reader->at. */
static int count_before(const struct reader *reader, int64_t *ret)
{
	int64_t n_lines = 0;

	for (int64_t pos = 0; pos < reader->at;) {
		int64_t left = reader->at - pos;
		ssize_t n =
			read_block(reader, left < BLOCK_BYTES ? (size_t)left : BLOCK_BYTES, pos);

		if (n < 0)
			return (int)n;
		if (n == 0)
			break;
		n_lines +=
			(int64_t)text_count_line_ends(reader->encoding, reader->block, (size_t)n);
		pos += n;
	}
	*ret = n_lines + 1;
	return 0;
}

/* The number of the first line of a part that was found from the end: where it costs little, or is
 * asked for. */
static int find_number(const struct reader *reader, int64_t *ret)
{
	if (reader->want->line_numbers || reader->at == 0 || reader->size <= BLOCKS_CASUAL_BYTES)
		return count_before(reader, ret);
	*ret = 0;
	return 0;
}

/* Sets reader->at to the part's beginning; *ret_line: its number, 0: not known. *ret_skipped is less
 * than was wanted when the file is shorter. */
static int find_part(struct reader *reader, int64_t *ret_line, int64_t *ret_skipped)
{
	const struct part_want *want = reader->want;
	int r;

	if (want->n_last == 0) {
		*ret_line = want->first_line;
		return skip_lines(reader, want->first_line - 1, ret_skipped);
	}
	r = find_last_lines(reader, want->n_last);
	if (r == 0)
		r = find_number(reader, ret_line);
	*ret_skipped = *ret_line - 1;
	return r;
}

static int has_more(const struct reader *reader, bool *ret)
{
	ssize_t n = read_block(reader, 1, reader->at);

	if (n < 0)
		return (int)n;
	*ret = n > 0;
	return 0;
}

static int read_lines(struct reader *reader, struct part *part)
{
	const struct part_want *want = reader->want;
	const int64_t max_lines = want->n_last > 0 ? want->n_last : want->n_lines;
	auto_(digest_freep) struct digest *digest = NULL;
	int64_t n_skipped = 0;
	int64_t n_lines = 0;
	int r = find_part(reader, &part->start_line, &n_skipped);

	if (r < 0)
		return r;
	if (reader->at == 0)
		digest = digest_new("sha256");
	r = gather_lines(reader, max_lines, digest, &n_lines);
	if (r == 0)
		r = has_more(reader, &part->has_more);
	if (r < 0)
		return r;

	if (part->start_line > 0)
		part->end_line = part->start_line + n_lines - 1;
	part->total_lines = -1;
	if (part->start_line > 0 && !part->has_more)
		part->total_lines = n_lines > 0 ? part->end_line : n_skipped + reader->is_open;
	if (digest && !part->has_more)
		digest_finish_hex(digest, part->sha256);
	return 0;
}

static int add_numbers(const struct reader *reader, struct part *part)
{
	auto_strbuf numbered = { 0 };
	const char *at = strbuf_get(&part->content);
	size_t left = part->content.len;

	for (int64_t line = part->start_line; left > 0; line++) {
		size_t n = text_after_line(TEXT_UTF_8, at, left);

		n = n > 0 ? n : left;
		strbuf_addf(&numbered, "%6lld\t", (long long)line);
		strbuf_add(&numbered, at, n);
		if (numbered.len > reader->want->max_text_bytes)
			return fail_text_too_large(reader);
		at += n;
		left -= n;
	}
	strbuf_done(&part->content);
	part->content = numbered;
	numbered = (struct strbuf){ 0 };
	return 0;
}

static int decode(const struct reader *reader, struct part *part)
{
	int r = text_decode(reader->encoding, strbuf_get(&reader->bytes), reader->bytes.len,
		reader->want->max_text_bytes, &part->content, &part->is_lossy);

	if (r < 0)
		return fail_decode(reader, r);
	part->encoding = text_encoding_name(reader->encoding);
	part->line_ending = text_line_ending(strbuf_get(&part->content), part->content.len);
	return reader->want->line_numbers ? add_numbers(reader, part) : 0;
}

static int open_file(struct reader *reader)
{
	const char *path = reader->want->path;
	auto_(place_done) struct place place = { 0 };
	struct stat st;
	int r = paths_look(path, &place, reader->why);

	if (r < 0)
		return r;
	reader->fd = paths_open_file(&place, &st);
	if (reader->fd < 0)
		return paths_failure(reader->why, path, reader->fd);
	reader->size = st.st_size;
	return 0;
}

/* What the first bytes tell, and with it how much may be read. */
static int look(struct reader *reader)
{
	const struct part_want *want = reader->want;
	const size_t max_file = (size_t)(want->max_mib * (double)MIB);
	ssize_t n = read_block(reader, TEXT_LOOK_BYTES, 0);

	if (n < 0)
		return (int)n;
	reader->encoding = text_choose(want->encoding, reader->block, (size_t)n);
	if (text_is_binary(reader->encoding, reader->block, (size_t)n))
		return fail_binary(reader);
	/* No unit becomes less than one byte of UTF-8. */
	reader->max_bytes = want->max_text_bytes * text_unit(reader->encoding);
	reader->is_answer_limit = reader->max_bytes < max_file;
	if (!reader->is_answer_limit)
		reader->max_bytes = max_file;
	if (wants_all(want) && reader->size > (int64_t)reader->max_bytes)
		return fail_too_large(reader, 0);
	return 0;
}

int part_read(
	struct call *call, const struct part_want *want, struct part *ret, struct failure *why)
{
	auto_(reader_done) struct reader reader = {
		.call = call,
		.want = want,
		.why = why,
		.fd = -1,
		.block = alloc_zero(BLOCK_BYTES),
	};
	int r = open_file(&reader);

	if (r == 0)
		r = look(&reader);
	if (r == 0)
		r = read_lines(&reader, ret);
	if (r == 0)
		r = decode(&reader, ret);
	ret->file_bytes = reader.size;
	return r;
}
