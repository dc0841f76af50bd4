/* Catalog: what is listed, under which names a tool is found, pages, filters. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "shared/alloc.h"
#include "shared/log.h"
#include "shared/strbuf.h"
#include "tests/unit/catalog_world.h"

static struct conf_tools conf_tools = { .federation_prefix = (char[]){ "sanctuary" } };

static const char git_tools[] =
	"[{\"name\":\"git_log\",\"description\":\"Log.\",\"inputSchema\":{\"type\":\"object\"},"
	"\"annotations\":{\"readOnlyHint\":true},\"x-unknown\":{\"a\":[1,2.5,\"z\"]}},"
	"{\"name\":\"git_get_status\",\"inputSchema\":{\"type\":\"object\"},"
	"\"annotations\":{\"readOnlyHint\":true}},"
	"{\"name\":\"git_add\",\"inputSchema\":{\"type\":\"object\"},"
	"\"annotations\":{\"readOnlyHint\":false,\"idempotentHint\":true}},"
	"{\"name\":\"git_push\",\"inputSchema\":{\"type\":\"object\"}}]";

static const char git_info[] =
	"{\"serverInfo\":{\"version\":\"7\"},\"capabilities\":{\"experimental\":{"
	"\"mcp-fleet\":{\"summary\":\"History.\",\"aliases\":{\"git_status\":\"git_get_status\"},"
	"\"timeouts_ms\":{\"git_push\":300000}}}}}";

static void set(struct catalog *catalog, const struct conf_domain *conf, const char *tools,
	const char *info)
{
	auto_free char *members = alloc_printf("\"tools\":%s", tools);

	world_set(catalog, conf, members, info);
}

static struct catalog *with_git(void)
{
	struct catalog *catalog = catalog_new(&conf_tools);
	const struct conf_domain git = world_domain("git", true);

	set(catalog, &git, git_tools, git_info);
	return catalog;
}

static json_t *page(const struct endpoint *endpoint, const char *cursor)
{
	size_t len;
	const char *text = endpoint_get_page(endpoint, CATALOG_TOOLS, cursor, &len);
	json_t *json = text ? json_loadb(text, len, 0, NULL) : NULL;

	assert_true(!text || json);
	return json;
}

static void check_names(json_t *list, const char *expected)
{
	auto_strbuf names = { 0 };
	json_t *tool;
	size_t i;

	json_array_foreach(json_object_get(list, "tools"), i, tool)
		strbuf_addf(&names, "%s%s", i ? " " : "",
			json_string_value(json_object_get(tool, "name")));
	assert_string_equal(strbuf_get(&names), expected);
}

static void test_list_keeps_order_and_unknown_fields(void **unused)
{
	struct catalog *catalog = with_git();
	json_auto_t *list = page(catalog_endpoint(catalog, NULL), NULL);
	json_auto_t *given = json_loads(git_tools, 0, NULL);

	check_names(list, "git_log git_get_status git_add git_push");
	assert_true(json_equal(json_object_get(list, "tools"), given));
	assert_null(json_object_get(list, "nextCursor"));
	assert_string_equal(catalog_get_version(catalog, "git"), "7");
	catalog_free(catalog);
}

static void test_summary(void **unused)
{
	struct catalog *catalog = with_git();
	const struct conf_domain git = world_domain("git", true);
	auto_free char *book = alloc_printf(
		"{\"capabilities\":{\"experimental\":{\"mcp-fleet\":{\"summary\":\"%01001d\"}}}}",
		0);

	assert_string_equal(catalog_get_summary(catalog, "git"), "History.");
	assert_string_equal(catalog_get_summary(catalog, "none"), "");
	set(catalog, &git, git_tools, book);
	assert_string_equal(catalog_get_summary(catalog, "git"), "");
	set(catalog, &git, git_tools,
		"{\"capabilities\":{\"experimental\":{\"mcp-fleet\":{\"summary\":7}}}}");
	assert_string_equal(catalog_get_summary(catalog, "git"), "");
	set(catalog, &git, git_tools, NULL); /* it speaks the protocol, and nothing of ours */
	assert_string_equal(catalog_get_summary(catalog, "git"), "");
	catalog_free(catalog);
}

