/* See domain.h. */
#include "supervisor/fleet/domain.h"

#include <errno.h>

#include "shared/alloc.h"
#include "shared/clock.h"
#include "shared/log.h"
#include "supervisor/fleet/confine.h"

enum {
	GROW_AFTER_MS = 50, /* a call that waited so long asks for one more process */
	STUCK_AFTER_MS =
		20, /* a call that runs so long gives back those that were sent behind it */
	AHEAD_BYTES = 16384, /* larger calls are not sent ahead */
	RERUN_DRAIN_MS = 5000,
};

struct slot {
	TAILQ_ENTRY(slot) next;
	struct domain *domain;
	struct worker *worker;
	bool retiring; /* of older settings, or one too many: goes, and does not come back */
};

struct domain {
	struct loop *loop;
	struct launcher *launcher;
	const struct domain_hooks *hooks;
	void *arg;
	char *name;
	struct log_about about;
	struct worker_setup *setup;
	unsigned min, max, max_queued;
	size_t max_queued_bytes;
	int64_t idle_shrink_ms;
	int64_t drain_ms;

	TAILQ_HEAD(, slot) slots;
	unsigned n_made; /* gives each worker its index */
	struct request_list queue;
	unsigned n_queued;
	size_t queued_bytes;
	struct timer *grow_timer;
	struct timer *shrink_timer;

	enum domain_state state;
	bool was_up;
	char *tools_text; /* the last list told, and the answer to initialize that came with it */
	char *info_text;
	char *fleet_state;
	char *last_death;
	uint64_t n_restarts;
	uint64_t n_calls;
};

static void pump(struct domain *d);

static bool is_running(enum worker_state state)
{
	return state != WORKER_DOWN && state != WORKER_BACKOFF && state != WORKER_PARKED;
}

/* --- its own state, derived from its workers --------------------------------------------------- */

static enum domain_state derive_state(const struct domain *d)
{
	bool any = false;
	bool trying = false;
	struct slot *slot;

	if (d->state == DOMAIN_STOPPED)
		return DOMAIN_STOPPED;
	TAILQ_FOREACH(slot, &d->slots, next) {
		enum worker_state state = worker_get_state(slot->worker);

		if (state == WORKER_READY)
			return DOMAIN_UP;
		any = true;
		/* A second try of a parked worker is no hope yet. */
		trying |= state != WORKER_PARKED && state != WORKER_DOWN &&
			  !(d->state == DOMAIN_PARKED && is_running(state));
	}
	if (any && !trying)
		return DOMAIN_PARKED;
	return d->was_up ? DOMAIN_DOWN : DOMAIN_STARTING;
}

/* --- the queue: what goes in and out is counted here ------------------------------------------- */

static void count_in(struct domain *d, const struct request *request)
{
	d->n_queued++;
	d->queued_bytes += request->len;
}

static void enqueue_first(struct domain *d, struct request *request)
{
	TAILQ_INSERT_HEAD(&d->queue, request, next);
	count_in(d, request);
}

static void dequeue(struct domain *d, struct request *request)
{
	TAILQ_REMOVE(&d->queue, request, next);
	d->n_queued--;
	d->queued_bytes -= request->len;
}

static void lose(
	struct domain *d, struct request *request, enum domain_loss loss, const char *cause)
{
	if (!request->cancelled)
		d->hooks->lost(d->arg, request->no, loss, cause);
	request_free(request);
}

static void lose_queue(struct domain *d, const char *cause)
{
	struct request *request;

	while ((request = TAILQ_FIRST(&d->queue))) {
		dequeue(d, request);
		lose(d, request, request->was_rerun ? DOMAIN_LOST_DIED : DOMAIN_LOST_DOWN, cause);
	}
}

static void forget_tools(struct domain *d)
{
	if (!d->tools_text)
		return;
	free(TAKE(d->tools_text));
	d->hooks->tools(d->arg, d, NULL, NULL);
}

/* The list is the same, but which part of it is offered may have changed. */
static void tell_tools_again(struct domain *d)
{
	json_auto_t *tools = d->tools_text ? json_loads(d->tools_text, JSON_ALLOW_NUL, NULL) : NULL;
	json_auto_t *info = d->info_text ? json_loads(d->info_text, JSON_ALLOW_NUL, NULL) : NULL;

	if (tools)
		d->hooks->tools(d->arg, d, tools, info);
}

