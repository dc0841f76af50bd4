/* Domains: the queue, which worker gets a call, what becomes of it when the worker dies, growth and
 * shrinking, reload, the end. The workers are fakes of this file, in the place of fleet/worker.c. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "shared/alloc.h"
#include "shared/log.h"
#include "supervisor/fleet/domain.h"
#include "supervisor/fleet/fairq.h"
#include "supervisor/fleet/store.h"

/* --- fake workers ------------------------------------------------------------------------------ */

struct worker {
	struct worker *next;
	const struct worker_hooks *hooks;
	void *arg;
	unsigned index;
	struct worker_setup *setup;
	enum worker_state state;
	struct request_list calls;
	unsigned n_calls;
	bool is_fast;  /* takes calls ahead */
	bool is_stuck; /* gives them back */
	unsigned n_stops;
	int64_t drain_ms; /* of the last stop */
	int64_t idle_since_ms;
	char name[16];
	char told[64];   /* the last notification */
	char wants[200]; /* the URIs that it was told last, with blanks between */
	unsigned n_wants_told;
	char level[16];
};

static struct world {
	struct loop *loop;
	struct domain *domain;
	struct conf_domain conf;
	struct worker *workers; /* the newest first; those that were freed are gone */
	unsigned n_workers;
	struct strbuf story; /* what the hooks said, one word each */
	unsigned n_changed;
	unsigned n_tools; /* of the last list told */
} world;

void request_free(struct request *request)
{
	fairq_forget(request);
	free(request->line);
	free(request->envelope);
	free(request);
}

struct worker_setup *worker_setup_ref(struct worker_setup *setup)
{
	setup->n_refs++;
	return setup;
}

static void free_texts(char **texts)
{
	for (char **at = texts; *at; at++)
		free(*at);
	free(texts);
}

void worker_setup_unref(struct worker_setup *setup)
{
	if (!setup || --setup->n_refs > 0)
		return;
	free(setup->domain);
	free_texts(setup->argv);
	free_texts(setup->env);
	free(setup);
}

struct worker *worker_new(struct loop *loop, struct launcher *launcher, struct worker_setup *setup,
	unsigned index, const struct worker_hooks *hooks, void *arg)
{
	struct worker *w = alloc_zero(sizeof(*w));

	w->hooks = hooks;
	w->arg = arg;
	w->setup = worker_setup_ref(setup);
	TAILQ_INIT(&w->calls);
	w->index = index;
	(void)snprintf(w->name, sizeof(w->name), "w/%u", index);
	w->next = world.workers;
	world.workers = w;
	world.n_workers++;
	return w;
}

void worker_free(struct worker *w)
{
	struct worker **at = &world.workers;
	struct request *request;

	while (*at != w)
		at = &(*at)->next;
	*at = w->next;
	world.n_workers--;
	while ((request = TAILQ_FIRST(&w->calls))) {
		TAILQ_REMOVE(&w->calls, request, next);
		request_free(request);
	}
	worker_setup_unref(w->setup);
	free(w);
}

unsigned worker_get_index(const struct worker *w)
{
	return w->index;
}

unsigned worker_list_calls(const struct worker *w, uint64_t *ret, unsigned max)
{
	return 0;
}

void worker_reply(struct worker *w, const char *line, size_t len)
{
}

static void move(struct worker *w, enum worker_state state)
{
	bool differs = w->state != state;

	w->state = state;
	if (differs)
		w->hooks->moved(w->arg, w);
}

void worker_start(struct worker *w)
{
	move(w, WORKER_STARTING);
}

void worker_stop(struct worker *w, int64_t drain_ms)
{
	w->n_stops++;
	w->drain_ms = drain_ms;
	if (w->state == WORKER_BACKOFF || w->state == WORKER_PARKED)
		move(w, WORKER_DOWN);
	else if (w->state == WORKER_READY && w->n_calls > 0)
		move(w, WORKER_DRAINING);
	else if (w->state != WORKER_DRAINING)
		move(w, WORKER_STOPPING);
}

bool worker_has_room(const struct worker *w)
{
	return w->state == WORKER_READY && w->n_calls < w->setup->concurrency;
}

bool worker_is_idle(const struct worker *w)
{
	return w->state == WORKER_READY && w->n_calls == 0;
}

bool worker_takes_ahead(const struct worker *w)
{
	return w->state == WORKER_READY && w->is_fast && w->n_calls > 0 && w->n_calls < 3;
}

