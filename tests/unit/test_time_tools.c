/* Tools time_*, on the zones of this system: offsets, clock changes, names, errors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "tests/unit/fake_call.h"
#include "workers/utils/tools.h"
#include "workers/utils/zone.h"

static const struct {
	const char *zone;
	int64_t instant;
	const char *datetime;
	const char *abbreviation;
	bool is_dst;
	const char *day;
} clocks[] = {
	{ "Europe/Berlin", 0, "1970-01-01T01:00:00+01:00", "CET", false, "Thursday" },
	{ "UTC", 1767225600, "2026-01-01T00:00:00+00:00", "UTC", false, "Thursday" },
	{ "America/New_York", 1767225600, "2025-12-31T19:00:00-05:00", "EST", false, "Wednesday" },
	{ "Asia/Kathmandu", 1767225600, "2026-01-01T05:45:00+05:45", "+0545", false, "Thursday" },
	{ "Europe/Berlin", 1782000000, "2026-06-21T02:00:00+02:00", "CEST", true, "Sunday" },
	{ "America/St_Johns", -4000000000, "1843-03-31T13:22:28-03:30:52", "LMT", false, "Friday" },
	{ "Pacific/Apia", 1325239200, "2011-12-31T00:00:00+14:00", "+14", true, "Saturday" },
	{ "Asia/Tokyo", 4102444800, "2100-01-01T09:00:00+09:00", "JST", false, "Friday" },
	{ "Europe/Berlin", 4118000000, "2100-06-30T02:53:20+02:00", "CEST", true, "Wednesday" },
};

static void test_clocks(void **state)
{
	for (size_t i = 0; i < N_ELEMENTS(clocks); i++) {
		const char *zone = zone_find(clocks[i].zone);
		auto_strbuf text = { 0 };
		struct zone_time time;

		assert_non_null(zone);
		assert_int_equal(zone_at(zone, clocks[i].instant, &time), 0);
		zone_add_datetime(&text, &time);
		assert_string_equal(text.data, clocks[i].datetime);
		assert_string_equal(time.abbreviation, clocks[i].abbreviation);
		assert_int_equal(time.is_dst, clocks[i].is_dst);
		assert_string_equal(zone_day_name(&time), clocks[i].day);
	}
}

static void test_names_that_are_none(void **state)
{
	static const char *const names[] = { "", ".", "..", "/", "../zoneinfo/UTC", "Europe/../UTC",
		"/usr/share/zoneinfo/UTC", "/etc/passwd", "Europe", "Europe/", "Europe/Berlin/",
		"europe/berlin", ":Europe/Berlin", "tzdata.zi", "zone.tab", "posixrules",
		"CET-1CEST", "UTC+3", "Europe/Berlin ", "posix/UTC", "right/UTC", "leapseconds" };

	for (size_t i = 0; i < N_ELEMENTS(names); i++) {
		if (zone_find(names[i]))
			fail_msg("'%s' was found", names[i]);
	}
}

static void test_suggestions(void **state)
{
	assert_string_equal(zone_suggest("europe/berlin"), "Europe/Berlin");
	assert_string_equal(zone_suggest("Berlin"), "Europe/Berlin");
	assert_string_equal(zone_suggest("new york"), "America/New_York");
	assert_null(zone_suggest("Atlantis"));
	assert_null(zone_suggest(""));
}

static void test_list_is_sorted(void **state)
{
	const char *const *names;
	size_t n;

	assert_int_equal(zone_list(&names, &n), 0);
	assert_true(n > 300);
	for (size_t i = 1; i < n; i++)
		assert_true(strcmp(names[i - 1], names[i]) < 0);
}

static const struct {
	const char *zone;
	struct wall wall;
	int r;
	int64_t instant;
} walls[] = {
	{ "Europe/Berlin", { .year = 2026, .month = 6, .day = 21, .hour = 2 }, 0, 1782000000 },
	/* put forward: 02:00 to 03:00 is skipped */
	{ "Europe/Berlin", { .year = 2026, .month = 3, .day = 29, .hour = 1, .minute = 59 }, 0,
		1774745940 },
	{ "Europe/Berlin", { .year = 2026, .month = 3, .day = 29, .hour = 2 }, -ESRCH, 0 },
	{ "Europe/Berlin",
		{ .year = 2026, .month = 3, .day = 29, .hour = 2, .minute = 59, .second = 59 },
		-ESRCH, 0 },
	{ "Europe/Berlin", { .year = 2026, .month = 3, .day = 29, .hour = 3 }, 0, 1774746000 },
	/* put back: 02:30 comes twice, the first is meant */
	{ "Europe/Berlin", { .year = 2026, .month = 10, .day = 25, .hour = 2, .minute = 30 }, 0,
		1792888200 },
	{ "Europe/Berlin", { .year = 2026, .month = 10, .day = 25, .hour = 3 }, 0, 1792893600 },
	/* the day that Samoa left out */
	{ "Pacific/Apia", { .year = 2011, .month = 12, .day = 30, .hour = 12 }, -ESRCH, 0 },
	{ "Pacific/Apia", { .year = 2011, .month = 12, .day = 31 }, 0, 1325239200 },
	{ "UTC", { .year = 1, .month = 1, .day = 1 }, 0, ISO8601_MIN_SECONDS },
	{ "UTC", { .year = 9999, .month = 12, .day = 31, .hour = 23, .minute = 59, .second = 59 },
		0, ISO8601_MAX_SECONDS },
};

