/* What a page of another origin is granted: preflights, with names that the stateless revision makes up, and answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "supervisor/front/cors.h"
#include "tests/unit/head_text.h"

static const char page[] = "https://page.example";

static struct span span_of(const char *text)
{
	return (struct span){ .at = text, .len = strlen(text) };
}

static void ask(
	const char *method, const char *fields, char *text, size_t size, struct http1_request *ret)
{
	(void)snprintf(text, size, "%s /mcp HTTP/1.1\r\nHost: a\r\n%s\r\n", method, fields);
	assert_true(parse_head(text, ret));
}

static void test_what_is_a_preflight(void **unused)
{
	static const struct {
		const char *method;
		const char *fields;
		bool expected;
	} cases[] = {
		{ "OPTIONS", "Origin: https://a\r\nAccess-Control-Request-Method: POST\r\n", true },
		{ "OPTIONS", "Origin: https://a\r\n", false },
		{ "OPTIONS", "Access-Control-Request-Method: POST\r\n", false },
		{ "GET", "Origin: https://a\r\nAccess-Control-Request-Method: POST\r\n", false },
	};

	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		char text[500];
		struct http1_request req;

		ask(cases[i].method, cases[i].fields, text, sizeof(text), &req);
		assert_int_equal(cors_is_preflight(&req), cases[i].expected);
	}
}

/* The value of Access-Control-Allow-Headers when these are asked for. */
static const char *allowed_headers(const char *asked)
{
	static const char name[] = "Access-Control-Allow-Headers: ";
	static char value[4000];
	char fields[3000];
	char text[4000];
	struct http1_request req;
	auto_strbuf out = { 0 };
	const char *at;

	(void)snprintf(fields, sizeof(fields), "Access-Control-Request-Headers: %s\r\n", asked);
	ask("OPTIONS", fields, text, sizeof(text), &req);
	cors_add_preflight(&out, &req, span_of(page));
	at = strstr(strbuf_get(&out), name);
	assert_non_null(at);
	assert_null(strstr(at + 1, name));
	at += sizeof(name) - 1;
	(void)snprintf(value, sizeof(value), "%.*s", (int)strcspn(at, "\r"), at);
	return value;
}

static void test_param_headers(void **unused)
{
	const char *none = allowed_headers("");
	char many[2000] = "";
	const char *value;
	unsigned n = 0;

	assert_non_null(strstr(none, "Mcp-Session-Id"));
	assert_null(strstr(none, "Param"));
	value = allowed_headers("authorization, mcp-param-region,\tMCP-PARAM-a_b-1 ,, x-evil");
	assert_string_equal(strstr(value, "baggage"), "baggage, mcp-param-region, MCP-PARAM-a_b-1");
	value = allowed_headers(
		"mcp-param-, mcp-param-a b, mcp-param-a:b, mcp-param-\xc3\xa4, mcp-paramx");
	assert_string_equal(strstr(value, "baggage"), "baggage");
	for (int i = 0; i < 100; i++)
		(void)snprintf(
			many + strlen(many), sizeof(many) - strlen(many), "mcp-param-%d,", i);
	value = allowed_headers(many);
	for (const char *at = value; (at = strstr(at, "mcp-param-")); at++)
		n++;
	assert_int_equal(n, 32);
}

static void test_preflight(void **unused)
{
	struct http1_request req;
	char text[300];
	auto_strbuf out = { 0 };

	ask("OPTIONS", "", text, sizeof(text), &req);
	cors_add_preflight(&out, &req, span_of(page));
	assert_memory_equal(out.data,
		"Access-Control-Allow-Origin: https://page.example\r\n"
		"Vary: Origin\r\n"
		"Access-Control-Allow-Methods: GET, HEAD, POST, DELETE\r\n",
		strlen("Access-Control-Allow-Origin: https://page.example\r\nVary: Origin\r\n"));
	assert_non_null(strstr(out.data, "\r\nAccess-Control-Max-Age: "));
	assert_null(strstr(out.data, "Allow-Credentials"));
}

static void test_grants(void **unused)
{
	auto_strbuf out = { 0 };

	cors_add_grants(&out, span_of(page));
	assert_string_equal(out.data,
		"Access-Control-Allow-Origin: https://page.example\r\nVary: Origin\r\n"
		"Access-Control-Expose-Headers: Mcp-Session-Id, WWW-Authenticate, Retry-After\r\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_a_preflight),
		cmocka_unit_test(test_param_headers),
		cmocka_unit_test(test_preflight),
		cmocka_unit_test(test_grants),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
