/* See rpc.h. The envelope's members are collected in one walk, and only then judged, so that an error
 * can carry the id wherever it stood.
 *
 * Source: JSON-RPC 2.0 sections 4 and 5; MCP basic/index. Members that are not part of the envelope
 * are left alone; one that comes twice is refused, since two readers would not agree on it. */
#include "shared/rpc.h"

#include <stdio.h>

#include "shared/limits.h"

enum member { M_JSONRPC, M_ID, M_METHOD, M_PARAMS, M_RESULT, M_ERROR, N_MEMBERS };

struct envelope {
	struct jspan members[N_MEMBERS];
	bool is_twice; /* one of them */
	bool is_id_twice;
};

static const char *const names[N_MEMBERS] = {
	[M_JSONRPC] = "jsonrpc",
	[M_ID] = "id",
	[M_METHOD] = "method",
	[M_PARAMS] = "params",
	[M_RESULT] = "result",
	[M_ERROR] = "error",
};

static void collect(struct jspan message, struct envelope *ret)
{
	struct jspan name = { 0 };
	struct jspan value = { 0 };
	size_t cursor = 0;

	while (jspan_next(message, &cursor, &name, &value)) {
		for (size_t i = 0; i < N_MEMBERS; i++) {
			if (!jspan_is(name, names[i]))
				continue;
			if (ret->members[i].at) {
				ret->is_twice = true;
				ret->is_id_twice |= i == M_ID;
			}
			ret->members[i] = value;
			break;
		}
	}
}

static bool is_id(struct jspan id)
{
	return id.len <= LIMIT_ID_BYTES && (jspan_type(id) == JSPAN_STRING || jspan_is_integer(id));
}

static int refuse(int code, const char *why, const char **ret_why)
{
	*ret_why = why;
	return code;
}

static int judge_request(const struct envelope *e, struct rpc *ret, const char **ret_why)
{
	const struct jspan *m = e->members;

	if (m[M_RESULT].at || m[M_ERROR].at)
		return refuse(RPC_INVALID_REQUEST, "both a method and a result or error", ret_why);
	if (jspan_type(m[M_METHOD]) != JSPAN_STRING)
		return refuse(RPC_INVALID_REQUEST, "method must be a string", ret_why);

	ret->kind = m[M_ID].at ? RPC_REQUEST : RPC_NOTIFICATION;
	ret->method = m[M_METHOD];
	if (m[M_PARAMS].at && jspan_type(m[M_PARAMS]) != JSPAN_OBJECT)
		return refuse(RPC_INVALID_PARAMS, "params must be an object", ret_why);
	ret->params = m[M_PARAMS];
	return 0;
}

static int judge_response(const struct envelope *e, struct rpc *ret, const char **ret_why)
{
	const struct jspan *m = e->members;

	if (!m[M_RESULT].at && !m[M_ERROR].at)
		return refuse(RPC_INVALID_REQUEST, "neither method, result nor error", ret_why);
	if (m[M_RESULT].at && m[M_ERROR].at)
		return refuse(RPC_INVALID_REQUEST, "both a result and an error", ret_why);
	if (m[M_RESULT].at && !m[M_ID].at)
		return refuse(RPC_INVALID_REQUEST, "a result without an id", ret_why);
	if (m[M_ERROR].at && jspan_type(m[M_ERROR]) != JSPAN_OBJECT)
		return refuse(RPC_INVALID_REQUEST, "error must be an object", ret_why);

	ret->kind = m[M_RESULT].at ? RPC_RESULT : RPC_ERROR;
	ret->result = m[M_RESULT];
	ret->error = m[M_ERROR];
	return 0;
}

static int judge(const struct envelope *e, struct rpc *ret, const char **ret_why)
{
	struct jspan id = e->members[M_ID];
	bool may_be_null = e->members[M_ERROR].at && !e->members[M_METHOD].at;

	if (!e->is_id_twice && is_id(id))
		ret->id = id;
	if (e->is_twice)
		return refuse(RPC_INVALID_REQUEST, "a member of the envelope comes twice", ret_why);
	if (!jspan_is(e->members[M_JSONRPC], "2.0"))
		return refuse(RPC_INVALID_REQUEST, "jsonrpc must be \"2.0\"", ret_why);
	if (id.at && !ret->id.at && !(may_be_null && jspan_type(id) == JSPAN_NULL))
		return refuse(RPC_INVALID_REQUEST,
			"id must be a string or an integer of at most 1024 bytes", ret_why);
	if (e->members[M_METHOD].at)
		return judge_request(e, ret, ret_why);
	return judge_response(e, ret, ret_why);
}

