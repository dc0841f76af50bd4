/* See method.h. */
#include "supervisor/mcp/method.h"

#include "config.h"

#include "shared/alloc.h"
#include "shared/limits.h"
#include "supervisor/mcp/bridge.h"
#include "supervisor/mcp/call_end.h"
#include "supervisor/mcp/client_roots.h"
#include "supervisor/mcp/tasks.h"
#include "supervisor/stats.h"

enum { MAX_KEPT_BYTES = 16 * KIB }; /* of what a client says of itself */

enum {
	LEGACY = 1 << 0,
	MODERN = 1 << 1,
	NOTIFICATION = 1 << 2,
	NEEDS_LISTS = 1 << 3,        /* waits until they are complete */
	NEEDS_CAPABILITIES = 1 << 4, /* waits only where domains of other make are served */
	OF_TASKS = 1 << 5,           /* only in the revision that has them */
};

#define LEVELS "must be debug, info, notice, warning, error, critical, alert or emergency"

struct method {
	const char *name;
	void (*run)(const struct method_context *context, const struct rpc *rpc);
	unsigned flags;
	unsigned capability; /* of the endpoint, without which the method is unknown; 0: none */
};

static const struct endpoint *endpoint_of(const struct method_context *c)
{
	return session_get_endpoint(c->origin->session);
}

static const struct principal *viewer_of(const struct method_context *c)
{
	return session_get_restriction(c->origin->session);
}

static void fail(const struct method_context *c, int code, const char *message)
{
	answer_error(c->origin, code, message, NULL);
}

/* --- opening ------------------------------------------------------------------------------------- */

static void add_capabilities(
	const struct method_context *c, enum revision revision, bool is_modern, struct strbuf *out)
{
	unsigned has = endpoint_get_capabilities(endpoint_of(c), viewer_of(c));

	strbuf_adds(out, "{\"tools\":{\"listChanged\":true}");
	if (has & CATALOG_HAS_RESOURCES)
		strbuf_addf(out, ",\"resources\":{\"subscribe\":%s,\"listChanged\":true}",
			has & CATALOG_HAS_SUBSCRIBE ? "true" : "false");
	if (has & CATALOG_HAS_PROMPTS)
		strbuf_adds(out, ",\"prompts\":{\"listChanged\":true}");
	if ((has & CATALOG_HAS_COMPLETIONS) && (is_modern || revision_has_completions(revision)))
		strbuf_adds(out, ",\"completions\":{}");
	if (has & CATALOG_HAS_LOGGING)
		strbuf_adds(out, ",\"logging\":{}");
	if ((has & CATALOG_HAS_TASKS) && !is_modern && revision_has_tasks(revision))
		strbuf_addf(out,
			",\"tasks\":{\"list\":{},%s\"requests\":{\"tools\":{\"call\":{}}}}",
			has & CATALOG_HAS_TASK_CANCEL ? "\"cancel\":{}," : "");
	strbuf_addc(out, '}');
}

static void add_instructions(const struct method_context *c, struct strbuf *out)
{
	const struct principal *viewer = viewer_of(c);
	const char *text = endpoint_get_instructions(endpoint_of(c));
	auto_strbuf own = { 0 };

	if (viewer && text) {
		endpoint_add_instructions(endpoint_of(c), viewer, &own);
		text = own.len ? strbuf_get(&own) : NULL;
	}
	if (!text)
		return;
	strbuf_adds(out, ",\"instructions\":");
	strbuf_add_json(out, text, strlen(text));
}

static char *keep(struct jspan value)
{
	return jspan_type(value) == JSPAN_OBJECT && value.len <= MAX_KEPT_BYTES
		       ? alloc_mem(value.at, value.len)
		       : NULL;
}

/* What a client says that it can do means nothing in a revision that does not have it. */
static unsigned bits_of_revision(enum revision revision)
{
	unsigned bits = CLIENT_SAMPLING | CLIENT_ROOTS;

	if (revision >= REV_2025_06_18)
		bits |= CLIENT_ELICITATION;
	if (revision >= REV_2025_11_25)
		bits |= CLIENT_ELICITATION_URL;
	return bits;
}

