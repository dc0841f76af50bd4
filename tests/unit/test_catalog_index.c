/* Who has which name, what is said of the others, and names that differ in '-', '.' and '_' only. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "shared/alloc.h"
#include "supervisor/mcp/catalog_index.h"
#include "tests/unit/catalog_world.h"

enum { MAX_OFFERS = 8 };

static struct world {
	struct offer *offers[MAX_OFFERS];
	size_t n;
	struct index index;
	struct clashes clashes;
} world;

/* In order of the names of domains, as the catalog has them. `names`: as JSON, "\"a\",\"b\"". */
static struct offer *add(const char *domain, enum conf_names how, bool is_native, const char *names,
	const char *aliases)
{
	struct conf_domain conf = world_domain(domain, is_native);
	auto_free char *list = alloc_printf("[%s]", names);
	auto_free char *info = alloc_printf(
		"{\"capabilities\":{\"experimental\":{\"mcp-fleet\":{\"aliases\":{%s}}}}}",
		aliases);
	json_auto_t *parsed = json_loads(list, 0, NULL);
	auto_strbuf tools = { 0 };
	struct offering offering;
	json_t *name;
	size_t i;

	conf.names = how;
	strbuf_adds(&tools, "\"tools\":[");
	json_array_foreach(parsed, i, name)
		strbuf_addf(&tools, "%s{\"name\":\"%s\",\"inputSchema\":{}}", i ? "," : "",
			json_string_value(name));
	strbuf_addc(&tools, ']');
	offering = world_offering(strbuf_get(&tools), info);
	world.offers[world.n] = offer_new(&conf, &offering);
	offering_done(&offering);
	return world.offers[world.n++];
}

static struct offer *add_plain(const char *domain, const char *names)
{
	return add(domain, CONF_NAMES_PLAIN, false, names, "");
}

static void build(void)
{
	clashes_done(&world.clashes);
	index_build(&world.index, CATALOG_TOOLS, world.offers, world.n, &world.clashes);
}

static int tear_down(void **unused)
{
	for (size_t i = 0; i < world.n; i++)
		offer_free(world.offers[i]);
	index_done(&world.index);
	clashes_done(&world.clashes);
	world = (struct world){ 0 };
	return 0;
}

static void check_clash(size_t i, const char *expected)
{
	auto_free char *text = NULL;

	assert_true(i < world.clashes.n);
	text = clash_describe(&world.clashes.items[i]);
	assert_string_equal(text, expected);
}

/* "domain:item", "domain>alias" or "": what the name leads to. */
static void check_found(const struct index_entry *entry, const char *expected)
{
	auto_free char *text = entry ? alloc_printf("%s%c%s", entry->offer->naming.domain,
					       entry->name->is_alias ? '>' : ':', entry->name->name)
				     : alloc_str("");

	assert_string_equal(text, expected);
}

static void test_no_clash(void **unused)
{
	add_plain("a", "\"x\",\"y\"");
	add("b", CONF_NAMES_PREFIX, false, "\"x\"", "");
	add("c", CONF_NAMES_DOTTED, false, "\"x\"", "");
	build();
	assert_int_equal(world.clashes.n, 0);
	check_found(index_find(&world.index, "x"), "a:x");
	check_found(index_find(&world.index, "y"), "a:y");
	check_found(index_find(&world.index, "b_x"), "b:b_x");
	check_found(index_find(&world.index, "c.x"), "c:c.x");
	check_found(index_find(&world.index, ""), "");
	check_found(index_find(&world.index, "z"), "");
}

static void test_later_domain_loses(void **unused)
{
	const struct offer *a = add_plain("a", "\"x\"");
	const struct offer *b = add_plain("b", "\"w\",\"x\"");

	build();
	assert_false(a->lists[CATALOG_TOOLS].items[0].is_out);
	assert_false(b->lists[CATALOG_TOOLS].items[0].is_out);
	assert_true(b->lists[CATALOG_TOOLS].items[1].is_out);
	check_found(index_find(&world.index, "x"), "a:x");
	assert_int_equal(world.clashes.n, 1);
	check_clash(0,
		"tool \"x\" is left out, for domain a has it already: set domains.b.names to "
		"prefix or dotted");
	build(); /* what was out is judged anew */
	assert_int_equal(world.clashes.n, 1);
}

static void test_many_names(void **unused)
{
	add_plain("a", "\"1\",\"2\",\"3\",\"4\",\"5\"");
	add_plain("b", "\"1\",\"2\"");
	add_plain("c", "\"1\",\"2\",\"3\",\"4\",\"5\"");
	build();
	assert_int_equal(world.clashes.n, 2);
	check_clash(0, "tools \"1\", \"2\" are left out, for domain a has them already: set "
		       "domains.b.names to prefix or dotted");
	check_clash(1, "tools \"1\", \"2\", \"3\" and 2 more are left out, for domain a has them "
		       "already: set domains.c.names to prefix or dotted");
}

