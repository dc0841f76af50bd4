/* See bridge.h. */
#include "supervisor/mcp/bridge.h"

#include <stdio.h>
#include <sys/random.h>

#include "shared/alloc.h"
#include "shared/limits.h"
#include "shared/log.h"
#include "supervisor/mcp/router_private.h"
#include "supervisor/mcp/splice.h"

enum {
	MAX_ASKS_PER_CALL = 16,
	MAX_ASKS_PER_SESSION = 64,
	MAX_ROUNDS = 32,
	MAX_PARKED = 1024,
	MAX_KEY = 64,
	GATHER_MS = 30, /* a worker that asks several things at once is given so long to say all */
};

#define STATE_PREFIX "mcp-fleet:"

/* In the _meta of a legacy worker's request: under which name a modern client is to be asked. */
#define KEY_META "mcp-fleet/inputKey"
#define KEY_CHARS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-."

/* Something that is wanted of a client. */
struct ask {
	LIST_ENTRY(ask) in_all;
	LIST_ENTRY(ask) in_call; /* when it has a call */
	struct expiry_entry deadline;
	uint64_t no;
	struct session *
		session; /* who was asked; NULL: the call is parked, it is told when it asks again */
	struct call *call; /* NULL: outside of any */
	uint32_t domain;
	unsigned worker;
	char *worker_id; /* of a legacy worker: its id, as it wrote it; NULL: */
	char *key;       /* the name in inputRequests */
	char *request;   /* towards a modern client: {"method":…,"params":…} */
	char *answer;    /* what a legacy client said, for a modern worker; JSON */
};

struct wish {
	const char *method;
	const char *capability; /* as it is named in an error */
	const char *json;       /* as it is named in data.requiredCapabilities */
	unsigned bit;
};

static const struct wish wishes[] = {
	{ "sampling/createMessage", "sampling", "{\"sampling\":{}}", CLIENT_SAMPLING },
	{ "elicitation/create", "elicitation (url)", "{\"elicitation\":{\"url\":{}}}",
		CLIENT_ELICITATION_URL },
	{ "elicitation/create", "elicitation", "{\"elicitation\":{}}", CLIENT_ELICITATION },
	{ "roots/list", "roots", "{\"roots\":{}}", CLIENT_ROOTS },
};

/* NULL: nothing that a client can be asked. */
static const struct wish *find_wish(struct jspan method, struct jspan params)
{
	bool by_url = jspan_is(jspan_member(params, "mode", NULL), "url");

	for (size_t i = 0; i < N_ELEMENTS(wishes); i++)
		if (jspan_is(method, wishes[i].method) &&
			(wishes[i].bit != CLIENT_ELICITATION_URL || by_url))
			return &wishes[i];
	return NULL;
}

/* --- asks --------------------------------------------------------------------------------------- */

static void free_ask(struct router *router, struct ask *ask)
{
	LIST_REMOVE(ask, in_all);
	if (ask->call) {
		LIST_REMOVE(ask, in_call);
		ask->call->n_asks--;
	}
	expiry_remove(router->ask_expiry, &ask->deadline);
	free(ask->worker_id);
	free(ask->key);
	free(ask->request);
	free(ask->answer);
	free(ask);
}

static struct ask *new_ask(struct router *router, struct call *call, uint32_t domain)
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

/* The worker that asked hears `body`, a member "result" or "error" with its value. */
static void reply_to_worker(
	struct router *router, const struct ask *ask, const char *member, struct jspan body)
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
static void give_up_ask(struct router *router, struct ask *ask, const char *why)
{
	auto_strbuf error = { 0 };

	strbuf_addf(&error, "{\"code\":%d,\"message\":", RPC_UNAVAILABLE);
	strbuf_add_json(&error, why, strlen(why));
	strbuf_addc(&error, '}');
	reply_to_worker(router, ask, "error", (struct jspan){ error.data, error.len });
	free_ask(router, ask);
}

/* A client that was asked hears that the answer is not wanted any more. */
static void withdraw_from_client(const struct ask *ask)
{
	auto_free char *text = NULL;

	if (!ask->session || ask->answer)
		return;
	text = alloc_printf("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\","
			    "\"params\":{\"requestId\":%llu}}",
		(unsigned long long)ask->no);
	session_tell(ask->session, ask->call ? ask->call->via : 0, text, strlen(text));
}

void bridge_forget_call(struct router *router, struct call *call, const char *why)
{
	struct ask *ask;

	expiry_remove(router->gather_expiry, &call->gather);
	while ((ask = LIST_FIRST(&call->asks))) {
		withdraw_from_client(ask);
		give_up_ask(router, ask, why);
	}
}

