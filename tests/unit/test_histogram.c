/* Histograms: bounds, quantiles, export and what is made of it elsewhere. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "shared/histogram.h"

static void test_bounds(void **unused)
{
	assert_int_equal(histogram_bound(0), 64);
	assert_int_equal(histogram_bound(1), 80);
	assert_int_equal(histogram_bound(4), 128);
	assert_int_equal(histogram_bound(HISTOGRAM_BUCKETS - 2), INT64_C(1) << 32);
	assert_int_equal(histogram_bound(HISTOGRAM_BUCKETS - 1), INT64_MAX);
	for (unsigned i = 1; i < HISTOGRAM_BUCKETS; i++)
		assert_true(histogram_bound(i) > histogram_bound(i - 1));
}

/* Each duration counts below its bucket's bound, and not below the one before. */
static void test_what_goes_where(void **unused)
{
	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
		struct histogram h = { 0 };

		histogram_add(&h, i ? histogram_bound(i - 1) : 0);
		histogram_add(&h, histogram_bound(i) - 1);
		assert_int_equal(h.counts[i], 2);
	}
	struct histogram h = { 0 };
	histogram_add(&h, INT64_MIN);
	histogram_add(&h, INT64_MAX);
	assert_int_equal(h.counts[0], 1);
	assert_int_equal(h.counts[HISTOGRAM_BUCKETS - 1], 1);
	assert_int_equal(h.n, 2);
}

static void check_quantile(const struct histogram *h, double q, int64_t right)
{
	int64_t got = histogram_quantile(h, q);

	assert_in_range(got, right - right / 8, right + right / 8);
}

static void test_quantiles(void **unused)
{
	struct histogram h = { 0 };

	assert_int_equal(histogram_quantile(&h, 0.5), 0);
	for (int i = 1; i <= 1000; i++)
		histogram_add(&h, i * INT64_C(1000));
	check_quantile(&h, 0.01, 10000);
	check_quantile(&h, 0.5, 500000);
	check_quantile(&h, 0.95, 950000);
	check_quantile(&h, 0.99, 990000);
	check_quantile(&h, 1, 1000000);
	assert_int_equal(h.sum_us, INT64_C(500500000));
}

/* One duration alone is told with no greater error than a bucket has. */
static void test_precision(void **unused)
{
	for (int64_t us = 64; us < INT64_C(3600000000); us += us / 7) {
		struct histogram h = { 0 };

		histogram_add(&h, us);
		check_quantile(&h, 0.5, us);
	}
}

static void test_quantile_of_what_is_too_long(void **unused)
{
	struct histogram h = { 0 };

	histogram_add(&h, INT64_MAX);
	assert_int_equal(histogram_quantile(&h, 0.5), INT64_C(1) << 32);
}

static void load(void *arg, int64_t bound_us, uint64_t n_below)
{
	assert_true(histogram_load(arg, bound_us, n_below));
}

static void test_export(void **unused)
{
	static const int64_t times[] = { 3, 70, 71, 5000, 5000, 1000000, INT64_C(1) << 40 };
	struct histogram h = { 0 };
	struct histogram copy = { 0 };

	for (size_t i = 0; i < N_ELEMENTS(times); i++)
		histogram_add(&h, times[i]);
	histogram_each(&h, load, &copy);
	copy.sum_us = h.sum_us;
	assert_memory_equal(&h, &copy, sizeof(h));
}

static void test_what_cannot_be_loaded(void **unused)
{
	struct histogram h = { 0 };

	assert_false(histogram_load(&h, 65, 1));
	assert_false(histogram_load(&h, 0, 1));
	assert_false(histogram_load(&h, -1, 1));
	assert_true(histogram_load(&h, 80, 5));
	assert_false(histogram_load(&h, 80, 6)); /* once more */
	assert_false(histogram_load(&h, 64, 6)); /* not in order */
	assert_false(histogram_load(&h, 96, 4)); /* fewer */
	assert_true(histogram_load(&h, INT64_MAX, 7));
	assert_int_equal(h.n, 7);
	assert_int_equal(h.counts[HISTOGRAM_BUCKETS - 1], 2);
}

static void test_subtract(void **unused)
{
	struct histogram before = { 0 };
	struct histogram now;

	histogram_add(&before, 100);
	now = before;
	histogram_add(&now, 100);
	histogram_add(&now, 9000);
	assert_true(histogram_subtract(&now, &before));
	assert_int_equal(now.n, 2);
	assert_int_equal(now.sum_us, 9100);
	check_quantile(&now, 1, 9000);
	/* Of a daemon that began anew. */
	struct histogram other = { 0 };
	for (int i = 0; i < 10; i++)
		histogram_add(&other, 1000000);
	struct histogram kept = other;
	assert_false(histogram_subtract(&other, &before));
	assert_memory_equal(&other, &kept, sizeof(kept));
	assert_false(histogram_subtract(&before, &other));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_what_goes_where),
		cmocka_unit_test(test_quantiles),
		cmocka_unit_test(test_precision),
		cmocka_unit_test(test_quantile_of_what_is_too_long),
		cmocka_unit_test(test_export),
		cmocka_unit_test(test_what_cannot_be_loaded),
		cmocka_unit_test(test_subtract),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
