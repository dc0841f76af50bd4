/* Towards modern clients: a call whose legacy worker asks something is parked, its request answered with
 * input_required, and taken up again when the client comes back. See bridge.h. */
#include <stdio.h>
#include <sys/random.h>

#include "shared/alloc.h"
#include "supervisor/mcp/bridge_private.h"
#include "supervisor/mcp/call_end.h"

enum {
	MAX_PARKED = 1024,
	MAX_KEY = 64,
};

#define STATE_PREFIX "mcp-fleet:"

/* In the _meta of a legacy worker's request: under which name a modern client is to be asked. */
#define KEY_META "mcp-fleet/inputKey"
#define OWN_KEY "input-"
#define KEY_CHARS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-."

/* --- towards modern clients ---------------------------------------------------------------------- */

static void make_token(char token[PARKED_TOKEN_TEXT])
{
	uint64_t bits[2];

	if (getrandom(bits, sizeof(bits), 0) != sizeof(bits))
		abort(); /* a token that can be guessed would be worse */
	(void)snprintf(token, PARKED_TOKEN_TEXT, STATE_PREFIX "%016llx%016llx",
		(unsigned long long)bits[0], (unsigned long long)bits[1]);
}

static void add_input_required(const struct call *call, struct strbuf *out)
{
	const struct ask *ask;
	const char *comma = "";

	strbuf_adds(out, "{\"resultType\":\"input_required\",\"inputRequests\":{");
	LIST_FOREACH(ask, &call->asks, in_call) {
		strbuf_addf(out, "%s\"%s\":%s", comma, ask->key, ask->request);
		comma = ",";
	}
	strbuf_addf(out, "},\"requestState\":\"%s\"}", call->parked_token);
}

/* The request is answered with what is wanted; the call stays, without a session. */
static void park(struct router *router, struct call *call)
{
	struct origin origin = call_origin(call);
	auto_free char *id = alloc_mem(call->ids, call->id_len);
	auto_strbuf text = { 0 };

	origin.id.at = id;
	make_token(call->parked_token);
	add_input_required(call, &text);
	LIST_REMOVE(call, in_session);
	session_remove_call(call->session);
	call->session = NULL;
	LIST_INSERT_HEAD(&router->parked, call, in_session);
	router->n_parked++;
	expiry_remove(router->gather_expiry, &call->gather);
	router_stop_deadline(call); /* its asks have one */
	answer_result(&origin, (struct jspan){ text.data, text.len }, 0);
}

/* Clients of the stateless revision have no identity by which each could get its share, and one that never
 * comes back must not silence all domains: a domain may park as many calls as there is room left for. */
bool bridge_has_room_to_park(const struct router *router, uint32_t domain)
{
	const struct call *call;
	unsigned n = 0;

	LIST_FOREACH(call, &router->parked, in_session)
		n += call->domain == domain;
	return router->n_parked < MAX_PARKED && n < MAX_PARKED - router->n_parked;
}

void bridge_on_gathered(struct expiry_entry *entry, void *arg)
{
	struct router *router = arg;
	struct call *call = (struct call *)(void *)((char *)entry - offsetof(struct call, gather));

	if (!call->session || call->n_asks == 0)
		return;
	call->has_part = false;
	if (bridge_has_room_to_park(router, call->domain)) {
		park(router, call);
		return;
	}
	router_cancel_in_domain(router, call, "too many calls wait for their clients");
	router_fail(router, call, RPC_OVERLOADED,
		"too many calls wait for what their tools asked; try again later", NULL);
}

static bool has_key(const struct call *call, const char *key)
{
	const struct ask *ask;

	LIST_FOREACH(ask, &call->asks, in_call)
		if (ask->key && streq(ask->key, key))
			return true;
	return false;
}

/* As the worker wishes, where that is sensible and cannot be one of ours. */
static char *make_key(const struct ask *ask, struct jspan params)
{
	struct jspan wished = jspan_member(jspan_member(params, "_meta", NULL), KEY_META, NULL);
	auto_strbuf key = { 0 };

	if (jspan_get_str(wished, &key) && key.len > 0 && key.len <= MAX_KEY &&
		strspn(key.data, KEY_CHARS) == key.len &&
		strncmp(key.data, OWN_KEY, strlen(OWN_KEY)) != 0 && !has_key(ask->call, key.data))
		return strbuf_take(&key);
	return alloc_printf(OWN_KEY "%llu", (unsigned long long)ask->no);
}

static void make_modern_request(struct ask *ask, struct jspan method, struct jspan params)
{
	auto_strbuf text = { 0 };

	ask->key = make_key(ask, params);
	strbuf_adds(&text, "{\"method\":");
	strbuf_add(&text, method.at, method.len);
	strbuf_adds(&text, ",\"params\":");
	strbuf_add(&text, params.at ? params.at : "{}", params.at ? params.len : 2);
	strbuf_addc(&text, '}');
	ask->request = strbuf_take(&text);
}

