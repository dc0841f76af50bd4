/* Base64: the vectors of RFC 4648, strictness, places of errors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>

#include "shared/base64.h"

struct good {
	enum base64_kind kind;
	const char *bytes;
	size_t len;
	const char *text;
};

static const struct good both_ways[] = {
	{ BASE64_PLAIN, "", 0, "" },
	{ BASE64_PLAIN, "f", 1, "Zg==" },
	{ BASE64_PLAIN, "fo", 2, "Zm8=" },
	{ BASE64_PLAIN, "foo", 3, "Zm9v" },
	{ BASE64_PLAIN, "foob", 4, "Zm9vYg==" },
	{ BASE64_PLAIN, "fooba", 5, "Zm9vYmE=" },
	{ BASE64_PLAIN, "foobar", 6, "Zm9vYmFy" },
	{ BASE64_PLAIN, "\xfb\xff\xbe", 3, "+/++" },
	{ BASE64_PLAIN, "\0\0\0\0", 4, "AAAAAA==" },
	{ BASE64_URL, "", 0, "" },
	{ BASE64_URL, "f", 1, "Zg" },
	{ BASE64_URL, "fo", 2, "Zm8" },
	{ BASE64_URL, "foo", 3, "Zm9v" },
	{ BASE64_URL, "\xfb\xff\xbe\xff", 4, "-_--_w" },
};

static void test_encode_and_decode(void **state)
{
	for (size_t i = 0; i < N_ELEMENTS(both_ways); i++) {
		const struct good *g = &both_ways[i];
		auto_strbuf text = { 0 };
		auto_strbuf bytes = { 0 };

		strbuf_adds(&bytes, "before");
		base64_encode(g->kind, g->bytes, g->len, &text);
		assert_string_equal(strbuf_get(&text), g->text);
		assert_int_equal(base64_decode(g->kind, g->text, strlen(g->text), &bytes, NULL), 0);
		assert_int_equal(bytes.len, 6 + g->len);
		assert_memory_equal(bytes.data + 6, g->bytes, g->len);
	}
}

static void test_url_takes_padding(void **state)
{
	auto_strbuf bytes = { 0 };

	assert_int_equal(base64_decode(BASE64_URL, "Zg==", 4, &bytes, NULL), 0);
	assert_string_equal(bytes.data, "f");
}

static const struct {
	enum base64_kind kind;
	const char *text;
	size_t error_at;
} bad[] = {
	{ BASE64_PLAIN, "Zg", 2 },       /* no padding */
	{ BASE64_PLAIN, "Zg=", 2 },      /* half of it */
	{ BASE64_PLAIN, "Zg===", 2 },    /* too much */
	{ BASE64_PLAIN, "Zm9v====", 4 }, /* a group of nothing else */
	{ BASE64_PLAIN, "=", 0 },
	{ BASE64_PLAIN, "====", 0 },
	{ BASE64_PLAIN, "Z===", 1 },
	{ BASE64_PLAIN, "Zg==Zg==", 2 }, /* padding in the middle */
	{ BASE64_PLAIN, "Zm9", 3 },
	{ BASE64_PLAIN, "Zm9vY", 5 },
	{ BASE64_PLAIN, "Zh==", 1 }, /* bits that mean nothing */
	{ BASE64_PLAIN, "Zm9=", 2 },
	{ BASE64_PLAIN, "Zm 9v", 2 },
	{ BASE64_PLAIN, "Zm9v\n", 4 },
	{ BASE64_PLAIN, "-_--", 0 }, /* the other alphabet */
	{ BASE64_PLAIN, "Zm\xc3\xa4v", 2 },
	{ BASE64_URL, "+/++", 0 },
	{ BASE64_URL, "Z", 1 },
	{ BASE64_URL, "Zh", 1 },
	{ BASE64_URL, "Zg=", 2 },
	{ BASE64_URL, "=", 0 },
};

static void test_errors_have_a_place(void **state)
{
	for (size_t i = 0; i < N_ELEMENTS(bad); i++) {
		auto_strbuf bytes = { 0 };
		size_t at = 99;

		strbuf_adds(&bytes, "before");
		if (base64_decode(bad[i].kind, bad[i].text, strlen(bad[i].text), &bytes, &at) !=
			-EBADMSG)
			fail_msg("'%s' was taken", bad[i].text);
		if (at != bad[i].error_at)
			fail_msg("'%s' is wrong at %zu, not at %zu", bad[i].text, bad[i].error_at,
				at);
		assert_string_equal(bytes.data, "before");
	}
}

static void test_every_length(void **state)
{
	char bytes[64];

	for (size_t len = 0; len <= sizeof(bytes); len++) {
		auto_strbuf text = { 0 };
		auto_strbuf again = { 0 };

		for (size_t i = 0; i < len; i++)
			bytes[i] = (char)(i * 37 + len);
		base64_encode(BASE64_PLAIN, bytes, len, &text);
		assert_int_equal(text.len, (len + 2) / 3 * 4);
		assert_int_equal(
			base64_decode(BASE64_PLAIN, strbuf_get(&text), text.len, &again, NULL), 0);
		assert_int_equal(again.len, len);
		assert_memory_equal(strbuf_get(&again), bytes, len);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_encode_and_decode),
		cmocka_unit_test(test_url_takes_padding),
		cmocka_unit_test(test_errors_have_a_place),
		cmocka_unit_test(test_every_length),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
