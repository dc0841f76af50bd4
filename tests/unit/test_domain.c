/* Domains: the queue, which worker gets a call, what becomes of it when the worker dies, growth and
 * shrinking, reload, the end. The workers are fakes. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "shared/alloc.h"
#include "shared/clock.h"
#include "shared/log.h"
#include "tests/unit/fake_domain.h"

/* --- tests ------------------------------------------------------------------------------------- */

static void test_calls_wait_for_the_first_worker(void **unused)
{
	assert_int_equal(domain_get_state(world.domain), DOMAIN_STARTING);
	ask(1);
	ask(2);
	struct worker *w = world.workers;
	become_ready(w);
	assert_string_equal(story(), "tools:1 ");
	assert_int_equal(w->n_calls, 1);
	assert_int_equal(stats().n_queued, 1);
	finish_one(w);
	finish_one(w);
	assert_string_equal(story(), "answered:1 answered:2 ");
	assert_int_equal(stats().n_calls, 2);
}

static void test_the_queue_is_bounded(void **unused)
{
	up();
	for (uint64_t no = 1; no <= 4; no++) /* one runs, three wait */
		ask(no);
	assert_int_equal(call_it(5, true), -ENOBUFS);
	finish_one(world.workers);
	ask(6);
	assert_int_equal(call_it(7, true), -ENOBUFS);
	assert_string_equal(story(), "answered:1 ");
}

static void test_the_queue_is_bounded_in_bytes(void **unused)
{
	up();
	ask(1);
	assert_int_equal(call_sized(2, 600, true), 0);
	assert_int_equal(call_sized(3, 600, true), -ENOBUFS);
	domain_cancel(world.domain, 2, "test");
	assert_int_equal(call_sized(4, 600, true), 0);
	finish_one(world.workers);
	assert_int_equal(call_sized(5, 600, true), 0);
	die(world.workers, WORKER_PARKED);
	become_ready(world.workers);
	ask(6);
	assert_int_equal(call_sized(7, 600, true), 0);
}

static void test_cancel(void **unused)
{
	struct worker *w = up();

	ask(1);
	ask(2);
	ask(3);
	domain_cancel(world.domain, 2, "test"); /* waits */
	domain_cancel(world.domain, 1, "test"); /* runs: its place is taken until it ends */
	domain_cancel(world.domain, 9, "test");
	assert_int_equal(stats().n_queued, 1);
	finish_one(w);
	finish_one(w);
	assert_string_equal(story(), "answered:3 ");
}

static void test_run_again_once(void **unused)
{
	struct worker *w = up();

	ask(1);
	die(w, WORKER_BACKOFF);
	assert_string_equal(story(), "");
	assert_int_equal(domain_get_state(world.domain), DOMAIN_DOWN);
	become_ready(w);
	assert_int_equal(w->n_calls, 1);
	die(w, WORKER_BACKOFF);
	assert_string_equal(story(), "died:1 ");
	assert_int_equal(stats().n_restarts, 2);
	assert_string_equal(stats().last_death, "a fake death");
}

static void test_what_may_have_taken_effect_is_not_run_again(void **unused)
{
	struct worker *w = up();

	assert_int_equal(call_it(1, false), 0);
	assert_int_equal(call_it(2, false), 0); /* waits: never began */
	die(w, WORKER_BACKOFF);
	assert_string_equal(story(), "died:1 ");
	become_ready(w);
	finish_one(w);
	assert_string_equal(story(), "answered:2 ");
}

static void test_a_cancelled_call_is_not_run_again(void **unused)
{
	struct worker *w = up();

	ask(1);
	domain_cancel(world.domain, 1, "test");
	die(w, WORKER_BACKOFF);
	assert_int_equal(stats().n_queued, 0);
	assert_string_equal(story(), "");
}

