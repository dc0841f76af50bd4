/* See envelope.h. The members of `_meta` are collected in one walk and judged afterwards. */
#include "supervisor/mcp/envelope.h"

#include "shared/alloc.h"
#include "shared/limits.h"
#include "shared/quote.h"
#include "shared/utf8.h"
#include "supervisor/mcp/revision.h"

#define PREFIX "io.modelcontextprotocol/"
#define KEY_VERSION PREFIX "protocolVersion"
#define KEY_CAPABILITIES PREFIX "clientCapabilities"

enum { BAD_REQUEST = 400 };

void envelope_fault_done(struct envelope_fault *fault)
{
	free(fault->message);
	free(fault->data);
	*fault = (struct envelope_fault){ 0 };
}

void envelope_fault_answer(const struct envelope_fault *fault, struct jspan id, struct strbuf *buf)
{
	rpc_add_error_data(buf, id, fault->code, fault->message, fault->data);
}

static int refuse(struct envelope_fault *fault, int code, char *message)
{
	*fault = (struct envelope_fault){ .code = code, .status = BAD_REQUEST, .message = message };
	return code;
}

/* What the version header says about a message whose body says nothing. An unknown version of a client
 * that has no session is of an era yet to come; with a session it is a legacy client's mistake. */
static bool is_modern_header(const struct mcp_headers *headers)
{
	if (!headers || !headers->is_http)
		return false;
	switch (revision_find(headers->version, NULL)) {
	case ERA_MODERN:
		return true;
	case ERA_UNKNOWN:
		return !headers->has_session;
	case ERA_NONE:
	case ERA_LEGACY:
		break;
	}
	return false;
}

static struct jspan find_meta(struct jspan params, bool *ret_twice)
{
	*ret_twice = false;
	return jspan_member(params, "_meta", ret_twice);
}

static bool is_token(struct jspan token)
{
	return token.len <= LIMIT_ID_BYTES &&
	       (jspan_type(token) == JSPAN_STRING || jspan_is_integer(token));
}

/* Returns whether a version is named, be it twice. */
static bool read_meta(struct envelope *e)
{
	const struct {
		const char *name;
		struct jspan *value;
	} keys[] = { { KEY_VERSION, &e->version }, { KEY_CAPABILITIES, &e->capabilities },
		{ PREFIX "clientInfo", &e->client_info }, { PREFIX "logLevel", &e->log_level },
		{ "progressToken", &e->token }, { "traceparent", &e->traceparent },
		{ "tracestate", &e->tracestate }, { "baggage", &e->baggage } };
	bool is_seen[N_ELEMENTS(keys)] = { 0 };
	struct jspan name = { 0 };
	struct jspan value = { 0 };
	size_t cursor = 0;

	while (jspan_type(e->meta) == JSPAN_OBJECT && jspan_next(e->meta, &cursor, &name, &value)) {
		for (size_t i = 0; i < N_ELEMENTS(keys); i++) {
			if (!jspan_is(name, keys[i].name))
				continue;
			e->is_twice |= is_seen[i];
			*keys[i].value = is_seen[i] ? (struct jspan){ 0 } : value;
			is_seen[i] = true;
			break;
		}
	}
	if (!is_token(e->token))
		e->token = (struct jspan){ 0 };
	return is_seen[0];
}

void envelope_read(const struct rpc *rpc, const struct mcp_headers *headers, struct envelope *ret)
{
	*ret = (struct envelope){ 0 };
	ret->meta = find_meta(rpc->params, &ret->is_twice);
	ret->is_modern = read_meta(ret);
	ret->is_modern |= is_modern_header(headers);
}

static int check_meta(const struct envelope *e, struct envelope_fault *fault)
{
	bool has_version = jspan_type(e->version) == JSPAN_STRING;
	bool has_capabilities = jspan_type(e->capabilities) == JSPAN_OBJECT;

	if (e->is_twice)
		return refuse(fault, RPC_INVALID_PARAMS,
			alloc_str("params._meta, or a key in it, comes twice"));
	if (has_version && has_capabilities)
		return 0;
	return refuse(fault, RPC_INVALID_PARAMS,
		alloc_printf("params._meta must have%s%s%s",
			has_version ? "" : " " KEY_VERSION " (a string)",
			has_version || has_capabilities ? "" : " and",
			has_capabilities ? "" : " " KEY_CAPABILITIES " (an object)"));
}

