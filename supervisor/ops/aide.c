/* See aide.h. */
#include "supervisor/ops/aide.h"

#include <errno.h>

#include "shared/alloc.h"
#include "shared/log.h"

enum {
	STOP_MS = 200,
	DRAIN_MS = 30000, /* for what it has when it is replaced */
	START_TIMEOUT_MS = 10000,
	/* How often it is asked whether it lives, and how long it may take to say so. */
	HEALTH_MS = 15000,
	HEALTH_TIMEOUT_MS = 30000,
};

static const struct backoff_rules restart_rules = {
	.first_ms = 200, .cap_ms = 30000, .park_ms = 300000, .stable_ms = 60000, .park_after = 10
};

struct order {
	TAILQ_ENTRY(order) next;
	uint64_t no;
	char *method;
	char *params; /* NULL: it was sent */
	aide_fn *fn;
	void *arg;
};

struct aide {
	struct loop *loop;
	struct launcher *launcher;
	char *name;
	unsigned max_orders;
	const struct aide_hooks *hooks;
	void *arg;
	struct worker *worker; /* NULL: there is none */
	bool is_wanted;
	bool is_ready;
	bool is_renewed; /* the process that runs is to make room for another one */
	bool is_stopping;
	struct timer *settle_timer; /* to free a worker that is down, outside of its hooks */
	struct timer *ping_timer;   /* while it has orders: to ping it, then to have its answer */
	uint64_t ping_no;           /* of the ping without an answer; 0: there is none */
	TAILQ_HEAD(, order) orders;
	unsigned n_orders;
	uint64_t last_no;
	uint64_t n_restarts;
	void (*on_stopped)(void *arg);
	void *on_stopped_arg;
};

/* --- orders ------------------------------------------------------------------------------------- */

static void end_order(
	struct aide *aide, struct order *order, struct jspan result, const struct fail *fail)
{
	TAILQ_REMOVE(&aide->orders, order, next);
	aide->n_orders--;
	order->fn(order->arg, result, fail);
	free(order->params);
	free(order->method);
	free(order);
}

/* Those that come meanwhile, from the hooks of those that end, are not among them. */
static void fail_orders(struct aide *aide, bool only_sent, int err, const char *why)
{
	const struct jspan nothing = { 0 };
	uint64_t last = aide->last_no;
	struct fail fail = { 0 };
	struct order *order;

	(void)fail_set(&fail, err, "%s", why);
	do {
		TAILQ_FOREACH(order, &aide->orders, next)
			/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): the analyzer loses TAILQ_REMOVE */
			if (order->no <= last && (!order->params || !only_sent))
				break;
		if (order)
			end_order(aide, order, nothing, &fail);
	} while (order);
}

static int send_request(struct aide *aide, uint64_t no, const char *method, const char *params)
{
	struct request *request = alloc_zero(sizeof(*request));
	auto_strbuf line = { 0 };
	int r;

	strbuf_addf(&line, "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"method\":\"%s\"",
		(unsigned long long)no, method);
	if (params) {
		strbuf_adds(&line, ",\"params\":");
		strbuf_adds(&line, params);
	}
	strbuf_addc(&line, '}');
	request->no = no;
	request->is_beside = true;
	request->len = line.len;
	request->line = strbuf_take(&line);
	r = worker_call(aide->worker, request);
	if (r < 0)
		request_free(request); /* its end is told, and with it that of what was asked */
	return r;
}

static void send_orders(struct aide *aide)
{
	struct order *order;

	TAILQ_FOREACH(order, &aide->orders, next) {
		auto_free char *params = TAKE(order->params);

		if (params)
			(void)send_request(aide, order->no, order->method, params);
	}
	if (aide->n_orders > 0 && !timer_is_running(aide->ping_timer))
		timer_start(aide->ping_timer, HEALTH_MS);
}

static struct order *find_order(struct aide *aide, uint64_t no)
{
	struct order *order;

	TAILQ_FOREACH(order, &aide->orders, next)
		if (order->no == no)
			return order;
	return NULL;
}

/* A worker that has a call is not pinged by itself: the deadline of the call is enough. Orders have none, for only
 * the aide knows how long its server may take; that it lives, we ask. It answers pings in the middle of
 * whatever it waits for. */
static void on_ping_timer(void *arg)
{
	struct aide *aide = arg;

	if (!aide->is_ready || aide->n_orders == 0)
		return;
	if (aide->ping_no) {
		if (worker_drill(aide->worker, DRILL_KILL) == 0)
			log_warn("the %s did not answer a ping while it had an order; killing it",
				aide->name);
		return;
	}
	aide->ping_no = ++aide->last_no;
	(void)send_request(aide, aide->ping_no, "ping", NULL);
	timer_start(aide->ping_timer, HEALTH_TIMEOUT_MS);
}

static void on_pong(struct aide *aide)
{
	aide->ping_no = 0;
	timer_stop(aide->ping_timer);
	if (aide->n_orders > 0)
		timer_start(aide->ping_timer, HEALTH_MS);
}

/* --- what the process does ------------------------------------------------------------------------ */

