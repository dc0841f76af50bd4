/* What is counted with labels: that it is counted right, and that there is never more of it than its limits say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "shared/clock.h"
#include "shared/rpc.h"
#include "supervisor/stats_door.h"

enum { CALL = 3, MANY = 10000 };

static int tear_down(void **unused)
{
	stats_door_reset();
	return stats_first_door() ? -1 : 0;
}

static unsigned count_doors(void)
{
	unsigned n = 0;

	for (const struct stats_door *door = stats_first_door(); door; door = door->next)
		n++;
	return n;
}

static unsigned count_series(const struct stats_door *door)
{
	unsigned n = 0;

	for (const struct stats_series *series = door->series; series; series = series->next)
		n++;
	return n;
}

static void test_doors(void **unused)
{
	struct stats_door *whole = stats_door_get("sse", NULL);
	struct stats_door *git = stats_door_get("sse", "git");

	assert_ptr_equal(stats_door_get("sse", ""), whole);
	assert_ptr_equal(stats_door_get("sse", "git"), git);
	assert_ptr_not_equal(whole, git);
	assert_ptr_equal(stats_door_beside(whole, "git"), git);
	assert_int_equal(stats_door_beside(git, "utils")->transport, STATS_SSE);
	/* Transports that nobody knows are one. */
	assert_ptr_equal(stats_door_get("carrier", NULL), stats_door_get(NULL, NULL));
	assert_int_equal(count_doors(), 4);
	for (int i = 0; i < 2; i++) {
		stats_door_unref(whole);
		stats_door_unref(git);
		stats_door_unref((struct stats_door *)(uintptr_t)stats_first_door());
	}
}

static void test_sessions(void **unused)
{
	struct stats_door *door = stats_door_get("local", NULL);
	static const struct {
		const char *reason;
		enum stats_end end;
	} ends[] = {
		{ NULL, STATS_END_CLIENT },
		{ "slow client", STATS_END_SLOW },
		{ "its key was revoked, or its key or token has expired", STATS_END_CREDENTIAL },
		{ "idle for limits.session_idle", STATS_END_IDLE },
		{ "closed by an operator", STATS_END_OPERATOR },
		{ "the supervisor ends", STATS_END_STOPPING },
		{ "words that nobody told us of", STATS_END_OTHER },
	};

	for (size_t i = 0; i < N_ELEMENTS(ends); i++) {
		stats_session_opened(door);
		assert_int_equal(door->n_sessions, 1);
		stats_session_closed(door, ends[i].reason, 100);
		assert_int_equal(door->n_sessions, 0);
		assert_int_equal(stats_get_closed(STATS_LOCAL, ends[i].end), 1);
	}
	assert_int_equal(door->n_opened, N_ELEMENTS(ends));
	assert_int_equal(stats_get_durations(STATS_LOCAL)->n, N_ELEMENTS(ends));
	assert_int_equal(stats_get_durations(STATS_SSE)->n, 0);
	stats_door_unref(door);
}

static void test_answers(void **unused)
{
	struct stats_door *door = stats_door_get("sse", "git");
	struct stats_timing timing = { .series = stats_find_series(door, CALL, "git_log"),
		.since_us = clock_now_us() };
	const struct stats_timing nothing = { 0 };

	stats_answered(&timing, 0);
	stats_answered(&timing, RPC_DEADLINE);
	stats_answered(&timing, -12345);
	stats_answered(&nothing, RPC_DEADLINE);
	assert_int_equal(timing.series->took.n, 3);
	assert_int_equal(door->errors[STATS_DEADLINE], 1);
	assert_int_equal(door->errors[STATS_OTHER_ERROR], 1);
	stats_door_unref(door);
}

static void test_codes(void **unused)
{
	static const int codes[] = { RPC_PARSE_ERROR, RPC_INVALID_REQUEST, RPC_METHOD_NOT_FOUND,
		RPC_INVALID_PARAMS, RPC_INTERNAL_ERROR, RPC_RESOURCE_NOT_FOUND, RPC_HEADER_MISMATCH,
		RPC_MISSING_CAPABILITY, RPC_UNSUPPORTED_VERSION, RPC_WORKER_DIED, RPC_DEADLINE,
		RPC_OVERLOADED, RPC_UNAVAILABLE, RPC_CANCELLED };

	for (unsigned i = 0; i < N_ELEMENTS(codes); i++)
		assert_int_equal(stats_error_of(codes[i]), i);
	assert_int_equal(stats_error_of(0), STATS_OTHER_ERROR);
	for (unsigned i = 0; i < STATS_ERRORS; i++)
		assert_non_null(stats_error_name((enum stats_error)i));
}

