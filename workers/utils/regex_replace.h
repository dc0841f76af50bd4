/* Replacing what a regular expression finds: $1, ${1}, ${name}, $0 for the whole match, $$ for $. */
#pragma once

#include "workers/common/regex.h"

struct replacement;

/* A failure is invalid_argument: a $ that stands for nothing, a group that is not there. */
int replacement_parse(const char *text, const struct regex *regex, struct replacement **ret,
	struct failure *fail) must_check;
void replacement_free(struct replacement *replacement);

/* Appends `text` with at most `max_count` matches (0: all) replaced.
 * 0; -ECANCELED: stopped; -EINVAL: a failure regex_limit or too_large (`out` would have more than
 * max_bytes). *ret_n, the number of replacements, is right after each of them. */
int regex_replace_all(struct regex *regex, const struct replacement *replacement, const char *text,
	size_t len, int64_t max_count, size_t max_bytes, struct strbuf *out, int64_t *ret_n,
	struct failure *fail) must_check;