/* Domain "a" with tool "b_c" is domain "a-b" with tool "c". */
static void test_prefixes_that_meet(void **unused)
{
	add("a", CONF_NAMES_PREFIX, false, "\"b_c\"", "");
	add("a-b", CONF_NAMES_PREFIX, false, "\"c\",\"d\"", "");
	build();
	check_found(index_find(&world.index, "a_b_c"), "a:a_b_c");
	check_found(index_find(&world.index, "a_b_d"), "a-b:a_b_d");
	check_clash(0, "tool \"a_b_c\" is left out, for domain a has it already: set "
		       "domains.a-b.names to dotted, or give the domain another name");
}

static void test_whose_names_to_change(void **unused)
{
	add_plain("a", "\"git_log\",\"z_x\"");
	add("git", CONF_NAMES_PREFIX, true, "\"git_log\"", "");
	add("z", CONF_NAMES_PREFIX, false, "\"x\"", "");
	build();
	assert_int_equal(world.clashes.n, 2);
	check_clash(0, "tool \"git_log\" is left out, for domain a has it already: set "
		       "domains.a.names to prefix or dotted");
	check_clash(1, "tool \"z_x\" is left out, for domain a has it already: set domains.a.names "
		       "to prefix or dotted");
}

static void test_aliases(void **unused)
{
	const struct offer *a = add("a", CONF_NAMES_PREFIX, true, "\"a_get\"",
		"\"status\":\"a_get\",\"z_x\":\"a_get\",\"a_none\":\"none\"");
	const struct offer *b = add_plain("b", "\"status\",\"b\"");
	const struct offer *c = add(
		"c", CONF_NAMES_PREFIX, true, "\"c_get\"", "\"b\":\"c_get\",\"mine\":\"c_get\"");

	build();
	check_found(index_find(&world.index, "status"), "a>status");
	check_found(index_find(&world.index, "a_none"), "");
	check_found(index_find(&world.index, "b"), "b:b");
	check_found(index_find(&world.index, "mine"), "c>mine");
	assert_false(a->lists[CATALOG_TOOLS].items[0].is_out);
	assert_true(b->lists[CATALOG_TOOLS].items[0].is_out);
	assert_false(
		c->lists[CATALOG_TOOLS].items[0].is_out); /* only the alias does not lead there */
	assert_int_equal(world.clashes.n, 2);
}

/* What is left out has no alias either: a third domain may have that name. */
static void test_aliases_of_what_is_out(void **unused)
{
	add_plain("a", "\"x\"");
	add("b", CONF_NAMES_PLAIN, true, "\"x\"", "\"y\":\"x\"");
	add_plain("c", "\"y\"");
	build();
	check_found(index_find(&world.index, "y"), "c:y");
	assert_int_equal(world.clashes.n, 1);
}

/* `arg`: a domain's name; NULL: of all. */
static bool is_of_domain(const void *arg, const struct index_entry *entry)
{
	return !arg || streq(entry->offer->naming.domain, arg);
}

static void test_folded(void **unused)
{
	add("a", CONF_NAMES_DOTTED, false, "\"get-sum\",\"b-c\",\"b_c\"", "");
	add("e", CONF_NAMES_PREFIX, true, "\"e_get\"", "\"e-get\":\"e_get\",\"e_old\":\"e_get\"");
	add_plain("p", "\"x.y\"");
	add_plain("q", "\"x_y\"");
	build();
	check_found(
		index_find_folded(&world.index, "a_get_sum", is_of_domain, NULL), "a:a.get-sum");
	check_found(
		index_find_folded(&world.index, "a-get.sum", is_of_domain, NULL), "a:a.get-sum");
	check_found(index_find_folded(&world.index, "a_get_su", is_of_domain, NULL), "");
	check_found(index_find_folded(&world.index, "a_get_summ", is_of_domain, NULL), "");
	check_found(index_find_folded(&world.index, "A_get_sum", is_of_domain, NULL), "");
	/* two tools of one domain, two domains: nobody can know */
	check_found(index_find_folded(&world.index, "a_b_c", is_of_domain, NULL), "");
	check_found(index_find_folded(&world.index, "x-y", is_of_domain, NULL), "");
	check_found(index_find_folded(&world.index, "x-y", is_of_domain, "p"), "p:x.y");
	check_found(index_find_folded(&world.index, "x-y", is_of_domain, "q"), "q:x_y");
	check_found(index_find_folded(&world.index, "x-y", is_of_domain, "r"), "");
	check_found(index_find(&world.index, "a.b_c"), "a:a.b_c");
	/* two names of one tool: its own */
	check_found(index_find_folded(&world.index, "e.get", is_of_domain, NULL), "e:e_get");
	check_found(index_find_folded(&world.index, "e.old", is_of_domain, NULL), "e>e_old");
	check_found(index_find_folded(&world.index, "", is_of_domain, NULL), "");
}

static void test_empty(void **unused)
{
	build();
	check_found(index_find(&world.index, "x"), "");
	check_found(index_find_folded(&world.index, "x", is_of_domain, NULL), "");
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_teardown(fn, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_no_clash),
		TEST(test_later_domain_loses),
		TEST(test_many_names),
		TEST(test_prefixes_that_meet),
		TEST(test_whose_names_to_change),
		TEST(test_aliases),
		TEST(test_aliases_of_what_is_out),
		TEST(test_folded),
		TEST(test_empty),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
