/* Rules of .gitignore files. That git sees them the same way is tested against git itself, in
 * tests/integration/test_filesystem_walk.py; here are the corners of the text, and bounds. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "shared/alloc.h"
#include "shared/fd.h"
#include "workers/filesystem/ignore.h"

static bool has(const char *text, const char *path, bool is_dir)
{
	auto_(ignore_freep) struct ignore *ignore = ignore_parse(NULL, 0, text, strlen(text));

	return ignore_has(ignore, path, is_dir);
}

static const struct {
	const char *text;
	const char *path;
	bool expected; /* of a file */
} cases[] = {
	{ "a", "a", true },
	{ "a", "x/a", true },
	{ "a", "ab", false },
	{ "/a", "a", true },
	{ "/a", "x/a", false },
	{ "x/a", "x/a", true },
	{ "x/a", "y/x/a", false },
	{ "a/", "a", false },
	{ "*.o\n!b.o", "a.o", true },
	{ "*.o\n!b.o", "b.o", false },
	{ "!b.o\n*.o", "b.o", true },
	{ "#a", "#a", false },
	{ "\\#a", "#a", true },
	{ "\\!a", "!a", true },
	{ "a  ", "a", true },
	{ "a\\ ", "a ", true },
	{ "a\\  ", "a ", true },
	{ "a\t", "a", false },
	{ "a b", "a b", true },
	{ " a", " a", true },
	{ "a\r\nb\r\n", "a", true },
	{ "a\r\nb\r\n", "b", true },
	{ "\xef\xbb\xbf"
	  "a",
		"a", true },
	{ "", "a", false },
	{ "\n\n \n", "a", false },
	{ "/", "a", false },
	{ "!", "a", false },
	{ "//", "a", false },
	{ "**/x", "x", true },
	{ "**/x", "a/b/x", true },
	{ "a/**", "a", false },
	{ "a/**", "a/b/c", true },
	{ "a/**/x", "a/x", true },
	{ "a**/x", "ab/c/x", true },
	{ "?", "\xc3\xa4", false },
	{ "[a", "[a", false },
	{ "a\\", "a\\", false },
	{ "a[b-]c", "a-c", true },
	{ "{a,b}", "a", false },
	{ "{a,b}", "{a,b}", true },
};

static void test_rules(void **state)
{
	for (size_t i = 0; i < N_ELEMENTS(cases); i++)
		if (has(cases[i].text, cases[i].path, false) != cases[i].expected)
			fail_msg("'%s' on '%s'", cases[i].text, cases[i].path);
}

static void test_directories(void **state)
{
	assert_true(has("a/", "x/a", true));
	assert_true(has("x/a/", "x/a", true));
	assert_true(has("a", "a", true));
	assert_false(has("/a/\n!a", "a", true));
}

/* The nearest file that says anything decides, and its paths begin where it lies. */
static void test_levels(void **state)
{
	static const char outer[] = "*.o\n/a/b/x\n/x\n";
	static const char inner[] = "!keep.o\n/x\n";
	auto_(ignore_freep) struct ignore *above = ignore_parse(NULL, 0, outer, strlen(outer));
	auto_(ignore_freep) struct ignore *ignore = ignore_parse(above, 1, inner, strlen(inner));

	assert_true(ignore_has(ignore, "a/z.o", false));
	assert_false(ignore_has(ignore, "a/keep.o", false));
	assert_true(ignore_has(ignore, "a/x", false));
	assert_true(ignore_has(ignore, "a/b/x", false));
	assert_false(ignore_has(ignore, "a/c/x", false));
	assert_false(ignore_has(NULL, "a", false));
}

static void test_nothing(void **state)
{
	assert_null(ignore_parse(NULL, 0, "", 0));
	assert_null(ignore_parse(NULL, 0, "# only\n\n", 8));
	assert_int_equal(ignore_bytes(NULL), 0);
	ignore_free(NULL);
}

