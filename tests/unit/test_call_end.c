/* What the log and the audit say of calls: one line and one record each, also of those that were refused before they
 * were sent, and no word that a client chose but the names of things that are listed. */
#include "tests/unit/mcp_world.h"

#include <jansson.h>

#define CALL(id, params) MODERN(id, "tools/call", params "," META("{}", ""))
#define CALL_TWO(more)                                                                             \
	MODERN("7", "tools/call", "\"name\":\"two_read\"," META("{\"roots\":{}}", "") more)

static char to_log[] = "log";
static char nowhere[] = "";

static struct {
	unsigned n_lines;   /* of calls, at debug */
	unsigned n_records; /* of the audit */
	char text[256];     /* of the last line */
	char tool[64];      /* the field, */
	char session[64];
	json_t *record; /* the last one */
} told;

static void keep(char *to, size_t size, const char *text)
{
	(void)snprintf(to, size, "%s", text ? text : "");
}

static void hear(void *arg, enum log_level level, const struct log_about *about, const char *text,
	int64_t wall_ms)
{
	if (about && about->audit) {
		told.n_records++;
		json_decref(told.record);
		told.record = json_loads(about->audit, JSON_REJECT_DUPLICATES, NULL);
		assert_non_null(told.record);
	} else if (strstr(text, " ended: ") || strstr(text, "a call was refused: ")) {
		told.n_lines++;
		keep(told.text, sizeof(told.text), text);
		keep(told.tool, sizeof(told.tool), about->tool);
		keep(told.session, sizeof(told.session), about->session);
	}
}

static void forget(void)
{
	json_decref(told.record);
	memset(&told, 0, sizeof(told));
}

static int set_up(void **unused)
{
	world_set_up_ext(true, false, LISTS, CAPABILITIES);
	world_set_audit(to_log);
	log_init("test", LOG_TARGET_TEXT, LOG_LEVEL_DEBUG);
	forget();
	log_set_tap(hear, NULL);
	return 0;
}

static int tear_down(void **unused)
{
	log_set_tap(NULL, NULL);
	forget();
	world_set_audit(nowhere);
	return world_tear_down(unused);
}

static const char *get(const char *name)
{
	const char *text = json_string_value(json_object_get(told.record, name));

	return text ? text : "(none)";
}

/* One line and one record since the last time, which say the same. */
static void assert_told(const char *outcome, int code)
{
	assert_int_equal(told.n_lines, 1);
	assert_int_equal(told.n_records, 1);
	assert_string_equal(get("outcome"), outcome);
	assert_int_equal(json_integer_value(json_object_get(told.record, "code")), code);
	assert_non_null(strstr(told.text, outcome));
	forget();
}

static void test_refused_early(void **unused)
{
	static const struct {
		const char *text;
		const char *tool;
	} cases[] = {
		{ CALL("1", "\"name\":\"no such\",\"arguments\":{\"a\":1}"), "no such" },
		{ CALL("1", "\"name\":\"a\\u0000b\""), "a" },
		{ CALL("1", "\"name\":\"ext_work\",\"arguments\":[1]"), "ext_work" },
		{ CALL("1", "\"name\":\"ext_work\",\"arguments\":{},\"arguments\":{}"),
			"ext_work" },
		{ CALL("1", "\"name\":7"), "(none)" },
		{ CALL("1", "\"arguments\":{}"), "(none)" },
		{ CALL("1", "\"name\":\"ext_work\",\"requestState\":\"x\""), "ext_work" },
		{ CALL_TWO(",\"inputResponses\":{\"mcp-fleet-roots\":7}"), "two_read" },
	};

	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		(void)say(&world.s, cases[i].text);
		assert_has(&world.s, "\"error\":");
		assert_string_equal(get("tool"), cases[i].tool);
		assert_null(json_object_get(told.record, "call"));
		assert_told("error", RPC_INVALID_PARAMS);
	}
}

/* What was made up is no field: one could look like another's. */
static void test_unknown_is_no_field(void **unused)
{
	(void)say(&world.s, CALL("1", "\"name\":\"made up\""));
	assert_string_equal(told.tool, "");
	assert_null(strstr(told.text, "made up"));
	assert_string_equal(get("domain"), "(none)");
	assert_int_equal(strlen(told.session), 8);
	assert_string_equal(get("session"), told.session);
}

static void test_over_the_limit(void **unused)
{
	for (unsigned i = 0; i < 3; i++)
		call_tool(&world.a, i == 0 ? "1" : i == 1 ? "2" : "3", "ext_work");
	assert_int_equal(told.n_lines + told.n_records, 0);
	call_tool(&world.a, "4", "ext_work");
	assert_string_equal(told.tool, "ext_work");
	assert_string_equal(get("domain"), "ext");
	assert_told("overloaded", RPC_OVERLOADED);
}

static void test_ends(void **unused)
{
	struct domain *ext = &world.domains[2];

	call_tool(&world.a, "1", "ext_work");
	answer(ext->last_no);
	assert_string_equal(told.tool, "ext_work");
	assert_told("ok", 0);
	call_tool(&world.a, "1", "ext_work");
	answer_with(ext->last_no, RPC_RESULT, "{\"content\":[],\"isError\":true}");
	assert_told("tool_error", 0);
	call_tool(&world.a, "1", "ext_work");
	answer_with(ext->last_no, RPC_ERROR, "{\"code\":-5,\"message\":\"m\"}");
	assert_told("error", -5);
	call_tool(&world.a, "1", "ext_work");
	loop_fake_advance(world.loop, 6000);
	assert_told("deadline", RPC_DEADLINE);
	call_tool(&world.a, "1", "ext_work");
	session_gone(world.a.session);
	assert_int_equal(told.n_records, 1);
	assert_string_equal(get("outcome"), "cancelled");
}

/* A URI of a template is what the client filled in. */
static void test_no_uri(void **unused)
{
	(void)say(&world.s,
		MODERN("2", "resources/read", "\"uri\":\"ext+x://t/secret\"," META("{}", "")));
	answer_with(world.domains[2].last_no, RPC_RESULT, "{\"contents\":[]}");
	assert_int_equal(told.n_lines, 1);
	assert_int_equal(told.n_records, 0);
	assert_non_null(strstr(told.text, "resources/read ended: ok"));
	assert_null(strstr(told.text, "secret"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_refused_early),
		TEST(test_unknown_is_no_field),
		TEST(test_over_the_limit),
		TEST(test_ends),
		TEST(test_no_uri),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