static int refuse_header(struct envelope_fault *fault, const char *name, const char *why)
{
	return refuse(fault, RPC_HEADER_MISMATCH,
		alloc_printf("Header mismatch: the header %s %s", name, why));
}

/* A header that may not be encoded, and the string that it repeats. */
static const char *compare_plain(struct span header, struct jspan value)
{
	auto_strbuf chars = { 0 };

	if (!header.at)
		return "is missing";
	if (!jspan_get_str(value, &chars) || chars.len != header.len ||
		(chars.len && memcmp(chars.data, header.at, header.len) != 0))
		return "is not what the body says";
	return NULL;
}

/* The member of params that Mcp-Name repeats; NULL: this method has none. */
static const char *name_member(struct jspan method)
{
	if (jspan_is(method, "tools/call") || jspan_is(method, "prompts/get"))
		return "name";
	if (jspan_is(method, "resources/read"))
		return "uri";
	return NULL;
}

static const char *compare_name(const struct rpc *rpc, const struct mcp_headers *headers)
{
	const char *member = name_member(rpc->method);
	struct jspan value = { 0 };

	if (!member)
		return NULL;
	if (!headers->name.at)
		return "is missing";
	value = jspan_member(rpc->params, member, NULL);
	if (jspan_type(value) != JSPAN_STRING)
		return "has no string in the body that it could repeat";
	return mcp_header_differs(headers->name, value);
}

static int check_headers(const struct rpc *rpc, const struct envelope *e,
	const struct mcp_headers *headers, struct envelope_fault *fault)
{
	const char *why;

	if (!headers || !headers->is_http)
		return 0;
	if (headers->is_twice)
		return refuse(fault, RPC_HEADER_MISMATCH,
			alloc_str("Header mismatch: MCP-Protocol-Version, Mcp-Method or Mcp-Name "
				  "comes twice"));
	why = compare_plain(headers->version, e->version);
	if (why)
		return refuse_header(fault, "MCP-Protocol-Version", why);
	why = compare_plain(headers->method, rpc->method);
	if (why)
		return refuse_header(fault, "Mcp-Method", why);
	why = compare_name(rpc, headers);
	if (why)
		return refuse_header(fault, "Mcp-Name", why);
	return 0;
}

static int check_version(const struct envelope *e, struct envelope_fault *fault)
{
	auto_strbuf requested = { 0 };
	auto_strbuf quoted = { 0 };
	auto_strbuf data = { 0 };

	if (revision_is_served(e->version))
		return 0;
	(void)jspan_get_str(e->version, &requested);
	quote_add(&quoted, strbuf_get(&requested), requested.len);
	(void)refuse(fault, RPC_UNSUPPORTED_VERSION,
		alloc_printf("Unsupported protocol version %s; this server speaks %s",
			strbuf_get(&quoted), revision_name(REV_MODERN)));
	strbuf_addf(&data, "{\"supported\":[\"%s\"],\"requested\":", revision_name(REV_MODERN));
	strbuf_add_json(&data, strbuf_get(&requested),
		utf8_cut(strbuf_get(&requested), requested.len, LIMIT_QUOTED_CHARS));
	strbuf_addc(&data, '}');
	fault->data = strbuf_take(&data);
	return fault->code;
}

int envelope_check(const struct rpc *rpc, const struct envelope *e,
	const struct mcp_headers *headers, struct envelope_fault *fault)
{
	int r = check_meta(e, fault);

	if (!r)
		r = check_headers(rpc, e, headers, fault);
	if (!r)
		r = check_version(e, fault);
	return r;
}

/* A message, checked to be JSON only, whose params._meta names a version. */
static bool names_version(struct jspan message)
{
	struct envelope e = { 0 };

	e.meta = find_meta(jspan_member(message, "params", NULL), &e.is_twice);
	return read_meta(&e);
}

