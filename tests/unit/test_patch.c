/* Unified diffs: what is read, what is refused, where hunks are found, line ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <time.h>

#include "workers/common/diff.h"
#include "workers/filesystem/patch.h"

#define HEAD "--- a/f\n+++ b/f\n"

enum { MUCH = 64 * 1024 * 1024 };

static const struct {
	const char *old;
	const char *patch;
	const char *want;  /* NULL: it fails … */
	const char *words; /* … with these */
	size_t moved;
} applied[] = {
	{ "a\nb\nc\n", HEAD "@@ -1,3 +1,3 @@\n a\n-b\n+x\n c\n", "a\nx\nc\n", NULL, 0 },
	{ "a\nb\nc\n", HEAD "@@ -2 +2 @@ fn()\n-b\n+x\n", "a\nx\nc\n", NULL, 0 },
	/* A line higher, lower, and where two places fit: the nearest. */
	{ "0\na\nb\n", HEAD "@@ -1,2 +1,2 @@\n a\n-b\n+x\n", "0\na\nx\n", NULL, 1 },
	{ "a\nb\n", HEAD "@@ -9,2 +9,2 @@\n a\n-b\n+x\n", "a\nx\n", NULL, 1 },
	{ "a\n1\n2\n3\na\n", HEAD "@@ -4 +4 @@\n-a\n+x\n", "a\n1\n2\n3\nx\n", NULL, 1 },
	/* The second hunk moves with the first. */
	{ "0\na\nb\nc\nd\ne\nd\n", HEAD "@@ -1 +1 @@\n-a\n+x\n@@ -4 +4 @@\n-d\n+y\n",
		"0\nx\nb\nc\ny\ne\nd\n", NULL, 2 },
	/* No line end at the end. */
	{ "a", HEAD "@@ -1 +1 @@\n-a\n\\ No newline at end of file\n+a\n", "a\n", NULL, 0 },
	{ "a\n", HEAD "@@ -1 +1 @@\n-a\n+a\n\\ No newline at end of file\n", "a", NULL, 0 },
	{ "a\nb", HEAD "@@ -1,2 +1,2 @@\n-a\n+x\n b\n\\ No newline at end of file\n", "x\nb", NULL,
		0 },
	{ "a\nb\n", HEAD "@@ -1,2 +1,2 @@\n-a\n+x\n b\n\\ No newline at end of file\n", NULL,
		"line 2", 0 },
	{ "a", HEAD "@@ -1,0 +2 @@\n+b\n", NULL, "no line end", 0 },
	/* Nothing old. */
	{ "", "--- /dev/null\n+++ b/f\n@@ -0,0 +1,2 @@\n+a\n+b\n", "a\nb\n", NULL, 0 },
	{ "a\nb\n", HEAD "@@ -1,0 +2 @@\n+x\n", "a\nx\nb\n", NULL, 0 },
	{ "a\nb\n", HEAD "@@ -2,0 +3 @@\n+x\n", "a\nb\nx\n", NULL, 0 },
	{ "a\n", HEAD "@@ -5,0 +6 @@\n+x\n", NULL, "has 1 lines", 0 },
	{ "a\nb\n", "--- a/f\n+++ /dev/null\n@@ -1,2 +0,0 @@\n-a\n-b\n", "", NULL, 0 },
	{ "a\nb\nc\n", "--- a/f\n+++ /dev/null\n@@ -1,2 +0,0 @@\n-a\n-b\n", NULL,
		"deletes the file", 0 },
	/* An empty line of context whose blank was lost. */
	{ "a\n\nb\n", HEAD "@@ -1,3 +1,3 @@\n a\n\n-b\n+x\n", "a\n\nx\n", NULL, 0 },
	/* CRLF in the file, LF in the patch, or in both. */
	{ "a\r\nb\r\n", HEAD "@@ -1,2 +1,3 @@\n a\n-b\n+x\n+y\n", "a\r\nx\r\ny\r\n", NULL, 0 },
	{ "a\r\nb\r\n", HEAD "@@ -1,2 +1,2 @@\n a\r\n-b\r\n+x\n", "a\r\nx\n", NULL, 0 },
	{ "a\nb\n", HEAD "@@ -1,2 +1,2 @@\n a\r\n-b\r\n+x\r\n", NULL, "fits nowhere", 0 },
	/* No fuzz. */
	{ "a\nb\nc\n", HEAD "@@ -1,3 +1,3 @@\n a\n-b\n+x\n C\n", NULL, "line 3 of the file is \"c",
		0 },
	{ "a\nb\n", HEAD "@@ -1,3 +1,3 @@\n a\n-b\n+x\n c\n", NULL, "has 2 lines", 0 },
	/* Hunks do not overlap, and come in order. */
	{ "a\nb\n", HEAD "@@ -2 +2 @@\n-b\n+x\n@@ -1 +1 @@\n-a\n+y\n", NULL, "hunk 2", 0 },
};

