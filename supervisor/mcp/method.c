/* See method.h. */
#include "supervisor/mcp/method.h"

#include "config.h"

#include "shared/alloc.h"
#include "shared/limits.h"

struct method {
	const char *name;
	void (*run)(const struct method_context *context, const struct rpc *rpc);
	bool is_notification;
	bool needs_tools; /* waits until the lists are complete */
};

static void answer(
	const struct method_context *c, const struct rpc *rpc, const char *result, size_t len)
{
	auto_strbuf text = { 0 };

	(void)strbuf_reserve(&text, len + rpc->id.len + 64);
	rpc_add_result(&text, rpc->id, result, len);
	session_answer(c->session, c->via, text.data, text.len, 0);
}

static void fail(
	const struct method_context *c, const struct rpc *rpc, int code, const char *message)
{
	auto_strbuf text = { 0 };

	rpc_add_error(&text, rpc->id, code, message);
	session_answer(c->session, c->via, text.data, text.len, code);
}

/* "message 'text'", with no more of the text than an error may repeat. */
static void fail_quoting(const struct method_context *c, const struct rpc *rpc, int code,
	const char *message, const char *text, size_t len)
{
	auto_strbuf words = { 0 };
	size_t cut = len < LIMIT_QUOTED_CHARS ? len : LIMIT_QUOTED_CHARS;

	while (cut < len && cut > 0 && ((unsigned char)text[cut] & 0xc0) == 0x80)
		cut--;
	strbuf_adds(&words, message);
	strbuf_adds(&words, ": ");
	strbuf_add(&words, text, cut);
	if (cut < len)
		strbuf_adds(&words, "…");
	fail(c, rpc, code, strbuf_get(&words));
}

static void on_initialize(const struct method_context *c, const struct rpc *rpc)
{
	struct jspan asked = jspan_member(rpc->params, "protocolVersion", NULL);
	struct session_info *info = session_get_info(c->session);
	auto_strbuf result = { 0 };

	if (jspan_type(asked) != JSPAN_STRING) {
		fail(c, rpc, RPC_INVALID_PARAMS,
			"initialize needs params.protocolVersion, a string");
		return;
	}
	info->revision = revision_negotiate(asked);
	info->initialized = true;
	strbuf_addf(&result,
		"{\"protocolVersion\":\"%s\",\"capabilities\":{\"tools\":{\"listChanged\":true}},"
		"\"serverInfo\":{\"name\":\"mcp-fleet\",\"title\":\"mcp-fleet\","
		"\"version\":\"" PACKAGE_VERSION "\"}}",
		revision_name(info->revision));
	answer(c, rpc, result.data, result.len);
}

static void on_ping(const struct method_context *c, const struct rpc *rpc)
{
	answer(c, rpc, "{}", 2);
}

static void on_tools_list(const struct method_context *c, const struct rpc *rpc)
{
	struct jspan cursor = jspan_member(rpc->params, "cursor", NULL);
	bool has_cursor = cursor.at && jspan_type(cursor) != JSPAN_NULL;
	auto_strbuf text = { 0 };
	const char *page;
	size_t len;

	if (has_cursor && !jspan_get_str(cursor, &text)) {
		fail(c, rpc, RPC_INVALID_PARAMS,
			"params.cursor must be a string that tools/list gave");
		return;
	}
	page = endpoint_get_page(
		session_get_endpoint(c->session), has_cursor ? strbuf_get(&text) : NULL, &len);
	if (page)
		answer(c, rpc, page, len);
	else
		fail_quoting(
			c, rpc, RPC_INVALID_PARAMS, "No such cursor", strbuf_get(&text), text.len);
}