static void note_client(struct session_info *info, struct jspan params)
{
	struct jspan capabilities = jspan_member(params, "capabilities", NULL);

	free(info->capabilities);
	free(info->client_info);
	info->capabilities = keep(capabilities);
	info->client_info = keep(jspan_member(params, "clientInfo", NULL));
	info->client = client_read_capabilities(capabilities) & bits_of_revision(info->revision);
}

static void on_initialize(const struct method_context *c, const struct rpc *rpc)
{
	struct jspan asked = jspan_member(rpc->params, "protocolVersion", NULL);
	struct session_info *info = session_get_info(c->origin->session);
	auto_strbuf result = { 0 };

	if (jspan_type(asked) != JSPAN_STRING) {
		fail(c, RPC_INVALID_PARAMS, "initialize needs params.protocolVersion, a string");
		return;
	}
	info->revision = revision_negotiate(asked);
	info->initialized = true;
	note_client(info, rpc->params);
	strbuf_addf(&result,
		"{\"protocolVersion\":\"%s\",\"capabilities\":", revision_name(info->revision));
	add_capabilities(c, info->revision, false, &result);
	strbuf_adds(&result, ",\"serverInfo\":{\"name\":\"mcp-fleet\",\"title\":\"mcp-fleet\","
			     "\"version\":\"" PACKAGE_VERSION "\"}");
	add_instructions(c, &result);
	strbuf_addc(&result, '}');
	answer_text(c->origin, result.data, 0);
}

static void on_discover(const struct method_context *c, const struct rpc *rpc)
{
	auto_strbuf result = { 0 };

	strbuf_adds(&result, "{\"supportedVersions\":[\"2026-07-28\"],\"capabilities\":");
	add_capabilities(c, REV_LATEST, true, &result);
	add_instructions(c, &result);
	strbuf_addc(&result, '}');
	answer_text(c->origin, result.data, ANSWER_CACHEABLE);
}

static void on_ping(const struct method_context *c, const struct rpc *rpc)
{
	answer_text(c->origin, "{}", 0);
}

/* --- lists ------------------------------------------------------------------------------------------ */

static void answer_list(
	const struct method_context *c, const struct rpc *rpc, enum catalog_list list)
{
	struct jspan cursor = jspan_member(rpc->params, "cursor", NULL);
	bool has_cursor = cursor.at && jspan_type(cursor) != JSPAN_NULL;
	const struct principal *viewer = viewer_of(c);
	auto_strbuf text = { 0 };
	auto_strbuf own = { 0 };
	const char *at;
	const char *page = NULL;
	size_t len = 0;

	if (has_cursor && !jspan_get_str(cursor, &text)) {
		fail(c, RPC_INVALID_PARAMS,
			"params.cursor must be a string that this method gave as nextCursor");
		return;
	}
	at = has_cursor ? strbuf_get(&text) : NULL;
	if (!viewer) {
		page = endpoint_get_page(endpoint_of(c), list, at, &len);
	} else if (endpoint_add_page(endpoint_of(c), viewer, list, at, &own)) {
		page = strbuf_get(&own);
		len = own.len;
	}
	if (page)
		answer_result(c->origin, (struct jspan){ page, len }, ANSWER_CACHEABLE);
	else
		answer_quoting(c->origin, RPC_INVALID_PARAMS, "No such cursor", cursor);
}

static void on_tools_list(const struct method_context *c, const struct rpc *rpc)
{
	answer_list(c, rpc, CATALOG_TOOLS);
}

static void on_resources_list(const struct method_context *c, const struct rpc *rpc)
{
	answer_list(c, rpc, CATALOG_RESOURCES);
}

static void on_templates_list(const struct method_context *c, const struct rpc *rpc)
{
	answer_list(c, rpc, CATALOG_TEMPLATES);
}

static void on_prompts_list(const struct method_context *c, const struct rpc *rpc)
{
	answer_list(c, rpc, CATALOG_PROMPTS);
}

/* --- what workers answer ------------------------------------------------------------------------------ */

/* Of a legacy worker nothing is heard below its level, which is for all calls of the session; on a line
 * transport it may have chosen one for the others. */
static void lower_level(const struct method_context *c, const char *domain)
{
	const struct session_info *info = session_get_info(c->origin->session);
	enum level level = c->origin->level;

	if (info->initialized && info->level < level)
		level = info->level;
	news_set_level(c->news, c->origin->session, domain, level);
}