static void test_applied(void **state)
{
	for (size_t i = 0; i < N_ELEMENTS(applied); i++) {
		auto_(patch_done) struct patch patch = { 0 };
		struct failure fail = { 0 };
		auto_strbuf out = { 0 };
		size_t moved = 0;
		int r;

		if (patch_parse(applied[i].patch, strlen(applied[i].patch), 1, &patch, &fail) < 0)
			fail_msg("case %zu: %s", i, fail.text);
		r = patch_apply(&patch, &patch.files[0], applied[i].old, strlen(applied[i].old),
			&out, &moved, &fail);
		if (applied[i].want) {
			if (r < 0)
				fail_msg("case %zu: %s", i, fail.text);
			assert_string_equal(strbuf_get(&out), applied[i].want);
			assert_int_equal(moved, applied[i].moved);
			continue;
		}
		assert_true(r < 0);
		assert_string_equal(fail.code, "no_match");
		if (!strstr(fail.text, applied[i].words))
			fail_msg("case %zu: %s", i, fail.text);
		assert_int_equal(out.len, 0);
	}
}

static const struct {
	const char *patch;
	unsigned strip;
	const char *words; /* NULL: it is right */
	const char *old_name;
	const char *new_name;
	bool is_rename;
} parsed[] = {
	{ HEAD "@@ -1 +1 @@\n-a\n+b\n", 1, NULL, "f", "f", false },
	{ "--- a/d/f\t2020-01-01 10:00\n+++ b/d/f\t2020\n@@ -1 +1 @@\n-a\n+b\n", 1, NULL, "d/f",
		"d/f", false },
	{ "--- a/d/f\n+++ b/d/f\n@@ -1 +1 @@\n-a\n+b\n", 2, NULL, "f", "f", false },
	{ "--- f\n+++ f\n@@ -1 +1 @@\n-a\n+b\n", 0, NULL, "f", "f", false },
	{ "--- f.orig\n+++ f\n@@ -1 +1 @@\n-a\n+b\n", 0, NULL, "f", "f", false },
	{ "--- /dev/null\n+++ b/f\n@@ -0,0 +1 @@\n+b\n", 1, NULL, NULL, "f", false },
	{ "--- a/f\n+++ /dev/null\n@@ -1 +0,0 @@\n-b\n", 1, NULL, "f", NULL, false },
	{ "From: me\n\nwords\n---\n f | 2 +-\n\ndiff --git a/f b/f\nindex 1..2 100644\n" HEAD
	  "@@ -1 +1 @@\n-a\n+b\n-- \n2.39\n",
		1, NULL, "f", "f", false },
	{ "diff --git a/x b/y\nsimilarity index 90%\nrename from x\nrename to y\n", 1, NULL, "x",
		"y", true },
	{ "diff --git a/x b/y\nrename from x\nrename to y\n--- a/x\n+++ b/y\n@@ -1 +1 @@\n-a\n+b\n",
		1, NULL, "x", "y", true },
	{ "diff --git a/e b/e\nnew file mode 100644\nindex 0..e\n", 1, NULL, NULL, "e", false },
	{ "diff --git a/e e b/e e\ndeleted file mode 100644\n", 1, NULL, "e e", NULL, false },
	{ "diff --git a/e b/e\nold mode 100644\nnew mode 100755\n", 1, NULL, "e", "e", false },
	{ "--- \"a/\\303\\244\\n\\\"\"\n+++ \"b/\\303\\244\\n\\\"\"\n@@ -1 +1 @@\n-a\n+b\n", 1,
		NULL, "\xc3\xa4\n\"", "\xc3\xa4\n\"", false },
	/* Refused. */
	{ "", 1, "no file in it", NULL, NULL, false },
	{ "just words\n", 1, "no file in it", NULL, NULL, false },
	{ "@@ -1 +1 @@\n-a\n+b\n", 1, "line 1: a hunk without", NULL, NULL, false },
	{ HEAD, 1, "line 1: this file's part has no hunk", NULL, NULL, false },
	{ HEAD "@@ -1,2 +1 @@\n-a\n+b\n", 1, "line 5: the hunk ends too early", NULL, NULL, false },
	{ HEAD "@@ -1 +1 @@\n-a\n+b\n+c\n", 1, "line 6: the hunk has more lines", NULL, NULL,
		false },
	{ HEAD "@@ -1 +1 @@\n-a\n-b\n", 1, "line 5: the hunk does not have", NULL, NULL, false },
	{ HEAD "@@ -1 +1 @@\nxa\n+b\n", 1, "line 4", NULL, NULL, false },
	{ HEAD "@@ -1 +1 @@\n\\ No newline\n-a\n+b\n", 1, "line 4", NULL, NULL, false },
	{ HEAD "@@ -0,1 +1 @@\n-a\n+b\n", 1, "line 3: the hunk's header", NULL, NULL, false },
	{ HEAD "@@ -1,99999999999999999999 +1 @@\n-a\n+b\n", 1, "the hunk's header", NULL, NULL,
		false },
	{ HEAD "@@ -1 +1\n-a\n+b\n", 1, "the hunk's header", NULL, NULL, false },
	{ "--- f\n+++ f\n@@ -1 +1 @@\n-a\n+b\n", 1, "another strip", NULL, NULL, false },
	{ "--- a/f\n+++ b/f\n@@ -1 +1 @@\n-a\n+b\n", 3, "another strip", NULL, NULL, false },
	{ "--- /dev/null\n+++ /dev/null\n@@ -1 +1 @@\n-a\n+b\n", 1, "both names", NULL, NULL,
		false },
	{ "--- \"a/\\9\"\n+++ b/f\n", 1, "quoted", NULL, NULL, false },
	{ "--- \"a/f\n+++ b/f\n", 1, "quoted", NULL, NULL, false },
	{ "--- \"a/\\000\"\n+++ b/f\n", 1, "quoted", NULL, NULL, false },
	{ "diff --git a/f b/f\nGIT binary patch\n", 1, "line 2: binary", NULL, NULL, false },
	{ "diff --git a/f b/f\nnew file mode 120000\n", 1, "only regular files", NULL, NULL,
		false },
	{ "diff --git a/f b/f\ncopy from f\n", 1, "copies", NULL, NULL, false },
	{ "diff --git a/x b/y\nrename from x\nrename to y\n--- a/x\n+++ b/z\n", 1,
		"names are others", NULL, NULL, false },
};

