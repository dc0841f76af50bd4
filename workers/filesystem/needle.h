/* What code_search_content looks for: a text or a regular expression. */
#pragma once

#include "workers/common/regex.h"

struct needle;

enum needle_flags {
	NEEDLE_REGEX = 1 << 0,
	NEEDLE_NO_CASE = 1 << 1, /* by Unicode's rules; of a text of ASCII only ASCII letters */
};

enum { NEEDLE_MAX_BYTES = 16384 };

/* A failure is bad_regex, regex_limit, or invalid_argument (a text that no line can have). */
int needle_new(const char *query, unsigned flags, struct needle **ret, struct failure *fail)
	must_check;
void needle_free(struct needle *needle);
DEFINE_FREEP(struct needle, needle_free)

/* Asked now and then while a regular expression is tried: true ends that. */
void needle_set_stop(struct needle *needle, regex_stop_fn *stop, void *arg);

/* Whether many lines can be searched at once, and whether they are UTF-8 or not. Else only a single
 * line of valid UTF-8. */
bool needle_takes_lines(const struct needle *needle);

/* The first match. 1: found; 0: none; -ECANCELED: stopped; -EINVAL: a failure regex_limit. */
int needle_find(struct needle *needle, const char *text, size_t len, struct regex_span *ret,
	struct failure *fail) must_check;