static void test_order_after_a_death(void **unused)
{
	struct worker *w = up();

	w->is_fast = true;
	ask(1);
	ask(2);
	ask(3); /* 2 and 3 are ahead */
	ask(4);
	assert_int_equal(w->n_calls, 3);
	die(w, WORKER_BACKOFF);
	become_ready(w);
	die(w, WORKER_BACKOFF); /* 1 had two chances, 2 and 3 had begun in none */
	assert_string_equal(story(), "died:1 ");
	w->is_fast = false;
	become_ready(w);
	for (int i = 0; i < 3; i++)
		finish_one(w);
	assert_string_equal(story(), "answered:2 answered:3 answered:4 ");
}

static void test_unsafe_calls_are_not_sent_ahead(void **unused)
{
	struct worker *w = up();

	w->is_fast = true;
	ask(1);
	assert_int_equal(call_it(2, false), 0);
	assert_int_equal(w->n_calls, 1);
	assert_int_equal(stats().n_queued, 1);
}

static void test_grow_and_shrink(void **unused)
{
	struct worker *first = up();

	ask(1);
	ask(2);
	ask(3);
	loop_fake_advance(world.loop, 49);
	assert_int_equal(world.n_workers, 1);
	loop_fake_advance(world.loop, 1);
	assert_int_equal(world.n_workers, 2);
	loop_fake_advance(world.loop, 500); /* not above max, and one at a time */
	assert_int_equal(world.n_workers, 2);
	struct worker *second = world.workers;
	become_ready(second);
	assert_int_equal(second->n_calls, 1);
	finish_one(first);
	finish_one(first);
	finish_one(second);
	assert_string_equal(story(), "answered:1 answered:3 answered:2 ");
	loop_fake_advance(world.loop, 2 * world.conf.idle_shrink_ms);
	assert_int_equal(first->n_stops + second->n_stops, 1);
	struct worker *gone = first->n_stops ? first : second;
	die(gone, WORKER_DOWN);
	assert_int_equal(world.n_workers, 1);
	loop_fake_advance(world.loop, 10 * world.conf.idle_shrink_ms);
	assert_int_equal(world.workers->n_stops, 0); /* min is 1 */
	assert_int_equal(stats().n_restarts, 0);     /* it was asked to go */
}

static int call_beside(uint64_t no, unsigned worker)
{
	const struct domain_call call = {
		.no = no, .line = alloc_str("x"), .len = 1, .may_rerun = true, .worker = worker
	};

	return domain_call(world.domain, &call);
}

static void test_calls_for_one_process(void **unused)
{
	struct worker *first = up();

	ask(1);
	ask(2);
	loop_fake_advance(world.loop, 50);
	struct worker *second = world.workers;
	become_ready(second);
	assert_int_equal(second->n_calls, 1);
	assert_int_equal(call_beside(3, second->index), 0); /* behind nobody */
	assert_int_equal(first->n_calls, 1);
	assert_int_equal(second->n_calls, 2);
	ask(4);
	assert_int_equal(stats().n_queued, 1);
	assert_int_equal(call_beside(5, 77), -ESRCH);
	die(second, WORKER_BACKOFF);
	/* Another process does not know what this is about. */
	assert_non_null(strstr(story(), "died:3"));
	assert_int_equal(call_beside(6, second->index), -ESRCH);
	domain_tell_worker(world.domain, first->index, "so", 2);
	assert_string_equal(first->told, "so");
	assert_string_equal(second->told, "");
	finish_one(first);
	finish_one(first);
	assert_int_equal(domain_get_answering(world.domain), 0);
}

static void test_a_process_with_work_beside_stays(void **unused)
{
	struct worker *first = up();

	ask(1);
	ask(2);
	loop_fake_advance(world.loop, 50);
	struct worker *second = world.workers;
	become_ready(second);
	finish_one(first);
	finish_one(second);
	domain_hold(world.domain, first->index, true);
	domain_hold(world.domain, second->index, true);
	loop_fake_advance(world.loop, 5 * world.conf.idle_shrink_ms);
	assert_int_equal(first->n_stops + second->n_stops, 0);
	domain_hold(world.domain, second->index, false);
	loop_fake_advance(world.loop, 2 * world.conf.idle_shrink_ms);
	assert_int_equal(first->n_stops, 0);
	assert_int_equal(second->n_stops, 1);
}

