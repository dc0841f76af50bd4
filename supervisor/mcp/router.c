/* See router.h. */
#include "supervisor/mcp/router.h"

#include <errno.h>

#include "shared/alloc.h"
#include "shared/clock.h"
#include "shared/limits.h"
#include "shared/log.h"
#include "supervisor/mcp/audit.h"
#include "supervisor/mcp/call_end.h"
#include "supervisor/mcp/client_roots.h"
#include "supervisor/mcp/headers.h"
#include "supervisor/mcp/rewrite.h"
#include "supervisor/mcp/router_private.h"
#include "supervisor/stats.h"

enum {
	FIRST_BUCKETS = 256,
	BIG_LOG_BURST = 10,
	KEPT_PART = 16, /* one call may keep such a part of what is still free */
};

/* Of params that are kept for calls between the eras, all together. */
#define MAX_KEPT_BYTES (64 * MIB)

struct deadline_queue {
	struct deadline_queue *next;
	int64_t after_ms;
	struct expiry *expiry;
};

/* What differs between the methods once their request is under way. */
static const struct {
	bool cacheable;
	bool rewrites; /* URIs in the result */
	bool may_ask;  /* input_required is among its results */
} kinds[] = {
	[FORWARD_TOOL] = { .rewrites = true, .may_ask = true },
	[FORWARD_PROMPT] = { .rewrites = true, .may_ask = true },
	[FORWARD_READ] = { .rewrites = true, .may_ask = true, .cacheable = true },
	[FORWARD_COMPLETE] = { 0 },
	[FORWARD_TASK_GET] = { 0 },
	[FORWARD_TASK_RESULT] = { .rewrites = true },
	[FORWARD_TASK_CANCEL] = { 0 },
	[FORWARD_TASK_LIST] = { 0 },
};

/* --- the table --------------------------------------------------------------------------------- */

static struct call_bucket *bucket_of(const struct router *router, uint64_t no)
{
	return &router->buckets[no & (router->n_buckets - 1)];
}

struct call *router_find(const struct router *router, uint64_t no)
{
	struct call *call;

	LIST_FOREACH(call, bucket_of(router, no), in_bucket)
		if (call->no == no)
			return call;
	return NULL;
}

static void grow(struct router *router)
{
	struct call_bucket *old = router->buckets;
	size_t n_old = router->n_buckets;
	struct call *call;

	router->n_buckets = n_old ? n_old * 4 : FIRST_BUCKETS;
	router->buckets = alloc_zero(router->n_buckets * sizeof(*router->buckets));
	for (size_t i = 0; i < n_old; i++)
		while ((call = LIST_FIRST(&old[i]))) {
			LIST_REMOVE(call, in_bucket);
			LIST_INSERT_HEAD(bucket_of(router, call->no), call, in_bucket);
		}
	free(old);
}

void router_stop_deadline(struct call *call)
{
	if (call->expiry)
		expiry_remove(call->expiry, &call->deadline);
	call->expiry = NULL;
}

static void free_call(struct call *call)
{
	if (call->ids != call->own_ids)
		free(call->ids);
	stats_series_unref(call->timing.series);
	free(call->label);
	free(call->trace);
	trace_span_free(call->span);
	free(call->params);
	free(call->worker_state);
	principal_unref(call->principal);
	free(call);
}

void router_remove(struct router *router, struct call *call)
{
	uint64_t session_no = call->session_no;
	bool was_parked = !call->session;

	call_ended(router, call);
	bridge_forget_call(router, call, "the request that this belongs to has ended");
	client_roots_forget_call(router, call);
	LIST_REMOVE(call, in_bucket);
	LIST_REMOVE(call, in_session);
	if (was_parked)
		router->n_parked--;
	else
		session_remove_call(call->session);
	router_stop_deadline(call);
	router->kept_bytes -= call->params_len;
	free_call(call);
	if (was_parked)
		router->hooks->released(router->arg, session_no);
	if (--router->n_calls == 0)
		router->hooks->idle(router->arg);
}