static void update_state(struct domain *d)
{
	enum domain_state was = d->state;

	d->state = derive_state(d);
	if (d->state == DOMAIN_UP)
		d->was_up = true;
	if (d->state != was) {
		log_info_about(&d->about, "domain %s: %s", d->name, domain_state_name(d->state));
		if (d->state == DOMAIN_PARKED) {
			lose_queue(d, d->last_death);
			forget_tools(d);
		}
	}
	d->hooks->changed(d->arg, d);
}

/* --- the pool ---------------------------------------------------------------------------------- */

static const struct worker_hooks worker_hooks;

static struct slot *add_slot(struct domain *d)
{
	struct slot *slot = alloc_zero(sizeof(*slot));

	slot->domain = d;
	slot->worker = worker_new(d->loop, d->launcher, d->setup, ++d->n_made, &worker_hooks, slot);
	TAILQ_INSERT_TAIL(&d->slots, slot, next);
	return slot;
}

static void free_slot(void *arg)
{
	struct slot *slot = arg;

	worker_free(slot->worker);
	free(slot);
}

static void remove_slot(struct domain *d, struct slot *slot)
{
	TAILQ_REMOVE(&d->slots, slot, next);
	loop_defer(d->loop, free_slot, slot);
	if (d->state == DOMAIN_STOPPED && TAILQ_EMPTY(&d->slots))
		d->hooks->stopped(d->arg, d);
}

static unsigned count_staying(const struct domain *d)
{
	struct slot *slot;
	unsigned n = 0;

	TAILQ_FOREACH(slot, &d->slots, next)
		n += !slot->retiring;
	return n;
}

static void retire(struct slot *slot, int64_t drain_ms)
{
	slot->retiring = true;
	worker_stop(slot->worker, drain_ms);
}

/* Calls behind one that turned out to be slow must not wait for it. */
static void take_back_stuck(struct domain *d)
{
	struct request_list stuck = TAILQ_HEAD_INITIALIZER(stuck);
	struct request *request;
	struct slot *slot;

	TAILQ_FOREACH(slot, &d->slots, next)
		(void)worker_take_back(slot->worker, STUCK_AFTER_MS, &stuck);
	while ((request = TAILQ_LAST(&stuck, request_list))) {
		TAILQ_REMOVE(&stuck, request, next);
		enqueue_first(d, request);
	}
}

static void grow(struct domain *d)
{
	const struct request *first = TAILQ_FIRST(&d->queue);
	struct slot *slot;

	if (!first || d->state != DOMAIN_UP || count_staying(d) >= d->max)
		return;
	if (loop_now_ms(d->loop) - first->since_ms < GROW_AFTER_MS)
		return; /* calls come as fast as they go: another process would only cost */
	TAILQ_FOREACH(slot, &d->slots, next) {
		enum worker_state state = worker_get_state(slot->worker);

		if (state != WORKER_READY && !slot->retiring)
			return; /* one is on its way already */
	}
	worker_start(add_slot(d)->worker);
	log_debug_about(
		&d->about, "domain %s: %u calls wait, one more process", d->name, d->n_queued);
	d->hooks->changed(d->arg, d);
}

static bool has_ahead(const struct domain *d)
{
	struct slot *slot;

	TAILQ_FOREACH(slot, &d->slots, next)
		if (worker_has_ahead(slot->worker))
			return true;
	return false;
}

static void on_grow_timer(void *arg)
{
	struct domain *d = arg;

	if (d->state == DOMAIN_STOPPED)
		return; /* nobody would run what is taken back */
	take_back_stuck(d);
	grow(d);
	pump(d);
	/* Those that were sent ahead may yet turn out to be stuck. */
	if (has_ahead(d) && !timer_is_running(d->grow_timer))
		timer_start(d->grow_timer, GROW_AFTER_MS);
}

static void on_shrink_timer(void *arg)
{
	struct domain *d = arg;
	int64_t old_ms = loop_now_ms(d->loop) - d->idle_shrink_ms;
	unsigned n = count_staying(d);
	struct slot *slot;

	TAILQ_FOREACH(slot, &d->slots, next) {
		if (n <= d->min)
			break;
		if (slot->retiring || !worker_is_idle(slot->worker) ||
			worker_get_idle_since_ms(slot->worker) > old_ms)
			continue;
		retire(slot, 0);
		n--;
		break; /* one at a time */
	}
	if (n > d->min)
		timer_start(d->shrink_timer, d->idle_shrink_ms);
}

