/* When a domain that a reload has changed is settled, as the status says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ctl/settle.h"
#include "shared/cleanup.h"

static json_t *parse(const char *text)
{
	json_error_t error;
	json_t *json = json_loads(text, 0, &error);

	if (!json)
		fail_msg("%s in %s", error.text, text);
	return json;
}

#define PROCESS(name, state, retiring, last_end)                                                   \
	"{\"name\":\"" name "\",\"state\":\"" state "\",\"retiring\":" #retiring                   \
	",\"last_end\":\"" last_end "\"}"
#define STATUS(state, processes)                                                                   \
	"{\"domains\":[{\"name\":\"web\",\"state\":\"up\",\"processes\":[" PROCESS("web/1",        \
		"ready", false, "") "]},{\"name\":\"git\",\"state\":\"" state                      \
				    "\",\"last_error\":{\"text\":\"an old one\","                  \
				    "\"remedy\":\"mend it\"},\"processes\":[" processes "]}]}"

static const char *look(const char *text, enum settle expected)
{
	static char why[128];
	json_auto_t *status = parse(text);
	auto_strbuf out = { 0 };

	assert_int_equal(settle_look(status, "git", &out), expected);
	assert_true(out.len < sizeof(why));
	memcpy(why, strbuf_get(&out), out.len + 1);
	return why;
}

static void test_old_ones_do_not_count(void **unused)
{
	assert_string_equal(look(STATUS("up", PROCESS("git/1", "ready", true, "") "," PROCESS(
						      "git/2", "listing", false, "")),
				    SETTLE_COMING),
		"");
	/* One that ended in an earlier life, and ends again because it is not needed any more. */
	(void)look(STATUS("down", PROCESS("git/1", "stopping", true, "it was killed") "," PROCESS(
					  "git/2", "starting", false, "")),
		SETTLE_COMING);
	(void)look(STATUS("up", PROCESS("git/1", "ready", true, "")), SETTLE_COMING);
	(void)look(STATUS("up", PROCESS("git/1", "draining", true, "") "," PROCESS(
					"git/2", "ready", false, "")),
		SETTLE_SERVES);
}

/* The domain stays parked, or up, until the new process has shown what it is worth. */
static void test_state_of_the_domain_does_not_count(void **unused)
{
	(void)look(STATUS("parked", PROCESS("git/2", "starting", false, "")), SETTLE_COMING);
	(void)look(STATUS("asleep", PROCESS("git/2", "listing", false, "")), SETTLE_COMING);
	(void)look(STATUS("asleep", ""), SETTLE_ASLEEP);
	(void)look(STATUS("starting", ""), SETTLE_COMING);
}

static void test_failed(void **unused)
{
	assert_string_equal(
		look(STATUS("up", PROCESS("git/1", "ready", true, "") "," PROCESS(
					  "git/2", "backoff", false, "it ended with exit 3")),
			SETTLE_FAILED),
		"git/2: it ended with exit 3 (mend it)");
	/* Its second try says nothing against the first. */
	(void)look(
		STATUS("starting", PROCESS("git/2", "starting", false, "exit 3")), SETTLE_FAILED);
	assert_string_equal(
		look(STATUS("parked", PROCESS("git/2", "parked", false, "")), SETTLE_FAILED),
		"git/2: it cannot start (mend it)");
	/* One of several that serves is enough. */
	(void)look(STATUS("up", PROCESS("git/2", "backoff", false, "exit 3") "," PROCESS(
					"git/3", "ready", false, "")),
		SETTLE_SERVES);
	assert_string_equal(look(STATUS("stopped", ""), SETTLE_FAILED), "the fleet is stopping");
}

static void test_nothing_to_wait_for(void **unused)
{
	(void)look(STATUS("disabled", PROCESS("git/1", "draining", true, "")), SETTLE_DISABLED);
	(void)look("{\"domains\":[]}", SETTLE_GONE);
}

static void test_nonsense(void **unused)
{
	(void)look("{}", SETTLE_GONE);
	(void)look("[]", SETTLE_GONE);
	(void)look("{\"domains\":{\"name\":\"git\"}}", SETTLE_GONE);
	(void)look("{\"domains\":[7,null,{\"name\":7},{\"name\":\"git\"}]}", SETTLE_COMING);
	(void)look("{\"domains\":[{\"name\":\"git\",\"state\":7,\"processes\":[1,{},[]]}]}",
		SETTLE_COMING);
	assert_string_equal(
		look("{\"domains\":[{\"name\":\"git\",\"last_error\":7,\"processes\":[{\"state\":"
		     "\"parked\"}]}]}",
			SETTLE_FAILED),
		": it cannot start");
}

static void test_which_are_waited_for(void **unused)
{
	static const struct {
		const char *change;
		bool is_waited;
	} cases[] = {
		{ "{\"name\":\"git\",\"change\":\"added\"}", true },
		{ "{\"name\":\"git\",\"change\":\"replaced\"}", true },
		{ "{\"name\":\"git\",\"change\":\"tuned\"}", false },
		{ "{\"name\":\"git\",\"change\":\"removed\"}", false },
		{ "{\"name\":\"git\"}", false },
		{ "{\"change\":\"added\"}", false },
		{ "[]", false },
	};

	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		json_auto_t *change = parse(cases[i].change);

		assert_int_equal(settle_is_waited(change), cases[i].is_waited);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_old_ones_do_not_count),
		cmocka_unit_test(test_state_of_the_domain_does_not_count),
		cmocka_unit_test(test_failed),
		cmocka_unit_test(test_nothing_to_wait_for),
		cmocka_unit_test(test_nonsense),
		cmocka_unit_test(test_which_are_waited_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