void bridge_forget_session(struct router *router, struct session *session)
{
	struct ask *ask;
	struct ask *after;

	for (ask = LIST_FIRST(&router->asks); ask; ask = after) {
		after = LIST_NEXT(ask, in_all);
		if (ask->session == session && !ask->call)
			give_up_ask(router, ask, "the client is gone");
	}
}

static void on_ask_expired(struct expiry_entry *entry, void *arg)
{
	struct router *router = arg;
	struct ask *ask = (struct ask *)(void *)((char *)entry - offsetof(struct ask, deadline));
	struct call *call = ask->call;

	withdraw_from_client(ask);
	if (call) {
		router_cancel_in_domain(router, call, "the client did not give what was asked");
		router_fail(router, call, RPC_DEADLINE,
			"the client did not answer what the tool asked in time "
			"(limits.input_timeout)",
			NULL);
		return;
	}
	give_up_ask(router, ask, "the client did not answer in time (limits.input_timeout)");
}

static unsigned count_asks(const struct router *router, const struct session *session)
{
	const struct ask *ask;
	unsigned n = 0;

	LIST_FOREACH(ask, &router->asks, in_all)
		n += ask->session == session;
	return n;
}

/* --- towards legacy clients ---------------------------------------------------------------------- */

/* Remembers whom a page was shown, for notifications/elicitation/complete. */
static void note_elicitation(struct router *router, const struct ask *ask, struct jspan params)
{
	struct elicitation *slot = &router->elicitations[router->n_elicitations % MAX_ELICITATIONS];
	struct jspan id = jspan_member(params, "elicitationId", NULL);

	if (jspan_type(id) != JSPAN_STRING || id.len > LIMIT_ID_BYTES)
		return;
	router->n_elicitations++;
	free(slot->id);
	*slot = (struct elicitation){ .id = alloc_mem(id.at, id.len),
		.domain = ask->domain,
		.session_no = session_get_number(ask->session) };
}

static void ask_client(struct router *router, struct ask *ask, struct session *session,
	struct jspan method, struct jspan params)
{
	uint64_t via = ask->call ? ask->call->via : 0;
	auto_strbuf text = { 0 };

	ask->session = session;
	note_elicitation(router, ask, params);
	if (ask->call)
		router_stop_deadline(ask->call); /* the user's time is not the worker's */
	strbuf_addf(
		&text, "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"method\":", (unsigned long long)ask->no);
	strbuf_add(&text, method.at, method.len);
	if (params.at) {
		strbuf_adds(&text, ",\"params\":");
		strbuf_add(&text, params.at, params.len);
	}
	strbuf_addc(&text, '}');
	jspan_one_line(text.data, text.len);
	session_tell(session, via, text.data, text.len);
}

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
	session_get_info(call->session)->n_calls--;
	call->session = NULL;
	LIST_INSERT_HEAD(&router->parked, call, in_session);
	router->n_parked++;
	expiry_remove(router->gather_expiry, &call->gather);
	router_stop_deadline(call); /* its asks have one */
	answer_result(&origin, (struct jspan){ text.data, text.len }, 0);
}

static void on_gathered(struct expiry_entry *entry, void *arg)
{
	struct call *call = (struct call *)(void *)((char *)entry - offsetof(struct call, gather));

	if (!call->session || call->n_asks == 0)
		return;
	call->has_part = false;
	park(arg, call);
}

static bool has_key(const struct call *call, const char *key)
{
	const struct ask *ask;

	LIST_FOREACH(ask, &call->asks, in_call)
		if (ask->key && streq(ask->key, key))
			return true;
	return false;
}

