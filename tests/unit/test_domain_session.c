/* isolation: session: whose process is whose, spare ones, the limit, the end of a session, adoption. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "shared/alloc.h"
#include "shared/log.h"
#include "tests/unit/fake_domain.h"

static int set_up(void **unused)
{
	prepare_domain();
	use_command();
	world.conf.isolation = CONF_ISOLATION_SESSION;
	world.conf.processes_max = 3;
	world.conf.queue = 10;
	make_domain();
	domain_start(world.domain);
	return 0;
}

static void reload(bool replace)
{
	domain_reload(world.domain, &world.conf, &(struct domain_programs){ 0 }, replace, 7000);
}

/* The process has ended, as it was asked to. */
static void end(struct worker *w)
{
	assert_true(w->n_stops > 0);
	die(w, WORKER_DOWN);
}

static void test_each_session_has_its_own(void **unused)
{
	struct worker *first = up();
	struct worker *second;

	assert_int_equal(call_of(1, 10), 0);
	assert_int_equal(first->n_calls, 1); /* the spare one */
	second = find_worker(2);             /* and one more is kept ready */
	assert_non_null(second);
	assert_int_equal(call_of(2, 11), 0);
	assert_int_equal(call_of(3, 10), 0);
	become_ready(second);
	assert_int_equal(second->n_calls, 1);
	assert_int_equal(first->n_calls, 1);
	finish_one(first);
	assert_int_equal(first->n_calls, 1); /* in its order, in its process */
	assert_int_equal(second->n_calls, 1);
	finish_one(first);
	finish_one(second);
	assert_string_equal(story(), "answered:1 answered:3 answered:2 ");
	assert_int_equal(world.n_workers, 3);
	loop_fake_advance(world.loop, 10 * world.conf.idle_shrink_ms); /* idle, but somebody's */
	assert_int_equal(first->n_stops + second->n_stops, 0);
}

static void test_who_speaks(void **unused)
{
	struct worker *w = up();

	say_something(w);
	assert_int_equal(call_of(1, 10), 0);
	say_something(w);
	domain_forget_session(world.domain, 10);
	say_something(w); /* on its way out it is still that session's */
	assert_string_equal(story(), "told:1:0 told:1:10 told:1:10 ");
}

static void test_the_limit(void **unused)
{
	struct worker *first = up();

	assert_int_equal(call_of(1, 10), 0);
	assert_int_equal(call_of(2, 11), 0);
	assert_int_equal(call_of(3, 12), 0);
	assert_int_equal(world.n_workers, 3);
	assert_int_equal(call_of(4, 13), -ENOBUFS);
	assert_int_equal(call_of(5, 10), 0); /* has one */
	finish_one(first);
	finish_one(first);
	domain_forget_session(world.domain, 10);
	assert_int_equal(first->n_stops, 1);
	assert_int_equal(first->drain_ms, 0);
	assert_int_equal(call_of(6, 13), 0); /* waits until that one has ended */
	assert_int_equal(world.n_workers, 3);
	end(first);
	assert_int_equal(world.n_workers, 3);
	become_ready(find_worker(4));
	assert_int_equal(find_worker(4)->n_calls, 1);
}

static void test_a_session_ends_with_calls(void **unused)
{
	struct worker *w = up();

	assert_int_equal(call_of(1, 10), 0);
	assert_int_equal(call_of(2, 10), 0);
	domain_cancel(world.domain, 1, "the session has ended");
	domain_forget_session(world.domain, 10);
	assert_int_equal(stats().n_queued, 0); /* nobody waits for 2 */
	assert_int_equal(w->state, WORKER_DRAINING);
	assert_true(w->drain_ms > 0); /* the cancelled one may end */
	finish_one(w);
	end(w);
	assert_string_equal(story(), "");
	assert_int_equal(stats().n_restarts, 0);
	assert_int_equal(world.n_workers, 1); /* the spare one */
	domain_forget_session(world.domain, 10);
	domain_forget_session(world.domain, 99);
	assert_int_equal(find_worker(2)->n_stops, 0);
}