/* Who has too much under way hears which limit it is. True: it was answered. */
static bool is_over_limit(const struct method_context *c)
{
	const struct conf_limits *limits = &c->conf->limits;
	struct session *session = c->origin->session;
	const char *limit = NULL;
	auto_free char *message = NULL;

	if (session_get_info(session)->n_calls >= limits->calls_per_session) {
		stats_limit_reached(STATS_LIMIT_CALLS_PER_SESSION);
		limit = stats_limit_name(STATS_LIMIT_CALLS_PER_SESSION);
	} else if (limits->calls > 0 && router_count(c->router) >= limits->calls) {
		stats_limit_reached(STATS_LIMIT_CALLS);
		limit = stats_limit_name(STATS_LIMIT_CALLS);
	}
	for (int i = 0; !limit && i < USAGE_OFS; i++) {
		struct usage *usage = session_get_usage(session, (enum usage_of)i);

		if (usage_is_full(usage, USAGE_CALLS))
			limit = usage_limit_name(usage, USAGE_CALLS);
	}
	if (!limit)
		return false;
	message = alloc_printf("too many calls in flight (%s); wait for one to be answered", limit);
	fail(c, RPC_OVERLOADED, message);
	return true;
}

/* A call of a tool that is none of ours. */
static void refuse_tool(
	const struct method_context *c, const char *tool, struct jspan arguments, int code)
{
	const struct audit_ask ask = { .tool = tool, .arguments = arguments };

	call_refused(c->router, c->origin, &ask, code);
}

/* Sends it on its way, unless there is too much under way. */
static void forward(const struct method_context *c, const struct forward *forward)
{
	const struct catalog_target *target = forward->target;

	if (bridge_resume(c->router, forward))
		return;
	if (is_over_limit(c)) {
		call_refused_forward(c->router, forward, RPC_OVERLOADED);
		return;
	}
	if (c->origin->is_modern && c->origin->level < LEVEL_NONE && !target->takes_modern &&
		!target->native)
		lower_level(c, target->domain);
	router_call(c->router, forward);
}

/* Finds the parts of params in one pass. False: a member comes twice. */
static bool read_call(const struct rpc *rpc, struct jspan *ret_name, struct jspan *ret_arguments,
	struct jspan *ret_task)
{
	struct jspan name, value, meta = { 0 };
	size_t cursor = 0;
	struct {
		const char *name;
		struct jspan *value;
	} members[] = { { "name", ret_name }, { "arguments", ret_arguments }, { "_meta", &meta },
		{ "task", ret_task } };

	*ret_name = *ret_arguments = *ret_task = (struct jspan){ 0 };
	while (rpc->params.at && jspan_next(rpc->params, &cursor, &name, &value)) {
		for (size_t i = 0; i < N_ELEMENTS(members); i++) {
			if (!jspan_is(name, members[i].name))
				continue;
			if (members[i].value->at)
				return false;
			*members[i].value = value;
		}
	}
	return true;
}

static const char *check_call(const struct rpc *rpc, struct jspan *ret_name,
	struct jspan *ret_arguments, struct jspan *ret_task)
{
	if (!read_call(rpc, ret_name, ret_arguments, ret_task))
		return "a member of params comes twice";
	if (jspan_type(*ret_name) != JSPAN_STRING)
		return "params.name must be there, and be a string";
	if (ret_arguments->at && jspan_type(*ret_arguments) != JSPAN_OBJECT &&
		jspan_type(*ret_arguments) != JSPAN_NULL)
		return "params.arguments must be an object";
	return NULL;
}

/* The characters of a name or URI; false: it has a NUL, which none of ours has. */
static bool get_text(struct jspan value, struct strbuf *ret)
{
	return jspan_get_str(value, ret) && strlen(strbuf_get(ret)) == ret->len;
}

/* Arguments that are mirrored in headers must be the same there. 0, or the code of what was answered. */
static int check_mirrored(
	const struct method_context *c, const struct catalog_target *target, struct jspan arguments)
{
	const struct jspan text = { target->text, target->text ? strlen(target->text) : 0 };
	struct envelope_fault fault;
	int code;

	if (!c->origin->is_modern || !target->has_headers || !c->origin->headers)
		return 0;
	if (envelope_check_params(jspan_member(text, "inputSchema", NULL), arguments,
		    c->origin->headers, &fault) == 0)
		return 0;
	code = fault.code;
	answer_error(c->origin, code, fault.message, fault.data);
	envelope_fault_done(&fault);
	return code;
}

