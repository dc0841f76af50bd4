/* The catalog for one who may not see all: what is not for them is as if it were not there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "shared/alloc.h"
#include "supervisor/mcp/principal.h"
#include "tests/unit/catalog_world.h"

#define TOOL(name) "{\"name\":\"" name "\",\"inputSchema\":{}}"

static struct catalog *catalog;
static const struct endpoint *all;
static struct principal *viewer;

static int set_up(void **unused)
{
	catalog = catalog_new(&world_tools);
	all = catalog_endpoint(catalog, NULL);
	viewer = principal_new(PRINCIPAL_KEY, "ci", "key:ci");
	return 0;
}

static int tear_down(void **unused)
{
	principal_unref(viewer);
	catalog_free(catalog);
	return 0;
}

static void add_glob(struct conf_strs *list, const char *glob)
{
	list->items = alloc_resize(list->items, list->n + 1, sizeof(*list->items));
	list->items[list->n++] = alloc_str(glob);
}

static void set(const char *name, enum conf_names names, const char *members, const char *info)
{
	struct conf_domain conf = world_domain(name, false);

	conf.names = names;
	world_set(catalog, &conf, members, info);
}

static void set_page_size(unsigned size)
{
	struct conf_tools conf = world_tools;

	conf.page_size = size;
	catalog_set_conf(catalog, &conf);
}

static const struct {
	const char *member;
	const char *key;
} kinds[CATALOG_LISTS] = {
	[CATALOG_TOOLS] = { "tools", "name" },
	[CATALOG_RESOURCES] = { "resources", "uri" },
	[CATALOG_TEMPLATES] = { "resourceTemplates", "uriTemplate" },
	[CATALOG_PROMPTS] = { "prompts", "name" },
};

/* "a b >t2": the names, and the next cursor; "-": no such page. */
static void check_page(const struct endpoint *endpoint, enum catalog_list list, const char *cursor,
	const char *expected)
{
	auto_strbuf text = { 0 };
	auto_strbuf names = { 0 };
	bool is_there = endpoint_add_page(endpoint, viewer, list, cursor, &text);
	json_auto_t *page = is_there ? json_loadb(text.data, text.len, 0, NULL) : NULL;
	const char *next = json_string_value(json_object_get(page, "nextCursor"));
	json_t *item;
	size_t i;

	assert_int_equal(is_there, page != NULL);
	assert_true(is_there || text.len == 0);
	json_array_foreach(json_object_get(page, kinds[list].member), i, item)
		strbuf_addf(&names, "%s%s", i ? " " : "",
			json_string_value(json_object_get(item, kinds[list].key)));
	if (next)
		strbuf_addf(&names, " >%s", next);
	assert_string_equal(is_there ? strbuf_get(&names) : "-", expected);
}

static void check_find(bool (*find)(const struct endpoint *, const struct principal *, const char *,
			       struct catalog_target *),
	const char *name, const char *expected)
{
	struct catalog_target target;
	bool found = find(all, viewer, name, &target);

	assert_string_equal(found ? target.domain : "", expected);
}

static void set_three(void)
{
	set("a", CONF_NAMES_PLAIN, "\"tools\":[" TOOL("a1") "," TOOL("a2") "," TOOL("a3") "]",
		NULL);
	set("b", CONF_NAMES_PLAIN, "\"tools\":[" TOOL("b1") "," TOOL("b2") "]", NULL);
	set("c", CONF_NAMES_PLAIN, "\"tools\":[" TOOL("c1") "," TOOL("c2") "," TOOL("c3") "]",
		NULL);
}

/* --- lists ------------------------------------------------------------------------------------- */

static void test_the_same_without_restriction(void **unused)
{
	static const char *const cursors[] = { NULL, "t2", "t4", "t6", "t8" };

	set_three();
	set_page_size(2);
	for (size_t i = 0; i < N_ELEMENTS(cursors); i++) {
		auto_strbuf own = { 0 };
		size_t len = 0;
		const char *ready = endpoint_get_page(all, CATALOG_TOOLS, cursors[i], &len);

		assert_int_equal(endpoint_add_page(all, NULL, CATALOG_TOOLS, cursors[i], &own),
			ready != NULL);
		assert_string_equal(strbuf_get(&own), ready ? ready : "");
	}
}

