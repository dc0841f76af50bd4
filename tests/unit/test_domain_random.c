/* Whatever happens to a domain in which order: each call that was taken leaves once, by one hook, or by being
 * cancelled; the counts are right after each step; with isolation no process has calls of two sessions; and
 * nothing is left in the end. The schedules are random, but the same ones each time. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "shared/alloc.h"
#include "tests/unit/fake_domain.h"

enum { SESSIONS = 6, MAX_CALLS = 8000, STEPS = 4000, SEEDS = 6, PATIENCE = 2000 };

enum fate { NEW, WAITS, REFUSED, LEFT, CANCELLED };

/* What we know of the domain. */
static struct {
	unsigned seed;
	uint64_t n_calls;
	enum fate fates[MAX_CALLS];
	uint64_t sessions[MAX_CALLS]; /* whose each call is now */
	uint64_t numbers
		[SESSIONS]; /* of the sessions; the number of one that ended does not come again */
	uint64_t last_number;
	unsigned n_waiting;
	unsigned n_restarts;  /* rolling ones that were taken, */
	unsigned n_restarted; /* and those that have ended */
	bool is_ending;       /* what waits is to leave by itself */
} model;

static unsigned chance(unsigned n)
{
	model.seed = model.seed * 1103515245 + 12345;
	return (model.seed >> 16) % n;
}

/* --- what clients do --------------------------------------------------------------------------- */

static void settle_fate(uint64_t no, enum fate fate)
{
	assert_int_equal(model.fates[no], WAITS);
	model.fates[no] = fate;
	model.n_waiting--;
}

static void call_something(uint64_t session)
{
	uint64_t no = model.n_calls;
	struct domain_call call = {
		.no = no, .session = session, .len = 2 + chance(100), .may_rerun = chance(2) > 0
	};

	if (no == MAX_CALLS)
		return;
	model.n_calls++;
	call.line = alloc_str("{}");
	model.fates[no] = WAITS; /* its end may be told before domain_call() is back */
	model.sessions[no] = session;
	model.n_waiting++;
	if (domain_call(world.domain, &call) < 0)
		settle_fate(no, REFUSED);
}

static void cancel(uint64_t no)
{
	settle_fate(no, CANCELLED);
	domain_cancel(world.domain, no, "test");
}

static void cancel_something(void)
{
	for (unsigned i = 0; i < 20 && model.n_calls > 0; i++) {
		uint64_t back = chance(40);
		uint64_t no = model.n_calls - 1 - (back < model.n_calls ? back : 0);

		if (model.fates[no] == WAITS) {
			cancel(no);
			return;
		}
	}
}

/* As the router does it: first the calls, then the session. */
static void end_session(unsigned which)
{
	uint64_t old = model.numbers[which];

	model.numbers[which] = ++model.last_number;
	for (uint64_t no = 0; no < model.n_calls; no++)
		if (model.fates[no] == WAITS && model.sessions[no] == old)
			cancel(no);
	domain_forget_session(world.domain, old);
}

static void adopt(unsigned from, unsigned to)
{
	uint64_t old = model.numbers[from];

	if (from == to)
		return;
	for (uint64_t no = 0; no < model.n_calls; no++)
		if (model.sessions[no] == old)
			model.sessions[no] = model.numbers[to];
	domain_adopt(world.domain, old, model.numbers[to]);
	model.numbers[from] = ++model.last_number;
	if (chance(2))
		domain_forget_session(world.domain, old);
}

/* A hook: the client hears the end of its call, and may do anything then. */
static void on_left(uint64_t no)
{
	settle_fate(no, LEFT);
	if (model.is_ending)
		return;
	if (chance(8) == 0)
		for (unsigned i = 0; i < SESSIONS; i++)
			if (model.numbers[i] == model.sessions[no])
				end_session(i);
	if (chance(8) == 0)
		call_something(model.numbers[chance(SESSIONS)]);
	if (chance(8) == 0)
		cancel_something();
}

static void want_something(uint64_t session)
{
	if (chance(3))
		domain_unsubscribe(world.domain, session, "x://a");
	else
		domain_subscribe(world.domain, session, "x://a");
}