bool worker_has_ahead(const struct worker *w)
{
	const struct request *last = TAILQ_LAST(&w->calls, request_list);

	return last && last->ahead;
}

unsigned worker_take_back(struct worker *w, int64_t max_ms, struct request_list *ret)
{
	struct request *request;
	unsigned n = 0;

	while (w->is_stuck && worker_has_ahead(w)) {
		request = TAILQ_LAST(&w->calls, request_list);
		TAILQ_REMOVE(&w->calls, request, next);
		w->n_calls--;
		request->ahead = false;
		TAILQ_INSERT_HEAD(ret, request, next);
		n++;
	}
	return n;
}

int worker_call(struct worker *w, struct request *request)
{
	request->ahead = w->n_calls >= w->setup->concurrency;
	TAILQ_INSERT_TAIL(&w->calls, request, next);
	w->n_calls++;
	return 0;
}

static struct request *find_request(struct worker *w, uint64_t no)
{
	struct request *request;

	TAILQ_FOREACH(request, &w->calls, next)
		if (request->no == no)
			return request;
	return NULL;
}

bool worker_cancel(struct worker *w, uint64_t no, const char *reason)
{
	struct request *request = find_request(w, no);

	if (request)
		request->cancelled = true;
	return request != NULL;
}

void worker_notify(struct worker *w, const char *method, const char *params)
{
	(void)snprintf(w->told, sizeof(w->told), "%s", params);
}

void worker_set_subscriptions(struct worker *w, const char *const *uris, size_t n)
{
	size_t len = 0;

	w->wants[0] = '\0';
	for (size_t i = 0; i < n; i++)
		len += (size_t)snprintf(
			w->wants + len, sizeof(w->wants) - len, "%s%s", i ? " " : "", uris[i]);
	w->n_wants_told++;
}

void worker_tell(struct worker *w, const char *line, size_t len)
{
	(void)snprintf(w->told, sizeof(w->told), "%.*s", (int)len, line);
}

void worker_set_level(struct worker *w, const char *level)
{
	(void)snprintf(w->level, sizeof(w->level), "%s", level);
}

enum worker_state worker_get_state(const struct worker *w)
{
	return w->state;
}

const char *worker_get_name(const struct worker *w)
{
	return w->name;
}

pid_t worker_get_pid(const struct worker *w)
{
	return w->state == WORKER_READY;
}

const char *worker_get_last_end(const struct worker *w)
{
	return "a fake death";
}

int64_t worker_get_idle_since_ms(const struct worker *w)
{
	return w->idle_since_ms;
}

unsigned worker_count_calls(const struct worker *w)
{
	return w->n_calls;
}

/* --- what happens to them ---------------------------------------------------------------------- */

static void become_ready_with(struct worker *w, const char *tools_text)
{
	json_auto_t *tools = json_loads(tools_text, 0, NULL);
	json_auto_t *info = json_object();

	assert_non_null(tools);
	w->idle_since_ms = loop_now_ms(world.loop);
	w->state = WORKER_READY;
	const struct offering offering = { .info = info, .tools = tools, .takes_legacy = true };

	w->hooks->ready(w->arg, w, &offering);
	w->hooks->moved(w->arg, w);
}

static void become_ready(struct worker *w)
{
	become_ready_with(w, "[{\"name\":\"a\"}]");
}

static void finish_one(struct worker *w)
{
	const struct rpc rpc = { .kind = RPC_RESULT };
	struct request *request = TAILQ_FIRST(&w->calls);

	assert_non_null(request);
	TAILQ_REMOVE(&w->calls, request, next);
	w->n_calls--;
	w->idle_since_ms = loop_now_ms(world.loop);
	if (TAILQ_FIRST(&w->calls))
		TAILQ_FIRST(&w->calls)->ahead = false;
	if (!request->cancelled)
		w->hooks->answered(w->arg, request->no, &rpc);
	request_free(request);
	w->hooks->freed(w->arg, w);
}

static void die(struct worker *w, enum worker_state next)
{
	struct request_list calls = TAILQ_HEAD_INITIALIZER(calls);

	TAILQ_CONCAT(&calls, &w->calls, next);
	w->n_calls = 0;
	move(w, next);
	w->hooks->lost(w->arg, w, &calls);
	assert_true(TAILQ_EMPTY(&calls));
	loop_settle(world.loop);
}

/* --- what the domain says ---------------------------------------------------------------------- */

