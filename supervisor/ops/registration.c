/* See registration.h.
 *
 * A registrar that was started anew is told everything again. Orders that come before it is ready wait for
 * that. */
#include "supervisor/ops/registration.h"

#include <errno.h>
#include <stdio.h>

#include "shared/alloc.h"
#include "shared/log.h"
#include "supervisor/ops/registration_private.h"

enum {
	TELL_DELAY_MS = 100, /* several changes make one message */
	STOP_MS = 200,
};

/* --- what it is asked --------------------------------------------------------------------------- */

static void end_order(
	struct registration *reg, struct order *order, json_t *result, const struct fail *fail)
{
	TAILQ_REMOVE(&reg->orders, order, next);
	reg->n_orders--;
	order->fn(order->arg, result, fail);
	json_decref(order->params);
	free(order->method);
	free(order);
}

static void fail_orders(struct registration *reg, bool only_sent, const char *why)
{
	struct fail fail = { 0 };
	struct order *order;
	struct order *after;

	(void)fail_set(&fail, -EPIPE, "%s", why);
	for (order = TAILQ_FIRST(&reg->orders); order; order = after) {
		after = TAILQ_NEXT(order, next);
		if (order->is_sent || !only_sent)
			end_order(reg, order, NULL, &fail);
	}
}

static void send_order(struct registration *reg, struct order *order)
{
	struct request *request = alloc_zero(sizeof(*request));
	auto_free char *params = json_dumps(order->params, JSON_COMPACT);

	request->no = order->no;
	request->is_beside = true;
	request->line =
		alloc_printf("{\"jsonrpc\":\"2.0\",\"id\":%llu,\"method\":\"%s\",\"params\":%s}",
			(unsigned long long)order->no, order->method, params ? params : "{}");
	request->len = strlen(request->line);
	order->is_sent = true;
	if (worker_call(reg->worker, request) < 0)
		request_free(request); /* its end is told, and with it that of the order */
	if (!timer_is_running(reg->ping_timer))
		timer_start(reg->ping_timer, REGISTRATION_HEALTH_MS);
}

static void send_orders(struct registration *reg)
{
	struct order *order;

	TAILQ_FOREACH(order, &reg->orders, next)
		if (!order->is_sent)
			send_order(reg, order);
}

/* A worker that has a call is not pinged by itself: the deadline of the call is enough. Orders have none, for only
 * the registrar knows how long its gateway may take; that it lives, we ask. It answers pings in the middle of
 * whatever it waits for. */
static void on_ping_timer(void *arg)
{
	struct registration *reg = arg;
	struct request *request;

	if (!reg->is_ready || reg->n_orders == 0)
		return;
	if (reg->ping_no) {
		if (worker_drill(reg->worker, DRILL_KILL) == 0)
			log_warn("the registrar did not answer a ping while it had an order; "
				 "killing it");
		return;
	}
	request = alloc_zero(sizeof(*request));
	request->no = reg->ping_no = ++reg->last_no;
	request->is_beside = true;
	request->line = alloc_printf("{\"jsonrpc\":\"2.0\",\"id\":%llu,\"method\":\"ping\"}",
		(unsigned long long)request->no);
	request->len = strlen(request->line);
	if (worker_call(reg->worker, request) < 0)
		request_free(request);
	timer_start(reg->ping_timer, REGISTRATION_HEALTH_TIMEOUT_MS);
}

static void on_pong(struct registration *reg)
{
	reg->ping_no = 0;
	timer_stop(reg->ping_timer);
	if (reg->n_orders > 0)
		timer_start(reg->ping_timer, REGISTRATION_HEALTH_MS);
}

static struct order *find_order(struct registration *reg, uint64_t no)
{
	struct order *order;

	TAILQ_FOREACH(order, &reg->orders, next)
		if (order->no == no)
			return order;
	return NULL;
}

/* --- what it says ------------------------------------------------------------------------------- */

static void on_ready(void *arg, struct worker *worker, const struct offering *offering)
{
	struct registration *reg = arg;

	reg->is_ready = true;
	registration_forget_told(reg);
	registration_tell_settings(reg);
	registration_tell(reg);
	send_orders(reg);
}

