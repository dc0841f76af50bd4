/* Rolling restarts: the new one is ready before the old one goes, one after the other; what becomes of it when
 * a new one does not come up; and that its end is told once, whatever happens. The workers are fakes. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "shared/alloc.h"
#include "tests/unit/fake_domain.h"

static struct {
	unsigned n;
	bool ok;
	char text[200];
} end;

static void on_done(void *arg, bool ok, const char *text)
{
	assert_ptr_equal(arg, &end);
	end.n++;
	end.ok = ok;
	(void)snprintf(end.text, sizeof(end.text), "%s", text);
}

static int set_up(void **unused)
{
	memset(&end, 0, sizeof(end));
	return set_up_domain(unused);
}

static void restart(void)
{
	assert_int_equal(domain_restart(world.domain, 3000, on_done, &end, NULL), 0);
}

static void assert_end(bool ok, const char *text)
{
	loop_settle(world.loop);
	assert_int_equal(end.n, 1);
	assert_string_equal(end.text, text);
	assert_int_equal(end.ok, ok);
}

static void assert_no_end(void)
{
	loop_settle(world.loop);
	assert_int_equal(end.n, 0);
}

/* Two processes, both ready. */
static void make_two(struct worker **ret_first, struct worker **ret_second)
{
	world.conf.processes_min = 2;
	domain_reload(world.domain, &world.conf, &(struct domain_programs){ 0 }, false, 1000);
	*ret_first = find_worker(1);
	*ret_second = find_worker(2);
	become_ready(*ret_first);
	become_ready(*ret_second);
	(void)story();
}

static void test_the_new_one_is_ready_first(void **unused)
{
	struct worker *old = up();

	ask(1);
	restart();
	assert_int_equal(old->n_stops, 0);
	assert_int_equal(world.n_workers, 2);
	ask(2); /* the old one serves on */
	finish_one(old);
	assert_int_equal(old->n_calls, 1);
	become_ready(find_worker(2));
	assert_int_equal(old->state, WORKER_DRAINING);
	assert_int_equal(old->drain_ms, 3000);
	ask(3);
	finish_one(find_worker(2));
	assert_no_end(); /* it has a call yet */
	finish_one(old);
	die(old, WORKER_DOWN);
	assert_string_equal(story(), "answered:1 answered:3 answered:2 ");
	assert_end(true, "1 process replaced");
	assert_int_equal(world.n_workers, 1);
	assert_int_equal(stats().n_restarts, 0); /* nothing died */
	assert_string_equal(stats().last_error, "");
}

static void test_one_after_the_other(void **unused)
{
	struct worker *first;
	struct worker *second;

	make_two(&first, &second);
	ask(1);
	restart();
	assert_int_equal(world.n_workers, 3); /* not two too many */
	become_ready(find_worker(3));
	assert_int_equal(second->n_stops, 1); /* it had nothing to do */
	assert_int_equal(first->n_stops, 0);
	die(second, WORKER_DOWN);
	assert_int_equal(world.n_workers, 3);
	become_ready(find_worker(4));
	assert_int_equal(first->state, WORKER_DRAINING);
	finish_one(first);
	die(first, WORKER_DOWN);
	assert_end(true, "2 processes replaced");
	assert_int_equal(world.n_workers, 2);
}

/* The next one is not held up by a long call in the one before. */
static void test_a_draining_process_is_waited_for_in_the_end(void **unused)
{
	struct worker *first;
	struct worker *second;

	make_two(&first, &second);
	ask(1);
	ask(2);
	restart();
	become_ready(find_worker(3));
	become_ready(find_worker(4));
	assert_int_equal(first->state, WORKER_DRAINING);
	assert_int_equal(second->state, WORKER_DRAINING);
	assert_no_end();
	finish_one(first);
	die(first, WORKER_DOWN);
	assert_no_end();
	finish_one(second);
	die(second, WORKER_DOWN);
	assert_end(true, "2 processes replaced");
	assert_string_equal(story(), "answered:1 answered:2 ");
}

static void test_a_new_one_that_does_not_come_up(void **unused)
{
	struct worker *old = up();

	restart();
	ask(1);
	die(find_worker(2), WORKER_BACKOFF);
	assert_end(false,
		"0 of 1 processes were replaced, the others stay; the next one: a fake death");
	assert_int_equal(domain_get_state(world.domain), DOMAIN_UP);
	assert_int_equal(world.n_workers, 1);
	assert_int_equal(old->n_stops, 0);
	finish_one(old);
	assert_string_equal(story(), "answered:1 ");
	assert_non_null(strstr(stats().last_error, "a fake death"));
	restart(); /* may be tried again */
}

