/* What one domain offers: what is left out and why, what the settings change, what it can do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "shared/alloc.h"
#include "shared/log.h"
#include "supervisor/mcp/catalog_offer.h"
#include "tests/unit/catalog_world.h"

DEFINE_FREEP(struct offer, offer_free)
#define auto_offer auto_(offer_freep) struct offer

static struct offer *offer_of(const struct conf_domain *conf, const char *members, const char *info)
{
	struct offering offering = world_offering(members, info);
	struct offer *offer = offer_new(conf, &offering);

	offering_done(&offering);
	return offer;
}

static void check_faults(const struct offer *offer, const char *expected)
{
	world_keep_log();
	offer_log_faults(offer, NULL);
	assert_string_equal(world_take_log(), expected);
}

static const struct offer_item *only_item(const struct offer *offer, enum catalog_list list)
{
	assert_int_equal(offer->lists[list].n, 1);
	return &offer->lists[list].items[0];
}

static void test_what_is_left_out(void **unused)
{
	const struct conf_domain x = world_domain("x", false);
	auto_offer *offer = offer_of(&x,
		"\"tools\":[1,{},{\"name\":7},{\"name\":\"\"},{\"name\":\"a\\u0000b\"},"
		"{\"name\":\"a\",\"name\":\"b\",\"inputSchema\":{}},{\"name\":\"s\"},"
		"{\"name\":\"s\",\"inputSchema\":[]},{\"name\":\"t\",\"inputSchema\":{},"
		"\"inputSchema\":{}},{\"name\":\"ok\",\"inputSchema\":{}},"
		"{\"name\":\"x_ok\",\"inputSchema\":{}}],"
		"\"prompts\":[{\"name\":\"p\"},{\"name\":\"p\",\"x\":1}],"
		"\"templates\":[{\"uriTemplate\":\"a:{\"}]",
		NULL);

	assert_string_equal(only_item(offer, CATALOG_TOOLS)->name, "x_ok");
	assert_string_equal(only_item(offer, CATALOG_PROMPTS)->text, "{\"name\":\"x_p\"}");
	assert_string_equal(only_item(offer, CATALOG_TEMPLATES)->name, "x+a:{");
	check_faults(offer,
		"domain x: a tool without name, ignoring it\n"
		"domain x: a tool without name, ignoring it\n"
		"domain x: a tool without name, ignoring it\n"
		"domain x: a tool without name, ignoring it\n"
		"domain x: a tool without name, ignoring it\n"
		"domain x: a tool without name, ignoring it\n"
		"domain x: the tool \"x_s\" has no inputSchema, ignoring it\n"
		"domain x: the tool \"x_s\" has no inputSchema, ignoring it\n"
		"domain x: the tool \"x_t\" has no inputSchema, ignoring it\n"
		"domain x: a second tool with the name \"x_ok\", ignoring it\n"
		"domain x: the resource template \"x+a:{\" is malformed or too large: no URI fits "
		"it\n"
		"domain x: a second prompt with the name \"x_p\", ignoring it\n");
}

static void test_long_names(void **unused)
{
	const struct conf_domain x = world_domain("x", false);
	auto_free char *members = alloc_printf(
		"\"prompts\":[{\"name\":\"%062d\"},{\"name\":\"%063d\"},{\"name\":\"%01022d\"},"
		"{\"name\":\"%01025d\"}],\"resources\":[{\"uri\":\"%08192d\"},{\"uri\":\"%08193d\"}]",
		0, 0, 0, 0, 0, 0);
	auto_offer *offer = offer_of(&x, members, NULL);
	const char *words;

	assert_int_equal(offer->lists[CATALOG_PROMPTS].n, 3);
	assert_int_equal(offer->lists[CATALOG_RESOURCES].n, 1);
	assert_int_equal(offer->n_faults, 4);
	words = strstr(offer->faults.items[1], "is longer than 64 characters: some clients refuse");
	assert_non_null(words);
	assert_non_null(strstr(offer->faults.items[0], "a resource whose uri is longer than 8192"));
	assert_non_null(strstr(offer->faults.items[3], "a prompt whose name is longer than 1024"));
}

/* A hostile worker may have many faults; the log has the first of them, and their number. */
static void test_many_faults(void **unused)
{
	const struct conf_domain x = world_domain("x", false);
	auto_strbuf members = { 0 };
	struct offer *offer;
	size_t n_lines = 0;
	const char *text;

	strbuf_adds(&members, "\"tools\":[0");
	for (int i = 1; i < 1000; i++)
		strbuf_adds(&members, ",0");
	strbuf_addc(&members, ']');
	offer = offer_of(&x, strbuf_get(&members), NULL);
	world_keep_log();
	offer_log_faults(offer, NULL);
	text = world_take_log();
	for (const char *at = text; (at = strchr(at, '\n')); at++)
		n_lines++;
	assert_int_equal(n_lines, 33);
	assert_non_null(strstr(text, "domain x: its lists have 968 more faults like these\n"));
	offer_log_faults(offer, offer); /* nothing is new */
	assert_string_equal(world_take_log(), "");
	offer_free(offer);
}

