/* Tools encoding_*, hash_compute and random_token. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "shared/alloc.h"
#include "tests/unit/fake_call.h"
#include "workers/common/digest.h"
#include "workers/utils/encoding.h"
#include "workers/utils/tools.h"

static const struct {
	const char *encoding;
	const char *plain;
	const char *encoded;
} both_ways[] = {
	{ "base64",
		"Gr\xc3\xbc\xc3\x9f"
		"e?",
		"R3LDvMOfZT8=" },
	{ "base64url",
		"Gr\xc3\xbc\xc3\x9f"
		"e?",
		"R3LDvMOfZT8" },
	{ "hex", "\x01\x7f ab\xc3\xa4", "017f206162c3a4" },
	{ "hex", "", "" },
	{ "url", "a b/c?d=\xc3\xa4&e+f-._~", "a%20b%2Fc%3Fd%3D%C3%A4%26e%2Bf-._~" },
	{ "html", "<a href=\"x\">Tom & 'Ann'</a> \xc3\xa4",
		"&lt;a href=&quot;x&quot;&gt;Tom &amp; &#39;Ann&#39;&lt;/a&gt; \xc3\xa4" },
};

static void test_both_ways(void **state)
{
	for (size_t i = 0; i < N_ELEMENTS(both_ways); i++) {
		auto_strbuf encoded = { 0 };
		auto_strbuf plain = { 0 };
		size_t wrong = 0;

		encoding_encode_bytes(both_ways[i].encoding, both_ways[i].plain,
			strlen(both_ways[i].plain), &encoded);
		assert_string_equal(strbuf_get(&encoded), both_ways[i].encoded);
		assert_int_equal(encoding_decode_text(both_ways[i].encoding, strbuf_get(&encoded),
					 encoded.len, &plain, &wrong),
			0);
		assert_string_equal(strbuf_get(&plain), both_ways[i].plain);
	}
}

static const struct {
	const char *encoding;
	const char *text;
	const char *want;
} decodings[] = {
	{ "hex", "C3A4", "\xc3\xa4" },
	{ "url", "%c3%A4+%41", "\xc3\xa4+A" },
	{ "url", "\xc3\xa4", "\xc3\xa4" },
	{ "html", "&lt;&gt;&amp;&quot;&apos;&#65;&#x42;&#X43;", "<>&\"'ABC" },
	{ "html", "&AElig;&zwnj;&euro;&thetasym;&there4;",
		"\xc3\x86\xe2\x80\x8c\xe2\x82\xac\xcf\x91\xe2\x88\xb4" },
	{ "html", "&#x1F600;&#228;&#8364;", "\xf0\x9f\x98\x80\xc3\xa4\xe2\x82\xac" },
	{ "html", "&#128;&#x9f;&#129;", "\xe2\x82\xac\xc5\xb8\xc2\x81" }, /* windows-1252 */
	{ "html", "&#0;&#xD800;&#x110000;&#99999999999999999999;",
		"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" },
	{ "html", "& &; &a; &amp &nosuchthing; &#; &#x; &#12 &#xg; &",
		"& &; &a; &amp &nosuchthing; "
		"&#; &#x; &#12 &#xg; &" },
	{ "html", "&amp;lt;", "&lt;" }, /* once only */
	{ "html", "&#", "&#" },
	{ "html", "&&lt;", "&<" },
};

static void test_decoding(void **state)
{
	for (size_t i = 0; i < N_ELEMENTS(decodings); i++) {
		/* A copy without room behind it, for the sanitizer. */
		size_t len = strlen(decodings[i].text);
		auto_free char *text = alloc_mem(decodings[i].text, len);
		auto_strbuf plain = { 0 };
		size_t wrong = 0;

		assert_int_equal(
			encoding_decode_text(decodings[i].encoding, text, len, &plain, &wrong), 0);
		assert_string_equal(strbuf_get(&plain), decodings[i].want);
	}
}