struct origin call_origin(const struct call *call)
{
	return (struct origin){
		.session = call->session,
		.via = call->via,
		.id = call_id(call),
		.is_modern = call->is_modern,
		.level = call->level,
		.client = call->client,
		.timing = call->timing,
	};
}

/* --- the ways of answering ----------------------------------------------------------------------- */

/* The call leaves before its answer goes out, because sending may close the session, and that takes its
 * calls with it. Returns the id, which the answer needs so long. */
static char *leave(struct router *router, struct call *call, struct origin *ret)
{
	char *id = alloc_mem(call->ids, call->id_len);

	*ret = call_origin(call);
	ret->id.at = id;
	call->is_answered = true;
	router_remove(router, call);
	return id;
}

void router_fail(
	struct router *router, struct call *call, int code, const char *message, const char *data)
{
	struct origin origin;
	auto_free char *id = NULL;

	call->code = code;
	router_note_error(call, message);
	if (!call->session) { /* parked: nobody waits */
		router_remove(router, call);
		return;
	}
	id = leave(router, call, &origin);
	answer_error(&origin, code, message, data);
}

void router_answer(struct router *router, struct call *call, struct jspan result)
{
	struct origin origin;
	auto_free char *id = leave(router, call, &origin);

	answer_result(&origin, result, 0);
}

void router_cancel_in_domain(struct router *router, const struct call *call, const char *reason)
{
	struct domain *domain = fleet_get(router->fleet, call->domain);

	if (domain)
		domain_cancel(domain, call->no, reason);
}

static void on_deadline(struct expiry_entry *entry, void *arg)
{
	struct router *router = arg;
	struct call *call =
		(struct call *)(void *)((char *)entry - offsetof(struct call, deadline));
	auto_free char *message = alloc_printf(
		"%s did not answer within %g s (call_timeout); it was told to stop, but may "
		"have taken effect",
		call->label, (double)call->timeout_ms / 1000);

	call->expiry = NULL;
	router_cancel_in_domain(router, call, DOMAIN_CANCEL_DEADLINE);
	if (call->kind == FORWARD_TASK_LIST) {
		tasks_end_list(router, call);
		return;
	}
	router_fail(router, call, RPC_DEADLINE, message, NULL);
}

/* Workers have a say in how long their tools may take: an empty queue is used again for another length, so
 * that there are never more of them than calls. */
static struct deadline_queue *get_deadline_queue(struct router *router, int64_t after_ms)
{
	struct deadline_queue *empty = NULL;
	struct deadline_queue *queue;

	for (queue = router->deadlines; queue; queue = queue->next) {
		if (queue->after_ms == after_ms)
			return queue;
		if (expiry_is_empty(queue->expiry))
			empty = queue;
	}
	if (!empty) {
		empty = alloc_zero(sizeof(*empty));
		empty->expiry = expiry_new(router->loop, after_ms, on_deadline, router);
		empty->next = router->deadlines;
		router->deadlines = empty;
	}
	empty->after_ms = after_ms;
	expiry_set_after(empty->expiry, after_ms);
	return empty;
}

void router_set_deadline(struct router *router, struct call *call, int64_t after_ms)
{
	router_stop_deadline(call);
	call->expiry = get_deadline_queue(router, after_ms)->expiry;
	expiry_add(call->expiry, &call->deadline);
}

/* --- calls ------------------------------------------------------------------------------------- */

/* A worker of other make may interrupt the call to ask something, in the way of the other era. */
static bool may_be_interrupted(const struct forward *forward)
{
	const struct catalog_target *target = forward->target;

	if (target->native || !kinds[forward->kind].may_ask)
		return false;
	return forward->origin->is_modern ? !target->takes_modern : !target->takes_legacy;
}

/* No client can fill all the room with a few large calls: each leaves some for those that come. */
static void keep_params(struct router *router, struct call *call, struct jspan params)
{
	if (params.len > (MAX_KEPT_BYTES - router->kept_bytes) / KEPT_PART)
		return;
	call->params = alloc_mem(params.at, params.len);
	call->params_len = params.len;
	router->kept_bytes += params.len;
}