static void on_answered(void *arg, const struct request *request, const struct rpc *rpc)
{
	struct registration *reg = arg;
	struct order *order = find_order(reg, request->no);
	struct jspan message = jspan_member(rpc->error, "message", NULL);
	auto_strbuf words = { 0 };
	struct fail fail = { 0 };
	json_auto_t *result = NULL;

	if (request->no == reg->ping_no)
		on_pong(reg);
	if (!order)
		return;
	if (rpc->kind == RPC_RESULT)
		result = json_loadb(rpc->result.at, rpc->result.len, 0, NULL);
	if (!result && !jspan_get_str(message, &words))
		strbuf_adds(&words, "the registrar gave an answer that cannot be read");
	if (!result)
		(void)fail_set(&fail, -EREMOTEIO, "%s", strbuf_get(&words));
	end_order(reg, order, result, result ? NULL : &fail);
}

static void on_told(void *arg, struct worker *worker, const struct rpc *rpc)
{
	struct registration *reg = arg;
	json_t *report;

	if (!jspan_is(rpc->method, "registrar/state"))
		return;
	report = rpc->params.at ? json_loadb(rpc->params.at, rpc->params.len, 0, NULL) : NULL;
	if (!report) {
		if (log_limit_ok(&reg->unreadable, 1, "reports of the registrar"))
			log_warn("a report of the registrar cannot be read, the one before stays");
		return;
	}
	json_decref(reg->report);
	reg->report = report;
	reg->parts.changed(reg->parts.arg);
}

static void on_lost(void *arg, struct worker *worker, struct request_list *calls)
{
	struct registration *reg = arg;
	struct request *request;

	while ((request = TAILQ_FIRST(calls))) {
		TAILQ_REMOVE(calls, request, next);
		request_free(request);
	}
	reg->ping_no = 0;
	timer_stop(reg->ping_timer);
	fail_orders(reg, true, "the registrar ended while it was at work; ask again");
}

static void tell_stopped(struct registration *reg)
{
	void (*fn)(void *arg) = reg->on_stopped;

	reg->on_stopped = NULL;
	if (fn)
		loop_defer(reg->parts.loop, fn, reg->on_stopped_arg);
}

