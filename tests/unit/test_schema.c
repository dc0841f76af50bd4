/* Parameter tables: the schema that clients see, and the decoder's judgement of every type. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "shared/cleanup.h"
#include "shared/jx.h"
#include "shared/schema.h"
#include "shared/utf8.h"

struct all_args {
	bool flag;
	bool on_by_default;
	int64_t count;
	struct opt_int maybe;
	double ratio;
	struct opt_num limit;
	const char *name;
	const char *mode;
	struct str_list files;
	json_t *any;
	json_t *anything;
	json_t *edits;
	int64_t task_id;
	const char *new_text;
};

static const char *const modes[] = { "soft", "hard", NULL };

static const struct param edit_params[] = {
	{ .name = "old_text", .doc = "Find.", .type = PARAM_STR, .required = true, RANGE(1, 5) },
	{ .name = "all", .doc = "Every one.", .type = PARAM_BOOL },
	{ 0 },
};

static const struct param all_params[] = {
	PARAM(all_args, flag, .doc = "A flag."),
	PARAM(all_args, on_by_default, .def_bool = true, .doc = "Another."),
	PARAM(all_args, count, RANGE(1, 100), .def_int = 10, .doc = "How many."),
	PARAM(all_args, maybe, .has_min = true, .min = -5, .doc = "Perhaps."),
	PARAM(all_args, ratio, RANGE_NUM(0.1, 60), .def_num = 2.5, .doc = "A ratio."),
	PARAM(all_args, limit, .doc = "A limit."),
	PARAM(all_args, name, RANGE(2, 4), .doc = "A name."),
	PARAM(all_args, mode, .choices = modes, .def_str = "soft", .doc = "A mode."),
	PARAM(all_args, files, RANGE(1, 3), .doc = "Files."),
	PARAM(all_args, any, .json_type = "number", .doc = "A number."),
	PARAM(all_args, anything, .doc = "Anything."),
	PARAM(all_args, edits, .items = edit_params, AT_MOST(2), .doc = "Edits."),
	PARAM(all_args, task_id, RANGE(0, 999999999), .digits_ok = true, .no_default = true,
		.doc = "Task."),
	PARAM_NAMED("new", all_args, new_text, .doc = "A word of C."),
	{ 0 },
};

struct must_args {
	const char *path;
	int64_t n;
};

static const struct param must_params[] = {
	PARAM(must_args, path, .required = true, .doc = "Path."),
	PARAM(must_args, n, .doc = "N."),
	{ 0 },
};

static json_t *load(const char *text)
{
	json_t *value = json_loads(text, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);

	assert_non_null(value);
	return value;
}

static void assert_json(json_t *value, const char *expected)
{
	auto_strbuf text = { 0 };

	assert_non_null(value);
	jx_dump(&text, value);
	assert_string_equal(strbuf_get(&text), expected);
	json_decref(value);
}

static void test_schema_of_params(void **state)
{
	assert_json(schema_of_params(NULL),
		"{\"type\":\"object\",\"properties\":{},\"additionalProperties\":false}");
	assert_json(schema_of_params(must_params),
		"{\"type\":\"object\",\"properties\":{\"path\":{\"type\":\"string\",\"description\":\"Path.\"},"
		"\"n\":{\"type\":\"integer\",\"description\":\"N.\",\"default\":0}},"
		"\"required\":[\"path\"],\"additionalProperties\":false}");
}

static const struct {
	const char *name;
	const char *schema;
} properties[] = {
	{ "flag", "{\"type\":\"boolean\",\"description\":\"A flag.\",\"default\":false}" },
	{ "on_by_default", "{\"type\":\"boolean\",\"description\":\"Another.\",\"default\":true}" },
	{ "count",
		"{\"type\":\"integer\",\"description\":\"How many.\",\"minimum\":1,\"maximum\":100,\"default\":10}" },
	{ "maybe", "{\"type\":\"integer\",\"description\":\"Perhaps.\",\"minimum\":-5}" },
	{ "ratio",
		"{\"type\":\"number\",\"description\":\"A ratio.\",\"minimum\":0.1,\"maximum\":60,\"default\":2.5}" },
	{ "limit", "{\"type\":\"number\",\"description\":\"A limit.\"}" },
	{ "name",
		"{\"type\":\"string\",\"description\":\"A name.\",\"minLength\":2,\"maxLength\":4}" },
	{ "mode",
		"{\"type\":\"string\",\"description\":\"A mode.\",\"enum\":[\"soft\",\"hard\"],\"default\":\"soft\"}" },
	{ "files",
		"{\"type\":\"array\",\"description\":\"Files.\",\"items\":{\"type\":\"string\"},\"minItems\":1,\"maxItems\":3}" },
	{ "any", "{\"type\":\"number\",\"description\":\"A number.\"}" },
	{ "task_id",
		"{\"type\":\"integer\",\"description\":\"Task.\",\"minimum\":0,\"maximum\":999999999}" },
	{ "new", "{\"type\":\"string\",\"description\":\"A word of C.\"}" },
};

static void test_properties(void **state)
{
	json_auto_t *schema = schema_of_params(all_params);
	json_t *all = json_object_get(schema, "properties");

	for (size_t i = 0; i < N_ELEMENTS(properties); i++)
		assert_json(json_incref(json_object_get(all, properties[i].name)),
			properties[i].schema);
	assert_json(json_incref(json_object_get(json_object_get(all, "edits"), "items")),
		"{\"type\":\"object\",\"properties\":{\"old_text\":{\"type\":\"string\",\"description\":\"Find.\","
		"\"minLength\":1,\"maxLength\":5},\"all\":{\"type\":\"boolean\",\"description\":\"Every one.\","
		"\"default\":false}},\"required\":[\"old_text\"],\"additionalProperties\":false}");
}

static void test_schema_of_result(void **state)
{
	assert_json(schema_of_result("branch? string, detached boolean"),
		"{\"type\":\"object\",\"properties\":{\"branch\":{\"type\":\"string\"},"
		"\"detached\":{\"type\":\"boolean\"}},\"required\":[\"detached\"]}");
	assert_json(schema_of_result("a {x integer, y? number[]}[], b any[][] , c{d any}"),
		"{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"array\",\"items\":{\"type\":\"object\","
		"\"properties\":{\"x\":{\"type\":\"integer\"},\"y\":{\"type\":\"array\",\"items\":{\"type\":\"number\"}}},"
		"\"required\":[\"x\"]}},\"b\":{\"type\":\"array\",\"items\":{\"type\":\"array\",\"items\":{}}},"
		"\"c\":{\"type\":\"object\",\"properties\":{\"d\":{}},\"required\":[\"d\"]}},"
		"\"required\":[\"a\",\"b\",\"c\"]}");
	assert_json(schema_of_result(""), "{\"type\":\"object\",\"properties\":{}}");
}

static void test_bad_notation(void **state)
{
	static const char *const bad[] = { "a", "a strin", "a string b string", "a {b string",
		"a string]", "a string, a string", "? string", "a string[", "a string}",
		"a {b string}}", "a {{b string}}", "a{b{c{d{e{f{g{h{i{j any}}}}}}}}}" };

	assert_null(schema_of_result(NULL));
	for (size_t i = 0; i < N_ELEMENTS(bad); i++)
		assert_null(schema_of_result(bad[i]));
}

static void test_defaults(void **state)
{
	static const char *const empty[] = { "{}", "null", NULL };

	for (size_t i = 0; i < N_ELEMENTS(empty); i++) {
		json_auto_t *json = empty[i] ? load(empty[i]) : NULL;
		struct all_args args;
		struct fail fail = { 0 };

		memset(&args, 0xa5, sizeof(args));
		assert_int_equal(schema_decode(all_params, json, &args, &fail), 0);
		assert_false(args.flag);
		assert_true(args.on_by_default);
		assert_int_equal(args.count, 10);
		assert_false(args.maybe.set);
		assert_true(args.ratio == 2.5);
		assert_false(args.limit.set);
		assert_null(args.name);
		assert_string_equal(args.mode, "soft");
		assert_null(args.files.items);
		assert_int_equal(args.files.n, 0);
		assert_null(args.any);
		assert_null(args.edits);
		schema_done(all_params, &args);
	}
}

static void test_values(void **state)
{
	json_auto_t *json = load(
		"{\"flag\":true,\"on_by_default\":false,\"count\":5.0,\"maybe\":-5,"
		"\"ratio\":60,\"limit\":1e300,\"name\":\"\xf0\x9f\x98\x80\xf0\x9f\x98\x80\","
		"\"mode\":\"hard\",\"files\":[\"a\",\"b\"],\"any\":7,"
		"\"edits\":[{\"old_text\":\"x\",\"all\":true}],\"task_id\":\"0042\",\"new\":\"\"}");
	struct all_args args;
	struct fail fail = { 0 };

	assert_int_equal(schema_decode(all_params, json, &args, &fail), 0);
	assert_true(args.flag);
	assert_false(args.on_by_default);
	assert_int_equal(args.count, 5);
	assert_true(args.maybe.set);
	assert_int_equal(args.maybe.value, -5);
	assert_true(args.ratio == 60);
	assert_true(args.limit.set && args.limit.value == 1e300);
	assert_string_equal(args.name, "\xf0\x9f\x98\x80\xf0\x9f\x98\x80");
	assert_string_equal(args.mode, "hard");
	assert_int_equal(args.files.n, 2);
	assert_string_equal(args.files.items[1], "b");
	assert_int_equal(json_integer_value(args.any), 7);
	assert_int_equal(json_array_size(args.edits), 1);
	assert_int_equal(args.task_id, 42);
	assert_string_equal(args.new_text, "");
	schema_done(all_params, &args);
}

static const struct {
	const char *args;
	const char *words;
} refused[] = {
	{ "[]", "the arguments must be an object" },
	{ "{\"flag\":1}", "flag must be true or false, not 1" },
	{ "{\"flag\":null}", "flag must be true or false, not null" },
	{ "{\"count\":\"5\"}", "count must be an integer from 1 to 100, not the string \"5\"" },
	{ "{\"count\":5.5}", "count must be an integer from 1 to 100, not 5.5" },
	{ "{\"count\":0}", "count must be an integer from 1 to 100, not 0" },
	{ "{\"count\":101}", "count must be an integer from 1 to 100, not 101" },
	{ "{\"count\":1e19}", "count must be an integer from 1 to 100, not 1e+19" },
	{ "{\"count\":true}", "count must be an integer from 1 to 100, not true" },
	{ "{\"maybe\":-6}", "maybe must be an integer of at least -5, not -6" },
	{ "{\"maybe\":9223372036854775808.0}",
		"maybe must be an integer of at least -5, not 9.2233720368547758e+18" },
	{ "{\"ratio\":0.05}", "ratio must be a number from 0.1 to 60, not 0.050000000000000003" },
	{ "{\"ratio\":\"1\"}", "ratio must be a number from 0.1 to 60, not the string \"1\"" },
	{ "{\"limit\":[]}", "limit must be a number, not a list" },
	{ "{\"name\":\"x\"}", "name must be a string of 2 to 4 characters; this one has 1" },
	{ "{\"name\":\"\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\"}",
		"name must be a string of 2 to 4 characters; this one has 5" },
	{ "{\"name\":7}", "name must be a string of 2 to 4 characters, not 7" },
	{ "{\"name\":\"a\\u0000b\"}", "name must not hold the character U+0000" },
	{ "{\"mode\":\"Soft\"}",
		"mode must be one of \"soft\", \"hard\", not the string \"Soft\"" },
	{ "{\"mode\":{}}", "mode must be one of \"soft\", \"hard\", not an object" },
	{ "{\"files\":\"a\"}",
		"files must be a list of strings of 1 to 3 items, not the string \"a\"" },
	{ "{\"files\":[]}", "files must be a list of strings of 1 to 3 items; this one has 0" },
	{ "{\"files\":[\"a\",\"b\",\"c\",\"d\"]}",
		"files must be a list of strings of 1 to 3 items; this one has 4" },
	{ "{\"files\":[\"a\",2]}", "files[1] must be a string, not 2" },
	{ "{\"files\":[\"a\\u0000\"]}", "files[0] must not hold the character U+0000" },
	{ "{\"any\":\"x\"}", "any must be a number, not the string \"x\"" },
	{ "{\"edits\":[{\"old_text\":\"a\\u0000\"}]}", "edits must not hold the character U+0000" },
	{ "{\"anything\":{\"a\":[1,[\"x\\u0000\"]]}}",
		"anything must not hold the character U+0000" },
	{ "{\"edits\":{}}", "edits must be a list of objects of at most 2 items, not an object" },
	{ "{\"edits\":[1]}", "edits[0] must be an object, not 1" },
	{ "{\"edits\":[{\"old_text\":\"x\"},{}]}",
		"edits[1].old_text is missing: a string of 1 to 5 characters" },
	{ "{\"edits\":[{\"old_text\":\"toolong\"}]}",
		"edits[0].old_text must be a string of 1 to 5 characters; this one has 7" },
	{ "{\"edits\":[{\"oldText\":\"x\"}]}",
		"unknown argument edits[0]: \"oldText\"; did you mean old_text?" },
	{ "{\"task_id\":\"\"}",
		"task_id must be an integer from 0 to 999999999, not the string \"\"" },
	{ "{\"task_id\":\"1x\"}",
		"task_id must be an integer from 0 to 999999999, not the string \"1x\"" },
	{ "{\"task_id\":\"-1\"}",
		"task_id must be an integer from 0 to 999999999, not the string \"-1\"" },
	{ "{\"task_id\":\"99999999999999999999\"}",
		"task_id must be an integer from 0 to 999999999, not the string \"99999999999999999999\"" },
	{ "{\"task_id\":\"1\\u00002\"}",
		"task_id must be an integer from 0 to 999999999, not the string \"1\\u00002\"" },
	{ "{\"cuont\":1}", "unknown argument \"cuont\"; did you mean count?" },
	{ "{\"onByDefault\":1}", "unknown argument \"onByDefault\"; did you mean on_by_default?" },
};

static void test_refused(void **state)
{
	for (size_t i = 0; i < N_ELEMENTS(refused); i++) {
		json_auto_t *json = load(refused[i].args);
		struct fail fail = { 0 };
		struct all_args args;

		assert_int_equal(schema_decode(all_params, json, &args, &fail), -EINVAL);
		assert_string_equal(fail.text, refused[i].words);
		assert_int_equal(fail.code, -EINVAL);
		schema_done(all_params, &args);
	}
}

static void test_missing_and_unknown(void **state)
{
	json_auto_t *empty = load("{}");
	json_auto_t *other = load("{\"path\":\"p\",\"entirely_different\":1}");
	struct must_args args;
	struct fail fail = { 0 };

	assert_int_equal(schema_decode(must_params, empty, &args, &fail), -EINVAL);
	assert_string_equal(fail.text, "path is missing: a string");
	assert_int_equal(schema_decode(must_params, NULL, &args, &fail), -EINVAL);
	assert_string_equal(fail.text, "path is missing: a string");
	assert_int_equal(schema_decode(must_params, other, &args, &fail), -EINVAL);
	assert_string_equal(
		fail.text, "unknown argument \"entirely_different\"; allowed are path, n");
	assert_int_equal(schema_decode(NULL, other, &args, &fail), -EINVAL);
	assert_string_equal(fail.text, "unknown argument \"path\"; there are none here");
	assert_int_equal(schema_decode(NULL, empty, &args, &fail), 0);
}

/* An error repeats at most 200 characters of an argument, and stays one line of UTF-8. */
static void test_long_values_are_cut(void **state)
{
	char text[5001];
	json_auto_t *json = NULL;
	struct all_args args;
	struct fail fail = { 0 };

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	json = json_pack("{s:s}", "mode", text);
	assert_int_equal(schema_decode(all_params, json, &args, &fail), -EINVAL);
	assert_true(strlen(fail.text) < 300);
	assert_int_equal(json_object_clear(json), 0);
	assert_int_equal(json_object_set_new(json, text, json_true()), 0);
	assert_int_equal(schema_decode(all_params, json, &args, &fail), -EINVAL);
	assert_true(strlen(fail.text) < 450);
	assert_true(utf8_valid(fail.text, strlen(fail.text)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_schema_of_params),
		cmocka_unit_test(test_properties),
		cmocka_unit_test(test_schema_of_result),
		cmocka_unit_test(test_bad_notation),
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_missing_and_unknown),
		cmocka_unit_test(test_long_values_are_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
