/* Points in time as people write them, for git_log's filters. What cannot be read is an error: git
 * itself takes it as "now", and then shows nothing, or all. */
#pragma once

#include <stdint.h>

#include "shared/cleanup.h"

/* Reads one of these, blanks around it allowed, words without regard to case:
 *   2026-01-31, 2026-01-31T12:00[:00[.5]][Z|+01:00|+0100|+01] (a blank instead of the T; UTC when
 *   there is no zone), digits (seconds since 1970), now, today and yesterday (0:00 UTC), and
 *   "N seconds|minutes|hours|days|weeks|months|years ago".
 * `now` is in seconds since 1970, as the result. 0, or -EINVAL; -ERANGE: before year 1 or after 9999. */
int when_parse(const char *text, int64_t now, int64_t *ret) must_check;