static void on_ready(void *arg, struct worker *worker, const struct offering *offering)
{
	struct aide *aide = arg;

	aide->is_ready = true;
	aide->hooks->ready(aide->arg);
	send_orders(aide);
}

static void on_answered(void *arg, const struct request *request, const struct rpc *rpc)
{
	struct aide *aide = arg;
	struct order *order = find_order(aide, request->no);
	struct jspan message = jspan_member(rpc->error, "message", NULL);
	struct jspan result = { 0 };
	auto_strbuf words = { 0 };
	struct fail fail = { 0 };

	if (request->no == aide->ping_no)
		on_pong(aide);
	if (!order)
		return;
	if (rpc->kind == RPC_RESULT)
		result = rpc->result;
	else if (!jspan_get_str(message, &words))
		strbuf_addf(&words, "the %s gave an answer that cannot be read", aide->name);
	if (!result.at)
		(void)fail_set(&fail, -EREMOTEIO, "%s", strbuf_get(&words));
	end_order(aide, order, result, result.at ? NULL : &fail);
}

static void on_told(void *arg, struct worker *worker, const struct rpc *rpc)
{
	struct aide *aide = arg;

	aide->hooks->told(aide->arg, rpc);
}

static void on_lost(void *arg, struct worker *worker, struct request_list *calls)
{
	struct aide *aide = arg;
	struct request *request;
	auto_free char *why =
		alloc_printf("the %s ended while it was at work; ask again", aide->name);

	while ((request = TAILQ_FIRST(calls))) {
		TAILQ_REMOVE(calls, request, next);
		request_free(request);
	}
	aide->ping_no = 0;
	timer_stop(aide->ping_timer);
	fail_orders(aide, true, -EPIPE, why);
}

static void tell_stopped(struct aide *aide)
{
	void (*fn)(void *arg) = aide->on_stopped;

	aide->on_stopped = NULL;
	if (fn)
		loop_defer(aide->loop, fn, aide->on_stopped_arg);
}

static void on_moved(void *arg, struct worker *worker)
{
	struct aide *aide = arg;
	enum worker_state state = worker_get_state(worker);

	aide->is_ready = state == WORKER_READY;
	if (state == WORKER_BACKOFF || state == WORKER_PARKED)
		aide->n_restarts++;
	if (state == WORKER_PARKED)
		fail_orders(aide, false, -EPIPE, worker_get_last_end(worker));
	if (state == WORKER_DOWN && aide->is_stopping)
		tell_stopped(aide);
	else if (state == WORKER_DOWN)
		timer_start(aide->settle_timer, 0);
	if (!aide->is_stopping)
		aide->hooks->moved(aide->arg);
}

/* What it has no use for: it is never cancelled, reports no progress, and asks nothing. */
static void on_freed(void *arg, struct worker *worker)
{
}

static void on_progress(void *arg, uint64_t no, const struct rpc *rpc)
{
}

static void on_asked(void *arg, struct worker *worker, const struct rpc *rpc)
{
}

static const struct worker_hooks worker_hooks = {
	.ready = on_ready,
	.answered = on_answered,
	.freed = on_freed,
	.progress = on_progress,
	.asked = on_asked,
	.told = on_told,
	.lost = on_lost,
	.moved = on_moved,
};

/* --- the process ---------------------------------------------------------------------------------- */

static void start_process(struct aide *aide)
{
	struct worker_setup *setup;

	if (aide->worker || aide->is_stopping)
		return;
	setup = aide->hooks->make_setup(aide->arg);
	aide->is_renewed = false;
	aide->worker = worker_new(aide->loop, aide->launcher, setup, 1, &worker_hooks, aide);
	worker_setup_unref(setup);
	worker_start(aide->worker);
}

/* It has ended because it was told to. */
static void on_settle_timer(void *arg)
{
	struct aide *aide = arg;
	auto_free char *why = alloc_printf("the %s is not wanted any more", aide->name);

	if (!aide->worker || worker_get_state(aide->worker) != WORKER_DOWN || aide->is_stopping)
		return;
	worker_free(TAKE(aide->worker));
	if (aide->is_wanted)
		start_process(aide);
	else /* what was never sent waits for nobody any more */
		fail_orders(aide, false, -EPIPE, why);
}

/* --- public --------------------------------------------------------------------------------------- */

struct aide *aide_new(struct loop *loop, struct launcher *launcher, const char *name,
	unsigned max_orders, const struct aide_hooks *hooks, void *arg)
{
	struct aide *aide = alloc_zero(sizeof(*aide));

	aide->loop = loop;
	aide->launcher = launcher;
	aide->name = alloc_str(name);
	aide->max_orders = max_orders;
	aide->hooks = hooks;
	aide->arg = arg;
	TAILQ_INIT(&aide->orders);
	aide->settle_timer = timer_new(loop, on_settle_timer, aide);
	aide->ping_timer = timer_new(loop, on_ping_timer, aide);
	return aide;
}

void aide_free(struct aide *aide)
{
	if (!aide)
		return;
	aide->is_stopping = true;
	fail_orders(aide, false, -ESHUTDOWN, "the fleet is stopping");
	worker_free(aide->worker);
	timer_free(aide->settle_timer);
	timer_free(aide->ping_timer);
	free(aide->name);
	free(aide);
}

