/* The envelope of modern requests: telling them from legacy ones, and the checks in their order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "supervisor/mcp/envelope.h"

#define V "\"io.modelcontextprotocol/protocolVersion\":"
#define C "\"io.modelcontextprotocol/clientCapabilities\":"
#define MODERN "2026-07-28"
#define META "\"_meta\":{" V "\"" MODERN "\"," C "{}}"
#define REQUEST(method, params)                                                                    \
	"{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"" method "\",\"params\":{" params "}}"
#define NOTIFICATION(params)                                                                       \
	"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/x\",\"params\":{" params "}}"
#define RESULT "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}"

/* Headers as a test writes them; NULL is absent. */
struct given {
	const char *version, *method, *name, *session;
};

static struct mcp_headers headers_of(const struct given *g)
{
	const struct {
		const char *name, *value;
	} fields[] = { { "MCP-Protocol-Version", g->version }, { "Mcp-Method", g->method },
		{ "Mcp-Name", g->name }, { "Mcp-Session-Id", g->session } };
	struct mcp_headers h = { .is_http = true };

	for (size_t i = 0; i < N_ELEMENTS(fields); i++)
		if (fields[i].value)
			mcp_headers_add(&h, (struct span){ fields[i].name, strlen(fields[i].name) },
				(struct span){ fields[i].value, strlen(fields[i].value) });
	return h;
}

struct row {
	const char *body;
	struct given given;
	enum envelope_kind kind;
	int code; /* when refused; all of these are 400 */
	const char *id;
};

static void check_rows(const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct mcp_headers h = headers_of(&rows[i].given);
		auto_envelope_fault fault = { 0 };
		struct jspan id = { 0 };
		enum envelope_kind kind =
			envelope_classify(rows[i].body, strlen(rows[i].body), &h, &fault, &id);

		print_message("%zu: %s\n", i, rows[i].body);
		assert_int_equal(kind, rows[i].kind);
		assert_int_equal(fault.code, rows[i].code);
		assert_int_equal(fault.status, rows[i].code ? 400 : 0);
		assert_int_equal(fault.message != NULL, rows[i].code != 0);
		assert_int_equal(id.at != NULL, rows[i].id != NULL);
		if (rows[i].id) {
			assert_int_equal(id.len, strlen(rows[i].id));
			assert_memory_equal(id.at, rows[i].id, id.len);
		}
	}
}

/* Rows 1 and 2 of the table. */
static void test_classify_batches(void **unused)
{
	static const struct row rows[] = {
		{ "[" REQUEST("ping", META) "]", { 0 }, ENVELOPE_REFUSED, -32600, NULL },
		{ "[" RESULT "," REQUEST("ping", META) "]", { .version = "2025-03-26" },
			ENVELOPE_REFUSED, -32600, NULL },
		{ "[" NOTIFICATION(META) "]", { .session = "s" }, ENVELOPE_REFUSED, -32600, NULL },
		{ "[" REQUEST("ping", "") "]", { .version = MODERN }, ENVELOPE_REFUSED, -32600,
			NULL },
		{ "[]", { .version = MODERN, .session = "s" }, ENVELOPE_REFUSED, -32600, NULL },
		{ "[]", { .version = "v999" }, ENVELOPE_REFUSED, -32600, NULL },
		{ "[]", { .version = "v999", .session = "s" }, ENVELOPE_REFUSED, -32600, NULL },
		{ "[" REQUEST("ping", "") "]", { 0 }, ENVELOPE_BATCH, 0, NULL },
		{ "[" REQUEST("ping", "") "]", { .version = "2025-03-26", .session = "s" },
			ENVELOPE_BATCH, 0, NULL },
		{ "[]", { .version = "2025-11-25" }, ENVELOPE_BATCH, 0, NULL },
		{ "[1,{},[],{\"params\":{\"_meta\":[]}}]", { 0 }, ENVELOPE_BATCH, 0, NULL },
	};

	check_rows(rows, N_ELEMENTS(rows));
}