static void test_walls(void **state)
{
	for (size_t i = 0; i < N_ELEMENTS(walls); i++) {
		int64_t instant = 0;

		assert_int_equal(
			zone_instant_of(zone_find(walls[i].zone), &walls[i].wall, &instant),
			walls[i].r);
		assert_int_equal(instant, walls[i].instant);
	}
}

static void test_next_change(void **state)
{
	int64_t at = 0;

	assert_int_equal(zone_next_change(zone_find("Europe/Berlin"), 1767225600, &at), 0);
	assert_int_equal(at, 1774746000);
	assert_int_equal(zone_next_change(zone_find("Europe/Berlin"), 1774745999, &at), 0);
	assert_int_equal(at, 1774746000);
	assert_int_equal(zone_next_change(zone_find("Europe/Berlin"), 1774746000, &at), 0);
	assert_int_equal(at, 1792890000);
	assert_int_equal(zone_next_change(zone_find("UTC"), 1767225600, &at), -ESRCH);
	assert_int_equal(zone_next_change(zone_find("UTC"), ISO8601_MAX_SECONDS, &at), -ESRCH);
}

static void test_out_of_range(void **state)
{
	struct zone_time time;

	assert_int_equal(zone_at(zone_find("UTC"), ISO8601_MAX_SECONDS + 1, &time), -ERANGE);
	assert_int_equal(zone_at(zone_find("UTC"), ISO8601_MIN_SECONDS - 1, &time), -ERANGE);
	assert_int_equal(zone_at(zone_find("UTC"), INT64_MAX, &time), -ERANGE);
	assert_int_equal(zone_at(zone_find("UTC"), INT64_MIN, &time), -ERANGE);
	assert_int_equal(zone_at(zone_find("Asia/Tokyo"), ISO8601_MAX_SECONDS, &time), -ERANGE);
}

