/* PCRE2 with bounds: whatever the pattern and the text, a search ends within its limits of work and
 * memory, and soon after its time is over.
 *
 * match_limit does not bound time: it counts anew at each place where a match may begin, and a single
 * step may scan the whole text. So each pattern is compiled with automatic callouts, and the callout
 * looks at the clock. Callouts of the pattern's own are refused. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "shared/strbuf.h"
#include "workers/common/failure.h"

enum {
	REGEX_MATCH_LIMIT = 1000000,
	REGEX_DEPTH_LIMIT = 10000,
	REGEX_HEAP_KIB = 32 * 1024,
	REGEX_MAX_PATTERN_BYTES = 65536,
};

struct regex;

/* `flags`: any of i m s x. A failure is bad_regex (with the offset) or invalid_argument. */
int regex_compile(const char *pattern, const char *flags, struct regex **ret, struct failure *fail)
	must_check;
void regex_free(struct regex *regex);

/* Asked now and then during a search: true ends it. */
typedef bool regex_stop_fn(void *arg);
void regex_set_stop(struct regex *regex, regex_stop_fn *stop, void *arg);

/* A part of the text in bytes; from > to: a group that took no part. */
struct regex_span {
	size_t from;
	size_t to;
};

/* Starts to search `text` (valid UTF-8), which must stay until the last regex_next(). */
void regex_start(struct regex *regex, const char *text, size_t len);

/* The next match, behind the last one. 1: found; 0: no more; -ECANCELED: stopped;
 * -EINVAL: a failure regex_limit. After a match without characters the search goes on one character
 * further, unless a match with characters begins at the same place. */
int regex_next(struct regex *regex, struct failure *fail) must_check;

/* Of the last match. Group 0 is the whole. */
size_t regex_n_groups(const struct regex *regex);
struct regex_span regex_group(const struct regex *regex, size_t group);

/* The group of that name that took part in the last match; none: from > to. */
struct regex_span regex_named_group(const struct regex *regex, const char *name, size_t len);
bool regex_has_name(const struct regex *regex, const char *name, size_t len);

/* Steps through the names: *cursor starts as 0; NULL at the end. A name may come more than once. */
const char *regex_next_name(const struct regex *regex, size_t *cursor, size_t *ret_group);
