/* What is looked for, and the parts of lines that are shown. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "shared/alloc.h"
#include "shared/utf8.h"
#include "workers/filesystem/excerpt.h"
#include "workers/filesystem/needle.h"

/* Where `query` is; -1: nowhere. */
static int find(const char *query, unsigned flags, const char *text, size_t len)
{
	auto_(needle_freep) struct needle *needle = NULL;
	struct regex_span span;
	struct failure fail;
	int r;

	assert_int_equal(needle_new(query, flags, &needle, &fail), 0);
	r = needle_find(needle, text, len, &span, &fail);
	assert_in_range(r, 0, 1);
	assert_true(r == 0 || (span.from <= span.to && span.to <= len));
	return r ? (int)span.from : -1;
}

static const struct {
	const char *query;
	unsigned flags;
	const char *text;
	int at;
} cases[] = {
	{ "b", 0, "abc", 1 },
	{ "B", 0, "abc", -1 },
	{ "B", NEEDLE_NO_CASE, "abc", 1 },
	{ "abcd", NEEDLE_NO_CASE, "abc", -1 },
	{ "ABC", NEEDLE_NO_CASE, "abc", 0 },
	{ "[", NEEDLE_NO_CASE, "a[b", 1 },
	{ "@", NEEDLE_NO_CASE, "`", -1 },
	{ "z", NEEDLE_NO_CASE, "a\n\nZ", 3 },
	{ "\xc3\x84", NEEDLE_NO_CASE, "x\xc3\xa4", 1 },
	{ "\xc3\x84", 0, "x\xc3\xa4", -1 },
	{ "\xc3\x84.*\\E[a", NEEDLE_NO_CASE, "\xc3\xa4.*\\e[A", 0 },
	{ "a.c", NEEDLE_REGEX, "xabc", 1 },
	{ "A.C", NEEDLE_REGEX, "xabc", -1 },
	{ "A.C", NEEDLE_REGEX | NEEDLE_NO_CASE, "xabc", 1 },
	{ "^$", NEEDLE_REGEX, "", 0 },
	{ "c$", NEEDLE_REGEX, "abc", 2 },
};

static void test_find(void **state)
{
	for (size_t i = 0; i < N_ELEMENTS(cases); i++)
		if (find(cases[i].query, cases[i].flags, cases[i].text, strlen(cases[i].text)) !=
			cases[i].at)
			fail_msg("'%s' in '%s'", cases[i].query, cases[i].text);
}

/* Over what is there, without an end. */
static void overwrite(char *at, const char *text)
{
	while (*text)
		*at++ = *text++;
}

/* At each place around the ends of the pieces in which a text is looked through. */
static void test_pieces(void **state)
{
	static const char query[] = "nEEdle";
	enum { LEN = 200000 };
	auto_free char *text = alloc_zero(LEN);

	memset(text, 'n', LEN);
	assert_int_equal(find(query, NEEDLE_NO_CASE, text, LEN), -1);
	/* Pieces of 4096, 8192, … bytes that overlap by five. */
	for (int end = 4096, size = 4096; end < LEN; size = size < 65536 ? size * 2 : size) {
		for (int at = end - 10; at < end + 5 && at < LEN - 6; at++) {
			overwrite(text + at, "NeedLE");
			assert_int_equal(find(query, NEEDLE_NO_CASE, text, LEN), at);
			memset(text + at, 'n', 6);
		}
		end += (size < 65536 ? size * 2 : size) - 5;
	}
	overwrite(text + LEN - 6, "NEEDLE");
	assert_int_equal(find(query, NEEDLE_NO_CASE, text, LEN), LEN - 6);
}

static void test_nul_is_a_byte(void **state)
{
	assert_int_equal(find("b", NEEDLE_NO_CASE, "a\0B", 3), 2);
	assert_int_equal(find("b", 0, "a\0b", 3), 2);
}

static void check_refused(const char *query, unsigned flags, const char *code)
{
	auto_(needle_freep) struct needle *needle = NULL;
	struct failure fail;

	assert_int_equal(needle_new(query, flags, &needle, &fail), -EINVAL);
	assert_string_equal(fail.code, code);
	assert_null(needle);
}