static void test_no_growth_without_need(void **unused)
{
	struct worker *w = up();

	ask(1);
	ask(2);
	loop_fake_advance(world.loop, 30);
	finish_one(w);
	loop_fake_advance(world.loop, 1000);
	assert_int_equal(world.n_workers, 1);
}

/* The worker became slow after the last look at it, and no other call comes. */
static void test_stuck_calls_are_taken_back(void **unused)
{
	struct worker *first = up();

	first->is_fast = true;
	ask(1);
	ask(2);
	loop_fake_advance(world.loop, 50); /* not stuck yet */
	assert_int_equal(first->n_calls, 2);
	first->is_stuck = true;
	first->is_fast = false;
	loop_fake_advance(world.loop, 50);
	assert_int_equal(first->n_calls, 1);
	assert_int_equal(world.n_workers, 2);
	become_ready(world.workers);
	finish_one(world.workers);
	assert_string_equal(story(), "answered:2 ");
}

/* Behind the short calls of another session it would take the last place. */
static void test_long_calls_are_not_sent_ahead(void **unused)
{
	struct worker *slow = up();
	struct worker *fast;

	assert_int_equal(call_of(1, 10), 0);
	assert_int_equal(call_of(2, 10), 0);
	loop_fake_advance(world.loop, 60);
	fast = world.workers;
	become_ready(fast);
	finish_one(fast);
	fast->is_fast = true;
	assert_int_equal(call_of(3, 11), 0);
	assert_int_equal(fast->n_calls, 1);
	assert_int_equal(call_of(4, 10), 0);
	assert_int_equal(fast->n_calls, 1);
	slow->is_fast = true; /* its session's calls are short after all */
	assert_int_equal(call_of(5, 11), 0);
	assert_true(slow->n_calls + fast->n_calls > 2);
}

static void test_nothing_is_taken_back_at_the_end(void **unused)
{
	struct worker *w = up();

	w->is_fast = true;
	ask(1);
	ask(2);
	domain_stop(world.domain, 5000);
	w->is_stuck = true;
	loop_fake_advance(world.loop, 200);
	assert_int_equal(w->n_calls, 2);
	finish_one(w);
	finish_one(w);
	die(w, WORKER_DOWN);
	assert_string_equal(story(), "tools:0 answered:1 answered:2 stopped ");
}

static void test_parked(void **unused)
{
	struct worker *w = up();

	ask(1);
	ask(2);
	die(w, WORKER_PARKED);
	assert_int_equal(domain_get_state(world.domain), DOMAIN_PARKED);
	assert_string_equal(story(), "down:2 tools:0 died:1 ");
	assert_int_equal(call_it(3, true), -ENXIO);
	move_worker(w, WORKER_STARTING); /* the second try is no hope yet */
	assert_int_equal(domain_get_state(world.domain), DOMAIN_PARKED);
	assert_int_equal(call_it(4, true), -ENXIO);
	become_ready(w);
	assert_int_equal(domain_get_state(world.domain), DOMAIN_UP);
	assert_string_equal(story(), "tools:1 ");
	ask(5);
}

static void test_parked_at_the_start(void **unused)
{
	ask(1);
	die(world.workers, WORKER_BACKOFF);
	assert_int_equal(domain_get_state(world.domain), DOMAIN_STARTING);
	die(world.workers, WORKER_PARKED);
	assert_string_equal(story(), "down:1 ");
	domain_reload(world.domain, &world.conf,
		&(struct domain_programs){ .native = "/libexec/worker-utils" }, false, 1000);
	loop_settle(world.loop);
	assert_int_equal(world.n_workers, 1); /* a new one */
	assert_int_equal(world.workers->state, WORKER_STARTING);
	become_ready(world.workers);
	assert_int_equal(domain_get_state(world.domain), DOMAIN_UP);
}