/* Under the domain that serves it, whichever endpoint it came to. */
void router_time(struct call *call, const struct forward *forward)
{
	const struct stats_timing *asked = &forward->origin->timing;
	const char *tool = forward->kind == FORWARD_TOOL ? forward->target->name : NULL;
	struct stats_series *before = call->timing.series;

	if (!asked->series)
		return;
	call->timing.since_us = asked->since_us;
	call->timing.series = stats_series_ref(
		stats_find_series(stats_door_beside(asked->series->door, forward->target->domain),
			asked->series->method, tool));
	stats_series_unref(before);
}

static struct call *add_call(struct router *router, const struct forward *forward)
{
	const struct origin *origin = forward->origin;
	const struct catalog_target *target = forward->target;
	size_t ids_len = origin->id.len + origin->token.len;
	struct call *call = alloc_zero(sizeof(*call) + ids_len);
	struct session_info *info = session_get_info(origin->session);

	call->session = origin->session;
	call->session_no = session_get_number(origin->session);
	call->via = origin->via;
	call->no = ++router->last_no;
	call->domain = fleet_find(router->fleet, target->domain);
	call->kind = forward->kind;
	call->makes_task = forward->makes_task;
	call->task_no = forward->task_no;
	call->list_before = forward->list_before;
	call->worker = forward->worker;
	info->is_known_below |= !target->native;
	call->is_modern = origin->is_modern;
	call->may_rerun = target->may_rerun;
	call->level = origin->level;
	call->client = origin->client;
	call->label = alloc_str(target->name);
	call->since_us = clock_now_us();
	call->timeout_ms = target->timeout_ms;
	router_time(call, forward);
	router_begin_trace(router, call, forward);
	call->endpoint = session_get_endpoint(origin->session);
	call->principal = principal_ref(session_get_principal(origin->session));
	LIST_INIT(&call->asks);
	call->is_bridged = may_be_interrupted(forward);
	if (call->is_bridged)
		keep_params(router, call, forward->params);
	call->ids = call->own_ids;
	call->id_len = origin->id.len;
	call->token_len = origin->token.len;
	memcpy(call->ids, origin->id.at, origin->id.len);
	if (origin->token.len)
		memcpy(call->ids + origin->id.len, origin->token.at, origin->token.len);
	if (++router->n_calls > router->n_buckets)
		grow(router);
	LIST_INSERT_HEAD(bucket_of(router, call->no), call, in_bucket);
	LIST_INSERT_HEAD(&info->calls, call, in_session);
	session_add_call(call->session);
	router_set_deadline(router, call, target->timeout_ms);
	return call;
}

void router_renumber(struct router *router, struct call *call)
{
	LIST_REMOVE(call, in_bucket);
	call->no = ++router->last_no;
	LIST_INSERT_HEAD(bucket_of(router, call->no), call, in_bucket);
}

int router_send(
	struct router *router, struct call *call, const struct forward *forward, const char *more)
{
	struct domain_call out = {
		.no = call->no,
		.session = call->session_no,
		.is_modern = call->is_modern,
		.may_rerun = call->may_rerun,
		.worker = call->worker,
	};

	router_make_line(call, forward, more, &out);
	return client_roots_send(router, call, forward, &out);
}

void router_refuse_send(struct router *router, uint64_t no, int err)
{
	struct call *call = router_find(router, no);
	const struct domain *domain = call ? fleet_get(router->fleet, call->domain) : NULL;
	auto_free char *message = NULL;

	if (!call)
		return;
	if (call->kind == FORWARD_TASK_LIST) {
		tasks_end_list(router, call);
		return;
	}
	if (err == -ENOBUFS && domain) {
		const char *name = domain_get_name(domain);

		stats_limit_reached(STATS_LIMIT_DOMAIN_QUEUE);
		message = alloc_printf(
			"the queue of domain %s is full (domains.%s.queue, queue_bytes), or other "
			"sessions have all its processes (isolation, processes.max); try again later",
			name, name);
		router_fail(router, call, RPC_OVERLOADED, message, NULL);
		return;
	}
	if (err == -ESRCH) {
		router_fail(router, call, RPC_UNAVAILABLE,
			"the process that has the task cannot be asked now; ask again", NULL);
		return;
	}
	message = alloc_printf("%s cannot be had: domain %s is not available now; /ready says why",
		call->label, domain ? domain_get_name(domain) : "(removed)");
	router_fail(router, call, RPC_UNAVAILABLE, message, NULL);
}

