/* rpc: the envelope of JSON-RPC messages, good and bad. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "shared/alloc.h"
#include "shared/limits.h"
#include "shared/rpc.h"

#define V "\"jsonrpc\":\"2.0\","

struct good {
	const char *text;
	enum rpc_kind kind;
	const char *id;
	const char *method;
	const char *params;
	const char *result;
	const char *error;
};

struct bad {
	const char *text;
	int code;
	const char *id; /* that the answer can carry; NULL: none */
};

static void assert_span(const char *of, struct jspan span, const char *expected)
{
	if (!expected && !span.at)
		return;
	if (!expected || !span.at || span.len != strlen(expected) ||
		memcmp(span.at, expected, span.len) != 0)
		fail_msg("%s: '%.*s', not '%s'", of, (int)span.len, span.at ? span.at : "",
			expected ? expected : "(absent)");
}

static void takes_messages(void **state)
{
	static const struct good messages[] = {
		{ "{" V "\"id\":1,\"method\":\"ping\"}", RPC_REQUEST, .id = "1",
			.method = "\"ping\"" },
		{ " {\"method\":\"a\",\"params\":{\"b\":[1]},\"id\":\"x\\u0000\\n\"," V
		  "\"z\":0} \n",
			RPC_REQUEST, .id = "\"x\\u0000\\n\"", .method = "\"a\"",
			.params = "{\"b\":[1]}" },
		{ "{" V "\"id\":9007199254740993,\"method\":\"a\"}", RPC_REQUEST,
			.id = "9007199254740993", .method = "\"a\"" },
		{ "{" V "\"id\":-9223372036854775809,\"method\":\"a\"}", RPC_REQUEST,
			.id = "-9223372036854775809", .method = "\"a\"" },
		{ "{" V "\"id\":\"\",\"method\":\"\"}", RPC_REQUEST, .id = "\"\"",
			.method = "\"\"" },
		{ "{\"j\\u0073onrpc\":\"2\\u002e0\",\"\\u0069d\":0,\"method\":\"a\"}", RPC_REQUEST,
			.id = "0", .method = "\"a\"" },
		{ "{" V "\"method\":\"notifications/initialized\"}", RPC_NOTIFICATION,
			.method = "\"notifications/initialized\"" },
		{ "{" V "\"method\":\"a\",\"params\":{}}", RPC_NOTIFICATION, .method = "\"a\"",
			.params = "{}" },
		{ "{" V "\"method\":\"a\",\"other\":1,\"other\":2}", RPC_NOTIFICATION,
			.method = "\"a\"" },
		{ "{" V "\"id\":1,\"result\":{}}", RPC_RESULT, .id = "1", .result = "{}" },
		{ "{" V "\"id\":1,\"result\":null}", RPC_RESULT, .id = "1", .result = "null" },
		{ "{" V "\"id\":\"1\",\"error\":{\"code\":1}}", RPC_ERROR, .id = "\"1\"",
			.error = "{\"code\":1}" },
		{ "{" V "\"error\":{}}", RPC_ERROR, .error = "{}" },
		{ "{" V "\"id\":null,\"error\":{}}", RPC_ERROR, .error = "{}" },
	};

	for (size_t i = 0; i < N_ELEMENTS(messages); i++) {
		const struct good *m = &messages[i];
		const char *why = "";
		struct rpc rpc;

		if (rpc_parse(m->text, strlen(m->text), &rpc, &why) != 0)
			fail_msg("%s: %s", m->text, why);
		assert_null(why);
		assert_int_equal(rpc.kind, m->kind);
		assert_span(m->text, rpc.id, m->id);
		assert_span(m->text, rpc.method, m->method);
		assert_span(m->text, rpc.params, m->params);
		assert_span(m->text, rpc.result, m->result);
		assert_span(m->text, rpc.error, m->error);
	}
}

