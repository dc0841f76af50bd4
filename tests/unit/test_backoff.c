/* Waiting times between the starts of a process. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "supervisor/fleet/backoff.h"

static const struct backoff_rules rules = {
	.first_ms = 100,
	.cap_ms = 30000,
	.park_ms = 300000,
	.stable_ms = 60000,
	.park_after = 20,
};

static void test_doubles_up_to_the_cap(void **unused)
{
	struct backoff backoff = { 0 };
	int64_t expected_ms = 100;
	bool park;

	for (unsigned i = 1; i < rules.park_after; i++) {
		assert_int_equal(backoff_next(&backoff, &rules, 0, &park), expected_ms);
		assert_false(park);
		expected_ms = expected_ms * 2 < rules.cap_ms ? expected_ms * 2 : rules.cap_ms;
	}
	assert_int_equal(expected_ms, rules.cap_ms);
}

static void test_jitter_takes_at_most_a_quarter_off(void **unused)
{
	bool park;

	for (uint64_t random = 0; random <= UINT32_MAX; random += UINT32_MAX / 97) {
		struct backoff backoff = { .n_deaths = 12 };
		int64_t wait_ms = backoff_next(&backoff, &rules, (uint32_t)random, &park);

		assert_in_range(wait_ms, rules.cap_ms * 3 / 4, rules.cap_ms);
	}
}

static void test_parks_after_too_many_in_a_row(void **unused)
{
	struct backoff backoff = { .n_deaths = rules.park_after - 1 };
	bool park;

	assert_int_equal(backoff_next(&backoff, &rules, 7, &park), rules.park_ms);
	assert_true(park);
	/* It stays parked: one more death does not start the doubling anew. */
	assert_int_equal(backoff_next(&backoff, &rules, 7, &park), rules.park_ms);
	assert_true(park);
}

static void test_reset_begins_anew(void **unused)
{
	struct backoff backoff = { .n_deaths = 9 };
	bool park;

	backoff_reset(&backoff);
	assert_int_equal(backoff_next(&backoff, &rules, 0, &park), rules.first_ms);
	assert_false(park);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_doubles_up_to_the_cap),
		cmocka_unit_test(test_jitter_takes_at_most_a_quarter_off),
		cmocka_unit_test(test_parks_after_too_many_in_a_row),
		cmocka_unit_test(test_reset_begins_anew),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
