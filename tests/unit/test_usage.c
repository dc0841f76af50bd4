/* What keys and addresses may have: things, rates, and what is remembered of those that left. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "supervisor/mcp/usage.h"
#include "supervisor/stats.h"

static struct {
	struct loop *loop;
	struct usages *keys;
} world;

static const char *limit;

static int setup(void **unused)
{
	world.loop = loop_new_fake();
	world.keys = usages_new(world.loop, USAGE_OF_KEY);
	stats_reset();
	return 0;
}

static int teardown(void **unused)
{
	usages_free(world.keys);
	loop_free(world.loop);
	return 0;
}

static void test_things(void **unused)
{
	const struct conf_quota quota = { .sessions = 2 };
	const struct conf_quota own = { .sessions = 3 };
	struct usage *usage;

	usages_set_quota(world.keys, &quota);
	usage = usages_get(world.keys, "a", NULL);
	assert_true(usage_take(usage, USAGE_SESSIONS));
	assert_true(usage_take(usage, USAGE_SESSIONS));
	assert_false(usage_take(usage, USAGE_SESSIONS));
	assert_true(usage_take(usage, USAGE_CALLS)); /* no limit */
	assert_int_equal(stats_get_limit(STATS_LIMIT_KEY_SESSIONS), 1);
	assert_string_equal(usage_limit_name(usage, USAGE_SESSIONS), "limits.per_key.sessions");
	usage_give(usage, USAGE_SESSIONS);
	assert_false(usage_is_full(usage, USAGE_SESSIONS));
	assert_int_equal(usage_count(usage, USAGE_SESSIONS), 1);
	usage_unref(usages_get(world.keys, "a", &own)); /* the key got another quota */
	assert_true(usage_take(usage, USAGE_SESSIONS));
	assert_true(usage_take(usage, USAGE_SESSIONS));
	assert_false(usage_take(usage, USAGE_SESSIONS));
	usage_unref(usage);
	assert_true(usage_take(NULL, USAGE_SESSIONS));
}

static void test_rate(void **unused)
{
	const struct conf_quota quota = { .rate = 10, .burst = 3 };
	struct usage *usage;

	usages_set_quota(world.keys, &quota);
	usage = usages_get(world.keys, "a", NULL);
	for (int i = 0; i < 3; i++)
		assert_int_equal(usage_admit(usage, &limit), 0);
	assert_int_equal(usage_admit(usage, &limit), 100);
	loop_fake_advance(world.loop, 60);
	assert_int_equal(usage_admit(usage, &limit), 40);
	loop_fake_advance(world.loop, 40);
	assert_int_equal(usage_admit(usage, &limit), 0);
	assert_int_equal(usage_admit(usage, &limit), 100);
	assert_int_equal(stats_get_limit(STATS_LIMIT_KEY_RATE), 3);
	assert_string_equal(limit, "limits.per_key.rate");
	usage_unref(usage);
	usage = usages_get(world.keys, "a", NULL); /* nothing is gained by leaving */
	assert_int_equal(usage_admit(usage, &limit), 100);
	loop_fake_advance(world.loop, 10000);
	for (int i = 0; i < 3; i++)
		assert_int_equal(usage_admit(usage, &limit), 0);
	assert_int_equal(usage_admit(usage, &limit), 100);
	usage_unref(usage);
}

/* A key may have more at once, at the rate of all. */
static void test_burst_of_its_own(void **unused)
{
	const struct conf_quota quota = { .rate = 1, .burst = 1 };
	const struct conf_quota more = { .burst = 3 };
	const struct conf_quota faster = { .rate = 2 };
	struct usage *usage;

	usages_set_quota(world.keys, &quota);
	usage = usages_get(world.keys, "more", &more);
	for (int i = 0; i < 3; i++)
		assert_int_equal(usage_admit(usage, &limit), 0);
	assert_int_equal(usage_admit(usage, &limit), 1000);
	usage_unref(usage);
	usage = usages_get(
		world.keys, "faster", &faster); /* the common burst is not for this rate */
	for (int i = 0; i < 4; i++)
		assert_int_equal(usage_admit(usage, &limit), 0);
	assert_int_equal(usage_admit(usage, &limit), 500);
	usage_unref(usage);
}

static void test_no_debt_is_longer_than_a_day(void **unused)
{
	const struct conf_quota quota = { .bytes_rate = 1 };
	const int64_t day_ms = INT64_C(24) * 60 * 60 * 1000;
	struct usage *usage;

	usages_set_quota(world.keys, &quota);
	usage = usages_get(world.keys, "a", NULL);
	for (int i = 0; i < 1000; i++)
		usage_pay(usage, (size_t)64 << 20);
	assert_int_equal(usage_admit(usage, &limit), day_ms - 1000);
	usage_unref(usage);
}

static void test_burst_is_twice_the_rate(void **unused)
{
	const struct conf_quota own = { .rate = 5 };
	struct usage *usage = usages_get(world.keys, "a", &own);

	for (int i = 0; i < 10; i++)
		assert_int_equal(usage_admit(usage, &limit), 0);
	assert_true(usage_admit(usage, &limit) > 0);
	usage_unref(usage);
}

static void test_bytes_are_paid_afterwards(void **unused)
{
	const struct conf_quota quota = { .bytes_rate = 1000 };
	struct usage *usage;

	usages_set_quota(world.keys, &quota);
	usage = usages_get(world.keys, "a", NULL);
	assert_int_equal(usage_admit(usage, &limit), 0);
	usage_pay(usage, 3500);
	assert_int_equal(usage_admit(usage, &limit), 2500);
	assert_int_equal(stats_get_limit(STATS_LIMIT_KEY_BYTES), 1);
	loop_fake_advance(world.loop, 2500);
	assert_int_equal(usage_admit(usage, &limit), 0);
	usage_unref(usage);
}

/* However many come and go, only so many are remembered; those that are held are never forgotten. */
static void test_memory_is_bounded(void **unused)
{
	const struct conf_quota quota = { .rate = 1, .burst = 1 };
	struct usage *held;

	usages_set_quota(world.keys, &quota);
	held = usages_get(world.keys, "held", NULL);
	assert_int_equal(usage_admit(held, &limit), 0);
	for (int i = 0; i < 40000; i++) {
		char who[16];
		struct usage *usage;

		(void)snprintf(who, sizeof(who), "%d", i);
		usage = usages_get(world.keys, who, NULL);
		assert_int_equal(usage_admit(usage, &limit), 0);
		usage_unref(usage);
	}
	struct usage *old = usages_get(world.keys, "0", NULL);
	struct usage *young = usages_get(world.keys, "39999", NULL);
	assert_int_equal(usage_admit(old, &limit), 0);
	assert_int_equal(usage_admit(young, &limit), 1000);
	assert_int_equal(usage_admit(held, &limit), 1000);
	usage_unref(old);
	usage_unref(young);
	usage_unref(held);
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(things),
		TEST(rate),
		TEST(burst_of_its_own),
		TEST(no_debt_is_longer_than_a_day),
		TEST(burst_is_twice_the_rate),
		TEST(bytes_are_paid_afterwards),
		TEST(memory_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