static void begin_audit(
	const struct router *router, struct call *call, const struct forward *forward)
{
	const struct audit_ask ask = { .domain = forward->target->domain,
		.tool = call->label,
		.arguments = jspan_member(forward->params, "arguments", NULL),
		.trace = call->trace,
		.call = call->no };

	call->audit = audit_begin(router->audit, call->session, &ask);
}

void router_call(struct router *router, const struct forward *forward)
{
	struct call *call;
	uint64_t no;
	int r;

	if (!client_roots_admit(router, forward))
		return;
	call = add_call(router, forward);
	if (forward->kind == FORWARD_TOOL)
		begin_audit(router, call, forward);
	no = call->no;
	r = router_send(router, call, forward, NULL);
	if (r < 0)
		router_refuse_send(router, no, r);
}

static struct call *find_by_id(struct session *session, struct jspan id)
{
	struct call *call;

	LIST_FOREACH(call, &session_get_info(session)->calls, in_session)
		if (jspan_same(call_id(call), id))
			return call;
	return NULL;
}

bool router_has(struct session *session, struct jspan id)
{
	return find_by_id(session, id) != NULL;
}

void router_cancel(
	struct router *router, struct session *session, struct jspan id, const char *reason)
{
	struct call *call = id.at ? find_by_id(session, id) : NULL;

	if (!call)
		return;
	router_cancel_in_domain(router, call, reason);
	if (session_answers_each(session))
		router_fail(
			router, call, RPC_CANCELLED, "the client has cancelled the request", NULL);
	else
		router_remove(router, call);
}

void router_forget_session(struct router *router, struct session *session)
{
	struct call *call;

	bridge_forget_session(router, session);
	tasks_forget_session(router, session);
	client_roots_forget_session(router, session);
	while ((call = LIST_FIRST(&session_get_info(session)->calls))) {
		router_cancel_in_domain(router, call, "the client is gone");
		router_remove(router, call);
	}
}

void router_fail_all(struct router *router, int code, const char *message)
{
	for (size_t i = 0; i < router->n_buckets; i++) {
		struct call *call;

		while ((call = LIST_FIRST(&router->buckets[i]))) {
			/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): it loses LIST_REMOVE */
			router_cancel_in_domain(router, call, message);
			router_fail(router, call, code, message, NULL);
		}
	}
}

/* --- answers ----------------------------------------------------------------------------------- */

/* Longer than a session's queue might be: its client would lose the session instead of hearing why. */
static void refuse_result(struct router *router, struct call *call, size_t len)
{
	auto_free char *message = alloc_printf(
		"the answer of %s has %zu bytes; tools.max_result_bytes allows %zu. Ask for less",
		call->label, len, router->conf->tools.max_result_bytes);

	stats_limit_reached(STATS_LIMIT_RESULT_BYTES);
	/* Not its name: of a resource that is a URI, which may hold what the client filled in. */
	if (log_limit_ok(&router->big_log, BIG_LOG_BURST, "answers that are too large"))
		log_warn("call %llu: its answer has %zu bytes (tools.max_result_bytes)",
			(unsigned long long)call->no, len);
	router_fail(router, call, RPC_INTERNAL_ERROR, message, NULL);
}

static const struct catalog_naming *naming_of(const struct router *router, const struct call *call)
{
	const struct domain *domain = fleet_get(router->fleet, call->domain);

	if (!kinds[call->kind].rewrites || !domain)
		return NULL;
	return catalog_get_naming(router->catalog, domain_get_name(domain));
}

