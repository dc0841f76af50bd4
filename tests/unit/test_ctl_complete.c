/* What the completions offer. */
#include "ctl/complete.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "shared/alloc.h"

/* What was asked for last. */
static struct {
	int n;
	enum ctl_word word;
	char *socket;
	char *tool;
} asked;

static void forget(void)
{
	free(asked.socket);
	free(asked.tool);
	memset(&asked, 0, sizeof(asked));
}

static json_t *live(void *arg, const struct complete_ask *ask)
{
	forget();
	asked.n++;
	asked.word = ask->word;
	asked.socket = alloc_str(ask->socket);
	asked.tool = alloc_str(ask->tool);
	return arg ? json_loads(arg, 0, NULL) : NULL;
}

/* The words alone, with a blank behind each. */
static char *words_for(const char *line, const char *names)
{
	auto_strbuf out = { 0 };
	auto_strbuf words = { 0 };
	auto_free char *copy = alloc_str(names);

	complete_line(line, live, copy, &out);
	for (const char *at = strbuf_get(&out); *at; at = strchr(at, '\n') + 1) {
		strbuf_add(&words, at, strcspn(at, "\t\n"));
		strbuf_addc(&words, ' ');
	}
	return strbuf_take(&words);
}

static void expect(const char *line, const char *names, const char *wanted)
{
	auto_free char *got = words_for(line, names);

	if (!streq(got, wanted))
		fail_msg("'%s' gave '%s', not '%s'", line, got, wanted);
}

static void test_verbs_and_options(void **state)
{
	expect("mcp-fleetctl stat", NULL, "status ");
	expect("mcp-fleetctl --json stat", NULL, "status ");
	expect("mcp-fleetctl zebra ", NULL, "");
	expect("mcp-fleetctl zebra --", NULL, "");
	expect("mcp-fleetctl __", NULL, "");
	expect("mcp-fleetctl", NULL, "");
	expect("", NULL, "");
	expect("mcp-fleetctl --jso", NULL, "--json ");
	expect("mcp-fleetctl --fol", NULL, "");
	expect("mcp-fleetctl logs --fol", NULL, "--follow ");
	expect("mcp-fleetctl logs -- --fol", NULL, "");
	expect("mcp-fleetctl sessions ", NULL, "list close ");
	expect("mcp-fleetctl completion z", NULL, "zsh ");
	expect("mcp-fleetctl completion zsh ", NULL, "");
	expect("mcp-fleetctl version ", NULL, "");
}

static void test_values_of_options(void **state)
{
	expect("mcp-fleetctl logs --level w", NULL, "warning ");
	expect("mcp-fleetctl logs --level=w", NULL, "--level=warning ");
	expect("mcp-fleetctl logs -f --level=warning", NULL, "--level=warning ");
	expect("mcp-fleetctl logs --follow=", NULL, "");
	expect("mcp-fleetctl logs -n ", NULL, "");
	expect("mcp-fleetctl --socket ", NULL, ":files ");
	expect("mcp-fleetctl --socket=/ru", NULL, ":files ");
	expect("mcp-fleetctl status --socket ", NULL, ":files ");
}

static void test_live_names(void **state)
{
	static const char domains[] = "{\"git\": \"up\", \"gitea\": \"down\", \"utils\": \"up\"}";

	expect("mcp-fleetctl status g", domains, "git gitea ");
	assert_int_equal(asked.word, CTL_WORD_DOMAIN);
	assert_null(asked.socket);
	expect("mcp-fleetctl --socket '/a b' status \"ut", domains, "utils ");
	assert_string_equal(asked.socket, "/a b");
	expect("mcp-fleetctl status --socket=/c\\ d u", domains, "utils ");
	assert_string_equal(asked.socket, "/c d");
	expect("mcp-fleetctl status git ", domains, ""); /* it takes one */
	expect("mcp-fleetctl status g", NULL, "");       /* no daemon */
	expect("mcp-fleetctl sessions close a", "{\"abc\": \"\"}", "abc ");
	assert_int_equal(asked.word, CTL_WORD_SESSION);
	expect("mcp-fleetctl sessions close abc ", "{\"abc\": \"\", \"abd\": 5}", "abd ");
}

static void test_arguments_of_tools(void **state)
{
	expect("mcp-fleetctl call git_l", "{\"git_log\": \"\", \"x\": \"\"}", "git_log ");
	assert_int_equal(asked.word, CTL_WORD_TOOL);
	expect("mcp-fleetctl call git_log ", "{\"a=\": \"\", \"ab=\": \"\"}", "a= ab= ");
	assert_int_equal(asked.word, CTL_WORD_TOOL_ARG);
	assert_string_equal(asked.tool, "git_log");
	expect("mcp-fleetctl call git_log a=1 ", "{\"a=\": \"\", \"ab=\": \"\"}", "ab= ");
}

static void test_names_that_a_shell_would_run(void **state)
{
	expect("mcp-fleetctl status ",
		"{\"$(id)\": \"\", \"`id`\": \"\", \"a;b\": \"\", \"a b\": \"\", \"\": \"\", \"a\\nb\": \"\", "
		"\"\\u001b[m\": \"\", \"good-1.x\": \"\"}",
		"good-1.x ");
}

static void test_descriptions(void **state)
{
	auto_strbuf out = { 0 };
	auto_free char *names = alloc_str("{\"a\": \"one\\ttwo\\u001b\\nthree\"}");

	complete_line("mcp-fleetctl status ", live, names, &out);
	assert_string_equal(strbuf_get(&out), "a\tone two\\x1B\n");
}

static void test_endless_lines(void **state)
{
	auto_strbuf line = { 0 };

	strbuf_adds(&line, "mcp-fleetctl call tool");
	for (int i = 0; i < 600; i++)
		strbuf_adds(&line, " a=1");
	expect(strbuf_get(&line), "{\"b=\": \"\"}", "");
	expect("mcp-fleetctl status \"unclosed", "{\"unclosed\": \"\"}", "unclosed ");
	expect("mcp-fleetctl status a\\", "{\"a\": \"\"}", "");
}

static int end(void **state)
{
	forget();
	return 0;
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_verbs_and_options),
		cmocka_unit_test(test_values_of_options),
		cmocka_unit_test(test_live_names),
		cmocka_unit_test(test_arguments_of_tools),
		cmocka_unit_test(test_names_that_a_shell_would_run),
		cmocka_unit_test(test_descriptions),
		cmocka_unit_test(test_endless_lines),
	};

	return cmocka_run_group_tests(tests, NULL, end);
}