int rpc_parse(const char *text, size_t len, struct rpc *ret, const char **ret_why)
{
	struct envelope e = { 0 };
	struct jspan message;

	*ret = (struct rpc){ 0 };
	*ret_why = NULL;
	if (jspan_check(text, len, &message, NULL) < 0)
		return refuse(RPC_PARSE_ERROR, "not valid JSON", ret_why);
	if (jspan_type(message) == JSPAN_ARRAY)
		return refuse(RPC_INVALID_REQUEST, "a batch, which is not taken here", ret_why);
	if (jspan_type(message) != JSPAN_OBJECT)
		return refuse(RPC_INVALID_REQUEST, "a message must be an object", ret_why);
	collect(message, &e);
	return judge(&e, ret, ret_why);
}

/* A member of a text that is cut off somewhere: whole, and JSON. */
static bool is_whole(struct jspan value, const char *end)
{
	struct jspan checked;

	return value.len > 0 && value.len <= LIMIT_ID_BYTES && value.at + value.len < end &&
	       jspan_check(value.at, value.len, &checked, NULL) == 0;
}

struct jspan rpc_find_request_id(const char *head, size_t len)
{
	const char *end = head + len;
	struct jspan id = { 0 };
	struct jspan name = { 0 };
	struct jspan value = { 0 };
	size_t cursor = 0;
	bool has_method = false;

	while (head < end && strchr(" \t\r", *head) && *head != '\0')
		head++;
	if (head == end)
		return id;
	while (jspan_next((struct jspan){ head, (size_t)(end - head) }, &cursor, &name, &value)) {
		if (!is_whole(name, end) || !is_whole(value, end))
			continue;
		if (jspan_is(name, "id") && is_id(value))
			id = value;
		has_method |= jspan_is(name, "method") && jspan_type(value) == JSPAN_STRING;
	}
	return has_method ? id : (struct jspan){ 0 };
}

bool rpc_has_code(const struct rpc *rpc, int code)
{
	struct jspan value = jspan_member(rpc->error, "code", NULL);
	char text[16];
	int len = snprintf(text, sizeof(text), "%d", code);

	return value.at && value.len == (size_t)len && memcmp(value.at, text, value.len) == 0;
}

bool rpc_is_stopping(const struct rpc *rpc)
{
	struct jspan data = jspan_member(rpc->error, "data", NULL);
	bool is_stopping = false;

	return rpc_has_code(rpc, RPC_UNAVAILABLE) &&
	       jspan_get_bool(jspan_member(data, "stopping", NULL), &is_stopping) && is_stopping;
}

bool rpc_may_repeat(const struct rpc *request)
{
	static const char *const harmless[] = { "ping", "initialize", "server/discover",
		"tools/list", "resources/list", "resources/templates/list", "resources/read",
		"resources/subscribe", "resources/unsubscribe", "prompts/list", "prompts/get",
		"completion/complete", "logging/setLevel", "tasks/get", "tasks/list" };

	for (size_t i = 0; i < N_ELEMENTS(harmless); i++)
		if (jspan_is(request->method, harmless[i]))
			return true;
	return false;
}

static void add_head(struct strbuf *buf, struct jspan id)
{
	strbuf_adds(buf, "{\"jsonrpc\":\"2.0\",");
	if (id.at) {
		strbuf_adds(buf, "\"id\":");
		strbuf_add(buf, id.at, id.len);
		strbuf_addc(buf, ',');
	}
}

void rpc_add_error_data(
	struct strbuf *buf, struct jspan id, int code, const char *message, const char *data)
{
	add_head(buf, id);
	strbuf_addf(buf, "\"error\":{\"code\":%d,\"message\":", code);
	strbuf_add_json(buf, message, strlen(message));
	if (data) {
		strbuf_adds(buf, ",\"data\":");
		strbuf_adds(buf, data);
	}
	strbuf_adds(buf, "}}");
}

void rpc_add_error(struct strbuf *buf, struct jspan id, int code, const char *message)
{
	rpc_add_error_data(buf, id, code, message, NULL);
}

void rpc_add_result(struct strbuf *buf, struct jspan id, const char *result, size_t len)
{
	add_head(buf, id);
	strbuf_adds(buf, "\"result\":");
	strbuf_add(buf, result, len);
	strbuf_addc(buf, '}');
}
