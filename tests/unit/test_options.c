/* The command line. */
#include <fcntl.h>
#include <getopt.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "supervisor/options.h"

enum { MAX_ARGS = 16 };

static struct options options;

/* The words of `line`, each ended by a blank. */
static enum options_action parse(const char *line)
{
	static char text[256];
	static char name[] = "mcp-fleetd";
	char *argv[MAX_ARGS] = { name };
	char *save = NULL;
	int argc = 1;

	options_done(&options);
	(void)strncpy(text, line, sizeof(text) - 1);
	for (char *word = strtok_r(text, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
		assert_true(argc < MAX_ARGS - 1);
		argv[argc++] = word;
	}
	optind = 0; /* getopt(3): begin again */
	opterr = 0;
	return options_parse(argc, argv, &options);
}

static int tear_down(void **unused)
{
	options_done(&options);
	return 0;
}

static void test_nothing(void **unused)
{
	assert_int_equal(parse(""), OPTIONS_RUN);
	assert_null(options.sources.path);
	assert_null(options.sources.transport);
	assert_int_equal(options.sources.n_listen, 0);
}

static void test_all(void **unused)
{
	assert_int_equal(
		parse("-c f.yaml --transport sse -l a:1 --listen b:2 -r / --root /x -d git"),
		OPTIONS_RUN);
	assert_string_equal(options.sources.path, "f.yaml");
	assert_string_equal(options.sources.transport, "sse");
	assert_int_equal(options.sources.n_listen, 2);
	assert_string_equal(options.sources.listen[0], "a:1");
	assert_string_equal(options.sources.listen[1], "b:2");
	assert_int_equal(options.sources.n_roots, 2);
	assert_string_equal(options.sources.roots[1], "/x");
	assert_int_equal(options.sources.n_domains, 1);
	assert_string_equal(options.sources.domains[0], "git");
	assert_int_equal(parse("--check-config --config=x"), OPTIONS_CHECK_CONFIG);
	assert_string_equal(options.sources.path, "x");
	assert_int_equal(parse("--dump-config"), OPTIONS_DUMP_CONFIG);
}

/* What is printed is not what is tested: it would stand among the results. */
static enum options_action parse_quietly(const char *line)
{
	int kept_out, kept_err, nowhere;
	enum options_action action;

	(void)fflush(stdout);
	kept_out = dup(STDOUT_FILENO);
	kept_err = dup(STDERR_FILENO);
	nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
	(void)dup2(nowhere, STDOUT_FILENO);
	(void)dup2(nowhere, STDERR_FILENO);
	action = parse(line);
	(void)fflush(stdout);
	(void)dup2(kept_out, STDOUT_FILENO);
	(void)dup2(kept_err, STDERR_FILENO);
	(void)close(kept_out);
	(void)close(kept_err);
	(void)close(nowhere);
	return action;
}

static void test_wrong(void **unused)
{
	assert_int_equal(parse_quietly("--no-such"), OPTIONS_WRONG);
	assert_int_equal(parse_quietly("-c"), OPTIONS_WRONG);
	assert_int_equal(parse_quietly("-l a:1 word"), OPTIONS_WRONG);
}

static void test_help(void **unused)
{
	assert_int_equal(parse_quietly("-r / --help"), OPTIONS_DONE);
	assert_int_equal(parse_quietly("-V"), OPTIONS_DONE);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_teardown(fn, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_nothing),
		TEST(test_all),
		TEST(test_wrong),
		TEST(test_help),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