static void test_tools_are_told_when_they_differ(void **unused)
{
	struct worker *w = up();

	become_ready(w);
	assert_string_equal(story(), "");
	become_ready_with(w, "[{\"name\":\"a\"},{\"name\":\"b\"}]");
	assert_string_equal(story(), "tools:2 ");
	domain_reload(world.domain, &world.conf, &(struct domain_programs){ 0 }, false,
		1000); /* allow, deny may be others */
	assert_string_equal(story(), "tools:2 ");
}

static void test_reload_replaces(void **unused)
{
	struct worker *old = up();

	ask(1);
	domain_reload(world.domain, &world.conf,
		&(struct domain_programs){ .native = "/other/worker-utils" }, true, 7000);
	assert_int_equal(world.n_workers, 2);
	assert_int_equal(old->n_stops, 0); /* serves on until the new one can */
	struct worker *fresh = world.workers;
	assert_string_equal(fresh->setup->argv[0], "/other/worker-utils");
	ask(2);
	become_ready(fresh);
	assert_int_equal(old->n_stops, 1);
	assert_int_equal(old->drain_ms, 7000);
	assert_int_equal(fresh->n_calls, 1);
	become_ready(fresh); /* its list again: that does not give the old one more time */
	domain_reload(world.domain, &world.conf,
		&(struct domain_programs){ .native = "/third/worker-utils" }, true, 7000);
	assert_int_equal(old->n_stops, 1); /* nor less */
	assert_int_equal(old->state, WORKER_DRAINING);
	finish_one(old);
	die(old, WORKER_DOWN);
	assert_string_equal(story(), "tools:1 tools:1 answered:1 ");
	assert_int_equal(world.n_workers, 2);
}

/* Of processes that run already. */
static void test_reload_of_what_holds_at_once(void **unused)
{
	struct worker *w = up();

	world.conf.concurrency = 2;
	world.conf.cancel_grace_ms = 77;
	domain_reload(world.domain, &world.conf, &(struct domain_programs){ 0 }, false, 1000);
	assert_int_equal(world.n_workers, 1);
	assert_int_equal(w->setup->cancel_grace_ms, 77);
	ask(1);
	ask(2);
	assert_int_equal(w->n_calls, 2);
}

static void cancel_others(uint64_t no)
{
	for (uint64_t other = 1; other <= 3; other++)
		if (other != no)
			domain_cancel(world.domain, other, "test");
}

/* The first one that is told ends its session; of the others nothing is heard. */
static void test_cancel_while_a_death_is_told(void **unused)
{
	struct worker *w;

	world.conf.concurrency = 3;
	domain_reload(world.domain, &world.conf, &(struct domain_programs){ 0 }, false, 1000);
	w = up();
	(void)story();
	assert_int_equal(call_it(1, false), 0);
	assert_int_equal(call_it(2, false), 0);
	assert_int_equal(call_it(3, true), 0);
	world.left = cancel_others;
	die(w, WORKER_BACKOFF);
	assert_string_equal(story(), "died:1 ");
	assert_int_equal(stats().n_queued, 0);
}

static void note_cause(uint64_t no)
{
	assert_string_equal(world.cause, "a fake death");
}

/* The first death of all: what waits hears of it. */
static void test_the_cause_of_being_parked(void **unused)
{
	ask(1);
	world.left = note_cause;
	die(world.workers, WORKER_PARKED);
	assert_string_equal(story(), "down:1 ");
}

static void test_reload_to_worse(void **unused)
{
	struct worker *old = up();

	domain_reload(world.domain, &world.conf, &(struct domain_programs){ .native = "/broken" },
		true, 1000);
	die(world.workers, WORKER_PARKED);
	assert_int_equal(domain_get_state(world.domain), DOMAIN_UP);
	ask(1);
	finish_one(old);
	assert_string_equal(story(), "tools:1 answered:1 ");
}

