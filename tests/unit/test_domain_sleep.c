/* Domains without processes: idle_stop, and start: lazy with lists of an earlier run. The store is a fake of
 * this file. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "shared/alloc.h"
#include "shared/log.h"
#include "supervisor/fleet/store.h"
#include "tests/unit/fake_domain.h"

static const int64_t IDLE_MS = 10000;

#define KEPT                                                                                       \
	"{\"info\":{},\"tools\":[{\"name\":\"a\"}],\"takes_legacy\":true,\"takes_modern\":false}"

/* --- the fake store ---------------------------------------------------------------------------- */

struct store {
	const char *text; /* NULL: nothing is kept */
	char *written;
	unsigned n_written;
	char fingerprint[17];
};

static struct store store;

char *store_read(struct store *s, const char *domain, const char *fingerprint)
{
	assert_string_equal(domain, "fake");
	(void)snprintf(s->fingerprint, sizeof(s->fingerprint), "%s", fingerprint);
	return alloc_str(s->text);
}

void store_write(struct store *s, const char *domain, const char *fingerprint, const char *text)
{
	assert_string_equal(domain, "fake");
	(void)snprintf(s->fingerprint, sizeof(s->fingerprint), "%s", fingerprint);
	free(s->written);
	s->written = alloc_str(text);
	s->n_written++;
}

uint64_t store_fingerprint(uint64_t hash, const char *text)
{
	for (; *text; text++)
		hash = hash * 31 + (unsigned char)*text;
	return hash * 31 + 7;
}

/* ------------------------------------------------------------------------------------------------ */

static int set_up(void **unused)
{
	prepare_domain();
	use_command();
	world.conf.idle_stop_ms = IDLE_MS;
	store = (struct store){ .text = KEPT };
	return 0;
}

static int tear_down(void **unused)
{
	free(TAKE(store.written));
	return tear_down_domain(NULL);
}

static void start_lazy(void)
{
	world.conf.start = CONF_START_LAZY;
	make_domain();
	domain_use_store(world.domain, &store, true);
	domain_start(world.domain);
}

static void start_eager(void)
{
	make_domain();
	domain_use_store(world.domain, &store, true);
	domain_start(world.domain);
}

static void end(struct worker *w)
{
	assert_true(w->n_stops > 0);
	die(w, WORKER_DOWN);
}

static void assert_state(enum domain_state state)
{
	assert_string_equal(
		domain_state_name(domain_get_state(world.domain)), domain_state_name(state));
}

static void test_idle_processes_end(void **unused)
{
	struct worker *w;

	start_eager();
	w = up();
	ask(1);
	loop_fake_advance(world.loop, 3 * IDLE_MS); /* a long call is no idleness */
	assert_int_equal(w->n_stops, 0);
	finish_one(w);
	loop_fake_advance(world.loop, IDLE_MS - 1);
	assert_state(DOMAIN_UP);
	loop_fake_advance(world.loop, IDLE_MS + 1);
	assert_state(DOMAIN_ASLEEP);
	assert_true(domain_state_is_up(domain_get_state(world.domain)));
	end(w);
	assert_int_equal(world.n_workers, 0);
	loop_fake_advance(world.loop, 100 * IDLE_MS);
	assert_int_equal(world.n_workers, 0);
	assert_string_equal(story(), "answered:1 "); /* the lists are still offered */
	assert_int_equal(stats().n_restarts, 0);
	assert_int_equal(store.n_written, 0); /* it is not lazy */
}

static void test_work_beside_is_no_idleness(void **unused)
{
	struct worker *w;

	start_eager();
	w = up();
	domain_hold(world.domain, w->index, true);
	loop_fake_advance(world.loop, 5 * IDLE_MS);
	assert_state(DOMAIN_UP);
	domain_hold(world.domain, w->index, false);
	loop_fake_advance(world.loop, IDLE_MS - 1);
	assert_state(DOMAIN_UP);
	loop_fake_advance(world.loop, IDLE_MS + 1);
	assert_state(DOMAIN_ASLEEP);
	end(w);
}