void aide_start(struct aide *aide)
{
	aide->is_wanted = true;
	start_process(aide);
	if (aide->worker && worker_get_state(aide->worker) == WORKER_PARKED)
		worker_start(aide->worker);
}

void aide_end(struct aide *aide)
{
	aide->is_wanted = false;
	if (aide->worker && !aide->is_stopping)
		worker_stop(aide->worker, STOP_MS);
}

void aide_renew(struct aide *aide)
{
	if (!aide->worker || aide->is_renewed || aide->is_stopping)
		return;
	aide->is_renewed = true;
	worker_stop(aide->worker, DRAIN_MS);
}

void aide_stop(struct aide *aide, void (*fn)(void *arg), void *arg)
{
	aide->is_stopping = true;
	aide->on_stopped = fn;
	aide->on_stopped_arg = arg;
	fail_orders(aide, false, -ESHUTDOWN, "the fleet is stopping");
	if (!aide->worker || worker_get_state(aide->worker) == WORKER_DOWN)
		tell_stopped(aide);
	else
		worker_stop(aide->worker, STOP_MS);
}

static void refuse_order(char *params, aide_fn *fn, void *arg, int err, const char *why)
{
	const struct jspan nothing = { 0 };
	struct fail fail = { 0 };

	(void)fail_set(&fail, err, "%s", why);
	free(params);
	fn(arg, nothing, &fail);
}

void aide_ask(struct aide *aide, const char *method, char *params, aide_fn *fn, void *arg)
{
	struct order *order;

	if (aide->is_stopping) {
		refuse_order(params, fn, arg, -ESHUTDOWN, "the fleet is stopping");
		return;
	}
	if (aide->n_orders >= aide->max_orders) {
		refuse_order(params, fn, arg, -EBUSY, "too many orders at a time; try again later");
		return;
	}
	order = alloc_zero(sizeof(*order));
	order->no = ++aide->last_no;
	order->method = alloc_str(method);
	order->params = params;
	order->fn = fn;
	order->arg = arg;
	TAILQ_INSERT_TAIL(&aide->orders, order, next);
	aide->n_orders++;
	aide_start(aide);
	if (aide->is_ready)
		send_orders(aide);
}

void aide_tell(struct aide *aide, const char *method, const char *params)
{
	if (aide->is_ready)
		worker_notify(aide->worker, method, params);
}

bool aide_is_ready(const struct aide *aide)
{
	return aide->is_ready;
}

uint64_t aide_get_restarts(const struct aide *aide)
{
	return aide->n_restarts;
}

const struct worker *aide_get_worker(const struct aide *aide)
{
	return aide->worker;
}

pid_t aide_kill(struct aide *aide, uint64_t *ret_restarts)
{
	pid_t pid = aide->worker ? worker_get_pid(aide->worker) : 0;

	*ret_restarts = aide->n_restarts;
	return pid > 0 && worker_drill(aide->worker, DRILL_KILL) == 0 ? pid : 0;
}

/* --- how it is started ---------------------------------------------------------------------------- */

static char **make_env(const char *secret)
{
	const char *const names[] = { "PATH", "LANG", "LC_ALL", "TZ", "SSL_CERT_FILE",
		"SSL_CERT_DIR", "http_proxy", "https_proxy", "no_proxy", "all_proxy", "HTTPS_PROXY",
		"NO_PROXY", "ALL_PROXY", "CREDENTIALS_DIRECTORY", "ASAN_OPTIONS", "UBSAN_OPTIONS",
		"LSAN_OPTIONS", secret };
	char **env = alloc_zero((N_ELEMENTS(names) + 1) * sizeof(*env));
	size_t n = 0;

	for (size_t i = 0; i < N_ELEMENTS(names); i++) {
		const char *value = names[i] ? getenv(names[i]) : NULL;

		if (value)
			env[n++] = alloc_printf("%s=%s", names[i], value);
	}
	return env;
}

struct worker_setup *aide_make_setup(
	const char *libexec, const char *name, char *plan, const char *secret)
{
	struct worker_setup *setup = alloc_zero(sizeof(*setup));

	setup->n_refs = 1;
	setup->domain = alloc_str(name);
	setup->argv = alloc_zero(2 * sizeof(*setup->argv));
	setup->argv[0] = alloc_printf("%s/mcp-fleet-%s", libexec, name);
	setup->env = make_env(secret);
	setup->wrapper = alloc_printf("%s/mcp-fleet-exec", libexec);
	setup->plan = plan;
	setup->native = true;
	setup->protocol = CONF_PROTOCOL_LEGACY;
	setup->concurrency = 1; /* orders take no place */
	setup->start_timeout_ms = START_TIMEOUT_MS;
	setup->cancel_grace_ms = START_TIMEOUT_MS;
	setup->health_interval_ms = HEALTH_MS;
	setup->health_timeout_ms = HEALTH_TIMEOUT_MS;
	setup->restart = restart_rules;
	return setup;
}
