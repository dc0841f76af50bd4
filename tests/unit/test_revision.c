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

/* Each feature, in the order of the revisions: "-" lacks it. */
static void test_features(void **unused)
{
	static const struct {
		bool (*has)(enum revision revision);
		const char *where;
	} features[] = {
		{ revision_is_modern, "----x" },
		{ revision_has_streamable, "-xxxx" },
		{ revision_has_sessions, "-xxx-" },
		{ revision_wants_version_header, "--xxx" },
		{ revision_wants_priming, "---x-" },
		{ revision_omits_null_id, "---xx" },
		{ revision_has_server_requests, "xxxx-" },
		{ revision_has_elicitation, "--xxx" },
		{ revision_has_url_elicitation, "---xx" },
		{ revision_has_completions, "-xxxx" },
		{ revision_has_tasks, "---x-" },
	};

	for (size_t i = 0; i < N_ELEMENTS(features); i++)
		for (int r = 0; r < REVISIONS; r++)
			if (features[i].has((enum revision)r) != (features[i].where[r] == 'x'))
				fail_msg("feature %zu of %s", i, revision_name((enum revision)r));
}

static void test_no_resource(void **unused)
{
	assert_int_equal(revision_no_resource_code(REV_2024_11_05), -32002);
	assert_int_equal(revision_no_resource_code(REV_2025_11_25), -32002);
	assert_int_equal(revision_no_resource_code(REV_2026_07_28), -32602);
}

static void test_find(void **unused)
{
	static const struct {
		const char *name;
		enum revision_era era;
	} cases[] = { { "2024-11-05", ERA_LEGACY }, { "2025-03-26", ERA_LEGACY },
		{ "2025-06-18", ERA_LEGACY }, { "2025-11-25", ERA_LEGACY },
		{ "2026-07-28", ERA_MODERN }, { "", ERA_UNKNOWN }, { "2026-07-2", ERA_UNKNOWN },
		{ "2026-07-281", ERA_UNKNOWN }, { "DRAFT-2026-07-28", ERA_UNKNOWN } };

	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		struct span name = { .at = cases[i].name, .len = strlen(cases[i].name) };
		enum revision found = REVISIONS;

		assert_int_equal(revision_find(name, &found), cases[i].era);
		if (cases[i].era == ERA_UNKNOWN)
			assert_int_equal(found, REVISIONS);
		else
			assert_string_equal(revision_name(found), cases[i].name);
	}
	assert_int_equal(revision_find((struct span){ 0 }, NULL), ERA_NONE);
}

static void test_served(void **unused)
{
	static const char *const others[] = { "\"2025-11-25\"", "\"2024-11-05\"", "\"v999\"",
		"\"\"" };
	struct jspan modern = { .at = "\"2026-07-28\"", .len = 12 };

	assert_true(revision_is_served(modern));
	for (size_t i = 0; i < N_ELEMENTS(others); i++)
		assert_false(revision_is_served(
			(struct jspan){ .at = others[i], .len = strlen(others[i]) }));
	assert_false(revision_is_served((struct jspan){ 0 }));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known_ones_are_taken),
		cmocka_unit_test(test_others_get_the_latest),
		cmocka_unit_test(test_null_id),
		cmocka_unit_test(test_batches),
		cmocka_unit_test(test_features),
		cmocka_unit_test(test_no_resource),
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_served),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
