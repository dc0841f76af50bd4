/* See fake_domain.h. */
#include "tests/unit/fake_domain.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "shared/alloc.h"
#include "shared/log.h"
#include "supervisor/fleet/fairq.h"
#include "supervisor/fleet/store.h"

struct world world;

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

unsigned worker_count_unsure(const struct worker *w, uint64_t *ret_session)
{
	*ret_session = 0;
	return 0;
}

void worker_reply(struct worker *w, const char *line, size_t len)
{
}

void worker_tell(struct worker *w, const char *line, size_t len)
{
	(void)snprintf(w->told, sizeof(w->told), "%.*s", (int)len, line);
}

void move_worker(struct worker *w, enum worker_state state)
{
	bool differs = w->state != state;

	w->state = state;
	if (differs)
		w->hooks->moved(w->arg, w);
}

void worker_start(struct worker *w)
{
	w->n_starts++;
	w->started_ms = loop_now_ms(world.loop);
	w->n_answers = 0;
	move_worker(w, WORKER_STARTING);
}

void worker_stop(struct worker *w, int64_t drain_ms)
{
	w->n_stops++;
	w->drain_ms = drain_ms;
	if (w->state == WORKER_BACKOFF || w->state == WORKER_PARKED)
		move_worker(w, WORKER_DOWN);
	else if (w->state == WORKER_READY && w->n_calls > 0)
		move_worker(w, WORKER_DRAINING);
	else if (w->state != WORKER_DRAINING)
		move_worker(w, WORKER_STOPPING);
}

unsigned worker_count_places(const struct worker *w)
{
	unsigned n = 0;
	const struct request *request;

	TAILQ_FOREACH(request, &w->calls, next)
		n += !request->is_beside;
	return n;
}

bool worker_has_room(const struct worker *w)
{
	return w->state == WORKER_READY && worker_count_places(w) < w->setup->concurrency;
}

bool worker_is_idle(const struct worker *w)
{
	return w->state == WORKER_READY && w->n_calls == 0;
}

bool worker_takes_ahead(const struct worker *w)
{
	return w->state == WORKER_READY && w->is_fast && w->n_calls > 0 && w->n_calls < 3;
}

bool worker_is_held_by(const struct worker *w, uint64_t session)
{
	const struct request *head = TAILQ_FIRST(&w->calls);

	return head && head->session == session && !w->is_fast;
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
		if (request->cancelled) {
			request_free(request);
			continue;
		}
		TAILQ_INSERT_HEAD(ret, request, next);
		n++;
	}
	return n;
}

