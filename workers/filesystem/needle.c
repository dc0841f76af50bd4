/* See needle.h. A plain text is found by memmem(3); without case in a copy in small letters, made piece
 * by piece. What is not ASCII has no case that could be changed byte by byte: PCRE2 does that. */
#include "workers/filesystem/needle.h"

#include <errno.h>

#include "shared/alloc.h"
#include "shared/ascii.h"

enum {
	FIRST_PIECE_BYTES = 4096, /* matches are often near to each other */
	PIECE_BYTES = 65536,
};

_Static_assert((int)PIECE_BYTES > 2 * (int)NEEDLE_MAX_BYTES, "pieces overlap by a text's length");

struct needle {
	struct regex *regex; /* NULL: plain text */
	char *text;
	size_t len;
	char *piece; /* NULL: with case */
};

void needle_free(struct needle *needle)
{
	if (!needle)
		return;
	if (needle->regex)
		regex_free(needle->regex);
	free(needle->text);
	free(needle->piece);
	free(needle);
}

static char small(char c)
{
	if (c >= 'A' && c <= 'Z')
		return (char)(c | 0x20);
	return c;
}

static void copy_small(char *to, const char *from, size_t len)
{
	for (size_t i = 0; i < len; i++)
		to[i] = small(from[i]);
}

static bool is_ascii(const char *text)
{
	while (*text && (unsigned char)*text < 0x80)
		text++;
	return !*text;
}

/* The text as a regular expression that matches it. */
static int compile_text(struct needle *needle, const char *query, struct failure *fail)
{
	auto_strbuf pattern = { 0 };

	for (; *query; query++) {
		bool is_plain = ascii_is_letter(*query) || ascii_is_digit(*query) ||
				(unsigned char)*query >= 0x80;

		if (!is_plain)
			strbuf_addc(&pattern, '\\');
		strbuf_addc(&pattern, *query);
	}
	return regex_compile(strbuf_get(&pattern), "i", &needle->regex, fail);
}

static int set_text(struct needle *needle, const char *query, unsigned flags, struct failure *fail)
{
	if (strchr(query, '\n'))
		return failure_set(fail, "invalid_argument",
			"query: it has a line break, but is looked for in single lines");
	if (flags & NEEDLE_NO_CASE && !is_ascii(query))
		return compile_text(needle, query, fail);
	needle->len = strlen(query);
	needle->text = alloc_str(query);
	if (flags & NEEDLE_NO_CASE) {
		needle->piece = alloc_resize(NULL, PIECE_BYTES, 1);
		copy_small(needle->text, query, needle->len);
	}
	return 0;
}

int needle_new(const char *query, unsigned flags, struct needle **ret, struct failure *fail)
{
	auto_(needle_freep) struct needle *needle = alloc_zero(sizeof(*needle));
	int r;

	if (strlen(query) > NEEDLE_MAX_BYTES)
		return failure_set(
			fail, "invalid_argument", "query: it may have %d bytes", NEEDLE_MAX_BYTES);
	if (flags & NEEDLE_REGEX)
		r = regex_compile(query, flags & NEEDLE_NO_CASE ? "i" : "", &needle->regex, fail);
	else
		r = set_text(needle, query, flags, fail);
	if (r == 0)
		*ret = TAKE(needle);
	return r;
}

void needle_set_stop(struct needle *needle, regex_stop_fn *stop, void *arg)
{
	if (needle->regex)
		regex_set_stop(needle->regex, stop, arg);
}

bool needle_takes_lines(const struct needle *needle)
{
	return !needle->regex;
}

/* Where the text begins in `text`, whatever its case; NULL: nowhere. */
static const char *find_small(const struct needle *needle, const char *text, size_t len)
{
	size_t max = 2 * needle->len > FIRST_PIECE_BYTES ? 2 * needle->len : FIRST_PIECE_BYTES;

	for (size_t at = 0; len - at >= needle->len;) {
		size_t n = len - at < max ? len - at : max;
		const char *hit;

		copy_small(needle->piece, text + at, n);
		hit = memmem(needle->piece, n, needle->text, needle->len);
		if (hit)
			return text + at + (hit - needle->piece);
		if (n == len - at)
			return NULL;
		at += n - (needle->len - 1);
		max = max * 2 < PIECE_BYTES ? max * 2 : PIECE_BYTES;
	}
	return NULL;
}

int needle_find(struct needle *needle, const char *text, size_t len, struct regex_span *ret,
	struct failure *fail)
{
	const char *hit;
	int r;

	if (needle->regex) {
		regex_start(needle->regex, text, len);
		r = regex_next(needle->regex, fail);
		if (r > 0)
			*ret = regex_group(needle->regex, 0);
		return r;
	}
	hit = needle->piece ? find_small(needle, text, len)
			    : memmem(text, len, needle->text, needle->len);
	if (!hit)
		return 0;
	ret->from = (size_t)(hit - text);
	ret->to = ret->from + needle->len;
	return 1;
}
