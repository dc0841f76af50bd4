/* A domain that an operator has switched off: what it offers, what becomes of its calls, and that nothing but
 * being enabled brings it back. The workers are fakes. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "shared/alloc.h"
#include "tests/unit/fake_domain.h"

static void reload(bool replace)
{
	domain_reload(world.domain, &world.conf, &(struct domain_programs){ .native = "/w" },
		replace, 1000);
}

static void test_disable_and_enable(void **unused)
{
	struct worker *w = up();

	ask(1);
	ask(2);
	world.n_changed = 0;
	domain_disable(world.domain, 4000);
	assert_true(world.n_changed > 0);
	assert_int_equal(domain_get_state(world.domain), DOMAIN_DISABLED);
	assert_false(domain_state_is_up(DOMAIN_DISABLED));
	assert_string_equal(domain_state_name(DOMAIN_DISABLED), "disabled");
	assert_string_equal(story(), "down:2 tools:0 ");
	assert_int_equal(w->drain_ms, 4000);
	assert_int_equal(call_it(3, true), -ENXIO);
	finish_one(w);
	die(w, WORKER_DOWN);
	assert_string_equal(story(), "answered:1 ");
	assert_int_equal(world.n_workers, 0);
	loop_fake_advance(world.loop, 600000);
	assert_int_equal(world.n_workers, 0);
	domain_disable(world.domain, 0); /* is so already */
	domain_enable(world.domain);
	assert_int_equal(domain_get_state(world.domain), DOMAIN_STARTING);
	assert_int_equal(world.n_workers, 1);
	ask(4);
	become_ready(world.workers);
	finish_one(world.workers);
	assert_string_equal(story(), "tools:1 answered:4 ");
	domain_enable(world.domain);
	assert_int_equal(world.n_workers, 1);
}

static void test_enabled_while_it_drains(void **unused)
{
	struct worker *old = up();

	ask(1);
	domain_disable(world.domain, 4000);
	domain_enable(world.domain);
	assert_int_equal(world.n_workers, 2);
	become_ready(find_worker(2));
	assert_int_equal(old->n_stops, 1);
	finish_one(old);
	die(old, WORKER_DOWN);
	assert_string_equal(story(), "tools:0 tools:1 answered:1 ");
	assert_int_equal(domain_get_state(world.domain), DOMAIN_UP);
}

/* A call whose process dies meanwhile is not run again: nobody would. */
static void test_a_death_meanwhile(void **unused)
{
	struct worker *w = up();

	ask(1);
	domain_disable(world.domain, 4000);
	(void)story();
	die(w, WORKER_DOWN);
	assert_string_equal(story(), "died:1 ");
	assert_int_equal(stats().n_queued, 0);
}

static void test_it_survives_reloads(void **unused)
{
	struct worker *w = up();

	domain_disable(world.domain, 4000);
	die(w, WORKER_DOWN);
	(void)story();
	reload(false);
	reload(true);
	world.conf.processes_min = world.conf.processes_max = 2;
	reload(false);
	loop_settle(world.loop);
	assert_int_equal(world.n_workers, 0);
	assert_int_equal(domain_get_state(world.domain), DOMAIN_DISABLED);
	assert_string_equal(story(), "");
	domain_enable(world.domain);
	assert_int_equal(world.n_workers, 2); /* as the settings are now */
	assert_string_equal(world.workers->setup->argv[0], "/w");
}

static void test_from_every_state(void **unused)
{
	/* starting */
	domain_disable(world.domain, 4000);
	assert_int_equal(world.workers->state, WORKER_STOPPING);
	die(world.workers, WORKER_DOWN);
	domain_enable(world.domain);
	/* down */
	die(world.workers, WORKER_BACKOFF);
	domain_disable(world.domain, 4000);
	loop_settle(world.loop);
	assert_int_equal(world.n_workers, 0);
	domain_enable(world.domain);
	/* parked */
	die(world.workers, WORKER_PARKED);
	domain_disable(world.domain, 4000);
	loop_settle(world.loop);
	assert_int_equal(world.n_workers, 0);
	domain_enable(world.domain);
	assert_int_equal(domain_get_state(world.domain), DOMAIN_STARTING);
	/* asleep */
	world.conf.idle_stop_ms = 100;
	reload(false);
	become_ready(world.workers);
	loop_fake_advance(world.loop, 200);
	assert_int_equal(domain_get_state(world.domain), DOMAIN_ASLEEP);
	(void)story();
	domain_disable(world.domain, 4000);
	assert_string_equal(story(), "tools:0 ");
	assert_int_equal(call_it(1, true), -ENXIO); /* does not wake it */
	die(world.workers, WORKER_DOWN);
	assert_int_equal(world.n_workers, 0);
}

static void on_done(void *arg, bool ok, const char *text)
{
	assert_false(ok);
	assert_string_equal(text, "0 of 1 processes were replaced, then it was disabled");
	++*(unsigned *)arg;
}

static void test_while_it_is_restarted(void **unused)
{
	struct fail fail = { 0 };
	unsigned n_ends = 0;

	up();
	assert_int_equal(domain_restart(world.domain, 1000, on_done, &n_ends, NULL), 0);
	domain_disable(world.domain, 0);
	loop_settle(world.loop);
	assert_int_equal(n_ends, 1);
	assert_int_equal(domain_restart(world.domain, 1000, on_done, &n_ends, &fail), -ENXIO);
	assert_string_equal(fail.text, "domain fake is disabled: enable it instead");
}

static void test_stop(void **unused)
{
	struct worker *w = up();

	domain_disable(world.domain, 0);
	domain_stop(world.domain, 0);
	assert_string_equal(story(), "tools:0 ");
	domain_enable(world.domain);
	assert_int_equal(domain_get_state(world.domain), DOMAIN_STOPPED);
	die(w, WORKER_DOWN);
	assert_string_equal(story(), "stopped ");
}

/* The layers above learn that there is nothing to wait for, although nothing happens to it. */
static void test_disabled_from_the_start(void **unused)
{
	prepare_domain();
	make_domain();
	domain_disable(world.domain, 0);
	world.n_changed = 0;
	loop_fake_advance(world.loop, 1);
	assert_int_equal(world.n_changed, 1);
	assert_false(domain_is_new(world.domain));
	assert_int_equal(world.n_workers, 0);
	domain_stop(world.domain, 0);
	assert_string_equal(story(), "stopped ");
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up_domain, tear_down_domain)
	const struct CMUnitTest tests[] = {
		TEST(test_disable_and_enable),
		TEST(test_enabled_while_it_drains),
		TEST(test_a_death_meanwhile),
		TEST(test_it_survives_reloads),
		TEST(test_from_every_state),
		TEST(test_while_it_is_restarted),
		TEST(test_stop),
		cmocka_unit_test_teardown(test_disabled_from_the_start, tear_down_domain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