static void test_only_new_faults_are_logged(void **unused)
{
	const struct conf_domain x = world_domain("x", false);
	auto_offer *before = offer_of(&x, "\"tools\":[{\"name\":\"a\"}]", NULL);
	auto_offer *now = offer_of(&x, "\"tools\":[{\"name\":\"a\"},{\"name\":\"b\"}]", NULL);

	world_keep_log();
	offer_log_faults(now, before);
	assert_string_equal(
		world_take_log(), "domain x: the tool \"x_b\" has no inputSchema, ignoring it\n");
}

#define TOOL(name, rest) "{\"name\":\"" name "\",\"inputSchema\":{}" rest "}"

static void test_overrides(void **unused)
{
	char text_get[] = "get";
	char text_x_get[] = "x_get";
	char text_none[] = "none";
	char title[] = "T";
	struct conf_override overrides[] = {
		{ .tool = text_x_get, .title = title }, /* the listed name goes first */
		{ .tool = text_get, .hints = { CONF_HINT_TRUE } },
		{ .tool = text_none },
	};
	struct conf_domain x = world_domain("x", false);
	struct offer *offer;

	x.tools_override = (struct conf_overrides){ .items = overrides, .n = 3 };
	offer = offer_of(&x, "\"tools\":[" TOOL("get", "") "]", NULL);
	assert_string_equal(only_item(offer, CATALOG_TOOLS)->text,
		"{\"name\":\"x_get\",\"inputSchema\":{},\"title\":\"T\"}");
	assert_false(only_item(offer, CATALOG_TOOLS)->may_rerun);
	check_faults(
		offer, "domain x: tools.override names 'none', a tool that it does not have\n");
	offer_free(offer);

	x.tools_override.items++;
	x.tools_override.n = 1;
	x.tools_read_only = true; /* goes by what the settings say */
	offer = offer_of(&x, "\"tools\":[" TOOL("get", "") "," TOOL("put", "") "]", NULL);
	assert_string_equal(only_item(offer, CATALOG_TOOLS)->text,
		"{\"name\":\"x_get\",\"inputSchema\":{},\"annotations\":{\"readOnlyHint\":true}}");
	assert_true(only_item(offer, CATALOG_TOOLS)->may_rerun);
	check_faults(offer, "");
	offer_free(offer);

	overrides[1].hints[0] = CONF_HINT_FALSE;
	offer = offer_of(&x,
		"\"tools\":[" TOOL("get", ",\"annotations\":{\"readOnlyHint\":true}") "]", NULL);
	assert_int_equal(offer->lists[CATALOG_TOOLS].n, 0);
	offer_free(offer);
	offer = offer_of(
		&x, "\"prompts\":[{\"name\":\"get\"}]", NULL); /* no list of tools at all */
	assert_string_equal(only_item(offer, CATALOG_PROMPTS)->text, "{\"name\":\"x_get\"}");
	check_faults(offer, "");
	offer_free(offer);
}

