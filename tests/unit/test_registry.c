/* Which tools and aliases are there, by the settings. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "workers/common/registry.h"

struct own {
	bool on;
};

static bool is_on(const void *settings)
{
	return ((const struct own *)settings)->on;
}

static int run(struct call *call, const void *args)
{
	return 0;
}

static const struct tool tools[] = {
	{ .name = "x_always", .doc = "Always.", .run = run, .out = "a string" },
	{ .name = "x_sometimes",
		.doc = "Sometimes.",
		.run = run,
		.out = "a string",
		.is_offered = is_on,
		.timeout_s = 7 },
	{ 0 },
};

static const struct tool *const tables[] = { tools, NULL };

static const struct tool_alias aliases[] = {
	{ .name = "ever", .tool = "x_always" },
	{ .name = "now_and_then", .tool = "x_sometimes" },
	{ 0 },
};

static const struct worker_desc desc = { .name = "x", .tools = tables, .aliases = aliases };

static size_t count_listed(const struct registry *registry)
{
	json_auto_t *list = registry_list(registry);

	return json_array_size(json_object_get(list, "tools"));
}

static void test_offered(void **state)
{
	const struct own own = { .on = true };
	auto_(registry_freep) struct registry *registry =
		registry_new(&desc, ALIASES_LISTED, "fed", &own);

	assert_int_equal(count_listed(registry), 4);
	assert_non_null(registry_find(registry, "x_sometimes"));
	assert_non_null(registry_find(registry, "x.sometimes"));
	assert_non_null(registry_find(registry, "now_and_then"));
	assert_non_null(registry_find(registry, "fed.x.sometimes"));
}

/* By none of its names, and nothing that describes it. */
static void test_not_offered(void **state)
{
	const struct own own = { .on = false };
	auto_(registry_freep) struct registry *registry =
		registry_new(&desc, ALIASES_LISTED, "fed", &own);
	json_auto_t *map = registry_alias_map(registry);
	json_auto_t *timeouts = registry_timeouts(registry);

	assert_int_equal(count_listed(registry), 2);
	assert_non_null(registry_find(registry, "x_always"));
	assert_non_null(registry_find(registry, "ever"));
	assert_null(registry_find(registry, "x_sometimes"));
	assert_null(registry_find(registry, "x.sometimes"));
	assert_null(registry_find(registry, "now_and_then"));
	assert_null(registry_find(registry, "fed.x.sometimes"));
	assert_int_equal(json_object_size(map), 1);
	assert_int_equal(json_object_size(timeouts), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_offered),
		cmocka_unit_test(test_not_offered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
