/* Tools regex_match and regex_replace: positions, empty matches, groups, limits, time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <time.h>

#include "shared/strbuf.h"
#include "tests/unit/fake_call.h"
#include "workers/utils/regex_replace.h"
#include "workers/utils/tools.h"

DEFINE_FREEP(struct regex, regex_free)
DEFINE_FREEP(struct replacement, replacement_free)

enum { MUCH = 4194304, HOSTILE_BYTES = 262144 };

static struct regex *compile(const char *pattern, const char *flags)
{
	struct regex *regex = NULL;
	struct failure fail;

	if (regex_compile(pattern, flags, &regex, &fail) < 0)
		fail_msg("%s: %s", pattern, fail.text);
	return regex;
}

static const struct {
	const char *pattern;
	const char *flags;
	const char *text;
	const char *matches; /* "from-to " in bytes */
} searches[] = {
	{ "b", "", "abcb", "1-2 3-4 " },
	{ "a*", "", "baac", "0-0 1-3 3-3 4-4 " },
	{ "", "", "é€", "0-0 2-2 5-5 " },
	{ "", "", "", "0-0 " },
	{ "x", "", "", "" },
	{ "^", "m", "a\nb\n", "0-0 2-2 " },
	{ "$", "", "a\n", "1-1 2-2 " },
	{ "\\b", "", "ab cd", "0-0 2-2 3-3 5-5 " },
	{ "É", "i", "é", "0-2 " },
	{ "\\w+", "", "naïve Öl", "0-6 7-10 " },
	{ "a.b", "", "a\nb", "" },
	{ "a.b", "s", "a\nb", "0-3 " },
	{ "a b # words", "x", "ab", "0-2 " },
	{ "a\\Kb", "", "abab", "1-2 3-4 " },
	{ "(?<=a)|b", "", "ab", "1-1 1-2 " },
	{ "\\Ga", "", "aaba", "0-1 1-2 " },
	{ "\\X", "", "e\xcc\x81x", "0-3 3-4 " },
	{ "(*ANYCRLF)^b", "m", "a\rb", "2-3 " },
	{ "😀+", "", "x😀😀", "1-9 " },
};

static void test_searches(void **state)
{
	for (size_t i = 0; i < N_ELEMENTS(searches); i++) {
		auto_(regex_freep) struct regex *regex =
			compile(searches[i].pattern, searches[i].flags);
		auto_strbuf got = { 0 };
		struct failure fail;
		int r;

		regex_start(regex, searches[i].text, strlen(searches[i].text));
		while ((r = regex_next(regex, &fail)) > 0) {
			struct regex_span span = regex_group(regex, 0);

			strbuf_addf(&got, "%zu-%zu ", span.from, span.to);
		}
		assert_int_equal(r, 0);
		assert_int_equal(regex_next(regex, &fail), 0);
		if (!streq(strbuf_get(&got), searches[i].matches))
			fail_msg("/%s/: %s", searches[i].pattern, strbuf_get(&got));
	}
}

static const struct {
	const char *pattern;
	const char *flags;
	const char *code;
	const char *words;
} wrong[] = {
	{ "a(b", "", "bad_regex", "at character 3 of the pattern: missing closing" },
	{ "é(", "", "bad_regex", "at character 2 of the pattern" },
	{ "*", "", "bad_regex", "at character 0 of the pattern" },
	{ "[z-a]", "", "bad_regex", "at character 3 of the pattern" },
	{ "(*LIMIT_MATCH=999999999)a", "", "bad_regex", "at character 0" },
	{ "(*UCP)(*LIMIT_HEAP=9999999)a", "", "bad_regex", "at character 0" },
	{ "(*NO_JIT)(*LIMIT_DEPTH=1)a", "", "bad_regex", "at character 0" },
	{ "(*LIMIT_RECURSION=1)a", "", "bad_regex", "at character 0" },
	{ "a(?C)b", "", "bad_regex", "callouts" },
	{ "a(?C7)b", "", "bad_regex", "callouts" },
	{ "a(?C'x')b", "", "bad_regex", "callouts" },
	{ "a\\Cb", "", "bad_regex", "at character" },
	{ "a(?=b\\K)", "", "bad_regex", "at character" },
	{ "a", "g", "invalid_argument", "flags: " },
	{ "a", "i,m", "invalid_argument", "flags: " },
};

