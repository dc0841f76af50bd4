/* Requests with MCP's headers: fields one a line, an empty line, the body. Its params may also hold an
 * inputSchema, which no client sends: so schemas and arguments are tried together. */
#include "shared/base64.h"
#include "supervisor/mcp/envelope.h"
#include "supervisor/mcp/trace.h"
#include "tests/fuzz/fuzz.h"

enum { MAX_FAULT_TEXT = 8192 };

static bool is_inside(struct jspan inner, struct jspan outer)
{
	return !inner.at || (inner.at >= outer.at && inner.at + inner.len <= outer.at + outer.len);
}

/* Reads the lines up to the empty one; returns where the body begins. */
static const char *read_headers(const char *at, const char *end, struct mcp_headers *ret)
{
	*ret = (struct mcp_headers){ .is_http = true };
	while (at < end) {
		const char *line_end = memchr(at, '\n', (size_t)(end - at));
		const char *colon;

		if (!line_end || line_end == at)
			return line_end ? line_end + 1 : at;
		colon = memchr(at, ':', (size_t)(line_end - at));
		if (colon)
			mcp_headers_add(ret, (struct span){ at, (size_t)(colon - at) },
				(struct span){ colon + 1, (size_t)(line_end - colon - 1) });
		at = line_end + 1;
	}
	return at;
}

/* An error answer is a message with the request's id. */
static void check_fault(const struct envelope_fault *fault, struct jspan id)
{
	auto_strbuf answer = { 0 };
	struct rpc rpc;
	const char *why;

	CHECK(fault->code < 0 && fault->status == 400 && fault->message);
	envelope_fault_answer(fault, id, &answer);
	CHECK(answer.len < MAX_FAULT_TEXT);
	CHECK(rpc_parse(answer.data, answer.len, &rpc, &why) == 0 && rpc.kind == RPC_ERROR);
	CHECK(id.at ? jspan_same(rpc.id, id) : !rpc.id.at);
}

/* A value always agrees with itself, encoded. */
static void check_mirror(struct jspan value)
{
	auto_strbuf header = { 0 };
	auto_strbuf chars = { 0 };

	if (!jspan_get_str(value, &chars))
		return;
	strbuf_adds(&header, "=?base64?");
	base64_encode(BASE64_PLAIN, strbuf_get(&chars), chars.len, &header);
	strbuf_adds(&header, "?=");
	CHECK(!mcp_header_differs((struct span){ header.data, header.len }, value));
	strbuf_cut(&header, 0);
	strbuf_adds(&header, "=?base64?");
	strbuf_addc(&chars, 'x');
	base64_encode(BASE64_PLAIN, chars.data, chars.len, &header);
	strbuf_adds(&header, "?=");
	CHECK(mcp_header_differs((struct span){ header.data, header.len }, value));
}

static void check_trace(const struct envelope *e, const struct mcp_headers *headers)
{
	auto_trace trace = { 0 };
	char id[TRACE_ID_SIZE];

	trace_read(e, headers, &trace);
	CHECK(trace.parent || !trace.state);
	CHECK(trace_get_id(&trace, id) == (trace.parent != NULL));
	for (int i = 0; i < 3; i++) {
		const char *text = i == 0 ? trace.parent : i == 1 ? trace.state : trace.baggage;
		struct span span = { text, text ? strlen(text) : 0 };

		CHECK(!text || (i == 0 ? trace_is_parent(span) : trace_is_state(span)));
	}
}

static void check_params(
	struct jspan schema, struct jspan arguments, const struct mcp_headers *headers)
{
	auto_envelope_fault fault = { 0 };
	auto_strbuf text = { 0 };
	size_t n = schema_header_faults(schema, &text);
	bool has_headers = schema_has_headers(schema);
	int r = envelope_check_params(schema, arguments, headers, &fault);

	CHECK((n > 0) == (text.len > 0) && text.len < MAX_FAULT_TEXT);
	CHECK(!has_headers || n == 0);
	CHECK(r == 0 || (r == RPC_HEADER_MISMATCH && has_headers));
	CHECK(r == fault.code);
	if (r)
		check_fault(&fault, (struct jspan){ 0 });
}

static void check_request(
	const struct rpc *rpc, const struct mcp_headers *headers, enum envelope_kind kind)
{
	auto_envelope_fault fault = { 0 };
	struct envelope e;
	int r;

	envelope_read(rpc, headers, &e);
	check_trace(&e, headers);
	CHECK(is_inside(e.meta, rpc->params) && is_inside(e.version, e.meta));
	CHECK(is_inside(e.capabilities, e.meta) && is_inside(e.token, e.meta));
	CHECK(e.is_modern == (kind == ENVELOPE_MODERN || kind == ENVELOPE_MODERN_NOTIFICATION));
	check_params(jspan_member(rpc->params, "inputSchema", NULL),
		jspan_member(rpc->params, "arguments", NULL), headers);
	check_mirror(jspan_member(rpc->params, "name", NULL));
	if (kind != ENVELOPE_MODERN)
		return;
	r = envelope_check(rpc, &e, headers, &fault);
	CHECK(r == fault.code);
	if (r) {
		check_fault(&fault, rpc->id);
		return;
	}
	CHECK(jspan_is(e.version, "2026-07-28") && span_is(headers->version, "2026-07-28"));
	CHECK(jspan_type(e.capabilities) == JSPAN_OBJECT && !headers->is_twice);
	CHECK(!mcp_header_differs(headers->method, rpc->method));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *end = (const char *)data + size;
	struct mcp_headers headers;
	const char *body = read_headers((const char *)data, end, &headers);
	size_t len = (size_t)(end - body);
	auto_envelope_fault fault = { 0 };
	struct jspan id = { 0 };
	enum envelope_kind kind = envelope_classify(body, len, &headers, &fault, &id);
	struct rpc rpc;
	const char *why;

	CHECK(is_inside(id, (struct jspan){ body, len }));
	CHECK((kind == ENVELOPE_REFUSED) == (fault.code != 0));
	if (kind == ENVELOPE_REFUSED)
		check_fault(&fault, id);
	else if (rpc_parse(body, len, &rpc, &why) == 0 &&
		 (rpc.kind == RPC_REQUEST || rpc.kind == RPC_NOTIFICATION))
		check_request(&rpc, &headers, kind);
	return 0;
}
