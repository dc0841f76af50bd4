/* Dates, times and durations: what is read, what is refused, what is written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>

#include "workers/utils/iso8601.h"

static const struct {
	const char *text;
	struct instant want;
} instants[] = {
	{ "1970-01-01", { 0, 0 } },
	{ "1970-01-01T00:00Z", { 0, 0 } },
	{ "1970-01-01T00:00:01.5Z", { 1, 500000000 } },
	{ "1970-01-01 00:00:01,000000001", { 1, 1 } },
	{ "1969-12-31T23:59:59Z", { -1, 0 } },
	{ "2026-01-31T12:00:00+01:00", { 1769857200, 0 } },
	{ "2026-01-31T12:00:00-0130", { 1769866200, 0 } },
	{ "2026-01-31t12:00:00+01", { 1769857200, 0 } },
	{ "2026-01-31T11:00:00-00:00", { 1769857200, 0 } },
	{ "2024-02-29T00:00:00z", { 1709164800, 0 } },
	{ "2000-02-29", { 951782400, 0 } },
	{ "0001-01-01", { ISO8601_MIN_SECONDS, 0 } },
	{ "9999-12-31T23:59:59Z", { ISO8601_MAX_SECONDS, 0 } },
	{ "0", { 0, 0 } },
	{ "-0", { 0, 0 } },
	{ "1769857200", { 1769857200, 0 } },
	{ "+5", { 5, 0 } },
	{ "-1.25", { -2, 750000000 } },
	{ "2026", { 2026, 0 } },
	{ "253402300799", { ISO8601_MAX_SECONDS, 0 } },
	{ "-62135596800", { ISO8601_MIN_SECONDS, 0 } },
};

static void test_instants(void **state)
{
	for (size_t i = 0; i < N_ELEMENTS(instants); i++) {
		struct instant got = { 77, 77 };
		const char *why = "";

		if (iso8601_parse_instant(instants[i].text, &got, &why) < 0)
			fail_msg("'%s' was refused: %s", instants[i].text, why);
		if (got.s != instants[i].want.s || got.ns != instants[i].want.ns)
			fail_msg("'%s' was read as %lld.%09d", instants[i].text, (long long)got.s,
				got.ns);
	}
}

static const char *const bad_instants[] = { "", " ", "now", "1e9", "0x10", "-", "+", ".", ".5",
	"5.", "1.2.3", "1.0000000001", "253402300800", "-62135596801", "99999999999999999999999999",
	"2026-1-1", "2026-01-1", "26-01-01", "2026-13-01", "2026-00-01", "2026-01-00", "2026-01-32",
	"2026-02-29", "1900-02-29", "2026-04-31", "0000-01-01", "2026-01-01T", "2026-01-01T1:00",
	"2026-01-01T24:00", "2026-01-01T12:60", "2026-01-01T12:00:60", "2026-01-01T12:00:00.",
	"2026-01-01T12:00:00.1234567890", "2026-01-01T12:00:00+", "2026-01-01T12:00:00+1",
	"2026-01-01T12:00:00+1:00", "2026-01-01T12:00:00+24:00", "2026-01-01T12:00:00+01:60",
	"2026-01-01T12:00:00+01:", "2026-01-01T12:00:00+01:00 ", "2026-01-01T12:00:00ZZ",
	"2026-01-01T12:00:00 Z", " 2026-01-01", "2026-01-01 ", "2026-01-01Z", "2026-01-01+01:00",
	"20260101T120000Z", "2026-W01-1", "2026-001", "+2026-01-01", "9999-12-31T23:59:59-00:01",
	"0001-01-01T00:00:00+00:01" };

static void test_bad_instants(void **state)
{
	for (size_t i = 0; i < N_ELEMENTS(bad_instants); i++) {
		struct instant got = { 77, 77 };
		const char *why = NULL;

		if (iso8601_parse_instant(bad_instants[i], &got, &why) != -EINVAL)
			fail_msg("'%s' was taken", bad_instants[i]);
		assert_non_null(why);
		assert_int_equal(got.s, 77);
	}
}

static void test_clock(void **state)
{
	static const char *const bad[] = { "", "9", "9:5", "24:00", "12:60", "12:00:60", "12.00",
		"12:00 ", "012:00", "12:00Z", "12:00:00.5", "-1:00", "noon", "12:00:" };
	struct wall wall = { 0 };
	const char *why = NULL;

	assert_int_equal(iso8601_parse_clock("9:05", &wall, &why), 0);
	assert_int_equal(wall.hour, 9);
	assert_int_equal(wall.minute, 5);
	assert_int_equal(iso8601_parse_clock("23:59:58", &wall, &why), 0);
	assert_int_equal(wall.second, 58);
	for (size_t i = 0; i < N_ELEMENTS(bad); i++) {
		if (iso8601_parse_clock(bad[i], &wall, &why) != -EINVAL)
			fail_msg("'%s' was taken", bad[i]);
	}
}

static void test_offset_text(void **state)
{
	static const struct {
		int offset_s;
		const char *text;
	} cases[] = { { 0, "+00:00" }, { 3600, "+01:00" }, { -1800, "-00:30" }, { 20700, "+05:45" },
		{ -12652, "-03:30:52" }, { 50400, "+14:00" } };

	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		auto_strbuf text = { 0 };

		iso8601_add_offset(&text, cases[i].offset_s);
		assert_string_equal(text.data, cases[i].text);
	}
}

static void test_durations(void **state)
{
	static const struct {
		struct instant duration;
		const char *iso;
		const char *words;
	} cases[] = {
		{ { 0, 0 }, "PT0S", "0 seconds" },
		{ { 1, 0 }, "PT1S", "1 second" },
		{ { 60, 0 }, "PT1M", "1 minute" },
		{ { 86400, 0 }, "P1D", "1 day" },
		{ { 172801, 0 }, "P2DT1S", "2 days, 1 second" },
		{ { 93784, 500000000 }, "P1DT2H3M4.5S", "1 day, 2 hours, 3 minutes, 4.5 seconds" },
		{ { 0, 1 }, "PT0.000000001S", "0.000000001 seconds" },
		{ { -1, 0 }, "-PT1S", "1 second earlier" },
		{ { -1, 500000000 }, "-PT0.5S", "0.5 seconds earlier" },
		{ { -90000, 0 }, "-P1DT1H", "1 day, 1 hour earlier" },
		{ { ISO8601_MAX_SECONDS - ISO8601_MIN_SECONDS, 0 }, "P3652058DT23H59M59S",
			"3652058 days, 23 hours, 59 minutes, 59 seconds" },
	};

	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		auto_strbuf iso = { 0 };
		auto_strbuf words = { 0 };

		strbuf_adds(&words, "for ");
		iso8601_add_duration(&iso, cases[i].duration);
		iso8601_add_words(&words, cases[i].duration);
		assert_string_equal(iso.data, cases[i].iso);
		assert_string_equal(words.data + 4, cases[i].words);
	}
}

static void test_subtract(void **state)
{
	struct instant d = iso8601_subtract((struct instant){ 5, 100 }, (struct instant){ 3, 200 });

	assert_int_equal(d.s, 1);
	assert_int_equal(d.ns, 999999900);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_instants),
		cmocka_unit_test(test_bad_instants),
		cmocka_unit_test(test_clock),
		cmocka_unit_test(test_offset_text),
		cmocka_unit_test(test_durations),
		cmocka_unit_test(test_subtract),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
