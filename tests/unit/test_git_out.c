/* How the git tools show names, dates and URLs; the stat table; globs; matching; the set of ids. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "shared/alloc.h"
#include "workers/git/glob.h"
#include "workers/git/match.h"
#include "workers/git/oidset.h"
#include "workers/git/out.h"
#include "workers/git/similar.h"
#include "workers/git/stat_table.h"

static void test_dates(void **state)
{
	static const struct {
		git_time when;
		const char *text;
	} cases[] = {
		{ { 0, 0, '+' }, "1970-01-01T00:00:00+00:00" },
		{ { 1774971045, 120, '+' }, "2026-03-31T17:30:45+02:00" },
		{ { 1774971045, -570, '-' }, "2026-03-31T06:00:45-09:30" },
		{ { -1, 0, '+' }, "1969-12-31T23:59:59+00:00" },
		{ { INT64_MAX, 60, '+' }, "1970-01-01T00:00:00+00:00" },
		{ { INT64_MIN, -60, '-' }, "1970-01-01T00:00:00+00:00" },
		{ { 253402300800, 0, '+' }, "1970-01-01T00:00:00+00:00" },
		{ { 0, 6039, '+' }, "1970-01-01T00:00:00+00:00" },
	};
	char text[OUT_DATE_SIZE];

	for (size_t i = 0; i < N_ELEMENTS(cases); i++)
		assert_string_equal(out_date(cases[i].when, text), cases[i].text);
}

static void test_names(void **state)
{
	static const struct {
		const char *name, *shown;
	} cases[] = {
		{ "a b.c", "a b.c" },
		{ "na\xc3\xafve", "na\xc3\xafve" },
		{ "bad\xff", "bad\xef\xbf\xbd" },
		{ "two\nlines", "\"two\\nlines\"" },
		{ "\"quoted\"", "\"\\\"quoted\\\"\"" },
		{ "tab\t", "\"tab\\t\"" },
	};

	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		auto_strbuf text = { 0 };

		out_name(&text, cases[i].name);
		assert_string_equal(text.data, cases[i].shown);
	}
}

static void test_urls(void **state)
{
	static const struct {
		const char *url, *shown;
	} cases[] = {
		{ "https://example.org/x.git", "https://example.org/x.git" },
		{ "https://user@example.org/x", "https://***@example.org/x" },
		{ "https://user:pass@example.org:8443/x", "https://***@example.org:8443/x" },
		{ "https://u:p@ss@example.org/x", "https://***@example.org/x" },
		{ "https://u:pa/ss@example.org/x", "https://***@example.org/x" },
		{ "https://example.org:443/@scope/x", "https://example.org:443/@scope/x" },
		{ "https://example.org/x?token=abc", "https://example.org/x?***" },
		{ "https://[::1]:80/x@y", "https://[::1]:80/x@y" },
		{ "ssh://git@example.org/x", "ssh://***@example.org/x" },
		{ "git@example.org:x/y.git", "***@example.org:x/y.git" },
		{ "/srv/a@b/c", "/srv/a@b/c" },
		{ "", "" },
	};

	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		auto_free char *shown = out_url(cases[i].url);

		assert_string_equal(shown, cases[i].shown);
	}
}

static void test_renames(void **state)
{
	static const struct {
		const char *from, *to, *shown;
	} cases[] = {
		{ "a", "b", "a => b" },
		{ "d/a", "d/b", "d/{a => b}" },
		{ "a/f", "b/f", "{a => b}/f" },
		{ "x/a/f", "x/b/f", "x/{a => b}/f" },
		{ "x/f", "x/y/f", "x/{ => y}/f" },
		{ "x/y/f", "x/f", "x/{y => }/f" },
		{ "f", "d/f", "f => d/f" },
		{ "a/b/c", "a/b/d", "a/b/{c => d}" },
	};

	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		auto_strbuf text = { 0 };

		stat_table_rename(&text, cases[i].from, cases[i].to);
		assert_string_equal(text.data, cases[i].shown);
	}
}

static void test_stat_table(void **state)
{
	auto_(stat_table_done) struct stat_table table = { 0 };
	auto_strbuf text = { 0 };
	git_diff_delta delta = { .status = GIT_DELTA_MODIFIED,
		.new_file = { .path = "a.c", .size = 20 },
		.old_file = { .path = "a.c", .size = 10 } };

	stat_table_print(&table, 0, 0, 0, &text);
	assert_int_equal(text.len, 0);
	stat_table_add(&table, &delta, 3, 1, false);
	delta.new_file.path = delta.old_file.path = "image.png";
	stat_table_add(&table, &delta, 0, 0, true);
	stat_table_print(&table, 2, 3, 1, &text);
	assert_string_equal(text.data, " a.c       |   4 +++-\n"
				       " image.png | Bin 10 -> 20 bytes\n"
				       " 2 files changed, 3 insertions(+), 1 deletion(-)\n");
}

static void test_globs(void **state)
{
	static const struct {
		const char *pattern, *name;
		bool matches;
	} cases[] = {
		{ "v1.*", "v1.2", true },
		{ "v1.*", "v2.1", false },
		{ "*", "", true },
		{ "*", "a/b", true },
		{ "", "", true },
		{ "", "a", false },
		{ "a?c", "abc", true },
		{ "a?c", "ac", false },
		{ "[a-c]x", "bx", true },
		{ "[!a-c]x", "bx", false },
		{ "[^a-c]x", "dx", true },
		{ "[]]", "]", true },
		{ "[a", "[a", true },
		{ "\\*", "*", true },
		{ "\\*", "a", false },
		{ "*a*b", "xxaxxb", true },
		{ "*a*b", "xxbxxa", false },
		{ "a*", "a", true },
	};
	char pattern[200], name[240];

	for (size_t i = 0; i < N_ELEMENTS(cases); i++)
		if (glob_matches(cases[i].pattern, cases[i].name) != cases[i].matches)
			fail_msg("'%s' and '%s'", cases[i].pattern, cases[i].name);

	/* Exponential with a matcher that goes back to every star. */
	for (size_t i = 0; i + 2 < sizeof(pattern); i += 2)
		pattern[i] = '*', pattern[i + 1] = 'a';
	memcpy(pattern + sizeof(pattern) - 2, "b", 2);
	memset(name, 'a', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	assert_false(glob_matches(pattern, name));
}