static void test_reload_to_fewer(void **unused)
{
	struct conf_domain fewer = world.conf;

	fewer.processes_min = fewer.processes_max = 2;
	domain_reload(world.domain, &fewer, &(struct domain_programs){ 0 }, false, 1000);
	assert_int_equal(world.n_workers, 2);
	fewer.processes_min = fewer.processes_max = 1;
	domain_reload(world.domain, &fewer, &(struct domain_programs){ 0 }, false, 1000);
	assert_int_equal(world.workers->n_stops + world.workers->next->n_stops, 1);
}

static void test_stop(void **unused)
{
	struct worker *w = up();

	ask(1);
	ask(2);
	world.n_changed = 0;
	domain_stop(world.domain, 5000);
	assert_true(world.n_changed > 0);
	assert_string_equal(story(), "down:2 tools:0 ");
	assert_int_equal(call_it(3, true), -ENXIO);
	assert_int_equal(w->drain_ms, 5000);
	die(w, WORKER_DOWN); /* before it could answer: not again, nobody would run it */
	assert_string_equal(story(), "stopped died:1 ");
	domain_stop(world.domain, 0);
	assert_string_equal(story(), "");
}

static void test_stop_while_it_waits_to_restart(void **unused)
{
	die(world.workers, WORKER_BACKOFF);
	world.n_changed = 0;
	domain_stop(world.domain, 5000);
	assert_true(world.n_changed > 0); /* who waited for it to start need not any more */
	assert_string_equal(story(), "stopped ");
	assert_int_equal(world.n_workers, 0);
}

static void test_fleet_state(void **unused)
{
	struct worker *w = up();

	domain_set_fleet_state(world.domain, "{\"a\":1}");
	assert_string_equal(w->told, "{\"a\":1}");
	w->told[0] = '\0';
	domain_set_fleet_state(world.domain, "{\"a\":1}");
	assert_string_equal(w->told, "");
	become_ready(w);
	assert_string_equal(w->told, "{\"a\":1}");
}

static void call_for(uint64_t no, uint64_t session)
{
	assert_int_equal(call_of(no, session), 0);
}

static void reload_queue(unsigned queue)
{
	world.conf.queue = queue;
	domain_reload(world.domain, &world.conf,
		&(struct domain_programs){ .native = "/libexec/worker-utils" }, false, 1000);
}

static void test_a_greedy_session_does_not_hold_up_others(void **unused)
{
	struct worker *w = up();

	reload_queue(100);
	for (uint64_t no = 1; no <= 50; no++)
		call_for(no, 1);
	call_for(51, 2);
	for (int i = 0; i < 4; i++)
		finish_one(w);
	/* 1 ran, 2 was the first that waited; then it is the turn of the other. */
	assert_string_equal(story(), "tools:1 answered:1 answered:2 answered:51 answered:3 ");
}

/* Two processes: while another session is around, the last free one is for a session that has none. */
static void test_the_last_place_is_for_others(void **unused)
{
	struct worker *first = up();
	struct worker *second;

	reload_queue(100);
	call_for(1, 2);
	finish_one(first);
	for (uint64_t no = 2; no <= 5; no++)
		call_for(no, 1);
	loop_fake_advance(world.loop, 1000);
	assert_int_equal(world.n_workers, 1); /* no process for a place that it may not have */
	assert_int_equal(first->n_calls, 1);
	call_for(6, 2);
	loop_fake_advance(world.loop, 100);
	assert_int_equal(world.n_workers, 2);
	second = world.workers;
	become_ready(second);
	assert_int_equal(second->n_calls, 1);
	finish_one(second);
	assert_int_equal(second->n_calls, 0); /* free, and stays so */
	assert_int_equal(stats().n_queued, 3);
	finish_one(first);
	assert_int_equal(first->n_calls + second->n_calls, 1);
	loop_fake_advance(world.loop, 60000); /* the other one has not called for a minute */
	finish_one(first->n_calls ? first : second);
	assert_int_equal(first->n_calls + second->n_calls, 2);
	assert_string_equal(story(), "tools:1 answered:1 answered:6 answered:2 answered:3 ");
}

