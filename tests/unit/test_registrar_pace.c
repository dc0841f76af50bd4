/* How fast the gateway is asked, and how long after a failure: with a clock of our own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "workers/registrar/pace.h"

static void test_burst_and_rate(void **unused)
{
	struct pace pace = { 0 };
	int64_t now = 1000;
	int n = 0;

	while (pace_wait_ms(&pace, now) == 0) {
		pace_spend(&pace, now);
		n++;
	}
	assert_int_equal(n, PACE_BURST);
	/* From then on one every two seconds. */
	for (int i = 0; i < 10; i++) {
		int64_t wait_ms = pace_wait_ms(&pace, now);

		assert_in_range(wait_ms, 1, 60000 / PACE_A_MINUTE + 1);
		assert_true(pace_wait_ms(&pace, now + wait_ms - 2) > 0);
		now += wait_ms;
		assert_int_equal(pace_wait_ms(&pace, now), 0);
		pace_spend(&pace, now);
	}
	/* A long rest makes no more than the burst. */
	now += INT64_C(86400000);
	for (n = 0; pace_wait_ms(&pace, now) == 0; n++)
		pace_spend(&pace, now);
	assert_int_equal(n, PACE_BURST);
}

static void test_closed(void **unused)
{
	struct pace pace = { 0 };

	assert_int_equal(pace_wait_ms(&pace, 5), 0);
	pace_close(&pace, 5, 900000);
	pace_close(&pace, 5, 1000); /* a shorter one does not open it */
	assert_int_equal(pace_wait_ms(&pace, 6), 899999);
	assert_int_equal(pace_wait_ms(&pace, 900005), 0);
}

static void test_a_clock_that_stands(void **unused)
{
	struct pace pace = { 0 };

	pace_spend(&pace, 100);
	pace_spend(&pace, 50); /* nothing is filled in backwards */
	assert_int_equal((int)pace.left, PACE_BURST - 2);
}

static void test_backoff(void **unused)
{
	assert_int_equal(pace_backoff_ms(1, 60000, 0), 1000);
	assert_int_equal(pace_backoff_ms(2, 60000, 0), 2000);
	assert_int_equal(pace_backoff_ms(6, 60000, 0), 32000);
	assert_int_equal(pace_backoff_ms(7, 60000, 0), 60000);
	assert_int_equal(pace_backoff_ms(4000000000U, INT64_MAX, 0), 60000);
	assert_int_equal(pace_backoff_ms(9, 5000, 0), 5000); /* within an interval */
	assert_int_equal(pace_backoff_ms(1, 60000, UINT32_MAX), 750);
	assert_int_equal(pace_backoff_ms(9, 60000, UINT32_MAX), 45000);
}

static void test_interval(void **unused)
{
	assert_int_equal(pace_interval_ms(60000, 0), 60000);
	assert_int_equal(pace_interval_ms(60000, UINT32_MAX), 54000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_burst_and_rate),
		cmocka_unit_test(test_closed),
		cmocka_unit_test(test_a_clock_that_stands),
		cmocka_unit_test(test_backoff),
		cmocka_unit_test(test_interval),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
