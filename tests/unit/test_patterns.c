/* Globs of askers: what matches, braces, and that hostile ones end. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "shared/alloc.h"
#include "shared/strbuf.h"
#include "workers/filesystem/glob.h"
#include "workers/filesystem/patterns.h"

static bool matches(const char *text, const char *path, bool is_dir)
{
	auto_(patterns_done) struct patterns patterns = { 0 };
	const char *slash = strrchr(path, '/');
	struct fail fail = { 0 };

	assert_int_equal(patterns_add(&patterns, text, &fail), 0);
	return patterns_match(&patterns, path, slash ? slash + 1 : path, is_dir);
}

static const struct {
	const char *pattern;
	const char *path;
	bool expected;
} cases[] = {
	{ "*", "a", true },
	{ "*", "x/.hidden", true },
	{ "*.c", "x/y/a.c", true },
	{ "*.c", "a.cc", false },
	{ "?", "x/ä", true },
	{ "??", "ä", false },
	{ "*??", "\xe2\x82\xac", false },
	{ "?", "\xff", true },
	{ "[ä-ü]x", "öx", true },
	{ "[ä-ü]x", "ax", false },
	{ "[!ä]", "ä", false },
	{ "[!ä]", "ö", true },
	{ "[^a]", "a", false },
	{ "[a-c]", "b", true },
	{ "[a-c]", "d", false },
	{ "[c-a]", "c", true },
	{ "[c-a]", "a", false },
	{ "[]a]", "]", true },
	{ "[!]a]", "]", false },
	{ "[a-]", "-", true },
	{ "[-a]", "-", true },
	{ "[\\]]", "]", true },
	{ "[a\\-c]", "b", false },
	{ "[[:digit:]x]", "7", true },
	{ "[[:digit:]x]", "y", false },
	{ "[[:none:]]", "n", false },
	{ "[a", "[a", true },
	{ "[a", "a", false },
	{ "a\\", "a\\", true },
	{ "\\*", "*", true },
	{ "\\*", "x", false },
	{ "src/*.c", "src/a.c", true },
	{ "src/*.c", "src/x/a.c", false },
	{ "src/*.c", "y/src/a.c", false },
	{ "src/?.c", "src//.c", false },
	{ "a[/]b", "a/b", false },
	{ "a[!x]b", "a/b", false },
	{ "src/**", "src/x/y", true },
	{ "src/**", "src", false },
	{ "**/a.c", "a.c", true },
	{ "**/a.c", "x/y/a.c", true },
	{ "**/a.c", "x/ya.c", false },
	{ "a/**/b", "a/b", true },
	{ "a/**/b", "a/x/y/b", true },
	{ "a/**/b", "a/xb", false },
	{ "a/**/b/*/c", "a/b/x/b/b/y/c", true },
	{ "a/**/b/*/c", "a/b/x/b/b/y/z/c", false },
	{ "**", "x", true },
	{ "**/**", "x/y", true },
	{ "***/y", "y", true },
	{ "a/***", "a/b/c", true },
	{ "x***y", "x/y", false },
	{ "a**b", "axxb", true },
	{ "x/a**b", "x/a/b", false },
	{ "**/x*y/**/z", "q/xy/xay/b/z", true },
	{ "/a", "a", false },
	{ "/etc/passwd", "etc/passwd", false },
	{ "../a", "../a", false },
	{ "a/../b", "a/../b", false },
	{ "a/..", "a/..", false },
	{ "..", "..", false },
	{ "...", "...", true },
	{ "a/..b", "a/..b", true },
	{ "{/a,b}", "b", true },
	{ "{/a,b}", "a", false },
	{ "./a/*", "a/b", true },
	{ "././a", "x/a", true },
	{ "", "a", false },
	{ "{a,b}", "a", true },
	{ "{a,b}", "b", true },
	{ "{a,b}", "c", false },
	{ "*.{c,h}", "x/a.h", true },
	{ "*.{c,h}", "a.d", false },
	{ "{src,test}/**/*.{c,h{,h}}", "test/x/a.hh", true },
	{ "{src,test}/**/*.{c,h{,h}}", "src/a.h", true },
	{ "{src,test}/**/*.{c,h{,h}}", "doc/a.h", false },
	{ "{a,{b,{c,d}}}", "d", true },
	{ "{a}", "{a}", true },
	{ "{a}", "a", false },
	{ "{}", "{}", true },
	{ "{a{b,c}}", "{ac}", true },
	{ "{a,b", "{a,b", true },
	{ "a,b}", "a,b}", true },
	{ "\\{a,b}", "{a,b}", true },
	{ "{a\\,b,c}", "a,b", true },
	{ "{a\\,b,c}", "b", false },
	{ "x{,y}", "x", true },
	{ "{a{,b}", "{a", true },
	{ "new\n*", "new\nline", true },
};

