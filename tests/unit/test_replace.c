/* Replacing pieces of a text: line ends, ambiguity, what is said of a text that is not there, bounds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <time.h>

#include "config.h"

#include "workers/filesystem/replace.h"

#ifdef WITH_SANITIZERS
/* AddressSanitizer reads the whole rest of a text at each memmem(). */
enum { LONG_TEXT = 256 * 1024 };
#else
enum { LONG_TEXT = 4 * 1024 * 1024 };
#endif
enum { MUCH = 64 * 1024 * 1024 };

static const struct {
	const char *text;
	const char *old_text;
	const char *new_text;
	bool all;
	const char *want; /* NULL: it fails … */
	const char *code; /* … with this, and with these words */
	const char *words;
	size_t count;
} cases[] = {
	{ "a b c", "b", "x", false, "a x c", NULL, NULL, 1 },
	{ "a b c", "b ", "", false, "a c", NULL, NULL, 1 },
	{ "abc", "abc", "", false, "", NULL, NULL, 1 },
	{ "aaaa", "aa", "b", true, "bb", NULL, NULL, 2 },
	{ "a.a", "a", "aa", true, "aa.aa", NULL, NULL, 2 },
	{ "same", "same", "same", false, "same", NULL, NULL, 1 },
	/* Ambiguous, also with itself. */
	{ "x\ny\nx\n", "x", "z", false, NULL, "ambiguous", "matches 2 times, on lines 1, 3.", 0 },
	{ "aaa", "aa", "b", false, NULL, "ambiguous", "matches 2 times, on lines 1.", 0 },
	{ "b\nab\nb\n", "b\n", "", false, NULL, "ambiguous", "matches 3 times, on lines 1, 2, 3",
		0 },
	{ "1\n1\n1\n1\n1\n1\n1\n1\n1\n1\n1\n1\n", "1", "2", false, NULL, "ambiguous",
		"12 times, on lines 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 …", 0 },
	/* LF matches CRLF, and the new text takes the ends of what it replaces. */
	{ "a\r\nb\r\nc\r\n", "a\nb\n", "x\ny\n", false, "x\r\ny\r\nc\r\n", NULL, NULL, 1 },
	{ "a\r\nb\r\n", "a\nb", "x", false, "x\r\n", NULL, NULL, 1 },
	{ "a\r\nb\r\n", "a", "x\ny", false, "x\r\ny\r\nb\r\n", NULL, NULL, 1 },
	{ "a\r\nb", "b", "x\ny\n", false, "a\r\nx\r\ny\r\n", NULL, NULL, 1 },
	{ "a\nb\r\n", "a\nb\n", "1\n2\n3\n", false, "1\n2\r\n3\r\n", NULL, NULL, 1 },
	{ "a\r\nb\nc\n", "b\n", "x\ny\n", false, "a\r\nx\ny\nc\n", NULL, NULL, 1 },
	{ "a\r\nb\n", "\n", "|", true, "a|b|", NULL, NULL, 2 },
	{ "a\r\nb", "\nb", "", false, "a", NULL, NULL, 1 },
	{ "a\r\nb", "a\n", "", false, "b", NULL, NULL, 1 },
	{ "a\r\n\r\nb", "\n\n", "\n", false, "a\r\nb", NULL, NULL, 1 },
	{ "x\r\nx\nx\r\n", "x", "y\nz", true, "y\r\nz\r\ny\nz\ny\r\nz\r\n", NULL, NULL, 3 },
	{ "a\r\r\nb", "a\r", "c", false, "c\r\nb", NULL, NULL, 1 },
	/* With CR it is meant as it is. */
	{ "a\r\nb\r\n", "a\r\nb", "x\ny", false, "x\ny\r\n", NULL, NULL, 1 },
	{ "a\r\nb\r\n", "a", "x\r\ny\n", false, "x\r\ny\n\r\nb\r\n", NULL, NULL, 1 },
	{ "a\nb\n", "a\r\nb", "x", false, NULL, "no_match", "edits[7]", 0 },
	/* Nothing else changes. */
	{ "\xff\xfe\x80 b\n\xc3", "b", "x", false, "\xff\xfe\x80 x\n\xc3", NULL, NULL, 1 },
	{ "\xef\xbb\xbf"
	  "a\n",
		"a", "b", false,
		"\xef\xbb\xbf"
		"b\n",
		NULL, NULL, 1 },
	/* The nearest line. */
	{ "one\n\tint counter = 0;\nthree\n", "\tint countr = 0;\n", "", false, NULL, "no_match",
		"The nearest line is 2: \"int counter = 0;\"", 0 },
	{ "one\n    two\n", "\n\n  two\nx", "", false, NULL, "no_match",
		"The nearest line is 2: \"two\"", 0 },
	{ "one\n", "zzz", "", false, NULL, "no_match", "no line is like it", 0 },
	{ "", "zzz", "", false, NULL, "no_match", "no line is like it", 0 },
};