static void finish_result(struct router *router, struct call *call, struct jspan result)
{
	const struct catalog_naming *naming = naming_of(router, call);
	unsigned flags = kinds[call->kind].cacheable ? ANSWER_CACHEABLE : 0;
	struct origin origin;
	auto_splices splices = { 0 };
	auto_strbuf rewritten = { 0 };
	auto_free char *id = NULL;

	if (naming)
		rewrite_result(&splices, naming, result);
	if (!tasks_take_result(router, call, result, &splices))
		return;
	if (splices.n > 0) {
		splices_apply(&splices, result, &rewritten);
		result = (struct jspan){ .at = rewritten.data, .len = rewritten.len };
	}
	if (result.len > router->conf->tools.max_result_bytes) { /* clients' URIs are longer */
		refuse_result(router, call, result.len);
		return;
	}
	(void)jspan_get_bool(jspan_member(result, "isError", NULL), &call->is_tool_error);
	id = leave(router, call, &origin);
	answer_result(&origin, result, flags);
}

/* Of a worker's error object; what is no code at all is an error all the same. */
static int code_of(struct jspan error)
{
	struct jspan code = jspan_member(error, "code", NULL);
	long value = jspan_is_integer(code) ? strtol(code.at, NULL, 10) : 0;

	return value >= INT32_MIN && value <= INT32_MAX && value != 0 ? (int)value
								      : RPC_INTERNAL_ERROR;
}

/* That we are stopping is ours to say: a bridge (mcp-fleetctl stdio) would keep a call until we end that a worker,
 * or a fleet behind it, refused with these words. */
static void pass_stopping(struct router *router, struct call *call, struct jspan error)
{
	auto_strbuf message = { 0 };

	(void)jspan_get_str(jspan_member(error, "message", NULL), &message);
	router_fail(router, call, RPC_UNAVAILABLE, strbuf_get(&message), NULL);
}

void router_answered(struct router *router, uint64_t no, const struct rpc *rpc)
{
	struct call *call = router_find(router, no);
	const struct jspan nothing = { 0 };
	struct jspan body = rpc->kind == RPC_ERROR ? rpc->error : rpc->result;
	struct origin origin;
	auto_free char *id = NULL;

	if (!call)
		return;
	router_note_answer(router, call);
	if (!call->session) { /* parked, and nobody has come back: what it asked has lost its use */
		router_remove(router, call);
	} else if (call->kind == FORWARD_TASK_LIST) {
		if (rpc->kind == RPC_ERROR)
			tasks_take_error(router, call, body);
		tasks_go_on_with_list(router, call, rpc->kind == RPC_ERROR ? nothing : body);
	} else if (body.len > router->conf->tools.max_result_bytes) {
		refuse_result(router, call, body.len);
	} else if (rpc->kind == RPC_RESULT && jspan_type(body) != JSPAN_OBJECT) {
		router_fail(router, call, RPC_INTERNAL_ERROR,
			"the worker answered with something that is no result (an object)", NULL);
	} else if (rpc->kind == RPC_ERROR) {
		tasks_take_error(router, call, body);
		if (rpc_is_stopping(rpc)) {
			pass_stopping(router, call, body);
			return;
		}
		call->code = code_of(body);
		id = leave(router, call, &origin);
		answer_error_object(&origin, body);
	} else if (!kinds[call->kind].may_ask || !bridge_take_input_required(router, call, body)) {
		finish_result(router, call, body);
	}
}

void router_progress(struct router *router, uint64_t no, const struct rpc *rpc)
{
	struct call *call = router_find(router, no);
	auto_splices splices = { 0 };
	auto_strbuf text = { 0 };

	/* What a slow client does not hear of its progress must not cost it the answer. */
	if (!call || !call->session || call->token_len == 0 ||
		!session_has_room(call->session, rpc->params.len + call->token_len))
		return;
	splice_replace(&splices, jspan_member(rpc->params, "progressToken", NULL),
		call->ids + call->id_len, call->token_len);
	strbuf_adds(
		&text, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":");
	splices_apply(&splices, rpc->params, &text);
	strbuf_addc(&text, '}');
	jspan_one_line(text.data, text.len);
	session_tell(call->session, call->via, text.data, text.len);
}

