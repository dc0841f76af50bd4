/* Names and URIs of a domain, both ways. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "shared/alloc.h"
#include "supervisor/mcp/catalog_naming.h"

static char domain[] = "my-x";

static struct catalog_naming naming(enum conf_names names, bool is_native)
{
	return (struct catalog_naming){ .names = names, .is_native = is_native, .domain = domain };
}

static void test_names(void **unused)
{
	static const struct {
		enum conf_names names;
		const char *worker_name;
		const char *name;
	} cases[] = {
		{ CONF_NAMES_PREFIX, "get-sum", "my_x_get-sum" },
		{ CONF_NAMES_PREFIX, "my_x_get", "my_x_get" }, /* it has it already */
		{ CONF_NAMES_PREFIX, "my-x_get", "my_x_my-x_get" },
		{ CONF_NAMES_PREFIX, "my_x", "my_x_my_x" },
		{ CONF_NAMES_DOTTED, "get.it", "my_x.get.it" },
		{ CONF_NAMES_DOTTED, "my_x_get", "my_x.my_x_get" },
		{ CONF_NAMES_DOTTED, "my_x.get", "my_x.get" },
		{ CONF_NAMES_PLAIN, "get", "get" },
	};

	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		const struct catalog_naming external = naming(cases[i].names, false);
		const struct catalog_naming native = naming(cases[i].names, true);
		auto_free char *name = catalog_make_name(&external, cases[i].worker_name);
		auto_free char *same = catalog_make_name(&native, cases[i].worker_name);

		assert_string_equal(name, cases[i].name);
		assert_string_equal(same, cases[i].worker_name);
	}
}

static void test_uris(void **unused)
{
	static const struct {
		enum conf_names names;
		const char *uri; /* as clients see it */
	} cases[] = {
		{ CONF_NAMES_PREFIX, "my-x+file:///a%2Fb?c#d" },
		{ CONF_NAMES_DOTTED, "my-x.file:///a%2Fb?c#d" },
	};

	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		const struct catalog_naming n = naming(cases[i].names, false);
		auto_strbuf uri = { 0 };
		auto_strbuf back = { 0 };

		assert_true(catalog_renames_uris(&n));
		catalog_add_client_uri(&n, "file:///a%2Fb?c#d", &uri);
		assert_string_equal(strbuf_get(&uri), cases[i].uri);
		assert_true(catalog_get_worker_uri(&n, strbuf_get(&uri), &back));
		assert_string_equal(strbuf_get(&back), "file:///a%2Fb?c#d");
	}
}

/* RFC 3986 3.1: schemes have no case. */
static void test_whose_uri(void **unused)
{
	static const char *const others[] = { "", "my-x",
		"my-x:", "my-x.file:", "my_x+file:", "my-xx+file:", "xmy-x+file:", "file:my-x+" };
	const struct catalog_naming n = naming(CONF_NAMES_PREFIX, false);
	auto_strbuf uri = { 0 };

	for (size_t i = 0; i < N_ELEMENTS(others); i++)
		assert_false(catalog_get_worker_uri(&n, others[i], &uri));
	assert_int_equal(uri.len, 0);
	assert_true(catalog_get_worker_uri(&n, "MY-x+File:A", &uri));
	assert_string_equal(strbuf_get(&uri), "File:A");
}

static void test_uris_that_stay(void **unused)
{
	const struct catalog_naming all[] = { naming(CONF_NAMES_PLAIN, false),
		naming(CONF_NAMES_PREFIX, true) };

	for (size_t i = 0; i < N_ELEMENTS(all); i++) {
		auto_strbuf uri = { 0 };

		assert_false(catalog_renames_uris(&all[i]));
		catalog_add_client_uri(&all[i], "a:b", &uri);
		assert_string_equal(strbuf_get(&uri), "a:b");
		assert_false(catalog_get_worker_uri(&all[i], "my-x+a:b", &uri));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_uris),
		cmocka_unit_test(test_whose_uri),
		cmocka_unit_test(test_uris_that_stay),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
