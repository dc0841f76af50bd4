/* domains.NAME.tools.override: what is read, what is refused, what a reload sees. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "shared/alloc.h"
#include "shared/strbuf.h"
#include "supervisor/conf.h"

static char *no_env(const char *name)
{
	return NULL;
}

static int load(const char *override, struct conf **ret, struct fail *fail)
{
	static const char *const roots[] = { "." };
	const struct conf_sources src = { .roots = roots, .n_roots = 1, .get_env = no_env };
	auto_free char *text = alloc_printf(
		"domains: {x: {command: [y], tools: {override: %s}}, git: {}}", override);

	return conf_load_text(&src, "f", text, strlen(text), ret, fail);
}

static struct conf *loaded(const char *override)
{
	struct conf *conf = NULL;
	struct fail fail = { 0 };

	if (load(override, &conf, &fail) < 0)
		fail_msg("%s", fail.text);
	return conf;
}

static void test_values(void **unused)
{
	auto_(conf_freep) struct conf *conf = loaded(
		"{a-b: {title: A, description: \"1\", annotations: {title: T, readOnlyHint: true,"
		" destructiveHint: false, idempotentHint: true}}, c: {}}");
	const struct conf_overrides *all = &conf_find_domain(conf, "x")->tools_override;

	assert_int_equal(all->n, 2);
	assert_string_equal(all->items[0].tool, "a-b");
	assert_string_equal(all->items[0].title, "A");
	assert_string_equal(all->items[0].description, "1");
	assert_string_equal(all->items[0].annotations_title, "T");
	assert_int_equal(all->items[0].hints[0], CONF_HINT_TRUE);
	assert_int_equal(all->items[0].hints[1], CONF_HINT_FALSE);
	assert_int_equal(all->items[0].hints[2], CONF_HINT_TRUE);
	assert_int_equal(all->items[0].hints[3], CONF_HINT_UNSET);
	assert_string_equal(all->items[1].tool, "c");
	assert_null(all->items[1].title);
	assert_null(all->items[1].description);
	assert_null(all->items[1].annotations_title);
	assert_int_equal(conf_find_domain(conf, "git")->tools_override.n, 0);
}

static void test_what_is_refused(void **unused)
{
	static const struct {
		const char *override;
		const char *words; /* behind the place */
	} cases[] = {
		{ "[]", "domains.x.tools.override: a list is not a mapping of tools, such as {search: "
			"{title: Search}}" },
		{ "{a: b}", "domains.x.tools.override.a: 'b' is not a mapping, such as {title: "
			    "Search}" },
		{ "{a: }", "domains.x.tools.override.a: has no value: give a mapping, such as "
			   "{title: Search}, or leave the key out" },
		{ "{\"\": {}}",
			"domains.x.tools.override: '' is not a tool's name: allowed are 1 to 128 "
			"bytes" },
		{ "{a: {titel: b}}",
			"domains.x.tools.override.a: unknown key 'titel': known here are "
			"title, description, annotations" },
		{ "{a: {title: }}",
			"domains.x.tools.override.a.title: has no value: give a text, or "
			"leave the key out" },
		{ "{a: {title: \"\"}}",
			"domains.x.tools.override.a.title: 0 bytes are out of range: "
			"allowed are 1 to 256" },
		{ "{a: {description: [b]}}",
			"domains.x.tools.override.a.description: a list is not a text" },
		{ "{a: {annotations: yes}}",
			"domains.x.tools.override.a.annotations: 'yes' is not a "
			"mapping, such as {readOnlyHint: true}" },
		{ "{a: {annotations: {readonly: true}}}",
			"domains.x.tools.override.a.annotations: unknown key 'readonly': known here "
			"are title, readOnlyHint, destructiveHint, idempotentHint, openWorldHint" },
		{ "{a: {annotations: {readOnlyHint: \"true\"}}}",
			"domains.x.tools.override.a.annotations.readOnlyHint: 'true' is not true or "
			"false" },
		{ "{a: {annotations: {title: {}}}}",
			"domains.x.tools.override.a.annotations.title: a mapping is not a text" },
	};

	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		struct conf *conf = NULL;
		struct fail fail = { 0 };
		const char *words;

		assert_int_equal(load(cases[i].override, &conf, &fail), -EINVAL);
		assert_null(conf);
		words = strstr(fail.text, "domains.");
		assert_string_equal(words ? words : fail.text, cases[i].words);
	}
}

static void test_limits(void **unused)
{
	auto_strbuf many = { 0 };
	auto_free char *long_name = alloc_printf("{%0129d: {}}", 1);
	auto_free char *long_title = alloc_printf("{a: {title: %0257d}}", 1);
	const char *texts[] = { long_name, long_title, NULL };
	struct conf *conf = NULL;

	for (int i = 0; i < 257; i++)
		strbuf_addf(&many, "%ct%d: {}", i ? ',' : '{', i);
	strbuf_addc(&many, '}');
	texts[2] = strbuf_get(&many);
	for (size_t i = 0; i < N_ELEMENTS(texts); i++)
		assert_int_equal(load(texts[i], &conf, NULL), -EINVAL);
	assert_null(conf);
}

static void test_reload(void **unused)
{
	static const char *const others[] = { "{}", "{b: {title: A}}", "{a: {title: B}}", "{a: {}}",
		"{a: {title: A, description: B}}", "{a: {title: A, annotations: {title: A}}}",
		"{a: {title: A, annotations: {openWorldHint: false}}}", "{a: {title: A}, b: {}}" };
	auto_(conf_freep) struct conf *conf = loaded("{a: {title: A}}");
	auto_(conf_freep) struct conf *same = loaded("{a: {title: \"A\"}}");
	struct conf_diff diff;

	conf_diff(conf, same, &diff);
	assert_int_equal(diff.n_domains, 0);
	conf_diff_done(&diff);
	for (size_t i = 0; i < N_ELEMENTS(others); i++) {
		auto_(conf_freep) struct conf *other = loaded(others[i]);

		conf_diff(conf, other, &diff);
		assert_int_equal(diff.n_domains, 1);
		assert_int_equal(diff.domains[0].change, CONF_DOMAIN_TUNED);
		conf_diff_done(&diff);
	}
}

/* What would be one prefix cannot be written down: names of domains have no "_", and no big letters. */
static void test_prefixes_differ(void **unused)
{
	static const char *const names[] = { "my_x", "my.x", "My-x" };

	for (size_t i = 0; i < N_ELEMENTS(names); i++) {
		const struct conf_sources src = { .get_env = no_env };
		auto_free char *text = alloc_printf(
			"domains: {my-x: {command: [y]}, %s: {command: [y]}}", names[i]);
		struct conf *conf = NULL;
		struct fail fail = { 0 };

		assert_int_equal(
			conf_load_text(&src, "f", text, strlen(text), &conf, &fail), -EINVAL);
		assert_non_null(strstr(fail.text, "is not a domain's name"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_what_is_refused),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_reload),
		cmocka_unit_test(test_prefixes_differ),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