/* A NUL ends a line's rule, as it does for git; what follows on the line is no rule. */
static void test_nul(void **state)
{
	auto_(ignore_freep) struct ignore *ignore = ignore_parse(NULL, 0, "a\0b\nc", 5);

	assert_true(ignore_has(ignore, "a", false));
	assert_false(ignore_has(ignore, "b", false));
	assert_true(ignore_has(ignore, "c", false));
}

static void test_long_rules(void **state)
{
	auto_free char *text = alloc_zero(IGNORE_RULE_BYTES + 10);
	auto_(ignore_freep) struct ignore *ignore = NULL;

	memset(text, 'x', IGNORE_RULE_BYTES + 1);
	memcpy(text + IGNORE_RULE_BYTES + 1, "\ny", 2);
	ignore = ignore_parse(NULL, 0, text, strlen(text));
	text[IGNORE_RULE_BYTES + 1] = '\0';
	assert_false(ignore_has(ignore, text, false));
	assert_true(ignore_has(ignore, "y", false));
}

/* Thousands of costly rules: each look ends, though those that come first are then not tried. */
static void test_costly_rules(void **state)
{
	auto_strbuf text = { 0 };
	auto_(ignore_freep) struct ignore *ignore = NULL;
	char name[256] = { 0 };

	memset(name, 'a', 255);
	strbuf_adds(&text, "a*\n");
	for (int i = 0; i < 12000; i++) {
		for (int k = 0; k < 100; k++)
			strbuf_adds(&text, "*a");
		strbuf_adds(&text, "b\n");
	}
	ignore = ignore_parse(NULL, 0, text.data, text.len);
	assert_false(ignore_has(ignore, name, false));
	assert_true(ignore_has(ignore, "ab", false));
}

static void write_file(int dir_fd, const char *bytes, size_t len)
{
	auto_close int fd =
		openat(dir_fd, ".gitignore", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(fd_write_all(fd, bytes, len), 0);
}

static void test_read(void **state)
{
	char dir[] = "/tmp/test_ignore.XXXXXX";
	auto_free char *large = alloc_zero(IGNORE_FILE_BYTES + 2);
	struct ignore *ignore;
	size_t total = 0;
	int fd;

	assert_non_null(mkdtemp(dir));
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_null(ignore_read(NULL, 0, fd, &total));
	write_file(fd, "*.o\n", 4);
	ignore = ignore_read(NULL, 0, fd, &total);
	assert_true(ignore_has(ignore, "a.o", false));
	assert_int_equal(total, ignore_bytes(ignore));
	assert_in_range(total, 4, 1000);
	ignore_free(ignore);

	total = IGNORE_TOTAL_BYTES + 1;
	assert_null(ignore_read(NULL, 0, fd, &total));
	assert_int_equal(total, IGNORE_TOTAL_BYTES + 1);

	total = 0;
	memset(large, 'x', IGNORE_FILE_BYTES + 1);
	write_file(fd, large, IGNORE_FILE_BYTES + 1);
	assert_null(ignore_read(NULL, 0, fd, &total));

	assert_int_equal(renameat(fd, ".gitignore", fd, "rules"), 0);
	assert_int_equal(symlinkat("rules", fd, ".gitignore"), 0);
	assert_null(ignore_read(NULL, 0, fd, &total));
	assert_int_equal(unlinkat(fd, ".gitignore", 0), 0);
	assert_int_equal(mkfifoat(fd, ".gitignore", 0600), 0);
	assert_null(ignore_read(NULL, 0, fd, &total));
	assert_int_equal(total, 0);

	(void)unlinkat(fd, ".gitignore", 0);
	(void)unlinkat(fd, "rules", 0);
	(void)close(fd);
	assert_int_equal(rmdir(dir), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rules),
		cmocka_unit_test(test_directories),
		cmocka_unit_test(test_levels),
		cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_nul),
		cmocka_unit_test(test_long_rules),
		cmocka_unit_test(test_costly_rules),
		cmocka_unit_test(test_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