static void test_names(void **unused)
{
	static const struct {
		const char *name;
		const char *worker_name; /* NULL: not found */
	} cases[] = {
		{ "git_log", "git_log" },
		{ "git-log", "git_log" },
		{ "git.get-status", "git_get_status" },
		{ "git_status", "git_status" }, /* an alias goes to the worker as itself */
		{ "git-status", "git_status" },
		{ "sanctuary.git.get_status", "git_get_status" },
		{ "sanctuary.git.git_log", "git_log" },
		{ "sanctuary.git.git-log", "git_log" },
		{ "sanctuary.git.status", "git_status" },
		{ "sanctuary.utils.git_log", NULL },
		{ "sanctuary.git.", NULL },
		{ "sanctuary.", NULL },
		{ "sanctuary", NULL },
		{ "other.git.get_status", NULL },
		{ "Git_log", NULL },
		{ "git_lo", NULL },
		{ "", NULL },
	};
	struct catalog *catalog = with_git();
	struct catalog_target tool;

	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		bool found = endpoint_find_tool(
			catalog_endpoint(catalog, NULL), NULL, cases[i].name, &tool);

		if (found != (cases[i].worker_name != NULL))
			fail_msg("'%s' was%s found", cases[i].name, found ? "" : " not");
		if (found)
			assert_string_equal(tool.worker_name, cases[i].worker_name);
	}
	catalog_free(catalog);
}

static void test_hints_and_timeouts(void **unused)
{
	struct catalog *catalog = with_git();
	const struct endpoint *all = catalog_endpoint(catalog, NULL);
	struct catalog_target tool;

	assert_true(endpoint_find_tool(all, NULL, "git_log", &tool));
	assert_true(tool.may_rerun);
	assert_int_equal(tool.timeout_ms, 60000);
	assert_true(endpoint_find_tool(all, NULL, "git_add", &tool));
	assert_true(tool.may_rerun); /* idempotent */
	assert_true(endpoint_find_tool(all, NULL, "git_push", &tool));
	assert_false(tool.may_rerun); /* nothing was promised */
	assert_int_equal(tool.timeout_ms, 300000);
	assert_string_equal(tool.domain, "git");
	catalog_free(catalog);
}

static void test_endpoints(void **unused)
{
	struct catalog *catalog = with_git();
	const struct conf_domain ext = world_domain("my-ext", false);
	struct catalog_target tool;

	set(catalog, &ext,
		"[{\"name\":\"echo\",\"inputSchema\":{}},{\"name\":\"my_ext_two\",\"inputSchema\":{}},"
		"{\"name\":\"no_schema\"},{\"inputSchema\":{}}]",
		NULL);
	json_auto_t *all = page(catalog_endpoint(catalog, NULL), NULL);
	json_auto_t *one = page(catalog_endpoint(catalog, "my-ext"), NULL);
	check_names(all, "git_log git_get_status git_add git_push my_ext_echo my_ext_two");
	check_names(one, "my_ext_echo my_ext_two");
	assert_true(endpoint_find_tool(
		catalog_endpoint(catalog, "my-ext"), NULL, "my_ext_echo", &tool));
	assert_string_equal(tool.worker_name, "echo");
	assert_false(
		endpoint_find_tool(catalog_endpoint(catalog, "my-ext"), NULL, "git_log", &tool));
	assert_false(
		endpoint_find_tool(catalog_endpoint(catalog, "git"), NULL, "my_ext_echo", &tool));
	assert_null(catalog_endpoint(catalog, "none"));
	catalog_free(catalog);
}

static void test_filters(void **unused)
{
	char *deny[] = { (char[]){ "*_push" }, (char[]){ "git_get_*" } };
	struct conf_domain git = world_domain("git", true);
	struct catalog *catalog = catalog_new(&conf_tools);
	struct catalog_target tool;

	git.tools_deny = (struct conf_strs){ .items = deny, .n = 2 };
	set(catalog, &git, git_tools, git_info);
	json_auto_t *list = page(catalog_endpoint(catalog, NULL), NULL);
	check_names(list, "git_log git_add");
	/* Not by another name either. */
	assert_false(
		endpoint_find_tool(catalog_endpoint(catalog, NULL), NULL, "git_status", &tool));
	assert_false(endpoint_find_tool(
		catalog_endpoint(catalog, NULL), NULL, "sanctuary.git.push", &tool));

	git.tools_deny = (struct conf_strs){ 0 };
	git.tools_read_only = true;
	set(catalog, &git, git_tools, git_info);
	json_auto_t *read_only = page(catalog_endpoint(catalog, NULL), NULL);
	check_names(read_only, "git_log git_get_status");
	catalog_free(catalog);
}