static void test_the_second_new_one_does_not_come_up(void **unused)
{
	struct worker *first;
	struct worker *second;

	make_two(&first, &second);
	restart();
	become_ready(find_worker(3));
	die(find_worker(4), WORKER_PARKED);
	assert_end(false,
		"1 of 2 processes were replaced, the others stay; the next one: a fake death");
	assert_int_equal(first->n_stops + second->n_stops, 1);
	assert_int_equal(stats().n_ready, 2);
	assert_int_equal(domain_get_state(world.domain), DOMAIN_UP);
}

/* Then there is nothing to lose: the new one goes on trying. */
static void test_the_only_one_does_not_come_up(void **unused)
{
	struct worker *old = up();

	restart();
	die(old, WORKER_BACKOFF);
	loop_settle(world.loop);
	die(find_worker(2), WORKER_BACKOFF);
	assert_end(
		false, "1 of 1 processes were replaced, none serves; the next one: a fake death");
	assert_int_equal(world.n_workers, 2);
	assert_int_equal(domain_get_state(world.domain), DOMAIN_DOWN);
}

static void test_an_old_one_that_dies_is_new_then(void **unused)
{
	struct worker *first;
	struct worker *second;

	make_two(&first, &second);
	restart();
	die(first, WORKER_BACKOFF);
	become_ready(find_worker(3));
	assert_int_equal(second->n_stops, 1);
	die(second, WORKER_DOWN);
	assert_end(true, "2 processes replaced");
	assert_int_equal(first->n_stops, 0);
}

static void test_a_parked_domain_is_started(void **unused)
{
	struct worker *old = up();

	die(old, WORKER_PARKED);
	assert_int_equal(domain_get_state(world.domain), DOMAIN_PARKED);
	restart();
	loop_settle(world.loop);
	assert_int_equal(world.n_workers, 1);
	assert_int_equal(world.workers->index, 2);
	assert_int_equal(world.workers->state, WORKER_STARTING);
	become_ready(world.workers);
	assert_end(true, "1 process replaced");
	assert_int_equal(domain_get_state(world.domain), DOMAIN_UP);
	ask(1);
}

static void test_one_that_waits_to_be_started_again(void **unused)
{
	struct worker *first;
	struct worker *second;

	make_two(&first, &second);
	die(first, WORKER_BACKOFF);
	restart();
	loop_settle(world.loop);
	assert_null(find_worker(1));          /* at once */
	assert_int_equal(world.n_workers, 2); /* and one for it */
	become_ready(find_worker(3));
	assert_int_equal(second->n_stops, 0); /* that was not in its place */
	become_ready(find_worker(4));
	die(second, WORKER_DOWN);
	assert_end(true, "2 processes replaced");
	assert_int_equal(world.n_workers, 2);
}

static void test_a_domain_that_is_asleep(void **unused)
{
	struct worker *w;

	world.conf.idle_stop_ms = 100;
	domain_reload(world.domain, &world.conf, &(struct domain_programs){ 0 }, false, 1000);
	w = up();
	(void)story();
	loop_fake_advance(world.loop, 200);
	assert_int_equal(domain_get_state(world.domain), DOMAIN_ASLEEP);
	die(w, WORKER_DOWN);
	restart();
	assert_int_equal(domain_get_state(world.domain), DOMAIN_ASLEEP); /* offers its lists */
	assert_int_equal(world.n_workers, 1);
	become_ready_with(world.workers, "[{\"name\":\"a\"},{\"name\":\"b\"}]");
	assert_string_equal(story(), "tools:2 ");
	assert_end(true, "1 process replaced");
	assert_int_equal(domain_get_state(world.domain), DOMAIN_UP);
}

/* A task that outlasts its call is waited for, but not for longer than for a call. */
static void test_what_a_process_does_beside_calls(void **unused)
{
	struct worker *old = up();

	domain_hold(world.domain, 1, true);
	restart();
	become_ready(find_worker(2));
	become_ready(find_worker(2)); /* its list again */
	assert_int_equal(old->n_stops, 0);
	ask(1);
	assert_int_equal(find_worker(2)->n_calls, 1);
	assert_no_end();
	domain_hold(world.domain, 1, false);
	assert_int_equal(old->n_stops, 1);
	die(old, WORKER_DOWN);
	assert_end(true, "1 process replaced");
}

