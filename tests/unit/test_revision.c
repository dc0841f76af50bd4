/* Protocol revisions: what initialize is answered with, and what differs between them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "supervisor/mcp/revision.h"

static enum revision negotiate(const char *json)
{
	return revision_negotiate((struct jspan){ .at = json, .len = strlen(json) });
}

static void test_known_ones_are_taken(void **unused)
{
	assert_int_equal(negotiate("\"2024-11-05\""), REV_2024_11_05);
	assert_int_equal(negotiate("\"2025-03-26\""), REV_2025_03_26);
	assert_int_equal(negotiate("\"2025-06-18\""), REV_2025_06_18);
	assert_int_equal(negotiate("\"2025-11-25\""), REV_2025_11_25);
	assert_int_equal(negotiate("\"2025-11-\\u0032\\u0035\""), REV_2025_11_25);
	for (int i = 0; i < REVISIONS; i++)
		assert_non_null(revision_name((enum revision)i));
}

static void test_others_get_the_latest(void **unused)
{
	static const char *const others[] = { "\"2026-07-28\"", "\"1999-01-01\"", "\"\"",
		"\"2025-06-1\"", "\"2025-06-180\"", "\"2025-06-18 \"" };

	for (size_t i = 0; i < N_ELEMENTS(others); i++)
		assert_int_equal(negotiate(others[i]), REV_LATEST);
	assert_string_equal(revision_name(REV_LATEST), "2025-11-25");
}

static void test_null_id(void **unused)
{
	assert_false(revision_omits_null_id(REV_2024_11_05));
	assert_false(revision_omits_null_id(REV_2025_06_18));
	assert_true(revision_omits_null_id(REV_2025_11_25));
}

static void test_batches(void **unused)
{
	assert_true(revision_takes_batches(REV_2024_11_05, true));
	assert_false(revision_takes_batches(REV_2024_11_05, false));
	assert_true(revision_takes_batches(REV_2025_03_26, true));
	assert_true(revision_takes_batches(REV_2025_03_26, false));
	for (int i = REV_2025_06_18; i < REVISIONS; i++) {
		assert_false(revision_takes_batches((enum revision)i, true));
		assert_false(revision_takes_batches((enum revision)i, false));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known_ones_are_taken),
		cmocka_unit_test(test_others_get_the_latest),
		cmocka_unit_test(test_null_id),
		cmocka_unit_test(test_batches),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
