/* What is made of the registrar's report. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ctl/report.h"

static json_t *report_of(const char *text)
{
	json_error_t error;
	json_t *json = json_loads(text, 0, &error);

	if (!json)
		fail_msg("%s", error.text);
	return json;
}

static enum ctl_exit judge(const char *text, const char *const *names, const char *state)
{
	json_auto_t *report = report_of(text);
	struct report_count count = report_count(report, names, state);

	return report_judge(&count);
}

#define GIT(state) "{\"name\":\"git\",\"state\":\"" state "\"}"
#define WEB(state) "{\"name\":\"web\",\"state\":\"" state "\"}"
#define REPORT(domains) "{\"domains\":[" domains "],\"server\":null}"

static void test_judge(void **unused)
{
	static const char *const only_git[] = { "git", NULL };
	static const char *const missing[] = { "git", "nope", NULL };
	const char *half = REPORT(GIT("registered") "," WEB("refused"));

	assert_int_equal(judge(REPORT(GIT("registered") "," WEB("registered")), NULL, "registered"),
		CTL_DONE);
	assert_int_equal(judge(half, NULL, "registered"), CTL_PARTLY);
	assert_int_equal(judge(half, only_git, "registered"), CTL_DONE);
	assert_int_equal(judge(half, missing, "registered"), CTL_PARTLY);
	assert_int_equal(judge(REPORT(GIT("degraded")), NULL, "registered"), CTL_FAILED);
	assert_int_equal(judge(REPORT(GIT("unregistered")), NULL, "unregistered"), CTL_DONE);
	assert_int_equal(judge(REPORT(""), NULL, "registered"), CTL_FAILED);
	assert_int_equal(judge("{}", NULL, "registered"), CTL_FAILED);
	assert_int_equal(judge("[1]", NULL, "registered"), CTL_FAILED);
}

static void test_judge_server(void **unused)
{
	const char *text = "{\"domains\":[" GIT("registered") "],\"server\":{\"name\":\"all\","
							      "\"state\":\"refused\"}}";

	assert_int_equal(judge(text, NULL, "registered"), CTL_PARTLY);
}

static void test_lines(void **unused)
{
	json_auto_t *report = report_of(
		"{\"domains\":["
		"{\"name\":\"git\",\"state\":\"registered\",\"tools_wanted\":31,\"tools_found\":31},"
		"{\"name\":\"w\\u001b[1m\",\"state\":\"refused\",\"tools_wanted\":null,"
		"\"tools_found\":null,\"error\":\"name\\ntaken\"}]}");
	auto_strbuf lines = { 0 };

	report_add_lines(&lines, report, NULL);
	assert_string_equal(
		strbuf_get(&lines), "git 31/31 registered\nw\\x1B[1m  refused: name taken\n");
}

static void test_connected(void **unused)
{
	json_auto_t *good = report_of("{\"gateway\":{\"state\":\"connected\"}}");
	json_auto_t *bad = report_of("{\"gateway\":{\"state\":\"refused\"}}");

	assert_true(report_is_connected(good));
	assert_false(report_is_connected(bad));
	assert_false(report_is_connected(NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_judge),
		cmocka_unit_test(test_judge_server),
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_connected),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