static enum envelope_kind refuse_body(struct envelope_fault *fault, int code, const char *why)
{
	(void)refuse(fault, code, alloc_str(why));
	return ENVELOPE_REFUSED;
}

/* The version that a client with a session names must be one of the session's kind. Also refuses what
 * comes twice, for requests of either era. */
static enum envelope_kind check_legacy_headers(
	const struct mcp_headers *headers, enum envelope_kind kind, struct envelope_fault *fault)
{
	if (headers->is_twice)
		return refuse_body(fault, RPC_HEADER_MISMATCH,
			"MCP-Protocol-Version, Mcp-Method or Mcp-Name comes twice");
	if (headers->is_session_twice)
		return refuse_body(fault, RPC_INVALID_REQUEST, "Mcp-Session-Id comes twice");
	if (revision_find(headers->version, NULL) == ERA_UNKNOWN)
		return refuse_body(fault, RPC_INVALID_REQUEST,
			"Unsupported MCP-Protocol-Version; send the one that initialize was "
			"answered with");
	return kind;
}

static enum envelope_kind classify_batch(
	struct jspan batch, const struct mcp_headers *headers, struct envelope_fault *fault)
{
	bool is_modern = is_modern_header(headers);
	struct jspan item = { 0 };
	size_t cursor = 0;

	while (!is_modern && jspan_next(batch, &cursor, NULL, &item))
		is_modern = names_version(item);
	if (is_modern)
		return refuse_body(fault, RPC_INVALID_REQUEST,
			"a batch, which protocol revision 2026-07-28 does not have; send one "
			"message");
	return check_legacy_headers(headers, ENVELOPE_BATCH, fault);
}

static enum envelope_kind classify_response(
	const struct mcp_headers *headers, struct envelope_fault *fault)
{
	if (is_modern_header(headers))
		return refuse_body(fault, RPC_INVALID_REQUEST,
			"a response, which a server of protocol revision 2026-07-28 never asks "
			"for");
	return check_legacy_headers(headers, ENVELOPE_LEGACY, fault);
}

static enum envelope_kind classify_call(
	const struct rpc *rpc, const struct mcp_headers *headers, struct envelope_fault *fault)
{
	bool is_request = rpc->kind == RPC_REQUEST;
	enum envelope_kind kind = ENVELOPE_LEGACY;
	struct envelope e;

	envelope_read(rpc, headers, &e);
	if (e.is_modern)
		return is_request ? ENVELOPE_MODERN : ENVELOPE_MODERN_NOTIFICATION;
	if (is_request && !headers->has_session && jspan_is(rpc->method, "initialize"))
		kind = ENVELOPE_INITIALIZE;
	return check_legacy_headers(headers, kind, fault);
}

static bool is_array(const char *body, size_t len)
{
	size_t blanks = 0;

	while (blanks < len && body[blanks] && strchr(" \t\r\n", body[blanks]))
		blanks++;
	return blanks < len && body[blanks] == '[';
}

enum envelope_kind envelope_classify(const char *body, size_t len,
	const struct mcp_headers *headers, struct envelope_fault *fault, struct jspan *ret_id)
{
	struct jspan batch = { 0 };
	struct rpc rpc;
	const char *why;
	int r;

	*ret_id = (struct jspan){ 0 };
	if (is_array(body, len)) {
		if (jspan_check(body, len, &batch, NULL) < 0)
			return refuse_body(fault, RPC_PARSE_ERROR, "not valid JSON");
		return classify_batch(batch, headers, fault);
	}
	r = rpc_parse(body, len, &rpc, &why);
	if (r == RPC_INVALID_REQUEST || r == RPC_PARSE_ERROR) {
		*ret_id = rpc.id;
		return refuse_body(fault, r, why);
	}
	if (rpc.kind == RPC_RESULT || rpc.kind == RPC_ERROR)
		return classify_response(headers, fault);
	*ret_id = rpc.id;
	return classify_call(&rpc, headers, fault);
}