/* --- calls ------------------------------------------------------------------------------------- */

/* The first worker with room; those of older settings only while there is no other. Taking the first
 * keeps the others idle, so that they can go. */
static struct slot *find_room(const struct domain *d)
{
	struct slot *old = NULL;
	struct slot *slot;

	TAILQ_FOREACH(slot, &d->slots, next) {
		if (!worker_has_room(slot->worker))
			continue;
		if (!slot->retiring)
			return slot;
		old = slot;
	}
	return old;
}

/* All are busy: a fast worker may have the call ahead. Only calls that are safe to be taken back. */
static struct slot *find_ahead(const struct domain *d, const struct request *request)
{
	struct slot *slot;

	if (!request->may_rerun || request->len > AHEAD_BYTES)
		return NULL;
	TAILQ_FOREACH(slot, &d->slots, next)
		if (!slot->retiring && worker_takes_ahead(slot->worker))
			return slot;
	return NULL;
}

static void pump(struct domain *d)
{
	struct request *request;
	bool waits = false;

	while ((request = TAILQ_FIRST(&d->queue))) {
		struct slot *slot = find_room(d);

		waits = slot == NULL;
		if (!slot)
			slot = find_ahead(d, request);
		if (!slot)
			break;
		dequeue(d, request);
		if (worker_call(slot->worker, request) < 0) {
			/* Its end is on the way, and with it the next try. */
			enqueue_first(d, request);
			break;
		}
	}
	if (waits && !timer_is_running(d->grow_timer))
		timer_start(d->grow_timer, GROW_AFTER_MS);
}

int domain_call(struct domain *d, uint64_t no, char *line, size_t len, bool may_rerun)
{
	struct request *request;
	int r = 0;

	if (d->state == DOMAIN_PARKED || d->state == DOMAIN_STOPPED)
		r = -ENXIO;
	else if (d->n_queued >= d->max_queued || d->queued_bytes > d->max_queued_bytes ||
		 len > d->max_queued_bytes - d->queued_bytes)
		r = -ENOBUFS;
	if (r < 0) {
		free(line);
		return r;
	}
	request = alloc_zero(sizeof(*request));
	request->no = no;
	request->line = line;
	request->len = len;
	request->may_rerun = may_rerun;
	request->since_ms = loop_now_ms(d->loop);
	TAILQ_INSERT_TAIL(&d->queue, request, next);
	count_in(d, request);
	d->n_calls++;
	pump(d);
	return 0;
}

void domain_cancel(struct domain *d, uint64_t no, const char *reason)
{
	struct request *request;
	struct slot *slot;

	TAILQ_FOREACH(slot, &d->slots, next)
		if (worker_cancel(slot->worker, no, reason))
			return;
	TAILQ_FOREACH(request, &d->queue, next)
		if (request->no == no)
			break;
	if (!request)
		return;
	dequeue(d, request);
	request_free(request);
}

/* --- news from the workers --------------------------------------------------------------------- */

/* The answer to initialize counts too: it names the aliases of a native worker. */
static void tell_tools_if_new(struct domain *d, json_t *tools, json_t *info)
{
	auto_free char *tools_text = json_dumps(tools, JSON_COMPACT);
	auto_free char *info_text = json_dumps(info, JSON_COMPACT);

	if (!tools_text || (d->tools_text && streq(tools_text, d->tools_text) && d->info_text &&
				   info_text && streq(info_text, d->info_text)))
		return;
	free(d->tools_text);
	free(d->info_text);
	d->tools_text = TAKE(tools_text);
	d->info_text = TAKE(info_text);
	d->hooks->tools(d->arg, d, tools, info);
}

static void on_ready(void *arg, struct worker *worker, json_t *tools, json_t *info)
{
	struct slot *slot = arg;
	struct domain *d = slot->domain;
	struct slot *other;

	if (d->fleet_state)
		worker_notify(worker, "notifications/mcp-fleet/state", d->fleet_state);
	tell_tools_if_new(d, tools, info);
	if (!slot->retiring)
		TAILQ_FOREACH(other, &d->slots, next)
			if (other->retiring && worker_get_state(other->worker) != WORKER_DRAINING)
				worker_stop(other->worker, d->drain_ms);
	if (count_staying(d) > d->min && !timer_is_running(d->shrink_timer))
		timer_start(d->shrink_timer, d->idle_shrink_ms);
	update_state(d);
	pump(d);
}

