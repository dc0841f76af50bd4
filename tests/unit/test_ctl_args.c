/* The command line of mcp-fleetctl: what is taken, and what is said about what is wrong. */
#include "ctl/args.h"

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "ctl/nearest.h"
#include "ctl/number.h"
#include "shared/fd.h"
#include "shared/strbuf.h"

enum { MAX_WORDS = 80 };

struct parsed {
	enum args_verdict verdict;
	struct ctl ctl;
	struct ctl_args args;
	struct strbuf out;
	struct strbuf err;
	char text[4096];
	char *words[MAX_WORDS + 1];
};

static int redirect(int fd, int *ret_old)
{
	int file = memfd_create("said", MFD_CLOEXEC);

	assert_true(file >= 0);
	*ret_old = dup(fd);
	assert_true(*ret_old >= 0);
	assert_true(dup2(file, fd) >= 0);
	return file;
}

static void restore(int fd, int old, int file, struct strbuf *ret)
{
	assert_true(dup2(old, fd) >= 0);
	(void)close(old);
	assert_int_equal(lseek(file, 0, SEEK_SET), 0);
	assert_int_equal(fd_read_all(file, 65536, ret), 0);
	(void)close(file);
}

/* Words are separated by blanks; "_" stands for an empty one. */
static void parse(struct parsed *p, const char *line)
{
	char *save = NULL;
	int n = 0;
	int old_out;
	int old_err;
	int out;
	int err;

	*p = (struct parsed){ 0 };
	assert_true(
		snprintf(p->text, sizeof(p->text), "mcp-fleetctl %s", line) < (int)sizeof(p->text));
	for (char *word = strtok_r(p->text, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
		assert_true(n < MAX_WORDS);
		p->words[n++] = streq(word, "_") ? word + 1 : word;
	}
	(void)fflush(stdout);
	out = redirect(STDOUT_FILENO, &old_out);
	err = redirect(STDERR_FILENO, &old_err);
	p->verdict = args_parse(n, p->words, &p->ctl, &p->args);
	(void)fflush(stdout);
	(void)fflush(stderr);
	restore(STDOUT_FILENO, old_out, out, &p->out);
	restore(STDERR_FILENO, old_err, err, &p->err);
}

static void parsed_done(struct parsed *p)
{
	strbuf_done(&p->out);
	strbuf_done(&p->err);
}

static void expect_wrong(const char *line, const char *said)
{
	auto_(parsed_done) struct parsed p;

	parse(&p, line);
	assert_int_equal(p.verdict, ARGS_WRONG);
	assert_string_equal(strbuf_get(&p.out), "");
	if (!strstr(strbuf_get(&p.err), said))
		fail_msg("'%s': '%s' is not in: %s", line, said, strbuf_get(&p.err));
	assert_non_null(strstr(strbuf_get(&p.err), "--help'.\n"));
}

static void test_options_of_every_verb_stand_anywhere(void **state)
{
	static const char *const lines[] = {
		"--socket /s --json --timeout 2 status git",
		"status --socket=/s git --json --timeout=2",
		"status git --timeout 2.0 --json --socket /s",
		"--json status --timeout 2 -- git --socket", /* plain behind the "--" */
	};

	for (size_t i = 0; i < N_ELEMENTS(lines); i++) {
		auto_(parsed_done) struct parsed p;

		parse(&p, lines[i]);
		if (i == 3) { /* one argument too many: "--socket" is one there */
			assert_int_equal(p.verdict, ARGS_WRONG);
			continue;
		}
		assert_int_equal(p.verdict, ARGS_RUN);
		assert_string_equal(p.args.verb->name, "status");
		assert_string_equal(p.ctl.socket, "/s");
		assert_true(p.ctl.is_json);
		assert_int_equal(p.ctl.timeout_ms, 2000);
		assert_int_equal(args_count(&p.args), 1);
		assert_string_equal(args_at(&p.args, 0), "git");
		assert_null(args_at(&p.args, 1));
		assert_null(args_rest(&p.args)[1]);
	}
}

static void test_defaults(void **state)
{
	auto_(parsed_done) struct parsed p;

	assert_int_equal(unsetenv("MCP_FLEET_CONTROL"), 0);
	parse(&p, "status");
	assert_int_equal(p.verdict, ARGS_RUN);
	assert_null(p.ctl.socket);
	assert_false(p.ctl.is_json);
	assert_false(p.ctl.has_colors);
	assert_false(p.ctl.is_terminal);
	assert_int_equal(p.ctl.timeout_ms, 10000);
	assert_int_equal(args_count(&p.args), 0);
}

static void test_socket_of_the_environment(void **state)
{
	auto_(parsed_done) struct parsed named = { 0 };
	auto_(parsed_done) struct parsed from_env = { 0 };
	auto_(parsed_done) struct parsed empty = { 0 };

	assert_int_equal(setenv("MCP_FLEET_CONTROL", "/env", 1), 0);
	parse(&from_env, "status");
	parse(&named, "--socket /s status");
	assert_int_equal(setenv("MCP_FLEET_CONTROL", "", 1), 0);
	parse(&empty, "status");
	assert_int_equal(unsetenv("MCP_FLEET_CONTROL"), 0);
	assert_string_equal(from_env.ctl.socket, "/env");
	assert_string_equal(named.ctl.socket, "/s");
	assert_null(empty.ctl.socket);
}

static void test_letters(void **state)
{
	auto_(parsed_done) struct parsed apart = { 0 };
	auto_(parsed_done) struct parsed together = { 0 };

	parse(&apart, "logs -f -n 5 git");
	parse(&together, "logs -fn5 git");
	assert_int_equal(apart.verdict, ARGS_RUN);
	assert_int_equal(together.verdict, ARGS_RUN);
	assert_true(args_has(&together.args, "follow"));
	assert_string_equal(args_get(&apart.args, "lines"), "5");
	assert_string_equal(args_get(&together.args, "lines"), "5");
	assert_string_equal(args_at(&together.args, 0), "git");
}

static void test_the_last_one_counts(void **state)
{
	auto_(parsed_done) struct parsed p;

	parse(&p, "logs -n 5 --lines=6 --lines 7");
	assert_int_equal(p.verdict, ARGS_RUN);
	assert_string_equal(args_get(&p.args, "lines"), "7");
	assert_string_equal(args_get_nth(&p.args, "lines", 0), "5");
	assert_string_equal(args_get_nth(&p.args, "lines", 2), "7");
	assert_null(args_get_nth(&p.args, "lines", 3));
	assert_null(args_get(&p.args, "level"));
	assert_false(args_has(&p.args, "follow"));
}

static void test_a_lone_dash_and_an_empty_word_are_arguments(void **state)
{
	auto_(parsed_done) struct parsed p;

	parse(&p, "call tool - _ -- --x");
	assert_int_equal(p.verdict, ARGS_RUN);
	assert_int_equal(args_count(&p.args), 4);
	assert_string_equal(args_at(&p.args, 1), "-");
	assert_string_equal(args_at(&p.args, 2), "");
	assert_string_equal(args_at(&p.args, 3), "--x");
}

static void test_wrong_lines(void **state)
{
	static const struct {
		const char *line;
		const char *said;
	} cases[] = {
		{ "", "a verb is missing" },
		{ "--json", "a verb is missing" },
		{ "stauts", "unknown verb 'stauts'; did you mean 'status'?" },
		{ "sessoin list", "did you mean 'sessions'?" },
		{ "zebra", "unknown verb 'zebra'\n" },
		{ "__complet", "unknown verb '__complet'\n" },
		{ "--jsno status", "unknown option '--jsno'; did you mean '--json'?" },
		{ "--js status", "did you mean '--json'?" }, /* abbreviations are not taken */
		{ "status --folow", "unknown option '--folow'\n" },
		{ "logs --folow", "did you mean '--follow'?" },
		{ "--follow logs",
			"option '--follow' stands behind the verb: mcp-fleetctl logs --follow" },
		{ "-f logs", "option '-f' stands behind the verb: mcp-fleetctl logs -f" },
		{ "logs -fx", "unknown option '-x'" },
		{ "logs -\xc3\xa9", "unknown option '-\xc3\xa9'" },
		{ "logs -\xff", "unknown option '-\\xFF'" },
		{ "status --json=yes", "option '--json' takes no value" },
		{ "status --socket", "option '--socket' needs a value: PATH" },
		{ "logs -n", "option '--lines' needs a value: N" },
		{ "logs --level loud", "--level: 'loud' is none of: error warning" },
		{ "logs --level _", "--level: '' is none of" },
		{ "status a b", "unexpected argument 'b'" },
		{ "version a", "unexpected argument 'a': it takes none" },
		{ "call", "an argument is missing: mcp-fleetctl call TOOL" },
		{ "completion fish", "'fish' is none of: bash zsh" },
		{ "status --timeout x", "'x' is no number of seconds" },
		{ "status --timeout 0", "'0' is no number of seconds" },
		{ "status --timeout -1", "'-1' is no number of seconds" },
		{ "status --timeout 86401", "is no number of seconds" },
		{ "status --timeout 0.0001", "is no number of seconds" },
		{ "sta\033[2Jtus", "unknown verb 'sta\\x1B[2Jtus'" },
	};

	for (size_t i = 0; i < N_ELEMENTS(cases); i++)
		expect_wrong(cases[i].line, cases[i].said);
}

static void test_too_many_options(void **state)
{
	auto_strbuf line = { 0 };

	strbuf_adds(&line, "status");
	for (int i = 0; i < 65; i++)
		strbuf_adds(&line, " --json");
	expect_wrong(strbuf_get(&line), "more than 64 options");
}

static void test_help_and_version(void **state)
{
	static const char *const helps[] = { "--help", "-h", "status --help", "call -h",
		"--help completion", "status a b --help" };
	auto_(parsed_done) struct parsed version = { 0 };

	for (size_t i = 0; i < N_ELEMENTS(helps); i++) {
		auto_(parsed_done) struct parsed p;

		parse(&p, helps[i]);
		assert_int_equal(p.verdict, ARGS_DONE);
		assert_memory_equal(strbuf_get(&p.out), "Usage: mcp-fleetctl", 19);
		assert_string_equal(strbuf_get(&p.err), "");
	}
	parse(&version, "--version");
	assert_int_equal(version.verdict, ARGS_DONE);
	assert_memory_equal(strbuf_get(&version.out), "mcp-fleetctl ", 13);
}

static void test_help_names_all_that_is_shown(void **state)
{
	auto_(parsed_done) struct parsed p;

	parse(&p, "--help");
	for (const struct verb *const *v = verbs; *v; v++) {
		auto_strbuf word = { 0 };

		strbuf_addf(&word, "\n  %s", (*v)->name);
		if ((*v)->summary)
			assert_non_null(strstr(strbuf_get(&p.out), strbuf_get(&word)));
		else
			assert_null(strstr(strbuf_get(&p.out), strbuf_get(&word)));
	}
	for (const char *line = strbuf_get(&p.out); *line;) {
		size_t len = strcspn(line, "\n");

		assert_true(len <= 100);
		line += len + (line[len] == '\n');
	}
}

static const char *nearest(const char *word, const char *const *known)
{
	struct nearest n = nearest_begin(word, strlen(word));

	for (; *known; known++)
		nearest_offer(&n, *known);
	return n.best;
}

static void test_nearest(void **state)
{
	static const char *const known[] = { "status", "stdio", "top", "tools", "restart", NULL };

	assert_string_equal(nearest("stauts", known), "status");
	assert_string_equal(nearest("stat", known), "status");
	assert_string_equal(nearest("tool", known), "tools");
	assert_string_equal(nearest("tpo", known), "top");
	assert_string_equal(nearest("restrat", known), "restart");
	assert_null(nearest("", known));
	assert_null(nearest("x", known));
	assert_null(nearest("gateway", known));
	assert_null(nearest(
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
		known));
}

static void test_numbers(void **state)
{
	uint64_t n = 7;
	int64_t ms = 7;

	assert_true(number_read("0", 10, &n) && n == 0);
	assert_true(number_read("10", 10, &n) && n == 10);
	assert_true(number_read("18446744073709551615", UINT64_MAX, &n) && n == UINT64_MAX);
	assert_false(number_read("18446744073709551616", UINT64_MAX, &n));
	assert_false(number_read("11", 10, &n));
	assert_false(number_read("", 10, &n));
	assert_false(number_read("-1", 10, &n));
	assert_false(number_read("1 ", 10, &n));
	assert_true(number_read_seconds("0.1", 10, &ms) && ms == 100);
	assert_true(number_read_seconds("10", 10, &ms) && ms == 10000);
	assert_true(number_read_seconds("1.", 10, &ms) && ms == 1000);
	assert_false(number_read_seconds("10.001", 10, &ms));
	assert_false(number_read_seconds("1.2345", 10, &ms));
	assert_false(number_read_seconds(".5", 10, &ms));
	assert_false(number_read_seconds("1e3", 10, &ms));
	assert_false(number_read_seconds("99999999999999999999999999", 10, &ms));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_options_of_every_verb_stand_anywhere),
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_socket_of_the_environment),
		cmocka_unit_test(test_letters),
		cmocka_unit_test(test_the_last_one_counts),
		cmocka_unit_test(test_a_lone_dash_and_an_empty_word_are_arguments),
		cmocka_unit_test(test_wrong_lines),
		cmocka_unit_test(test_too_many_options),
		cmocka_unit_test(test_help_and_version),
		cmocka_unit_test(test_help_names_all_that_is_shown),
		cmocka_unit_test(test_nearest),
		cmocka_unit_test(test_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