/* Rows 3, 4, 5 and 8. */
static void test_classify_requests(void **unused)
{
	static const struct row rows[] = {
		/* the body names a version: modern, whatever the headers say */
		{ REQUEST("ping", META), { 0 }, ENVELOPE_MODERN, 0, "7" },
		{ REQUEST("ping", META), { .version = "2025-11-25", .session = "s" },
			ENVELOPE_MODERN, 0, "7" },
		{ REQUEST("ping", META), { .version = "v999" }, ENVELOPE_MODERN, 0, "7" },
		{ REQUEST("initialize", META), { 0 }, ENVELOPE_MODERN, 0, "7" },
		{ REQUEST("ping", "\"_meta\":{" V "\"2025-11-25\"}"), { 0 }, ENVELOPE_MODERN, 0,
			"7" },
		{ REQUEST("ping", "\"_meta\":{" V "7}"), { 0 }, ENVELOPE_MODERN, 0, "7" },
		{ REQUEST("ping", "\"_meta\":{" V "\"a\"," V "\"b\"}"), { 0 }, ENVELOPE_MODERN, 0,
			"7" },
		/* the header alone */
		{ REQUEST("ping", ""), { .version = MODERN }, ENVELOPE_MODERN, 0, "7" },
		{ REQUEST("ping", ""), { .version = MODERN, .session = "s" }, ENVELOPE_MODERN, 0,
			"7" },
		{ REQUEST("initialize", ""), { .version = MODERN }, ENVELOPE_MODERN, 0, "7" },
		{ REQUEST("initialize", ""), { .version = "v999" }, ENVELOPE_MODERN, 0, "7" },
		{ REQUEST("ping", ""), { .version = "" }, ENVELOPE_MODERN, 0, "7" },
		{ "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"ping\",\"params\":[]}",
			{ .version = MODERN }, ENVELOPE_MODERN, 0, "7" },
		/* an unknown version in a session */
		{ REQUEST("ping", ""), { .version = "v999", .session = "s" }, ENVELOPE_REFUSED,
			-32600, "7" },
		{ REQUEST("initialize", ""), { .version = "v999", .session = "s" },
			ENVELOPE_REFUSED, -32600, "7" },
		/* legacy */
		{ REQUEST("initialize", ""), { 0 }, ENVELOPE_INITIALIZE, 0, "7" },
		{ REQUEST("initialize", ""), { .version = "2025-06-18" }, ENVELOPE_INITIALIZE, 0,
			"7" },
		{ REQUEST("initialize", "\"protocolVersion\":\"" MODERN "\""), { 0 },
			ENVELOPE_INITIALIZE, 0, "7" },
		{ REQUEST("initialize", ""), { .session = "s" }, ENVELOPE_LEGACY, 0, "7" },
		{ REQUEST("ping", ""), { 0 }, ENVELOPE_LEGACY, 0, "7" },
		{ REQUEST("ping", ""), { .version = "2024-11-05", .session = "s" }, ENVELOPE_LEGACY,
			0, "7" },
		{ REQUEST("ping", ""), { .version = "2025-11-25" }, ENVELOPE_LEGACY, 0, "7" },
		{ REQUEST("ping", "\"_meta\":{\"progressToken\":1}"), { 0 }, ENVELOPE_LEGACY, 0,
			"7" },
		{ REQUEST("ping", V "\"" MODERN "\""), { 0 }, ENVELOPE_LEGACY, 0, "7" },
		{ "{\"jsonrpc\":\"2.0\",\"id\":\"\\u0061\",\"method\":\"ping\",\"params\":[]}",
			{ 0 }, ENVELOPE_LEGACY, 0, "\"\\u0061\"" },
		{ "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"server/discover\"}", { 0 },
			ENVELOPE_LEGACY, 0, "7" },
	};

	check_rows(rows, N_ELEMENTS(rows));
}