static const struct {
	const char *encoding;
	const char *text;
	size_t error_at;
} bad[] = {
	{ "base64", "ab!=", 2 },
	{ "base64url", "ab+-", 2 },
	{ "hex", "abc", 3 },
	{ "hex", "0x41", 1 },
	{ "hex", "4g", 1 },
	{ "hex", "41 42", 2 },
	{ "url", "a%", 1 },
	{ "url", "a%4", 1 },
	{ "url", "%41%g1", 3 },
	{ "url", "%%41", 0 },
};

static void test_bad_text(void **state)
{
	for (size_t i = 0; i < N_ELEMENTS(bad); i++) {
		auto_strbuf plain = { 0 };
		size_t wrong = 99;

		assert_int_equal(encoding_decode_text(bad[i].encoding, bad[i].text,
					 strlen(bad[i].text), &plain, &wrong),
			-EBADMSG);
		assert_int_equal(wrong, bad[i].error_at);
		assert_int_equal(plain.len, 0);
	}
}

static void test_decoding_tool(void **state)
{
	const struct fake_answer *a = fake_run(encoding_tools, "encoding_decode",
		"{\"text\":\"R3LDvMOfZT8=\",\"encoding\":\"base64\"}");

	assert_string_equal(fake_text("result"), "Gr\xc3\xbc\xc3\x9f"
						 "e?");
	assert_int_equal(json_integer_value(json_object_get(a->result, "bytes")), 8);
	a = fake_run(encoding_tools, "encoding_decode", "{\"text\":\"ff00\",\"encoding\":\"hex\"}");
	assert_null(json_object_get(a->result, "result"));
	assert_string_equal(fake_text("result_base64"), "/wA=");
	a = fake_run(encoding_tools, "encoding_decode", "{\"text\":\"4100\",\"encoding\":\"hex\"}");
	assert_int_equal(json_string_length(json_object_get(a->result, "result")), 2);
	a = fake_run(encoding_tools, "encoding_decode", "{\"text\":\"\",\"encoding\":\"base64\"}");
	assert_int_equal(json_integer_value(json_object_get(a->result, "bytes")), 0);
}

static void test_decoding_tool_refuses(void **state)
{
	const struct fake_answer *a = fake_run(encoding_tools, "encoding_decode",
		"{\"text\":\"\xc3\xa4%zz\",\"encoding\":\"url\"}");

	assert_string_equal(a->code, "invalid_argument");
	assert_string_equal(a->error,
		"'text' is no url: character 2 is wrong. Correct it, or name another encoding.");
	a = fake_run(
		encoding_tools, "encoding_decode", "{\"text\":\"Zg\",\"encoding\":\"base64\"}");
	assert_string_equal(a->error,
		"'text' is no base64: it ends too early, behind character 2. Give all of it.");
	a = fake_run(encoding_tools, "encoding_decode", "{\"text\":\"\",\"encoding\":\"rot13\"}");
	assert_string_equal(a->code, "invalid_argument");
}

static void test_encoding_tool(void **state)
{
	enum { N = 1024 * 1024 };
	auto_free char *text = alloc_zero(N + 1);
	auto_free char *args = NULL;
	const struct fake_answer *a;

	(void)fake_run(
		encoding_tools, "encoding_encode", "{\"text\":\"a b\",\"encoding\":\"url\"}");
	assert_string_equal(fake_text("result"), "a%20b");
	memset(text, '\'', N);
	args = alloc_printf("{\"text\":\"%s\",\"encoding\":\"html\"}", text);
	a = fake_run(encoding_tools, "encoding_encode", args);
	assert_string_equal(a->code, "too_large");
}