/* External tools are filtered by the names that clients see, and a name is offered once. */
static void test_external_names(void **unused)
{
	static const char tools[] = "[{\"name\":\"get\",\"inputSchema\":{}},"
				    "{\"name\":\"wipe\",\"inputSchema\":{}},"
				    "{\"name\":\"get\",\"title\":\"x\",\"inputSchema\":{}},"
				    "{\"name\":\"box_get\",\"inputSchema\":{}}]";
	char *allow[] = { (char[]){ "box_*" } };
	char *deny[] = { (char[]){ "box_wipe" } };
	struct catalog *catalog = catalog_new(&conf_tools);
	struct conf_domain box = world_domain("box", false);
	json_t *list;

	(void)unused;
	set(catalog, &box, tools, NULL);
	list = page(catalog_endpoint(catalog, "box"), NULL);
	check_names(list, "box_get box_wipe");
	json_decref(list);

	box.tools_allow = (struct conf_strs){ .items = allow, .n = 1 };
	box.tools_deny = (struct conf_strs){ .items = deny, .n = 1 };
	set(catalog, &box, tools, NULL);
	list = page(catalog_endpoint(catalog, "box"), NULL);
	check_names(list, "box_get");
	json_decref(list);
	catalog_free(catalog);
}

static void test_pages(void **unused)
{
	struct conf_tools paged = { .federation_prefix = (char[]){ "" }, .page_size = 3 };
	struct catalog *catalog = with_git();
	const struct endpoint *all = catalog_endpoint(catalog, NULL);

	catalog_set_conf(catalog, &paged);
	json_auto_t *first = page(all, NULL);
	check_names(first, "git_log git_get_status git_add");
	const char *cursor = json_string_value(json_object_get(first, "nextCursor"));
	assert_non_null(cursor);
	json_auto_t *second = page(all, cursor);
	check_names(second, "git_push");
	assert_null(json_object_get(second, "nextCursor"));
	static const char *const wrong[] = { "", "t", "t0", "t00", "t03", "t2", "t6", "t-3", "t+3",
		"t 3", "t3x", "3", "T3", "r3", "m3", "p3", "t18446744073709551619",
		"t99999999999999999999999999999999999999999" };
	for (size_t i = 0; i < N_ELEMENTS(wrong); i++) {
		json_auto_t *none = page(all, wrong[i]);

		if (none)
			fail_msg("cursor '%s' was taken", wrong[i]);
	}
	catalog_free(catalog);
}

/* All four lists have pages, and each knows its own cursors only. */
static void test_pages_of_all_lists(void **unused)
{
	static const char *const cursors[CATALOG_LISTS] = { "t1", "r1", "m1", "p1" };
	static const char *const second[CATALOG_LISTS] = { "x_b", "x+b:", "x+b:{i}", "x_b" };
	struct conf_tools paged = { .federation_prefix = (char[]){ "" }, .page_size = 1 };
	const struct conf_domain x = world_domain("x", false);
	struct catalog *catalog = catalog_new(&paged);
	const struct endpoint *all = catalog_endpoint(catalog, NULL);

	world_set(catalog, &x,
		"\"tools\":[{\"name\":\"a\",\"inputSchema\":{}},{\"name\":\"b\",\"inputSchema\":{}}],"
		"\"prompts\":[{\"name\":\"a\"},{\"name\":\"b\"}],"
		"\"resources\":[{\"uri\":\"a:\"},{\"uri\":\"b:\"}],"
		"\"templates\":[{\"uriTemplate\":\"a:{i}\"},{\"uriTemplate\":\"b:{i}\"}]",
		NULL);
	for (int l = 0; l < CATALOG_LISTS; l++)
		for (int c = 0; c < CATALOG_LISTS; c++)
			assert_string_equal(world_names(all, (enum catalog_list)l, cursors[c]),
				l == c ? second[l] : "-");
	catalog_set_conf(catalog, &conf_tools); /* all in one page: the cursors are gone */
	assert_string_equal(world_names(all, CATALOG_PROMPTS, "p1"), "-");
	assert_string_equal(world_names(all, CATALOG_PROMPTS, NULL), "x_a x_b");
	catalog_free(catalog);
}