/* Rows 6 and 7, and responses of modern clients. */
static void test_classify_others(void **unused)
{
	static const struct row rows[] = {
		{ NOTIFICATION(""), { .version = MODERN }, ENVELOPE_MODERN_NOTIFICATION, 0, NULL },
		{ NOTIFICATION(META), { .version = MODERN, .session = "s" },
			ENVELOPE_MODERN_NOTIFICATION, 0, NULL },
		{ NOTIFICATION(META), { 0 }, ENVELOPE_MODERN_NOTIFICATION, 0, NULL },
		{ NOTIFICATION(""), { .version = "v999" }, ENVELOPE_MODERN_NOTIFICATION, 0, NULL },
		{ NOTIFICATION(""), { .version = "v999", .session = "s" }, ENVELOPE_REFUSED, -32600,
			NULL },
		{ NOTIFICATION(""), { 0 }, ENVELOPE_LEGACY, 0, NULL },
		{ NOTIFICATION(""), { .version = "2025-11-25", .session = "s" }, ENVELOPE_LEGACY, 0,
			NULL },
		{ "{\"jsonrpc\":\"2.0\",\"method\":\"x\",\"params\":[]}", { 0 }, ENVELOPE_LEGACY, 0,
			NULL },
		{ RESULT, { .session = "s" }, ENVELOPE_LEGACY, 0, NULL },
		{ RESULT, { 0 }, ENVELOPE_LEGACY, 0, NULL },
		{ RESULT, { .version = MODERN }, ENVELOPE_REFUSED, -32600, NULL },
		{ RESULT, { .version = "v999" }, ENVELOPE_REFUSED, -32600, NULL },
		{ RESULT, { .version = "v999", .session = "s" }, ENVELOPE_REFUSED, -32600, NULL },
		{ "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{}}", { .session = "s" },
			ENVELOPE_LEGACY, 0, NULL },
	};

	check_rows(rows, N_ELEMENTS(rows));
}

/* What comes before the table. */
static void test_classify_no_message(void **unused)
{
	static const struct row rows[] = {
		{ "", { 0 }, ENVELOPE_REFUSED, -32700, NULL },
		{ "{", { .version = MODERN }, ENVELOPE_REFUSED, -32700, NULL },
		{ "[{]", { 0 }, ENVELOPE_REFUSED, -32700, NULL },
		{ "{} {}", { 0 }, ENVELOPE_REFUSED, -32700, NULL },
		{ "42", { 0 }, ENVELOPE_REFUSED, -32600, NULL },
		{ "null", { .version = MODERN }, ENVELOPE_REFUSED, -32600, NULL },
		{ "{\"jsonrpc\":\"2.0\",\"id\":7}", { 0 }, ENVELOPE_REFUSED, -32600, "7" },
		{ "{\"jsonrpc\":\"1.0\",\"id\":\"x\",\"method\":\"ping\"}", { 0 }, ENVELOPE_REFUSED,
			-32600, "\"x\"" },
		{ "{\"jsonrpc\":\"2.0\",\"id\":null,\"method\":\"ping\"}", { 0 }, ENVELOPE_REFUSED,
			-32600, NULL },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1.5,\"method\":\"ping\"}", { .version = MODERN },
			ENVELOPE_REFUSED, -32600, NULL },
		{ " " REQUEST("ping", META) "\n", { 0 }, ENVELOPE_MODERN, 0, "7" },
	};

	check_rows(rows, N_ELEMENTS(rows));
}

static enum envelope_kind classify_with(
	const char *body, const struct mcp_headers *h, struct envelope_fault *fault)
{
	struct jspan id;

	envelope_fault_done(fault);
	return envelope_classify(body, strlen(body), h, fault, &id);
}

/* A header that comes twice: legacy messages are refused here, modern ones by envelope_check(). */
static void test_classify_twice(void **unused)
{
	struct mcp_headers h = { .is_http = true, .is_twice = true };
	auto_envelope_fault fault = { 0 };

	assert_int_equal(classify_with(REQUEST("ping", ""), &h, &fault), ENVELOPE_REFUSED);
	assert_int_equal(fault.code, RPC_HEADER_MISMATCH);
	assert_int_equal(fault.status, 400);
	assert_int_equal(classify_with(REQUEST("initialize", ""), &h, &fault), ENVELOPE_REFUSED);
	assert_int_equal(classify_with("[]", &h, &fault), ENVELOPE_REFUSED);
	assert_int_equal(classify_with(RESULT, &h, &fault), ENVELOPE_REFUSED);
	assert_int_equal(classify_with(REQUEST("ping", META), &h, &fault), ENVELOPE_MODERN);

	h = (struct mcp_headers){ .is_http = true, .has_session = true, .is_session_twice = true };
	assert_int_equal(classify_with(REQUEST("ping", ""), &h, &fault), ENVELOPE_REFUSED);
	assert_int_equal(fault.code, RPC_INVALID_REQUEST);
	assert_int_equal(classify_with(REQUEST("ping", META), &h, &fault), ENVELOPE_MODERN);
}

