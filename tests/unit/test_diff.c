/* Unified diffs: their form, that they are right and short, and that work is bounded. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <time.h>

#include "shared/strbuf.h"
#include "tests/unit/fake_call.h"
#include "workers/common/diff.h"
#include "workers/utils/tools.h"

enum { MUCH = 16 * 1024 * 1024 };

static const struct {
	const char *a;
	const char *b;
	size_t context;
	const char *want; /* without the two lines of names */
} cases[] = {
	{ "a\nb\nc\n", "a\nx\nc\n", 3, "@@ -1,3 +1,3 @@\n a\n-b\n+x\n c\n" },
	{ "a\nb\nc\n", "a\nx\nc\n", 0, "@@ -2 +2 @@\n-b\n+x\n" },
	{ "", "a\n", 3, "@@ -0,0 +1 @@\n+a\n" },
	{ "a\n", "", 3, "@@ -1 +0,0 @@\n-a\n" },
	{ "a\nc\n", "a\nb\nc\n", 0, "@@ -1,0 +2 @@\n+b\n" },
	{ "a\nb\nc\n", "a\nc\n", 0, "@@ -2 +1,0 @@\n-b\n" },
	{ "a", "a\n", 3, "@@ -1 +1 @@\n-a\n\\ No newline at end of file\n+a\n" },
	{ "a\nb", "x\nb", 3, "@@ -1,2 +1,2 @@\n-a\n+x\n b\n\\ No newline at end of file\n" },
	{ "1\n2\n3\n4\n5\n6\n7\n8\n9\n", "x\n2\n3\n4\n5\n6\n7\n8\ny\n", 1,
		"@@ -1,2 +1,2 @@\n-1\n+x\n 2\n@@ -8,2 +8,2 @@\n 8\n-9\n+y\n" },
	{ "1\n2\n3\n4\n", "x\n2\n3\ny\n", 1, "@@ -1,4 +1,4 @@\n-1\n+x\n 2\n 3\n-4\n+y\n" },
	{ "1\n2\n3\n4\n5\n", "x\n2\n3\n4\ny\n", 1,
		"@@ -1,2 +1,2 @@\n-1\n+x\n 2\n@@ -4,2 +4,2 @@\n 4\n-5\n+y\n" },
	{ "a\r\n", "a\n", 0, "@@ -1 +1 @@\n-a\r\n+a\n" },
};

static void test_cases(void **state)
{
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		static const char names[] = "--- a\n+++ b\n";
		auto_strbuf out = { 0 };

		assert_int_equal(
			diff_unified(cases[i].a, cases[i].b, cases[i].context, MUCH, &out), 0);
		assert_memory_equal(strbuf_get(&out), names, strlen(names));
		assert_string_equal(out.data + strlen(names), cases[i].want);
	}
}

static void test_equal(void **state)
{
	auto_strbuf out = { 0 };

	assert_int_equal(diff_unified("a\nb", "a\nb", 3, MUCH, &out), 0);
	assert_int_equal(out.len, 0);
	assert_int_equal(diff_unified("", "", 3, MUCH, &out), 0);
	assert_int_equal(out.len, 0);
}

static void test_size(void **state)
{
	auto_strbuf fits = { 0 };
	auto_strbuf out = { 0 };
	size_t len = strlen("--- a\n+++ b\n@@ -1 +1 @@\n-a\n+b\n");

	assert_int_equal(diff_unified("a\n", "b\n", 3, len, &fits), 0);
	assert_int_equal(diff_unified("a\n", "b\n", 3, len - 1, &out), -E2BIG);
}

static uint32_t random_state = 1;

static uint32_t next_random(uint32_t below)
{
	random_state = random_state * 1664525 + 1013904223;
	return (random_state >> 8) % below;
}

static void random_lines(struct strbuf *out, uint32_t n, uint32_t kinds)
{
	strbuf_cut(out, 0);
	for (uint32_t i = 0; i < n; i++)
		strbuf_addf(out, "%u\n", next_random(kinds));
}

/* With more context than lines there is one hunk; taking its lines gives both texts again. */
static void rebuild(const char *diff, struct strbuf *a, struct strbuf *b, size_t *ret_changed)
{
	size_t lines = 0;

	*ret_changed = 0;
	for (const char *at = diff; *at; lines++) {
		size_t len = strcspn(at, "\n") + 1;

		if (lines >= 3 && *at != '+')
			strbuf_add(a, at + 1, len - 1);
		if (lines >= 3 && *at != '-')
			strbuf_add(b, at + 1, len - 1);
		if (lines >= 3 && *at != ' ')
			++*ret_changed;
		at += len;
	}
}

