/* Numbers, sizes and durations: what is taken, what is refused, and that both ways agree. */
#include "shared/amount.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "shared/alloc.h"

struct good {
	const char *text;
	int64_t value;
};

struct bad {
	const char *text;
	int error;
};

typedef int parse_fn(const char *text, int64_t *ret);

static void check_good(parse_fn *parse, const struct good *cases, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		int64_t value = -1;

		if (parse(cases[i].text, &value) != 0 || value != cases[i].value)
			fail_msg("'%s' gave %lld", cases[i].text, (long long)value);
	}
}

static void check_bad(parse_fn *parse, const struct bad *cases, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		int64_t value = -1;
		int r = parse(cases[i].text, &value);

		if (r != cases[i].error || value != -1)
			fail_msg("'%s' gave %d, %lld", cases[i].text, r, (long long)value);
	}
}

static void test_count(void **state)
{
	static const struct good good[] = { { "0", 0 }, { "007", 7 },
		{ "9223372036854775807", INT64_MAX } };
	static const struct bad bad[] = { { "", -EINVAL }, { "-1", -EINVAL }, { "+1", -EINVAL },
		{ " 1", -EINVAL }, { "1 ", -EINVAL }, { "0x10", -EINVAL }, { "1e3", -EINVAL },
		{ "9223372036854775808", -ERANGE }, { "99999999999999999999", -ERANGE } };

	check_good(amount_parse_count, good, N_ELEMENTS(good));
	check_bad(amount_parse_count, bad, N_ELEMENTS(bad));
}

static void test_size(void **state)
{
	static const struct good good[] = { { "0", 0 }, { "512", 512 }, { "512B", 512 },
		{ "2kB", 2000 }, { "3MB", 3000000 }, { "1GB", 1000000000 }, { "64KiB", 65536 },
		{ "4MiB", 4 << 20 }, { "1GiB", 1 << 30 } };
	static const struct bad bad[] = { { "", -EINVAL }, { "MiB", -EINVAL }, { "4mib", -EINVAL },
		{ "4 MiB", -EINVAL }, { "4M", -EINVAL }, { "-4MiB", -EINVAL },
		{ "1.5MiB", -EINVAL }, { "1MiB1KiB", -EINVAL },
		{ "9223372036854775807KiB", -ERANGE } };

	check_good(amount_parse_size, good, N_ELEMENTS(good));
	check_bad(amount_parse_size, bad, N_ELEMENTS(bad));
}

static void test_duration(void **state)
{
	static const struct good good[] = { { "250ms", 250 }, { "15s", 15000 }, { "5m", 300000 },
		{ "1h", 3600000 }, { "2d", 172800000 }, { "1h30m", 5400000 }, { "1m5ms", 60005 },
		{ "0s", 0 }, { "1d1h1m1s1ms", 90061001 } };
	static const struct bad bad[] = { { "", -EINVAL }, { "15", -EINVAL }, { "s", -EINVAL },
		{ "-1s", -EINVAL }, { "1.5s", -EINVAL }, { "1 s", -EINVAL }, { "1s ", -EINVAL },
		{ "30m1h", -EINVAL }, { "1s1s", -EINVAL }, { "1ms1s", -EINVAL }, { "1w", -EINVAL },
		{ "1S", -EINVAL }, { "1h30", -EINVAL }, { "9223372036854775807d", -ERANGE },
		{ "106751991167d9223372036854775807ms", -ERANGE } };

	check_good(amount_parse_duration, good, N_ELEMENTS(good));
	check_bad(amount_parse_duration, bad, N_ELEMENTS(bad));
}

static void test_seconds(void **state)
{
	static const struct good good[] = { { "15", 15000 }, { "0.05", 50 }, { "0.5", 500 },
		{ "1.125", 1125 }, { "0", 0 } };
	static const struct bad bad[] = { { "", -EINVAL }, { ".5", -EINVAL }, { "1.", -EINVAL },
		{ "1.2345", -EINVAL }, { "-1", -EINVAL }, { "1e3", -EINVAL }, { "1s", -EINVAL },
		{ "9223372036854775807", -ERANGE } };

	check_good(amount_parse_seconds, good, N_ELEMENTS(good));
	check_bad(amount_parse_seconds, bad, N_ELEMENTS(bad));
}

static void test_formats_are_read_back(void **state)
{
	static const int64_t values[] = { 0, 1, 999, 1000, 1023, 1024, 1025, 60000, 90061001,
		INT64_C(1) << 40, INT64_MAX };

	for (size_t i = 0; i < N_ELEMENTS(values); i++) {
		auto_free char *size = amount_format_size(values[i]);
		auto_free char *duration = amount_format_duration(values[i]);
		int64_t back = -1;

		assert_int_equal(amount_parse_size(size, &back), 0);
		assert_true(back == values[i]);
		assert_int_equal(amount_parse_duration(duration, &back), 0);
		assert_true(back == values[i]);
	}
}

static void test_formats_are_short(void **state)
{
	auto_free char *size = amount_format_size(4 << 20);
	auto_free char *duration = amount_format_duration(5400000);
	auto_free char *zero = amount_format_duration(0);

	assert_string_equal(size, "4MiB");
	assert_string_equal(duration, "1h30m");
	assert_string_equal(zero, "0s");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_count),
		cmocka_unit_test(test_size),
		cmocka_unit_test(test_duration),
		cmocka_unit_test(test_seconds),
		cmocka_unit_test(test_formats_are_read_back),
		cmocka_unit_test(test_formats_are_short),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