static void test_a_dead_process_is_replaced_for_its_session(void **unused)
{
	struct worker *w = up();

	assert_int_equal(call_of(1, 10), 0);
	assert_int_equal(call_of(2, 10), 0);
	die(w, WORKER_BACKOFF);
	assert_int_equal(stats().n_restarts, 1);
	become_ready(find_worker(2)); /* the spare one is for others */
	assert_int_equal(find_worker(2)->n_calls, 0);
	become_ready(w);
	finish_one(w);
	finish_one(w);
	assert_string_equal(story(), "answered:1 answered:2 ");
}

static void test_a_process_that_is_parked(void **unused)
{
	struct worker *w = up();

	assert_int_equal(call_of(1, 10), 0);
	become_ready(find_worker(2));
	die(w, WORKER_BACKOFF);
	assert_int_equal(call_of(2, 10), 0);
	die(w, WORKER_PARKED);
	assert_string_equal(story(), "died:1 down:2 "); /* 1 had begun */
	assert_int_equal(call_of(3, 10), -ENXIO);
	assert_int_equal(call_of(4, 11), 0); /* others are served */
	assert_int_equal(find_worker(2)->n_calls, 1);
	assert_int_equal(domain_get_state(world.domain), DOMAIN_UP);
	become_ready(w);
	assert_int_equal(call_of(5, 10), 0);
	assert_int_equal(w->n_calls, 1);
}

static void test_adopt(void **unused)
{
	struct worker *w = up();

	assert_int_equal(call_of(1, 10), 0);
	domain_subscribe(world.domain, 10, "x:a");
	domain_adopt(world.domain, 10, 11);
	domain_forget_session(world.domain, 10);
	assert_int_equal(w->n_stops, 0);
	assert_int_equal(call_of(2, 11), 0);
	finish_one(w);
	assert_int_equal(w->n_calls, 1);
	assert_string_equal(w->wants, "x:a");
	say_something(w);
	assert_string_equal(story(), "answered:1 told:1:11 ");
	domain_adopt(world.domain, 50, 51); /* neither has anything */
	domain_forget_session(world.domain, 11);
	assert_int_equal(w->n_stops, 1);
}

/* What the older process knows is what the next call is about. */
static void test_adopt_by_a_session_that_has_one(void **unused)
{
	struct worker *first = up();
	struct worker *second;

	assert_int_equal(call_of(1, 10), 0);
	second = find_worker(2);
	become_ready(second);
	assert_int_equal(call_of(2, 11), 0);
	finish_one(second);
	domain_adopt(world.domain, 10, 11);
	assert_int_equal(second->n_stops, 1);
	assert_int_equal(call_of(3, 11), 0);
	finish_one(first);
	assert_int_equal(first->n_calls, 1);
	finish_one(first);
	end(second);
	assert_string_equal(story(), "answered:2 answered:1 answered:3 ");
}

/* Its calls go on in the process of the other one, which may be idle. */
static void test_adopt_of_one_that_waits(void **unused)
{
	struct worker *first = up();

	world.conf.processes_max = 2;
	reload(false);
	assert_int_equal(call_of(1, 10), 0);
	finish_one(first);
	become_ready(find_worker(2));
	assert_int_equal(call_of(2, 11), 0);
	domain_forget_session(world.domain, 11);
	assert_int_equal(call_of(3, 12), 0); /* waits for the end of that */
	assert_int_equal(stats().n_queued, 1);
	domain_adopt(world.domain, 12, 10);
	assert_int_equal(first->n_calls, 1);
}

/* Two hope for one place: the second one hears that there is none. */
static void test_more_wait_than_there_is_room(void **unused)
{
	struct worker *first = up();

	world.conf.processes_max = 2;
	reload(false);
	assert_int_equal(call_of(1, 10), 0);
	become_ready(find_worker(2));
	assert_int_equal(call_of(2, 11), 0);
	finish_one(first);
	domain_forget_session(world.domain, 10);
	assert_int_equal(call_of(3, 12), 0);
	assert_int_equal(call_of(4, 13), 0);
	(void)story();
	loop_fake_advance(world.loop, 1000); /* as long as one is about to end */
	assert_string_equal(story(), "");
	end(first);
	loop_fake_advance(world.loop, 100);
	assert_string_equal(story(), "down:4 ");
	become_ready(world.workers);
	assert_int_equal(world.workers->n_calls, 1);
	assert_int_equal(call_of(5, 13), -ENOBUFS);
}