static void test_one_session_alone_may_have_all(void **unused)
{
	struct worker *first = up();

	call_for(1, 1);
	call_for(2, 1);
	loop_fake_advance(world.loop, 100);
	become_ready(world.workers);
	assert_int_equal(first->n_calls + world.workers->n_calls, 2);
	assert_int_equal(world.n_workers, 2);
}

static void test_adopted_calls_count_for_the_other_session(void **unused)
{
	struct worker *w = up();

	call_for(1, 1);
	call_for(2, 1);
	domain_adopt(world.domain, 1, 2);
	domain_forget_session(world.domain, 1); /* nothing of it is left */
	finish_one(w);
	finish_one(w);
	assert_string_equal(story(), "answered:1 answered:2 ");
	call_for(3, 1);
	call_for(4, 1);
	domain_forget_session(world.domain, 1); /* 3 runs, 4 waits: nobody hears of it again */
	finish_one(w);
	assert_int_equal(w->n_calls, 0);
	assert_string_equal(story(), "answered:3 ");
}

static void test_workers_hear_what_all_sessions_want(void **unused)
{
	struct worker *w = up();

	assert_int_equal(w->n_wants_told, 0); /* nobody ever wanted anything */
	domain_subscribe(world.domain, 1, "x:b");
	domain_subscribe(world.domain, 2, "x:a");
	domain_subscribe(world.domain, 2, "x:b");
	domain_set_level(world.domain, 2, "error");
	domain_set_level(world.domain, 1, "info");
	loop_fake_advance(world.loop, 0);
	assert_string_equal(w->wants, "x:a x:b");
	assert_string_equal(w->level, "info");
	assert_int_equal(w->n_wants_told, 1);     /* together */
	domain_subscribe(world.domain, 1, "x:b"); /* nothing new */
	domain_unsubscribe(world.domain, 1, "x:a");
	loop_fake_advance(world.loop, 0);
	assert_int_equal(w->n_wants_told, 1);
	domain_forget_session(world.domain, 1);
	domain_unsubscribe(world.domain, 2, "x:b");
	loop_fake_advance(world.loop, 0);
	assert_string_equal(w->wants, "x:a");
	assert_string_equal(w->level, "error");
}

/* The next call may be what causes the news. */
static void test_wants_are_told_before_the_next_call(void **unused)
{
	struct worker *w = up();

	domain_subscribe(world.domain, 1, "x:a");
	call_for(1, 1);
	assert_string_equal(w->wants, "x:a");
	die(w, WORKER_BACKOFF);
	w->wants[0] = '\0';
	become_ready(w); /* the process that follows it */
	assert_string_equal(w->wants, "x:a");
	assert_int_equal(w->n_calls, 1);
}

static void test_too_many_subscriptions_are_ignored(void **unused)
{
	for (int i = 0; i < 1100; i++) {
		auto_free char *uri = alloc_printf("x:%d", i);

		domain_subscribe(world.domain, 1, uri);
	}
	domain_subscribe(world.domain, 2, "y:");
	domain_forget_session(world.domain, 1);
	struct worker *w = up();
	assert_string_equal(w->wants, "y:");
}

static bool has_variable(char **env, const char *start)
{
	for (; *env; env++)
		if (strncmp(*env, start, strlen(start)) == 0)
			return true;
	return false;
}