static void on_moved(void *arg, struct worker *worker)
{
	struct registration *reg = arg;
	enum worker_state state = worker_get_state(worker);

	reg->is_ready = state == WORKER_READY;
	if (state == WORKER_BACKOFF || state == WORKER_PARKED)
		reg->n_restarts++;
	if (state == WORKER_PARKED)
		fail_orders(reg, false, worker_get_last_end(worker));
	if (state == WORKER_DOWN && reg->is_stopping)
		tell_stopped(reg);
	if (!reg->is_stopping)
		reg->parts.changed(reg->parts.arg);
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

/* --- its process -------------------------------------------------------------------------------- */

static void start_process(struct registration *reg)
{
	struct fleet *fleet = mcp_get_fleet(reg->parts.mcp);
	struct worker_setup *setup;

	if (reg->worker || !reg->is_started || reg->is_stopping)
		return;
	setup = registration_make_setup(reg);
	reg->worker = worker_new(
		reg->parts.loop, fleet_get_launcher(fleet), setup, 1, &worker_hooks, reg);
	worker_setup_unref(setup);
	worker_start(reg->worker);
}

static bool has_kept_order(const struct registration *reg)
{
	auto_free char *path = reg->parts.state_dir
				       ? alloc_printf("%s/registration.json", reg->parts.state_dir)
				       : NULL;

	return path && access(path, F_OK) == 0;
}

static void start_if_wanted(struct registration *reg)
{
	if (*reg->parts.conf->gateway.url || has_kept_order(reg))
		start_process(reg);
}

/* --- public ------------------------------------------------------------------------------------- */

struct registration *registration_new(const struct registration_parts *parts)
{
	struct registration *reg = alloc_zero(sizeof(*reg));

	reg->parts = *parts;
	TAILQ_INIT(&reg->orders);
	reg->tell_timer = timer_new(parts->loop, registration_tell, reg);
	reg->ping_timer = timer_new(parts->loop, on_ping_timer, reg);
	return reg;
}

void registration_free(struct registration *reg)
{
	if (!reg)
		return;
	reg->is_stopping = true;
	fail_orders(reg, false, "the fleet is stopping");
	worker_free(reg->worker);
	timer_free(reg->tell_timer);
	timer_free(reg->ping_timer);
	registration_forget_told(reg);
	json_decref(reg->report);
	free(reg);
}

void registration_start(struct registration *reg)
{
	reg->is_started = true;
	start_if_wanted(reg);
}

void registration_set_conf(struct registration *reg, const struct conf *conf)
{
	reg->parts.conf = conf;
	registration_forget_removed(reg);
	start_if_wanted(reg);
	if (!reg->is_ready)
		return;
	registration_tell_settings(reg);
	registration_note_change(reg);
}

void registration_stop(struct registration *reg, void (*fn)(void *arg), void *arg)
{
	reg->is_stopping = true;
	reg->on_stopped = fn;
	reg->on_stopped_arg = arg;
	fail_orders(reg, false, "the fleet is stopping");
	if (!reg->worker || worker_get_state(reg->worker) == WORKER_DOWN)
		tell_stopped(reg);
	else
		worker_stop(reg->worker, STOP_MS);
}

void registration_note_change(struct registration *reg)
{
	if (reg->is_ready && !timer_is_running(reg->tell_timer))
		timer_start(reg->tell_timer, TELL_DELAY_MS);
}

/* What is known before the registrar has said anything: all the members of a report, or who reads them finds
 * some of them missing now and then. */
static json_t *make_empty_report(const struct registration *reg)
{
	const char *url = reg->parts.conf->gateway.url;
	json_t *gateway = json_pack("{s:s?, s:s, s:n, s:n, s:n, s:n}", "url", *url ? url : NULL,
		"state", "unknown", "error", "remedy", "last_contact", "next_try_ms");

	(void)json_object_set_new(gateway, "token",
		json_pack("{s:s, s:n, s:n}", "source", "none", "expires", "days_left"));
	return json_pack("{s:o, s:[], s:n, s:[], s:{s:i, s:i, s:i, s:i, s:i, s:i}}", "gateway",
		gateway, "domains", "server", "drift", "counters", "requests", 0, "creates", 0,
		"updates", 0, "deletes", 0, "errors", 0, "rounds", 0);
}

json_t *registration_make_report(const struct registration *reg)
{
	json_t *report;

	if (!reg->worker)
		return NULL;
	report = reg->report ? json_deep_copy(reg->report) : make_empty_report(reg);
	(void)json_object_set_new(report, "process",
		json_pack("{s:i, s:s, s:I, s:s}", "pid", (int)worker_get_pid(reg->worker), "state",
			worker_state_name(worker_get_state(reg->worker)), "restarts",
			(json_int_t)reg->n_restarts, "last_end", worker_get_last_end(reg->worker)));
	return report;
}

static void refuse_order(json_t *params, registration_fn *fn, void *arg, int err, const char *why)
{
	struct fail fail = { 0 };

	(void)fail_set(&fail, err, "%s", why);
	json_decref(params);
	fn(arg, NULL, &fail);
}

void registration_ask(struct registration *reg, const char *method, json_t *params,
	registration_fn *fn, void *arg)
{
	bool is_first = streq(method, "registrar/register");
	struct order *order;

	if (!reg->worker && !is_first) {
		refuse_order(params, fn, arg, -ENOENT,
			"no gateway is known: mcp-fleetctl register names one, or gateway.url");
		return;
	}
	if (reg->is_stopping) {
		refuse_order(params, fn, arg, -ESHUTDOWN, "the fleet is stopping");
		return;
	}
	if (reg->n_orders >= REGISTRATION_MAX_ORDERS) {
		refuse_order(params, fn, arg, -EBUSY, "too many orders at a time; try again later");
		return;
	}
	order = alloc_zero(sizeof(*order));
	order->no = ++reg->last_no;
	order->method = alloc_str(method);
	order->params = params;
	order->fn = fn;
	order->arg = arg;
	TAILQ_INSERT_TAIL(&reg->orders, order, next);
	reg->n_orders++;
	start_process(reg);
	if (reg->worker && worker_get_state(reg->worker) == WORKER_PARKED)
		worker_start(reg->worker);
	if (reg->is_ready)
		send_orders(reg);
}

pid_t registration_kill(struct registration *reg, uint64_t *ret_restarts)
{
	pid_t pid = reg->worker ? worker_get_pid(reg->worker) : 0;

	*ret_restarts = reg->n_restarts;
	return pid > 0 && worker_drill(reg->worker, DRILL_KILL) == 0 ? pid : 0;
}
