/* URI templates: what comes from which, and how much work that may be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "shared/alloc.h"
#include "supervisor/mcp/catalog_template.h"

static bool fits(const char *template, const char *uri)
{
	size_t steps = TEMPLATE_STEPS;

	return template_matches(template, uri, &steps);
}

static void test_shapes(void **unused)
{
	static const struct {
		const char *template;
		const char *uri;
		bool fits;
	} cases[] = {
		{ "demo://resource/dynamic/text/{resourceId}", "demo://resource/dynamic/text/7",
			true },
		{ "demo://resource/dynamic/text/{resourceId}", "demo://resource/dynamic/blob/7",
			false },
		{ "demo://resource/dynamic/text/{resourceId}", "demo://resource/dynamic/text/",
			false },
		{ "demo://resource/dynamic/text/{resourceId}", "demo://resource/dynamic/text/7/8",
			false },
		{ "a:b", "a:b", true },
		{ "a:b", "a:bc", false },
		{ "a:b", "a:", false },
		{ "a:{x}.txt", "a:one.txt", true },
		{ "a:{x}.txt", "a:one.txt.txt", true },
		{ "a:{x}.txt", "a:.txt", false },
		{ "a:{x}{y}", "a:12", true },
		{ "a:{x}{y}", "a:1", false },
		{ "a:{x,y}", "a:1,2", true },
		{ "a:{x}", "a:1%2F2", true },
		{ "a:{x}", "A:1", false },
		{ "a:%2F{x}", "a:%2f1", false },
		/* reserved, exploded */
		{ "file:///{+path}", "file:///a/b/c", true },
		{ "file:///{+path}", "file:///", false },
		{ "file:///{path*}", "file:///a/b?c#d", true },
		{ "file:///{+path}/x", "file:///a/x/b/x", true },
		{ "file:///{+path}/x", "file:///a/x/b", false },
		/* the first place that fits is not the right one */
		{ "a:{+x}-{y}", "a:1-2/3-4", true },
		{ "a:{x}-{+y}-z", "a:1-2-z/3-z", true },
		{ "a:{x}ab{y}", "a:aabab", true },
		{ "a:{x}aab", "a:aaab", true },
		/* queries, and what else may be missing */
		{ "s:find{?q,r}", "s:find", true },
		{ "s:find{?q,r}", "s:find?q=1&r=/", true },
		{ "s:find{?q,r}", "s:find#q", false },
		{ "s:find{?q,r}", "s:findq=1", false },
		{ "s:find?k=1{&q}", "s:find?k=1", true },
		{ "s:find?k=1{&q}", "s:find?k=1&q=2", true },
		{ "s:find?k=1{&q}", "s:find?k=12", false },
		{ "s:{x}{?q}", "s:one?q=1", true },
		{ "s:{x}{?q}", "s:one", true },
		{ "s:x{#part}", "s:x#a/b", true },
		{ "s:x{#part}", "s:x", true },
		{ "s:x{#part}", "s:xy", false },
		{ "s:x{.ext}", "s:x.tar.gz", true },
		{ "s:x{.ext}", "s:x.a/b", false },
		{ "s:x{/dir}", "s:x/a", true },
		{ "s:x{/dir}", "s:x/a/b", false },
		{ "s:x{/dir*}", "s:x/a/b", true },
		{ "s:x{/a,b}", "s:x/1/2", true },
		{ "s:x{;a,b}", "s:x;a=1;b=2", true },
		{ "s:x{/dir}/end", "s:x/end", true },
		{ "s:x{/dir}/end", "s:x/a/end", true },
		/* no templates */
		{ "a:{x", "a:{x", false },
		{ "a:{}", "a:1", false },
		{ "a:{x{y}}", "a:1", false },
		{ "a:}", "a:}", true },
		{ "", "", true },
		{ "", "a", false },
		{ "{+x}", "", false },
	};

	for (size_t i = 0; i < N_ELEMENTS(cases); i++)
		if (fits(cases[i].template, cases[i].uri) != cases[i].fits)
			fail_msg("%s is%s of %s", cases[i].uri, cases[i].fits ? " not" : "",
				cases[i].template);
}

static void test_limits(void **unused)
{
	auto_free char *longest = alloc_printf("%0*d", TEMPLATE_MAX_BYTES, 0);
	auto_free char *longer = alloc_printf("%0*d", TEMPLATE_MAX_BYTES + 1, 0);
	char many[4 * (TEMPLATE_MAX_EXPRESSIONS + 1) + 1] = "";

	assert_true(fits(longest, longest));
	assert_true(fits("{x}", longest));
	assert_false(fits("{x}", longer));
	assert_false(fits(longer, longer));
	assert_true(template_is_valid(longest));
	assert_false(template_is_valid(longer));
	for (int i = 0; i < TEMPLATE_MAX_EXPRESSIONS; i++)
		(void)strcat(many, "{x}");
	assert_true(fits(many, longest));
	(void)strcat(many, "{x}");
	assert_false(fits(many, longest));
	assert_false(template_is_valid(many));
}

/* What would take a search with backtracking longer than the world lasts. */
static void test_bounded_work(void **unused)
{
	auto_free char *uri = alloc_printf("%0*d", TEMPLATE_MAX_BYTES, 0);
	char template[8 * TEMPLATE_MAX_EXPRESSIONS + 1] = "";
	size_t steps = TEMPLATE_STEPS;
	size_t left;

	for (int i = 1; i < TEMPLATE_MAX_EXPRESSIONS; i++)
		(void)strcat(template, "{x}0");
	(void)strcat(template, "1");
	assert_false(template_matches(template, uri, &steps));
	left = steps;
	assert_true(left < TEMPLATE_STEPS);
	assert_true(TEMPLATE_STEPS - left <= (size_t)TEMPLATE_MAX_BYTES * sizeof(template));

	/* Nothing fits any more when it is used up. */
	for (int i = 0; steps > 0 && i < 1000; i++)
		assert_false(template_matches(template, uri, &steps));
	assert_int_equal(steps, 0);
	assert_false(template_matches("{x}", "1", &steps));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shapes),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_bounded_work),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