static void test_versions(void **unused)
{
	struct catalog *catalog = with_git();
	const struct conf_domain git = world_domain("git", true);
	const struct endpoint *all = catalog_endpoint(catalog, NULL);
	uint64_t before = endpoint_get_version(all, CATALOG_TOOLS);

	set(catalog, &git, git_tools, git_info);
	assert_int_equal(endpoint_get_version(all, CATALOG_TOOLS), before); /* the same list */
	catalog_set_domain(catalog, &git, NULL);
	assert_true(endpoint_get_version(all, CATALOG_TOOLS) > before);
	assert_int_equal(endpoint_count_tools(all), 0);
	json_auto_t *list = page(all, NULL);
	check_names(list, "");
	before = endpoint_get_version(all, CATALOG_TOOLS);
	catalog_remove_domain(catalog, "git");
	assert_int_equal(endpoint_get_version(all, CATALOG_TOOLS), before);
	catalog_remove_domain(catalog, "git");
	catalog_free(catalog);
}

/* A tool whose annotations are no good is listed all the same, and the log says what ails it. */
static void test_mirrored_arguments(void **unused)
{
	struct catalog *catalog = catalog_new(&conf_tools);
	const struct conf_domain git = world_domain("git", true);
	const struct endpoint *all = catalog_endpoint(catalog, NULL);
	struct catalog_target tool;

	world_keep_log();
	set(catalog, &git,
		"[{\"name\":\"git_a\",\"inputSchema\":{\"properties\":{\"x\":{\"type\":\"string\","
		"\"x-mcp-header\":\"X\"}}}},{\"name\":\"git_b\",\"inputSchema\":{}}]",
		NULL);
	assert_string_equal(world_take_log(), "");
	assert_true(endpoint_find_tool(all, NULL, "git_a", &tool) && tool.has_headers);
	assert_true(endpoint_find_tool(all, NULL, "git_b", &tool) && !tool.has_headers);

	set(catalog, &git,
		"[{\"name\":\"git_a\",\"inputSchema\":{\"properties\":{\"x\":{\"type\":\"number\","
		"\"x-mcp-header\":\"X\"}}}}]",
		NULL);
	assert_string_equal(world_take_log(),
		"domain git: tool git_a: x-mcp-header of \"x\" stands on a type other than "
		"string, integer and boolean; clients of protocol revision 2026-07-28 will leave it "
		"out\n");
	assert_true(endpoint_find_tool(all, NULL, "git_a", &tool) && !tool.has_headers);
	catalog_free(catalog);
}

/* Two servers of the same make, both with plain names. */
struct twins {
	struct catalog *catalog;
	const struct endpoint *all, *a, *b;
	struct conf_domain conf_a, conf_b;
};

static const char twin[] =
	"\"tools\":[{\"name\":\"x\",\"inputSchema\":{}}],\"prompts\":[{\"name\":\"p\"}],"
	"\"resources\":[{\"uri\":\"r:\"}],\"templates\":[{\"uriTemplate\":\"r:{i}\"}]";

static struct twins make_twins(void)
{
	struct twins twins = { .catalog = catalog_new(&conf_tools),
		.conf_a = world_domain("a", false),
		.conf_b = world_domain("b", false) };

	twins.conf_a.names = twins.conf_b.names = CONF_NAMES_PLAIN;
	world_keep_log();
	world_set(twins.catalog, &twins.conf_b, twin, NULL);
	assert_string_equal(world_take_log(), "");
	world_set(twins.catalog, &twins.conf_a, twin, NULL);
	twins.all = catalog_endpoint(twins.catalog, NULL);
	twins.a = catalog_endpoint(twins.catalog, "a");
	twins.b = catalog_endpoint(twins.catalog, "b");
	return twins;
}

static void check_twins(
	const struct twins *twins, const char *names, const char *of_a, const char *of_b)
{
	assert_string_equal(world_names(twins->all, CATALOG_TOOLS, NULL), names);
	assert_string_equal(world_names(twins->a, CATALOG_TOOLS, NULL), of_a);
	assert_string_equal(world_names(twins->b, CATALOG_TOOLS, NULL), of_b);
}

