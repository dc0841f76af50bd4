/* A modern worker's input_required for a legacy client: requests to the client, and the call again with the
 * answers. See bridge.h. */
#include "shared/alloc.h"
#include "supervisor/mcp/bridge_private.h"

/* --- a modern worker wants input of a legacy client --------------------------------------------------- */

static void send_again(struct router *router, struct call *call);

/* NULL: the client can be asked this. */
static char *why_not_asked(const struct call *call, const struct wish *wish, struct jspan params)
{
	if (!wish || (params.at && jspan_type(params) != JSPAN_OBJECT))
		return alloc_printf("%s asks for something that no client can give", call->label);
	if (!(call->client & wish->bit))
		return alloc_printf("%s needs the client capability %s, which the client did not "
				    "declare",
			call->label, wish->capability);
	if (call->n_asks >= MAX_ASKS_PER_CALL)
		return alloc_printf(
			"%s asks for more than %d things at once", call->label, MAX_ASKS_PER_CALL);
	return NULL;
}

static void refuse_input(
	struct router *router, struct call *call, const struct wish *wish, const char *why)
{
	bool is_missing = wish && !(call->client & wish->bit);
	auto_free char *data =
		is_missing ? alloc_printf("{\"requiredCapabilities\":%s}", wish->json) : NULL;

	router_fail(
		router, call, is_missing ? RPC_MISSING_CAPABILITY : RPC_INTERNAL_ERROR, why, data);
}

static bool ask_for_each(struct router *router, struct call *call, struct jspan requests)
{
	struct jspan key = { 0 };
	struct jspan request = { 0 };
	size_t cursor = 0;

	if (requests.at && jspan_type(requests) != JSPAN_OBJECT) {
		refuse_input(router, call, NULL, "the tool's inputRequests are no object");
		return false;
	}
	while (jspan_next(requests, &cursor, &key, &request)) {
		struct jspan method = jspan_member(request, "method", NULL);
		struct jspan params = jspan_member(request, "params", NULL);
		const struct wish *wish = bridge_find_wish(method, params);
		auto_free char *why = why_not_asked(call, wish, params);
		struct ask *ask;

		if (why) {
			refuse_input(router, call, wish, why);
			return false;
		}
		ask = ask_new(router, call, call->domain);
		ask->key = alloc_mem(key.at, key.len);
		ask_client(router, ask, call->session, NULL, method, params);
	}
	return true;
}

bool bridge_take_input_required(struct router *router, struct call *call, struct jspan result)
{
	struct jspan requests = jspan_member(result, "inputRequests", NULL);
	struct jspan state = jspan_member(result, "requestState", NULL);

	if (call->is_modern || !call->is_bridged ||
		!jspan_is(jspan_member(result, "resultType", NULL), "input_required"))
		return false;
	if (!call->params) {
		router_fail(router, call, RPC_OVERLOADED,
			"the tool asks for input, and there is no room to keep the request so long; "
			"send less, or try again later",
			NULL);
		return true;
	}
	if (++call->n_rounds > MAX_ROUNDS) {
		router_fail(router, call, RPC_INTERNAL_ERROR, "the tool asks for input without end",
			NULL);
		return true;
	}
	free(TAKE(call->worker_state));
	if (jspan_type(state) == JSPAN_STRING)
		call->worker_state = alloc_mem(state.at, state.len);
	if (ask_for_each(router, call, requests) && call->n_asks == 0)
		send_again(router, call);
	return true;
}

static bool find_target(const struct call *call, struct catalog_target *ret)
{
	const struct principal *viewer;

	if (!call->session)
		return false; /* for whom? */
	viewer = session_get_restriction(call->session);
	switch (call->kind) {
	case FORWARD_TOOL:
		return endpoint_find_tool(call->endpoint, viewer, call->label, ret);
	case FORWARD_PROMPT:
		return endpoint_find_prompt(call->endpoint, viewer, call->label, ret);
	case FORWARD_READ:
		return endpoint_find_resource(call->endpoint, viewer, call->label, ret);
	default:
		return false;
	}
}

static void add_responses(const struct call *call, struct strbuf *out)
{
	const struct ask *ask;
	const char *comma = "";

	strbuf_adds(out, "\"inputResponses\":{");
	LIST_FOREACH(ask, &call->asks, in_call) {
		strbuf_addf(out, "%s%s:%s", comma, ask->key, ask->answer);
		comma = ",";
	}
	strbuf_addc(out, '}');
	if (call->worker_state)
		strbuf_addf(out, ",\"requestState\":%s", call->worker_state);
}

/* With all that was asked for, under a new number. */
static void send_again(struct router *router, struct call *call)
{
	struct rpc rpc = { .kind = RPC_REQUEST, .params = { call->params, call->params_len } };
	struct origin origin = call_origin(call);
	struct envelope envelope;
	struct catalog_target target;
	struct ask *ask;
	auto_strbuf more = { 0 };
	int r;

	add_responses(call, &more);
	while ((ask = LIST_FIRST(&call->asks)))
		ask_free(router, ask);
	if (!find_target(call, &target)) {
		router_fail(router, call, RPC_UNAVAILABLE, "it is not offered any more", NULL);
		return;
	}
	envelope_read(&rpc, NULL, &envelope);
	origin.envelope = &envelope;
	const struct forward forward = { .kind = call->kind,
		.origin = &origin,
		.params = rpc.params,
		.where =
			jspan_member(rpc.params, call->kind == FORWARD_READ ? "uri" : "name", NULL),
		.target = &target };

	router_renumber(router, call);
	router_set_deadline(router, call, call->timeout_ms);
	uint64_t no = call->no;
	r = router_send(router, call, &forward, more.data);
	if (r < 0)
		router_refuse_send(router, no, r);
}

static bool has_all_answers(const struct call *call)
{
	const struct ask *ask;

	LIST_FOREACH(ask, &call->asks, in_call)
		if (!ask->answer)
			return false;
	return true;
}

void bridge_take_answer(struct router *router, struct ask *ask, const struct rpc *rpc)
{
	struct call *call = ask->call;
	auto_strbuf words = { 0 };

	if (rpc->kind == RPC_RESULT) {
		if (!ask->answer)
			ask->answer = alloc_mem(rpc->result.at, rpc->result.len);
		if (has_all_answers(call))
			send_again(router, call);
		return;
	}
	strbuf_addf(&words, "the client refused what %s asked: ", call->label);
	(void)jspan_get_str(jspan_member(rpc->error, "message", NULL), &words);
	ask_leave_session(ask); /* nothing is to be withdrawn: this was its answer */
	router_fail(router, call, RPC_INTERNAL_ERROR, strbuf_get(&words), NULL);
}
