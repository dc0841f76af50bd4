/* The rules that every tool of every worker keeps (tools.md, sections 1, 2, 3 and 5), checked on the
 * golden lists, which tests/lint/golden.sh keeps equal to what the workers say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <glob.h>
#include <jansson.h>

#include "shared/alloc.h"
#include "shared/limits.h"
#include "shared/utf8.h"

enum {
	DOC_MAX_CHARS = 300,
	PARAM_DOC_MAX_CHARS = 160,
	SCHEMA_MAX_LEVELS = 8,
};

static glob_t lists;

static void check_doc(const char *tool, const char *what, json_t *doc, size_t max_chars)
{
	/* What filters of gateways take for an attack. */
	static const char *const refused[] = { "&&", "||", "$(", "`", "<", ">", "\n" };
	const char *text = json_string_value(doc);

	if (!text || !*text) {
		fail_msg("%s: %s has no description", tool, what);
		return;
	}
	if (utf8_count(text, strlen(text)) > max_chars)
		fail_msg("%s: the description of %s is longer than %zu", tool, what, max_chars);
	for (size_t i = 0; i < N_ELEMENTS(refused); i++) {
		if (strstr(text, refused[i]))
			fail_msg("%s: the description of %s has '%s'", tool, what, refused[i]);
	}
}

/* Only the keywords that all clients understand, at every level. */
static void check_keywords(const char *tool, json_t *schema, int levels)
{
	static const char *const known[] = { "type", "properties", "required",
		"additionalProperties", "description", "enum", "default", "minimum", "maximum",
		"minLength", "maxLength", "minItems", "maxItems", "items" };
	const char *key;
	json_t *value;

	assert_true(levels > 0);
	json_object_foreach(schema, key, value) {
		size_t i = 0;

		while (i < N_ELEMENTS(known) && !streq(known[i], key))
			i++;
		if (i == N_ELEMENTS(known))
			fail_msg("%s: keyword '%s'", tool, key);
	}
	json_object_foreach(json_object_get(schema, "properties"), key, value)
		check_keywords(tool, value, levels - 1);
	if (json_object_get(schema, "items"))
		check_keywords(tool, json_object_get(schema, "items"), levels - 1);
}

static void check_required(const char *tool, json_t *schema)
{
	json_t *properties = json_object_get(schema, "properties");
	json_t *name;
	size_t i;

	json_array_foreach(json_object_get(schema, "required"), i, name) {
		if (!json_object_get(properties, json_string_value(name)))
			fail_msg(
				"%s: '%s' is required, but unknown", tool, json_string_value(name));
	}
}

static void check_input(const char *tool, json_t *schema)
{
	const char *name;
	json_t *property;

	assert_string_equal(json_string_value(json_object_get(schema, "type")), "object");
	assert_true(json_is_false(json_object_get(schema, "additionalProperties")));
	assert_true(json_is_object(json_object_get(schema, "properties")));
	json_object_foreach(json_object_get(schema, "properties"), name, property) {
		assert_true(json_is_string(json_object_get(property, "type")));
		check_doc(
			tool, name, json_object_get(property, "description"), PARAM_DOC_MAX_CHARS);
	}
	check_required(tool, schema);
	check_keywords(tool, schema, SCHEMA_MAX_LEVELS);
}

static void check_output(const char *tool, json_t *schema)
{
	assert_string_equal(json_string_value(json_object_get(schema, "type")), "object");
	assert_true(json_object_size(json_object_get(schema, "properties")) > 0);
	check_required(tool, schema);
	check_keywords(tool, schema, SCHEMA_MAX_LEVELS);
}

static void check_hints(const char *tool, json_t *annotations)
{
	static const char *const hints[] = { "readOnlyHint", "destructiveHint", "idempotentHint",
		"openWorldHint" };

	for (size_t i = 0; i < N_ELEMENTS(hints); i++)
		assert_true(json_is_boolean(json_object_get(annotations, hints[i])));
	if (json_is_true(json_object_get(annotations, "readOnlyHint")) &&
		json_is_true(json_object_get(annotations, "destructiveHint")))
		fail_msg("%s: reads only, but destroys", tool);
}

static void check_tool(json_t *tool)
{
	const char *name = json_string_value(json_object_get(tool, "name"));
	const char *title = json_string_value(json_object_get(tool, "title"));

	assert_non_null(name);
	assert_true(name[0] >= 'a' && name[0] <= 'z');
	assert_true(strlen(name) <= LIMIT_TOOL_NAME);
	assert_int_equal(strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_"), strlen(name));
	if (!title || !*title)
		fail_msg("%s has no title", name);
	check_doc(name, "the tool", json_object_get(tool, "description"), DOC_MAX_CHARS);
	check_input(name, json_object_get(tool, "inputSchema"));
	check_output(name, json_object_get(tool, "outputSchema"));
	check_hints(name, json_object_get(tool, "annotations"));
}

static json_t *load_tools(const char *path)
{
	json_error_t error;
	json_t *list = json_load_file(path, JSON_REJECT_DUPLICATES, &error);

	if (!list)
		fail_msg("%s: %s", path, error.text);
	return list;
}

static void test_every_tool_keeps_the_rules(void **state)
{
	assert_true(lists.gl_pathc > 0);
	for (size_t i = 0; i < lists.gl_pathc; i++) {
		json_auto_t *list = load_tools(lists.gl_pathv[i]);
		json_t *tools = json_object_get(list, "tools");
		json_t *tool;
		size_t k;

		assert_true(json_array_size(tools) > 0);
		json_array_foreach(tools, k, tool)
			check_tool(tool);
	}
}

static void test_names_are_unique(void **state)
{
	json_auto_t *seen = json_object();

	for (size_t i = 0; i < lists.gl_pathc; i++) {
		json_auto_t *list = load_tools(lists.gl_pathv[i]);
		json_t *tool;
		size_t k;

		json_array_foreach(json_object_get(list, "tools"), k, tool) {
			const char *name = json_string_value(json_object_get(tool, "name"));

			if (json_object_get(seen, name))
				fail_msg("%s is there twice", name);
			(void)json_object_set_new(seen, name, json_true());
		}
	}
}

static int find_lists(void **state)
{
	const char *srcdir = getenv("srcdir");
	auto_free char *pattern = alloc_printf("%s/tests/data/tools/*.json", srcdir ? srcdir : ".");

	return glob(pattern, 0, NULL, &lists);
}

static int free_lists(void **state)
{
	globfree(&lists);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_tool_keeps_the_rules),
		cmocka_unit_test(test_names_are_unique),
	};

	return cmocka_run_group_tests(tests, find_lists, free_lists);
}
