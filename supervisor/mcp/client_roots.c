/* See client_roots.h. */
#include "supervisor/mcp/client_roots.h"

#include <errno.h>

#include "shared/alloc.h"
#include "shared/limits.h"
#include "shared/log.h"
#include "supervisor/mcp/call_end.h"
#include "supervisor/mcp/router_private.h"
#include "supervisor/mcp/splice.h"

enum {
	MAX_ROOTS = 64,
	MAX_URI_BYTES = 4096,
	HELD_PART = 16, /* one call may keep such a part of what is still free */
	BURST = 10,     /* log lines about odd roots */
};

/* Of calls that wait for what their clients answer, all together. */
#define MAX_HELD_BYTES (64 * MIB)

#define FILE_SCHEME "file://"

/* The name in inputRequests. */
#define INPUT_KEY "mcp-fleet-roots"

/* What a legacy session has said, or is being asked. */
struct client_roots {
	struct expiry_entry deadline; /* of the question */
	struct session *session;
	uint64_t asked; /* the number of the request that is open; 0: none */
	bool is_stale;  /* they have changed since it was asked */
	char *list;     /* JSON: the URIs; NULL: not known */
};

static bool is_wanted(const struct router *router, const struct catalog_target *target)
{
	const struct conf_domain *conf =
		target->native ? conf_find_domain(router->conf, target->domain) : NULL;

	return conf && conf->filesystem.use_client_roots;
}

/* --- what a client says --------------------------------------------------------------------------- */

static bool is_plain_uri(const struct strbuf *uri)
{
	if (uri->len > MAX_URI_BYTES || uri->len < strlen(FILE_SCHEME) ||
		strncasecmp(uri->data, FILE_SCHEME, strlen(FILE_SCHEME)) != 0)
		return false;
	for (size_t i = 0; i < uri->len; i++)
		if ((unsigned char)uri->data[i] < 0x20 || uri->data[i] == 0x7f)
			return false;
	return true;
}

/* The result of roots/list as a JSON array of URIs. False: it is none. */
static bool read_roots(struct router *router, struct jspan result, struct strbuf *out)
{
	struct jspan roots = jspan_member(result, "roots", NULL);
	struct jspan root;
	size_t cursor = 0;
	size_t n = 0;
	size_t n_odd = 0;

	if (jspan_type(roots) != JSPAN_ARRAY)
		return false;
	strbuf_addc(out, '[');
	while (jspan_next(roots, &cursor, NULL, &root)) {
		struct jspan value = jspan_member(root, "uri", NULL);
		auto_strbuf uri = { 0 };

		if (n >= MAX_ROOTS || value.len > 6 * MAX_URI_BYTES + 2 ||
			!jspan_get_str(value, &uri) || !is_plain_uri(&uri)) {
			n_odd++;
			continue;
		}
		strbuf_adds(out, n++ > 0 ? "," : "");
		strbuf_add_json(out, uri.data, uri.len);
	}
	strbuf_addc(out, ']');
	if (n_odd > 0 && log_limit_ok(&router->odd_roots_log, BURST, "odd roots of clients"))
		log_notice(
			"%zu roots that a client told are no file:// URIs of at most %d bytes, or "
			"more than %d, ignoring them",
			n_odd, MAX_URI_BYTES, MAX_ROOTS);
	return true;
}

/* --- what the worker is told ---------------------------------------------------------------------- */

static void add_roots(struct domain_call *out, const char *list)
{
	struct jspan line = { out->line, out->len };
	struct jspan params = jspan_member(line, "params", NULL);
	struct jspan meta = jspan_member(params, "_meta", NULL);
	bool has_meta = jspan_type(meta) == JSPAN_OBJECT;
	auto_free char *members =
		has_meta ? alloc_printf("\"" CLIENT_ROOTS_META "\":%s", list)
			 : alloc_printf("\"_meta\":{\"" CLIENT_ROOTS_META "\":%s}", list);
	auto_splices splices = { 0 };
	auto_strbuf text = { 0 };

	splice_members(&splices, has_meta ? meta : params, members);
	splices_apply(&splices, line, &text);
	free(out->line);
	out->len = text.len;
	out->line = strbuf_take(&text);
}

static int send_with(
	struct router *router, const struct call *call, struct domain_call *out, const char *list)
{
	struct domain *domain = fleet_get(router->fleet, call->domain);

	if (!domain) {
		free(out->line);
		free(out->envelope);
		return -ENXIO;
	}
	if (list)
		add_roots(out, list);
	return domain_call(domain, out);
}

/* --- calls that wait ------------------------------------------------------------------------------ */