static void refuses_messages(void **state)
{
	static const struct bad messages[] = {
		{ "", RPC_PARSE_ERROR, NULL },
		{ "{\"id\":1", RPC_PARSE_ERROR, NULL },
		{ "{" V "\"id\":1,\"method\":\"a\"}{}", RPC_PARSE_ERROR, NULL },
		{ "42", RPC_INVALID_REQUEST, NULL },
		{ "\"x\"", RPC_INVALID_REQUEST, NULL },
		{ "null", RPC_INVALID_REQUEST, NULL },
		{ "[]", RPC_INVALID_REQUEST, NULL },
		{ "[{" V "\"id\":1,\"method\":\"a\"}]", RPC_INVALID_REQUEST, NULL },
		{ "{}", RPC_INVALID_REQUEST, NULL },
		{ "{\"id\":1,\"method\":\"a\"}", RPC_INVALID_REQUEST, "1" },
		{ "{\"jsonrpc\":\"1.0\",\"id\":1,\"method\":\"a\"}", RPC_INVALID_REQUEST, "1" },
		{ "{\"jsonrpc\":2.0,\"id\":1,\"method\":\"a\"}", RPC_INVALID_REQUEST, "1" },
		{ "{\"jsonrpc\":\"2.0\\u0000\",\"id\":1,\"method\":\"a\"}", RPC_INVALID_REQUEST,
			"1" },
		{ "{" V "\"id\":1}", RPC_INVALID_REQUEST, "1" },
		{ "{" V "\"id\":1,\"method\":7}", RPC_INVALID_REQUEST, "1" },
		{ "{" V "\"id\":1,\"method\":null}", RPC_INVALID_REQUEST, "1" },
		{ "{" V "\"id\":null,\"method\":\"a\"}", RPC_INVALID_REQUEST, NULL },
		{ "{" V "\"id\":1.0,\"method\":\"a\"}", RPC_INVALID_REQUEST, NULL },
		{ "{" V "\"id\":1e2,\"method\":\"a\"}", RPC_INVALID_REQUEST, NULL },
		{ "{" V "\"id\":true,\"method\":\"a\"}", RPC_INVALID_REQUEST, NULL },
		{ "{" V "\"id\":[1],\"method\":\"a\"}", RPC_INVALID_REQUEST, NULL },
		{ "{" V "\"id\":{},\"method\":\"a\"}", RPC_INVALID_REQUEST, NULL },
		{ "{" V "\"id\":1,\"id\":2,\"method\":\"a\"}", RPC_INVALID_REQUEST, NULL },
		{ "{" V "\"id\":1,\"id\":2,\"method\":\"a\",\"method\":\"a\"}", RPC_INVALID_REQUEST,
			NULL },
		{ "{" V "\"id\":1,\"id\":1,\"method\":\"a\"}", RPC_INVALID_REQUEST, NULL },
		{ "{" V "\"id\":1,\"method\":\"a\",\"\\u006dethod\":\"b\"}", RPC_INVALID_REQUEST,
			"1" },
		{ "{" V "\"id\":1,\"method\":\"a\",\"params\":{},\"params\":{}}",
			RPC_INVALID_REQUEST, "1" },
		{ "{" V V "\"id\":1,\"method\":\"a\"}", RPC_INVALID_REQUEST, "1" },
		{ "{" V "\"id\":1,\"result\":{},\"result\":{}}", RPC_INVALID_REQUEST, "1" },
		{ "{" V "\"id\":1,\"error\":{},\"error\":{}}", RPC_INVALID_REQUEST, "1" },
		{ "{" V "\"id\":1,\"method\":\"a\",\"result\":{}}", RPC_INVALID_REQUEST, "1" },
		{ "{" V "\"id\":1,\"method\":\"a\",\"error\":{}}", RPC_INVALID_REQUEST, "1" },
		{ "{" V "\"id\":1,\"result\":{},\"error\":{}}", RPC_INVALID_REQUEST, "1" },
		{ "{" V "\"id\":null,\"method\":\"a\",\"error\":{}}", RPC_INVALID_REQUEST, NULL },
		{ "{" V "\"result\":{}}", RPC_INVALID_REQUEST, NULL },
		{ "{" V "\"id\":null,\"result\":{}}", RPC_INVALID_REQUEST, NULL },
		{ "{" V "\"id\":1,\"error\":\"no\"}", RPC_INVALID_REQUEST, "1" },
		{ "{" V "\"id\":1,\"error\":null}", RPC_INVALID_REQUEST, "1" },
		{ "{" V "\"id\":1.5,\"error\":{}}", RPC_INVALID_REQUEST, NULL },
		{ "{" V "\"id\":1,\"method\":\"a\",\"params\":[]}", RPC_INVALID_PARAMS, "1" },
		{ "{" V "\"id\":\"q\",\"method\":\"a\",\"params\":null}", RPC_INVALID_PARAMS,
			"\"q\"" },
		{ "{" V "\"id\":1,\"method\":\"a\",\"params\":\"x\"}", RPC_INVALID_PARAMS, "1" },
		{ "{" V "\"method\":\"a\",\"params\":1}", RPC_INVALID_PARAMS, NULL },
	};

	for (size_t i = 0; i < N_ELEMENTS(messages); i++) {
		const struct bad *m = &messages[i];
		const char *why = NULL;
		struct rpc rpc;

		if (rpc_parse(m->text, strlen(m->text), &rpc, &why) != m->code)
			fail_msg("%s: not %d", m->text, m->code);
		assert_non_null(why);
		assert_span(m->text, rpc.id, m->id);
	}
}

