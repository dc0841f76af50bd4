/* Texts of items: byte for byte, but for what is replaced. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "shared/alloc.h"
#include "supervisor/mcp/catalog_item.h"

static struct jspan checked(const char *text)
{
	struct jspan span;

	assert_int_equal(jspan_check(text, strlen(text), &span, NULL), 0);
	return span;
}

static void check(const char *item, const struct conf_override *override, const char *expected)
{
	auto_strbuf text = { 0 };

	catalog_write_item(checked(item), "name", "n\"", override, &text);
	assert_string_equal(strbuf_get(&text), expected);
	(void)checked(strbuf_get(&text));
}

static void test_all_else_stays(void **unused)
{
	check("{\"name\":\"a\"}", NULL, "{\"name\":\"n\\\"\"}");
	check("{}", NULL, "{\"name\":\"n\\\"\"}");
	check("{ \"z\" : 123456789012345678901234567890 , \"name\":\"a\",\"a\":[1.10, 1E400]}",
		NULL,
		"{\"z\":123456789012345678901234567890,\"name\":\"n\\\"\",\"a\":[1.10, 1E400]}");
	check("{\"inputSchema\":{\"$schema\":\"x\",\"$defs\":{\"name\":1},\"x-mcp-header\":\"\\u00e9\"},"
	      "\"name\":\"a\",\"icons\":[],\"_meta\":{\"name\":null},\"execution\":{}}",
		NULL,
		"{\"inputSchema\":{\"$schema\":\"x\",\"$defs\":{\"name\":1},\"x-mcp-header\":\"\\u00e9\"},"
		"\"name\":\"n\\\"\",\"icons\":[],\"_meta\":{\"name\":null},\"execution\":{}}");
}

static void test_override(void **unused)
{
	char title[] = "T\n";
	char description[] = "D";
	char name[] = "A";
	struct conf_override override = { .title = title, .description = description };

	check("{\"title\":\"x\",\"name\":\"a\",\"y\":1,\"ti\\u0074le\":\"z\"}", &override,
		"{\"title\":\"T\\n\",\"name\":\"n\\\"\",\"y\":1,\"description\":\"D\"}");
	override = (struct conf_override){ .annotations_title = name,
		.hints = { CONF_HINT_TRUE, CONF_HINT_FALSE } };
	check("{\"name\":\"a\"}", &override,
		"{\"name\":\"n\\\"\",\"annotations\":{\"title\":\"A\",\"readOnlyHint\":true,"
		"\"destructiveHint\":false}}");
	check("{\"annotations\":{\"x\":1e5,\"readOnlyHint\":false,\"openWorldHint\":true},\"name\":0}",
		&override,
		"{\"annotations\":{\"x\":1e5,\"readOnlyHint\":true,\"openWorldHint\":true,"
		"\"title\":\"A\",\"destructiveHint\":false},\"name\":\"n\\\"\"}");
	check("{\"name\":\"a\",\"annotations\":7}", &override,
		"{\"name\":\"n\\\"\",\"annotations\":{\"title\":\"A\",\"readOnlyHint\":true,"
		"\"destructiveHint\":false}}");
	override = (struct conf_override){ 0 };
	check("{\"name\":\"a\",\"annotations\":{}}", &override,
		"{\"name\":\"n\\\"\",\"annotations\":{}}");
}

/* What two readers could read differently promises nothing. */
static void test_hints(void **unused)
{
	static const struct {
		const char *tool;
		bool has;
	} cases[] = {
		{ "{\"annotations\":{\"readOnlyHint\":true}}", true },
		{ "{\"annotations\":{\"readOnlyHint\":false}}", false },
		{ "{\"annotations\":{\"readOnlyHint\":\"true\"}}", false },
		{ "{\"annotations\":{\"readOnlyHint\":true,\"readOnlyHint\":false}}", false },
		{ "{\"annotations\":{\"readOnlyHint\":true},\"annotations\":{}}", false },
		{ "{\"annotations\":[\"readOnlyHint\"]}", false },
		{ "{\"readOnlyHint\":true}", false },
	};

	for (size_t i = 0; i < N_ELEMENTS(cases); i++)
		assert_int_equal(
			catalog_has_hint(checked(cases[i].tool), "readOnlyHint"), cases[i].has);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_else_stays),
		cmocka_unit_test(test_override),
		cmocka_unit_test(test_hints),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