static void count_clash(void *arg, const char *domain, const char *text)
{
	assert_string_equal(domain, "b");
	assert_non_null(strstr(text, "for domain a has it already: set domains.b.names"));
	++*(unsigned *)arg;
}

static unsigned count_clashes(const struct catalog *catalog)
{
	unsigned n = 0;

	catalog_each_clash(catalog, count_clash, &n);
	return n;
}

#define LEFT_OUT(what)                                                                             \
	"domain b: " what " is left out, for domain a has it already: set domains.b.names to "     \
	"prefix or dotted\n"

/* The domain that comes later in order loses, though its lists came first. */
static void test_clash(void **unused)
{
	struct twins twins = make_twins();
	struct catalog_target tool;

	assert_string_equal(world_take_log(),
		LEFT_OUT("tool \"x\"") LEFT_OUT("resource \"r:\"")
			LEFT_OUT("resource template \"r:{i}\"") LEFT_OUT("prompt \"p\""));
	assert_int_equal(count_clashes(twins.catalog), 4);
	check_twins(&twins, "x", "x", "");
	assert_string_equal(world_names(twins.all, CATALOG_PROMPTS, NULL), "p");
	assert_string_equal(world_names(twins.b, CATALOG_PROMPTS, NULL), "");
	assert_string_equal(world_names(twins.b, CATALOG_RESOURCES, NULL), "");
	assert_int_equal(endpoint_count_tools(twins.b), 0);
	assert_true(endpoint_find_tool(twins.all, NULL, "x", &tool));
	assert_string_equal(tool.domain, "a");
	assert_false(endpoint_find_tool(twins.b, NULL, "x", &tool));
	world_set(twins.catalog, &twins.conf_b, twin, NULL); /* the same once more is no news */
	assert_string_equal(world_take_log(), "");
	check_twins(&twins, "x", "x", "");
	catalog_free(twins.catalog);
}

/* The name goes to who is there, and comes back. */
static void test_clash_ends(void **unused)
{
	struct twins twins = make_twins();
	uint64_t of_b = endpoint_get_version(twins.b, CATALOG_TOOLS);

	catalog_set_domain(twins.catalog, &twins.conf_a, NULL);
	assert_int_equal(count_clashes(twins.catalog), 0);
	check_twins(&twins, "x", "", "x");
	assert_int_equal(endpoint_get_version(twins.b, CATALOG_TOOLS), of_b + 1);
	(void)world_take_log();
	world_set(twins.catalog, &twins.conf_a, twin, NULL);
	assert_non_null(strstr(world_take_log(), LEFT_OUT("tool \"x\"")));
	assert_int_equal(endpoint_get_version(twins.b, CATALOG_TOOLS), of_b + 2);
	twins.conf_b.names = CONF_NAMES_PREFIX; /* what the message advises */
	world_set(twins.catalog, &twins.conf_b, twin, NULL);
	assert_int_equal(count_clashes(twins.catalog), 0);
	check_twins(&twins, "x b_x", "x", "b_x");
	catalog_remove_domain(twins.catalog, "a");
	check_twins(&twins, "b_x", "", "b_x");
	catalog_free(twins.catalog);
}

/* Only what changed has a new version: one list, in the endpoints that have it. */
static void test_versions_of_lists(void **unused)
{
	struct twins twins = make_twins();
	const struct endpoint *const endpoints[] = { twins.all, twins.a, twins.b };
	uint64_t before[N_ELEMENTS(endpoints)][CATALOG_LISTS];

	twins.conf_b.names = CONF_NAMES_DOTTED;
	world_set(twins.catalog, &twins.conf_b, twin, NULL);
	for (size_t e = 0; e < N_ELEMENTS(endpoints); e++)
		for (int l = 0; l < CATALOG_LISTS; l++)
			before[e][l] = endpoint_get_version(endpoints[e], (enum catalog_list)l);
	world_set(twins.catalog, &twins.conf_b,
		"\"tools\":[{\"name\":\"x\",\"inputSchema\":{}}],\"prompts\":[{\"name\":\"q\"}],"
		"\"resources\":[{\"uri\":\"r:\"}],\"templates\":[{\"uriTemplate\":\"r:{i}\"}]",
		NULL);
	for (size_t e = 0; e < N_ELEMENTS(endpoints); e++)
		for (int l = 0; l < CATALOG_LISTS; l++)
			assert_int_equal(endpoint_get_version(endpoints[e], (enum catalog_list)l),
				before[e][l] + (l == CATALOG_PROMPTS && endpoints[e] != twins.a));
	catalog_free(twins.catalog);
}