static void test_a_call_wakes_it(void **unused)
{
	start_eager();
	(void)up();
	loop_fake_advance(world.loop, 2 * IDLE_MS);
	ask(1); /* the old process is still ending */
	assert_int_equal(world.n_workers, 2);
	assert_state(DOMAIN_ASLEEP); /* /ready stays green */
	assert_false(domain_is_new(world.domain));
	ask(2);
	assert_int_equal(world.n_workers, 2);
	become_ready(world.workers);
	assert_state(DOMAIN_UP);
	finish_one(world.workers);
	finish_one(world.workers);
	assert_string_equal(story(), "answered:1 answered:2 ");
	loop_fake_advance(world.loop, 2 * IDLE_MS);
	assert_state(DOMAIN_ASLEEP);
}

static void test_waking_fails(void **unused)
{
	start_eager();
	(void)up();
	loop_fake_advance(world.loop, 2 * IDLE_MS);
	end(world.workers);
	ask(1);
	die(world.workers, WORKER_BACKOFF);
	assert_state(DOMAIN_DOWN); /* now it is trouble */
	die(world.workers, WORKER_PARKED);
	assert_state(DOMAIN_PARKED);
	assert_string_equal(story(), "down:1 tools:0 ");
	assert_int_equal(call_it(2, true), -ENXIO);
	become_ready(world.workers);
	assert_string_equal(story(), "tools:1 ");
	loop_fake_advance(world.loop, 2 * IDLE_MS);
	assert_state(DOMAIN_ASLEEP);
}

static void test_who_subscribes_keeps_it_awake(void **unused)
{
	struct worker *w;

	start_eager();
	w = up();
	domain_subscribe(world.domain, 1, "x:a");
	loop_fake_advance(world.loop, 5 * IDLE_MS);
	assert_state(DOMAIN_UP);
	domain_forget_session(world.domain, 1);
	loop_fake_advance(world.loop, 2 * IDLE_MS);
	assert_state(DOMAIN_ASLEEP);
	end(w);
	domain_subscribe(world.domain, 1, "x:a"); /* who sleeps tells nothing */
	assert_int_equal(world.n_workers, 1);
	become_ready(world.workers);
	assert_string_equal(world.workers->wants, "x:a");
}

static void test_lazy_with_kept_lists(void **unused)
{
	start_lazy();
	assert_state(DOMAIN_ASLEEP);
	assert_int_equal(world.n_workers, 0);
	assert_int_equal(world.n_changed, 0); /* not from inside domain_start() */
	loop_fake_advance(world.loop, 0);
	assert_int_equal(world.n_changed, 1);
	assert_string_equal(story(), "tools:1 ");
	loop_fake_advance(world.loop, 10 * IDLE_MS);
	assert_int_equal(world.n_workers, 0);
	ask(1);
	assert_int_equal(world.n_workers, 1);
	become_ready(world.workers); /* offers the same */
	finish_one(world.workers);
	assert_string_equal(story(), "answered:1 ");
	assert_int_equal(store.n_written, 0);
}

static void test_lazy_with_other_lists_than_before(void **unused)
{
	start_lazy();
	ask(1);
	become_ready_with(world.workers, "[{\"name\":\"a\"},{\"name\":\"b\"}]");
	finish_one(world.workers);
	assert_string_equal(story(), "tools:1 tools:2 answered:1 ");
	assert_int_equal(store.n_written, 1);
	assert_non_null(strstr(store.written, "\"b\""));
	become_ready_with(world.workers, "[{\"name\":\"a\"},{\"name\":\"b\"}]");
	assert_int_equal(store.n_written, 1);
}

static void test_lazy_without_kept_lists(void **unused)
{
	store.text = NULL;
	start_lazy();
	assert_state(DOMAIN_STARTING);
	(void)up();
	assert_int_equal(store.n_written, 1);
	assert_string_equal(store.written, KEPT);
	loop_fake_advance(world.loop, 2 * IDLE_MS);
	assert_state(DOMAIN_ASLEEP);
}

static void test_lazy_without_idle_stop_stays_up(void **unused)
{
	world.conf.idle_stop_ms = 0;
	start_lazy();
	ask(1);
	become_ready(world.workers);
	finish_one(world.workers);
	loop_fake_advance(world.loop, 1000 * IDLE_MS);
	assert_state(DOMAIN_UP);
}

static void test_kept_lists_that_are_damaged(void **unused)
{
	store.text = "{\"info\":";
	start_lazy();
	assert_state(DOMAIN_STARTING);
	assert_int_equal(world.n_workers, 1);
}

static void test_without_a_store(void **unused)
{
	world.conf.start = CONF_START_LAZY;
	make_domain();
	domain_use_store(world.domain, NULL, true);
	domain_start(world.domain);
	assert_state(DOMAIN_STARTING);
	(void)up();
}

