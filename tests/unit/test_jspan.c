/* jspan: what is JSON and what is not, and finding members without a tree. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>

#include "shared/alloc.h"
#include "shared/jspan.h"
#include "shared/limits.h"

#define TEXT(literal) (literal), sizeof(literal) - 1

struct text {
	const char *at;
	size_t len;
};

/* The check runs on a copy without a NUL behind, so that a sanitizer sees a step too far. */
static int check_copy(const char *text, size_t len, size_t *ret_error_at)
{
	auto_free char *copy = alloc_try(len ? len : 1);
	struct jspan value;

	assert_non_null(copy);
	memcpy(copy, text, len);
	return jspan_check(copy, len, &value, ret_error_at);
}

static struct jspan checked(const char *text)
{
	struct jspan value;

	assert_int_equal(jspan_check(text, strlen(text), &value, NULL), 0);
	return value;
}

static void takes_what_is_json(void **state)
{
	static const struct text texts[] = {
		{ TEXT("{}") },
		{ TEXT("[]") },
		{ TEXT("\"\"") },
		{ TEXT("0") },
		{ TEXT("-0") },
		{ TEXT("-0.0e-0") },
		{ TEXT("1E+9") },
		{ TEXT("1e999") },
		{ TEXT("123456789012345678901234567890") },
		{ TEXT("0.25") },
		{ TEXT("true") },
		{ TEXT("false") },
		{ TEXT("null") },
		{ TEXT(" \t\r\n{ \"a\" : [ 1 , 2 , { } , [ ] ] } \n") },
		{ TEXT("[[[]],[{}]]") },
		{ TEXT("{\"a\":{\"b\":[{\"c\":null}]},\"a\":1}") },
		{ TEXT("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"") },
		{ TEXT("\"\\u0000\\u00e9\\uFFFF\\ud83d\\ude00\"") },
		{ TEXT("\"\\ud800\\udc00\\udbff\\udfff\\ud7ff\\ue000\"") },
		{ TEXT("\"\xc2\x80\xdf\xbf\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf\"") },
		{ TEXT("\"\xf0\x90\x80\x80\xf4\x8f\xbf\xbf\"") },
		{ TEXT("\"\x7f is a character\"") },
		{ TEXT("\"0123456\"") },
		{ TEXT("\"01234567\"") },
		{ TEXT("\"012345678901234567890123456789\"") },
	};

	for (size_t i = 0; i < N_ELEMENTS(texts); i++)
		if (check_copy(texts[i].at, texts[i].len, NULL) < 0)
			fail_msg("refused: %s", texts[i].at);
}

static void refuses_what_is_not(void **state)
{
	static const struct {
		const char *at;
		size_t len;
		size_t error_at;
	} texts[] = {
		{ TEXT(""), 0 },
		{ TEXT("  "), 2 },
		{ TEXT("{"), 1 },
		{ TEXT("["), 1 },
		{ TEXT("[1"), 2 },
		{ TEXT("[1,"), 3 },
		{ TEXT("[1,]"), 3 },
		{ TEXT("[,1]"), 1 },
		{ TEXT("[1 2]"), 3 },
		{ TEXT("[1}"), 2 },
		{ TEXT("{]"), 1 },
		{ TEXT("{\"a\":1]"), 6 },
		{ TEXT("{\"a\"}"), 4 },
		{ TEXT("{\"a\":}"), 5 },
		{ TEXT("{\"a\" 1}"), 5 },
		{ TEXT("{\"a\":1,}"), 7 },
		{ TEXT("{\"a\":1,2:3}"), 7 },
		{ TEXT("{a:1}"), 1 },
		{ TEXT("{'a':1}"), 1 },
		{ TEXT("{} {}"), 3 },
		{ TEXT("1 2"), 2 },
		{ TEXT("]"), 0 },
		{ TEXT("01"), 1 },
		{ TEXT("-"), 1 },
		{ TEXT("-a"), 1 },
		{ TEXT("+1"), 0 },
		{ TEXT(".5"), 0 },
		{ TEXT("1."), 2 },
		{ TEXT("1.e1"), 2 },
		{ TEXT("1e"), 2 },
		{ TEXT("1e+"), 3 },
		{ TEXT("1e+-1"), 3 },
		{ TEXT("0x5"), 1 },
		{ TEXT("NaN"), 0 },
		{ TEXT("Infinity"), 0 },
		{ TEXT("nul"), 3 },
		{ TEXT("nulL"), 3 },
		{ TEXT("truefalse"), 4 },
		{ TEXT("True"), 0 },
		{ TEXT("\""), 1 },
		{ TEXT("\"abc"), 4 },
		{ TEXT("\"\\\""), 3 },
		{ TEXT("\"\\"), 1 },
		{ TEXT("\"\\x41\""), 1 },
		{ TEXT("\"\\\0\""), 1 },
		{ TEXT("\"\\u12\""), 1 },
		{ TEXT("\"\\u12g4\""), 1 },
		{ TEXT("\"\\ud800\""), 1 },
		{ TEXT("\"\\ud800x\""), 1 },
		{ TEXT("\"\\ud800\\n\""), 1 },
		{ TEXT("\"\\ud800\\ud800\""), 1 },
		{ TEXT("\"\\udc00\""), 1 },
		{ TEXT("\"a\nb\""), 2 },
		{ TEXT("\"a\tb\""), 2 },
		{ TEXT("\"a\0b\""), 2 },
		{ TEXT("\"0123456789\x1f\""), 11 },
		{ TEXT("\0"), 0 },
		{ TEXT("1\0"), 1 },
		{ TEXT("\xef\xbb\xbf{}"), 0 },
		{ TEXT("\xfe\xff\0{\0}"), 0 },
		{ TEXT("\"\x80\""), 1 },
		{ TEXT("\"\xc0\x80\""), 1 },
		{ TEXT("\"\xc1\xbf\""), 1 },
		{ TEXT("\"\xc2\""), 1 },
		{ TEXT("\"\xc2\xc2\""), 1 },
		{ TEXT("\"\xc2"), 1 },
		{ TEXT("\"\xe0\x9f\xbf\""), 1 },
		{ TEXT("\"\xe1\x80\""), 1 },
		{ TEXT("\"\xed\xa0\x80\""), 1 },
		{ TEXT("\"\xf0\x8f\xbf\xbf\""), 1 },
		{ TEXT("\"\xf4\x90\x80\x80\""), 1 },
		{ TEXT("\"\xf5\x80\x80\x80\""), 1 },
		{ TEXT("\"\xf0\x90\x80\""), 1 },
		{ TEXT("\"\xff\""), 1 },
		{ TEXT("/* no */ 1"), 0 },
		{ TEXT("1 // no"), 2 },
	};

	for (size_t i = 0; i < N_ELEMENTS(texts); i++) {
		size_t error_at = SIZE_MAX;

		if (check_copy(texts[i].at, texts[i].len, &error_at) != -EBADMSG)
			fail_msg("taken: %s", texts[i].at);
		if (error_at != texts[i].error_at)
			fail_msg("%s: wrong at %zu, not at %zu", texts[i].at, texts[i].error_at,
				error_at);
	}
	assert_int_equal(jspan_check(NULL, 0, &(struct jspan){ 0 }, NULL), -EBADMSG);
}

/* Each byte that ends plain text is found at each place of the eight that are looked at together. */
static void finds_special_bytes_everywhere(void **state)
{
	static const char bad[] = { '\0', '\n', 0x1f, (char)0x80, (char)0xff };

	for (size_t len = 1; len < 40; len++) {
		for (size_t at = 0; at < len; at++) {
			char text[48];
			size_t error_at = SIZE_MAX;

			memset(text, 'x', sizeof(text));
			text[0] = '"';
			text[len + 1] = '"';
			for (size_t i = 0; i < sizeof(bad); i++) {
				text[at + 1] = bad[i];
				assert_int_equal(check_copy(text, len + 2, &error_at), -EBADMSG);
				assert_int_equal(error_at, at + 1);
			}
			text[at + 1] = '"'; /* ends the string too early */
			assert_int_equal(check_copy(text, len + 2, &error_at), -EBADMSG);
			assert_int_equal(error_at, at + 2);
			text[at + 1] = '\\'; /* hides the next byte, which may be the last quote */
			assert_int_equal(check_copy(text, len + 2, &error_at), -EBADMSG);
			assert_int_equal(error_at, at + 1 < len ? at + 1 : len + 2);
		}
	}
}

/* Every prefix of a valid text is refused, and no check reads behind its end. */
static void refuses_each_prefix(void **state)
{
	static const char text[] =
		"{\"k\\u00e9y\":[-1.5e+3,true,null,\"\xe2\x82\xac\\ud83d\\ude00\"]}";

	for (size_t len = 0; len < sizeof(text) - 1; len++)
		assert_int_equal(check_copy(text, len, NULL), -EBADMSG);
	assert_int_equal(check_copy(text, sizeof(text) - 1, NULL), 0);
}

static void add_times(struct strbuf *buf, const char *text, size_t n)
{
	while (n-- > 0)
		strbuf_adds(buf, text);
}

static void bounds_the_depth(void **state)
{
	static const char *const pairs[][2] = { { "[", "]" }, { "{\"a\":", "}" } };

	for (size_t i = 0; i < N_ELEMENTS(pairs); i++) {
		auto_strbuf text = { 0 };
		size_t error_at = 0;

		add_times(&text, pairs[i][0], LIMIT_JSON_DEPTH);
		strbuf_adds(&text, "1");
		add_times(&text, pairs[i][1], LIMIT_JSON_DEPTH);
		assert_int_equal(check_copy(text.data, text.len, NULL), 0);

		strbuf_cut(&text, 0);
		add_times(&text, pairs[i][0], LIMIT_JSON_DEPTH + 1);
		strbuf_adds(&text, "1");
		add_times(&text, pairs[i][1], LIMIT_JSON_DEPTH + 1);
		assert_int_equal(check_copy(text.data, text.len, &error_at), -EBADMSG);
		assert_int_equal(error_at, LIMIT_JSON_DEPTH * strlen(pairs[i][0]));
	}
}

/* The stack of brackets remembers which kind each level is, over all of its words. */
static void remembers_each_bracket(void **state)
{
	auto_strbuf text = { 0 };

	for (size_t i = 0; i < LIMIT_JSON_DEPTH; i++)
		strbuf_adds(&text, i % 3 ? "[" : "{\"a\":");
	strbuf_adds(&text, "1");
	for (size_t i = LIMIT_JSON_DEPTH; i-- > 0;)
		strbuf_adds(&text, i % 3 ? "]" : "}");
	assert_int_equal(check_copy(text.data, text.len, NULL), 0);

	/* exchanging any two neighbours that differ makes it wrong */
	for (size_t i = text.len - LIMIT_JSON_DEPTH; i + 1 < text.len; i++) {
		char kept = text.data[i];

		if (kept == text.data[i + 1])
			continue;
		text.data[i] = text.data[i + 1];
		text.data[i + 1] = kept;
		assert_int_equal(check_copy(text.data, text.len, NULL), -EBADMSG);
		text.data[i + 1] = text.data[i];
		text.data[i] = kept;
	}
}

static void strips_blanks(void **state)
{
	struct jspan value = checked(" \n 12 \t");

	assert_int_equal(value.len, 2);
	assert_memory_equal(value.at, "12", 2);
}

static void tells_types(void **state)
{
	assert_int_equal(jspan_type((struct jspan){ 0 }), JSPAN_NONE);
	assert_int_equal(jspan_type(checked("{}")), JSPAN_OBJECT);
	assert_int_equal(jspan_type(checked("[]")), JSPAN_ARRAY);
	assert_int_equal(jspan_type(checked("\"\"")), JSPAN_STRING);
	assert_int_equal(jspan_type(checked("-1")), JSPAN_NUMBER);
	assert_int_equal(jspan_type(checked("7")), JSPAN_NUMBER);
	assert_int_equal(jspan_type(checked("true")), JSPAN_BOOL);
	assert_int_equal(jspan_type(checked("false")), JSPAN_BOOL);
	assert_int_equal(jspan_type(checked("null")), JSPAN_NULL);
}

static void assert_span(struct jspan span, const char *text)
{
	assert_non_null(span.at);
	assert_int_equal(span.len, strlen(text));
	assert_memory_equal(span.at, text, span.len);
}

static void finds_members(void **state)
{
	struct jspan object = checked("{ \"a\" : {\"b\":\"}\\\"]\"} , \"\\u0062\":[1,\"[\",{}],"
				      "\"c\":-1.5, \"d\" :true,\"e\":null,\"\":0}");
	bool twice = true;

	assert_span(jspan_member(object, "a", &twice), "{\"b\":\"}\\\"]\"}");
	assert_false(twice);
	assert_span(jspan_member(object, "b", NULL), "[1,\"[\",{}]");
	assert_span(jspan_member(object, "c", NULL), "-1.5");
	assert_span(jspan_member(object, "d", NULL), "true");
	assert_span(jspan_member(object, "e", NULL), "null");
	assert_span(jspan_member(object, "", NULL), "0");
	assert_null(jspan_member(object, "f", NULL).at);
	assert_span(jspan_member(jspan_member(object, "a", NULL), "b", NULL), "\"}\\\"]\"");
	assert_null(jspan_member(checked("{}"), "a", &twice).at);
	assert_null(jspan_member(checked("[\"a\",1]"), "a", &twice).at);
	assert_null(jspan_member(checked("\"a\""), "a", &twice).at);
	assert_null(jspan_member((struct jspan){ 0 }, "a", &twice).at);
	assert_false(twice);
}

static void tells_duplicates(void **state)
{
	bool twice = false;

	assert_null(jspan_member(checked("{\"a\":1,\"b\":2,\"\\u0061\":1}"), "a", &twice).at);
	assert_true(twice);
	assert_span(jspan_member(checked("{\"a\":1,\"b\":2,\"b\":3}"), "a", &twice), "1");
	assert_false(twice);
}

static void walks_arrays_and_objects(void **state)
{
	struct jspan array = checked(" [ 1 , \"a,]\" , [ 2 , 3 ] , { \"x\" : 4 } , null ] ");
	struct jspan object = checked("{\"a\":1,\"b\" : 2}");
	struct jspan empty = checked("[ \n ]");
	static const char *const expected[] = { "1", "\"a,]\"", "[ 2 , 3 ]", "{ \"x\" : 4 }",
		"null" };
	struct jspan name = { 0 };
	struct jspan value = { 0 };
	size_t cursor = 0;

	for (size_t i = 0; i < N_ELEMENTS(expected); i++) {
		assert_true(jspan_next(array, &cursor, NULL, &value));
		assert_span(value, expected[i]);
	}
	assert_false(jspan_next(array, &cursor, NULL, &value));
	assert_false(jspan_next(array, &cursor, NULL, &value));

	cursor = 0;
	assert_true(jspan_next(object, &cursor, &name, &value));
	assert_span(name, "\"a\"");
	assert_span(value, "1");
	assert_true(jspan_next(object, &cursor, NULL, &value));
	assert_span(value, "2");
	assert_false(jspan_next(object, &cursor, &name, &value));

	cursor = 0;
	assert_false(jspan_next(empty, &cursor, NULL, &value));
	assert_false(jspan_next(checked("\"[1]\""), &cursor, NULL, &value));
	assert_false(jspan_next((struct jspan){ 0 }, &cursor, NULL, &value));
}

static void passes_strings_of_backslashes(void **state)
{
	struct jspan array = checked("[\"\\\\\",\"\\\\\\\"\",\"\\\"\\\"\",\"\"]");
	static const char *const expected[] = { "\"\\\\\"", "\"\\\\\\\"\"", "\"\\\"\\\"\"",
		"\"\"" };
	struct jspan value = { 0 };
	size_t cursor = 0;

	for (size_t i = 0; i < N_ELEMENTS(expected); i++) {
		assert_true(jspan_next(array, &cursor, NULL, &value));
		assert_span(value, expected[i]);
	}
	assert_false(jspan_next(array, &cursor, NULL, &value));
}

/* Readers do not run past the end of a span, even of one that was never checked. */
static void stays_inside_of_unchecked_spans(void **state)
{
	static const char *const texts[] = { "{", "[", "{\"", "{\"a", "{\"a\"", "{\"a\":", "[1",
		"[1,", "[[", "\"", "\"\\", "\"\\u12", "\"\\ud800\\u", "{\"a\":\"\\" };

	for (size_t i = 0; i < N_ELEMENTS(texts); i++) {
		size_t len = strlen(texts[i]);
		auto_free char *copy = alloc_try(len);
		auto_strbuf text = { 0 };
		struct jspan span = { .at = copy, .len = len };
		struct jspan name = { 0 };
		struct jspan value = { 0 };
		size_t cursor = 0;

		memcpy(copy, texts[i], len);
		while (jspan_next(span, &cursor, &name, &value))
			assert_true(cursor <= len);
		(void)jspan_is(span, "x");
		(void)jspan_same(span, checked("\"x\""));
		(void)jspan_get_str(span, &text);
	}
}

static void compares_strings(void **state)
{
	assert_true(jspan_is(checked("\"tools/call\""), "tools/call"));
	assert_true(jspan_is(checked("\"tools\\/c\\u0061ll\""), "tools/call"));
	assert_true(jspan_is(checked("\"\\u00e9\\ud83d\\ude00\""), "\xc3\xa9\xf0\x9f\x98\x80"));
	assert_true(jspan_is(checked("\"\""), ""));
	assert_false(jspan_is(checked("\"tools/cal\""), "tools/call"));
	assert_false(jspan_is(checked("\"tools/calls\""), "tools/call"));
	assert_false(jspan_is(checked("\"a\\u0000\""), "a"));
	assert_false(jspan_is(checked("\"\\u0000\""), ""));
	assert_false(jspan_is(checked("1"), "1"));
	assert_false(jspan_is((struct jspan){ 0 }, ""));
}

static void compares_values(void **state)
{
	assert_true(jspan_same(checked("\"a\\u00e9\""), checked("\"a\xc3\xa9\"")));
	assert_true(jspan_same(checked("\"\\u0000\""), checked("\"\\u0000\"")));
	assert_true(jspan_same(checked("12"), checked(" 12 ")));
	assert_false(jspan_same(checked("12"), checked("12.0")));
	assert_false(jspan_same(checked("12"), checked("\"12\"")));
	assert_false(jspan_same(checked("123"), checked("\"2\"")));
	assert_false(jspan_same(checked("\"\\u0000a\""), checked("\"\\u0000b\"")));
	assert_false(jspan_same(checked("\"a\""), checked("\"ab\"")));
	assert_false(jspan_same(checked("\"a\\u0062\""), checked("\"a\"")));
	assert_false(jspan_same((struct jspan){ 0 }, (struct jspan){ 0 }));
	assert_false(jspan_same(checked("1"), (struct jspan){ 0 }));
}

static void reads_numbers(void **state)
{
	static const char *const not_u64[] = { "-1", "-0", "1.0", "1e2", "18446744073709551616",
		"99999999999999999999999", "\"1\"", "true" };
	uint64_t number = 7;

	assert_true(jspan_get_u64(checked("0"), &number));
	assert_int_equal(number, 0);
	assert_true(jspan_get_u64(checked("18446744073709551615"), &number));
	assert_true(number == UINT64_MAX);
	for (size_t i = 0; i < N_ELEMENTS(not_u64); i++)
		assert_false(jspan_get_u64(checked(not_u64[i]), &number));
	assert_true(number == UINT64_MAX);
	assert_false(jspan_get_u64((struct jspan){ 0 }, &number));

	assert_true(jspan_is_integer(checked("-9007199254740993")));
	assert_true(jspan_is_integer(checked("123456789012345678901234567890")));
	assert_false(jspan_is_integer(checked("1.0")));
	assert_false(jspan_is_integer(checked("1E0")));
	assert_false(jspan_is_integer(checked("null")));
	assert_false(jspan_is_integer((struct jspan){ .at = "-", .len = 1 }));
}

static void reads_bools(void **state)
{
	bool value = false;

	assert_true(jspan_get_bool(checked("true"), &value));
	assert_true(value);
	assert_true(jspan_get_bool(checked("false"), &value));
	assert_false(value);
	assert_false(jspan_get_bool(checked("\"true\""), &value));
	assert_false(jspan_get_bool(checked("1"), &value));
}

static void reads_strings(void **state)
{
	static const char expected[] = "a\"\\/\b\f\n\r\t\0\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80z";
	auto_strbuf text = { 0 };

	assert_true(jspan_get_str(checked("\"a\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0000\\u00E9\\u20ac"
					  "\\ud83D\\uDe00z\""),
		&text));
	assert_int_equal(text.len, sizeof(expected) - 1);
	assert_memory_equal(text.data, expected, text.len);
	assert_true(jspan_get_str(checked("\"\""), &text));
	assert_int_equal(text.len, sizeof(expected) - 1);
	assert_false(jspan_get_str(checked("12"), &text));
	assert_false(jspan_get_str((struct jspan){ 0 }, &text));
}

/* The first and the last character of each length in UTF-8. */
static void encodes_each_length(void **state)
{
	static const char expected[] = "\x01\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf"
				       "\xf0\x90\x80\x80\xf4\x8f\xbf\xbf";
	auto_strbuf text = { 0 };

	assert_true(jspan_get_str(checked("\"\\u0001\\u007F\\u0080\\u07fF\\u0800\\uffff"
					  "\\uD800\\uDC00\\udbff\\uDFFF\""),
		&text));
	assert_string_equal(text.data, expected);
	strbuf_cut(&text, 0);
	assert_true(jspan_get_str(checked("\"\\u0aAf\\u0Fa9\""), &text));
	assert_string_equal(text.data, "\xe0\xaa\xaf\xe0\xbe\xa9");
}

static void makes_one_line(void **state)
{
	char text[] = "\r\n{\r\n\"a\":\n\n\"\\n\"}\r";

	jspan_one_line(text, sizeof(text) - 1);
	assert_string_equal(text, "  {  \"a\":  \"\\n\"} ");
	jspan_one_line(text, 0);
	jspan_one_line(NULL, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_what_is_json),
		cmocka_unit_test(refuses_what_is_not),
		cmocka_unit_test(finds_special_bytes_everywhere),
		cmocka_unit_test(refuses_each_prefix),
		cmocka_unit_test(bounds_the_depth),
		cmocka_unit_test(remembers_each_bracket),
		cmocka_unit_test(strips_blanks),
		cmocka_unit_test(tells_types),
		cmocka_unit_test(finds_members),
		cmocka_unit_test(tells_duplicates),
		cmocka_unit_test(walks_arrays_and_objects),
		cmocka_unit_test(passes_strings_of_backslashes),
		cmocka_unit_test(stays_inside_of_unchecked_spans),
		cmocka_unit_test(compares_strings),
		cmocka_unit_test(compares_values),
		cmocka_unit_test(reads_numbers),
		cmocka_unit_test(reads_bools),
		cmocka_unit_test(reads_strings),
		cmocka_unit_test(encodes_each_length),
		cmocka_unit_test(makes_one_line),
	};

	return cmocka_run_group_tests_name("jspan", tests, NULL, NULL);
}