/* 0, or the code of what was answered. Where there are no tasks the member means nothing. */
static int check_task(const struct method_context *c, const struct catalog_target *target,
	struct jspan task, bool *ret_makes_task)
{
	*ret_makes_task = task.at && tasks_are_for(c->origin, target);
	if (!*ret_makes_task)
		return 0;
	if (jspan_type(task) != JSPAN_OBJECT) {
		fail(c, RPC_INVALID_PARAMS, "params.task must be an object");
		return RPC_INVALID_PARAMS;
	}
	if (session_get_info(c->origin->session)->n_tasks >= TASKS_PER_SESSION) {
		fail(c, RPC_OVERLOADED,
			"this session has too many tasks; each is kept as long as its ttl says");
		return RPC_OVERLOADED;
	}
	return 0;
}

/* Where the transport has a place for the scopes it is told by that, and has the error to send besides. */
static void refuse_scopes(const struct method_context *c, const char *scopes)
{
	auto_free char *why = alloc_printf(
		"the scopes of this token do not reach this tool: it takes %s", scopes);

	if (!c->scopes) {
		fail(c, RPC_INVALID_PARAMS, why);
		return;
	}
	strbuf_adds(c->scopes, scopes);
	rpc_add_error(c->reply, c->origin->id, RPC_INVALID_PARAMS, why);
}

/* The client hears the same of a tool that is not there and of one that is not for it; the operator does not. A token
 * can be had with more scopes, which are no secret: its client is told of a tool that one of them reaches. */
static void refuse_unknown(
	const struct method_context *c, struct jspan name, const char *text, struct jspan arguments)
{
	struct audit_ask ask = { .tool = text, .arguments = arguments };
	const struct principal *viewer = viewer_of(c);
	struct catalog_target target;
	auto_strbuf scopes = { 0 };
	bool is_hidden = viewer && endpoint_find_tool(endpoint_of(c), NULL, text, &target);

	if (is_hidden) {
		ask.tool = target.name;
		ask.domain = target.domain;
	}
	call_refused(c->router, c->origin, &ask, RPC_INVALID_PARAMS);
	if (is_hidden && principal_add_needed_scopes(viewer, &c->conf->auth.scopes, target.domain,
				 target.name, &scopes))
		refuse_scopes(c, scopes.data);
	else
		answer_quoting(c->origin, RPC_INVALID_PARAMS, "Unknown tool", name);
}

static void on_tools_call(const struct method_context *c, const struct rpc *rpc)
{
	struct catalog_target target;
	struct jspan name, arguments, task;
	const char *why = check_call(rpc, &name, &arguments, &task);
	auto_strbuf text = { 0 };
	struct forward call = { .kind = FORWARD_TOOL,
		.origin = c->origin,
		.params = rpc->params,
		.where = name,
		.target = &target };
	bool is_text = get_text(name, &text);
	int code;

	if (why) {
		refuse_tool(c, strbuf_get(&text), arguments, RPC_INVALID_PARAMS);
		fail(c, RPC_INVALID_PARAMS, why);
		return;
	}
	if (!is_text) {
		refuse_tool(c, strbuf_get(&text), arguments, RPC_INVALID_PARAMS);
		answer_quoting(c->origin, RPC_INVALID_PARAMS, "Unknown tool", name);
		return;
	}
	if (!endpoint_find_tool(endpoint_of(c), viewer_of(c), strbuf_get(&text), &target)) {
		refuse_unknown(c, name, strbuf_get(&text), arguments);
		return;
	}
	code = check_mirrored(c, &target, arguments);
	if (code == 0)
		code = check_task(c, &target, task, &call.makes_task);
	if (code != 0) {
		call_refused_forward(c->router, &call, code);
		return;
	}
	call.drops_task = task.at && !call.makes_task;
	forward(c, &call);
}