static void test_current_time_tool(void **state)
{
	const struct fake_answer *a =
		fake_run(time_tools, "time_get_current_time", "{\"timezone_name\":\"Asia/Tokyo\"}");
	struct instant time;
	struct instant datetime;
	const char *why;

	assert_non_null(a->result);
	assert_string_equal(fake_text("timezone"), "Asia/Tokyo");
	assert_string_equal(fake_text("utc_offset"), "+09:00");
	assert_non_null(strstr(fake_text("formatted"), " JST"));
	assert_int_equal(iso8601_parse_instant(fake_text("time"), &time, &why), 0);
	assert_int_equal(iso8601_parse_instant(fake_text("datetime"), &datetime, &why), 0);
	assert_int_equal(time.s, datetime.s);
	assert_int_equal(json_integer_value(json_object_get(a->result, "unix_timestamp")), time.s);
	assert_int_equal(strlen(fake_text("time")), strlen("2026-01-31T12:00:00.123456+09:00"));
	assert_non_null(fake_run(time_tools, "time_get_current_time", "{}")->result);
	assert_string_equal(fake_text("timezone"), "UTC");
	a = fake_run(time_tools, "time_get_current_time", "{\"timezone_name\":\"berlin\"}");
	assert_string_equal(a->code, "unknown_timezone");
	assert_string_equal(
		a->error, "\"berlin\" is not in the tz database. Did you mean Europe/Berlin?");
}

static void test_timezone_info_tool(void **state)
{
	const struct fake_answer *a = fake_run(time_tools, "time_get_timezone_info", "{}");

	assert_true(json_integer_value(json_object_get(a->result, "count")) > 300);
	a = fake_run(time_tools, "time_get_timezone_info", "{\"prefix\":\"asia/k\"}");
	assert_true(json_integer_value(json_object_get(a->result, "count")) > 3);
	assert_null(json_object_get(a->result, "zone"));
	a = fake_run(time_tools, "time_get_timezone_info", "{\"prefix\":\"nowhere\"}");
	assert_int_equal(json_integer_value(json_object_get(a->result, "count")), 0);
	a = fake_run(time_tools, "time_get_timezone_info", "{\"timezone_name\":\"Europe/Berlin\"}");
	assert_int_equal(json_integer_value(json_object_get(a->result, "count")), 1);
	assert_non_null(json_object_get(json_object_get(a->result, "zone"), "next_transition"));
	a = fake_run(time_tools, "time_get_timezone_info", "{\"timezone_name\":\"../UTC\"}");
	assert_string_equal(a->code, "unknown_timezone");
}

static const struct {
	const char *args;
	const char *source;
	const char *target;
	const char *difference;
} conversions[] = {
	{ "{\"source_timezone\":\"UTC\",\"time\":\"2026-01-31T12:00\",\"target_timezone\":\"Asia/"
	  "Tokyo\"}",
		"2026-01-31T12:00:00+00:00", "2026-01-31T21:00:00+09:00", "+9.0h" },
	{ "{\"source_timezone\":\"UTC\",\"time\":\"2026-01-31 12:00:30\",\"target_timezone\":"
	  "\"Asia/Kathmandu\"}",
		"2026-01-31T12:00:30+00:00", "2026-01-31T17:45:30+05:45", "+5.75h" },
	{ "{\"source_timezone\":\"Asia/Tokyo\",\"time\":\"2026-07-01T01:00\",\"target_timezone\":"
	  "\"America/St_Johns\"}",
		"2026-07-01T01:00:00+09:00", "2026-06-30T13:30:00-02:30", "-11.5h" },
	{ "{\"source_timezone\":\"UTC\",\"time\":\"2026-01-31T12:00Z\",\"target_timezone\":"
	  "\"UTC\"}",
		"2026-01-31T12:00:00+00:00", "2026-01-31T12:00:00+00:00", "+0.0h" },
	/* the time's own offset counts */
	{ "{\"source_timezone\":\"Asia/Tokyo\",\"time\":\"2026-01-31T12:00:00Z\",\"target_"
	  "timezone\":\"UTC\"}",
		"2026-01-31T21:00:00+09:00", "2026-01-31T12:00:00+00:00", "-9.0h" },
};

