/* See router.h. */
#include "supervisor/mcp/router.h"

#include <errno.h>

#include "shared/alloc.h"
#include "shared/log.h"
#include "supervisor/expiry.h"

enum { FIRST_BUCKETS = 256 };

struct call {
	LIST_ENTRY(call) in_bucket;
	LIST_ENTRY(call) in_session;
	struct expiry_entry deadline;
	struct expiry *expiry;
	struct session *session;
	uint64_t via;
	uint64_t no;
	uint32_t domain;
	char *tool;
	int64_t since_ms;
	int64_t timeout_ms;
	size_t id_len;
	size_t token_len; /* 0: no progress wanted */
	char bytes[];     /* id, then token, as the client wrote them */
};

/* One queue for each length of deadline that is in use: a handful. */
struct deadline_queue {
	struct deadline_queue *next;
	int64_t after_ms;
	struct expiry *expiry;
};

LIST_HEAD(call_bucket, call);

struct router {
	struct loop *loop;
	struct fleet *fleet;
	void (*on_idle)(void *arg);
	void *arg;
	struct call_bucket *buckets;
	size_t n_buckets; /* a power of two; numbers count up, so the low bits spread well */
	unsigned n_calls;
	uint64_t last_no;
	size_t max_result_bytes;
	struct deadline_queue *deadlines;
};

static struct jspan id_of(const struct call *call)
{
	return (struct jspan){ .at = call->bytes, .len = call->id_len };
}

/* --- the table --------------------------------------------------------------------------------- */

static struct call_bucket *bucket_of(const struct router *router, uint64_t no)
{
	return &router->buckets[no & (router->n_buckets - 1)];
}

static struct call *find_call(const struct router *router, uint64_t no)
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

/* The one way out of the table. */
static void remove_call(struct router *router, struct call *call)
{
	LIST_REMOVE(call, in_bucket);
	LIST_REMOVE(call, in_session);
	session_get_info(call->session)->n_calls--;
	expiry_remove(call->expiry, &call->deadline);
	free(call->tool);
	free(call);
	if (--router->n_calls == 0)
		router->on_idle(router->arg);
}

/* The one way of answering: the call leaves first, because sending may close the session, and that
 * takes its calls with it. */
static void finish_call(
	struct router *router, struct call *call, const struct strbuf *answer, int code)
{
	struct session *session = call->session;
	uint64_t via = call->via;

	remove_call(router, call);
	session_answer(session, via, answer->data, answer->len, code);
}

static void fail_call(struct router *router, struct call *call, int code, const char *message)
{
	auto_strbuf answer = { 0 };

	rpc_add_error(&answer, id_of(call), code, message);
	finish_call(router, call, &answer, code);
}

static void cancel_in_domain(struct router *router, const struct call *call, const char *reason)
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
		call->tool, (double)call->timeout_ms / 1000);

	cancel_in_domain(router, call, "deadline");
	fail_call(router, call, RPC_DEADLINE, message);
}

static struct expiry *expiry_for(struct router *router, int64_t after_ms)
{
	struct deadline_queue *queue;

	for (queue = router->deadlines; queue; queue = queue->next)
		if (queue->after_ms == after_ms)
			return queue->expiry;
	queue = alloc_zero(sizeof(*queue));
	queue->after_ms = after_ms;
	queue->expiry = expiry_new(router->loop, after_ms, on_deadline, router);
	queue->next = router->deadlines;
	router->deadlines = queue;
	return queue->expiry;
}

/* --- public ------------------------------------------------------------------------------------ */

struct router *router_new(struct loop *loop, void (*on_idle)(void *arg), void *arg)
{
	struct router *router = alloc_zero(sizeof(*router));

	router->loop = loop;
	router->on_idle = on_idle;
	router->arg = arg;
	router->max_result_bytes = SIZE_MAX;
	grow(router);
	return router;
}

void router_free(struct router *router)
{
	struct deadline_queue *queue;

	if (!router)
		return;
	while ((queue = router->deadlines)) {
		router->deadlines = queue->next;
		expiry_free(queue->expiry);
		free(queue);
	}
	free(router->buckets);
	free(router);
}

void router_set_fleet(struct router *router, struct fleet *fleet)
{
	router->fleet = fleet;
}

void router_set_max_result(struct router *router, size_t bytes)
{
	router->max_result_bytes = bytes;
}

unsigned router_count(const struct router *router)
{
	return router->n_calls;
}