static void on_prompts_get(const struct method_context *c, const struct rpc *rpc)
{
	struct catalog_target target;
	struct jspan name, arguments, task;
	const char *why = check_call(rpc, &name, &arguments, &task);
	auto_strbuf text = { 0 };

	if (why)
		fail(c, RPC_INVALID_PARAMS, why);
	else if (!get_text(name, &text) ||
		 !endpoint_find_prompt(endpoint_of(c), viewer_of(c), strbuf_get(&text), &target))
		answer_quoting(c->origin, RPC_INVALID_PARAMS, "Unknown prompt", name);
	else
		forward(c, &(struct forward){ .kind = FORWARD_PROMPT,
				   .origin = c->origin,
				   .params = rpc->params,
				   .where = name,
				   .target = &target });
}

/* The resource of params.uri; false: the client was told that there is none. */
static bool find_resource(const struct method_context *c, const struct rpc *rpc,
	struct strbuf *text, struct catalog_target *ret)
{
	struct jspan uri = jspan_member(rpc->params, "uri", NULL);
	auto_free char *data = NULL;

	if (jspan_type(uri) != JSPAN_STRING) {
		fail(c, RPC_INVALID_PARAMS, "params.uri must be there, once, and be a string");
		return false;
	}
	if (get_text(uri, text) &&
		endpoint_find_resource(endpoint_of(c), viewer_of(c), strbuf_get(text), ret))
		return true;
	if (uri.len <= LIMIT_ID_BYTES)
		data = alloc_printf("{\"uri\":%.*s}", (int)uri.len, uri.at);
	answer_error(c->origin,
		c->origin->is_modern ? (int)RPC_INVALID_PARAMS : (int)RPC_RESOURCE_NOT_FOUND,
		"Resource not found", data);
	return false;
}

static void on_resources_read(const struct method_context *c, const struct rpc *rpc)
{
	struct catalog_target target;
	auto_strbuf uri = { 0 };

	if (find_resource(c, rpc, &uri, &target))
		forward(c, &(struct forward){ .kind = FORWARD_READ,
				   .origin = c->origin,
				   .params = rpc->params,
				   .where = jspan_member(rpc->params, "uri", NULL),
				   .target = &target });
}

static void on_complete(const struct method_context *c, const struct rpc *rpc)
{
	struct jspan ref = jspan_member(rpc->params, "ref", NULL);
	struct jspan type = jspan_member(ref, "type", NULL);
	bool is_prompt = jspan_is(type, "ref/prompt");
	struct jspan where = jspan_member(ref, is_prompt ? "name" : "uri", NULL);
	const struct endpoint *endpoint = endpoint_of(c);
	const struct principal *viewer = viewer_of(c);
	struct catalog_target target;
	auto_strbuf text = { 0 };
	bool found;

	if (!(is_prompt || jspan_is(type, "ref/resource")) || !get_text(where, &text)) {
		fail(c, RPC_INVALID_PARAMS,
			"params.ref must be {\"type\":\"ref/prompt\",\"name\":…} or "
			"{\"type\":\"ref/resource\",\"uri\":…}");
		return;
	}
	found = is_prompt ? endpoint_find_prompt(endpoint, viewer, strbuf_get(&text), &target)
			  : endpoint_find_template(endpoint, viewer, strbuf_get(&text), &target) ||
				    endpoint_find_resource(
					    endpoint, viewer, strbuf_get(&text), &target);
	if (!found)
		answer_quoting(c->origin, RPC_INVALID_PARAMS,
			is_prompt ? "Unknown prompt" : "Unknown resource template", where);
	else
		forward(c, &(struct forward){ .kind = FORWARD_COMPLETE,
				   .origin = c->origin,
				   .params = rpc->params,
				   .where = where,
				   .target = &target });
}

static void on_task(const struct method_context *c, const struct rpc *rpc, enum forward_kind kind)
{
	struct catalog_target target;
	struct forward ask;

	if (tasks_find_target(c->router, c->origin, kind, rpc->params, &target, &ask))
		forward(c, &ask);
}

static void on_task_get(const struct method_context *c, const struct rpc *rpc)
{
	on_task(c, rpc, FORWARD_TASK_GET);
}

static void on_task_result(const struct method_context *c, const struct rpc *rpc)
{
	on_task(c, rpc, FORWARD_TASK_RESULT);
}

static void on_task_cancel(const struct method_context *c, const struct rpc *rpc)
{
	on_task(c, rpc, FORWARD_TASK_CANCEL);
}