/* --- what happens to workers ------------------------------------------------------------------- */

static struct worker *pick_worker(void)
{
	struct worker *w = world.workers;

	for (unsigned n = world.n_workers ? chance(world.n_workers) : 0; n > 0; n--)
		w = w->next;
	return w;
}

static void end_process(struct worker *w)
{
	bool goes = w->state == WORKER_STOPPING || w->state == WORKER_DRAINING;

	w->is_broken = false;
	die(w, goes ? WORKER_DOWN : chance(4) ? WORKER_BACKOFF : WORKER_PARKED);
}

static void go_on(struct worker *w)
{
	switch (w->state) {
	case WORKER_STARTING:
		become_ready(w);
		break;
	case WORKER_BACKOFF:
	case WORKER_PARKED:
		worker_start(w);
		break;
	case WORKER_READY:
	case WORKER_DRAINING:
		if (w->is_broken || (w->state == WORKER_DRAINING && w->n_calls == 0))
			end_process(w);
		else if (w->n_calls > 0)
			finish_one(w);
		break;
	case WORKER_STOPPING:
		end_process(w);
		break;
	default:
		break;
	}
	loop_settle(world.loop);
}

static void happen_to(struct worker *w)
{
	w->is_fast = chance(2) && world.conf.native;
	w->is_stuck = chance(2);
	if (w->state == WORKER_READY && chance(10) == 0)
		w->is_broken = true;
	if (chance(6) == 0 && w->state != WORKER_BACKOFF && w->state != WORKER_PARKED)
		end_process(w);
	else
		go_on(w);
}

/* --- what operators do ------------------------------------------------------------------------- */

static void reload(bool may_isolate)
{
	bool replace = chance(3) == 0;

	world.conf.processes_min = 1 + chance(2);
	world.conf.processes_max = world.conf.processes_min + chance(3);
	world.conf.concurrency = world.conf.native ? 1 : 1 + chance(3);
	world.conf.queue = 1 + chance(30);
	world.conf.idle_stop_ms = chance(2) ? 100 : 0;
	if (replace && may_isolate)
		world.conf.isolation = chance(2) ? CONF_ISOLATION_SESSION : CONF_ISOLATION_SHARED;
	domain_reload(world.domain, &world.conf,
		&(struct domain_programs){ .native = world.conf.native ? "/libexec/x" : NULL },
		replace, 1000);
}

static void on_restarted(void *arg, bool ok, const char *text)
{
	assert_ptr_equal(arg, &model);
	assert_true(strlen(text) > 0);
	model.n_restarted++;
	assert_true(model.n_restarted <= model.n_restarts);
}

static void restart(void)
{
	bool is_running = model.n_restarts > model.n_restarted;
	int r = domain_restart(world.domain, 1000, on_restarted, &model, NULL);

	model.n_restarts += r == 0;
	assert_true(r == 0 || r == -ENXIO || (r == -EALREADY && is_running));
}

static void switch_it(void)
{
	if (chance(3) == 0)
		domain_disable(world.domain, 1000);
	else
		domain_enable(world.domain);
}

/* --- what must hold ---------------------------------------------------------------------------- */

static void check_worker(const struct worker *w, bool is_isolated, unsigned *n)
{
	const struct request *request;
	uint64_t session = 0;
	unsigned n_here = 0;

	TAILQ_FOREACH(request, &w->calls, next) {
		n_here++;
		if (request->cancelled)
			continue;
		assert_int_equal(model.fates[request->no], WAITS);
		if (is_isolated && session)
			assert_int_equal(model.sessions[request->no], session);
		session = model.sessions[request->no];
		++*n;
	}
	assert_int_equal(w->n_calls, n_here);
}

static void check(bool is_isolated)
{
	struct domain_stats now = stats();
	const struct worker *w;
	unsigned n = now.n_queued;

	for (w = world.workers; w; w = w->next)
		check_worker(w, is_isolated, &n);
	assert_int_equal(n, model.n_waiting);
	assert_int_equal(now.n_calls,
		now.n_ok + now.n_errors + now.n_lost + now.n_cancelled + model.n_waiting);
	assert_int_equal(now.latency->n, now.n_ok + now.n_errors);
	if (now.n_queued > 0)
		assert_non_null(world.workers);
	strbuf_cut(&world.story, 0);
}

