/* uri: targets of requests, authorities, decoding. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>

#include "shared/alloc.h"
#include "shared/uri.h"

#define TEXT(literal) (literal), sizeof(literal) - 1

static void assert_span(const char *of, struct span span, const char *expected)
{
	if (!expected && !span.at)
		return;
	if (!expected || !span_is(span, expected))
		fail_msg("%s: '%.*s', not '%s'", of, (int)span.len, span.at ? span.at : "",
			expected ? expected : "(absent)");
}

static void splits_targets(void **state)
{
	static const struct {
		const char *target, *authority, *path, *query;
	} targets[] = {
		{ "/", NULL, "/", NULL },
		{ "/sse", NULL, "/sse", NULL },
		{ "/messages?session_id=1", NULL, "/messages", "session_id=1" },
		{ "/a?", NULL, "/a", "" },
		{ "/a?b?c", NULL, "/a", "b?c" },
		{ "//a", NULL, "//a", NULL },
		{ "/a/../b/%2e%2E", NULL, "/a/../b/%2e%2E", NULL },
		{ "/-._~!$&'()*+,;=:@%20", NULL, "/-._~!$&'()*+,;=:@%20", NULL },
		{ "/a?{x}|[1]^`\"<>\\", NULL, "/a", "{x}|[1]^`\"<>\\" },
		{ "/%00%0f%aF%Fa?%00", NULL, "/%00%0f%aF%Fa", "%00" },
		{ "http://h/p?q", "h", "/p", "q" },
		{ "HTTPS://h.example:80/p", "h.example:80", "/p", NULL },
		{ "http://[::1]:1/", "[::1]:1", "/", NULL },
		{ "http://h", "h", "/", NULL },
		{ "http://h?q", "h", "/", "q" },
	};

	for (size_t i = 0; i < N_ELEMENTS(targets); i++) {
		const char *target = targets[i].target;
		struct uri_target split;

		if (uri_split(target, strlen(target), &split) < 0)
			fail_msg("refused: %s", target);
		assert_span(target, split.authority, targets[i].authority);
		assert_span(target, split.path, targets[i].path);
		assert_span(target, split.query, targets[i].query);
	}
}

static void refuses_targets(void **state)
{
	static const struct {
		const char *at;
		size_t len;
	} targets[] = {
		{ TEXT("") },
		{ TEXT("*") },
		{ TEXT("sse") },
		{ TEXT("?a") },
		{ TEXT("h:80") },
		{ TEXT("/a#b") },
		{ TEXT("/a?b#c") },
		{ TEXT("/a b") },
		{ TEXT("/a?b c") },
		{ TEXT("/a\tb") },
		{ TEXT("/a\0b") },
		{ TEXT("/a?\0") },
		{ TEXT("/a\x7f") },
		{ TEXT("/\xc3\xa9") },
		{ TEXT("/a?\xc3\xa9") },
		{ TEXT("/%") },
		{ TEXT("/%4") },
		{ TEXT("/%4g") },
		{ TEXT("/%g4") },
		{ TEXT("/a?%") },
		{ TEXT("/a?%1") },
		{ TEXT("/a%?20") },
		{ TEXT("/a\\b") },
		{ TEXT("/a{b}") },
		{ TEXT("/a<b>") },
		{ TEXT("/a[b]") },
		{ TEXT("ftp://h/") },
		{ TEXT("http:/h/") },
		{ TEXT("http://") },
		{ TEXT("http:///p") },
		{ TEXT("http://u@h/") },
		{ TEXT("http://h:x/") },
		{ TEXT("http://h#f") },
		{ TEXT("http://h\\/p") },
	};

	for (size_t i = 0; i < N_ELEMENTS(targets); i++) {
		auto_free char *copy = alloc_try(targets[i].len + 1);
		struct uri_target split;

		memcpy(copy, targets[i].at, targets[i].len);
		if (uri_split(copy, targets[i].len, &split) != -EINVAL)
			fail_msg("taken: %s", targets[i].at);
	}
}

static void splits_authorities(void **state)
{
	static const struct {
		const char *text, *host;
		int port;
	} good[] = {
		{ "localhost", "localhost", -1 },
		{ "localhost:", "localhost", -1 },
		{ "127.0.0.1:8000", "127.0.0.1", 8000 },
		{ "a_b-c.Example:0", "a_b-c.Example", 0 },
		{ "azAZ09.-_:9", "azAZ09.-_", 9 },
		{ "h:65535", "h", 65535 },
		{ "h:00080", "h", 80 },
		{ "[::1]", "[::1]", -1 },
		{ "[fe80::1:2]:443", "[fe80::1:2]", 443 },
		{ "[::ffff:1.2.3.4]", "[::ffff:1.2.3.4]", -1 },
	};
	static const char *const bad[] = { "", ":80", "h:65536", "h:99999999999999999999", "h:-1",
		"h:+1", "h: 1", "h:1 ", "h:1:2", " h", "h ", "u@h", "h/", "h,g", "h%41", "::1",
		"[::1", "[]", "[::1]x", "[::1]]", "[h]", "[::1%25lo]", "[1:2]", "\xc3\xa9",
		"[0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000]" };
	struct uri_authority split;

	for (size_t i = 0; i < N_ELEMENTS(good); i++) {
		if (uri_split_authority(good[i].text, strlen(good[i].text), &split) < 0)
			fail_msg("refused: %s", good[i].text);
		assert_span(good[i].text, split.host, good[i].host);
		assert_int_equal(split.port, good[i].port);
	}
	for (size_t i = 0; i < N_ELEMENTS(bad); i++)
		if (uri_split_authority(bad[i], strlen(bad[i]), &split) != -EINVAL)
			fail_msg("taken: %s", bad[i]);
	assert_int_equal(uri_split_authority(TEXT("[::1\0]"), &split), -EINVAL);
	assert_int_equal(uri_split_authority(TEXT("h\0:1"), &split), -EINVAL);
}

static struct span span_of(const char *text)
{
	return (struct span){ .at = text, .len = strlen(text) };
}

static void decodes_paths(void **state)
{
	static const char *const good[][2] = {
		{ "/", "/" },
		{ "/a%20b", "/a b" },
		{ "/%73se", "/sse" },
		{ "/%4f%4F%6a%6A", "/OOjj" },
		{ "/a+b", "/a+b" },
		{ "/%c3%A9", "/\xc3\xa9" },
		{ "/%2e%2e/%25", "/../%" },
		{ "", "" },
	};
	static const char *const bad[] = { "/%00", "/a%2Fb", "/a%2fb", "/%0a", "/%7F", "/%c3",
		"/%ff", "/%", "/%zz", "/\n" };

	for (size_t i = 0; i < N_ELEMENTS(good); i++) {
		auto_strbuf path = { 0 };

		assert_int_equal(uri_decode_path(span_of(good[i][0]), &path), 0);
		assert_string_equal(strbuf_get(&path), good[i][1]);
	}
	for (size_t i = 0; i < N_ELEMENTS(bad); i++) {
		auto_strbuf path = { 0 };

		strbuf_adds(&path, "kept");
		if (uri_decode_path(span_of(bad[i]), &path) != -EINVAL)
			fail_msg("taken: %s", bad[i]);
		assert_string_equal(strbuf_get(&path), "kept");
	}
	assert_int_equal(uri_decode_path((struct span){ 0 }, &(struct strbuf){ 0 }), -EINVAL);
}

static void finds_parameters(void **state)
{
	static const struct {
		const char *query;
		int r;
		const char *value;
	} queries[] = {
		{ "id=1", 0, "1" },
		{ "a=0&id=1&b=2", 0, "1" },
		{ "&&id=1&&", 0, "1" },
		{ "id=", 0, "" },
		{ "id", 0, "" },
		{ "id=a=b", 0, "a=b" },
		{ "%69d=%2Fa+b%26", 0, "/a b&" },
		{ "a=%00&id=1", 0, "1" },
		{ "", -ENOENT, "" },
		{ "i=1&idx=2&ID=3&=4", -ENOENT, "" },
		{ "id%00=1", -ENOENT, "" },
		{ "id=1&id=1", -EINVAL, "" },
		{ "id=1&i%64=2", -EINVAL, "" },
		{ "id=%00", -EINVAL, "" },
		{ "id=%ff", -EINVAL, "" },
		{ "id=%0d%0a", -EINVAL, "" },
		{ "id=%", -EINVAL, "" },
	};

	for (size_t i = 0; i < N_ELEMENTS(queries); i++) {
		auto_strbuf value = { 0 };

		if (uri_query_get(span_of(queries[i].query), "id", &value) != queries[i].r)
			fail_msg("%s: not %d", queries[i].query, queries[i].r);
		assert_string_equal(strbuf_get(&value), queries[i].value);
	}
	assert_int_equal(uri_query_get((struct span){ 0 }, "id", &(struct strbuf){ 0 }), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(splits_targets),
		cmocka_unit_test(refuses_targets),
		cmocka_unit_test(splits_authorities),
		cmocka_unit_test(decodes_paths),
		cmocka_unit_test(finds_parameters),
	};

	return cmocka_run_group_tests_name("uri", tests, NULL, NULL);
}
