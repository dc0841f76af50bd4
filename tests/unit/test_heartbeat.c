/* The wheel of heartbeats: spread, in rhythm, and whole whatever a beat does to it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "supervisor/front/heartbeat.h"

#define INTERVAL_MS INT64_C(6400)

enum { N_MEMBERS = 200 };

struct member {
	struct heartbeat_entry entry;
	unsigned n_beats;
};

static struct world {
	struct loop *loop;
	struct heartbeat *heartbeat;
	struct member members[N_MEMBERS];
	bool all_leave;
} world;

static void leave(size_t i)
{
	heartbeat_leave(world.heartbeat, &world.members[i].entry);
}

static void on_beat(struct heartbeat_entry *entry)
{
	struct member *member = (struct member *)(void *)entry;

	member->n_beats++;
	if (world.all_leave)
		for (size_t i = 0; i < N_MEMBERS; i++)
			leave(i);
}

static int set_up(void **unused)
{
	world = (struct world){ .loop = loop_new_fake() };
	loop_fake_advance(world.loop, 1000);
	world.heartbeat = heartbeat_new(world.loop, INTERVAL_MS, on_beat);
	for (size_t i = 0; i < N_MEMBERS; i++)
		heartbeat_join(world.heartbeat, &world.members[i].entry);
	return 0;
}

static int tear_down(void **unused)
{
	for (size_t i = 0; i < N_MEMBERS; i++)
		leave(i);
	heartbeat_free(world.heartbeat);
	loop_free(world.loop);
	return 0;
}

static unsigned sum(void)
{
	unsigned n = 0;

	for (size_t i = 0; i < N_MEMBERS; i++)
		n += world.members[i].n_beats;
	return n;
}

static void test_spread(void **unused)
{
	loop_fake_advance(world.loop, INTERVAL_MS / 2 - 200);
	assert_int_equal(sum(), 0);
	loop_fake_advance(world.loop, INTERVAL_MS / 4);
	assert_in_range(sum(), 1, N_MEMBERS - 1);
	loop_fake_advance(world.loop, INTERVAL_MS / 4 + 200);
	assert_int_equal(sum(), N_MEMBERS);
	loop_fake_advance(world.loop, 10 * INTERVAL_MS);
	for (size_t i = 0; i < N_MEMBERS; i++)
		assert_int_equal(world.members[i].n_beats, 11);
}

/* Who joins together does not beat together: no tick has more than its share. */
static void test_even_spread(void **unused)
{
	const int64_t tick_ms = INTERVAL_MS / HEARTBEAT_SLOTS;
	unsigned most = 0;

	for (int64_t at = 0; at < INTERVAL_MS; at += tick_ms) {
		unsigned before = sum();

		loop_fake_advance(world.loop, tick_ms);
		most = sum() - before > most ? sum() - before : most;
	}
	assert_int_equal(sum(), N_MEMBERS);
	assert_int_equal(most, (N_MEMBERS + HEARTBEAT_SLOTS / 2 - 1) / (HEARTBEAT_SLOTS / 2));
}

static void test_leaving(void **unused)
{
	for (size_t i = 1; i < N_MEMBERS; i++)
		leave(i);
	leave(1);
	loop_fake_advance(world.loop, 2 * INTERVAL_MS);
	assert_int_equal(sum(), world.members[0].n_beats);
	assert_in_range(sum(), 1, 2);
	leave(0);
	loop_fake_advance(world.loop, 2 * INTERVAL_MS);
	assert_in_range(sum(), 1, 2);
	heartbeat_join(world.heartbeat, &world.members[0].entry);
	loop_fake_advance(world.loop, INTERVAL_MS);
	assert_in_range(sum(), 2, 3);
}

/* 200 members in 32 slots: those of the same turn that have left are not beaten any more. */
static void test_a_beat_empties_the_wheel(void **unused)
{
	world.all_leave = true;
	loop_fake_advance(world.loop, 2 * INTERVAL_MS);
	assert_int_equal(sum(), 1);
}

static void test_another_rhythm(void **unused)
{
	heartbeat_set_interval(world.heartbeat, INTERVAL_MS / 10);
	loop_fake_advance(world.loop, INTERVAL_MS);
	assert_in_range(world.members[0].n_beats, 9, 11);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_spread),
		TEST(test_even_spread),
		TEST(test_leaving),
		TEST(test_a_beat_empties_the_wheel),
		TEST(test_another_rhythm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