static void test_parsed(void **state)
{
	for (size_t i = 0; i < N_ELEMENTS(parsed); i++) {
		auto_(patch_done) struct patch patch = { 0 };
		struct failure fail = { 0 };
		int r = patch_parse(
			parsed[i].patch, strlen(parsed[i].patch), parsed[i].strip, &patch, &fail);

		if (parsed[i].words) {
			assert_true(r < 0);
			assert_string_equal(fail.code, "invalid_argument");
			if (!strstr(fail.text, parsed[i].words))
				fail_msg("case %zu: %s", i, fail.text);
			continue;
		}
		if (r < 0)
			fail_msg("case %zu: %s", i, fail.text);
		assert_int_equal(patch.n_files, 1);
		if (parsed[i].old_name)
			assert_string_equal(patch.files[0].old_name, parsed[i].old_name);
		else
			assert_null(patch.files[0].old_name);
		if (parsed[i].new_name)
			assert_string_equal(patch.files[0].new_name, parsed[i].new_name);
		else
			assert_null(patch.files[0].new_name);
		assert_int_equal(patch.files[0].is_rename, parsed[i].is_rename);
	}
}

static void test_too_many_files(void **state)
{
	auto_strbuf text = { 0 };

	for (int i = 0; i <= PATCH_MAX_FILES; i++) {
		auto_(patch_done) struct patch patch = { 0 };
		struct failure fail = { 0 };
		int r;

		strbuf_addf(&text, "--- a/f%d\n+++ b/f%d\n@@ -1 +1 @@\n-a\n+b\n", i, i);
		r = patch_parse(text.data, text.len, 1, &patch, &fail);
		assert_int_equal(r < 0, i == PATCH_MAX_FILES);
	}
}