/* One message, read. */
static struct rpc parse(const char *text)
{
	struct rpc rpc;
	const char *why;

	assert_int_equal(rpc_parse(text, strlen(text), &rpc, &why), 0);
	return rpc;
}

static bool is_text(struct jspan value, const char *text)
{
	return value.at && value.len == strlen(text) && memcmp(value.at, text, value.len) == 0;
}

static void test_read(void **unused)
{
	struct rpc rpc = parse(REQUEST("tools/call",
		"\"name\":\"x\",\"_meta\":{" V "\"" MODERN "\"," C "{\"sampling\":{}},"
		"\"io.modelcontextprotocol/clientInfo\":{\"name\":\"c\"},"
		"\"io.modelcontextprotocol/logLevel\":\"info\",\"progressToken\":\"t\","
		"\"traceparent\":\"p\",\"tracestate\":\"s\",\"baggage\":\"b\",\"com.example/x\":1}"));
	struct envelope e;

	envelope_read(&rpc, NULL, &e);
	assert_true(e.is_modern);
	assert_false(e.is_twice);
	assert_int_equal(jspan_type(e.meta), JSPAN_OBJECT);
	assert_true(is_text(e.version, "\"" MODERN "\""));
	assert_true(is_text(e.capabilities, "{\"sampling\":{}}"));
	assert_true(is_text(e.client_info, "{\"name\":\"c\"}"));
	assert_true(is_text(e.log_level, "\"info\""));
	assert_true(is_text(e.token, "\"t\""));
	assert_true(is_text(e.traceparent, "\"p\""));
	assert_true(is_text(e.tracestate, "\"s\""));
	assert_true(is_text(e.baggage, "\"b\""));
}

static void test_read_little(void **unused)
{
	static const char *const bodies[] = { REQUEST("ping", ""),
		REQUEST("ping", "\"_meta\":null"), REQUEST("ping", "\"_meta\":[]"),
		REQUEST("ping", "\"_meta\":{}"),
		"{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"ping\"}" };

	for (size_t i = 0; i < N_ELEMENTS(bodies); i++) {
		struct rpc rpc = parse(bodies[i]);
		struct envelope e;

		envelope_read(&rpc, NULL, &e);
		assert_false(e.is_modern || e.is_twice);
		assert_null(e.version.at);
		assert_null(e.token.at);
	}
}

static void test_read_token(void **unused)
{
	static const struct {
		const char *token;
		bool is_valid;
	} cases[] = { { "1", true }, { "-9007199254740993", true }, { "\"\"", true },
		{ "1.5", false }, { "null", false }, { "true", false }, { "[1]", false },
		{ "1,\"progressToken\":1", false } };

	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		auto_strbuf text = { 0 };
		struct envelope e;
		struct rpc rpc;

		strbuf_addf(
			&text, REQUEST("ping", "\"_meta\":{\"progressToken\":%s}"), cases[i].token);
		rpc = parse(strbuf_get(&text));
		envelope_read(&rpc, NULL, &e);
		assert_false(e.is_modern);
		assert_int_equal(e.token.at != NULL, cases[i].is_valid);
	}
}

static void test_read_long_token(void **unused)
{
	for (int n = 1022; n <= 1023; n++) {
		auto_strbuf text = { 0 };
		struct envelope e;
		struct rpc rpc;

		strbuf_addf(&text, REQUEST("ping", "\"_meta\":{\"progressToken\":\"%0*d\"}"), n, 0);
		rpc = parse(strbuf_get(&text));
		envelope_read(&rpc, NULL, &e);
		assert_int_equal(e.token.at != NULL, n == 1022);
	}
}

/* The header alone makes a request modern, over HTTP. */
static void test_read_by_header(void **unused)
{
	static const struct {
		struct given given;
		bool is_modern;
	} cases[] = { { { .version = MODERN }, true },
		{ { .version = MODERN, .session = "s" }, true }, { { .version = "v999" }, true },
		{ { .version = "v999", .session = "s" }, false },
		{ { .version = "2025-11-25" }, false }, { { 0 }, false } };
	struct rpc rpc = parse(REQUEST("ping", ""));

	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		struct mcp_headers h = headers_of(&cases[i].given);
		struct envelope e;

		envelope_read(&rpc, &h, &e);
		assert_int_equal(e.is_modern, cases[i].is_modern);
		h.is_http = false;
		envelope_read(&rpc, &h, &e);
		assert_false(e.is_modern);
	}
}

