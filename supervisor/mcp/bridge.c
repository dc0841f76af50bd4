/* See bridge.h. What a worker asks, and what a client answers. */
#include "supervisor/mcp/bridge.h"

#include "shared/alloc.h"
#include "shared/log.h"
#include "supervisor/mcp/bridge_private.h"
#include "supervisor/mcp/splice.h"

enum { MAX_ASKS_PER_SESSION = 64 };

static void refuse_worker(
	struct domain *domain, unsigned worker, struct jspan id, int code, const char *why)
{
	auto_strbuf text = { 0 };

	rpc_add_error(&text, id, code, why);
	domain_reply(domain, worker, text.data, text.len);
}

/* With the data of the modern error, which the worker may pass on as its own answer. */
static void refuse_worker_for(struct domain *domain, unsigned worker, struct jspan id,
	const struct wish *wish, const char *why)
{
	auto_free char *data = alloc_printf("{\"requiredCapabilities\":%s}", wish->json);
	auto_strbuf text = { 0 };

	rpc_add_error_data(&text, id, RPC_MISSING_CAPABILITY, why, data);
	domain_reply(domain, worker, text.data, text.len);
}

/* --- a legacy worker asks ------------------------------------------------------------------------ */

struct addressee {
	struct session *session; /* NULL: the call is parked */
	struct call *call;       /* NULL: several calls of the session, or none */
	struct task *task;       /* NULL: it belongs to none */
	unsigned client;
};

/* A parked call waits at the worker for what it has asked, and so asks nothing more: it has said all that it
 * had to say at once (GATHER_MS). One that was given a part of it may go on, and ask again. */
static bool is_waiting(const struct call *call)
{
	return !call->session && call->n_asks > 0 && !call->has_part;
}

/* Whom it can only be about: the calls of one session that are under way, or one call of a modern client. Parked
 * ones count where nobody else can have asked, or a client that never comes back would silence all others. */
static bool find_calls(struct router *router, const struct domain_speaker *who, bool with_waiting,
	struct addressee *ret, unsigned *ret_n)
{
	struct call *first = NULL;

	*ret_n = 0;
	for (unsigned i = 0; i < who->n_calls; i++) {
		struct call *call = router_find(router, who->calls[i]);

		if (call && (call_is_beside(call) || (is_waiting(call) && !with_waiting)))
			continue;
		if (!call || (first && call->session_no != first->session_no))
			return false;
		if (first && (call->is_modern || first->is_modern))
			return false; /* each of them is alone */
		first = first ? first : call;
		++*ret_n;
	}
	if (first)
		*ret = (struct addressee){ .session = first->session,
			.client = first->client,
			.call = *ret_n == 1 ? first : NULL };
	return true;
}

/* A call that was given up may still run in the process, and have asked: what is known is the session, if all
 * are of one. */
static bool leave_session_only(const struct domain_speaker *who, struct addressee *to)
{
	if (!to->session || (to->call && to->call->is_modern) || session_is_once(to->session) ||
		(!who->session && session_get_number(to->session) != who->unsure_session))
		return false;
	to->call = NULL;
	return true;
}

static bool find_by_calls(
	struct router *router, const struct domain_speaker *who, struct addressee *ret)
{
	unsigned n;

	if (who->n_calls > DOMAIN_SPEAKER_CALLS || !find_calls(router, who, false, ret, &n))
		return false;
	if (n == 0 && !find_calls(router, who, true, ret, &n))
		return false;
	if (n > 0)
		return who->n_unsure == 0 || leave_session_only(who, ret);
	if (who->session)
		ret->session = router->hooks->find_session(router->arg, who->session);
	if (!ret->session || session_is_once(ret->session))
		return false;
	ret->client = session_get_info(ret->session)->client;
	return true;
}

/* NULL, or why there is nobody to be asked. */
static const char *find_addressee(struct router *router, struct domain *domain,
	const struct domain_speaker *who, struct jspan params, struct addressee *ret)
{
	*ret = (struct addressee){ 0 };
	if (!fleet_find(router->fleet, domain_get_name(domain)))
		return "the domain has been removed";
	if (!tasks_read_related(router, domain, who->worker, params, &ret->task))
		return find_by_calls(router, who, ret)
			       ? NULL
			       : "this process serves several clients, or none, at this moment: the "
				 "request cannot be attributed to one. Give the domain `isolation: "
				 "session`, so that each client has its own";
	if (!ret->task)
		return "the task that this belongs to is not known, or its client is gone";
	ret->session = task_get_session(ret->task);
	ret->client = session_get_info(ret->session)->client;
	return NULL;
}

/* The worker can still do without; one that cannot passes the error on. */
static void refuse_for_capability(struct domain *domain, const struct domain_speaker *who,
	const struct rpc *rpc, const struct wish *wish, const struct call *call)
{
	auto_free char *why =
		alloc_printf("the client did not declare the capability %s", wish->capability);

	if (call && call->is_modern)
		refuse_worker_for(domain, who->worker, rpc->id, wish, why);
	else
		refuse_worker(domain, who->worker, rpc->id, RPC_METHOD_NOT_FOUND, why);
}

/* A question is an answer to the client's request, or waits with its answers: it may be as large as these,
 * and of those that are asked at once all together. */
