/* Arguments in headers: which are mirrored, and how a value is written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "shared/alloc.h"
#include "workers/remote/mirrors.h"

static void test_values(void **unused)
{
	static const char *const values[][2] = {
		{ "plain", "plain" },
		{ "a b", "a b" },
		{ "file:///x?y=1#z", "file:///x?y=1#z" },
		{ "", "=?base64?"
		      "?=" },
		{ " a", "=?base64?IGE=?=" },
		{ "a ", "=?base64?YSA=?=" },
		{ "\xc3\xa9", "=?base64?w6k=?=" },
		{ "a\nb", "=?base64?YQpi?=" },
		{ "a\tb", "=?base64?YQli?=" },
		{ "=?base64?YQ==?=", "=?base64?PT9iYXNlNjQ/WVE9PT89?=" },
		{ "=?base64?", "=?base64?" },
		{ "x=?base64?YQ==?=", "x=?base64?YQ==?=" },
	};

	for (size_t i = 0; i < N_ELEMENTS(values); i++) {
		auto_strbuf out = { 0 };

		mirrors_add_value(&out, values[i][0], strlen(values[i][0]));
		assert_string_equal(strbuf_get(&out), values[i][1]);
	}
}

static struct jspan json(const char *text)
{
	struct jspan span;

	assert_int_equal(jspan_check(text, strlen(text), &span, NULL), 0);
	return span;
}

static void note(void *arg, const char *line)
{
	strbuf_addf(arg, "%s;", line);
}

static void check(const struct mirrors *mirrors, const char *params, const char *expected)
{
	auto_strbuf seen = { 0 };

	mirrors_each(mirrors, json(params), note, &seen);
	assert_string_equal(strbuf_get(&seen), expected);
}

static const char tools[] =
	"{\"tools\":[{\"name\":\"t\",\"inputSchema\":{\"type\":\"object\",\"properties\":{"
	"\"region\":{\"type\":\"string\",\"x-mcp-header\":\"Region\"},"
	"\"n\":{\"type\":\"integer\",\"x-mcp-header\":\"N\"},"
	"\"dry\":{\"type\":\"boolean\",\"x-mcp-header\":\"Dry\"},"
	"\"in\":{\"type\":\"object\",\"properties\":{\"deep\":{\"type\":\"string\","
	"\"x-mcp-header\":\"Deep\"}}},"
	"\"plain\":{\"type\":\"string\"}}}},{\"name\":\"u\"}]}";

static void test_learned(void **unused)
{
	struct mirrors mirrors = { 0 };

	check(&mirrors, "{\"name\":\"t\",\"arguments\":{\"region\":\"eu\"}}", "");
	mirrors_learn(&mirrors, json(tools));
	assert_int_equal(mirrors.n, 4);
	check(&mirrors,
		"{\"name\":\"t\",\"arguments\":{\"region\":\"eu\",\"n\":42,\"dry\":false,"
		"\"in\":{\"deep\":\"\\u00e9\"},\"plain\":\"x\"}}",
		"Mcp-Param-Region: eu;Mcp-Param-N: 42;Mcp-Param-Dry: false;"
		"Mcp-Param-Deep: =?base64?w6k=?=;");
	check(&mirrors, "{\"name\":\"t\",\"arguments\":{\"region\":null,\"n\":[1],\"in\":3}}", "");
	check(&mirrors, "{\"name\":\"t\"}", "");
	check(&mirrors, "{\"name\":\"u\",\"arguments\":{\"region\":\"eu\"}}", "");
	check(&mirrors, "{\"name\":\"t\",\"arguments\":{\"region\":\"a\\r\\nX: y\"}}",
		"Mcp-Param-Region: =?base64?YQ0KWDogeQ==?=;");
	/* The tool's definition of another day. */
	mirrors_learn(&mirrors, json("{\"tools\":[{\"name\":\"t\",\"inputSchema\":{}}]}"));
	assert_int_equal(mirrors.n, 0);
	mirrors_done(&mirrors);
}

static void test_bad_annotations(void **unused)
{
	static const char *const properties[] = {
		"{\"a\":{\"type\":\"number\",\"x-mcp-header\":\"A\"}}",
		"{\"a\":{\"type\":\"array\",\"x-mcp-header\":\"A\"}}",
		"{\"a\":{\"x-mcp-header\":\"A\"}}",
		"{\"a\":{\"type\":[\"string\"],\"x-mcp-header\":\"A\"}}",
		"{\"a\":{\"type\":\"string\",\"x-mcp-header\":\"\"}}",
		"{\"a\":{\"type\":\"string\",\"x-mcp-header\":\"A B\"}}",
		"{\"a\":{\"type\":\"string\",\"x-mcp-header\":\"A\\r\\nB\"}}",
		"{\"a\":{\"type\":\"string\",\"x-mcp-header\":1}}",
		"{\"a\\u0000\":{\"type\":\"string\",\"x-mcp-header\":\"A\"}}",
		"{\"a\":{\"items\":{\"type\":\"string\",\"x-mcp-header\":\"A\"}}}",
		"[]",
	};

	for (size_t i = 0; i < N_ELEMENTS(properties); i++) {
		auto_free char *text = alloc_printf(
			"{\"tools\":[{\"name\":\"t\",\"inputSchema\":{\"properties\":%s}}]}",
			properties[i]);
		struct mirrors mirrors = { 0 };

		mirrors_learn(&mirrors, json(text));
		assert_int_equal(mirrors.n, 0);
		mirrors_done(&mirrors);
	}
	mirrors_learn(&(struct mirrors){ 0 }, json("{\"tools\":{}}"));
	mirrors_learn(&(struct mirrors){ 0 }, json("[]"));
}

static void test_bounds(void **unused)
{
	struct mirrors mirrors = { 0 };
	auto_strbuf text = { 0 };
	auto_strbuf deep = { 0 };

	strbuf_adds(&text, "{\"tools\":[");
	for (int i = 0; i < MIRRORS_MAX + 10; i++)
		strbuf_addf(&text,
			"%s{\"name\":\"t%d\",\"inputSchema\":{\"properties\":{\"a\":{\"type\":"
			"\"string\",\"x-mcp-header\":\"A\"}}}}",
			i ? "," : "", i);
	strbuf_adds(&text, "]}");
	mirrors_learn(&mirrors, json(strbuf_get(&text)));
	assert_true(mirrors.n <= MIRRORS_MAX);
	mirrors_done(&mirrors);

	strbuf_adds(&deep, "{\"tools\":[{\"name\":\"t\",\"inputSchema\":{");
	for (int i = 0; i <= MIRRORS_MAX_DEPTH; i++)
		strbuf_adds(&deep, "\"properties\":{\"a\":{");
	strbuf_adds(&deep, "\"type\":\"string\",\"x-mcp-header\":\"A\"");
	for (int i = 0; i <= MIRRORS_MAX_DEPTH; i++)
		strbuf_adds(&deep, "}}");
	strbuf_adds(&deep, "}}]}");
	mirrors_learn(&mirrors, json(strbuf_get(&deep)));
	assert_int_equal(mirrors.n, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_learned),
		cmocka_unit_test(test_bad_annotations),
		cmocka_unit_test(test_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
