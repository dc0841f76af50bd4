/* MCP's HTTP headers: taking them in, and comparing them with what they repeat. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "supervisor/mcp/headers.h"

static struct span span(const char *text)
{
	return (struct span){ .at = text, .len = strlen(text) };
}

static void add(struct mcp_headers *h, const char *name, const char *value)
{
	mcp_headers_add(h, span(name), span(value));
}

static void test_names_have_no_case(void **unused)
{
	struct mcp_headers h = { .is_http = true };

	add(&h, "MCP-Protocol-Version", "2026-07-28");
	add(&h, "MCP-METHOD", "tools/call");
	add(&h, "mcp-name", "a");
	add(&h, "mCP-pARAM-Region", "us");
	add(&h, "MCP-Session-Id", "s");
	add(&h, "TraceParent", "p");
	add(&h, "tracestate", "s");
	add(&h, "Baggage", "b");
	add(&h, "Accept", "*/*");
	add(&h, "Mcp-Nam", "x");
	add(&h, "Mcp-Param-", "x");
	add(&h, "", "x");
	assert_true(span_is(h.version, "2026-07-28"));
	assert_true(span_is(h.method, "tools/call"));
	assert_true(span_is(h.name, "a"));
	assert_int_equal(h.n_params, 1);
	assert_true(span_is(h.params[0].name, "Region"));
	assert_true(span_is(h.params[0].value, "us"));
	assert_true(h.has_session && span_is(h.session, "s"));
	assert_true(span_is(h.traceparent, "p"));
	assert_true(span_is(h.tracestate, "s"));
	assert_true(span_is(h.baggage, "b"));
	assert_false(h.is_twice || h.is_session_twice || h.is_overfull);
}

static void test_empty_is_there(void **unused)
{
	struct mcp_headers h = { .is_http = true };

	mcp_headers_add(&h, span("Mcp-Name"), (struct span){ 0 });
	assert_non_null(h.name.at);
	assert_int_equal(h.name.len, 0);
}

static void test_twice(void **unused)
{
	static const char *const names[] = { "MCP-Protocol-Version", "Mcp-Method", "Mcp-Name" };

	for (size_t i = 0; i < N_ELEMENTS(names); i++) {
		struct mcp_headers h = { .is_http = true };

		add(&h, names[i], "x");
		assert_false(h.is_twice);
		add(&h, names[i], "x");
		assert_true(h.is_twice);
		assert_false(h.is_session_twice);
	}
}

static void test_session_twice(void **unused)
{
	struct mcp_headers h = { .is_http = true };

	add(&h, "Mcp-Session-Id", "x");
	assert_false(h.is_session_twice);
	add(&h, "Mcp-Session-Id", "y");
	assert_true(h.is_session_twice);
	assert_false(h.is_twice);
	assert_true(span_is(h.session, "x"));
}

/* There is no telling which trace context is meant: it is there, and good for nothing. */
static void test_trace_twice(void **unused)
{
	struct mcp_headers h = { .is_http = true };

	for (int i = 0; i < 3; i++)
		add(&h, "tracestate", "a=1");
	assert_non_null(h.tracestate.at);
	assert_int_equal(h.tracestate.len, 0);
	assert_false(h.is_twice);
}

static void test_too_many_params(void **unused)
{
	struct mcp_headers h = { .is_http = true };

	for (int i = 0; i < MCP_HEADERS_PARAMS; i++)
		add(&h, "Mcp-Param-A", "x");
	assert_false(h.is_overfull);
	add(&h, "Mcp-Param-B", "x");
	assert_true(h.is_overfull);
	assert_int_equal(h.n_params, MCP_HEADERS_PARAMS);
}

static const char *differs(const char *header, const char *json)
{
	struct jspan value;

	assert_int_equal(jspan_check(json, strlen(json), &value, NULL), 0);
	return mcp_header_differs(span(header), value);
}