/* Finds the parts of params in one pass. False: a member comes twice. */
static bool read_call(const struct rpc *rpc, struct router_ask *ret, struct jspan *ret_arguments)
{
	struct jspan name, value, meta = { 0 };
	size_t cursor = 0;
	struct {
		const char *name;
		struct jspan *value;
	} members[] = { { "name", &ret->name }, { "arguments", ret_arguments },
		{ "_meta", &meta } };

	ret->id = rpc->id;
	ret->params = rpc->params;
	*ret_arguments = (struct jspan){ 0 };
	while (rpc->params.at && jspan_next(rpc->params, &cursor, &name, &value)) {
		for (size_t i = 0; i < N_ELEMENTS(members); i++) {
			if (!jspan_is(name, members[i].name))
				continue;
			if (members[i].value->at)
				return false;
			*members[i].value = value;
		}
	}
	if (jspan_type(meta) == JSPAN_OBJECT) {
		struct jspan token = jspan_member(meta, "progressToken", NULL);

		if (token.len <= LIMIT_ID_BYTES &&
			(jspan_type(token) == JSPAN_STRING || jspan_is_integer(token)))
			ret->token = token;
	}
	return true;
}

static const char *check_call(const struct router_ask *ask, struct jspan arguments)
{
	if (jspan_type(ask->name) != JSPAN_STRING)
		return "tools/call needs params.name, a string";
	if (arguments.at && jspan_type(arguments) != JSPAN_OBJECT &&
		jspan_type(arguments) != JSPAN_NULL)
		return "params.arguments must be an object";
	return NULL;
}

static void on_tools_call(const struct method_context *c, const struct rpc *rpc)
{
	const char *why = "a member of params comes twice";
	struct catalog_tool tool;
	struct router_ask ask = { .via = c->via };
	struct jspan arguments;
	auto_strbuf name = { 0 };

	if (read_call(rpc, &ask, &arguments))
		why = check_call(&ask, arguments);
	if (why) {
		fail(c, rpc, RPC_INVALID_PARAMS, why);
		return;
	}
	(void)jspan_get_str(ask.name, &name);
	if (strlen(strbuf_get(&name)) != name.len ||
		!endpoint_find_tool(session_get_endpoint(c->session), strbuf_get(&name), &tool)) {
		fail_quoting(
			c, rpc, RPC_INVALID_PARAMS, "Unknown tool", strbuf_get(&name), name.len);
		return;
	}
	if (session_get_info(c->session)->n_calls >= c->conf->limits.calls_per_session) {
		fail(c, rpc, RPC_OVERLOADED,
			"too many calls in flight in this session (limits.calls_per_session); "
			"wait for one to be answered");
		return;
	}
	router_call(c->router, c->session, &ask, &tool);
}

static void on_cancelled(const struct method_context *c, const struct rpc *rpc)
{
	struct jspan id = jspan_member(rpc->params, "requestId", NULL);
	auto_strbuf reason = { 0 };

	if (!jspan_get_str(jspan_member(rpc->params, "reason", NULL), &reason) ||
		reason.len > LIMIT_QUOTED_CHARS)
		strbuf_cut(&reason, 0);
	router_cancel(
		c->router, c->session, id, reason.len ? strbuf_get(&reason) : "the client asks");
}

static void do_nothing(const struct method_context *c, const struct rpc *rpc)
{
}

static const struct method methods[] = {
	{ .name = "tools/call", .run = on_tools_call, .needs_tools = true },
	{ .name = "tools/list", .run = on_tools_list, .needs_tools = true },
	{ .name = "initialize", .run = on_initialize },
	{ .name = "ping", .run = on_ping },
	{ .name = "notifications/initialized", .run = do_nothing, .is_notification = true },
	{ .name = "notifications/cancelled", .run = on_cancelled, .is_notification = true },
};

static const struct method *find_method(const struct rpc *rpc)
{
	bool is_notification = rpc->kind == RPC_NOTIFICATION;

	for (size_t i = 0; i < N_ELEMENTS(methods); i++)
		if (methods[i].is_notification == is_notification &&
			jspan_is(rpc->method, methods[i].name))
			return &methods[i];
	return NULL;
}

enum method_wait method_run(const struct method_context *c, const struct rpc *rpc, bool settled)
{
	const struct method *method = find_method(rpc);
	auto_strbuf name = { 0 };

	if (method && method->needs_tools && !settled)
		return METHOD_WAITS;
	if (method) {
		method->run(c, rpc);
	} else if (rpc->kind == RPC_REQUEST) {
		(void)jspan_get_str(rpc->method, &name);
		fail_quoting(c, rpc, RPC_METHOD_NOT_FOUND, "Method not found", strbuf_get(&name),
			name.len);
	}
	return METHOD_DONE;
}
