/* Times as git_log takes them. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "workers/git/when.h"

/* 2026-03-31T15:30:45Z, a Tuesday */
#define NOW INT64_C(1774971045)

static int64_t parsed(const char *text)
{
	int64_t at = INT64_MIN;
	int r = when_parse(text, NOW, &at);

	if (r < 0)
		fail_msg("'%s' is not read: %d", text, r);
	return at;
}

static void test_iso(void **state)
{
	static const struct {
		const char *text;
		int64_t at;
	} cases[] = {
		{ "1970-01-01", 0 },
		{ "2026-03-31", 1774915200 },
		{ "2026-03-31T15:30:45Z", NOW },
		{ "2026-03-31T15:30:45", NOW },
		{ "2026-03-31 15:30:45", NOW },
		{ "2026-03-31t15:30:45.999z", NOW },
		{ "2026-03-31T15:30", NOW - 45 },
		{ "2026-03-31T17:30:45+02:00", NOW },
		{ "2026-03-31T17:30:45 +0200", NOW },
		{ "2026-03-31T10:00:45-05:30", NOW },
		{ "2026-03-31T17:30:45+02", NOW },
		{ "  2026-03-31   15:30:45  ", NOW },
		{ "2024-02-29", 1709164800 },
		{ "2000-02-29", 951782400 },
		{ "1969-12-31T23:59:59Z", -1 },
		{ "0001-01-01", -62135596800 },
		{ "9999-12-31T23:59:59Z", 253402300799 },
	};

	for (size_t i = 0; i < N_ELEMENTS(cases); i++)
		assert_int_equal(parsed(cases[i].text), cases[i].at);
}

static void test_words(void **state)
{
	assert_int_equal(parsed("now"), NOW);
	assert_int_equal(parsed("TODAY"), parsed("2026-03-31"));
	assert_int_equal(parsed("yesterday"), parsed("2026-03-30"));
	assert_int_equal(parsed("1774971045"), NOW);
	assert_int_equal(parsed("0"), 0);
}

static void test_ago(void **state)
{
	assert_int_equal(parsed("10 seconds ago"), NOW - 10);
	assert_int_equal(parsed("5 minutes ago"), NOW - 300);
	assert_int_equal(parsed("1 hour ago"), NOW - 3600);
	assert_int_equal(parsed("2 DAYS AGO"), NOW - 172800);
	assert_int_equal(parsed("3 weeks  ago"), NOW - INT64_C(21) * 86400);
	assert_int_equal(parsed("0 days ago"), NOW);
	/* The calendar's months; the last day where there is no 31st. */
	assert_int_equal(parsed("1 month ago"), parsed("2026-02-28T15:30:45Z"));
	assert_int_equal(parsed("2 months ago"), parsed("2026-01-31T15:30:45Z"));
	assert_int_equal(parsed("25 months ago"), parsed("2024-02-29T15:30:45Z"));
	assert_int_equal(parsed("1 year ago"), parsed("2025-03-31T15:30:45Z"));
	assert_int_equal(parsed("100 years ago"), parsed("1926-03-31T15:30:45Z"));
}

static void test_refused(void **state)
{
	static const char *const texts[] = { "", " ", "then", "tomorrow", "2026", "2026-13-01x",
		"2026-13-01", "2026-00-10", "2026-02-29", "1900-02-29", "2026-04-31", "2026-04-00",
		"2026-4-1", "0000-01-01", "2026-03-31T", "2026-03-31T24:00", "2026-03-31T12:60",
		"2026-03-31T12:00:60", "2026-03-31T12:00:00.", "2026-03-31T12:00+", "-5",
		"2026-03-31T12:00+25:00", "2026-03-31T12:00Z trailing", "2026-03-31T12:00+02:0",
		"+5", "0x10", "1234567890123", "99999999999999999999", "days ago", "5 days",
		"5 fortnights ago", "-5 days ago", "1234567890 days ago", "5.5 days ago",
		"five days ago",
		"2026-03-31T12:00:00.000000000000000000000000000000000000000000000000000Z" };

	for (size_t i = 0; i < N_ELEMENTS(texts); i++) {
		int64_t at = 42;
		int r = when_parse(texts[i], NOW, &at);

		/* A bare year is a number of seconds; all the others are nothing. */
		if (streq(texts[i], "2026")) {
			assert_int_equal(r, 0);
			assert_int_equal(at, 2026);
			continue;
		}
		if (r != -EINVAL)
			fail_msg("'%s' is read as %lld", texts[i], (long long)at);
		assert_int_equal(at, 42);
	}
}

static void test_range(void **state)
{
	int64_t at;

	assert_int_equal(when_parse("3000 years ago", NOW, &at), -ERANGE);
	assert_int_equal(when_parse("999999999 years ago", NOW, &at), -ERANGE);
	assert_int_equal(when_parse("999999999999", NOW, &at), -ERANGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_iso),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_ago),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_range),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
