/* Tools time_*: clocks and calendars of the world. The work is done by zone.h and iso8601.h. */
#include <errno.h>
#include <math.h>
#include <time.h>

#include "shared/quote.h"
#include "workers/common/call.h"
#include "workers/utils/iso8601.h"
#include "workers/utils/tools.h"
#include "workers/utils/zone.h"

#define ZONE_OUT "{timezone string, datetime string, day_of_week string, is_dst boolean}"

static int fail_unknown_zone(struct call *call, const char *name)
{
	const char *meant = zone_suggest(name);
	const char *const *names;
	char quoted[QUOTE_SIZE];
	size_t n;
	int r = zone_list(&names, &n);

	if (r < 0)
		return r;
	if (meant)
		return call_fail(call, "unknown_timezone",
			"%s is not in the tz database. Did you mean %s?", quote(quoted, name),
			meant);
	return call_fail(call, "unknown_timezone",
		"%s is not in the tz database. Take a name from time_get_timezone_info.",
		quote(quoted, name));
}

/* Where a zone's clocks cannot be told: for the asker when the year is the reason. */
static int fail_clock(struct call *call, int r)
{
	if (r == -ERANGE)
		return call_fail(call, "invalid_argument",
			"the result is outside of the years 1 to 9999. Choose another time.");
	return r;
}

static int fail_time(
	struct call *call, const char *name, const char *text, const char *why, bool may_be_clock)
{
	char quoted[QUOTE_SIZE];

	return call_fail(call, "invalid_argument",
		"'%s' is %s: %s. Write it like 2026-05-01T09:30:00+02:00%s.", name,
		quote(quoted, text), why,
		may_be_clock ? ", or 09:30" : ", or as seconds since 1970");
}

struct time_get_current_time_args {
	const char *timezone_name;
};

static const struct param time_get_current_time_params[] = {
	PARAM(time_get_current_time_args, timezone_name, RANGE(1, 64), .def_str = "UTC",
		.doc = "IANA name, like Europe/Berlin"),
	{ 0 },
};

static json_t *current_time(const char *zone, const struct zone_time *now, long microseconds)
{
	auto_strbuf datetime = { 0 };
	auto_strbuf time = { 0 };
	auto_strbuf offset = { 0 };
	auto_strbuf formatted = { 0 };
	enum { DATE_AND_TIME_LEN = sizeof("2026-01-31T12:00:00") - 1 };

	zone_add_datetime(&datetime, now);
	iso8601_add_offset(&offset, now->offset_s);
	strbuf_add(&time, datetime.data, DATE_AND_TIME_LEN);
	strbuf_addf(&time, ".%06ld%s", microseconds, strbuf_get(&offset));
	strbuf_addf(&formatted, "%04d-%02d-%02d %02d:%02d:%02d %s", now->year, now->month, now->day,
		now->hour, now->minute, now->second, now->abbreviation);
	return json_pack("{s:b, s:s, s:s, s:s, s:I, s:s, s:s, s:b, s:s}", "success", 1, "time",
		strbuf_get(&time), "datetime", strbuf_get(&datetime), "timezone", zone,
		"unix_timestamp", (json_int_t)now->instant, "formatted", strbuf_get(&formatted),
		"day_of_week", zone_day_name(now), "is_dst", (int)now->is_dst, "utc_offset",
		strbuf_get(&offset));
}

static int time_get_current_time(struct call *call, const void *args)
{
	const struct time_get_current_time_args *a = args;
	const char *zone = zone_find(a->timezone_name);
	struct zone_time now = { 0 };
	struct timespec ts;
	int r;

	if (!zone)
		return fail_unknown_zone(call, a->timezone_name);
	if (clock_gettime(CLOCK_REALTIME, &ts) < 0)
		return -errno;
	r = zone_at(zone, ts.tv_sec, &now);
	if (r < 0)
		return fail_clock(call, r);
	return call_json(call, current_time(zone, &now, ts.tv_nsec / 1000));
}

struct time_get_timezone_info_args {
	const char *timezone_name;
	const char *prefix;
};

static const struct param time_get_timezone_info_params[] = {
	PARAM(time_get_timezone_info_args, timezone_name, RANGE(1, 64),
		.doc = "Details of this zone, instead of the list"),
	PARAM(time_get_timezone_info_args, prefix, RANGE(1, 64),
		.doc = "Only zones that start with this, like Europe; capitals do not matter"),
	{ 0 },
};

static json_t *matching_zones(const char *const *names, size_t n, const char *prefix)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++) {
		if (!prefix || strncasecmp(names[i], prefix, strlen(prefix)) == 0)
			(void)json_array_append_new(list, json_string(names[i]));
	}
	return list;
}