static void test_domains(void **unused)
{
	set_three();
	check_page(all, CATALOG_TOOLS, NULL, "a1 a2 a3 b1 b2 c1 c2 c3");
	add_glob(&viewer->domains, "[ac]");
	check_page(all, CATALOG_TOOLS, NULL, "a1 a2 a3 c1 c2 c3");
	check_page(catalog_endpoint(catalog, "b"), CATALOG_TOOLS, NULL, "");
	check_page(catalog_endpoint(catalog, "c"), CATALOG_TOOLS, NULL, "c1 c2 c3");
	viewer->has_nothing = true;
	check_page(all, CATALOG_TOOLS, NULL, "");
}

static void test_tools(void **unused)
{
	set_three();
	add_glob(&viewer->tools, "*2");
	add_glob(&viewer->tools, "c1");
	check_page(all, CATALOG_TOOLS, NULL, "a2 b2 c1 c2");
	add_glob(&viewer->domains, "b");
	check_page(all, CATALOG_TOOLS, NULL, "b2");
}

/* A cursor counts what is seen: one that counted all would tell how much there is. */
static void test_pages(void **unused)
{
	static const char *const none[] = { "t1", "t3", "t4", "t6", "t0", "t02", "t", "", "2", "p2",
		"t2x", "t-2", "t99999999999999999999" };

	set_three();
	set_page_size(2);
	add_glob(&viewer->tools, "*2");
	add_glob(&viewer->tools, "c1");
	check_page(all, CATALOG_TOOLS, NULL, "a2 b2 >t2");
	check_page(all, CATALOG_TOOLS, "t2", "c1 c2");
	for (size_t i = 0; i < N_ELEMENTS(none); i++)
		check_page(all, CATALOG_TOOLS, none[i], "-");
	set_page_size(4);
	check_page(all, CATALOG_TOOLS, NULL, "a2 b2 c1 c2");
	set_page_size(0);
	check_page(all, CATALOG_TOOLS, "t2", "-");
}

/* --- look-ups ---------------------------------------------------------------------------------- */

static void test_find_tools(void **unused)
{
	set_three();
	add_glob(&viewer->domains, "a");
	add_glob(&viewer->tools, "?2");
	check_find(endpoint_find_tool, "a2", "a");
	check_find(endpoint_find_tool, "a1", "");
	check_find(endpoint_find_tool, "b2", "");
}

/* A name that only something hidden would make doubtful is not. */
static void test_hidden_names_are_in_nobodys_way(void **unused)
{
	set("a", CONF_NAMES_PLAIN, "\"tools\":[" TOOL("x.y") "]", NULL);
	set("b", CONF_NAMES_PLAIN, "\"tools\":[" TOOL("x_y") "]", NULL);
	check_find(endpoint_find_tool, "x-y", "");
	add_glob(&viewer->domains, "b");
	check_find(endpoint_find_tool, "x-y", "b");
	check_find(endpoint_find_tool, "x.y", "b");
}

static void test_federated_names(void **unused)
{
	struct conf_tools conf = world_tools;

	conf.federation_prefix = (char[]){ "fed" };
	catalog_set_conf(catalog, &conf);
	set_three();
	add_glob(&viewer->domains, "a");
	add_glob(&viewer->tools, "a1");
	check_find(endpoint_find_tool, "fed.a.a1", "a");
	check_find(endpoint_find_tool, "fed.a.a2", "");
	check_find(endpoint_find_tool, "fed.b.b1", "");
}