static void test_override_of_a_native_tool(void **unused)
{
	char name[] = "git_log";
	char text[] = "D";
	struct conf_override override = { .tool = name, .description = text };
	struct conf_domain git = world_domain("git", true);
	struct offer *offer;

	git.tools_override = (struct conf_overrides){ .items = &override, .n = 1 };
	offer = offer_of(&git,
		"\"tools\":[{\"description\":\"d\","
		"\"name\":\"git_log\",\"inputSchema\":{}}]",
		NULL);
	assert_string_equal(only_item(offer, CATALOG_TOOLS)->text,
		"{\"description\":\"D\",\"name\":\"git_log\",\"inputSchema\":{}}");
	offer_free(offer);
}

/* The filters are for tools. */
static void test_filters_leave_the_rest(void **unused)
{
	char *none[] = { (char[]){ "*" } };
	struct conf_domain x = world_domain("x", false);
	struct offer *offer;

	x.tools_deny = (struct conf_strs){ .items = none, .n = 1 };
	x.tools_read_only = true;
	offer = offer_of(&x,
		"\"tools\":[" TOOL("a",
			"") "],\"prompts\":[{\"name\":\"a\"}],"
			    "\"resources\":[{\"uri\":\"a:\"}],\"templates\":[{\"uriTemplate\":\"a:{b}\"}]",
		NULL);
	assert_int_equal(offer->lists[CATALOG_TOOLS].n, 0);
	(void)only_item(offer, CATALOG_PROMPTS);
	(void)only_item(offer, CATALOG_RESOURCES);
	(void)only_item(offer, CATALOG_TEMPLATES);
	offer_free(offer);
}

static void test_capabilities(void **unused)
{
	static const struct {
		const char *members;
		const char *capabilities;
		unsigned bits;
	} cases[] = {
		{ "", "", 0 },
		{ "\"tools\":[]", "\"tools\":{}", 0 },
		{ "\"resources\":[]", "\"resources\":{}", CATALOG_HAS_RESOURCES },
		{ "\"templates\":[]", "\"resources\":{\"subscribe\":false}",
			CATALOG_HAS_RESOURCES },
		{ "\"resources\":[]", "\"resources\":{\"subscribe\":true}",
			CATALOG_HAS_RESOURCES | CATALOG_HAS_SUBSCRIBE },
		{ "", "\"resources\":{\"subscribe\":true}", 0 }, /* it refused to list them */
		{ "\"prompts\":[]", "\"prompts\":{},\"logging\":{},\"completions\":{}",
			CATALOG_HAS_PROMPTS | CATALOG_HAS_LOGGING | CATALOG_HAS_COMPLETIONS },
		{ "", "\"logging\":false,\"completions\":null", 0 },
	};
	const struct conf_domain x = world_domain("x", false);
	const struct conf_domain git = world_domain("git", true);

	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		auto_free char *info =
			alloc_printf("{\"capabilities\":{%s}}", cases[i].capabilities);
		auto_offer *external = offer_of(&x, cases[i].members, info);
		auto_offer *native = offer_of(&git, cases[i].members, info);

		assert_int_equal(external->capabilities, cases[i].bits);
		assert_int_equal(native->capabilities, 0);
	}
}

static void test_nothing_offered(void **unused)
{
	const struct conf_domain x = world_domain("x", false);
	auto_offer *offer = offer_new(&x, NULL);

	assert_int_equal(offer->capabilities, 0);
	assert_string_equal(offer->version, "");
	assert_null(offer->instructions);
	check_faults(offer, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_left_out),
		cmocka_unit_test(test_long_names),
		cmocka_unit_test(test_many_faults),
		cmocka_unit_test(test_only_new_faults_are_logged),
		cmocka_unit_test(test_overrides),
		cmocka_unit_test(test_override_of_a_native_tool),
		cmocka_unit_test(test_filters_leave_the_rest),
		cmocka_unit_test(test_capabilities),
		cmocka_unit_test(test_nothing_offered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
