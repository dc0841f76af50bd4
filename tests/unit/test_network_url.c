/* URLs: what is refused, what is made of the rest, where a redirect leads to; the header of an answer;
 * JSON with indents. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "shared/alloc.h"
#include "workers/network/content.h"
#include "workers/network/response.h"
#include "workers/network/url.h"

static void test_urls(void **state)
{
	static const struct {
		const char *url;
		const char *result; /* the normal URL, or a code of url_parse() or url_check() */
	} cases[] = {
		{ "http://example.org", "http://example.org/" },
		{ "HTTP://EXAMPLE.org:80/A", "http://example.org/A" },
		{ "https://example.org:443", "https://example.org/" },
		{ "https://example.org:80", "https://example.org:80/" },
		{ "http://example.org:/", "http://example.org/" },
		{ "http://example.org:0080/", "http://example.org/" },
		{ "http://u@example.org/", "http://example.org/" },
		{ "http://u:p@example.org/#f", "http://example.org/" },
		{ "http://u:p;o=1@example.org/", "http://example.org/" },
		{ "http://:@example.org/", "http://example.org/" },
		{ "http://example.org?a=/@b", "http://example.org/?a=/@b" },
		{ "http://example.org#@b", "http://example.org/" },
		{ "http://example.org/../a/./b", "http://example.org/a/b" },
		{ "http://example.org/a b", "http://example.org/a%20b" },
		{ "http://8.8.8.8/", "http://8.8.8.8/" },
		{ "http://[2606:0::1]/", "http://[2606::1]/" },
		{ "http://[::1]/", "address_refused" },
		{ "http://u:p@127.0.0.1/", "address_refused" },
		{ "http://017700000001/", "address_refused" },
		{ "http://0x7f.0x0.0x0.0x1/", "address_refused" },
		{ "http://1.2.3/", "address_refused" },
		{ "http://8.8.8.8./", "address_refused" },
		{ "http://example.1/", "address_refused" },
		{ "", "invalid_url" },
		{ "http", "invalid_url" },
		{ "http:", "invalid_url" },
		{ "http://", "invalid_url" },
		{ "http:///a", "invalid_url" },
		{ "http://?a", "invalid_url" },
		{ "http://:80/", "invalid_url" },
		{ "http://u@/", "invalid_url" },
		{ "http://a@b@c/", "invalid_url" },
		{ "http://a%2eb/", "invalid_url" },
		{ "http://u%40@a%20b/", "invalid_url" },
		{ "http://a\\b/", "invalid_url" },
		{ "http://a\\@b/", "invalid_url" },
		{ "http://[::1/", "invalid_url" },
		{ "http://[::1]x/", "invalid_url" },
		{ "http://[1.2.3.4]/", "invalid_url" },
		{ "http://[v1.x]/", "invalid_url" },
		{ "http://::1/", "invalid_url" },
		{ "http://a:0/", "invalid_url" },
		{ "http://a:65536/", "invalid_url" },
		{ "http://a:+80/", "invalid_url" },
		{ "http://a:8 0/", "invalid_url" },
		{ "http://a/\x01", "invalid_url" },
		{ "http://a/\x7f", "invalid_url" },
		{ "//a/", "invalid_url" },
		{ "/a", "invalid_url" },
		{ "1http://a/", "invalid_url" },
		{ "ht tp://a/", "invalid_url" },
		{ "ftp://a/", "scheme_refused" },
		{ "file:///a", "scheme_refused" },
		{ "httpx://a/", "scheme_refused" },
		{ "mailto:a@b", "scheme_refused" },
		{ "localhost:80", "scheme_refused" },
	};

	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		struct url url = { 0 };
		struct failure why = { 0 };
		int r = url_parse(cases[i].url, &url, &why);
		const char *got;

		if (r == 0)
			r = url_check(&url, &why);
		got = r == 0 ? url.text : why.code;
		if (!streq(got, cases[i].result))
			fail_msg("'%s': %s %s", cases[i].url, got, why.text);
		url_done(&url);
	}
}