static void forward_it(const void *context, const struct forward *ask)
{
	forward(context, ask);
}

static void on_task_list(const struct method_context *c, const struct rpc *rpc)
{
	const struct tasks_asking asking = {
		.router = c->router, .origin = c->origin, .forward = forward_it, .arg = c
	};

	tasks_list(&asking, rpc->params);
}

/* --- what the session wants to hear --------------------------------------------------------------------- */

static void on_subscribe(const struct method_context *c, const struct rpc *rpc)
{
	struct catalog_target target;
	auto_strbuf uri = { 0 };

	if (!find_resource(c, rpc, &uri, &target))
		return;
	if (news_subscribe(c->news, c->origin->session, &target))
		answer_text(c->origin, "{}", 0);
	else
		fail(c, RPC_OVERLOADED, "this session has too many subscriptions");
}

static void on_unsubscribe(const struct method_context *c, const struct rpc *rpc)
{
	struct catalog_target target;
	auto_strbuf uri = { 0 };

	if (!find_resource(c, rpc, &uri, &target))
		return;
	news_unsubscribe(c->news, c->origin->session, &target);
	answer_text(c->origin, "{}", 0);
}

static void on_set_level(const struct method_context *c, const struct rpc *rpc)
{
	struct session *session = c->origin->session;
	enum level level;

	if (!level_read(jspan_member(rpc->params, "level", NULL), &level)) {
		fail(c, RPC_INVALID_PARAMS, "params.level " LEVELS);
		return;
	}
	session_get_info(session)->level = level;
	news_set_level(c->news, session, NULL, level);
	answer_text(c->origin, "{}", 0);
}

static void on_listen(const struct method_context *c, const struct rpc *rpc)
{
	if (session_get_info(c->origin->session)->n_listens >= c->conf->limits.calls_per_session) {
		stats_limit_reached(STATS_LIMIT_CALLS_PER_SESSION);
		fail(c, RPC_OVERLOADED,
			"too many subscriptions/listen requests are open in this session "
			"(limits.calls_per_session)");
		return;
	}
	news_listen(c->news, c->origin, rpc->params);
}

/* --- notifications ---------------------------------------------------------------------------------------- */

static void on_cancelled(const struct method_context *c, const struct rpc *rpc)
{
	struct jspan id = jspan_member(rpc->params, "requestId", NULL);
	auto_strbuf reason = { 0 };

	if (news_cancel_listen(c->news, c->origin->session, id))
		return;
	if (!jspan_get_str(jspan_member(rpc->params, "reason", NULL), &reason) ||
		reason.len > LIMIT_QUOTED_CHARS)
		strbuf_cut(&reason, 0);
	router_cancel(c->router, c->origin->session, id,
		reason.len ? strbuf_get(&reason) : "the client asks");
}

static void on_roots_changed(const struct method_context *c, const struct rpc *rpc)
{
	client_roots_changed(c->router, c->origin->session);
	news_roots_changed(c->news, c->origin->session);
}

static void do_nothing(const struct method_context *c, const struct rpc *rpc)
{
}