static void test_wants_of_the_owner_only(void **unused)
{
	struct worker *w = up();

	domain_subscribe(world.domain, 10, "x:a");
	domain_subscribe(world.domain, 11, "x:b");
	domain_set_level(world.domain, 11, "debug");
	loop_fake_advance(world.loop, 0);
	assert_int_equal(w->n_wants_told, 0); /* nobody's yet */
	assert_int_equal(call_of(1, 11), 0);
	assert_string_equal(w->wants, "x:b");
	assert_string_equal(w->level, "debug");
	domain_unsubscribe(world.domain, 11, "x:b");
	loop_fake_advance(world.loop, 0);
	assert_string_equal(w->wants, "");
}

static void test_notifications_of_clients(void **unused)
{
	struct worker *w = up();

	domain_tell(world.domain, 11, "line", 4);
	assert_string_equal(w->told, ""); /* nobody's yet */
	assert_int_equal(call_of(1, 11), 0);
	domain_tell(world.domain, 10, "line", 4);
	assert_string_equal(w->told, "");
	domain_tell(world.domain, 11, "line", 4);
	assert_string_equal(w->told, "line");
}

/* All places are taken by sessions: the new ones come beside them, and then the old ones go. */
static void test_reload_replaces(void **unused)
{
	struct worker *old[3];

	up();
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(call_of(i + 1, i + 10), 0);
		old[i] = find_worker(i + 1);
		if (i > 0)
			become_ready(old[i]);
	}
	finish_one(old[0]);
	reload(true);
	assert_int_equal(old[0]->n_stops, 0); /* not before a new one is ready */
	become_ready(find_worker(4));
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(old[i]->n_stops, 1);
	assert_int_equal(old[1]->drain_ms, 7000);
	assert_int_equal(call_of(9, 10), 0);
	assert_int_equal(find_worker(4)->n_calls, 1); /* its next call goes to a new one */
	finish_one(old[1]);
	finish_one(old[2]);
	for (unsigned i = 0; i < 3; i++)
		end(old[i]);
	finish_one(find_worker(4));
	assert_string_equal(story(), "answered:1 tools:1 answered:2 answered:3 answered:9 ");
}

static void test_from_sessions_to_shared_and_back(void **unused)
{
	struct worker *w = up();

	assert_int_equal(call_of(1, 10), 0);
	assert_int_equal(call_of(2, 10), 0);
	world.conf.isolation = CONF_ISOLATION_SHARED;
	reload(true);
	become_ready(world.workers);
	assert_int_equal(world.workers->n_calls, 1); /* 2 goes to whoever has room */
	finish_one(w);
	end(w);
	world.conf.isolation = CONF_ISOLATION_SESSION;
	reload(true);
	assert_int_equal(call_of(3, 11), 0);
	become_ready(world.workers);
	assert_int_equal(world.workers->n_calls, 1);
}

static void test_stop(void **unused)
{
	struct worker *w = up();

	assert_int_equal(call_of(1, 10), 0);
	assert_int_equal(call_of(2, 10), 0);
	domain_stop(world.domain, 5000);
	assert_string_equal(story(), "down:2 tools:0 ");
	finish_one(w);
	domain_forget_session(world.domain, 10);
	end(w);
	end(find_worker(2));
	assert_string_equal(story(), "answered:1 stopped ");
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down_domain)
	const struct CMUnitTest tests[] = {
		TEST(test_each_session_has_its_own),
		TEST(test_who_speaks),
		TEST(test_the_limit),
		TEST(test_a_session_ends_with_calls),
		TEST(test_a_dead_process_is_replaced_for_its_session),
		TEST(test_a_process_that_is_parked),
		TEST(test_adopt),
		TEST(test_adopt_by_a_session_that_has_one),
		TEST(test_adopt_of_one_that_waits),
		TEST(test_more_wait_than_there_is_room),
		TEST(test_wants_of_the_owner_only),
		TEST(test_notifications_of_clients),
		TEST(test_reload_replaces),
		TEST(test_from_sessions_to_shared_and_back),
		TEST(test_stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