static void test_capabilities(void **unused)
{
	static const char info[] = "{\"instructions\":\"Do.\",\"capabilities\":{\"logging\":{},"
				   "\"resources\":{\"subscribe\":true}}}";
	struct twins twins = make_twins();
	const struct conf_domain git = world_domain("git", true);

	assert_int_equal(endpoint_get_capabilities(twins.all, NULL),
		CATALOG_HAS_RESOURCES | CATALOG_HAS_PROMPTS);
	world_set(twins.catalog, &twins.conf_a, twin, info);
	world_set(twins.catalog, &git, "\"tools\":[]", "{\"capabilities\":{\"completions\":{}}}");
	assert_int_equal(endpoint_get_capabilities(twins.all, NULL),
		CATALOG_HAS_RESOURCES | CATALOG_HAS_PROMPTS | CATALOG_HAS_LOGGING |
			CATALOG_HAS_SUBSCRIBE);
	assert_int_equal(endpoint_get_capabilities(twins.b, NULL),
		CATALOG_HAS_RESOURCES | CATALOG_HAS_PROMPTS);
	assert_string_equal(endpoint_get_instructions(twins.all), "a: Do.");
	assert_string_equal(endpoint_get_instructions(twins.a), "Do.");
	assert_null(endpoint_get_instructions(twins.b));
	catalog_set_domain(twins.catalog, &twins.conf_a, NULL); /* parked */
	assert_int_equal(endpoint_get_capabilities(twins.all, NULL),
		CATALOG_HAS_RESOURCES | CATALOG_HAS_PROMPTS);
	assert_null(endpoint_get_instructions(twins.all));
	catalog_remove_domain(twins.catalog, "b");
	assert_int_equal(endpoint_get_capabilities(twins.all, NULL), 0);
	catalog_free(twins.catalog);
}

/* Byte for byte, for whatever door. */
static void test_items_as_written(void **unused)
{
	static const char schema[] =
		"{\"$schema\":\"s\",\"maximum\":123456789012345678901234567890,"
		"\"multipleOf\":1.10,\"$defs\":{\"z\":1,\"a\":1E-400}}";
	auto_free char *members = alloc_printf(
		"\"tools\":[{\"_meta\":{\"z\":1.0},\"inputSchema\":%s,\"name\":\"t\"}]", schema);
	auto_free char *expected = alloc_printf(
		"{\"tools\":[{\"_meta\":{\"z\":1.0},\"inputSchema\":%s,\"name\":\"x_t\"}]}",
		schema);
	const struct conf_domain x = world_domain("x", false);
	struct catalog *catalog = catalog_new(&conf_tools);
	size_t len;

	world_set(catalog, &x, members, NULL);
	assert_string_equal(
		endpoint_get_page(catalog_endpoint(catalog, NULL), CATALOG_TOOLS, NULL, &len),
		expected);
	assert_int_equal(len, strlen(expected));
	assert_string_equal(
		endpoint_get_page(catalog_endpoint(catalog, "x"), CATALOG_TOOLS, NULL, &len),
		expected);
	catalog_free(catalog);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_list_keeps_order_and_unknown_fields),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_hints_and_timeouts),
		cmocka_unit_test(test_endpoints),
		cmocka_unit_test(test_filters),
		cmocka_unit_test(test_external_names),
		cmocka_unit_test(test_pages),
		cmocka_unit_test(test_pages_of_all_lists),
		cmocka_unit_test(test_clash),
		cmocka_unit_test(test_clash_ends),
		cmocka_unit_test(test_versions_of_lists),
		cmocka_unit_test(test_capabilities),
		cmocka_unit_test(test_items_as_written),
		cmocka_unit_test(test_summary),
		cmocka_unit_test(test_versions),
		cmocka_unit_test(test_mirrored_arguments),
	};

	log_init("test", LOG_TARGET_TEXT, LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
