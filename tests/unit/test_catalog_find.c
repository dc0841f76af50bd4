/* Looking up over endpoints: rewritten and federated names, resources by list, prefix, template. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "shared/alloc.h"
#include "tests/unit/catalog_world.h"

static struct conf_tools tools = { .federation_prefix = (char[]){ "fed" } };
static struct catalog *catalog;
static struct catalog_target target;

static int set_up(void **unused)
{
	catalog = catalog_new(&tools);
	return 0;
}

static int tear_down(void **unused)
{
	catalog_free(catalog);
	return 0;
}

static void add(const char *name, enum conf_names names, const char *members)
{
	struct conf_domain conf = world_domain(name, false);

	conf.names = names;
	world_set(catalog, &conf, members, NULL);
}

/* "domain:worker's name" or "" for a tool; "=": as the client gave it. */
static void check(bool (*find)(const struct endpoint *, const struct principal *, const char *,
			  struct catalog_target *),
	const char *endpoint, const char *name, const char *expected)
{
	bool found = find(catalog_endpoint(catalog, endpoint), NULL, name, &target);
	auto_free char *text = found ? alloc_printf("%s:%s", target.domain,
					       target.worker_name ? target.worker_name : "=")
				     : alloc_str("");

	assert_string_equal(text, expected);
}

#define TOOL(name) "{\"name\":\"" name "\",\"inputSchema\":{}}"

static void test_tools(void **unused)
{
	add("every-thing", CONF_NAMES_PREFIX, "\"tools\":[" TOOL("get-sum") "," TOOL("a.b") "]");
	add("other", CONF_NAMES_DOTTED, "\"tools\":[" TOOL("get-sum") "]");
	check(endpoint_find_tool, NULL, "every_thing_get-sum", "every-thing:get-sum");
	check(endpoint_find_tool, NULL, "every-thing-get-sum", "every-thing:get-sum");
	check(endpoint_find_tool, NULL, "every_thing_a_b", "every-thing:a.b");
	check(endpoint_find_tool, NULL, "other_get_sum", "other:get-sum");
	check(endpoint_find_tool, "other", "other_get_sum", "other:get-sum");
	check(endpoint_find_tool, "every-thing", "other.get-sum", "");
	check(endpoint_find_tool, "every-thing", "other_get_sum", "");
	check(endpoint_find_tool, NULL, "get-sum", "");
	check(endpoint_find_tool, NULL, "fed.every-thing.get_sum", "every-thing:get-sum");
	check(endpoint_find_tool, NULL, "fed.every-thing.every_thing_a.b", "every-thing:a.b");
	check(endpoint_find_tool, NULL, "fed.other.get-sum", "other:get-sum");
	check(endpoint_find_tool, "every-thing", "fed.other.get-sum", "");
	check(endpoint_find_tool, NULL, "fed.other.a.b", "");
}

static void test_prompts(void **unused)
{
	add("p", CONF_NAMES_PREFIX,
		"\"tools\":[" TOOL("t") "],\"prompts\":[{\"name\":\"say-it\"}]");
	check(endpoint_find_prompt, NULL, "p_say-it", "p:say-it");
	check(endpoint_find_prompt, NULL, "p.say_it", "p:say-it");
	assert_string_equal(target.name, "p_say-it");
	assert_true(target.may_rerun);
	check(endpoint_find_prompt, NULL, "p_t", "");
	check(endpoint_find_tool, NULL, "p_say-it", "");
	check(endpoint_find_prompt, NULL, "fed.p.say-it", "");
}

static void test_prefixed_resources(void **unused)
{
	add("my-files", CONF_NAMES_PREFIX, "\"resources\":[{\"uri\":\"file:///a\",\"size\":1.50}]");
	add("dot", CONF_NAMES_DOTTED, "\"templates\":[{\"uriTemplate\":\"x:{id}\"}]");
	add("none", CONF_NAMES_PREFIX, "\"tools\":[]");
	check(endpoint_find_resource, NULL, "my-files+file:///a", "my-files:file:///a");
	assert_string_equal(target.text, "{\"uri\":\"my-files+file:///a\",\"size\":1.50}");
	check(endpoint_find_resource, NULL, "my-files+file:///b%20c", "my-files:file:///b%20c");
	assert_null(target.text);
	check(endpoint_find_resource, NULL, "MY-Files+FILE:///a", "my-files:FILE:///a");
	check(endpoint_find_resource, "dot", "my-files+file:///a", "");
	check(endpoint_find_resource, "dot", "dot.x:7", "dot:x:7");
	check(endpoint_find_resource, NULL, "none+x:7", ""); /* it has no resources */
	check(endpoint_find_resource, NULL, "file:///a", "");
	check(endpoint_find_template, NULL, "dot.x:{id}", "dot:x:{id}");
	check(endpoint_find_template, NULL, "x:{id}", "");
	check(endpoint_find_template, "my-files", "dot.x:{id}", "");
}

static void test_plain_resources(void **unused)
{
	add("a", CONF_NAMES_PLAIN, "\"resources\":[{\"uri\":\"a:1\"}]");
	check(endpoint_find_resource, NULL, "a:1", "a:a:1");
	check(endpoint_find_resource, NULL, "q:any", "a:="); /* nobody else can have it */
	add("b", CONF_NAMES_PLAIN,
		"\"resources\":[],\"templates\":[{\"uriTemplate\":\"b:{id}{?q}\"}]");
	check(endpoint_find_resource, NULL, "q:any", ""); /* one of two */
	check(endpoint_find_resource, "a", "q:any", "a:=");
	check(endpoint_find_resource, NULL, "b:1", "b:=");
	check(endpoint_find_resource, NULL, "b:1?q=2", "b:=");
	check(endpoint_find_resource, "a", "b:1", "a:=");
	check(endpoint_find_resource, NULL, "b:1/2", "");
	add("c", CONF_NAMES_PREFIX, "\"resources\":[]"); /* its own have a prefix */
	catalog_remove_domain(catalog, "b");
	check(endpoint_find_resource, NULL, "q:any", "a:=");
}

/* A template that another domain has first serves nothing. */
static void test_templates_that_clash(void **unused)
{
	static const char members[] = "\"templates\":[{\"uriTemplate\":\"b:{id}\"}]";

	add("a", CONF_NAMES_PLAIN, members);
	add("b", CONF_NAMES_PLAIN, members);
	check(endpoint_find_resource, NULL, "b:1", "a:=");
	check(endpoint_find_template, NULL, "b:{id}", "a:b:{id}");
	check(endpoint_find_template, "b", "b:{id}", "");
	catalog_remove_domain(catalog, "a");
	check(endpoint_find_template, "b", "b:{id}", "b:b:{id}");
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_tools),
		TEST(test_prompts),
		TEST(test_prefixed_resources),
		TEST(test_plain_resources),
		TEST(test_templates_that_clash),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
