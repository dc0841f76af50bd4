/* What is wanted of a client: the questions that are open, whom they were put to, how they end; and how a
 * legacy client is asked. See bridge.h. */
#include "shared/alloc.h"
#include "shared/limits.h"
#include "supervisor/mcp/bridge_private.h"
#include "supervisor/mcp/splice.h"

enum { GATHER_MS = 30 }; /* a worker that asks several things at once is given so long to say all */

static const struct wish wishes[] = {
	{ "sampling/createMessage", "sampling", "{\"sampling\":{}}", CLIENT_SAMPLING },
	{ "elicitation/create", "elicitation (url)", "{\"elicitation\":{\"url\":{}}}",
		CLIENT_ELICITATION_URL },
	{ "elicitation/create", "elicitation", "{\"elicitation\":{}}", CLIENT_ELICITATION },
	{ "roots/list", "roots", "{\"roots\":{}}", CLIENT_ROOTS },
};

/* NULL: nothing that a client can be asked. */
const struct wish *bridge_find_wish(struct jspan method, struct jspan params)
{
	bool by_url = jspan_is(jspan_member(params, "mode", NULL), "url");

	for (size_t i = 0; i < N_ELEMENTS(wishes); i++)
		if (jspan_is(method, wishes[i].method) &&
			(wishes[i].bit != CLIENT_ELICITATION_URL || by_url))
			return &wishes[i];
	return NULL;
}

/* --- asks --------------------------------------------------------------------------------------- */

static void join_session(struct ask *ask, struct session *session)
{
	struct session_info *info = session_get_info(session);

	ask->session = session;
	LIST_INSERT_HEAD(&info->asks, ask, in_session);
	info->n_asks++;
}

void ask_leave_session(struct ask *ask)
{
	if (!ask->session)
		return;
	LIST_REMOVE(ask, in_session);
	session_get_info(ask->session)->n_asks--;
	ask->session = NULL;
}

void ask_free(struct router *router, struct ask *ask)
{
	ask_leave_session(ask);
	LIST_REMOVE(ask, in_all);
	if (ask->call) {
		LIST_REMOVE(ask, in_call);
		ask->call->n_asks--;
		ask->call->asked_bytes -= ask->bytes;
	}
	expiry_remove(router->ask_expiry, &ask->deadline);
	free(ask->worker_id);
	free(ask->key);
	free(ask->request);
	free(ask->answer);
	free(ask);
}

struct ask *ask_new(struct router *router, struct call *call, uint32_t domain)
{
	struct ask *ask = alloc_zero(sizeof(*ask));

	ask->no = ++router->last_ask;
	ask->domain = domain;
	ask->call = call;
	LIST_INSERT_HEAD(&router->asks, ask, in_all);
	expiry_add(router->ask_expiry, &ask->deadline);
	if (call) {
		LIST_INSERT_HEAD(&call->asks, ask, in_call);
		call->n_asks++;
	}
	return ask;
}

/* The worker that asked hears `body`, a member "result" or "error" with its value. */
void ask_reply(struct router *router, const struct ask *ask, const char *member, struct jspan body)
{
	struct domain *domain = fleet_get(router->fleet, ask->domain);
	auto_strbuf text = { 0 };

	if (!domain || !ask->worker_id)
		return;
	strbuf_addf(&text, "{\"jsonrpc\":\"2.0\",\"id\":%s,\"%s\":", ask->worker_id, member);
	strbuf_add(&text, body.at, body.len);
	strbuf_addc(&text, '}');
	jspan_one_line(text.data, text.len);
	domain_reply(domain, ask->worker, text.data, text.len);
}

/* The worker is told that there will be no answer. */
void ask_give_up(struct router *router, struct ask *ask, const char *why)
{
	auto_strbuf error = { 0 };

	strbuf_addf(&error, "{\"code\":%d,\"message\":", RPC_UNAVAILABLE);
	strbuf_add_json(&error, why, strlen(why));
	strbuf_addc(&error, '}');
	ask_reply(router, ask, "error", (struct jspan){ error.data, error.len });
	ask_free(router, ask);
}

/* Where the client listens for it. */
static uint64_t get_via(const struct ask *ask)
{
	if (ask->task_no)
		return tasks_get_via(ask->session, ask->task_no);
	return ask->call ? ask->call->via : 0;
}

/* A client that was asked hears that the answer is not wanted any more. */
void ask_withdraw(const struct ask *ask)
{
	auto_free char *text = NULL;

	if (!ask->session || ask->answer)
		return;
	text = alloc_printf("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\","
			    "\"params\":{\"requestId\":%llu}}",
		(unsigned long long)ask->no);
	session_tell(ask->session, get_via(ask), text, strlen(text));
}