static struct call *add_call(struct router *router, struct session *session,
	const struct router_ask *ask, const struct catalog_tool *tool)
{
	struct call *call = alloc_zero(sizeof(*call) + ask->id.len + ask->token.len);
	struct session_info *info = session_get_info(session);

	call->session = session;
	call->via = ask->via;
	call->no = ++router->last_no;
	call->domain = fleet_find(router->fleet, tool->domain);
	call->tool = alloc_str(tool->name);
	call->since_ms = loop_now_ms(router->loop);
	call->timeout_ms = tool->timeout_ms;
	call->id_len = ask->id.len;
	call->token_len = ask->token.len;
	memcpy(call->bytes, ask->id.at, ask->id.len);
	if (ask->token.len)
		memcpy(call->bytes + ask->id.len, ask->token.at, ask->token.len);
	if (++router->n_calls > router->n_buckets)
		grow(router);
	LIST_INSERT_HEAD(bucket_of(router, call->no), call, in_bucket);
	LIST_INSERT_HEAD(&info->calls, call, in_session);
	info->n_calls++;
	call->expiry = expiry_for(router, tool->timeout_ms);
	expiry_add(call->expiry, &call->deadline);
	return call;
}

struct patch {
	struct jspan where;
	const char *with;
	size_t with_len;
};

/* Appends `whole` with up to two places in it replaced. */
static void add_patched(
	struct strbuf *out, struct jspan whole, const struct patch *a, const struct patch *b)
{
	const struct patch *order[2] = { a, b };
	const char *at = whole.at;

	if (a->where.at && b->where.at && b->where.at < a->where.at) {
		order[0] = b;
		order[1] = a;
	}
	for (int i = 0; i < 2; i++) {
		if (!order[i]->where.at)
			continue;
		strbuf_add(out, at, (size_t)(order[i]->where.at - at));
		strbuf_add(out, order[i]->with, order[i]->with_len);
		at = order[i]->where.at + order[i]->where.len;
	}
	strbuf_add(out, at, (size_t)(whole.at + whole.len - at));
}

/* The line for the worker: the client's params, with the worker's own name of the tool and with our
 * number as id and progress token. */
static char *make_line(const struct call *call, const struct router_ask *ask,
	const struct catalog_tool *tool, size_t *ret_len)
{
	auto_strbuf line = { 0 };
	auto_strbuf name = { 0 };
	auto_free char *number = alloc_printf("%llu", (unsigned long long)call->no);
	struct patch rename = { 0 };
	struct patch retoken = { .where = ask->token, .with = number, .with_len = strlen(number) };

	if (!jspan_is(ask->name, tool->worker_name)) {
		strbuf_add_json(&name, tool->worker_name, strlen(tool->worker_name));
		rename = (struct patch){
			.where = ask->name, .with = name.data, .with_len = name.len
		};
	}
	(void)strbuf_reserve(&line, ask->params.len + 128);
	strbuf_adds(&line, "{\"jsonrpc\":\"2.0\",\"id\":");
	strbuf_adds(&line, number);
	strbuf_adds(&line, ",\"method\":\"tools/call\",\"params\":");
	add_patched(&line, ask->params, &rename, &retoken);
	strbuf_addc(&line, '}');
	jspan_one_line(line.data, line.len);
	*ret_len = line.len;
	return strbuf_take(&line);
}

void router_call(struct router *router, struct session *session, const struct router_ask *ask,
	const struct catalog_tool *tool)
{
	struct call *call = add_call(router, session, ask, tool);
	struct domain *domain = fleet_get(router->fleet, call->domain);
	uint64_t no = call->no;
	auto_free char *message = NULL;
	size_t len;
	int r = -ENXIO;

	if (domain) {
		char *line = make_line(call, ask, tool, &len);

		r = domain_call(domain, &(struct domain_call){ .no = no,
						.session = session_get_number(session),
						.line = line,
						.len = len,
						.may_rerun = tool->may_rerun });
	}
	if (r == 0)
		return;
	call = find_call(router, no);
	if (!call)
		return;
	if (r == -ENOBUFS) {
		message = alloc_printf(
			"the queue of domain %s is full (domains.%s.queue, queue_bytes); try again later",
			tool->domain, tool->domain);
		fail_call(router, call, RPC_OVERLOADED, message);
		return;
	}
	message = alloc_printf("domain %s is not available now; /ready says why", tool->domain);
	fail_call(router, call, RPC_UNAVAILABLE, message);
}