/* 0: *ret is the zone as an object. */
static int describe_zone(const char *zone, json_t **ret)
{
	int64_t now = time(NULL);
	auto_strbuf offset = { 0 };
	auto_strbuf text = { 0 };
	struct zone_time clock = { 0 };
	int64_t change = 0;
	int r = zone_at(zone, now, &clock);

	if (r < 0)
		return r;
	iso8601_add_offset(&offset, clock.offset_s);
	*ret = json_pack("{s:s, s:s, s:s, s:b}", "name", zone, "utc_offset", strbuf_get(&offset),
		"abbreviation", clock.abbreviation, "is_dst", (int)clock.is_dst);
	if (zone_next_change(zone, now, &change) == 0 && zone_at(zone, change, &clock) == 0) {
		zone_add_datetime(&text, &clock);
		(void)json_object_set_new(*ret, "next_transition", json_string(strbuf_get(&text)));
	}
	return 0;
}

static json_t *timezone_info(json_t *names)
{
	const char *local = zone_local();
	json_t *info = json_pack("{s:b, s:I, s:o}", "success", 1, "count",
		(json_int_t)json_array_size(names), "available_timezones", names);

	if (local)
		(void)json_object_set_new(info, "local_timezone", json_string(local));
	return info;
}

static int time_get_timezone_info(struct call *call, const void *args)
{
	const struct time_get_timezone_info_args *a = args;
	const char *zone = a->timezone_name ? zone_find(a->timezone_name) : NULL;
	const char *const *names;
	json_t *details = NULL;
	json_t *info;
	size_t n;
	int r = zone_list(&names, &n);

	if (r < 0)
		return r;
	if (!a->timezone_name)
		return call_json(call, timezone_info(matching_zones(names, n, a->prefix)));
	if (!zone)
		return fail_unknown_zone(call, a->timezone_name);
	r = describe_zone(zone, &details);
	if (r < 0)
		return r;
	info = timezone_info(matching_zones(&zone, 1, a->prefix));
	(void)json_object_set_new(info, "zone", details);
	return call_json(call, info);
}

struct time_convert_args {
	const char *source_timezone;
	const char *time;
	const char *target_timezone;
};

static const struct param time_convert_params[] = {
	PARAM(time_convert_args, source_timezone, .required = true, RANGE(1, 64),
		.doc = "IANA name of the zone that the time is in"),
	PARAM(time_convert_args, time, .required = true, RANGE(4, 40),
		.doc = "HH:MM (today in the source zone), or an ISO 8601 date and time"),
	PARAM(time_convert_args, target_timezone, .required = true, RANGE(1, 64),
		.doc = "IANA name of the zone to convert to"),
	{ 0 },
};

/* Reads the time to convert; one without a date is today's in the source zone. 0, -EINVAL with
 * *ret_why, or another -errno. */
static int read_wall(const char *zone, const char *text, struct wall *ret, const char **ret_why)
{
	struct zone_time now = { 0 };
	int r;

	if (!strchr(text, '-')) {
		r = iso8601_parse_clock(text, ret, ret_why);
		if (r == 0)
			r = zone_at(zone, time(NULL), &now);
		if (r < 0)
			return r;
		ret->year = now.year;
		ret->month = now.month;
		ret->day = now.day;
		return 0;
	}
	r = iso8601_parse(text, ret, ret_why);
	if (r == 0 && !ret->has_time) {
		*ret_why = "a time is missing behind the date";
		r = -EINVAL;
	}
	return r;
}

static json_t *describe_clock(const char *zone, const struct zone_time *clock)
{
	auto_strbuf datetime = { 0 };

	zone_add_datetime(&datetime, clock);
	return json_pack("{s:s, s:s, s:s, s:b}", "timezone", zone, "datetime",
		strbuf_get(&datetime), "day_of_week", zone_day_name(clock), "is_dst",
		(int)clock->is_dst);
}

/* "+9.0h", "+5.75h": hours with one or two decimal places. */
static void add_hours(struct strbuf *buf, int seconds)
{
	long hundredths = lround(seconds / 36.0);

	strbuf_addf(buf, "%c%ld.%02ld", hundredths < 0 ? '-' : '+', labs(hundredths) / 100,
		labs(hundredths) % 100);
	if (buf->data[buf->len - 1] == '0')
		strbuf_cut(buf, buf->len - 1);
	strbuf_addc(buf, 'h');
}