static void test_matches(void **state)
{
	for (size_t i = 0; i < N_ELEMENTS(cases); i++)
		if (matches(cases[i].pattern, cases[i].path, false) != cases[i].expected)
			fail_msg("'%s' on '%s'", cases[i].pattern, cases[i].path);
}

static void test_directories_only(void **state)
{
	assert_true(matches("build/", "x/build", true));
	assert_false(matches("build/", "x/build", false));
	assert_true(matches("x/b*//", "x/build", true));
	assert_false(matches("/", "x", true));
}

/* `what` repeated, in all at most `max` bytes, and `end`. */
static char *repeated(const char *what, size_t max, const char *end)
{
	auto_strbuf text = { 0 };

	while (text.len + strlen(what) <= max)
		strbuf_adds(&text, what);
	strbuf_adds(&text, end);
	return strbuf_take(&text);
}

static void check_fails_in_time(const char *glob, const char *path)
{
	size_t fuel = GLOB_FUEL;

	assert_false(glob_matches_path(glob, path, 0, &fuel));
	assert_in_range(fuel, 1, GLOB_FUEL);
}

/* What would take a naive matcher longer than the universe lasts. */
static void test_stars_end(void **state)
{
	auto_free char *stars = repeated("*a", 1020, "*b");
	auto_free char *name = repeated("a", 4096, "");
	auto_free char *deep = repeated("**/a/", 1020, "b");
	auto_free char *path = repeated("a/", 4094, "a");

	check_fails_in_time(stars, name);
	check_fails_in_time(deep, path);
	check_fails_in_time(deep, name);
	check_fails_in_time(stars, path);
}

static void test_fuel_ends(void **state)
{
	size_t fuel = 3;

	assert_false(glob_matches_path("aaaaaa", "aaaaaa", 0, &fuel));
	assert_int_equal(fuel, 0);
	assert_false(glob_matches_path("", "", 0, &fuel));
	fuel = 7;
	assert_true(glob_matches_path("aaaaaa", "aaaaaa", 0, &fuel));
}

static void check_refused(const char *text, const char *words)
{
	auto_(patterns_done) struct patterns patterns = { 0 };
	struct fail fail = { 0 };

	assert_int_equal(patterns_add(&patterns, text, &fail), -EINVAL);
	assert_non_null(strstr(fail.text, words));
	assert_in_range(patterns.n, 0, PATTERNS_MAX + 1);
}

static void test_too_many_braces(void **state)
{
	auto_free char *product = repeated("{a,b}", PATTERN_MAX_BYTES, "");
	auto_free char *commas = repeated(",", PATTERN_MAX_BYTES - 2, "}");
	auto_free char *sum = alloc_printf("{%s", commas);
	auto_free char *longer = repeated("x", PATTERN_MAX_BYTES + 1, "");

	check_refused(product, "stand for too many patterns");
	check_refused(sum, "stand for too many patterns");
	check_refused(longer, "may have 4096 bytes");
}

static void test_many_braces_of_one(void **state)
{
	auto_free char *open = repeated("{", PATTERN_MAX_BYTES, "");
	auto_free char *half = repeated("{", PATTERN_MAX_BYTES / 2 - 1, ",");
	auto_free char *close = repeated("}", PATTERN_MAX_BYTES / 2, "");
	auto_free char *nested = alloc_printf("%s%s", half, close);

	assert_false(matches(open, "x", false));
	assert_false(matches(nested, "x", false));
	assert_true(matches(open, open, false));
}

/* The bound is for all patterns together, and what is just within it works. */
static void test_many(void **state)
{
	auto_(patterns_done) struct patterns patterns = { 0 };
	struct fail fail = { 0 };

	for (int i = 0; i < PATTERNS_MAX / 4; i++)
		assert_int_equal(patterns_add(&patterns, "{a,b}{c,d}", &fail), 0);
	assert_int_equal(patterns.n, PATTERNS_MAX);
	assert_true(patterns_match(&patterns, "bc", "bc", false));
	assert_false(patterns_match(&patterns, "cb", "cb", false));
	assert_int_equal(patterns_add(&patterns, "x", &fail), -EINVAL);
}

static void test_list(void **state)
{
	const char *items[] = { "*.o", "{,", "x/y" };
	const struct str_list list = { .items = items, .n = 3 };
	auto_(patterns_done) struct patterns patterns = { 0 };
	struct fail fail = { 0 };

	assert_false(patterns_match(&patterns, "a.o", "a.o", false));
	assert_int_equal(patterns_add_list(&patterns, &list, &fail), 0);
	assert_int_equal(patterns.n, 3);
	assert_true(patterns_match(&patterns, "z/a.o", "a.o", false));
	assert_true(patterns_match(&patterns, "x/y", "y", false));
	assert_false(patterns_match(&patterns, "z/x/y", "y", false));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_matches),
		cmocka_unit_test(test_directories_only),
		cmocka_unit_test(test_stars_end),
		cmocka_unit_test(test_fuel_ends),
		cmocka_unit_test(test_too_many_braces),
		cmocka_unit_test(test_many_braces_of_one),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