/* The checks of one modern request; 0 or the code, all of them 400. */
static int check_into(const char *body, const struct mcp_headers *h, struct envelope_fault *fault)
{
	struct rpc rpc = parse(body);
	struct envelope e;
	int r;

	envelope_read(&rpc, h, &e);
	assert_true(e.is_modern);
	r = envelope_check(&rpc, &e, h, fault);
	assert_int_equal(fault->code, r);
	assert_int_equal(fault->status, r ? 400 : 0);
	assert_int_equal(fault->message != NULL, r != 0);
	return r;
}

static int check(const char *body, const struct given *given)
{
	auto_envelope_fault fault = { 0 };
	struct mcp_headers h = { 0 };

	if (given)
		h = headers_of(given);
	return check_into(body, given ? &h : NULL, &fault);
}

static void assert_message(const char *body, const struct given *given, const char *wanted)
{
	struct mcp_headers h = headers_of(given);
	auto_envelope_fault fault = { 0 };

	assert_int_not_equal(check_into(body, &h, &fault), 0);
	assert_string_equal(fault.message, wanted);
}

static const struct given ping_headers = { .version = MODERN, .method = "ping" };

static void test_check_meta(void **unused)
{
	static const char *const bad[] = { REQUEST("ping", ""), REQUEST("ping", "\"_meta\":null"),
		REQUEST("ping", "\"_meta\":[]"), REQUEST("ping", "\"_meta\":\"x\""),
		REQUEST("ping", "\"_meta\":{}"), REQUEST("ping", "\"_meta\":{" V "\"" MODERN "\"}"),
		REQUEST("ping", "\"_meta\":{" C "{}}"),
		REQUEST("ping", "\"_meta\":{" V "\"" MODERN "\"," C "null}"),
		REQUEST("ping", "\"_meta\":{" V "\"" MODERN "\"," C "[]}"),
		REQUEST("ping", "\"_meta\":{" V "7," C "{}}"),
		REQUEST("ping", "\"_meta\":{" V "null," C "{}}"),
		REQUEST("ping", "\"_meta\":{" V "\"" MODERN "\"," C "{}," C "{}}"),
		REQUEST("ping", "\"_meta\":{" V "\"" MODERN "\"," V "\"" MODERN "\"," C "{}}"),
		REQUEST("ping", "\"_meta\":{" V "\"" MODERN "\"," C
				"{},\"baggage\":\"\",\"baggage\":\"\"}"),
		REQUEST("ping", META "," META) };

	assert_int_equal(check(REQUEST("ping", META), &ping_headers), 0);
	for (size_t i = 0; i < N_ELEMENTS(bad); i++)
		assert_int_equal(check(bad[i], &ping_headers), RPC_INVALID_PARAMS);
	/* before the headers */
	assert_int_equal(check(REQUEST("ping", ""), &(struct given){ .version = "v999" }),
		RPC_INVALID_PARAMS);
	/* and without any */
	assert_int_equal(check(REQUEST("ping", "\"_meta\":{" V "\"" MODERN "\"}"), NULL),
		RPC_INVALID_PARAMS);
}

static void test_check_meta_names_the_keys(void **unused)
{
	assert_message(REQUEST("ping", ""), &ping_headers,
		"params._meta must have io.modelcontextprotocol/protocolVersion (a string) and "
		"io.modelcontextprotocol/clientCapabilities (an object)");
	assert_message(REQUEST("ping", "\"_meta\":{" C "{}}"), &ping_headers,
		"params._meta must have io.modelcontextprotocol/protocolVersion (a string)");
	assert_message(REQUEST("ping", "\"_meta\":{" V "\"" MODERN "\"}"), &ping_headers,
		"params._meta must have io.modelcontextprotocol/clientCapabilities (an object)");
}