static void test_environment(void **unused)
{
	static char command[] = "server";
	static char *items[] = { command };
	struct conf_domain other = world.conf;
	const struct worker_setup *setup = world.workers->setup;

	assert_string_equal(setup->argv[1], "--settings");
	assert_string_equal(setup->argv[2], world.conf.settings_json);
	assert_null(setup->argv[3]);
	(void)setenv("NOTIFY_SOCKET", "/run/x", 1);
	(void)setenv("LD_AUDIT", "/x", 1);
	(void)setenv("ONE", "other", 1);
	domain_reload(
		world.domain, &world.conf, &(struct domain_programs){ .native = "/w" }, true, 0);
	setup = world.workers->setup;
	assert_true(has_variable(setup->env, "ONE=1"));
	assert_false(has_variable(setup->env, "ONE=other"));
	assert_true(has_variable(setup->env, "PATH="));
	assert_false(has_variable(setup->env, "NOTIFY_SOCKET="));
	assert_false(has_variable(setup->env, "LD_AUDIT="));
	other.native = NULL;
	other.command = (struct conf_strs){ .items = items, .n = 1 };
	domain_reload(world.domain, &other, &(struct domain_programs){ 0 }, true, 0);
	setup = world.workers->setup;
	assert_string_equal(setup->argv[0], "server");
	assert_false(has_variable(setup->env, "NOTIFY_SOCKET="));
	assert_true(has_variable(setup->env, "LD_AUDIT=")); /* its own business */
	(void)unsetenv("NOTIFY_SOCKET");
	(void)unsetenv("LD_AUDIT");
	(void)unsetenv("ONE");
}

static void test_how_calls_end_is_counted(void **unused)
{
	struct worker *w = up();

	for (uint64_t no = 1; no <= 4; no++)
		ask(no);
	finish_one(w);
	w->is_failing = true;
	finish_one(w);
	domain_cancel(world.domain, 3, "test");                 /* runs */
	domain_cancel(world.domain, 4, DOMAIN_CANCEL_DEADLINE); /* waits */
	finish_one(w);
	assert_int_equal(call_it(5, false), 0);
	assert_string_equal(stats().last_error, "");
	assert_int_equal(stats().last_error_ms, 0);
	die(w, WORKER_BACKOFF);
	assert_int_equal(stats().n_ok, 1);
	assert_int_equal(stats().n_errors, 1);
	assert_int_equal(stats().n_cancelled, 1);
	assert_int_equal(stats().n_timed_out, 1);
	assert_int_equal(stats().n_lost, 1);
	assert_int_equal(stats().n_calls, 5);
	assert_string_equal(stats().last_error, "a call was lost: a fake death");
	assert_int_equal(stats().last_error_ms, 1000);
}

static void test_a_death_is_the_last_error(void **unused)
{
	up();
	loop_fake_advance(world.loop, 500);
	die(world.workers, WORKER_BACKOFF);
	assert_string_equal(stats().last_error, "w/1: a fake death");
	assert_int_equal(stats().last_error_ms, 1500);
	domain_stop(world.domain, 0); /* no error */
	assert_string_equal(stats().last_error, "w/1: a fake death");
}

/* From being queued on: what it waited counts, too. */
static void test_latency(void **unused)
{
	struct worker *w = world.workers;
	int64_t began_us = clock_now_us();

	ask(1);
	while (clock_now_us() - began_us < 3000)
		;
	become_ready(w);
	assert_int_equal(stats().latency->n, 0);
	finish_one(w);
	assert_int_equal(stats().latency->n, 1);
	assert_true(stats().latency->sum_us >= 2000);
	ask(2);
	domain_cancel(world.domain, 2, "test");
	finish_one(w);
	assert_int_equal(stats().latency->n, 1);
}

static void add_process(void *arg, const struct domain_process *process)
{
	strbuf_addf(arg, "%s:%u:%d:%s:%u:%u:%d:%d:%s%s ", process->name, process->index,
		(int)process->pid, process->state, process->n_calls, process->n_starts,
		(int)process->n_answered, (int)process->since_ms, process->last_end,
		process->retiring ? ":retiring" : "");
}

static void test_processes(void **unused)
{
	auto_strbuf list = { 0 };
	struct worker *w = up();

	ask(1);
	ask(2);
	finish_one(w);
	domain_reload(
		world.domain, &world.conf, &(struct domain_programs){ .native = "/w" }, true, 1000);
	domain_each_process(world.domain, add_process, &list);
	assert_string_equal(strbuf_get(&list), "w/1:1:1001:ready:1:1:1:1000:a fake death:retiring "
					       "w/2:2:0:not ready:0:1:0:1000:a fake death ");
}