int worker_call(struct worker *w, struct request *request)
{
	if (w->is_broken)
		return -EPIPE;
	request->ahead = !request->is_beside && w->n_calls >= w->setup->concurrency;
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

int worker_drill(struct worker *w, enum drill_kind kind)
{
	static const char *const names[] = { "killed", "stopped", "garbage" };

	(void)snprintf(w->told, sizeof(w->told), "%s", names[kind]);
	return w->is_broken ? -ESRCH : 0;
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

void worker_set_level(struct worker *w, const char *level)
{
	(void)snprintf(w->level, sizeof(w->level), "%s", level ? level : "");
}

enum worker_state worker_get_state(const struct worker *w)
{
	return w->state;
}

const char *worker_state_name(enum worker_state state)
{
	return state == WORKER_READY ? "ready" : "not ready";
}

const char *worker_get_name(const struct worker *w)
{
	return w->name;
}

pid_t worker_get_pid(const struct worker *w)
{
	return w->state == WORKER_READY || w->state == WORKER_DRAINING ? (pid_t)(1000 + w->index)
								       : 0;
}

unsigned worker_get_starts(const struct worker *w)
{
	return w->n_starts;
}

int64_t worker_get_started_ms(const struct worker *w)
{
	return w->started_ms;
}

uint64_t worker_get_answers(const struct worker *w)
{
	return w->n_answers;
}

enum worker_cause worker_get_last_cause(const struct worker *w)
{
	return WORKER_CAUSE_SERVING;
}

int64_t worker_get_last_cpu_us(const struct worker *w)
{
	return 0;
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

void become_ready_with(struct worker *w, const char *tools_text)
{
	auto_free char *tools = alloc_str(tools_text);
	json_auto_t *info = json_object();

	w->idle_since_ms = loop_now_ms(world.loop);
	w->state = WORKER_READY;
	const struct offering offering = { .info = info, .tools = tools, .takes_legacy = true };

	w->hooks->ready(w->arg, w, &offering);
	w->hooks->moved(w->arg, w);
}

void say_something(struct worker *w)
{
	const struct rpc rpc = { .kind = RPC_NOTIFICATION };

	w->hooks->told(w->arg, w, &rpc);
}

void become_ready(struct worker *w)
{
	become_ready_with(w, "[{\"name\":\"a\"}]");
}

void finish_one(struct worker *w)
{
	const struct rpc rpc = { .kind = w->is_failing ? RPC_ERROR : RPC_RESULT };
	struct request *request = TAILQ_FIRST(&w->calls);

	assert_non_null(request);
	TAILQ_REMOVE(&w->calls, request, next);
	w->n_calls--;
	w->n_answers++;
	w->idle_since_ms = loop_now_ms(world.loop);
	if (TAILQ_FIRST(&w->calls))
		TAILQ_FIRST(&w->calls)->ahead = false;
	if (!request->cancelled)
		w->hooks->answered(w->arg, request, &rpc);
	request_free(request);
	w->hooks->freed(w->arg, w);
}

void die(struct worker *w, enum worker_state next)
{
	struct request_list calls = TAILQ_HEAD_INITIALIZER(calls);

	w->started_ms = 0;
	move_worker(w, next);
	TAILQ_CONCAT(&calls, &w->calls, next);
	w->n_calls = 0;
	w->hooks->lost(w->arg, w, &calls);
	assert_true(TAILQ_EMPTY(&calls));
	loop_settle(world.loop);
}

/* --- what the domain says ---------------------------------------------------------------------- */

static void on_answered(void *arg, uint64_t no, const struct rpc *rpc)
{
	strbuf_addf(&world.story, "answered:%d ", (int)no);
	if (world.left)
		world.left(no);
}

static void on_progress(void *arg, uint64_t no, const struct rpc *rpc)
{
	strbuf_addf(&world.story, "progress:%d ", (int)no);
}

static void on_lost(void *arg, uint64_t no, enum domain_loss loss, const char *cause)
{
	assert_non_null(cause);
	world.cause = cause;
	strbuf_addf(&world.story, "%s:%d ", loss == DOMAIN_LOST_DIED ? "died" : "down", (int)no);
	if (world.left)
		world.left(no);
}

static void on_changed(void *arg, struct domain *domain)
{
	world.n_changed++;
}

static void on_told(
	void *arg, struct domain *domain, const struct domain_speaker *who, const struct rpc *rpc)
{
	strbuf_addf(&world.story, "told:%u:%d ", who->worker, (int)who->session);
}

static void on_worker_ended(void *arg, struct domain *domain, unsigned worker)
{
	assert_true(worker > 0);
}

static void on_offering(void *arg, struct domain *domain, const struct offering *offering)
{
	world.n_tools = offering ? (unsigned)offering_count(offering->tools) : 0;
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
	.told = on_told,
	.worker_ended = on_worker_ended,
	.offering = on_offering,
	.stopped = on_stopped,
};

static char domain_name[] = "fake";
static char settings_json[] = "{\"roots\":[]}";
static char env_name[] = "ONE";
static char env_value[] = "1";
static struct conf_env envs[] = { { env_name, env_value } };

void prepare_domain(void)
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
}

void use_command(void)
{
	static char program[] = "server";
	static char *items[] = { program };

	world.conf.native = NULL;
	world.conf.settings_json = NULL;
	world.conf.command = (struct conf_strs){ .items = items, .n = 1 };
}

void make_domain(void)
{
	const char *native = world.conf.native ? "/libexec/worker-utils" : NULL;

	world.domain = domain_new(world.loop, NULL, &world.conf,
		&(struct domain_programs){ .native = native }, &hooks, &world);
}

int set_up_domain(void **unused)
{
	prepare_domain();
	make_domain();
	domain_start(world.domain);
	return 0;
}

struct worker *find_worker(unsigned index)
{
	struct worker *w;

	for (w = world.workers; w && w->index != index;)
		w = w->next;
	return w;
}

int tear_down_domain(void **unused)
{
	loop_settle(world.loop);
	domain_free(world.domain);
	loop_free(world.loop);
	assert_null(world.workers);
	strbuf_done(&world.story);
	return 0;
}

int call_sized(uint64_t no, size_t len, bool may_rerun)
{
	return domain_call(world.domain,
		&(struct domain_call){
			.no = no, .line = alloc_str("{}"), .len = len, .may_rerun = may_rerun });
}

int call_of(uint64_t no, uint64_t session)
{
	return domain_call(world.domain, &(struct domain_call){ .no = no,
						 .session = session,
						 .line = alloc_str("{}"),
						 .len = 2,
						 .may_rerun = true });
}

int call_it(uint64_t no, bool may_rerun)
{
	return call_sized(no, 2, may_rerun);
}

void ask(uint64_t no)
{
	assert_int_equal(call_it(no, true), 0);
}

/* The story since the last time. */
const char *story(void)
{
	static char text[500];

	loop_settle(world.loop);
	(void)snprintf(text, sizeof(text), "%s", strbuf_get(&world.story));
	strbuf_cut(&world.story, 0);
	return text;
}

struct domain_stats stats(void)
{
	struct domain_stats ret;

	domain_get_stats(world.domain, &ret);
	return ret;
}

struct worker *up(void)
{
	become_ready(world.workers);
	assert_string_equal(story(), "tools:1 ");
	assert_int_equal(domain_get_state(world.domain), DOMAIN_UP);
	return world.workers;
}