/* A client may have given the answer with its request already. */
void bridge_ask_modern(
	struct router *router, struct ask *ask, struct jspan method, struct jspan params)
{
	struct call *call = ask->call;
	const struct jspan given = { call->params, call->params_len };
	struct jspan response;

	make_modern_request(ask, method, params);
	response = jspan_member(jspan_member(given, "inputResponses", NULL), ask->key, NULL);
	if (jspan_type(response) == JSPAN_OBJECT && call->n_rounds == 0) {
		ask_reply(router, ask, "result", response);
		ask_free(router, ask);
	} else if (call->session) {
		expiry_add(router->gather_expiry, &call->gather);
	}
}

/* --- a modern client comes back ----------------------------------------------------------------------- */

static struct call *find_parked(const struct router *router, struct jspan state)
{
	struct call *call;

	LIST_FOREACH(call, &router->parked, in_session)
		if (jspan_is(state, call->parked_token))
			return call;
	return NULL;
}

static bool same_bytes(struct jspan a, struct jspan b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0);
}

/* The state belongs to the request that it was given for. */
static bool is_same_request(const struct call *call, const struct forward *forward)
{
	const struct jspan params = { call->params, call->params_len };
	const char *name = call->kind == FORWARD_READ ? "uri" : "name";

	return call->kind == forward->kind &&
	       call->endpoint == session_get_endpoint(forward->origin->session) &&
	       principal_same(call->principal, session_get_principal(forward->origin->session)) &&
	       jspan_same(jspan_member(params, name, NULL),
		       jspan_member(forward->params, name, NULL)) &&
	       same_bytes(jspan_member(params, "arguments", NULL),
		       jspan_member(forward->params, "arguments", NULL));
}

static void attach(struct router *router, struct call *call, const struct forward *forward)
{
	const struct origin *origin = forward->origin;
	struct session_info *info = session_get_info(origin->session);
	struct domain *domain = fleet_get(router->fleet, call->domain);
	uint64_t no = session_get_number(origin->session);
	uint64_t from = call->session_no;

	LIST_REMOVE(call, in_session);
	router->n_parked--;
	LIST_INSERT_HEAD(&info->calls, call, in_session);
	session_add_call(origin->session);
	info->is_known_below = true;
	call->session_no = no;
	call->session = origin->session;
	call->via = origin->via;
	router_time(call, forward);
	call->level = origin->level;
	call->client = origin->client;
	call->parked_token[0] = '\0';
	if (call->ids != call->own_ids)
		free(call->ids);
	call->id_len = origin->id.len;
	call->token_len = origin->token.len;
	call->ids = alloc_zero(call->id_len + call->token_len);
	memcpy(call->ids, origin->id.at, origin->id.len);
	if (origin->token.len)
		memcpy(call->ids + origin->id.len, origin->token.at, origin->token.len);
	if (domain)
		domain_adopt(domain, from, no);
	if (from != no)
		router->hooks->released(router->arg, from); /* in the other domains */
}

static void give_answers(struct router *router, struct call *call, struct jspan responses)
{
	struct ask *ask;
	struct ask *after;

	for (ask = LIST_FIRST(&call->asks); ask; ask = after) {
		struct jspan response = jspan_member(responses, ask->key, NULL);

		after = LIST_NEXT(ask, in_call);
		if (jspan_type(response) != JSPAN_OBJECT)
			continue;
		ask_reply(router, ask, "result", response);
		ask_free(router, ask);
		call->has_part = true;
	}
}

bool bridge_resume(struct router *router, const struct forward *forward)
{
	struct jspan state;
	struct call *call;

	if (!forward->origin->is_modern || forward->target->native || forward->target->takes_modern)
		return false;
	state = jspan_member(forward->params, "requestState", NULL);
	if (!state.at)
		return false;
	call = find_parked(router, state);
	if (!call || !is_same_request(call, forward)) {
		answer_error(forward->origin, RPC_INVALID_PARAMS,
			"requestState is unknown, has expired, or was given for another request; "
			"ask again without it",
			NULL);
		call_refused_forward(router, forward, RPC_INVALID_PARAMS);
		return true;
	}
	attach(router, call, forward);
	if (++call->n_rounds > MAX_ROUNDS) {
		router_cancel_in_domain(router, call, "it asks without end");
		router_fail(router, call, RPC_INTERNAL_ERROR, "the tool asks for input without end",
			NULL);
		return true;
	}
	give_answers(router, call, jspan_member(forward->params, "inputResponses", NULL));
	if (call->n_asks > 0)
		park(router, call);
	else
		router_set_deadline(router, call, call->timeout_ms);
	return true;
}

bool bridge_holds(const struct router *router, uint64_t session_no)
{
	const struct call *call;

	LIST_FOREACH(call, &router->parked, in_session)
		if (call->session_no == session_no)
			return true;
	return false;
}