static void test_passwords_are_not_repeated(void **state)
{
	static const char *const urls[] = { "http://u:s3cret@a..b/", "http://u:s3cret@/",
		"http:u:s3cret@x", "http://u:s3cret@a\\b/", "http://u:s3cret@[::1/",
		"http://u:s3cret@1.2/", "http://u:s3cret@a b/", "http://u:s3cret@a:99999/",
		"u:s3cret@a" };

	for (size_t i = 0; i < N_ELEMENTS(urls); i++) {
		struct url url = { 0 };
		struct failure why = { 0 };

		if (url_parse(urls[i], &url, &why) == 0)
			assert_int_not_equal(url_check(&url, &why), 0);
		if (strstr(why.text, "s3cret") || (url.text && strstr(url.text, "s3cret")))
			fail_msg("%s: %s", urls[i], why.text);
		url_done(&url);
	}
}

static void test_too_long(void **state)
{
	char text[URL_MAX_BYTES + 2];
	struct url url = { 0 };
	struct failure why;

	memset(text, 'a', sizeof(text) - 1);
	memcpy(text, "http://a/", 9);
	text[sizeof(text) - 1] = '\0';
	assert_int_equal(url_parse(text, &url, &why), -EINVAL);
	assert_string_equal(why.code, "invalid_url");
	url_done(&url);
	text[URL_MAX_BYTES] = '\0';
	assert_int_equal(url_parse(text, &url, &why), 0);
	url_done(&url);
}

static void test_redirects(void **state)
{
	static const struct {
		const char *location;
		const char *result;
	} cases[] = {
		{ "c", "https://a.org:8443/x/c" },
		{ "/c d", "https://a.org:8443/c%20d" },
		{ "../../c", "https://a.org:8443/c" },
		{ "?c", "https://a.org:8443/x/y?c" },
		{ "//b.org/c", "https://b.org/c" },
		{ "//u:p@b.org/c", "https://b.org/c" },
		{ "http://b.org", "http://b.org/" },
		{ "ftp://b.org", "ftp://b.org/" },
		{ "\\\\b.org", "https://a.org:8443/x/\\\\b.org" },
		{ "/\\b.org", "https://a.org:8443/\\b.org" },
		{ "..//b.org", "https://a.org:8443//b.org" },
		{ "http:b.org", "invalid_url" },
		{ "http:///b.org", "invalid_url" },
		{ "//b%2eorg/", "invalid_url" },
		{ "///b.org", "invalid_url" },
		{ "/\tb", "invalid_url" },
		{ "javascript:x", "scheme_refused" },
	};
	struct url from = { 0 };
	struct failure why = { 0 };

	assert_int_equal(url_parse("https://a.org:8443/x/y?z", &from, &why), 0);
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		struct url to = { 0 };
		int r = url_resolve(&from, cases[i].location, &to, &why);
		const char *got = r == 0 ? to.text : why.code;

		if (!streq(got, cases[i].result))
			fail_msg("'%s': %s %s", cases[i].location, got, why.text);
		url_done(&to);
	}
	url_done(&from);
}

static void add(struct response *response, const char *line)
{
	response_add_line(response, line, strlen(line));
}

static void test_response(void **state)
{
	auto_response response = { 0 };
	const char *name = NULL;
	const char *value = NULL;
	size_t cursor = 0;
	size_t len = 0;
	size_t n = 0;

	assert_null(response_header(&response, "A"));
	assert_string_equal(response_reason(&response), "");
	add(&response, "HTTP/1.1 103 Early Hints\r\n");
	add(&response, "Location: /early\r\n");
	add(&response, "\r\n");
	add(&response, "HTTP/1.1 200\r\n");
	assert_string_equal(response_reason(&response), "");
	assert_null(response_header(&response, "Location"));
	add(&response, "HTTP/1.1 404 Not here at all\r\n");
	add(&response, "content-TYPE: \t text/html \r\n");
	add(&response, "Empty:\r\n");
	add(&response, " folded: x\r\n");
	add(&response, "no colon\r\n");
	add(&response, ": no name\r\n");
	add(&response, "blank : x\r\n");
	response_add_line(&response, "Nul: a\0b\r\n", 10);
	add(&response, "Forged: a\rHTTP/1.1 200 OK\x1b[0m\t\x7f \t \r\n");
	add(&response, "Empty: second\r\n");
	assert_string_equal(response_reason(&response), "Not here at all");
	assert_string_equal(response_header(&response, "Content-Type"), "text/html");
	assert_string_equal(response_header(&response, "empty"), "");
	assert_null(response_header(&response, "Nul"));
	assert_string_equal(response_header(&response, "Forged"), "a HTTP/1.1 200 OK [0m  ");
	assert_null(response_header(&response, "blank"));
	while (response_next_header(&response, &cursor, &name, &len, &value))
		n++;
	assert_int_equal(n, 4);
}