static struct replace_edit edit_of(const char *old_text, const char *new_text, bool all)
{
	return (struct replace_edit){ old_text, strlen(old_text), new_text, strlen(new_text), all };
}

static void test_cases(void **state)
{
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		struct replace_edit edit =
			edit_of(cases[i].old_text, cases[i].new_text, cases[i].all);
		struct failure fail = { 0 };
		auto_strbuf text = { 0 };
		size_t count = 0;
		int r;

		strbuf_adds(&text, cases[i].text);
		r = replace_once(&text, &edit, 7, MUCH, &count, &fail);
		if (cases[i].want) {
			if (r < 0)
				fail_msg("case %zu: %s", i, fail.text);
			if (!streq(strbuf_get(&text), cases[i].want))
				fail_msg("case %zu: %s", i, strbuf_get(&text));
			assert_int_equal(count, cases[i].count);
			continue;
		}
		assert_true(r < 0);
		assert_string_equal(fail.code, cases[i].code);
		if (!strstr(fail.text, cases[i].words))
			fail_msg("case %zu: %s", i, fail.text);
		assert_string_equal(strbuf_get(&text), cases[i].text);
	}
}

static void test_too_large(void **state)
{
	struct replace_edit edit = edit_of("a", "bbb", true);
	struct failure fail = { 0 };
	auto_strbuf text = { 0 };
	size_t count = 0;

	strbuf_adds(&text, "aaaa");
	assert_true(replace_once(&text, &edit, 0, 11, &count, &fail) < 0);
	assert_string_equal(fail.code, "too_large");
	assert_string_equal(text.data, "aaaa");
	assert_int_equal(replace_once(&text, &edit, 0, 12, &count, &fail), 0);
	assert_string_equal(text.data, "bbbbbbbbbbbb");
}

static void fill(struct strbuf *out, const char *line, size_t bytes)
{
	strbuf_cut(out, 0);
	while (out->len < bytes)
		strbuf_adds(out, line);
}

/* Texts that would cost most if a match were tried everywhere. */
static void test_hostile(void **state)
{
	static const char *const lines[] = { "a\n", "a\r\n", "\n", "\r\n", "a" };
	clock_t started = clock();

	for (size_t i = 0; i < N_ELEMENTS(lines); i++) {
		auto_strbuf text = { 0 };
		auto_strbuf old_text = { 0 };
		struct replace_edit edit;
		struct failure fail = { 0 };
		size_t count = 0;

		fill(&text, lines[i], 2 * LONG_TEXT);
		fill(&old_text, i == 4 ? "a" : i < 2 ? "a\n" : "\n", LONG_TEXT / 4);
		strbuf_adds(&old_text, "b");
		edit = edit_of(old_text.data, "", false);
		assert_true(replace_once(&text, &edit, 0, MUCH, &count, &fail) < 0);
		assert_string_equal(fail.code, "no_match");
		strbuf_cut(&old_text, old_text.len - 1);
		edit = edit_of(old_text.data, "x\n", false);
		assert_true(replace_once(&text, &edit, 0, MUCH, &count, &fail) < 0);
		assert_string_equal(fail.code, "ambiguous");
		edit.all = true;
		assert_int_equal(replace_once(&text, &edit, 0, MUCH, &count, &fail), 0);
	}
	assert_true(clock() - started < 60 * CLOCKS_PER_SEC);
}

/* Many matches far from the only CRLF, before it and behind it. */
static void test_hostile_line_ends(void **state)
{
	clock_t started = clock();

	for (int last = 0; last < 2; last++) {
		auto_strbuf text = { 0 };
		struct replace_edit edit = edit_of("x\n", "y\n", true);
		struct failure fail = { 0 };
		size_t count = 0;

		fill(&text, last ? "x\n" : "\r\n", last ? LONG_TEXT : 2);
		while (text.len < LONG_TEXT)
			strbuf_adds(&text, "x\n");
		strbuf_adds(&text, last ? "\r\n" : "");
		assert_int_equal(replace_once(&text, &edit, 0, MUCH, &count, &fail), 0);
		assert_true(count >= LONG_TEXT / 2 - 1);
	}
	assert_true(clock() - started < 60 * CLOCKS_PER_SEC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_too_large),
		cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_hostile_line_ends),
	};

	return cmocka_run_group_tests_name("replace", tests, NULL, NULL);
}
