/* Finding a text or a regular expression (PCRE2) in foreign bytes, within limits.
 *
 * Case is ignored by Unicode's rules; bytes that are not UTF-8 match nothing but do no harm. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "workers/git/refusal.h"

struct match;

enum match_flags {
	MATCH_REGEX = 1 << 0, /* else the pattern is a plain text */
	MATCH_NO_CASE = 1 << 1,
};

/* 0; negative: bad_regex with the place. match_free() it. */
int match_new(const char *pattern, unsigned flags, struct match **ret, struct refusal *why)
	must_check;
void match_free(struct match *match);
DEFINE_FREEP(struct match, match_free)

/* 1: found. 0: not found. Negative: the pattern needs too many steps (regex_limit). */
int match_find(struct match *match, const char *bytes, size_t len, struct refusal *why) must_check;

/* Whether the pattern is a plain text: then one look at many lines says whether any has it. */
bool match_is_plain(const struct match *match);
