/* When a drill is over. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ctl/healing.h"
#include "shared/cleanup.h"

static json_t *parse(const char *text)
{
	json_error_t error;
	json_t *json = json_loads(text, 0, &error);

	if (!json)
		fail_msg("%s in %s", error.text, text);
	return json;
}

#define PROCESS(name, pid, state) "{\"name\":\"" name "\",\"pid\":" #pid ",\"state\":\"" state "\"}"
#define STATUS(state, restarts, lost, processes)                                                   \
	"{\"domains\":[{\"name\":\"web\"},{\"name\":\"git\",\"state\":\"" state                    \
	"\",\"restarts\":" #restarts ",\"calls\":{\"lost\":" #lost "},\"processes\":[" processes   \
	"]}]}"

static const char before_text[] =
	STATUS("up", 2, 5, PROCESS("git/1", 10, "ready") "," PROCESS("git/2", 11, "ready"));

static bool look(const char *now_text, struct healing_end *end)
{
	json_auto_t *before = parse(before_text);
	json_auto_t *now = parse(now_text);
	const struct healing healing = { "git", "git/1", 10, before };
	bool is_healed = healing_look(&healing, now, end);

	end->state = NULL; /* borrowed */
	return is_healed;
}

static void test_domain(void **unused)
{
	struct healing_end end;

	assert_false(look(before_text, &end));
	assert_false(look(STATUS("up", 3, 5,
				  PROCESS("git/1", 0, "backoff") "," PROCESS("git/2", 11, "ready")),
		&end));
	assert_false(look(STATUS("starting", 3, 6, PROCESS("git/1", 12, "listing")), &end));
	assert_int_equal(end.pid, 0);
	assert_true(look(
		STATUS("up", 3, 7, PROCESS("git/1", 12, "ready") "," PROCESS("git/2", 11, "ready")),
		&end));
	assert_int_equal(end.pid, 12);
	assert_int_equal(end.restarts_before, 2);
	assert_int_equal(end.restarts_after, 3);
	assert_int_equal(end.calls_lost, 2);
}

/* The domain needs one less, or none. */
static void test_not_replaced(void **unused)
{
	struct healing_end end;

	assert_true(look(STATUS("up", 3, 5, PROCESS("git/2", 11, "ready")), &end));
	assert_int_equal(end.pid, 11);
	assert_true(look(STATUS("asleep", 3, 5, ""), &end));
	assert_int_equal(end.pid, 0);
	assert_false(look(STATUS("parked", 3, 5, ""), &end));
	assert_false(look("{}", &end));
}

#define GATEWAY(state, pid, process, git, sync)                                                    \
	"{\"gateway\":{\"gateway\":{\"state\":\"" state                                            \
	"\"},\"domains\":[{\"name\":\"git\",\"state\":\"" git "\",\"last_sync\":\"" sync           \
	"\"},{\"name\":\"off\",\"state\":\"disabled\",\"last_sync\":null}],"                       \
	"\"process\":{\"pid\":" #pid ",\"state\":\"" process "\",\"restarts\":1}}}"

static bool look_at_gateway(const char *now_text)
{
	json_auto_t *before = parse(GATEWAY("connected", 20, "ready", "registered", "T1"));
	json_auto_t *now = parse(now_text);
	const struct healing healing = { NULL, NULL, 20, before };
	struct healing_end end;

	return healing_look(&healing, now, &end);
}

static void test_gateway(void **unused)
{
	assert_false(look_at_gateway(GATEWAY("connected", 20, "ready", "registered", "T1")));
	assert_false(look_at_gateway(GATEWAY("unknown", 21, "starting", "waiting", "T1")));
	assert_false(look_at_gateway(GATEWAY("connected", 21, "ready", "registered", "T1")));
	assert_false(look_at_gateway(GATEWAY("connected", 21, "ready", "registering", "T2")));
	assert_false(look_at_gateway(GATEWAY("unreachable", 21, "ready", "registered", "T2")));
	assert_true(look_at_gateway(GATEWAY("connected", 21, "ready", "registered", "T2")));
	assert_false(look_at_gateway("{\"gateway\":null}"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_domain),
		cmocka_unit_test(test_not_replaced),
		cmocka_unit_test(test_gateway),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
