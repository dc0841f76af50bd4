/* Dates, times of day and durations as text, in the strict subset of ISO 8601 that RFC 3339 has in
 * common with it: YYYY-MM-DD, HH:MM[:SS[.fraction]], Z or +HH:MM behind. Years 1 to 9999; no leap
 * seconds, since POSIX time has none; no 24:00. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "shared/strbuf.h"

#define ISO8601_MIN_SECONDS INT64_C(-62135596800) /* 0001-01-01T00:00:00Z */
#define ISO8601_MAX_SECONDS INT64_C(253402300799) /* 9999-12-31T23:59:59Z */

/* What a clock on the wall and a calendar show. */
struct wall {
	int year, month, day; /* month and day from 1 */
	int hour, minute, second;
	int nanosecond;
	bool has_time; /* else it is midnight */
	bool has_offset;
	int offset_s; /* east of Greenwich */
};

/* An instant, or (as a difference of two) a duration: seconds + nanoseconds, the latter 0..999999999. */
struct instant {
	int64_t s;
	int32_t ns;
};

/* A date with or without a time. -EINVAL: *ret_why is a static text that says what was expected. */
int iso8601_parse(const char *text, struct wall *ret, const char **ret_why) must_check;

/* H:MM, HH:MM or HH:MM:SS; only the time's fields of *ret are set. */
int iso8601_parse_clock(const char *text, struct wall *ret, const char **ret_why) must_check;

/* Seconds since 1970 as if the wall time were UTC; its own offset is not looked at. */
int64_t iso8601_seconds(const struct wall *wall);

/* A date (midnight), a date and time (UTC unless it has an offset), or decimal seconds since 1970. */
int iso8601_parse_instant(const char *text, struct instant *ret, const char **ret_why) must_check;

struct instant iso8601_subtract(struct instant a, struct instant b);

/* "+01:00"; with seconds where there are some (local mean time). */
void iso8601_add_offset(struct strbuf *buf, int offset_s);

/* "P1DT2H3M4.5S", "-PT1S", "PT0S"; and in words: "1 day, 2 hours", "1 second earlier", "0 seconds". */
void iso8601_add_duration(struct strbuf *buf, struct instant duration);
void iso8601_add_words(struct strbuf *buf, struct instant duration);
