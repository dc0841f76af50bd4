#define PCRE2_CODE_UNIT_WIDTH 8
#include "workers/git/match.h"

#include <pcre2.h>
#include <stdint.h>

#include "shared/alloc.h"

/* Steps for one text, and memory for going back. */
enum { MAX_STEPS = 1000000, MAX_DEPTH = 100000, MAX_HEAP_KIB = 20 * 1024 };

struct match {
	pcre2_code *code;
	pcre2_match_data *data;
	pcre2_match_context *limits;
	char *literal; /* a plain text with its case: needs no PCRE2 */
	size_t literal_len;
};

void match_free(struct match *match)
{
	if (!match)
		return;
	pcre2_match_data_free(match->data);
	pcre2_match_context_free(match->limits);
	pcre2_code_free(match->code);
	free(match->literal);
	free(match);
}

static int refuse_pattern(struct refusal *why, int error, size_t offset)
{
	char words[256] = "";

	(void)pcre2_get_error_message(error, (PCRE2_UCHAR *)words, sizeof(words));
	return refuse(why, "bad_regex",
		"the pattern is wrong at offset %zu: %s. Without regex=true it is plain text.",
		offset, words);
}

static int compile(struct match *match, const char *pattern, unsigned flags, struct refusal *why)
{
	uint32_t options = PCRE2_UTF | PCRE2_MATCH_INVALID_UTF | PCRE2_NEVER_BACKSLASH_C;
	PCRE2_SIZE offset = 0;
	int error = 0;

	if (!(flags & MATCH_REGEX))
		options = PCRE2_UTF | PCRE2_MATCH_INVALID_UTF | PCRE2_LITERAL;
	if (flags & MATCH_NO_CASE)
		options |= PCRE2_CASELESS;
	match->code = pcre2_compile(
		(PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED, options, &error, &offset, NULL);
	if (!match->code)
		return refuse_pattern(why, error, offset);
	match->data = pcre2_match_data_create_from_pattern(match->code, NULL);
	match->limits = pcre2_match_context_create(NULL);
	if (!match->data || !match->limits)
		return refuse(why, "internal",
			"not enough memory for the pattern. "
			"Use a shorter one.");
	(void)pcre2_set_match_limit(match->limits, MAX_STEPS);
	(void)pcre2_set_depth_limit(match->limits, MAX_DEPTH);
	(void)pcre2_set_heap_limit(match->limits, MAX_HEAP_KIB);
	return 0;
}

int match_new(const char *pattern, unsigned flags, struct match **ret, struct refusal *why)
{
	auto_(match_freep) struct match *match = alloc_zero(sizeof(*match));
	int r;

	if (flags == 0) {
		match->literal = alloc_str(pattern);
		match->literal_len = strlen(pattern);
	} else {
		r = compile(match, pattern, flags, why);
		if (r < 0)
			return r;
	}
	*ret = TAKE(match);
	return 0;
}

int match_find(struct match *match, const char *bytes, size_t len, struct refusal *why)
{
	int r;

	if (match->literal)
		return memmem(bytes, len, match->literal, match->literal_len) != NULL;

	r = pcre2_match(match->code, (PCRE2_SPTR)bytes, len, 0, 0, match->data, match->limits);
	if (r >= 0)
		return 1;
	if (r == PCRE2_ERROR_NOMATCH)
		return 0;

	return refuse(why, "regex_limit",
		"the pattern needs too many steps on one text. Make it simpler.");
}

bool match_is_plain(const struct match *match)
{
	return match->literal != NULL;
}