static void on_answered(void *arg, uint64_t no, const struct rpc *rpc)
{
	struct domain *d = ((struct slot *)arg)->domain;

	d->hooks->answered(d->arg, no, rpc);
}

static void on_freed(void *arg, struct worker *worker)
{
	pump(((struct slot *)arg)->domain);
}

static void on_progress(void *arg, uint64_t no, const struct rpc *rpc)
{
	struct domain *d = ((struct slot *)arg)->domain;

	d->hooks->progress(d->arg, no, rpc);
}

/* A call that was sent ahead has not begun: for it this is not a second time. */
static bool may_run_again(const struct domain *d, const struct request *request)
{
	if (request->cancelled || d->state == DOMAIN_STOPPED || d->state == DOMAIN_PARKED)
		return false;
	return request->ahead || (request->may_rerun && !request->was_rerun);
}

/* What a dead worker had: again from the head of the queue, once, where that is safe. */
static void on_lost(void *arg, struct worker *worker, struct request_list *calls)
{
	struct slot *slot = arg;
	struct domain *d = slot->domain;
	struct request *request;

	if (!slot->retiring) {
		d->n_restarts++;
		free(d->last_death);
		d->last_death = alloc_str(worker_get_last_end(worker));
	}
	while ((request = TAILQ_LAST(calls, request_list))) {
		TAILQ_REMOVE(calls, request, next);
		if (may_run_again(d, request)) {
			request->was_rerun |= !request->ahead;
			request->ahead = false;
			enqueue_first(d, request);
		} else {
			lose(d, request, DOMAIN_LOST_DIED, worker_get_last_end(worker));
		}
	}
	update_state(d);
	pump(d);
}

static void on_moved(void *arg, struct worker *worker)
{
	struct slot *slot = arg;
	struct domain *d = slot->domain;

	if (worker_get_state(worker) == WORKER_DOWN && slot->retiring)
		remove_slot(d, slot);
	else
		update_state(d);
}

static const struct worker_hooks worker_hooks = {
	.ready = on_ready,
	.answered = on_answered,
	.freed = on_freed,
	.progress = on_progress,
	.lost = on_lost,
	.moved = on_moved,
};

/* --- settings ---------------------------------------------------------------------------------- */

struct text_list {
	char **items;
	size_t n;
};

static void add_text(struct text_list *list, char *text)
{
	list->items = alloc_resize(list->items, list->n + 2, sizeof(*list->items));
	list->items[list->n++] = text;
	list->items[list->n] = NULL;
}

/* Names that end with "=" or are the beginning of names. */
static bool is_among(const char *variable, const char *const *names)
{
	for (; *names; names++)
		if (strncmp(variable, *names, strlen(*names)) == 0)
			return true;
	return false;
}

/* Variables of the supervisor that would mean something else to a worker. */
static bool is_private(const char *variable)
{
	static const char *const names[] = { "NOTIFY_SOCKET=", "WATCHDOG_",
		"LISTEN_FDS=", "LISTEN_PID=", "LISTEN_FDNAMES=", "MCP_TRANSPORT=", "PORT=",
		"SSE_HEARTBEAT_SECONDS=", "JOURNAL_STREAM=", "INVOCATION_ID=",
		"CREDENTIALS_DIRECTORY=", NULL };

	return is_among(variable, names);
}

/* What a native worker gets of our environment; the rest could steer a library that it uses. A confined
 * command also gets what it cannot find its way without. Secrets of the supervisor's, agents and what
 * changes how a run-time starts are for the domain's `env` to give. */
static bool is_inherited(const char *variable, const struct conf_domain *conf)
{
	static const char *const native[] = { "PATH=", "LANG=", "LC_",
		"TZ=", "TZDIR=", "ASAN_OPTIONS=", "UBSAN_OPTIONS=", "LSAN_OPTIONS=",
		"SSL_CERT_FILE=", "SSL_CERT_DIR=", NULL };
	static const char *const confined[] = { "HOME=", "USER=", "LOGNAME=", "SHELL=", "TERM=",
		"TMPDIR=", "XDG_", "http_proxy=", "https_proxy=", "no_proxy=", "HTTP_PROXY=",
		"HTTPS_PROXY=", "NO_PROXY=", "NODE_EXTRA_CA_CERTS=", "REQUESTS_CA_BUNDLE=", NULL };

	if (is_private(variable))
		return false;
	if (is_among(variable, native))
		return true;
	if (conf->native || conf_domain_is_remote(conf))
		return false;
	return streq(confine_profile(conf), "none") || is_among(variable, confined);
}