static void test_check_headers_says_which(void **unused)
{
	const char *body = REQUEST("tools/call", "\"name\":\"a\"," META);

	assert_message(body, &(struct given){ .method = "tools/call", .name = "a" },
		"Header mismatch: the header MCP-Protocol-Version is missing");
	assert_message(body, &(struct given){ .version = MODERN, .method = "ping", .name = "a" },
		"Header mismatch: the header Mcp-Method is not what the body says");
	assert_message(body, &(struct given){ .version = MODERN, .method = "tools/call" },
		"Header mismatch: the header Mcp-Name is missing");
}

static void test_check_headers(void **unused)
{
	static const struct {
		struct given given;
		int code;
	} cases[] = {
		{ { .version = MODERN, .method = "tools/call", .name = "git_log" }, 0 },
		{ { .version = MODERN, .method = "tools/call", .name = "=?base64?Z2l0X2xvZw==?=" },
			0 },
		{ { .version = MODERN, .method = "tools/call", .name = "git_log", .session = "s" },
			0 },
		{ { .method = "tools/call", .name = "git_log" }, RPC_HEADER_MISMATCH },
		{ { .version = MODERN, .name = "git_log" }, RPC_HEADER_MISMATCH },
		{ { .version = MODERN, .method = "tools/call" }, RPC_HEADER_MISMATCH },
		{ { .version = "2025-11-25", .method = "tools/call", .name = "git_log" },
			RPC_HEADER_MISMATCH },
		{ { .version = "v999", .method = "tools/call", .name = "git_log" },
			RPC_HEADER_MISMATCH },
		{ { .version = MODERN, .method = "TOOLS/CALL", .name = "git_log" },
			RPC_HEADER_MISMATCH },
		{ { .version = MODERN, .method = "", .name = "git_log" }, RPC_HEADER_MISMATCH },
		{ { .version = MODERN, .method = "=?base64?dG9vbHMvY2FsbA==?=", .name = "git_log" },
			RPC_HEADER_MISMATCH },
		{ { .version = MODERN, .method = "tools/call", .name = "git_show" },
			RPC_HEADER_MISMATCH },
		{ { .version = MODERN, .method = "tools/call", .name = "GIT_LOG" },
			RPC_HEADER_MISMATCH },
		{ { .version = MODERN, .method = "tools/call", .name = "" }, RPC_HEADER_MISMATCH },
		{ { .version = MODERN, .method = "tools/call", .name = "=?base64?Z2l0X2xvZw?=" },
			RPC_HEADER_MISMATCH },
		{ { .version = MODERN, .method = "tools/call", .name = "git_log\xc3\xa4" },
			RPC_HEADER_MISMATCH },
	};

	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		print_message("%zu\n", i);
		assert_int_equal(
			check(REQUEST("tools/call", "\"name\":\"git_log\"," META), &cases[i].given),
			cases[i].code);
	}
	/* a line transport has none */
	assert_int_equal(check(REQUEST("tools/call", "\"name\":\"git_log\"," META), NULL), 0);
}

/* Which methods Mcp-Name belongs to, and what it repeats. */
static void test_check_name(void **unused)
{
	static const struct {
		const char *body, *method, *name;
		int code;
	} cases[] = {
		{ REQUEST("prompts/get", "\"name\":\"p\"," META), "prompts/get", "p", 0 },
		{ REQUEST("prompts/get", "\"name\":\"p\"," META), "prompts/get", NULL, -32020 },
		{ REQUEST("resources/read", "\"uri\":\"file:///a\"," META), "resources/read",
			"file:///a", 0 },
		{ REQUEST("resources/read", "\"uri\":\"file:///a\"," META), "resources/read",
			"file:///b", -32020 },
		{ REQUEST("resources/read", "\"uri\":\"file:///a\",\"name\":\"n\"," META),
			"resources/read", "n", -32020 },
		{ REQUEST("tools/list", META), "tools/list", NULL, 0 },
		{ REQUEST("tools/list", "\"name\":\"n\"," META), "tools/list", "other", 0 },
		{ REQUEST("completion/complete", META), "completion/complete", NULL, 0 },
		{ REQUEST("tools/call", META), "tools/call", NULL, -32020 },
		{ REQUEST("tools/call", META), "tools/call", "n", -32020 },
		{ REQUEST("tools/call", "\"name\":7," META), "tools/call", "7", -32020 },
		{ REQUEST("tools/call", "\"name\":\"n\",\"name\":\"n\"," META), "tools/call", "n",
			-32020 },
		{ REQUEST("tools/call", "\"name\":\" n\"," META), "tools/call",
			"=?base64?IG4=?=", 0 },
		{ REQUEST("tools\\/call", "\"name\":\"n\"," META), "tools/call", "n", 0 },
	};

	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		struct given given = {
			.version = MODERN, .method = cases[i].method, .name = cases[i].name
		};

		print_message("%zu: %s\n", i, cases[i].body);
		assert_int_equal(check(cases[i].body, &given), cases[i].code);
	}
}