static const struct {
	const char *algorithm;
	const char *want;
} hashes[] = {
	{ "md5", "900150983cd24fb0d6963f7d28e17f72" },
	{ "sha1", "a9993e364706816aba3e25717850c26c9cd0d89d" },
	{ "sha224", "23097d223405d8228642a477bda255b32aadbce4bda0b3f7e36c9da7" },
	{ "sha256", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
	{ "sha384",
		"cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2"
		"358baeca134c825a7" },
	{ "sha512",
		"ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a"
		"836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f" },
	{ "crc32", "352441c2" },
};

static void test_hash_tool(void **state)
{
	for (size_t i = 0; i < N_ELEMENTS(hashes); i++) {
		auto_free char *args = alloc_printf(
			"{\"text\":\"abc\",\"algorithm\":\"%s\"}", hashes[i].algorithm);
		const struct fake_answer *a = fake_run(hash_tools, "hash_compute", args);

		assert_string_equal(fake_text("result"), hashes[i].want);
		assert_string_equal(fake_text("algorithm"), hashes[i].algorithm);
		assert_int_equal(json_integer_value(json_object_get(a->result, "bytes")), 3);
	}
	(void)fake_run(hash_tools, "hash_compute", "{\"data_base64\":\"YWJj\"}");
	assert_string_equal(fake_text("result"), hashes[3].want);
	(void)fake_run(hash_tools, "hash_compute", "{\"text\":\"\"}");
	assert_string_equal(fake_text("result"),
		"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	(void)fake_run(hash_tools, "hash_compute", "{\"data_base64\":\"\"}");
	assert_string_equal(fake_text("result"),
		"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

static void test_hash_tool_refuses(void **state)
{
	static const char *const bad_args[] = { "{}", "{\"text\":\"a\",\"data_base64\":\"YQ==\"}",
		"{\"data_base64\":\"YQ\"}", "{\"text\":\"a\",\"algorithm\":\"sha3\"}",
		"{\"text\":\"a\",\"algorithm\":\"SHA1\"}" };

	for (size_t i = 0; i < N_ELEMENTS(bad_args); i++) {
		const struct fake_answer *a = fake_run(hash_tools, "hash_compute", bad_args[i]);

		assert_string_equal(a->code, "invalid_argument");
	}
}

static void test_unknown_digest(void **state)
{
	uint8_t digest[DIGEST_MAX_BYTES];
	size_t n = 0;

	assert_int_equal(digest_compute("no-such-hash", "", 0, digest, &n), -ENOTSUP);
}

static void test_crc32(void **state)
{
	assert_int_equal(digest_crc32("123456789", 9), 0xcbf43926);
	assert_int_equal(digest_crc32("", 0), 0);
}

static void test_token_tool(void **state)
{
	auto_free char *first = NULL;

	(void)fake_run(random_tools, "random_token", "{}");
	assert_int_equal(strlen(fake_text("result")), 43);
	first = alloc_str(fake_text("result"));
	(void)fake_run(random_tools, "random_token", "{}");
	assert_string_not_equal(first, fake_text("result"));
	(void)fake_run(random_tools, "random_token", "{\"bytes\":1024,\"encoding\":\"hex\"}");
	assert_int_equal(strlen(fake_text("result")), 2048);
	(void)fake_run(random_tools, "random_token", "{\"bytes\":1,\"encoding\":\"base64\"}");
	assert_int_equal(strlen(fake_text("result")), 4);
	assert_non_null(fake_run(random_tools, "random_token", "{\"bytes\":0}")->code);
	assert_non_null(fake_run(random_tools, "random_token", "{\"bytes\":1025}")->code);
	assert_non_null(fake_run(random_tools, "random_token", "{\"encoding\":\"html\"}")->code);
}

static int tear_down(void **state)
{
	fake_done();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_both_ways),
		cmocka_unit_test(test_decoding),
		cmocka_unit_test(test_bad_text),
		cmocka_unit_test(test_decoding_tool),
		cmocka_unit_test(test_decoding_tool_refuses),
		cmocka_unit_test(test_encoding_tool),
		cmocka_unit_test(test_hash_tool),
		cmocka_unit_test(test_hash_tool_refuses),
		cmocka_unit_test(test_unknown_digest),
		cmocka_unit_test(test_crc32),
		cmocka_unit_test(test_token_tool),
	};

	return cmocka_run_group_tests(tests, NULL, tear_down);
}