/* As the worker wishes, where that is sensible. */
static char *make_key(const struct ask *ask, struct jspan params)
{
	struct jspan wished = jspan_member(jspan_member(params, "_meta", NULL), KEY_META, NULL);
	auto_strbuf key = { 0 };

	if (jspan_get_str(wished, &key) && key.len > 0 && key.len <= MAX_KEY &&
		strspn(key.data, KEY_CHARS) == key.len && !has_key(ask->call, key.data))
		return strbuf_take(&key);
	return alloc_printf("input-%llu", (unsigned long long)ask->no);
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
static void ask_modern(
	struct router *router, struct ask *ask, struct jspan method, struct jspan params)
{
	struct call *call = ask->call;
	const struct jspan given = { call->params, call->params_len };
	struct jspan response;

	make_modern_request(ask, method, params);
	response = jspan_member(jspan_member(given, "inputResponses", NULL), ask->key, NULL);
	if (jspan_type(response) == JSPAN_OBJECT && call->n_rounds == 0) {
		reply_to_worker(router, ask, "result", response);
		free_ask(router, ask);
	} else if (call->session) {
		expiry_add(router->gather_expiry, &call->gather);
	}
}

/* --- a legacy worker asks ------------------------------------------------------------------------ */

struct addressee {
	struct session *session; /* NULL: the call is parked */
	struct call *call;       /* NULL: several calls of the session, or none */
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

		if (call && is_waiting(call) && !with_waiting)
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

static bool find_addressee(
	struct router *router, const struct domain_speaker *who, struct addressee *ret)
{
	unsigned n;

	*ret = (struct addressee){ 0 };
	if (who->n_calls > DOMAIN_SPEAKER_CALLS || !find_calls(router, who, false, ret, &n))
		return false;
	if (n == 0 && !find_calls(router, who, true, ret, &n))
		return false;
	if (n > 0)
		return true;
	if (who->session)
		ret->session = router->hooks->find_session(router->arg, who->session);
	if (!ret->session || session_is_once(ret->session))
		return false;
	ret->client = session_get_info(ret->session)->client;
	return true;
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

static bool is_over_limits(const struct router *router, const struct addressee *to)
{
	if (to->call && to->call->n_asks >= MAX_ASKS_PER_CALL)
		return true;
	if (to->call && to->call->is_modern)
		return to->call->session && router->n_parked >= MAX_PARKED;
	return to->session && count_asks(router, to->session) >= MAX_ASKS_PER_SESSION;
}

void bridge_asked(struct router *router, struct domain *domain, const struct domain_speaker *who,
	const struct rpc *rpc)
{
	const struct wish *wish = find_wish(rpc->method, rpc->params);
	uint32_t id = fleet_find(router->fleet, domain_get_name(domain));
	struct addressee to;
	struct ask *ask;

	if (!wish) {
		refuse_worker(domain, who->worker, rpc->id, RPC_METHOD_NOT_FOUND,
			"no client can be asked this");
	} else if (!id || !find_addressee(router, who, &to)) {
		refuse_worker(domain, who->worker, rpc->id, RPC_UNAVAILABLE,
			"this process serves several clients, or none, at this moment: the "
			"request cannot be attributed to one. Give the domain `isolation: "
			"session`, so that each client has its own");
	} else if (!(to.client & wish->bit)) {
		refuse_for_capability(domain, who, rpc, wish, to.call);
	} else if (is_over_limits(router, &to)) {
		refuse_worker(domain, who->worker, rpc->id, RPC_OVERLOADED,
			"the client has too many questions to answer already");
	} else {
		ask = new_ask(router, to.call, id);
		ask->worker = who->worker;
		ask->worker_id = alloc_mem(rpc->id.at, rpc->id.len);
		if (to.call && to.call->is_modern)
			ask_modern(router, ask, rpc->method, rpc->params);
		else
			ask_client(router, ask, to.session, rpc->method, rpc->params);
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

/* The time of the call runs again when nothing more is asked. */
static void end_ask(struct router *router, struct ask *ask)
{
	struct call *call = ask->call;

	free_ask(router, ask);
	if (call && call->session && call->n_asks == 0)
		router_set_deadline(router, call, call->timeout_ms);
}

void bridge_withdrawn(
	struct router *router, struct domain *domain, unsigned worker, const struct rpc *rpc)
{
	struct ask *ask = find_of_worker(router, fleet_find(router->fleet, domain_get_name(domain)),
		worker, jspan_member(rpc->params, "requestId", NULL));

	if (!ask)
		return;
	withdraw_from_client(ask);
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
		withdraw_from_client(ask);
		end_ask(router, ask);
	}
}

/* --- a modern worker wants input of a legacy client --------------------------------------------------- */

static void send_again(struct router *router, struct call *call);

static bool ask_for_each(struct router *router, struct call *call, struct jspan requests)
{
	struct jspan key, request;
	size_t cursor = 0;

	while (jspan_next(requests, &cursor, &key, &request)) {
		struct jspan method = jspan_member(request, "method", NULL);
		struct jspan params = jspan_member(request, "params", NULL);
		const struct wish *wish = find_wish(method, params);
		struct ask *ask;

		if (!wish || !(call->client & wish->bit) || call->n_asks >= MAX_ASKS_PER_CALL) {
			auto_free char *why = alloc_printf("%s needs the client capability %s, "
							   "which the client did not declare",
				call->label, wish ? wish->capability : "(unknown)");

			router_fail(router, call, RPC_MISSING_CAPABILITY, why,
				wish ? wish->json : NULL);
			return false;
		}
		ask = new_ask(router, call, call->domain);
		ask->key = alloc_mem(key.at, key.len);
		ask_client(router, ask, call->session, method, params);
		if (router_find(router, call->no) != call)
			return false; /* its session did not take it, and is gone */
	}
	return true;
}

bool bridge_take_input_required(struct router *router, struct call *call, struct jspan result)
{
	struct jspan requests = jspan_member(result, "inputRequests", NULL);
	struct jspan state = jspan_member(result, "requestState", NULL);

	if (call->is_modern || !call->params ||
		!jspan_is(jspan_member(result, "resultType", NULL), "input_required"))
		return false;
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
	switch (call->kind) {
	case FORWARD_TOOL:
		return endpoint_find_tool(call->endpoint, call->label, ret);
	case FORWARD_PROMPT:
		return endpoint_find_prompt(call->endpoint, call->label, ret);
	case FORWARD_READ:
		return endpoint_find_resource(call->endpoint, call->label, ret);
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
		free_ask(router, ask);
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

/* --- what the client answers ----------------------------------------------------------------------- */

static struct ask *find_of_client(struct router *router, struct session *session, struct jspan id)
{
	struct ask *ask;
	uint64_t no;

	if (!jspan_get_u64(id, &no))
		return NULL;
	LIST_FOREACH(ask, &router->asks, in_all)
		if (ask->no == no && ask->session == session)
			return ask;
	return NULL;
}

static bool has_all_answers(const struct call *call)
{
	const struct ask *ask;

	LIST_FOREACH(ask, &call->asks, in_call)
		if (!ask->answer)
			return false;
	return true;
}

static void answer_key(struct router *router, struct ask *ask, const struct rpc *rpc)
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
	ask->session = NULL; /* nothing is to be withdrawn: this was its answer */
	router_fail(router, call, RPC_INTERNAL_ERROR, strbuf_get(&words), NULL);
}

void bridge_responded(struct router *router, struct session *session, const struct rpc *rpc)
{
	struct ask *ask = find_of_client(router, session, rpc->id);

	if (!ask)
		return;
	if (!ask->worker_id) {
		answer_key(router, ask, rpc);
		return;
	}
	if (rpc->kind == RPC_RESULT)
		reply_to_worker(router, ask, "result", rpc->result);
	else
		reply_to_worker(router, ask, "error", rpc->error);
	end_ask(router, ask);
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
	       jspan_same(jspan_member(params, name, NULL),
		       jspan_member(forward->params, name, NULL)) &&
	       same_bytes(jspan_member(params, "arguments", NULL),
		       jspan_member(forward->params, "arguments", NULL));
}

static void attach(struct router *router, struct call *call, const struct origin *origin)
{
	struct session_info *info = session_get_info(origin->session);
	struct domain *domain = fleet_get(router->fleet, call->domain);
	uint64_t no = session_get_number(origin->session);

	LIST_REMOVE(call, in_session);
	router->n_parked--;
	LIST_INSERT_HEAD(&info->calls, call, in_session);
	info->n_calls++;
	info->is_known_below = true;
	if (domain)
		domain_adopt(domain, call->session_no, no);
	call->session_no = no;
	call->session = origin->session;
	call->via = origin->via;
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
		reply_to_worker(router, ask, "result", response);
		free_ask(router, ask);
		call->has_part = true;
	}
}

bool bridge_resume(struct router *router, const struct forward *forward)
{
	struct jspan state = jspan_member(forward->params, "requestState", NULL);
	struct call *call;

	if (jspan_type(state) != JSPAN_STRING || forward->target->takes_modern)
		return false;
	call = find_parked(router, state);
	if (!call || !is_same_request(call, forward)) {
		answer_error(forward->origin, RPC_INVALID_PARAMS,
			"requestState is unknown, has expired, or was given for another request; "
			"ask again without it",
			NULL);
		return true;
	}
	attach(router, call, forward->origin);
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

struct session *bridge_find_elicitation(
	struct router *router, struct domain *domain, struct jspan id)
{
	uint32_t domain_id = fleet_find(router->fleet, domain_get_name(domain));

	for (size_t i = 0; i < MAX_ELICITATIONS; i++) {
		const struct elicitation *e = &router->elicitations[i];
		const struct jspan own = { e->id, e->id ? strlen(e->id) : 0 };

		if (e->id && e->domain == domain_id && jspan_same(own, id))
			return router->hooks->find_session(router->arg, e->session_no);
	}
	return NULL;
}

void bridge_init(struct router *router)
{
	router->ask_expiry = expiry_new(router->loop, 0, on_ask_expired, router);
	router->gather_expiry = expiry_new(router->loop, GATHER_MS, on_gathered, router);
}

void bridge_set_timeout(struct router *router, int64_t input_timeout_ms)
{
	expiry_set_after(router->ask_expiry, input_timeout_ms);
}

void bridge_done(struct router *router)
{
	struct ask *ask;

	while ((ask = LIST_FIRST(&router->asks)))
		free_ask(router, ask);
	for (size_t i = 0; i < MAX_ELICITATIONS; i++)
		free(router->elicitations[i].id);
	expiry_free(router->ask_expiry);
	expiry_free(router->gather_expiry);
}