static void test_check_twice(void **unused)
{
	struct mcp_headers h = headers_of(&ping_headers);
	auto_envelope_fault fault = { 0 };

	h.is_twice = true;
	assert_int_equal(check_into(REQUEST("ping", META), &h, &fault), RPC_HEADER_MISMATCH);
}

static void test_check_version(void **unused)
{
#define ASK(version) REQUEST("ping", "\"_meta\":{" V version "," C "{}}")
	static const struct {
		const char *body, *header;
		int code;
	} cases[] = {
		{ ASK("\"v999\""), MODERN, RPC_HEADER_MISMATCH },
		{ ASK("\"v999\""), "v999", RPC_UNSUPPORTED_VERSION },
		{ ASK("\"2025-11-25\""), "2025-11-25", RPC_UNSUPPORTED_VERSION },
		{ ASK("\"2024-11-05\""), "2024-11-05", RPC_UNSUPPORTED_VERSION },
		{ ASK("\"\""), "", RPC_UNSUPPORTED_VERSION },
		{ ASK("\"2026-07-\\u0032\\u0038\""), MODERN, 0 },
	};

	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		struct given given = { .version = cases[i].header, .method = "ping" };

		assert_int_equal(check(cases[i].body, &given), cases[i].code);
	}
	assert_int_equal(check(ASK("\"2025-11-25\""), NULL), RPC_UNSUPPORTED_VERSION);
}

static void test_version_answer(void **unused)
{
	auto_envelope_fault fault = { 0 };
	auto_strbuf answer = { 0 };

	assert_int_equal(check_into(ASK("\"v\\\"9\""), NULL, &fault), RPC_UNSUPPORTED_VERSION);
	envelope_fault_answer(&fault, (struct jspan){ .at = "7", .len = 1 }, &answer);
	assert_string_equal(strbuf_get(&answer),
		"{\"jsonrpc\":\"2.0\",\"id\":7,\"error\":{\"code\":-32022,\"message\":"
		"\"Unsupported protocol version \\\"v\\\\\\\"9\\\"; this server speaks "
		"2026-07-28\","
		"\"data\":{\"supported\":[\"2026-07-28\"],\"requested\":\"v\\\"9\"}}}");
}

/* What a client asked for comes back, but not a megabyte of it. */
static void test_version_answer_is_bounded(void **unused)
{
	auto_envelope_fault fault = { 0 };
	auto_strbuf text = { 0 };

	strbuf_addf(&text, ASK("\"%0*d\""), 100000, 0);
	assert_int_equal(check_into(strbuf_get(&text), NULL, &fault), RPC_UNSUPPORTED_VERSION);
	assert_true(strlen(fault.message) < 400);
	assert_true(strlen(fault.data) < 400);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_classify_batches),
		cmocka_unit_test(test_classify_requests),
		cmocka_unit_test(test_classify_others),
		cmocka_unit_test(test_classify_no_message),
		cmocka_unit_test(test_classify_twice),
		cmocka_unit_test(test_read),
		cmocka_unit_test(test_read_little),
		cmocka_unit_test(test_read_token),
		cmocka_unit_test(test_read_long_token),
		cmocka_unit_test(test_read_by_header),
		cmocka_unit_test(test_check_meta),
		cmocka_unit_test(test_check_meta_names_the_keys),
		cmocka_unit_test(test_check_headers_says_which),
		cmocka_unit_test(test_check_headers),
		cmocka_unit_test(test_check_name),
		cmocka_unit_test(test_check_twice),
		cmocka_unit_test(test_check_version),
		cmocka_unit_test(test_version_answer),
		cmocka_unit_test(test_version_answer_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