static void test_convert_tool(void **state)
{
	for (size_t i = 0; i < N_ELEMENTS(conversions); i++) {
		const struct fake_answer *a =
			fake_run(time_tools, "time_convert", conversions[i].args);

		assert_non_null(a->result);
		assert_string_equal(json_string_value(json_object_get(
					    json_object_get(a->result, "source"), "datetime")),
			conversions[i].source);
		assert_string_equal(json_string_value(json_object_get(
					    json_object_get(a->result, "target"), "datetime")),
			conversions[i].target);
		assert_string_equal(fake_text("time_difference"), conversions[i].difference);
	}
	/* today's date is filled in */
	assert_non_null(fake_run(time_tools, "time_convert",
		"{\"source_timezone\":\"UTC\",\"time\":\"9:30\",\"target_timezone\":\"Asia/"
		"Tokyo\"}")
				->result);
}

static const struct {
	const char *source;
	const char *time;
	const char *target;
	const char *code;
} refused[] = {
	{ "UTC", "12:00", "Mars/Base", "unknown_timezone" },
	{ "Mars/Base", "12:00", "UTC", "unknown_timezone" },
	{ "UTC", "25:00", "UTC", "invalid_argument" },
	{ "UTC", "2026-01-31", "UTC", "invalid_argument" }, /* no time */
	{ "UTC", "2026-02-30T12:00", "UTC", "invalid_argument" },
	{ "UTC", "tomorrow at noon", "UTC", "invalid_argument" },
	{ "Europe/Berlin", "2026-03-29T02:30", "UTC", "invalid_argument" }, /* skipped */
	{ "UTC", "9999-12-31T23:00", "Asia/Tokyo", "invalid_argument" },
	{ "UTC", "0001-01-01T00:00", "America/New_York", "invalid_argument" },
	{ "", "12:00", "UTC", "invalid_argument" },
	{ "UTC", "1:0", "UTC", "invalid_argument" },
};

static void test_convert_tool_refuses(void **state)
{
	for (size_t i = 0; i < N_ELEMENTS(refused); i++) {
		json_t *args = json_pack("{s:s, s:s, s:s}", "source_timezone", refused[i].source,
			"time", refused[i].time, "target_timezone", refused[i].target);
		char *text = json_dumps(args, 0);
		const struct fake_answer *a = fake_run(time_tools, "time_convert", text);

		if (!a->code)
			fail_msg("%s was taken", text);
		assert_string_equal(a->code, refused[i].code);
		free(text);
		json_decref(args);
	}
}

static void test_difference_tool(void **state)
{
	const struct fake_answer *a = fake_run(time_tools, "time_difference",
		"{\"start\":\"2026-01-31T12:00:00+01:00\",\"end\":\"1769860800\"}");

	assert_int_equal(json_integer_value(json_object_get(a->result, "seconds")), 3600);
	assert_string_equal(fake_text("iso8601"), "PT1H");
	assert_string_equal(fake_text("human"), "1 hour");
	a = fake_run(time_tools, "time_difference", "{\"start\":\"1.5\",\"end\":\"1\"}");
	assert_true(json_real_value(json_object_get(a->result, "seconds")) == -0.5);
	assert_string_equal(fake_text("iso8601"), "-PT0.5S");
	a = fake_run(time_tools, "time_difference", "{\"start\":\"1\",\"end\":\"soon\"}");
	assert_string_equal(a->code, "invalid_argument");
	assert_non_null(strstr(a->error, "'end' is \"soon\""));
	a = fake_run(time_tools, "time_difference", "{\"start\":\"soon\",\"end\":\"1\"}");
	assert_non_null(strstr(a->error, "'start'"));
}

static int tear_down(void **state)
{
	fake_done();
	zone_done();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_clocks),
		cmocka_unit_test(test_names_that_are_none),
		cmocka_unit_test(test_suggestions),
		cmocka_unit_test(test_list_is_sorted),
		cmocka_unit_test(test_walls),
		cmocka_unit_test(test_next_change),
		cmocka_unit_test(test_out_of_range),
		cmocka_unit_test(test_current_time_tool),
		cmocka_unit_test(test_timezone_info_tool),
		cmocka_unit_test(test_convert_tool),
		cmocka_unit_test(test_convert_tool_refuses),
		cmocka_unit_test(test_difference_tool),
	};

	return cmocka_run_group_tests(tests, NULL, tear_down);
}