/* Ten thousand tools have no more series than the limit, and one for the rest; of several domains too. */
static void test_many_tools(void **unused)
{
	struct stats_door *one = stats_door_get("sse", "one");
	struct stats_door *two = stats_door_get("sse", "two");
	char name[STATS_TOOL_BYTES * 2];

	for (int i = 0; i < MANY; i++) {
		(void)snprintf(name, sizeof(name), "tool_%d", i);
		stats_find_series(one, CALL, name)->took.n++;
		stats_find_series(two, CALL, name)->took.n++;
	}
	assert_int_equal(count_series(one) + count_series(two), STATS_TOOLS + 2);
	assert_int_equal(
		stats_find_series(one, CALL, "other")->took.n, MANY - (count_series(one) - 1));
	assert_ptr_equal(
		stats_find_series(one, CALL, "tool_9999"), stats_find_series(one, CALL, "other"));
	assert_string_equal(stats_find_series(one, CALL, "tool_0")->tool, "tool_0");
	assert_int_equal(count_doors(), 2);
	stats_door_unref(one);
	stats_door_unref(two);
}

static void test_odd_names(void **unused)
{
	struct stats_door *door = stats_door_get("sse", "one");
	struct stats_series *other = stats_find_series(door, CALL, "other");
	char name[STATS_TOOL_BYTES + 2];

	memset(name, 'x', sizeof(name));
	name[STATS_TOOL_BYTES + 1] = '\0';
	assert_ptr_equal(stats_find_series(door, CALL, name), other);
	name[STATS_TOOL_BYTES] = '\0';
	assert_ptr_not_equal(stats_find_series(door, CALL, name), other);
	assert_ptr_equal(stats_find_series(door, CALL, ""), other);
	assert_ptr_equal(stats_find_series(door, CALL, "a\nb"), other);
	assert_ptr_equal(stats_find_series(door, CALL, "a\x7f"), other);
	assert_ptr_not_equal(stats_find_series(door, CALL, "naïve \"quoted\""), other);
	stats_door_unref(door);
}

static bool is_kept(void *arg, const char *tool)
{
	return streq(tool, arg);
}

static void test_tools_that_are_gone(void **unused)
{
	struct stats_door *door = stats_door_get("sse", "one");
	struct stats_series *held = stats_series_ref(stats_find_series(door, CALL, "held"));
	char kept[] = "kept";

	(void)stats_find_series(door, CALL, kept);
	(void)stats_find_series(door, CALL, "gone");
	(void)stats_find_series(door, CALL, "other");
	(void)stats_find_series(door, 0, NULL);
	stats_keep_tools("one", is_kept, kept);
	assert_int_equal(count_series(door), 4); /* a call refers to the one that is held */
	stats_series_unref(held);
	(void)stats_first_door();
	assert_int_equal(count_series(door), 3);
	stats_keep_tools("two", is_kept, door); /* of another domain: nothing */
	assert_int_equal(count_series(door), 3);
	stats_door_unref(door);
}

/* Settings come and go; what is counted does not grow with them. */
static void test_domains_that_are_gone(void **unused)
{
	struct stats_door *whole = stats_door_get("sse", NULL);
	char name[32];

	for (int i = 0; i < MANY; i++) {
		struct stats_door *door;

		(void)snprintf(name, sizeof(name), "domain_%d", i);
		door = stats_door_get("sse", name);
		(void)stats_find_series(stats_door_beside(whole, name), CALL, "tool");
		stats_door_unref(door);
		stats_forget_domain(name);
	}
	assert_int_equal(count_doors(), 1);
	/* One that a session still has stays so long. */
	struct stats_door *door = stats_door_get("sse", "late");
	stats_forget_domain("late");
	assert_int_equal(count_doors(), 2);
	stats_door_unref(door);
	assert_int_equal(count_doors(), 1);
	/* And one that comes back is the same. */
	door = stats_door_get("sse", "late");
	stats_forget_domain("late");
	assert_ptr_equal(stats_door_get("sse", "late"), door);
	stats_door_unref(door);
	stats_door_unref(door);
	assert_int_equal(count_doors(), 2);
	stats_door_unref(whole);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_doors, tear_down),
		cmocka_unit_test_teardown(test_sessions, tear_down),
		cmocka_unit_test_teardown(test_answers, tear_down),
		cmocka_unit_test(test_codes),
		cmocka_unit_test_teardown(test_many_tools, tear_down),
		cmocka_unit_test_teardown(test_odd_names, tear_down),
		cmocka_unit_test_teardown(test_tools_that_are_gone, tear_down),
		cmocka_unit_test_teardown(test_domains_that_are_gone, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