/* Who refuses bad params has to know whether there is anyone to tell. */
static void bad_params_leave_kind_and_method(void **state)
{
	static const char text[] = "{" V "\"method\":\"a\",\"params\":1}";
	const char *why;
	struct rpc rpc;

	assert_int_equal(rpc_parse(text, strlen(text), &rpc, &why), RPC_INVALID_PARAMS);
	assert_int_equal(rpc.kind, RPC_NOTIFICATION);
	assert_span(text, rpc.method, "\"a\"");
}

static void writes_messages(void **state)
{
	struct jspan id = { .at = "\"\\u00e9\"", .len = 8 };
	auto_strbuf text = { 0 };

	rpc_add_error(&text, id, RPC_DEADLINE, "no \"answer\"\n");
	assert_string_equal(text.data, "{\"jsonrpc\":\"2.0\",\"id\":\"\\u00e9\",\"error\":"
				       "{\"code\":-31002,\"message\":\"no \\\"answer\\\"\\n\"}}");

	strbuf_cut(&text, 0);
	rpc_add_error(&text, (struct jspan){ 0 }, RPC_PARSE_ERROR, "x");
	assert_string_equal(
		text.data, "{\"jsonrpc\":\"2.0\",\"error\":{\"code\":-32700,\"message\":\"x\"}}");

	strbuf_cut(&text, 0);
	rpc_add_error_data(&text, id, RPC_UNSUPPORTED_VERSION, "x", "{\"requested\":\"y\"}");
	assert_string_equal(text.data,
		"{\"jsonrpc\":\"2.0\",\"id\":\"\\u00e9\",\"error\":{\"code\":-32022,"
		"\"message\":\"x\",\"data\":{\"requested\":\"y\"}}}");

	strbuf_cut(&text, 0);
	rpc_add_result(&text, id, "{\"a\":1}  ", 7);
	assert_string_equal(
		text.data, "{\"jsonrpc\":\"2.0\",\"id\":\"\\u00e9\",\"result\":{\"a\":1}}");
}

static void reads_what_it_writes(void **state)
{
	struct jspan id = { .at = "9007199254740993", .len = 16 };
	auto_strbuf text = { 0 };
	const char *why;
	struct rpc rpc;

	rpc_add_result(&text, id, "[]", 2);
	assert_int_equal(rpc_parse(text.data, text.len, &rpc, &why), 0);
	assert_int_equal(rpc.kind, RPC_RESULT);
	assert_true(jspan_same(rpc.id, id));

	strbuf_cut(&text, 0);
	rpc_add_error(&text, (struct jspan){ 0 }, RPC_PARSE_ERROR, "x");
	assert_int_equal(rpc_parse(text.data, text.len, &rpc, &why), 0);
	assert_int_equal(rpc.kind, RPC_ERROR);
	assert_null(rpc.id.at);
}

/* An id is kept as long as the call runs, so it is bounded. */
static void bounds_ids(void **unused)
{
	for (size_t len = LIMIT_ID_BYTES - 1; len <= LIMIT_ID_BYTES + 1; len++) {
		auto_strbuf text = { 0 };
		struct rpc rpc;
		const char *why;

		strbuf_adds(&text, "{\"jsonrpc\":\"2.0\",\"method\":\"ping\",\"id\":\"");
		for (size_t i = 2; i < len; i++) /* with its quotes it has `len` bytes */
			strbuf_addc(&text, 'x');
		strbuf_adds(&text, "\"}");
		int r = rpc_parse(text.data, text.len, &rpc, &why);
		assert_int_equal(r, len <= LIMIT_ID_BYTES ? 0 : RPC_INVALID_REQUEST);
		assert_int_equal(rpc.id.len, len <= LIMIT_ID_BYTES ? len : 0);
	}
}

static struct rpc parse(const char *text)
{
	const char *why;
	struct rpc rpc;

