/* UTF-8: what is valid, counting, cutting, mending. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "shared/limits.h"
#include "shared/quote.h"
#include "shared/utf8.h"

static const struct {
	const char *bytes;
	const char *mended;
} cases[] = {
	{ "", "" },
	{ "plain text that is longer than a word", "plain text that is longer than a word" },
	{ "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80" },
	{ "\xf4\x8f\xbf\xbf", "\xf4\x8f\xbf\xbf" }, /* U+10FFFF */
	{ "12345678\xff"
	  "12345678",
		"12345678\xef\xbf\xbd"
		"12345678" },
	{ "\xc3", "\xef\xbf\xbd" },     /* cut short */
	{ "\xe2\x82", "\xef\xbf\xbd" }, /* one maximal subpart */
	{ "\xe2\x82x", "\xef\xbf\xbdx" },
	{ "\xc0\xaf", "\xef\xbf\xbd\xef\xbf\xbd" }, /* overlong */
	{ "\xe0\x80\xaf", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" },
	{ "\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" }, /* a surrogate */
	{ "\xf4\x90\x80\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" },
	{ "\xf0\x9f\x98", "\xef\xbf\xbd" },
	{ "a\x80z", "a\xef\xbf\xbdz" },
};

static void test_valid_and_repair(void **state)
{
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		auto_strbuf out = { 0 };
		size_t len = strlen(cases[i].bytes);

		utf8_repair(&out, cases[i].bytes, len);
		assert_string_equal(strbuf_get(&out), cases[i].mended);
		assert_int_equal(
			utf8_valid(cases[i].bytes, len), streq(cases[i].bytes, cases[i].mended));
		assert_true(utf8_valid(strbuf_get(&out), out.len));
	}
}

static void test_nul_is_a_character(void **state)
{
	assert_true(utf8_valid("a\0b", 3));
	assert_int_equal(utf8_count("a\0b", 3), 3);
}

static void test_count_and_cut(void **state)
{
	const char *text = "a\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80";

	assert_int_equal(utf8_count(text, strlen(text)), 4);
	assert_int_equal(utf8_cut(text, strlen(text), 0), 0);
	assert_int_equal(utf8_cut(text, strlen(text), 2), 3);
	assert_int_equal(utf8_cut(text, strlen(text), 3), 6);
	assert_int_equal(utf8_cut(text, strlen(text), 4), strlen(text));
	assert_int_equal(utf8_cut(text, strlen(text), 99), strlen(text));
}

static void test_next(void **state)
{
	assert_int_equal(utf8_next("", 0), 0);
	assert_int_equal(utf8_next("a", 1), 1);
	assert_int_equal(utf8_next("\xf0\x9f\x98\x80z", 5), 4);
	assert_int_equal(utf8_next("\xf0\x9f\x98\x80", 3), 0);
}

/* Every lead with every second byte: the mended text is always valid, and valid text stays. */
static void test_all_pairs(void **state)
{
	for (unsigned i = 0; i < 0x10000; i++) {
		const char bytes[4] = { (char)(i >> 8), (char)i, (char)0x80, (char)0x80 };
		auto_strbuf out = { 0 };

		utf8_repair(&out, bytes, sizeof(bytes));
		assert_true(utf8_valid(out.data, out.len));
		if (utf8_valid(bytes, sizeof(bytes)))
			assert_memory_equal(out.data, bytes, sizeof(bytes));
	}
}

static void test_quote(void **state)
{
	char buf[QUOTE_SIZE];
	char text[4 * LIMIT_QUOTED_CHARS];
	auto_strbuf out = { 0 };

	assert_string_equal(quote(buf, "a\"b\n\x1b\xff"), "\"a\\\"b\\n\\u001b\xef\xbf\xbd\"");
	memset(text, 'x', sizeof(text));
	quote_add(&out, text, sizeof(text));
	assert_int_equal(utf8_count(out.data, out.len), LIMIT_QUOTED_CHARS + 3);
	strbuf_cut(&out, 0);
	memset(text, 1, sizeof(text));
	quote_add(&out, text, sizeof(text));
	assert_true(out.len < QUOTE_SIZE);
	assert_true(utf8_valid(out.data, out.len));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_valid_and_repair),
		cmocka_unit_test(test_nul_is_a_character),
		cmocka_unit_test(test_count_and_cut),
		cmocka_unit_test(test_next),
		cmocka_unit_test(test_all_pairs),
		cmocka_unit_test(test_quote),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
