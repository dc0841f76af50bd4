/* Tools json_format and json_query: digits, order, duplicates, limits, places of errors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "shared/strbuf.h"
#include "tests/unit/fake_call.h"
#include "workers/utils/json_tree.h"
#include "workers/utils/tools.h"

enum { MUCH = 4194304 };

static const struct {
	const char *json;
	unsigned indent;
	bool sort;
	const char *want;
} formats[] = {
	{ " 1.10 ", 2, false, "1.10" },
	{ "[]", 2, false, "[]" },
	{ "{ }", 2, false, "{}" },
	{ "[ [ ] , { } ]", 2, false, "[\n  [],\n  {}\n]" },
	{ "[1,2]", 0, false, "[1,2]" },
	{ "{\"b\" : 1 , \"a\":[ true,null ]}", 0, false, "{\"b\":1,\"a\":[true,null]}" },
	{ "{\"b\":1,\"a\":[{\"x\":2}]}", 1, false,
		"{\n \"b\": 1,\n \"a\": [\n  {\n   \"x\": 2\n  }\n ]\n}" },
	{ "{\"b\":1,\"a\":2,\"\\u0061a\":3,\"B\":4}", 0, true,
		"{\"B\":4,\"a\":2,\"\\u0061a\":3,\"b\":1}" },
	{ "{\"b\":{\"d\":1,\"c\":2},\"a\":[{\"f\":1,\"e\":2}]}", 0, true,
		"{\"a\":[{\"e\":2,\"f\":1}],\"b\":{\"c\":2,\"d\":1}}" },
	{ "{\"\":1}", 0, true, "{\"\":1}" },
	/* digits and escapes stay */
	{ "[123456789012345678901234567890, 1E400, -0, 0.10, 1e+5]", 0, false,
		"[123456789012345678901234567890,1E400,-0,0.10,1e+5]" },
	{ "[\"\\u00e9\\n\\\\\\\"]\", \"é,}\"]", 0, false, "[\"\\u00e9\\n\\\\\\\"]\",\"é,}\"]" },
};

static void test_formats(void **state)
{
	for (size_t i = 0; i < N_ELEMENTS(formats); i++) {
		auto_(json_tree_done) struct json_tree tree = { 0 };
		auto_strbuf out = { 0 };
		struct failure fail;

		if (json_tree_parse(&tree, formats[i].json, strlen(formats[i].json),
			    formats[i].sort, &fail) < 0)
			fail_msg("%s: %s", formats[i].json, fail.text);
		assert_int_equal(json_tree_print(&tree, formats[i].indent, MUCH, &out), 0);
		if (!streq(strbuf_get(&out), formats[i].want))
			fail_msg("%s: %s", formats[i].json, strbuf_get(&out));
	}
}

static const struct {
	const char *json;
	const char *words;
} failures[] = {
	{ "", "line 1, column 1: the text ends" },
	{ "[1,\n 2", "line 2, column 3: the text ends" },
	{ "{\"a\":1,}", "line 1, column 8: \"}\" cannot stand here" },
	{ "[1,\n\"ä\" x]", "line 2, column 5: \"x\" cannot stand here" },
	{ "{'a':1}", "line 1, column 2: \"'\" cannot" },
	{ "[NaN]", "line 1, column 2: \"N\" cannot" },
	{ "1 2", "line 1, column 3: \"2\" cannot" },
	{ "{\"a\":1,\n \"b\":2, \"a\":3}", "line 2, column 9: the name \"a\" stands twice" },
	{ "[{\"a\":1,\"\\u0061\":3}]", "line 1, column 9: the name \"a\" stands twice" },
	{ "{\"x\":{\"b\":1,\"a\":1,\"b\":2}}", "line 1, column 19: the name \"b\"" },
};

static void test_failures(void **state)
{
	for (size_t i = 0; i < N_ELEMENTS(failures); i++) {
		auto_(json_tree_done) struct json_tree tree = { 0 };
		struct failure fail;

		if (json_tree_parse(
			    &tree, failures[i].json, strlen(failures[i].json), false, &fail) == 0)
			fail_msg("%s: succeeds", failures[i].json);
		assert_string_equal(fail.code, "bad_json");
		if (strncmp(fail.text, failures[i].words, strlen(failures[i].words)) != 0)
			fail_msg("%s: %s", failures[i].json, fail.text);
	}
}

static void test_levels(void **state)
{
	for (int levels = 512; levels <= 513; levels++) {
		auto_(json_tree_done) struct json_tree tree = { 0 };
		auto_strbuf json = { 0 };
		auto_strbuf out = { 0 };
		struct failure fail;
		int r;

		for (int i = 0; i < levels; i++)
			strbuf_adds(&json, "[");
		for (int i = 0; i < levels; i++)
			strbuf_adds(&json, "]");
		r = json_tree_parse(&tree, strbuf_get(&json), json.len, true, &fail);
		assert_int_equal(r == 0, levels == 512);
		if (r < 0) {
			assert_string_equal(fail.text, "line 1, column 513: more than 512 levels");
			break;
		}
		assert_int_equal(json_tree_print(&tree, 0, MUCH, &out), 0);
		assert_string_equal(strbuf_get(&out), strbuf_get(&json));
	}
}