/* The number of changed lines in a shortest diff, by the textbook's table. */
static size_t shortest(const char *a, const char *b)
{
	static uint16_t table[64][64];
	const char *line_a[64];
	const char *line_b[64];
	size_t n = 0;
	size_t m = 0;

	for (const char *at = a; *at; at += strcspn(at, "\n") + 1)
		line_a[n++] = at;
	for (const char *at = b; *at; at += strcspn(at, "\n") + 1)
		line_b[m++] = at;
	for (size_t i = n + 1; i-- > 0;) {
		for (size_t j = m + 1; j-- > 0;) {
			uint16_t best = 0;

			if (i < n && j < m) {
				size_t len = strcspn(line_a[i], "\n") + 1;
				bool equal = strncmp(line_a[i], line_b[j], len) == 0;
				uint16_t down = table[i + 1][j];
				uint16_t right = table[i][j + 1];

				best = equal ? (uint16_t)(table[i + 1][j + 1] + 1)
					     : (down > right ? down : right);
			}
			table[i][j] = best;
		}
	}
	return n + m - 2 * (size_t)table[0][0];
}

static void test_random(void **state)
{
	auto_strbuf a = { 0 };
	auto_strbuf b = { 0 };

	for (int round = 0; round < 3000; round++) {
		auto_strbuf diff = { 0 };
		auto_strbuf again_a = { 0 };
		auto_strbuf again_b = { 0 };
		uint32_t kinds = 1 + next_random(12);
		size_t changed;

		random_lines(&a, next_random(60), kinds);
		random_lines(&b, next_random(60), kinds + next_random(3));
		assert_int_equal(diff_unified(strbuf_get(&a), strbuf_get(&b), 100, MUCH, &diff), 0);
		if (streq(strbuf_get(&a), strbuf_get(&b)))
			continue;
		rebuild(strbuf_get(&diff), &again_a, &again_b, &changed);
		assert_string_equal(strbuf_get(&again_a), strbuf_get(&a));
		assert_string_equal(strbuf_get(&again_b), strbuf_get(&b));
		assert_int_equal(changed, shortest(strbuf_get(&a), strbuf_get(&b)));
	}
}

/* The largest texts, made to cost most: soon done, and still right. */
static void test_hostile(void **state)
{
	static const uint32_t kinds[] = { 1, 2, 10, 1000 };
	auto_strbuf a = { 0 };
	auto_strbuf b = { 0 };

	for (size_t i = 0; i < N_ELEMENTS(kinds); i++) {
		auto_strbuf diff = { 0 };
		auto_strbuf again_a = { 0 };
		auto_strbuf again_b = { 0 };
		clock_t started;
		size_t changed;

		random_lines(&a, 100000, kinds[i]);
		random_lines(&b, 90000, kinds[i]);
		started = clock();
		assert_int_equal(
			diff_unified(strbuf_get(&a), strbuf_get(&b), 1000000, MUCH, &diff), 0);
		assert_true((clock() - started) < 30 * CLOCKS_PER_SEC);
		rebuild(strbuf_get(&diff), &again_a, &again_b, &changed);
		assert_string_equal(strbuf_get(&again_a), strbuf_get(&a));
		assert_string_equal(strbuf_get(&again_b), strbuf_get(&b));
	}
}

static void test_tool(void **state)
{
	const struct fake_answer *answer;

	answer = fake_run(diff_tools, "string_diff", "{\"a\":\"x\\n\",\"b\":\"y\\n\"}");
	assert_non_null(answer->result);
	assert_true(json_is_false(json_object_get(answer->result, "equal")));
	assert_string_equal(fake_text("result"), "--- a\n+++ b\n@@ -1 +1 @@\n-x\n+y\n");
	answer = fake_run(diff_tools, "string_diff", "{\"a\":\"x\",\"b\":\"x\"}");
	assert_true(json_is_true(json_object_get(answer->result, "equal")));
	assert_string_equal(fake_text("result"), "");
	answer = fake_run(
		diff_tools, "string_diff", "{\"a\":\"x\",\"b\":\"x\",\"context_lines\":101}");
	assert_string_equal(answer->code, "invalid_argument");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_equal),
		cmocka_unit_test(test_size),
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_tool),
	};
	int failed = cmocka_run_group_tests_name("diff", tests, NULL, NULL);

	fake_done();
	return failed;
}