static void test_the_fingerprint_is_that_of_what_is_run(void **unused)
{
	static char cwd[] = "/srv";
	char before[17];

	start_lazy();
	memcpy(before, store.fingerprint, sizeof(before));
	ask(1);
	become_ready(world.workers);
	world.conf.cwd = cwd;
	domain_reload(world.domain, &world.conf, &(struct domain_programs){ 0 }, true, 1000);
	become_ready(world.workers); /* the same lists, kept under the new one */
	assert_int_equal(store.n_written, 1);
	assert_string_not_equal(store.fingerprint, before);
}

/* What the new program offers has to be seen. */
static void test_reload_while_asleep(void **unused)
{
	start_lazy();
	domain_reload(world.domain, &world.conf, &(struct domain_programs){ 0 }, false, 1000);
	assert_int_equal(world.n_workers, 0); /* the same program */
	assert_string_equal(story(), "tools:1 tools:1 ");
	domain_reload(world.domain, &world.conf, &(struct domain_programs){ 0 }, true, 1000);
	assert_int_equal(world.n_workers, 1);
	become_ready_with(world.workers, "[]");
	assert_string_equal(story(), "tools:1 tools:0 ");
}

/* Those of older settings whose successors are not ready yet sleep too. */
static void test_sleep_with_old_processes(void **unused)
{
	struct worker *old;

	make_domain();
	domain_start(world.domain);
	old = up();
	domain_reload(world.domain, &world.conf, &(struct domain_programs){ 0 }, true, 1000);
	die(world.workers, WORKER_BACKOFF);
	loop_fake_advance(world.loop, 2 * IDLE_MS);
	assert_int_equal(domain_get_state(world.domain), DOMAIN_ASLEEP);
	assert_int_equal(world.n_workers, 1);
	assert_int_equal(old->n_stops, 1);
}

static void test_reload_of_idle_stop(void **unused)
{
	start_eager();
	(void)up();
	world.conf.idle_stop_ms = 0;
	domain_reload(world.domain, &world.conf, &(struct domain_programs){ 0 }, false, 1000);
	loop_fake_advance(world.loop, 10 * IDLE_MS);
	assert_state(DOMAIN_UP);
	world.conf.idle_stop_ms = IDLE_MS;
	domain_reload(world.domain, &world.conf, &(struct domain_programs){ 0 }, false, 1000);
	loop_fake_advance(world.loop, IDLE_MS);
	assert_state(DOMAIN_ASLEEP);
}

static void test_stop_while_asleep(void **unused)
{
	start_lazy();
	domain_stop(world.domain, 1000);
	assert_string_equal(story(), "tools:1 tools:0 stopped ");
	loop_fake_advance(world.loop, 10 * IDLE_MS);
	assert_int_equal(world.n_workers, 0);
}

static void test_sessions_of_their_own_sleep_too(void **unused)
{
	world.conf.isolation = CONF_ISOLATION_SESSION;
	start_lazy();
	assert_int_equal(call_of(1, 10), 0);
	assert_int_equal(world.n_workers, 2); /* its own, and a spare one */
	become_ready(find_worker(1));
	become_ready(find_worker(2));
	finish_one(find_worker(1));
	loop_fake_advance(world.loop, 2 * IDLE_MS);
	assert_state(DOMAIN_ASLEEP);
	end(find_worker(1));
	end(find_worker(2));
	assert_int_equal(call_of(2, 10), 0);
	become_ready(find_worker(3));
	finish_one(find_worker(3));
	assert_string_equal(story(), "tools:1 answered:1 answered:2 ");
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_idle_processes_end),
		TEST(test_work_beside_is_no_idleness),
		TEST(test_a_call_wakes_it),
		TEST(test_waking_fails),
		TEST(test_who_subscribes_keeps_it_awake),
		TEST(test_lazy_with_kept_lists),
		TEST(test_lazy_with_other_lists_than_before),
		TEST(test_lazy_without_kept_lists),
		TEST(test_lazy_without_idle_stop_stays_up),
		TEST(test_kept_lists_that_are_damaged),
		TEST(test_without_a_store),
		TEST(test_the_fingerprint_is_that_of_what_is_run),
		TEST(test_reload_while_asleep),
		TEST(test_sleep_with_old_processes),
		TEST(test_reload_of_idle_stop),
		TEST(test_stop_while_asleep),
		TEST(test_sessions_of_their_own_sleep_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