static void test_drills(void **unused)
{
	struct domain_drill drill = { 0 };
	struct fail fail = { 0 };
	struct worker *busy;
	struct worker *idle;

	assert_int_equal(domain_drill(world.domain, DRILL_KILL, &drill, &fail), -EAGAIN);
	assert_string_equal(fail.text, "domain fake is starting: no process of it is ready");
	world.conf.processes_min = 2;
	world.conf.health_interval_ms = 30000;
	world.conf.health_timeout_ms = 5000;
	domain_reload(world.domain, &world.conf, &(struct domain_programs){ 0 }, false, 1000);
	idle = find_worker(1);
	busy = find_worker(2);
	become_ready(busy);
	ask(1);
	assert_int_equal(domain_drill(world.domain, DRILL_STOP, &drill, &fail), 0);
	assert_string_equal(drill.process, "w/2"); /* there is no other one */
	assert_int_equal(drill.n_calls, 1);
	assert_int_equal(drill.found_ms, 0);
	become_ready(idle);
	assert_int_equal(domain_drill(world.domain, DRILL_KILL, &drill, &fail), 0);
	assert_string_equal(drill.process, "w/2");
	assert_int_equal(drill.pid, 1002);
	assert_string_equal(busy->told, "killed");
	assert_int_equal(domain_drill(world.domain, DRILL_STOP, &drill, &fail), 0);
	assert_string_equal(drill.process, "w/1");
	assert_int_equal(drill.found_ms, 50000);
	assert_string_equal(idle->told, "stopped");
	assert_int_equal(domain_drill(world.domain, DRILL_GARBAGE, &drill, &fail), 0);
	assert_string_equal(idle->told, "garbage");
	idle->is_broken = true;
	assert_int_equal(domain_drill(world.domain, DRILL_GARBAGE, &drill, &fail), -ESRCH);
	assert_string_equal(fail.text, "w/1 has just ended");
	idle->is_broken = false;
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up_domain, tear_down_domain)
	const struct CMUnitTest tests[] = {
		TEST(test_calls_wait_for_the_first_worker),
		TEST(test_the_queue_is_bounded),
		TEST(test_the_queue_is_bounded_in_bytes),
		TEST(test_cancel),
		TEST(test_run_again_once),
		TEST(test_what_may_have_taken_effect_is_not_run_again),
		TEST(test_a_cancelled_call_is_not_run_again),
		TEST(test_order_after_a_death),
		TEST(test_unsafe_calls_are_not_sent_ahead),
		TEST(test_grow_and_shrink),
		TEST(test_calls_for_one_process),
		TEST(test_a_process_with_work_beside_stays),
		TEST(test_no_growth_without_need),
		TEST(test_stuck_calls_are_taken_back),
		TEST(test_long_calls_are_not_sent_ahead),
		TEST(test_nothing_is_taken_back_at_the_end),
		TEST(test_parked),
		TEST(test_parked_at_the_start),
		TEST(test_tools_are_told_when_they_differ),
		TEST(test_reload_replaces),
		TEST(test_reload_of_what_holds_at_once),
		TEST(test_cancel_while_a_death_is_told),
		TEST(test_the_cause_of_being_parked),
		TEST(test_reload_to_worse),
		TEST(test_reload_to_fewer),
		TEST(test_stop),
		TEST(test_stop_while_it_waits_to_restart),
		TEST(test_fleet_state),
		TEST(test_a_greedy_session_does_not_hold_up_others),
		TEST(test_the_last_place_is_for_others),
		TEST(test_one_session_alone_may_have_all),
		TEST(test_adopted_calls_count_for_the_other_session),
		TEST(test_workers_hear_what_all_sessions_want),
		TEST(test_wants_are_told_before_the_next_call),
		TEST(test_too_many_subscriptions_are_ignored),
		TEST(test_environment),
		TEST(test_how_calls_end_is_counted),
		TEST(test_a_death_is_the_last_error),
		TEST(test_latency),
		TEST(test_processes),
		TEST(test_drills),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