static bool is_overridden(const char *variable, const struct conf_envs *envs)
{
	for (size_t i = 0; i < envs->n; i++) {
		size_t len = strlen(envs->items[i].name);

		if (strncmp(variable, envs->items[i].name, len) == 0 && variable[len] == '=')
			return true;
	}
	return false;
}

static char **make_env(const struct conf_domain *conf)
{
	struct text_list list = { 0 };

	for (char **at = environ; *at; at++)
		if (is_inherited(*at, conf) && !is_overridden(*at, &conf->env))
			add_text(&list, alloc_str(*at));
	for (size_t i = 0; i < conf->env.n; i++)
		add_text(&list,
			alloc_printf("%s=%s", conf->env.items[i].name, conf->env.items[i].value));
	if (conf_domain_is_remote(conf)) /* a URL may hold a key: not for everybody's eyes */
		add_text(&list, alloc_printf("MCP_FLEET_REMOTE=%s", conf->settings_json));
	if (!list.items)
		list.items = alloc_zero(sizeof(*list.items));
	return list.items;
}

static char **make_argv(const struct conf_domain *conf, const struct domain_programs *programs)
{
	struct text_list list = { 0 };

	if (conf->native) {
		add_text(&list, alloc_str(programs->native));
		add_text(&list, alloc_str("--settings"));
		add_text(&list, alloc_str(conf->settings_json));
		return list.items;
	}
	if (conf_domain_is_remote(conf)) {
		add_text(&list, alloc_str(programs->native));
		return list.items;
	}
	for (size_t i = 0; i < conf->command.n; i++)
		add_text(&list, alloc_str(conf->command.items[i]));
	return list.items;
}

static struct worker_setup *make_setup(
	const struct conf_domain *conf, const struct domain_programs *programs)
{
	struct worker_setup *setup = alloc_zero(sizeof(*setup));

	setup->n_refs = 1;
	setup->domain = alloc_str(conf->name);
	setup->argv = make_argv(conf, programs);
	setup->env = make_env(conf);
	setup->wrapper = alloc_str(programs->wrapper);
	setup->plan = alloc_str(programs->plan);
	confine_get_limits(conf, &setup->limits);
	setup->native = conf->native != NULL;
	setup->concurrency = conf->concurrency;
	setup->start_timeout_ms = conf->start_timeout_ms;
	setup->cancel_grace_ms = conf->cancel_grace_ms;
	setup->health_interval_ms = conf->health_interval_ms;
	setup->health_timeout_ms = conf->health_timeout_ms;
	setup->restart = (struct backoff_rules){
		.first_ms = conf->restart_first_ms,
		.cap_ms = conf->restart_cap_ms,
		.park_ms = conf->restart_park_ms,
		.stable_ms = conf->restart_stable_ms,
		.park_after = conf->restart_park_after,
	};
	return setup;
}

static void take_sizes(struct domain *d, const struct conf_domain *conf)
{
	d->min = conf->processes_min;
	d->max = conf->processes_max;
	d->max_queued = conf->queue;
	d->max_queued_bytes = conf->queue_bytes;
	d->idle_shrink_ms = conf->idle_shrink_ms;
}

/* --- public ------------------------------------------------------------------------------------ */

struct domain *domain_new(struct loop *loop, struct launcher *launcher,
	const struct conf_domain *conf, const struct domain_programs *programs,
	const struct domain_hooks *hooks, void *arg)
{
	struct domain *d = alloc_zero(sizeof(*d));

	d->loop = loop;
	d->launcher = launcher;
	d->hooks = hooks;
	d->arg = arg;
	d->name = alloc_str(conf->name);
	d->about.domain = d->name;
	d->last_death = alloc_str("");
	d->setup = make_setup(conf, programs);
	d->drain_ms = RERUN_DRAIN_MS;
	take_sizes(d, conf);
	TAILQ_INIT(&d->slots);
	TAILQ_INIT(&d->queue);
	d->grow_timer = timer_new(loop, on_grow_timer, d);
	d->shrink_timer = timer_new(loop, on_shrink_timer, d);
	return d;
}