static void test_refused(void **state)
{
	auto_free char *text = alloc_zero(NEEDLE_MAX_BYTES + 2);

	memset(text, 'x', NEEDLE_MAX_BYTES + 1);
	check_refused(text, 0, "invalid_argument");
	check_refused("a\nb", 0, "invalid_argument");
	check_refused("(", NEEDLE_REGEX, "bad_regex");
	text[NEEDLE_MAX_BYTES] = '\0';
	assert_int_equal(find(text, NEEDLE_NO_CASE, text, NEEDLE_MAX_BYTES), 0);
	needle_free(NULL);
}

static bool stop(void *arg)
{
	return true;
}

static void test_stopped(void **state)
{
	auto_(needle_freep) struct needle *needle = NULL;
	struct regex_span span;
	struct failure fail;

	assert_int_equal(needle_new("(a+)+$", NEEDLE_REGEX, &needle, &fail), 0);
	assert_false(needle_takes_lines(needle));
	assert_int_equal(needle_find(needle, "aaaaaaa!", 8, &span, &fail), 0);
	needle_set_stop(needle, stop, NULL);
	assert_int_equal(
		needle_find(needle, "aaaaaaaaaaaaaaaaaaaaaaa!", 24, &span, &fail), -ECANCELED);
}

/* Excerpts */

static void check_excerpt(
	const char *line, struct regex_span match, const char *expected, size_t column)
{
	auto_strbuf out = { 0 };

	assert_int_equal(excerpt(&out, line, strlen(line), match), column);
	assert_string_equal(strbuf_get(&out), expected);
	assert_in_range(utf8_count(strbuf_get(&out), out.len), 0, EXCERPT_MAX_CHARS);
}

static void test_short_lines(void **state)
{
	check_excerpt("", (struct regex_span){ 0 }, "", 1);
	check_excerpt("abc", (struct regex_span){ 1, 2 }, "abc", 2);
	check_excerpt("\xc3\xa4\xff"
		      "b",
		(struct regex_span){ 3, 4 },
		"\xc3\xa4\xef\xbf\xbd"
		"b",
		3);
}

static char *repeated(const char *before, const char *what, int n, const char *behind)
{
	auto_strbuf text = { 0 };

	strbuf_adds(&text, before);
	for (int i = 0; i < n; i++)
		strbuf_adds(&text, what);
	strbuf_adds(&text, behind);
	return strbuf_take(&text);
}

static void test_long_lines(void **state)
{
	static const char dots[] = "\xe2\x80\xa6";
	auto_free char *fits = repeated("", "\xc3\xa4", EXCERPT_MAX_CHARS, "");
	auto_free char *line = repeated("M", "\xf0\x9f\x98\x80", 1000, "E");
	auto_free char *head = repeated("M", "\xf0\x9f\x98\x80", EXCERPT_MAX_CHARS - 3, dots);
	auto_free char *tail = repeated(dots, "\xf0\x9f\x98\x80", EXCERPT_MAX_CHARS - 3, "E");
	auto_free char *middle = repeated(dots, "\xf0\x9f\x98\x80", EXCERPT_MAX_CHARS - 2, dots);
	size_t len = strlen(line);

	check_excerpt(fits, (struct regex_span){ 0, 2 }, fits, 1);
	check_excerpt(line, (struct regex_span){ 0, 1 }, head, 1);
	check_excerpt(line, (struct regex_span){ len - 1, len }, tail, 1002);
	check_excerpt(line, (struct regex_span){ 2001, 2005 }, middle, 502);
	/* A match that is too long itself is shown from its beginning. */
	check_excerpt(line, (struct regex_span){ 0, len }, head, 1);
}

/* Bytes that are no characters at all: the bounds of what is looked at fall anywhere. */
static void test_foreign_bytes(void **state)
{
	enum { LEN = 10000 };
	auto_free char *line = alloc_zero(LEN + 1);

	for (int byte = 0x80; byte <= 0xff; byte += 7) {
		memset(line, byte, LEN);
		for (size_t at = 0; at < LEN; at += 997) {
			auto_strbuf out = { 0 };

			assert_int_equal(
				excerpt(&out, line, LEN, (struct regex_span){ at, at + 3 }),
				at + 1);
			assert_true(utf8_valid(out.data, out.len));
			assert_in_range(utf8_count(out.data, out.len), 1, EXCERPT_MAX_CHARS);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_pieces),
		cmocka_unit_test(test_nul_is_a_byte),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_stopped),
		cmocka_unit_test(test_short_lines),
		cmocka_unit_test(test_long_lines),
		cmocka_unit_test(test_foreign_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