static const struct method methods[] = {
	{ "tools/call", on_tools_call, LEGACY | MODERN | NEEDS_LISTS, 0 },
	{ "tools/list", on_tools_list, LEGACY | MODERN | NEEDS_LISTS, 0 },
	{ "initialize", on_initialize, LEGACY | NEEDS_CAPABILITIES, 0 },
	{ "server/discover", on_discover, MODERN | NEEDS_CAPABILITIES, 0 },
	{ "ping", on_ping, LEGACY, 0 },
	{ "resources/list", on_resources_list, LEGACY | MODERN | NEEDS_LISTS,
		CATALOG_HAS_RESOURCES },
	{ "resources/templates/list", on_templates_list, LEGACY | MODERN | NEEDS_LISTS,
		CATALOG_HAS_RESOURCES },
	{ "resources/read", on_resources_read, LEGACY | MODERN | NEEDS_LISTS,
		CATALOG_HAS_RESOURCES },
	{ "resources/subscribe", on_subscribe, LEGACY | NEEDS_LISTS, CATALOG_HAS_SUBSCRIBE },
	{ "resources/unsubscribe", on_unsubscribe, LEGACY | NEEDS_LISTS, CATALOG_HAS_SUBSCRIBE },
	{ "prompts/list", on_prompts_list, LEGACY | MODERN | NEEDS_LISTS, CATALOG_HAS_PROMPTS },
	{ "prompts/get", on_prompts_get, LEGACY | MODERN | NEEDS_LISTS, CATALOG_HAS_PROMPTS },
	{ "completion/complete", on_complete, LEGACY | MODERN | NEEDS_LISTS,
		CATALOG_HAS_COMPLETIONS },
	{ "logging/setLevel", on_set_level, LEGACY | NEEDS_LISTS, CATALOG_HAS_LOGGING },
	{ "tasks/get", on_task_get, LEGACY | OF_TASKS, 0 },
	{ "tasks/result", on_task_result, LEGACY | OF_TASKS, 0 },
	{ "tasks/cancel", on_task_cancel, LEGACY | OF_TASKS, 0 },
	{ "tasks/list", on_task_list, LEGACY | OF_TASKS, 0 },
	{ "subscriptions/listen", on_listen, MODERN | NEEDS_LISTS, 0 },
	{ "notifications/initialized", do_nothing, LEGACY | MODERN | NOTIFICATION, 0 },
	{ "notifications/cancelled", on_cancelled, LEGACY | MODERN | NOTIFICATION, 0 },
	{ "notifications/roots/list_changed", on_roots_changed, LEGACY | NOTIFICATION, 0 },
};

/* Beside those of the table. */
enum {
	RESPONSE = N_ELEMENTS(methods),
	OTHER,
	NUMBERS,
};

_Static_assert((unsigned)NUMBERS <= (unsigned)STATS_METHODS, "there is a number for each method");

unsigned method_find_number(struct jspan name)
{
	for (unsigned i = 0; i < N_ELEMENTS(methods); i++)
		if (jspan_is(name, methods[i].name))
			return i;
	return OTHER;
}

unsigned method_response_number(void)
{
	return RESPONSE;
}

unsigned method_other_number(void)
{
	return OTHER;
}

const char *method_name(unsigned number)
{
	if (number < N_ELEMENTS(methods))
		return methods[number].name;
	return number == RESPONSE ? "response" : number == OTHER ? "other" : NULL;
}

static const struct method *find_method(const struct rpc *rpc, bool is_modern)
{
	bool is_notification = rpc->kind == RPC_NOTIFICATION;
	unsigned era = is_modern ? MODERN : LEGACY;

	for (size_t i = 0; i < N_ELEMENTS(methods); i++)
		if (!(methods[i].flags & NOTIFICATION) == !is_notification &&
			(methods[i].flags & era) && jspan_is(rpc->method, methods[i].name))
			return &methods[i];
	return NULL;
}

static bool has_good_level(const struct origin *origin)
{
	enum level level;

	return !origin->envelope->log_level.at || level_read(origin->envelope->log_level, &level);
}

/* A task is asked about also while its domain is down, and offers nothing. */
static bool has_tasks(const struct method_context *c)
{
	const struct session_info *info = session_get_info(c->origin->session);

	return info->initialized && revision_has_tasks(info->revision) &&
	       (info->n_tasks > 0 || (endpoint_get_capabilities(endpoint_of(c), viewer_of(c)) &
					     CATALOG_HAS_TASKS));
}

enum method_wait method_run(const struct method_context *c, const struct rpc *rpc, bool settled)
{
	const struct method *method = find_method(rpc, c->origin->is_modern);
	unsigned flags = method ? method->flags : 0;

	if (!settled && ((flags & NEEDS_LISTS) || ((flags & NEEDS_CAPABILITIES) && c->has_foreign)))
		return METHOD_WAITS;
	if (!method ||
		(method->capability & endpoint_get_capabilities(endpoint_of(c), viewer_of(c))) !=
			method->capability ||
		((flags & OF_TASKS) && !has_tasks(c)))
		return METHOD_UNKNOWN;
	if (c->origin->is_modern && rpc->kind == RPC_REQUEST && !has_good_level(c->origin))
		fail(c, RPC_INVALID_PARAMS, "_meta[\"io.modelcontextprotocol/logLevel\"] " LEVELS);
	else
		method->run(c, rpc);
	return c->scopes && c->scopes->len > 0 ? METHOD_FORBIDDEN : METHOD_DONE;
}