static uint32_t random_state = 7;

static uint32_t next_random(uint32_t below)
{
	random_state = random_state * 1664525 + 1013904223;
	return (random_state >> 8) % below;
}

static void random_lines(struct strbuf *out, uint32_t n)
{
	static const char *const ends[] = { "\n", "\n", "\n", "\r\n" };

	for (uint32_t i = 0; i < n; i++)
		strbuf_addf(out, "%u%s", next_random(6), ends[next_random(4)]);
	if (n > 0 && next_random(3) == 0)
		strbuf_addc(out, 'e');
}

/* What the differ says, the applier does. */
static void test_as_diff(void **state)
{
	for (int round = 0; round < 5000; round++) {
		auto_strbuf a = { 0 };
		auto_strbuf b = { 0 };
		auto_strbuf diff = { 0 };
		auto_strbuf out = { 0 };
		auto_(patch_done) struct patch patch = { 0 };
		struct failure fail = { 0 };
		size_t moved = 1;

		random_lines(&a, next_random(40));
		random_lines(&b, next_random(40));
		assert_int_equal(
			diff_unified(strbuf_get(&a), strbuf_get(&b), next_random(4), MUCH, &diff),
			0);
		if (diff.len == 0)
			continue;
		if (patch_parse(diff.data, diff.len, 0, &patch, &fail) < 0 ||
			patch_apply(&patch, &patch.files[0], strbuf_get(&a), a.len, &out, &moved,
				&fail) < 0)
			fail_msg("%s\n%s", fail.text, diff.data);
		assert_string_equal(strbuf_get(&out), strbuf_get(&b));
		assert_int_equal(moved, 0);
	}
}

/* Equal lines without end, and a hunk that fits nowhere. */
static void test_hostile(void **state)
{
	auto_strbuf old = { 0 };
	auto_strbuf text = { 0 };
	auto_strbuf out = { 0 };
	auto_(patch_done) struct patch patch = { 0 };
	struct failure fail = { 0 };
	clock_t started = clock();
	size_t moved = 0;

	while (old.len < PATCH_MAX_FILE_BYTES - 2)
		strbuf_adds(&old, "a\n");
	strbuf_adds(&text, HEAD "@@ -999999999,500001 +1,500000 @@\n");
	for (int i = 0; i < 500000; i++)
		strbuf_adds(&text, " a\n");
	strbuf_adds(&text, "-b\n");
	assert_int_equal(patch_parse(text.data, text.len, 1, &patch, &fail), 0);
	assert_true(
		patch_apply(&patch, &patch.files[0], old.data, old.len, &out, &moved, &fail) < 0);
	assert_string_equal(fail.code, "no_match");
	assert_true(clock() - started < 30 * CLOCKS_PER_SEC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_applied),
		cmocka_unit_test(test_parsed),
		cmocka_unit_test(test_too_many_files),
		cmocka_unit_test(test_as_diff),
		cmocka_unit_test(test_hostile),
	};

	return cmocka_run_group_tests_name("patch", tests, NULL, NULL);
}