/* No client can fill all the room with a few large calls: each leaves some for those that come. */
static bool has_room(const struct router *router, size_t len)
{
	return len <= (MAX_HELD_BYTES - router->held_bytes) / HELD_PART;
}

static void hold(struct router *router, struct call *call, const struct domain_call *out)
{
	call->held = *out;
	router->held_bytes += out->len;
	router_stop_deadline(call); /* the client's time is not the worker's */
}

/* Its line is the caller's now. */
static struct domain_call take_held(struct router *router, struct call *call)
{
	struct domain_call held = call->held;

	call->held = (struct domain_call){ 0 };
	router->held_bytes -= held.len;
	return held;
}

void client_roots_forget_call(struct router *router, struct call *call)
{
	struct domain_call held;

	if (!call->held.line)
		return;
	held = take_held(router, call);
	free(held.line);
	free(held.envelope);
}

/* NULL: none. Whatever is sent to a client may end its session, so it is looked up each time. */
static struct call *oldest_held(const struct router *router, uint64_t session_no)
{
	struct session *session = router->hooks->find_session(router->arg, session_no);
	struct call *oldest = NULL;
	struct call *call;

	if (!session)
		return NULL;
	LIST_FOREACH(call, &session_get_info(session)->calls, in_session)
		if (call->held.line && (!oldest || call->no < oldest->no))
			oldest = call;
	return oldest;
}

static void fail_held(struct router *router, uint64_t session_no, int code, const char *message)
{
	struct call *call;

	while ((call = oldest_held(router, session_no)))
		router_fail(router, call, code, message, NULL);
}

static void send_held(struct router *router, uint64_t session_no)
{
	struct call *call;

	while ((call = oldest_held(router, session_no))) {
		const struct client_roots *roots = session_get_info(call->session)->roots;
		struct domain_call held = take_held(router, call);
		uint64_t no = call->no;
		int r;

		router_set_deadline(router, call, call->timeout_ms);
		r = send_with(router, call, &held, roots->list);
		if (r < 0)
			router_refuse_send(router, no, r);
	}
}

/* --- the question to a legacy client ---------------------------------------------------------------- */

static void ask(struct router *router, struct client_roots *roots, uint64_t via)
{
	auto_free char *text = NULL;

	roots->asked = ++router->last_ask;
	roots->is_stale = false;
	/* Also when it is asked again because they changed meanwhile: the calls do not wait longer. */
	if (!expiry_has(&roots->deadline))
		expiry_add(router->roots_expiry, &roots->deadline);
	text = alloc_printf("{\"jsonrpc\":\"2.0\",\"id\":%llu,\"method\":\"roots/list\"}",
		(unsigned long long)roots->asked);
	session_tell(roots->session, via, text, strlen(text));
}

static void on_roots_expired(struct expiry_entry *entry, void *arg)
{
	struct router *router = arg;
	struct client_roots *roots =
		(struct client_roots *)(void *)((char *)entry -
						offsetof(struct client_roots, deadline));
	uint64_t session_no = session_get_number(roots->session);
	const struct call *call = oldest_held(router, session_no);
	auto_free char *text = alloc_printf(
		"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{"
		"\"requestId\":%llu}}",
		(unsigned long long)roots->asked);

	roots->asked = 0;
	session_tell(roots->session, call ? call->via : 0, text, strlen(text));
	fail_held(router, session_no, RPC_DEADLINE,
		"the client did not answer roots/list in time (limits.input_timeout), and this "
		"tool works below its roots only (use_client_roots)");
}

static struct client_roots *roots_of(struct session *session)
{
	struct session_info *info = session_get_info(session);

	if (!info->roots) {
		info->roots = alloc_zero(sizeof(*info->roots));
		info->roots->session = session;
	}
	return info->roots;
}

/* When there is no room to keep it, the client is asked all the same: another time its roots are known. */
static int send_or_hold(struct router *router, struct call *call, struct domain_call *out)
{
	struct client_roots *roots = roots_of(call->session);
	const uint64_t no = call->no;
	bool is_held;

	if (roots->list)
		return send_with(router, call, out, roots->list);
	is_held = has_room(router, out->len);
	if (is_held) {
		hold(router, call, out);
	} else {
		free(out->line);
		free(out->envelope);
	}
	if (!roots->asked)
		ask(router, roots, call->via);
	if (is_held)
		return 0;
	call = router_find(router, no); /* asking may have ended the session */
	if (call)
		router_fail(router, call, RPC_OVERLOADED,
			"the client is asked for its roots first (use_client_roots), and there is "
			"no room to keep a request of this size so long; try again later",
			NULL);
	return 0;
}