static bool is_over_limits(
	const struct router *router, const struct addressee *to, struct jspan params)
{
	const struct call *call = to->call;
	size_t max = router->conf->tools.max_result_bytes;
	size_t used = call ? call->asked_bytes : 0;

	if (used > max || params.len > max - used || (call && call->n_asks >= MAX_ASKS_PER_CALL))
		return true;
	if (call && call->is_modern)
		return !call->params ||
		       (call->session && !bridge_has_room_to_park(router, call->domain));
	return session_is_slow(to->session) ||
	       session_get_info(to->session)->n_asks >= MAX_ASKS_PER_SESSION;
}

/* Of a worker of the stateless revision nothing is taken that this revision does not have. */
static bool is_out_of_era(const struct addressee *to)
{
	return to->call && to->call->is_modern && !to->call->is_bridged;
}

static void pass_on(struct router *router, const struct addressee *to, uint32_t domain,
	unsigned worker, const struct rpc *rpc)
{
	struct ask *ask = ask_new(router, to->call, domain);

	ask->worker = worker;
	ask->worker_id = alloc_mem(rpc->id.at, rpc->id.len);
	ask->bytes = rpc->params.len;
	if (to->call)
		to->call->asked_bytes += ask->bytes;
	if (to->call && to->call->is_modern)
		bridge_ask_modern(router, ask, rpc->method, rpc->params);
	else
		ask_client(router, ask, to->session, to->task, rpc->method, rpc->params);
}

void bridge_asked(struct router *router, struct domain *domain, const struct domain_speaker *who,
	const struct rpc *rpc)
{
	const struct wish *wish = bridge_find_wish(rpc->method, rpc->params);
	uint32_t id = fleet_find(router->fleet, domain_get_name(domain));
	const char *why;
	struct addressee to;

	if (!wish) {
		refuse_worker(domain, who->worker, rpc->id, RPC_METHOD_NOT_FOUND,
			"no client can be asked this");
	} else if ((why = find_addressee(router, domain, who, rpc->params, &to))) {
		refuse_worker(domain, who->worker, rpc->id, RPC_UNAVAILABLE, why);
	} else if (!(to.client & wish->bit)) {
		refuse_for_capability(domain, who, rpc, wish, to.call);
	} else if (is_out_of_era(&to)) {
		refuse_worker(domain, who->worker, rpc->id, RPC_METHOD_NOT_FOUND,
			"2026-07-28 has no requests of a server: answer with input_required");
	} else if (is_over_limits(router, &to, rpc->params)) {
		refuse_worker(domain, who->worker, rpc->id, RPC_OVERLOADED,
			"the client has too much to answer already");
	} else {
		pass_on(router, &to, id, who->worker, rpc);
	}
}

static struct ask *find_of_worker(
	struct router *router, uint32_t domain, unsigned worker, struct jspan id)
{
	struct ask *ask;

	LIST_FOREACH(ask, &router->asks, in_all) {
		const struct jspan own = { ask->worker_id,
			ask->worker_id ? strlen(ask->worker_id) : 0 };

		if (ask->domain == domain && ask->worker == worker && own.at && id.at &&
			jspan_same(own, id))
			return ask;
	}
	return NULL;
}

/* The time of the call runs again when nothing more is asked: also of a parked one, which nobody else
 * would ever end. */
static void end_ask(struct router *router, struct ask *ask)
{
	struct call *call = ask->call;

	ask_free(router, ask);
	if (call && call->n_asks == 0)
		router_set_deadline(router, call, call->timeout_ms);
}

void bridge_withdrawn(
	struct router *router, struct domain *domain, unsigned worker, const struct rpc *rpc)
{
	struct ask *ask = find_of_worker(router, fleet_find(router->fleet, domain_get_name(domain)),
		worker, jspan_member(rpc->params, "requestId", NULL));

	if (!ask)
		return;
	ask_withdraw(ask);
	end_ask(router, ask);
}

void bridge_worker_ended(struct router *router, struct domain *domain, unsigned worker)
{
	uint32_t id = fleet_find(router->fleet, domain_get_name(domain));
	struct ask *ask;
	struct ask *after;

	for (ask = LIST_FIRST(&router->asks); ask; ask = after) {
		after = LIST_NEXT(ask, in_all);
		if (ask->domain != id || ask->worker != worker || !ask->worker_id)
			continue;
		ask_withdraw(ask);
		end_ask(router, ask);
	}
}

/* --- what the client answers ----------------------------------------------------------------------- */

static struct ask *find_of_client(struct session *session, struct jspan id)
{
	struct ask *ask;
	uint64_t no;

	if (!jspan_get_u64(id, &no))
		return NULL;
	LIST_FOREACH(ask, &session_get_info(session)->asks, in_session)
		if (ask->no == no)
			return ask;
	return NULL;
}

static void reply_with_result(struct router *router, const struct ask *ask, struct jspan result)
{
	auto_splices splices = { 0 };
	auto_strbuf text = { 0 };

	tasks_map_to_worker(ask->session, result, &splices);
	splices_apply(&splices, result, &text);
	ask_reply(router, ask, "result", (struct jspan){ text.data, text.len });
}

void bridge_responded(struct router *router, struct session *session, const struct rpc *rpc)
{
	struct ask *ask = find_of_client(session, rpc->id);

	if (!ask)
		return;
	if (!ask->worker_id) {
		bridge_take_answer(router, ask, rpc);
		return;
	}
	if (rpc->kind == RPC_RESULT)
		reply_with_result(router, ask, rpc->result);
	else
		ask_reply(router, ask, "error", rpc->error);
	end_ask(router, ask);
}