void router_lost(struct router *router, uint64_t no, enum domain_loss loss, const char *cause)
{
	struct call *call = router_find(router, no);
	auto_free char *message = NULL;

	if (!call)
		return;
	if (call->kind == FORWARD_TASK_LIST) {
		tasks_go_on_with_list(router, call, (struct jspan){ 0 });
		return;
	}
	if (loss == DOMAIN_LOST_DIED)
		message = alloc_printf(
			"the worker died while it ran %s (%s); the call may have taken effect",
			call->label, cause);
	else
		message = alloc_printf(
			"%s could not be run, its domain is not available: %s; /ready says more",
			call->label, cause);
	router_fail(router, call, loss == DOMAIN_LOST_DIED ? RPC_WORKER_DIED : RPC_UNAVAILABLE,
		message, NULL);
}

/* A legacy session may have chosen another one since the call began. */
static enum level level_of(const struct call *call)
{
	return call->is_modern ? call->level : session_get_info(call->session)->level;
}

bool router_attribute(struct router *router, const struct domain_speaker *who,
	struct session **ret_session, uint64_t *ret_via, enum level *ret_level)
{
	unsigned n = who->n_calls < DOMAIN_SPEAKER_CALLS ? who->n_calls : DOMAIN_SPEAKER_CALLS;
	const struct call *first = NULL;
	enum level level = LEVEL_NONE;
	unsigned n_work = 0;

	if (who->n_calls > DOMAIN_SPEAKER_CALLS)
		return false;
	for (unsigned i = 0; i < n; i++) {
		const struct call *call = router_find(router, who->calls[i]);

		if (call && call_is_beside(call))
			continue;
		if (!call || !call->session || (first && call->session != first->session))
			return false;
		if (!first || level_of(call) > level)
			level = level_of(call); /* it could be about the one that wants less */
		first = first ? first : call;
		n_work++;
	}
	if (!first)
		return false;
	if (who->n_unsure > 0 &&
		(first->is_modern || (!who->session && first->session_no != who->unsure_session)))
		return false; /* it may be about a call that was given up */
	*ret_session = first->session;
	*ret_via = n_work == 1 && who->n_unsure == 0 ? first->via : 0;
	*ret_level = level;
	return true;
}

/* --- public ------------------------------------------------------------------------------------ */

struct router *router_new(struct loop *loop, const struct router_hooks *hooks, void *arg)
{
	struct router *router = alloc_zero(sizeof(*router));

	router->loop = loop;
	router->hooks = hooks;
	router->arg = arg;
	LIST_INIT(&router->parked);
	LIST_INIT(&router->asks);
	bridge_init(router);
	router->tasks = tasks_new(router);
	client_roots_init(router);
	grow(router);
	return router;
}

void router_drop_parked(struct router *router, const char *reason)
{
	struct call *call;

	while ((call = LIST_FIRST(&router->parked))) {
		router_cancel_in_domain(router, call, reason);
		router_remove(router, call);
	}
}

void router_free(struct router *router)
{
	struct deadline_queue *queue;
	struct call *call;

	if (!router)
		return;
	bridge_done(router);
	while ((call = LIST_FIRST(&router->parked))) { /* nobody is left to hear of it */
		LIST_REMOVE(call, in_session);
		router_stop_deadline(call);
		call_ended(router, call);
		free_call(call);
	}
	tasks_free(router->tasks);
	audit_free(router->audit);
	client_roots_done(router);
	while ((queue = router->deadlines)) {
		router->deadlines = queue->next;
		expiry_free(queue->expiry);
		free(queue);
	}
	free(router->buckets);
	free(router);
}

void router_set_fleet(struct router *router, struct fleet *fleet, const struct catalog *catalog)
{
	router->fleet = fleet;
	router->catalog = catalog;
}

void router_set_conf(struct router *router, const struct conf *conf)
{
	router->conf = conf;
	if (router->audit)
		audit_set_conf(router->audit, conf);
	else
		router->audit = audit_new(conf);
	bridge_set_timeout(router, conf->limits.input_timeout_ms);
	client_roots_set_timeout(router, conf->limits.input_timeout_ms);
}

void router_reopen_audit(struct router *router)
{
	audit_set_conf(router->audit, router->conf);
}

void router_set_tracer(struct router *router, const struct tracer *tracer)
{
	router->tracer = *tracer;
}

unsigned router_count(const struct router *router)
{
	return router->n_calls;
}
