/* Time zones of the system's tz database, read when they are first needed.
 *
 * A caller's name is compared with the database's own list and is never part of a path before it was
 * found there. Offsets, abbreviations and clock changes come from the zone's file, by the C library.
 * No file outside of the database's folder is opened.
 * What was read is kept: an updated database counts from the worker's next start.
 *
 * Source: tools.md 9.4; tzfile(5); theory.html of tzdata, "Names of timezones". */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/cleanup.h"
#include "workers/utils/iso8601.h"

/* What a clock in a zone shows at an instant. */
struct zone_time {
	int64_t instant; /* seconds since 1970 */
	int year, month, day;
	int hour, minute, second;
	int weekday; /* 0: Sunday */
	int offset_s;
	bool is_dst;
	char abbreviation[16];
};

/* All names, sorted: borrowed. -ENOENT: the system has no tz database; or another -errno. */
int zone_list(const char *const **ret_names, size_t *ret_n) must_check;

/* The list's own copy of `name`, which is what the functions below take. NULL: not in the list. */
const char *zone_find(const char *name);

/* A name that `name` may have been meant as: other capitals, or only the place ("berlin"). NULL: none. */
const char *zone_suggest(const char *name);

/* The machine's zone; NULL when it has none that is in the list. */
const char *zone_local(void);

/* 0; -ERANGE: outside of the years 1 to 9999; or another -errno (the zone's file cannot be read). */
int zone_at(const char *zone, int64_t instant, struct zone_time *ret) must_check;

/* The instant at which clocks in the zone show `wall`; the first one when there are two.
 * -ESRCH: never, a clock change skips it. Else as zone_at(). */
int zone_instant_of(const char *zone, const struct wall *wall, int64_t *ret) must_check;

/* The first instant after `from` with another offset, abbreviation or daylight saving, within two
 * years. -ESRCH: none. Else as zone_at(). */
int zone_next_change(const char *zone, int64_t from, int64_t *ret) must_check;

/* "2026-01-31T12:00:00+01:00", "Saturday". */
void zone_add_datetime(struct strbuf *buf, const struct zone_time *time);
const char *zone_day_name(const struct zone_time *time);

/* Once, at the end of the program. */
void zone_done(void);