static void test_what_takes_too_long_beside_calls(void **unused)
{
	struct worker *old = up();

	domain_hold(world.domain, 1, true);
	restart();
	become_ready(find_worker(2));
	loop_fake_advance(world.loop, 2999);
	assert_int_equal(old->n_stops, 0);
	loop_fake_advance(world.loop, 1);
	assert_int_equal(old->n_stops, 1);
	die(old, WORKER_DOWN);
	assert_end(true, "1 process replaced");
	domain_hold(world.domain, 1, false);
}

static void test_only_one_at_a_time(void **unused)
{
	struct fail fail = { 0 };

	up();
	restart();
	assert_int_equal(domain_restart(world.domain, 3000, on_done, &end, &fail), -EALREADY);
	assert_string_equal(fail.text, "domain fake is being restarted already");
	assert_no_end();
}

static void test_stopped_meanwhile(void **unused)
{
	struct fail fail = { 0 };

	up();
	restart();
	domain_stop(world.domain, 0);
	assert_end(false, "0 of 1 processes were replaced, then it was stopped");
	assert_int_equal(domain_restart(world.domain, 3000, on_done, &end, &fail), -ESHUTDOWN);
	assert_string_equal(fail.text, "domain fake is being stopped");
}

static void test_freed_meanwhile(void **unused)
{
	up();
	restart();
	domain_free(TAKE(world.domain));
	assert_end(false, "0 of 1 processes were replaced, then the supervisor ended");
}

static void test_new_settings_meanwhile(void **unused)
{
	up();
	restart();
	domain_reload(world.domain, &world.conf, &(struct domain_programs){ .native = "/w" }, false,
		1000);
	assert_no_end(); /* nothing that is run differs */
	domain_reload(
		world.domain, &world.conf, &(struct domain_programs){ .native = "/w" }, true, 1000);
	assert_end(false, "0 of 1 processes were replaced, then the settings changed: all are "
			  "being replaced");
}

/* Each session's process is replaced too; its next call goes to a new one. */
static void test_isolated(void **unused)
{
	struct worker *first;

	prepare_domain();
	use_command();
	world.conf.isolation = CONF_ISOLATION_SESSION;
	make_domain();
	domain_start(world.domain);
	first = up();
	assert_int_equal(call_of(1, 10), 0);
	assert_int_equal(first->n_calls, 1);
	become_ready(find_worker(2)); /* the next spare one */
	restart();
	become_ready(find_worker(3));
	assert_int_equal(find_worker(2)->n_stops, 1);
	assert_int_equal(first->n_stops, 0);
	assert_int_equal(call_of(2, 10), 0); /* waits for its own */
	die(find_worker(2), WORKER_DOWN);
	become_ready(find_worker(4));
	assert_int_equal(first->state, WORKER_DRAINING);
	assert_int_equal(find_worker(3)->n_calls + find_worker(4)->n_calls, 1);
	finish_one(first);
	die(first, WORKER_DOWN);
	assert_end(true, "2 processes replaced");
	finish_one(find_worker(3)->n_calls ? find_worker(3) : find_worker(4));
	assert_string_equal(story(), "answered:1 answered:2 ");
}

static int set_up_nothing(void **unused)
{
	memset(&end, 0, sizeof(end));
	return 0;
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down_domain)
	const struct CMUnitTest tests[] = {
		TEST(test_the_new_one_is_ready_first),
		TEST(test_one_after_the_other),
		TEST(test_a_draining_process_is_waited_for_in_the_end),
		TEST(test_a_new_one_that_does_not_come_up),
		TEST(test_the_second_new_one_does_not_come_up),
		TEST(test_the_only_one_does_not_come_up),
		TEST(test_an_old_one_that_dies_is_new_then),
		TEST(test_a_parked_domain_is_started),
		TEST(test_one_that_waits_to_be_started_again),
		TEST(test_a_domain_that_is_asleep),
		TEST(test_what_a_process_does_beside_calls),
		TEST(test_what_takes_too_long_beside_calls),
		TEST(test_only_one_at_a_time),
		TEST(test_stopped_meanwhile),
		TEST(test_freed_meanwhile),
		TEST(test_new_settings_meanwhile),
		cmocka_unit_test_setup_teardown(test_isolated, set_up_nothing, tear_down_domain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