static void test_size(void **state)
{
	static const char json[] = "{\"a\":[1,2,3]}";
	auto_(json_tree_done) struct json_tree tree = { 0 };
	auto_strbuf fits = { 0 };
	auto_strbuf out = { 0 };
	struct failure fail;

	assert_int_equal(json_tree_parse(&tree, json, strlen(json), false, &fail), 0);
	assert_int_equal(json_tree_print(&tree, 0, strlen(json), &fits), 0);
	assert_int_equal(json_tree_print(&tree, 0, strlen(json) - 1, &out), -E2BIG);
}

static const struct {
	const char *pointer;
	int r;
	const char *want;
} queries[] = {
	{ "", 0,
		"{\"a\":{\"b\":[10, 20 ,{\"c\":1.50}]},\"\":0,\"x/y\":1,\"m~n\":2,\"\\u00e9\":3,\"0\":4}" },
	{ "/a/b/0", 0, "10" },
	{ "/a/b/1", 0, "20" },
	{ "/a/b/2", 0, "{\"c\":1.50}" },
	{ "/a/b/2/c", 0, "1.50" },
	{ "/", 0, "0" },
	{ "/x~1y", 0, "1" },
	{ "/m~0n", 0, "2" },
	{ "/é", 0, "3" },
	{ "/0", 0, "4" },
	{ "/a/b/3", -ENOENT, NULL },
	{ "/a/b/-", -ENOENT, NULL },
	{ "/a/b/01", -ENOENT, NULL },
	{ "/a/b/+1", -ENOENT, NULL },
	{ "/a/b/99999999999999999999", -ENOENT, NULL },
	{ "/a/b/0/c", -ENOENT, NULL },
	{ "/A", -ENOENT, NULL },
	{ "/nothing/at/all", -ENOENT, NULL },
	{ "a", -EINVAL, NULL },
	{ "/a~", -EINVAL, NULL },
	{ "/a~2", -EINVAL, NULL },
	{ "/nothing/~x", -EINVAL, NULL },
};

static void test_queries(void **state)
{
	auto_(json_tree_done) struct json_tree tree = { 0 };
	struct failure fail;

	assert_int_equal(
		json_tree_parse(&tree, queries[0].want, strlen(queries[0].want), false, &fail), 0);
	for (size_t i = 0; i < N_ELEMENTS(queries); i++) {
		struct jspan value;
		uint32_t node = 0;
		int r = json_tree_find(&tree, queries[i].pointer, &node);

		if (r != queries[i].r)
			fail_msg("%s: %d", queries[i].pointer, r);
		if (r < 0)
			continue;
		value = json_tree_value(&tree, node);
		assert_int_equal(value.len, strlen(queries[i].want));
		assert_memory_equal(value.at, queries[i].want, value.len);
	}
}

static void test_tools(void **state)
{
	const struct fake_answer *answer;

	answer = fake_run(json_tools, "json_format", "{\"json\":\"[1,2.0]\"}");
	assert_non_null(answer->result);
	assert_string_equal(fake_text("result"), "[\n  1,\n  2.0\n]");
	answer = fake_run(json_tools, "json_format", "{\"json\":\"[1,\"}");
	assert_null(answer->result);
	assert_string_equal(answer->code, "bad_json");
	answer = fake_run(json_tools, "json_query", "{\"json\":\"[1,2.0]\",\"pointer\":\"/1\"}");
	assert_non_null(answer->result);
	assert_true(json_is_true(json_object_get(answer->result, "found")));
	assert_string_equal(fake_text("result"), "2.0");
	answer = fake_run(json_tools, "json_query", "{\"json\":\"[1,2.0]\",\"pointer\":\"/2\"}");
	assert_non_null(answer->result);
	assert_true(json_is_false(json_object_get(answer->result, "found")));
	assert_null(json_object_get(answer->result, "result"));
	answer = fake_run(json_tools, "json_query", "{\"json\":\"[1,2.0]\",\"pointer\":\"1\"}");
	assert_null(answer->result);
	assert_string_equal(answer->code, "invalid_argument");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_formats),
		cmocka_unit_test(test_failures),
		cmocka_unit_test(test_levels),
		cmocka_unit_test(test_size),
		cmocka_unit_test(test_queries),
		cmocka_unit_test(test_tools),
	};
	int failed = cmocka_run_group_tests_name("JSON tools", tests, NULL, NULL);

	fake_done();
	return failed;
}