	assert_int_equal(rpc_parse(text, strlen(text), &rpc, &why), 0);
	return rpc;
}

static void knows_what_may_come_twice(void **unused)
{
	struct rpc list = parse("{" V "\"id\":1,\"method\":\"tools/list\"}");
	struct rpc call = parse("{" V "\"id\":1,\"method\":\"tools/call\"}");
	struct rpc strange = parse("{" V "\"id\":1,\"method\":\"who/knows\"}");

	assert_true(rpc_may_repeat(&list));
	assert_false(rpc_may_repeat(&call));
	assert_false(rpc_may_repeat(&strange));
}

static void reads_codes(void **unused)
{
	struct rpc plain = parse("{" V "\"id\":1,\"error\":{\"code\":-31004,\"message\":\"\"}}");
	struct rpc real = parse("{" V "\"id\":1,\"error\":{\"code\":-31004.0,\"message\":\"\"}}");
	struct rpc result = parse("{" V "\"id\":1,\"result\":{}}");
	auto_strbuf text = { 0 };

	assert_true(rpc_has_code(&plain, RPC_UNAVAILABLE));
	assert_false(rpc_has_code(&plain, RPC_OVERLOADED));
	assert_false(rpc_has_code(&real, RPC_UNAVAILABLE));
	assert_false(rpc_has_code(&result, RPC_UNAVAILABLE));
	assert_false(rpc_is_stopping(&plain));
	assert_false(rpc_is_stopping(&result));
	rpc_add_error_data(&text, plain.id, RPC_UNAVAILABLE, "m", RPC_DATA_STOPPING);
	plain = parse(text.data);
	assert_true(rpc_is_stopping(&plain));
	plain = parse("{" V "\"id\":1,\"error\":{\"code\":-31004,\"data\":{\"stopping\":1}}}");
	assert_false(rpc_is_stopping(&plain));
}

static void expect_id(const char *head, const char *expected)
{
	/* Not one byte behind it may be looked at. */
	auto_free char *exact = alloc_printf("%s\"", head);
	struct jspan id = rpc_find_request_id(exact, strlen(head));

	if (!expected) {
		assert_null(id.at);
		return;
	}
	assert_int_equal(id.len, strlen(expected));
	assert_memory_equal(id.at, expected, id.len);
}

static void finds_the_id_of_a_long_request(void **unused)
{
	expect_id("{" V "\"id\":1,\"method\":\"tools/call\",\"params\":{\"x\":\"yyy", "1");
	expect_id(" \t{\"method\" : \"x\" , \"id\" : \"a\\u00e9\" , \"params", "\"a\\u00e9\"");
	expect_id("{\"m\\u0065thod\":\"x\",\"\\u0069d\":-7,\"p", "-7");
	expect_id("{\"params\":{\"id\":5,\"method\":\"x\"},\"method\":\"y\",\"id\":6,", "6");
	expect_id("{\"method\":\"x\",\"id\":12", NULL); /* it may go on */
	expect_id("{\"method\":\"x\",\"id\":12.5,", NULL);
	expect_id("{\"method\":\"x\",\"id\":null,", NULL);
	expect_id("{\"method\":\"x\",\"id\":\"\\ud800\",", NULL);
	expect_id("{\"method\":\"x\",\"id\":\"a", NULL);
	expect_id("{\"id\":1,\"meth", NULL);
	expect_id("{\"id\":1,\"method\":\"x", NULL);
	expect_id("{\"id\":1,\"method\":7,", NULL);
	expect_id("{\"id\":1,\"result\":{\"method\":\"x\"", NULL); /* an answer */
	expect_id("[{\"id\":1,\"method\":\"x\",", NULL);
	expect_id("\"id\":1,\"method\":\"x\",", NULL);
	expect_id("{:::,,,}]\\\"{", NULL);
	expect_id("{", NULL);
	expect_id("", NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_the_id_of_a_long_request),
		cmocka_unit_test(takes_messages),
		cmocka_unit_test(refuses_messages),
		cmocka_unit_test(bad_params_leave_kind_and_method),
		cmocka_unit_test(writes_messages),
		cmocka_unit_test(reads_what_it_writes),
		cmocka_unit_test(bounds_ids),
		cmocka_unit_test(knows_what_may_come_twice),
		cmocka_unit_test(reads_codes),
	};

	return cmocka_run_group_tests_name("rpc", tests, NULL, NULL);
}