static void test_codings(void **state)
{
	static const struct {
		const char *line;
		size_t n;
	} cases[] = {
		{ "Content-Encoding: gzip\r\n", 1 },
		{ "content-ENCODING:gzip,deflate\r\n", 2 },
		{ "Content-Encoding: x , , y\t,\r\n", 2 },
		{ "Content-Encoding: gzip gzip\r\n", 2 },
		{ "Content-Encoding: identity, GZIP, Identity\r\n", 1 },
		{ "Content-Encoding:\r\n", 0 },
		{ "Content-Encoding", 0 },
		{ "Transfer-Encoding: gzip, Chunked\r\n", 1 },
		{ "Transfer-Encoding: chunked\r\n", 0 },
		{ "X-Content-Encoding: gzip, gzip\r\n", 0 },
		{ "Content-Encodings: gzip, gzip\r\n", 0 },
		{ "", 0 },
	};
	static const char nul[] = "Content-Encoding: gzip\0, gzip";

	for (size_t i = 0; i < N_ELEMENTS(cases); i++)
		if (response_line_codings(cases[i].line, strlen(cases[i].line)) != cases[i].n)
			fail_msg("not %zu: %s", cases[i].n, cases[i].line);
	/* libcurl may read up to the NUL or past it: both are counted. */
	assert_int_equal(response_line_codings(nul, sizeof(nul) - 1), 2);
}

static void test_json(void **state)
{
	static const struct {
		const char *json, *indented;
	} cases[] = {
		{ "1", "1" },
		{ " \"a\\\"b,{\" ", "\"a\\\"b,{\"" },
		{ "[]", "[]" },
		{ "[ ]", "[]" },
		{ "{ }", "{}" },
		{ "[1,2]", "[\n  1,\n  2\n]" },
		{ "{\"a\" : [ {\"b\":1e400} ] ,\n\"a\":null}",
			"{\n  \"a\": [\n    {\n      \"b\": 1e400\n    }\n  ],\n  \"a\": null\n}" },
		/* Not JSON: it ends, whatever comes out. */
		{ "]]", "\n]\n]" },
		{ "\"x", "\"x" },
		{ "\"\\", "\"\\" },
	};

	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		auto_strbuf out = { 0 };

		content_indent_json(&out, cases[i].json, strlen(cases[i].json));
		assert_string_equal(strbuf_get(&out), cases[i].indented);
	}
}

/* A number deep down is one byte, and its line thousands. */
static void test_json_is_not_multiplied(void **state)
{
	enum { NUMBERS = 50000 };
	const size_t depth = 2000;
	auto_strbuf json = { 0 };
	auto_strbuf out = { 0 };

	for (size_t i = 0; i < depth; i++)
		strbuf_addc(&json, '[');
	for (int i = 0; i < NUMBERS; i++)
		strbuf_adds(&json, "1,");
	strbuf_adds(&json, "1");
	for (size_t i = 0; i < depth; i++)
		strbuf_addc(&json, ']');
	content_indent_json(&out, json.data, json.len);
	assert_in_range(out.len, CONTENT_INDENT_BYTES, CONTENT_INDENT_BYTES + 2 * json.len);
	assert_string_equal(out.data + out.len - 2 * depth, json.data + json.len - 2 * depth);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_urls),
		cmocka_unit_test(test_passwords_are_not_repeated),
		cmocka_unit_test(test_too_long),
		cmocka_unit_test(test_redirects),
		cmocka_unit_test(test_response),
		cmocka_unit_test(test_codings),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_json_is_not_multiplied),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
