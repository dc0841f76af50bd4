/* The order to mcp-fleet-exec as text: what it means, and what is refused before anything is done. */
#include "workers/exec/plan.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "workers/exec/profile.h"

static void test_everything(void **unused)
{
	struct plan plan = { 0 };
	struct fail fail = { 0 };

	assert_int_equal(
		plan_read("{\"profile\":\"strict\",\"directory\":\"/d\",\"read\":[\"/a\",\"/b\"],"
			  "\"write\":[\"/c\"],\"programs\":[\"/p\"],\"connect\":[\"443\",\"any\"],"
			  "\"memory\":1048576,\"files\":64,\"processes\":8}",
			&plan, &fail),
		0);
	assert_string_equal(plan.profile, "strict");
	assert_string_equal(plan.directory, "/d");
	assert_int_equal(plan.read.n, 2);
	assert_string_equal(plan.read.items[1], "/b");
	assert_string_equal(plan.write.items[0], "/c");
	assert_string_equal(plan.programs.items[0], "/p");
	assert_int_equal(plan.connect.n, 2);
	assert_int_equal(plan.memory, 1048576);
	assert_int_equal(plan.files, 64);
	assert_int_equal(plan.processes, 8);
	plan_done(&plan);
	assert_null(plan.profile);
}

static void test_left_out_allows_nothing(void **unused)
{
	struct plan plan = { 0 };
	struct fail fail = { 0 };

	assert_int_equal(plan_read("{\"profile\":\"utils\"}", &plan, &fail), 0);
	assert_null(plan.directory);
	assert_int_equal(plan.read.n + plan.write.n + plan.programs.n + plan.connect.n, 0);
	assert_int_equal(plan.memory, 0);
	plan_done(&plan);
}

static void test_refused(void **unused)
{
	static const char *const texts[] = { "", "{", "[]", "null", "{}", "{\"profile\":1}",
		"{\"profile\":\"utils\",\"raed\":[]}", /* a key nobody knows would be a right lost */
		"{\"profile\":\"utils\",\"profile\":\"none\"}",
		"{\"profile\":\"utils\",\"read\":\"/\"}", "{\"profile\":\"utils\",\"read\":[1]}",
		"{\"profile\":\"utils\",\"memory\":-1}", "{\"profile\":\"utils\",\"files\":\"9\"}",
		"{\"profile\":\"utils\",\"directory\":\"\"}",
		"{\"profile\":\"utils\",\"processes\":99999999}",
		"{\"profile\":\"utils\",\"read\":[\"/a\\u0000b\"]}" };

	for (size_t i = 0; i < N_ELEMENTS(texts); i++) {
		struct plan plan = { 0 };
		struct fail fail = { 0 };

		if (plan_read(texts[i], &plan, &fail) != -EINVAL)
			fail_msg("accepted: %s", texts[i]);
		assert_true(*fail.text);
		plan_done(&plan);
	}
}

static void test_profiles(void **unused)
{
	static const char *const native[] = { "git", "filesystem", "network", "courier",
		"registrar", "remote", "utils" };
	static const char *const others[] = { "strict", "node", "python" };

	for (size_t i = 0; i < N_ELEMENTS(native); i++) {
		const struct profile *profile = profile_find(native[i]);

		assert_non_null(profile);
		assert_true(profile->is_confined && profile->is_native);
		assert_int_equal(profile->calls & (CALLS_PROCESSES | CALLS_WIDE), 0);
		assert_null(profile->programs);
	}
	for (size_t i = 0; i < N_ELEMENTS(others); i++)
		assert_true(profile_find(others[i])->is_confined &&
			    !profile_find(others[i])->is_native);
	assert_false(profile_find("none")->is_confined);
	assert_null(profile_find(""));
	assert_null(profile_find("None"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_everything),
		cmocka_unit_test(test_left_out_allows_nothing),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_profiles),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