/* By domain, in which there must be a tool for it where tools are restricted. */
static void test_prompts_and_resources(void **unused)
{
	static const char members[] = "\"prompts\":[{\"name\":\"%s_p\"}],\"resources\":[{\"uri\":"
				      "\"%s:1\"}],\"templates\":[{\"uriTemplate\":\"%s:{id}\"}]";
	static const char info[] = "{\"capabilities\":{\"resources\":{\"subscribe\":true},"
				   "\"prompts\":{}},\"instructions\":\"Do.\"}";

	for (const char *name = "ab"; *name; name++) {
		auto_free char *domain = alloc_mem(name, 1);
		auto_strbuf text = { 0 };

		for (const char *at = members; *at; at++) {
			if (strncmp(at, "%s", 2) != 0)
				strbuf_addc(&text, *at);
			else
				strbuf_adds(&text, domain), at++;
		}
		set(domain, CONF_NAMES_PLAIN, strbuf_get(&text), info);
	}
	add_glob(&viewer->domains, "b");
	check_page(all, CATALOG_PROMPTS, NULL, "b_p");
	check_page(all, CATALOG_RESOURCES, NULL, "b:1");
	check_page(all, CATALOG_TEMPLATES, NULL, "b:{id}");
	check_find(endpoint_find_prompt, "a_p", "");
	check_find(endpoint_find_prompt, "b_p", "b");
	check_find(endpoint_find_resource, "b:1", "b");
	check_find(endpoint_find_template, "a:{id}", "");
	/* That of the only domain there is, for this one. */
	check_find(endpoint_find_resource, "a:1", "b");
	check_find(endpoint_find_resource, "q:1", "b");
	assert_int_equal(endpoint_get_capabilities(all, viewer),
		CATALOG_HAS_RESOURCES | CATALOG_HAS_SUBSCRIBE | CATALOG_HAS_PROMPTS);
	add_glob(&viewer->tools, "b_t");
	check_find(endpoint_find_resource, "b:1", "");
	check_page(all, CATALOG_PROMPTS, NULL, "");
	set("b", CONF_NAMES_PLAIN, "\"tools\":[" TOOL("b_t") "],\"resources\":[{\"uri\":\"b:1\"}]",
		info);
	check_find(endpoint_find_resource, "b:1", "b");
	viewer->has_nothing = true;
	check_find(endpoint_find_resource, "b:1", "");
	assert_int_equal(endpoint_get_capabilities(all, viewer), 0);
}

static void test_instructions(void **unused)
{
	auto_strbuf text = { 0 };

	set("a", CONF_NAMES_PLAIN, "", "{\"instructions\":\"Do.\"}");
	set("b", CONF_NAMES_PLAIN, "", "{\"instructions\":\"Think.\"}");
	endpoint_add_instructions(all, NULL, &text);
	assert_string_equal(strbuf_get(&text), endpoint_get_instructions(all));
	strbuf_cut(&text, 0);
	add_glob(&viewer->domains, "b");
	endpoint_add_instructions(all, viewer, &text);
	assert_string_equal(strbuf_get(&text), "b: Think.");
	strbuf_cut(&text, 0);
	endpoint_add_instructions(catalog_endpoint(catalog, "a"), viewer, &text);
	assert_int_equal(text.len, 0);
}

/* --- news -------------------------------------------------------------------------------------- */

static void test_changes(void **unused)
{
	const struct endpoint *b;

	set_three();
	b = catalog_endpoint(catalog, "b");
	add_glob(&viewer->domains, "b");
	assert_false(endpoint_has_changed_for(all, viewer, CATALOG_TOOLS)); /* that was c */
	set("b", CONF_NAMES_PLAIN, "\"tools\":[" TOOL("b1") "]", NULL);
	assert_true(endpoint_has_changed_for(all, viewer, CATALOG_TOOLS));
	assert_true(endpoint_has_changed_for(b, viewer, CATALOG_TOOLS));
	assert_false(endpoint_has_changed_for(all, viewer, CATALOG_PROMPTS));
	set("a", CONF_NAMES_PLAIN, "\"tools\":[" TOOL("a7") "]", NULL);
	assert_false(endpoint_has_changed_for(all, viewer, CATALOG_TOOLS));
	assert_false(endpoint_has_changed_for(b, viewer, CATALOG_TOOLS));
	/* Its name goes to a, which is before it. */
	set("a", CONF_NAMES_PLAIN, "\"tools\":[" TOOL("b1") "]", NULL);
	assert_true(endpoint_has_changed_for(all, viewer, CATALOG_TOOLS));
	check_page(all, CATALOG_TOOLS, NULL, "");
	catalog_remove_domain(catalog, "a");
	assert_true(endpoint_has_changed_for(all, viewer, CATALOG_TOOLS));
	catalog_remove_domain(catalog, "b");
	assert_true(endpoint_has_changed_for(all, viewer, CATALOG_TOOLS));
	catalog_remove_domain(catalog, "c");
	assert_false(endpoint_has_changed_for(all, viewer, CATALOG_TOOLS));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			test_the_same_without_restriction, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_domains, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_tools, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_pages, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_find_tools, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_hidden_names_are_in_nobodys_way, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_federated_names, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_prompts_and_resources, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_instructions, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_changes, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