static void on_answered(void *arg, uint64_t no, const struct rpc *rpc)
{
	strbuf_addf(&world.story, "answered:%d ", (int)no);
}

static void on_progress(void *arg, uint64_t no, const struct rpc *rpc)
{
	strbuf_addf(&world.story, "progress:%d ", (int)no);
}

static void on_lost(void *arg, uint64_t no, enum domain_loss loss, const char *cause)
{
	assert_non_null(cause);
	strbuf_addf(&world.story, "%s:%d ", loss == DOMAIN_LOST_DIED ? "died" : "down", (int)no);
}

static void on_changed(void *arg, struct domain *domain)
{
	world.n_changed++;
}

static void on_worker_ended(void *arg, struct domain *domain, unsigned worker)
{
	assert_true(worker > 0);
}

static void on_offering(void *arg, struct domain *domain, const struct offering *offering)
{
	world.n_tools = offering ? (unsigned)json_array_size(offering->tools) : 0;
	strbuf_addf(&world.story, "tools:%u ", world.n_tools);
}

static void on_stopped(void *arg, struct domain *domain)
{
	strbuf_adds(&world.story, "stopped ");
}

static const struct domain_hooks hooks = {
	.answered = on_answered,
	.progress = on_progress,
	.lost = on_lost,
	.changed = on_changed,
	.worker_ended = on_worker_ended,
	.offering = on_offering,
	.stopped = on_stopped,
};

static char domain_name[] = "fake";
static char settings_json[] = "{\"roots\":[]}";
static char env_name[] = "ONE";
static char env_value[] = "1";
static struct conf_env envs[] = { { env_name, env_value } };

static int set_up(void **unused)
{
	log_init("test", LOG_TARGET_TEXT, LOG_LEVEL_ERROR);
	world = (struct world){ .loop = loop_new_fake() };
	loop_fake_advance(world.loop, 1000);
	world.conf = (struct conf_domain){ .name = domain_name,
		.native = "utils",
		.settings_json = settings_json,
		.env = { .items = envs, .n = 1 },
		.concurrency = 1,
		.processes_min = 1,
		.processes_max = 2,
		.queue = 3,
		.queue_bytes = 1000,
		.idle_shrink_ms = 60000 };
	world.domain = domain_new(world.loop, NULL, &world.conf,
		&(struct domain_programs){ .native = "/libexec/worker-utils" }, &hooks, &world);
	domain_start(world.domain);
	return 0;
}

static int tear_down(void **unused)
{
	loop_settle(world.loop);
	domain_free(world.domain);
	loop_free(world.loop);
	assert_null(world.workers);
	strbuf_done(&world.story);
	return 0;
}

static int call_sized(uint64_t no, size_t len, bool may_rerun)
{
	return domain_call(world.domain,
		&(struct domain_call){
			.no = no, .line = alloc_str("{}"), .len = len, .may_rerun = may_rerun });
}

static int call_it(uint64_t no, bool may_rerun)
{
	return call_sized(no, 2, may_rerun);
}

static void ask(uint64_t no)
{
	assert_int_equal(call_it(no, true), 0);
}

/* The story since the last time. */
static const char *story(void)
{
	static char text[500];

	loop_settle(world.loop);
	(void)snprintf(text, sizeof(text), "%s", strbuf_get(&world.story));
	strbuf_cut(&world.story, 0);
	return text;
}

static struct domain_stats stats(void)
{
	struct domain_stats ret;

	domain_get_stats(world.domain, &ret);
	return ret;
}

static struct worker *up(void)
{
	become_ready(world.workers);
	assert_string_equal(story(), "tools:1 ");
	assert_int_equal(domain_get_state(world.domain), DOMAIN_UP);
	return world.workers;
}

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
	move(w, WORKER_STARTING); /* the second try is no hope yet */
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
	assert_string_equal(setup->argv[2], settings_json);
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

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)
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
		TEST(test_no_growth_without_need),
		TEST(test_stuck_calls_are_taken_back),
		TEST(test_nothing_is_taken_back_at_the_end),
		TEST(test_parked),
		TEST(test_parked_at_the_start),
		TEST(test_tools_are_told_when_they_differ),
		TEST(test_reload_replaces),
		TEST(test_reload_to_worse),
		TEST(test_reload_to_fewer),
		TEST(test_stop),
		TEST(test_stop_while_it_waits_to_restart),
		TEST(test_fleet_state),
		TEST(test_environment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