static void test_wrong(void **state)
{
	for (size_t i = 0; i < N_ELEMENTS(wrong); i++) {
		auto_(regex_freep) struct regex *regex = NULL;
		struct failure fail;

		if (regex_compile(wrong[i].pattern, wrong[i].flags, &regex, &fail) == 0)
			fail_msg("/%s/: compiles", wrong[i].pattern);
		if (!streq(fail.code, wrong[i].code) ||
			strncmp(fail.text, wrong[i].words, strlen(wrong[i].words)) != 0)
			fail_msg("/%s/: %s: %s", wrong[i].pattern, fail.code, fail.text);
	}
}

static void test_long_pattern(void **state)
{
	auto_(regex_freep) struct regex *regex = NULL;
	auto_strbuf pattern = { 0 };
	struct failure fail;

	while (pattern.len <= REGEX_MAX_PATTERN_BYTES)
		strbuf_addc(&pattern, 'a');
	assert_true(regex_compile(strbuf_get(&pattern), "", &regex, &fail) < 0);
	assert_string_equal(fail.code, "bad_regex");
}

static const struct {
	const char *pattern;
	const char *replacement;
	const char *text;
	int64_t count;
	const char *want;
	int64_t n;
} replacements[] = {
	{ "b", "x", "abab", 0, "axax", 2 },
	{ "b", "x", "abab", 1, "axab", 1 },
	{ "b", "", "abab", 0, "aa", 2 },
	{ "(a)(b)?", "$2$1", "abac", 0, "baac", 2 },
	{ "(?<first>\\w+) (?<second>\\w+)", "${second}, ${first}", "Ada Byron", 0, "Byron, Ada",
		1 },
	{ "a", "$$1", "a", 0, "$1", 1 },
	{ "(a)", "${1}0", "a", 0, "a0", 1 },
	{ "a", "[$0]", "aa", 0, "[a][a]", 2 },
	{ "x*", "-", "abc", 0, "-a-b-c-", 4 },
	{ "x*", "-", "axc", 0, "-a--c-", 4 },
	{ "", "-", "é", 0, "-é-", 2 },
	{ "x", "y", "", 0, "", 0 },
	{ "(?J)(?<n>a)|(?<n>b)", "<${n}>", "ab", 0, "<a><b>", 2 },
};

static void test_replacements(void **state)
{
	for (size_t i = 0; i < N_ELEMENTS(replacements); i++) {
		auto_(regex_freep) struct regex *regex = compile(replacements[i].pattern, "");
		auto_(replacement_freep) struct replacement *rep = NULL;
		auto_strbuf out = { 0 };
		struct failure fail;
		int64_t n = -1;

		if (replacement_parse(replacements[i].replacement, regex, &rep, &fail) < 0)
			fail_msg("%s: %s", replacements[i].replacement, fail.text);
		assert_int_equal(regex_replace_all(regex, rep, replacements[i].text,
					 strlen(replacements[i].text), replacements[i].count, MUCH,
					 &out, &n, &fail),
			0);
		if (!streq(strbuf_get(&out), replacements[i].want))
			fail_msg("s/%s/%s/: %s", replacements[i].pattern,
				replacements[i].replacement, strbuf_get(&out));
		assert_int_equal(n, replacements[i].n);
	}
}

static void test_wrong_replacements(void **state)
{
	static const char *const cases[] = { "$", "a$", "$x", "$2", "${2}", "${name", "${}",
		"${other}", "$99999999999999999999999", "é$" };

	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		auto_(regex_freep) struct regex *regex = compile("(?<name>a)", "");
		auto_(replacement_freep) struct replacement *rep = NULL;
		struct failure fail;

		if (replacement_parse(cases[i], regex, &rep, &fail) == 0)
			fail_msg("%s: is taken", cases[i]);
		assert_string_equal(fail.code, "invalid_argument");
	}
}

static void test_replace_size(void **state)
{
	auto_(regex_freep) struct regex *regex = compile("a", "");
	auto_(replacement_freep) struct replacement *rep = NULL;
	auto_strbuf fits = { 0 };
	auto_strbuf out = { 0 };
	struct failure fail;
	int64_t n;

	assert_int_equal(replacement_parse("$0$0", regex, &rep, &fail), 0);
	assert_int_equal(regex_replace_all(regex, rep, "abab", 4, 0, 6, &fits, &n, &fail), 0);
	assert_int_equal(regex_replace_all(regex, rep, "abab", 4, 0, 5, &out, &n, &fail), -EINVAL);
	assert_string_equal(fail.code, "too_large");
}

/* Stops after a time of work, as a call's deadline does. */
static bool stop_after_work(void *arg)
{
	const clock_t *until = arg;

	return clock() > *until;
}