static void test_values_that_agree(void **unused)
{
	static const struct {
		const char *header, *json;
	} cases[] = {
		{ "us-west1", "\"us-west1\"" },
		{ "two words\tand a tab", "\"two words\\tand a tab\"" },
		{ "", "\"\"" },
		{ "a", "\"\\u0061\"" },
		/* the examples of the specification */
		{ "=?base64?SGVsbG8sIOS4lueVjA==?=", "\"Hello, 世界\"" },
		{ "=?base64?IHBhZGRlZCA=?=", "\" padded \"" },
		{ "=?base64?bGluZTEKbGluZTI=?=", "\"line1\\nline2\"" },
		{ "=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?=", "\"=?base64?literal?=\"" },
		{ "=?base64?"
		  "?=",
			"\"\"" },
		{ "=?base64?AA==?=", "\"\\u0000\"" },
		/* not in this form: taken as it is */
		{ "=?BASE64?YQ==?=", "\"=?BASE64?YQ==?=\"" },
		{ "=?base64?YQ==", "\"=?base64?YQ==\"" },
		{ "=?base64?=", "\"=?base64?=\"" },
		{ "true", "true" },
		{ "false", "false" },
		{ "=?base64?dHJ1ZQ==?=", "true" },
		{ "42", "42" },
		{ "42.0", "42" },
		{ "42", "42.0" },
		{ "42", "4.2e1" },
		{ "4200e-2", "42" },
		{ "-7", "-7" },
		{ "0", "0" },
		{ "-0", "0" },
		{ "0.00", "0e5" },
		{ "0.50", "5e-1" },
		{ "100", "1E+2" },
		{ "=?base64?NDI=?=", "42" },
		{ "9007199254740993", "9007199254740993" },
		{ "9007199254740993.000", "9007199254740993" },
		{ "123456789012345678901234567890", "123456789012345678901234567890" },
	};

	for (size_t i = 0; i < N_ELEMENTS(cases); i++)
		if (differs(cases[i].header, cases[i].json))
			fail_msg("%s, %s: %s", cases[i].header, cases[i].json,
				differs(cases[i].header, cases[i].json));
}

static void test_values_that_differ(void **unused)
{
	static const struct {
		const char *header, *json;
	} cases[] = {
		{ "us-west1", "\"us-west2\"" },
		{ "US", "\"us\"" },
		{ "us", "\"us \"" },
		{ "us", "\"u\"" },
		{ "", "\"a\"" },
		{ "a", "\"a\\u0000\"" },
		{ "\"a\"", "\"a\"" },
		{ "True", "true" },
		{ "1", "true" },
		{ "true", "\"false\"" },
		{ "true", "false" },
		{ "null", "null" },
		{ "{}", "{}" },
		{ "[]", "[]" },
		{ "42", "43" },
		{ "42", "-42" },
		{ "42.5", "42" },
		{ "420", "42" },
		{ "4.2", "42" },
		{ "+42", "42" },
		{ "042", "42" },
		{ "42.", "42" },
		{ ".5", "0.5" },
		{ "42e", "42" },
		{ "42e+", "42" },
		{ "0x2a", "42" },
		{ "42 ", "42" },
		{ "4 2", "42" },
		{ "", "0" },
		{ "-", "0" },
		{ "Infinity", "1" },
		{ "1e9999999999999999999", "1e9999999999999999999" },
		{ "9007199254740992", "9007199254740993" },
		{ "9007199254740993", "9007199254740992" },
		{ "1e999999", "1e999998" },
	};

	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		const char *why = differs(cases[i].header, cases[i].json);

		if (!why || !streq(why, "is not what the body says"))
			fail_msg("%s, %s: %s", cases[i].header, cases[i].json, why);
	}
}

static void test_values_that_cannot_be_read(void **unused)
{
	/* alphabet, padding, stray bits, variant for URLs, blanks */
	static const char *const broken[] = { "=?base64?Y!==?=", "=?base64?YQ?=", "=?base64?YQ=?=",
		"=?base64?YR==?=", "=?base64?-_==?=", "=?base64?YQ== ?=", "=?base64?=?=" };
	static const char *const foreign[] = { "世界", "a\x01", "a\x7f", "a\x80" };

	for (size_t i = 0; i < N_ELEMENTS(broken); i++)
		assert_string_equal(differs(broken[i], "\"a\""),
			"is not valid base64 between =?base64? and ?=");
	for (size_t i = 0; i < N_ELEMENTS(foreign); i++)
		assert_non_null(strstr(differs(foreign[i], "\"世界\""), "no visible ASCII"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names_have_no_case),
		cmocka_unit_test(test_empty_is_there),
		cmocka_unit_test(test_twice),
		cmocka_unit_test(test_session_twice),
		cmocka_unit_test(test_trace_twice),
		cmocka_unit_test(test_too_many_params),
		cmocka_unit_test(test_values_that_agree),
		cmocka_unit_test(test_values_that_differ),
		cmocka_unit_test(test_values_that_cannot_be_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