static struct call *find_by_id(const struct session *session, struct jspan id)
{
	union {
		const struct session *in;
		struct session *out;
	} s = { session };
	struct call *call;

	LIST_FOREACH(call, &session_get_info(s.out)->calls, in_session)
		if (jspan_same(id_of(call), id))
			return call;
	return NULL;
}

bool router_has(const struct session *session, struct jspan id)
{
	return find_by_id(session, id) != NULL;
}

void router_cancel(
	struct router *router, struct session *session, struct jspan id, const char *reason)
{
	struct call *call = id.at ? find_by_id(session, id) : NULL;

	if (!call)
		return;
	cancel_in_domain(router, call, reason);
	if (session_answers_each(session))
		fail_call(router, call, RPC_CANCELLED, "the client has cancelled the request");
	else
		remove_call(router, call);
}

void router_forget_session(struct router *router, struct session *session)
{
	struct call *call;

	while ((call = LIST_FIRST(&session_get_info(session)->calls))) {
		cancel_in_domain(router, call, "the client is gone");
		remove_call(router, call);
	}
}

void router_fail_all(struct router *router, int code, const char *message)
{
	for (size_t i = 0; i < router->n_buckets; i++) {
		struct call *call;

		while ((call = LIST_FIRST(&router->buckets[i]))) {
			/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): it loses LIST_REMOVE */
			cancel_in_domain(router, call, message);
			fail_call(router, call, code, message);
		}
	}
}

/* Longer than a session's queue might be: its client would lose the session instead of hearing why. */
static void refuse_result(struct router *router, struct call *call, size_t len)
{
	auto_free char *message = alloc_printf(
		"the answer of %s has %zu bytes; tools.max_result_bytes allows %zu. Ask for less",
		call->tool, len, router->max_result_bytes);

	log_warn("call %llu: %s", (unsigned long long)call->no, message);
	fail_call(router, call, RPC_INTERNAL_ERROR, message);
}

void router_answered(struct router *router, uint64_t no, const struct rpc *rpc)
{
	struct call *call = find_call(router, no);
	bool is_error = rpc->kind == RPC_ERROR;
	struct jspan body = is_error ? rpc->error : rpc->result;
	auto_strbuf answer = { 0 };

	if (!call)
		return;
	if (body.len > router->max_result_bytes) {
		refuse_result(router, call, body.len);
		return;
	}
	(void)strbuf_reserve(&answer, body.len + call->id_len + 64);
	strbuf_adds(&answer, "{\"jsonrpc\":\"2.0\",\"id\":");
	strbuf_add(&answer, call->bytes, call->id_len);
	strbuf_adds(&answer, is_error ? ",\"error\":" : ",\"result\":");
	strbuf_add(&answer, body.at, body.len);
	strbuf_addc(&answer, '}');
	jspan_one_line(answer.data, answer.len);
	log_debug("call %llu: %s answered after %lld ms", (unsigned long long)no, call->tool,
		(long long)(loop_now_ms(router->loop) - call->since_ms));
	finish_call(router, call, &answer, is_error ? RPC_INTERNAL_ERROR : 0);
}

void router_progress(struct router *router, uint64_t no, const struct rpc *rpc)
{
	static const struct patch none = { 0 };
	struct call *call = find_call(router, no);
	auto_strbuf text = { 0 };

	/* What a slow client does not hear of its progress must not cost it the answer. */
	if (!call || call->token_len == 0 || session_is_slow(call->session))
		return;
	const struct patch token = { .where = jspan_member(rpc->params, "progressToken", NULL),
		.with = call->bytes + call->id_len,
		.with_len = call->token_len };
	strbuf_adds(
		&text, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":");
	add_patched(&text, rpc->params, &token, &none);
	strbuf_addc(&text, '}');
	jspan_one_line(text.data, text.len);
	session_tell(call->session, call->via, text.data, text.len);
}

void router_lost(struct router *router, uint64_t no, enum domain_loss loss, const char *cause)
{
	struct call *call = find_call(router, no);
	auto_free char *message = NULL;

	if (!call)
		return;
	if (loss == DOMAIN_LOST_DIED)
		message = alloc_printf(
			"the worker died while it ran %s (%s); the call may have taken effect",
			call->tool, cause);
	else
		message = alloc_printf(
			"%s could not be run, its domain is not available: %s; /ready says more",
			call->tool, cause);
	fail_call(router, call, loss == DOMAIN_LOST_DIED ? RPC_WORKER_DIED : RPC_UNAVAILABLE,
		message);
}