/* Patterns that take for ever without limits: they end with regex_limit or by being stopped. */
static void test_hostile(void **state)
{
	static const struct {
		const char *pattern;
		char fill;
	} cases[] = {
		/* [xy]: a single character that must come would be looked for first */
		{ "(a+)+[xy]", 'a' },
		{ "(a|a)*[xy]", 'a' },
		{ "(?:a|b)*[xy]", 'a' },
		{ "[ab]*[xy]", 'a' }, /* squared: each place scans to the end */
		{ "[ab]*[ab]*[ab]*[xy]", 'a' },
		{ "(?:a(?![ab]*+[xy]))*[xy]", 'a' }, /* each step scans to the end */
		{ "(?>(?![ab]*+[xy])a)*+[xy]", 'a' },
		{ "(.*)*[xy]", 'a' },
		{ "(?R)?[ab]", 'a' },
		{ "(a(?1)?)*[xy]", 'a' },
		{ "(?i)(?:[^x]|é)*+[xy]", 'a' },
	};
	auto_strbuf text = { 0 };

	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		auto_(regex_freep) struct regex *regex = compile(cases[i].pattern, "");
		clock_t started = clock();
		clock_t until = started + CLOCKS_PER_SEC / 10;
		struct failure fail = { 0 };
		int r;

		strbuf_cut(&text, 0);
		memset(strbuf_reserve(&text, HOSTILE_BYTES), cases[i].fill, HOSTILE_BYTES);
		regex_set_stop(regex, stop_after_work, &until);
		regex_start(regex, text.data, HOSTILE_BYTES);
		do
			r = regex_next(regex, &fail);
		while (r > 0 && clock() < until);
		if (r == -EINVAL)
			assert_string_equal(fail.code, "regex_limit");
		if ((clock() - started) > 2 * CLOCKS_PER_SEC)
			fail_msg("/%s/ takes too long", cases[i].pattern);
	}
}

static void test_tools(void **state)
{
	const struct fake_answer *answer;
	json_t *match;

	answer = fake_run(regex_tools, "regex_match",
		"{\"pattern\":\"(?<k>é)(x)?\",\"text\":\"€éé\",\"max_matches\":1}");
	assert_non_null(answer->result);
	assert_true(json_is_true(json_object_get(answer->result, "matched")));
	assert_true(json_is_true(json_object_get(answer->result, "truncated")));
	assert_int_equal(json_integer_value(json_object_get(answer->result, "count")), 1);
	match = json_array_get(json_object_get(answer->result, "matches"), 0);
	assert_string_equal(json_string_value(json_object_get(match, "match")), "é");
	assert_int_equal(json_integer_value(json_object_get(match, "start")), 1);
	assert_int_equal(json_integer_value(json_object_get(match, "end")), 2);
	assert_int_equal(json_array_size(json_object_get(match, "groups")), 2);
	assert_string_equal(
		json_string_value(json_array_get(json_object_get(match, "groups"), 1)), "");
	assert_string_equal(
		json_string_value(json_object_get(json_object_get(match, "named"), "k")), "é");

	answer = fake_run(regex_tools, "regex_match", "{\"pattern\":\"b\",\"text\":\"a\"}");
	assert_true(json_is_false(json_object_get(answer->result, "matched")));
	assert_true(json_is_false(json_object_get(answer->result, "truncated")));
	answer = fake_run(regex_tools, "regex_match", "{\"pattern\":\"(\",\"text\":\"a\"}");
	assert_string_equal(answer->code, "bad_regex");
	answer = fake_run(regex_tools, "regex_replace",
		"{\"pattern\":\"a\",\"text\":\"aaa\",\"replacement\":\"b\",\"count\":2}");
	assert_non_null(answer->result);
	assert_string_equal(fake_text("result"), "bba");
	answer = fake_run(regex_tools, "regex_replace",
		"{\"pattern\":\"a\",\"text\":\"aaa\",\"replacement\":\"$1\"}");
	assert_string_equal(answer->code, "invalid_argument");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_searches),
		cmocka_unit_test(test_wrong),
		cmocka_unit_test(test_long_pattern),
		cmocka_unit_test(test_replacements),
		cmocka_unit_test(test_wrong_replacements),
		cmocka_unit_test(test_replace_size),
		cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_tools),
	};
	int failed = cmocka_run_group_tests_name("regex tools", tests, NULL, NULL);

	fake_done();
	return failed;
}