static int found(const char *pattern, unsigned flags, const char *text)
{
	auto_(match_freep) struct match *match = NULL;
	struct refusal why;

	assert_int_equal(match_new(pattern, flags, &match, &why), 0);
	return match_find(match, text, strlen(text), &why);
}

static void test_match(void **state)
{
	auto_(match_freep) struct match *match = NULL;
	struct refusal why;

	assert_int_equal(found("a.c", 0, "xa.cx"), 1);
	assert_int_equal(found("a.c", 0, "abc"), 0);
	assert_int_equal(found("A.C", MATCH_NO_CASE, "xa.cx"), 1);
	assert_int_equal(found("\xc3\x84", MATCH_NO_CASE, "\xc3\xa4"), 1);
	assert_int_equal(found("a.c", MATCH_REGEX, "abc"), 1);
	assert_int_equal(found("^b$", MATCH_REGEX, "abc"), 0);
	assert_int_equal(found("b", MATCH_REGEX, "\xff\xfe b"), 1);
	assert_true(found("(a+)+$", MATCH_REGEX, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab") < 0);
	assert_true(match_new("(", MATCH_REGEX, &match, &why) < 0);
	assert_string_equal(why.code, "bad_regex");
	assert_non_null(strstr(why.text, "offset 1"));
}

static int score_of(const char *a, const char *b)
{
	auto_(similar_freep) struct similar *x = similar_new(a, strlen(a));
	auto_(similar_freep) struct similar *y = similar_new(b, strlen(b));

	assert_int_equal(similar_score(x, y), similar_score(y, x));
	return similar_score(x, y);
}

static void test_similar(void **state)
{
	assert_int_equal(score_of("", ""), 0);
	assert_int_equal(score_of("a\n", ""), 0);
	assert_int_equal(score_of("a\nb\n", "a\nb\n"), 100);
	assert_int_equal(score_of("a\nb\n", "b\na\n"), 100); /* the order does not count */
	assert_int_equal(score_of("a\nb\nc\nd\n", "a\nb\nc\nx\n"), 75);
	assert_int_equal(score_of("a\na\na\nb\n", "a\nb\nc\nd\n"), 50);
	assert_int_equal(score_of("a\nb\n", "a"), 0);
	assert_int_equal(score_of("aaa\nb", "aaa\nc"), 80);
	/* By the sizes alone less than half. */
	assert_int_equal(score_of("a\n", "a\nb\nc\n"), 0);
	/* Line ends count in the size, not as a difference. */
	assert_int_equal(score_of("aaa\r\nbbb\r\n", "aaa\nbbb\n"), 80);
}

static void test_oidset(void **state)
{
	auto_oidset set = { 0 };
	git_oid id = { { 0 } };

	assert_false(oidset_has(&set, &id));
	for (uint16_t i = 1; i < 2000; i++) {
		memcpy(id.id, &i, sizeof(i));
		assert_false(oidset_has(&set, &id));
		assert_true(oidset_add(&set, &id));
		assert_false(oidset_add(&set, &id));
	}
	/* The same first bytes: only the rest tells them apart. */
	id.id[19] = 1;
	assert_false(oidset_has(&set, &id));
	assert_true(oidset_add(&set, &id));
	assert_int_equal(set.n, 2000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_dates),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_urls),
		cmocka_unit_test(test_renames),
		cmocka_unit_test(test_stat_table),
		cmocka_unit_test(test_globs),
		cmocka_unit_test(test_match),
		cmocka_unit_test(test_similar),
		cmocka_unit_test(test_oidset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