static void step(bool may_isolate)
{
	uint64_t session = model.numbers[chance(SESSIONS)];
	struct worker *w = pick_worker();
	unsigned what = chance(100);

	if (what < 30)
		call_something(session);
	else if (what < 75 && w)
		happen_to(w);
	else if (what < 80)
		cancel_something();
	else if (what < 83)
		end_session(chance(SESSIONS));
	else if (what < 86)
		adopt(chance(SESSIONS), chance(SESSIONS));
	else if (what < 88)
		reload(may_isolate);
	else if (what < 89)
		restart();
	else if (what < 90)
		switch_it();
	else if (what < 92)
		want_something(session);
	else
		loop_fake_advance(world.loop, chance(8) ? chance(60) : 70000);
	loop_settle(world.loop);
}

/* Nobody does anything more but the workers, and they do well: all that waits is answered. */
static void wait_for_all(void)
{
	model.is_ending = true;
	for (unsigned i = 0; model.n_waiting > 0 && i < PATIENCE; i++) {
		struct worker *w = pick_worker();

		if (w)
			go_on(w);
		loop_fake_advance(world.loop, 60);
	}
	assert_int_equal(model.n_waiting, 0);
}

/* Each session's process ends with it. */
static void leave_all(void)
{
	for (unsigned i = 0; i < SESSIONS; i++)
		end_session(i);
	for (unsigned i = 0; i < PATIENCE; i++) {
		go_on(pick_worker() ? pick_worker() : world.workers);
		loop_fake_advance(world.loop, 60);
		if (world.n_workers == 0)
			break;
	}
	assert_in_range(world.n_workers, 0, world.conf.processes_max);
}

static void stop(void)
{
	domain_stop(world.domain, 1000);
	for (unsigned i = 0; world.n_workers > 0 && i < PATIENCE; i++)
		go_on(pick_worker());
	loop_settle(world.loop);
	assert_int_equal(world.n_workers, 0);
	assert_non_null(strstr(strbuf_get(&world.story), "stopped "));
}

static void run(unsigned seed, bool native, enum conf_isolation isolation, bool may_isolate)
{
	prepare_domain();
	if (!native)
		use_command();
	world.conf.isolation = isolation;
	world.conf.processes_max = 3;
	world.conf.queue = 20;
	world.left = on_left;
	memset(&model, 0, sizeof(model));
	model.seed = seed;
	for (unsigned i = 0; i < SESSIONS; i++)
		model.numbers[i] = ++model.last_number;
	make_domain();
	domain_start(world.domain);
	for (unsigned i = 0; i < STEPS; i++) {
		step(may_isolate);
		check(isolation == CONF_ISOLATION_SESSION && !may_isolate);
	}
	domain_enable(world.domain);
	if (seed % 2) { /* the others are stopped in the middle */
		wait_for_all();
		leave_all();
	}
	model.is_ending = true;
	stop();
	assert_int_equal(model.n_waiting, 0);
	assert_true(model.n_restarts > 10);
	assert_int_equal(model.n_restarted, model.n_restarts);
	(void)tear_down_domain(NULL);
}

static void test_native(void **unused)
{
	for (unsigned seed = 1; seed <= SEEDS; seed++)
		run(seed, true, CONF_ISOLATION_SHARED, false);
}

static void test_command(void **unused)
{
	for (unsigned seed = 1; seed <= SEEDS; seed++)
		run(100 + seed, false, CONF_ISOLATION_SHARED, false);
}

static void test_isolated(void **unused)
{
	for (unsigned seed = 1; seed <= SEEDS; seed++)
		run(200 + seed, false, CONF_ISOLATION_SESSION, false);
}

static void test_sometimes_isolated(void **unused)
{
	for (unsigned seed = 1; seed <= SEEDS; seed++)
		run(300 + seed, false, CONF_ISOLATION_SHARED, true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_native),
		cmocka_unit_test(test_command),
		cmocka_unit_test(test_isolated),
		cmocka_unit_test(test_sometimes_isolated),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