static int answer_converted(struct call *call, const char *source, const char *target, int64_t at)
{
	auto_strbuf difference = { 0 };
	struct zone_time from = { 0 };
	struct zone_time to = { 0 };
	int r = zone_at(source, at, &from);

	if (r == 0)
		r = zone_at(target, at, &to);
	if (r < 0)
		return fail_clock(call, r);
	add_hours(&difference, to.offset_s - from.offset_s);
	return call_json(
		call, json_pack("{s:b, s:o, s:o, s:s}", "success", 1, "source",
			      describe_clock(source, &from), "target", describe_clock(target, &to),
			      "time_difference", strbuf_get(&difference)));
}

static int time_convert(struct call *call, const void *args)
{
	const struct time_convert_args *a = args;
	const char *source = zone_find(a->source_timezone);
	const char *target = zone_find(a->target_timezone);
	const char *why = NULL;
	struct wall wall = { 0 };
	int64_t at = 0;
	int r;

	if (!source || !target)
		return fail_unknown_zone(call, source ? a->target_timezone : a->source_timezone);
	r = read_wall(source, a->time, &wall, &why);
	if (r == -EINVAL && why)
		return fail_time(call, "time", a->time, why, true);
	if (r < 0)
		return fail_clock(call, r);
	if (wall.has_offset)
		return answer_converted(
			call, source, target, iso8601_seconds(&wall) - wall.offset_s);
	r = zone_instant_of(source, &wall, &at);
	if (r == -ESRCH)
		return call_fail(call, "invalid_argument",
			"'time' %02d:%02d does not exist in %s on %04d-%02d-%02d: the clocks are put "
			"forward over it. Choose another time, or add an offset.",
			wall.hour, wall.minute, source, wall.year, wall.month, wall.day);
	if (r < 0)
		return fail_clock(call, r);
	return answer_converted(call, source, target, at);
}

struct time_difference_args {
	const char *start;
	const char *end;
};

static const struct param time_difference_params[] = {
	PARAM(time_difference_args, start, .required = true, RANGE(1, 40),
		.doc = "ISO 8601 (UTC when it has no offset), or seconds since 1970"),
	PARAM(time_difference_args, end, .required = true, RANGE(1, 40),
		.doc = "ISO 8601 (UTC when it has no offset), or seconds since 1970"),
	{ 0 },
};

static int time_difference(struct call *call, const void *args)
{
	const struct time_difference_args *a = args;
	auto_strbuf iso = { 0 };
	auto_strbuf words = { 0 };
	const char *why = NULL;
	struct instant start = { 0 };
	struct instant end = { 0 };
	struct instant d;
	json_t *seconds;

	if (iso8601_parse_instant(a->start, &start, &why) < 0)
		return fail_time(call, "start", a->start, why, false);
	if (iso8601_parse_instant(a->end, &end, &why) < 0)
		return fail_time(call, "end", a->end, why, false);
	d = iso8601_subtract(end, start);
	iso8601_add_duration(&iso, d);
	iso8601_add_words(&words, d);
	seconds = d.ns ? json_real((double)d.s + d.ns / 1e9) : json_integer(d.s);
	return call_json(call, json_pack("{s:b, s:o, s:s, s:s}", "success", 1, "seconds", seconds,
				       "iso8601", strbuf_get(&iso), "human", strbuf_get(&words)));
}

const struct tool time_tools[] = {
	TOOL(time_get_current_time, "Current time", .hints = TOOL_READ_ONLY,
		.doc = "Tell the current time and date in a time zone.",
		.out = "success boolean, time string, datetime string, timezone string, "
		       "unix_timestamp integer, formatted string, day_of_week string, "
		       "is_dst boolean, utc_offset string"),
	TOOL(time_get_timezone_info, "Time zones", .hints = TOOL_READ_ONLY | TOOL_IDEMPOTENT,
		.doc = "List the known time zones, or tell the current offset, abbreviation, daylight "
		       "saving and next clock change of one.",
		.out = "success boolean, available_timezones string[], count integer, "
		       "zone? {name string, utc_offset string, abbreviation string, "
		       "is_dst boolean, next_transition? string}, local_timezone? string"),
	TOOL(time_convert, "Convert between time zones", .hints = TOOL_READ_ONLY | TOOL_IDEMPOTENT,
		.doc = "Convert a time from one time zone to another. Where a clock change makes a "
		       "time happen twice the first is meant; one that it skips is refused. With "
		       "an offset, that counts instead of the source zone's.",
		.out = "success boolean, source " ZONE_OUT ", target " ZONE_OUT
		       ", time_difference string"),
	TOOL(time_difference, "Time between two instants",
		.hints = TOOL_READ_ONLY | TOOL_IDEMPOTENT,
		.doc = "Tell how long it is from start to end, in seconds, as an ISO 8601 duration and "
		       "in words.",
		.out = "success boolean, seconds number, iso8601 string, human string"),
	{ 0 },
};