void domain_free(struct domain *d)
{
	struct slot *slot;

	if (!d)
		return;
	lose_queue(d, "the supervisor ends");
	while ((slot = TAILQ_FIRST(&d->slots))) {
		TAILQ_REMOVE(&d->slots, slot, next);
		free_slot(slot);
	}
	timer_free(d->grow_timer);
	timer_free(d->shrink_timer);
	worker_setup_unref(d->setup);
	free(d->tools_text);
	free(d->info_text);
	free(d->fleet_state);
	free(d->last_death);
	free(d->name);
	free(d);
}

void domain_start(struct domain *d)
{
	for (unsigned n = count_staying(d); n < d->min; n++)
		worker_start(add_slot(d)->worker);
}

/* Those that serve go when a new one is ready, and those that finish their calls do so; the others have
 * nothing to lose. */
static void replace_all(struct domain *d)
{
	struct slot *slot;
	struct slot *after;

	for (slot = TAILQ_FIRST(&d->slots); slot; slot = after) {
		enum worker_state state = worker_get_state(slot->worker);

		after = TAILQ_NEXT(slot, next);
		slot->retiring = true;
		if (state != WORKER_READY && state != WORKER_DRAINING)
			worker_stop(slot->worker, 0);
	}
	domain_start(d);
}

void domain_reload(struct domain *d, const struct conf_domain *conf,
	const struct domain_programs *programs, bool replace, int64_t drain_ms)
{
	struct slot *slot;
	struct slot *after;

	take_sizes(d, conf);
	d->drain_ms = drain_ms;
	if (replace || d->state == DOMAIN_PARKED) {
		worker_setup_unref(d->setup);
		d->setup = make_setup(conf, programs);
		replace_all(d);
	}
	for (slot = TAILQ_FIRST(&d->slots); slot && count_staying(d) > d->max; slot = after) {
		after = TAILQ_NEXT(slot, next);
		if (!slot->retiring)
			retire(slot, drain_ms);
	}
	domain_start(d);
	tell_tools_again(d);
	pump(d);
}

void domain_stop(struct domain *d, int64_t drain_ms)
{
	struct slot *slot;
	struct slot *after;
	bool none = TAILQ_EMPTY(&d->slots);

	if (d->state == DOMAIN_STOPPED)
		return;
	d->state = DOMAIN_STOPPED;
	lose_queue(d, "the domain stops");
	forget_tools(d);
	d->hooks->changed(d->arg, d);
	for (slot = TAILQ_FIRST(&d->slots); slot; slot = after) {
		after = TAILQ_NEXT(slot, next);
		slot->retiring = true;
		if (worker_get_state(slot->worker) == WORKER_DOWN)
			remove_slot(d, slot);
		else
			worker_stop(slot->worker, drain_ms);
	}
	if (none)
		d->hooks->stopped(d->arg, d);
}

void domain_set_fleet_state(struct domain *d, const char *params)
{
	struct slot *slot;

	if (d->fleet_state && streq(d->fleet_state, params))
		return;
	free(d->fleet_state);
	d->fleet_state = alloc_str(params);
	TAILQ_FOREACH(slot, &d->slots, next)
		worker_notify(slot->worker, "notifications/mcp-fleet/state", params);
}

const char *domain_get_name(const struct domain *d)
{
	return d->name;
}

enum domain_state domain_get_state(const struct domain *d)
{
	return d->state;
}

bool domain_is_new(const struct domain *d)
{
	return d->state == DOMAIN_STARTING && d->n_restarts == 0;
}

const char *domain_state_name(enum domain_state state)
{
	switch (state) {
	case DOMAIN_STARTING:
		return "starting";
	case DOMAIN_UP:
		return "up";
	case DOMAIN_DOWN:
		return "down";
	case DOMAIN_PARKED:
		return "parked";
	case DOMAIN_STOPPED:
		return "stopped";
	}
	return "";
}

void domain_get_stats(const struct domain *d, struct domain_stats *ret)
{
	struct slot *slot;

	*ret = (struct domain_stats){
		.state = d->state,
		.n_queued = d->n_queued,
		.n_restarts = d->n_restarts,
		.n_calls = d->n_calls,
		.last_death = d->last_death,
	};
	TAILQ_FOREACH(slot, &d->slots, next) {
		ret->n_processes += worker_get_pid(slot->worker) != 0;
		ret->n_ready += worker_get_state(slot->worker) == WORKER_READY;
		ret->n_in_flight += worker_count_calls(slot->worker);
	}
}