void bridge_forget_call(struct router *router, struct call *call, const char *why)
{
	struct ask *ask;

	expiry_remove(router->gather_expiry, &call->gather);
	while ((ask = LIST_FIRST(&call->asks))) {
		ask_withdraw(ask);
		ask_give_up(router, ask, why);
	}
}

void bridge_forget_session(struct router *router, struct session *session)
{
	struct ask *ask;
	struct ask *after;

	for (ask = LIST_FIRST(&session_get_info(session)->asks); ask; ask = after) {
		after = LIST_NEXT(ask, in_session);
		if (!ask->call)
			ask_give_up(router, ask, "the client is gone");
	}
}

static void on_ask_expired(struct expiry_entry *entry, void *arg)
{
	struct router *router = arg;
	struct ask *ask = (struct ask *)(void *)((char *)entry - offsetof(struct ask, deadline));
	struct call *call = ask->call;

	if (call) {
		router_cancel_in_domain(router, call, "the client did not give what was asked");
		router_fail(router, call, RPC_DEADLINE,
			"the client did not answer what the tool asked in time "
			"(limits.input_timeout)",
			NULL);
		return;
	}
	ask_withdraw(ask);
	ask_give_up(router, ask, "the client did not answer in time (limits.input_timeout)");
}

/* --- towards legacy clients ---------------------------------------------------------------------- */

/* Remembers whom a page was shown, for notifications/elicitation/complete. */
static void note_elicitation(struct router *router, const struct ask *ask, struct jspan params)
{
	struct elicitation *slot = &router->elicitations[router->n_elicitations % MAX_ELICITATIONS];
	const struct jspan id = jspan_member(params, "elicitationId", NULL);

	if (jspan_type(id) != JSPAN_STRING || id.len > LIMIT_ID_BYTES)
		return;
	router->n_elicitations++;
	free(slot->id);
	*slot = (struct elicitation){ .id = alloc_mem(id.at, id.len),
		.domain = ask->domain,
		.worker = ask->worker,
		.session_no = session_get_number(ask->session) };
}

void ask_client(struct router *router, struct ask *ask, struct session *session,
	const struct task *task, struct jspan method, struct jspan params)
{
	auto_splices splices = { 0 };
	auto_strbuf text = { 0 };

	join_session(ask, session);
	ask->task_no = task ? task_get_number(task) : 0;
	note_elicitation(router, ask, params);
	if (ask->call)
		router_stop_deadline(ask->call); /* the user's time is not the worker's */
	strbuf_addf(
		&text, "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"method\":", (unsigned long long)ask->no);
	strbuf_add(&text, method.at, method.len);
	if (params.at) {
		strbuf_adds(&text, ",\"params\":");
		if (task)
			tasks_map_to_client(task, params, &splices);
		splices_apply(&splices, params, &text);
	}
	strbuf_addc(&text, '}');
	jspan_one_line(text.data, text.len);
	session_tell(session, get_via(ask), text.data, text.len);
}

/* The worker chose the id: another process of its domain, or one for another session, may have chosen the
 * same. */
static bool is_of_speaker(
	const struct elicitation *e, uint32_t domain, const struct domain_speaker *who)
{
	return e->domain == domain && (!e->worker || e->worker == who->worker) &&
	       (!who->session || e->session_no == who->session);
}

struct session *bridge_find_elicitation(struct router *router, struct domain *domain,
	const struct domain_speaker *who, struct jspan id)
{
	uint32_t domain_id = fleet_find(router->fleet, domain_get_name(domain));

	for (size_t i = 1; i <= MAX_ELICITATIONS && i <= router->n_elicitations; i++) {
		const struct elicitation *e =
			&router->elicitations[(router->n_elicitations - i) % MAX_ELICITATIONS];
		const struct jspan own = { e->id, strlen(e->id) };

		if (is_of_speaker(e, domain_id, who) && jspan_same(own, id))
			return router->hooks->find_session(router->arg, e->session_no);
	}
	return NULL;
}

void bridge_init(struct router *router)
{
	router->ask_expiry = expiry_new(router->loop, 0, on_ask_expired, router);
	router->gather_expiry = expiry_new(router->loop, GATHER_MS, bridge_on_gathered, router);
}

void bridge_set_timeout(struct router *router, int64_t input_timeout_ms)
{
	expiry_set_after(router->ask_expiry, input_timeout_ms);
}

void bridge_done(struct router *router)
{
	struct ask *ask;

	while ((ask = LIST_FIRST(&router->asks)))
		/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): it loses LIST_REMOVE */
		ask_free(router, ask);
	for (size_t i = 0; i < MAX_ELICITATIONS; i++)
		free(router->elicitations[i].id);
	expiry_free(router->ask_expiry);
	expiry_free(router->gather_expiry);
}