static void note_undeclared(struct session *session)
{
	struct session_info *info = session_get_info(session);

	if (!info->lacks_roots)
		log_debug("session %llu: the client did not declare the capability roots, its "
			  "calls have all roots of the settings",
			(unsigned long long)session_get_number(session));
	info->lacks_roots = true;
}

int client_roots_send(struct router *router, struct call *call, const struct forward *forward,
	struct domain_call *out)
{
	struct jspan responses;
	auto_strbuf list = { 0 };

	if (!is_wanted(router, forward->target))
		return send_with(router, call, out, NULL);
	if (!(call->client & CLIENT_ROOTS)) {
		note_undeclared(call->session);
		return send_with(router, call, out, NULL);
	}
	if (!call->is_modern)
		return send_or_hold(router, call, out);
	responses = jspan_member(forward->params, "inputResponses", NULL);
	/* client_roots_admit() has seen that it is there; without it nothing would be reachable. */
	if (!read_roots(router, jspan_member(responses, INPUT_KEY, NULL), &list))
		strbuf_adds(&list, "[]");
	return send_with(router, call, out, list.data);
}

bool client_roots_responded(struct router *router, struct session *session, const struct rpc *rpc)
{
	struct client_roots *roots = session_get_info(session)->roots;
	uint64_t session_no = session_get_number(session);
	const struct call *call;
	auto_strbuf text = { 0 };
	uint64_t no;

	if (!roots || !roots->asked || !jspan_get_u64(rpc->id, &no) || no != roots->asked)
		return false;
	roots->asked = 0;
	call = oldest_held(router, session_no);
	if (roots->is_stale && call) {
		ask(router, roots, call->via);
		return true;
	}
	expiry_remove(router->roots_expiry, &roots->deadline);
	if (rpc->kind == RPC_ERROR) {
		strbuf_adds(&text, "this tool works below the client's roots only "
				   "(use_client_roots), and the client answered roots/list with "
				   "an error: ");
		(void)jspan_get_str(jspan_member(rpc->error, "message", NULL), &text);
		fail_held(router, session_no, RPC_INTERNAL_ERROR, text.data);
	} else if (!read_roots(router, rpc->result, &text)) {
		fail_held(router, session_no, RPC_INTERNAL_ERROR,
			"this tool works below the client's roots only (use_client_roots), and "
			"what the client answered to roots/list has no array `roots`");
	} else if (!roots->is_stale) {
		roots->list = strbuf_take(&text);
		send_held(router, session_no);
	}
	return true;
}

void client_roots_changed(struct router *router, struct session *session)
{
	struct client_roots *roots = session_get_info(session)->roots;

	if (!roots)
		return;
	free(TAKE(roots->list));
	roots->is_stale = roots->asked != 0;
}

void client_roots_forget_session(struct router *router, struct session *session)
{
	struct session_info *info = session_get_info(session);
	struct client_roots *roots = TAKE(info->roots);

	if (!roots)
		return;
	expiry_remove(router->roots_expiry, &roots->deadline);
	free(roots->list);
	free(roots);
}

/* --- a modern client -------------------------------------------------------------------------------- */

bool client_roots_admit(struct router *router, const struct forward *forward)
{
	const struct origin *origin = forward->origin;
	struct jspan given;
	auto_strbuf ignored = { 0 };

	if (!origin->is_modern || !(origin->client & CLIENT_ROOTS) ||
		!is_wanted(router, forward->target))
		return true;
	given = jspan_member(
		jspan_member(forward->params, "inputResponses", NULL), INPUT_KEY, NULL);
	if (!given.at) {
		/* No requestState: nothing has to be remembered, and so nothing can be forged. */
		answer_text(origin,
			"{\"resultType\":\"input_required\",\"inputRequests\":{\"" INPUT_KEY
			"\":{\"method\":\"roots/list\",\"params\":{}}}}",
			0);
		return false;
	}
	if (read_roots(router, given, &ignored))
		return true;
	answer_error(origin, RPC_INVALID_PARAMS,
		"inputResponses." INPUT_KEY " must be the result of roots/list, with the array "
		"`roots`",
		NULL);
	call_refused_forward(router, forward, RPC_INVALID_PARAMS);
	return false;
}

/* --- public ----------------------------------------------------------------------------------------- */

void client_roots_init(struct router *router)
{
	router->roots_expiry = expiry_new(router->loop, 0, on_roots_expired, router);
}

void client_roots_set_timeout(struct router *router, int64_t input_timeout_ms)
{
	expiry_set_after(router->roots_expiry, input_timeout_ms);
}

void client_roots_done(struct router *router)
{
	expiry_free(router->roots_expiry);
}
