/* Tools string_*: Unicode, counting, replacing, naming styles, diffs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "shared/strbuf.h"
#include "tests/unit/fake_call.h"
#include "workers/utils/naming.h"
#include "workers/utils/text.h"
#include "workers/utils/tools.h"

enum { MUCH = 4194304 };

static const struct {
	const char *tool;
	const char *args;
	const char *result;
} results[] = {
	{ "string_to_upper", "{\"text\":\"Straße ﬁx\"}", "STRASSE FIX" },
	{ "string_to_upper", "{\"text\":\"\"}", "" },
	{ "string_to_lower", "{\"text\":\"ΟΔΥΣΣΕΥΣ ΣΑΣ\"}", "οδυσσευς σας" },
	{ "string_to_lower", "{\"text\":\"ÄÖÜ I\"}", "äöü i" },
	{ "string_trim", "{\"text\":\" \\t\\u00a0\\u2003a b\\u3000\\n\"}", "a b" },
	{ "string_trim", "{\"text\":\"é\"}", "é" },
	{ "string_trim", "{\"text\":\" \\u2028 \"}", "" },
	{ "string_trim", "{\"text\":\"\"}", "" },
	{ "string_reverse", "{\"text\":\"aé€😀\"}", "😀€éa" },
	{ "string_reverse", "{\"text\":\"\"}", "" },
	{ "string_replace", "{\"text\":\"aaaa\",\"old\":\"aa\",\"new\":\"b\"}", "bb" },
	{ "string_replace", "{\"text\":\"a.b.c\",\"old\":\".\",\"new\":\"\"}", "abc" },
	{ "string_replace", "{\"text\":\"abc\",\"old\":\"x\",\"new\":\"y\"}", "abc" },
	{ "string_replace", "{\"text\":\"\",\"old\":\"x\",\"new\":\"y\"}", "" },
};

static void test_results(void **state)
{
	for (size_t i = 0; i < N_ELEMENTS(results); i++) {
		const struct fake_answer *answer =
			fake_run(string_tools, results[i].tool, results[i].args);

		if (!answer->result)
			fail_msg("%s %s: %s", results[i].tool, results[i].args, answer->error);
		if (!streq(fake_text("result"), results[i].result))
			fail_msg("%s %s: '%s'", results[i].tool, results[i].args,
				fake_text("result"));
	}
}

static void test_refused(void **state)
{
	static const struct {
		const char *tool;
		const char *args;
	} cases[] = {
		{ "string_to_upper", "{}" },
		{ "string_replace", "{\"text\":\"a\",\"old\":\"\",\"new\":\"b\"}" },
		{ "string_replace", "{\"text\":\"a\",\"old\":\"a\"}" },
		{ "string_convert_case", "{\"text\":\"a\",\"to\":\"upper\"}" },
	};

	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		const struct fake_answer *answer =
			fake_run(string_tools, cases[i].tool, cases[i].args);

		assert_null(answer->result);
		assert_string_equal(answer->code, "invalid_argument");
	}
}

static void test_counts(void **state)
{
	static const struct {
		const char *text;
		struct text_counts counts;
	} cases[] = {
		{ "", { 0, 0, 0, 0 } },
		{ " ", { 0, 1, 0, 1 } },
		{ "one", { 1, 3, 3, 1 } },
		{ " zwei  Wörter\n", { 2, 14, 11, 1 } },
		{ "a\u00a0b\u2003c\td", { 4, 7, 7, 1 } },
		{ "a\n\nb", { 2, 4, 4, 3 } },
		{ "\r\n\r\n", { 0, 4, 4, 2 } },
	};

	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		struct text_counts got;

		text_count(cases[i].text, strlen(cases[i].text), &got);
		assert_int_equal(got.words, cases[i].counts.words);
		assert_int_equal(got.chars, cases[i].counts.chars);
		assert_int_equal(got.chars_no_spaces, cases[i].counts.chars_no_spaces);
		assert_int_equal(got.lines, cases[i].counts.lines);
	}
}

static void test_count_keys(void **state)
{
	const struct fake_answer *answer =
		fake_run(string_tools, "string_word_count", "{\"text\":\"zwei Wörter\"}");

	assert_non_null(answer->result);
	assert_int_equal(json_integer_value(json_object_get(answer->result, "word_count")), 2);
	assert_int_equal(json_integer_value(json_object_get(answer->result, "char_count")), 11);
	assert_int_equal(
		json_integer_value(json_object_get(answer->result, "char_count_no_spaces")), 10);
	assert_int_equal(json_integer_value(json_object_get(answer->result, "byte_count")), 12);
}

static void test_replace_limit(void **state)
{
	auto_strbuf out = { 0 };
	auto_strbuf more = { 0 };
	int64_t n = -1;

	assert_int_equal(text_replace("aaa", "a", "bb", 6, &out, &n), 0);
	assert_string_equal(strbuf_get(&out), "bbbbbb");
	assert_int_equal(n, 3);
	assert_true(text_replace("aaa", "a", "bb", 5, &more, &n) < 0);
	strbuf_cut(&more, 0);
	assert_true(text_replace("xaay", "aa", "b", 2, &more, &n) < 0);
}

static const struct {
	const char *text;
	const char *style;
	const char *want;
} names[] = {
	{ "hello world", "camel", "helloWorld" },
	{ "hello_world", "pascal", "HelloWorld" },
	{ "helloWorld", "snake", "hello_world" },
	{ "HelloWorld", "kebab", "hello-world" },
	{ "hello-world", "constant", "HELLO_WORLD" },
	{ "parseHTTPReply", "snake", "parse_http_reply" },
	{ "HTTP", "snake", "http" },
	{ "SHA256Hash", "kebab", "sha256-hash" },
	{ "utf8Decode", "snake", "utf8_decode" },
	{ "3D model", "snake", "3d_model" },
	{ "it's the DOG's day", "title", "It's The Dog's Day" },
	{ "it's", "snake", "its" },
	{ "'quoted' words", "title", "Quoted Words" },
	{ "  --  ", "snake", "" },
	{ "", "camel", "" },
	{ "'", "camel", "" },
	{ "ÄpfelUndÖl", "snake", "äpfel_und_öl" },
	{ "e\u0301coleNorme\u0301e", "snake", "e\u0301cole_norme\u0301e" },
	{ "Crème Brûlée!", "slug", "creme-brulee" },
	{ "JavaScript & C", "slug", "javascript-c" },
	{ "Straße ﬁx", "slug", "strasse-fix" },
	{ "Мой дом", "slug", "мой-дом" },
	{ "한국어", "slug", "한국어" },
	{ "\u0301", "slug", "\u0301" },
	{ "ǆungla", "title", "ǅungla" },
};

static void test_names(void **state)
{
	for (size_t i = 0; i < N_ELEMENTS(names); i++) {
		auto_strbuf out = { 0 };

		assert_int_equal(naming_convert(names[i].style, names[i].text,
					 strlen(names[i].text), MUCH, &out),
			0);
		if (!streq(strbuf_get(&out), names[i].want))
			fail_msg("%s as %s: '%s'", names[i].text, names[i].style, strbuf_get(&out));
	}
}

static void test_names_limit(void **state)
{
	auto_strbuf fits = { 0 };
	auto_strbuf out = { 0 };
	auto_strbuf slug = { 0 };
	auto_strbuf text = { 0 };

	assert_int_equal(naming_convert("snake", "a b", 3, 3, &fits), 0);
	assert_true(naming_convert("snake", "a b", 3, 2, &out) < 0);
	/* a character that becomes 18 */
	for (int i = 0; i < 200000; i++)
		strbuf_adds(&text, "\xef\xb7\xba");
	assert_true(naming_convert("slug", text.data, text.len, 1048576, &slug) < 0);
}

/* Marks at the border of two parts stay with their letters. */
static void test_long_slug(void **state)
{
	auto_strbuf text = { 0 };
	auto_strbuf want = { 0 };
	auto_strbuf out = { 0 };

	for (int i = 0; i < 100000; i++) {
		strbuf_adds(&text, "e\xcc\x81и\xcc\x86");
		strbuf_adds(&want, "eй");
	}
	assert_int_equal(naming_convert("slug", text.data, text.len, MUCH, &out), 0);
	assert_string_equal(strbuf_get(&out), strbuf_get(&want));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_results),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_counts),
		cmocka_unit_test(test_count_keys),
		cmocka_unit_test(test_replace_limit),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_names_limit),
		cmocka_unit_test(test_long_slug),
	};
	int failed = cmocka_run_group_tests_name("string tools", tests, NULL, NULL);

	fake_done();
	return failed;
}
