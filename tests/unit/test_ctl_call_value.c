/* NAME=VALUE words as arguments of a tool. */
#include "ctl/call_value.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "shared/alloc.h"
#include "shared/fd.h"
#include "shared/jx.h"

static const char schema_text[] =
	"{\"type\": \"object\", \"$defs\": {\"level\": {\"enum\": [1, 2]}, \"loop\": {\"$ref\": "
	"\"#/$defs/loop\"}},"
	" \"properties\": {\"text\": {\"type\": \"string\"}, \"count\": {\"type\": \"integer\"},"
	" \"ratio\": {\"type\": \"number\"}, \"flag\": {\"type\": \"boolean\"},"
	" \"items\": {\"type\": \"array\"}, \"options\": {\"type\": \"object\"},"
	" \"maybe\": {\"anyOf\": [{\"type\": \"integer\"}, {\"type\": \"null\"}]},"
	" \"mixed\": {\"type\": [\"string\", \"integer\"]}, \"level\": {\"$ref\": \"#/$defs/level\"},"
	" \"loop\": {\"$ref\": \"#/$defs/loop\"}, \"far\": {\"$ref\": \"http://x/y\"},"
	" \"fixed\": {\"const\": true}, \"all\": {\"allOf\": [{\"type\": \"boolean\"}]}, \"any\": {}}}";

static char *convert(const char *schema_json, const char *word, struct fail *fail)
{
	json_auto_t *schema = schema_json ? json_loads(schema_json, 0, NULL) : NULL;
	json_auto_t *args = json_object();
	auto_strbuf out = { 0 };

	assert_true(!schema_json || schema);
	if (call_value_add(args, schema, word, fail) < 0)
		return NULL;
	jx_dump(&out, args);
	return strbuf_take(&out);
}

static void expect(const char *schema, const char *word, const char *wanted)
{
	struct fail fail = { 0 };
	auto_free char *got = convert(schema, word, &fail);

	if (!got)
		fail_msg("%s: %s", word, fail.text);
	assert_string_equal(got, wanted);
}

static void expect_wrong(const char *schema, const char *word, const char *said)
{
	struct fail fail = { 0 };
	auto_free char *got = convert(schema, word, &fail);

	if (got)
		fail_msg("%s gave %s", word, got);
	assert_true(fail.code < 0);
	if (!strstr(fail.text, said))
		fail_msg("%s: '%s' is not in: %s", word, said, fail.text);
}

static void test_by_the_schema(void **state)
{
	static const struct {
		const char *word;
		const char *wanted;
	} cases[] = {
		{ "text=5", "{\"text\":\"5\"}" },
		{ "text=", "{\"text\":\"\"}" },
		{ "text=a=b", "{\"text\":\"a=b\"}" },
		{ "text={\"a\":1}", "{\"text\":\"{\\\"a\\\":1}\"}" },
		{ "count=5", "{\"count\":5}" },
		{ "count=-5", "{\"count\":-5}" },
		{ "count=5.0", "{\"count\":5.0}" }, /* JSON Schema calls it an integer */
		{ "ratio=0.1", "{\"ratio\":0.1}" },
		{ "ratio=3", "{\"ratio\":3}" },
		{ "flag=true", "{\"flag\":true}" },
		{ "items=[1, \"a\"]", "{\"items\":[1,\"a\"]}" },
		{ "options={\"a\": null}", "{\"options\":{\"a\":null}}" },
		{ "maybe=5", "{\"maybe\":5}" },
		{ "maybe=null", "{\"maybe\":null}" },
		{ "mixed=5", "{\"mixed\":5}" },
		{ "mixed=5x", "{\"mixed\":\"5x\"}" },
		{ "mixed=\"5\"", "{\"mixed\":\"5\"}" },
		{ "mixed=true", "{\"mixed\":\"true\"}" },
		{ "level=2", "{\"level\":2}" },
		{ "loop=5", "{\"loop\":5}" },
		{ "far=x", "{\"far\":\"x\"}" },
		{ "fixed=true", "{\"fixed\":true}" },
		{ "all=false", "{\"all\":false}" },
		{ "any=5", "{\"any\":5}" },
		{ "any=five", "{\"any\":\"five\"}" },
		{ "any=null", "{\"any\":\"null\"}" },
		{ "text:=5", "{\"text\":5}" }, /* whatever the schema says */
		{ "any:=\"5\"", "{\"any\":\"5\"}" },
	};

	for (size_t i = 0; i < N_ELEMENTS(cases); i++)
		expect(schema_text, cases[i].word, cases[i].wanted);
}

static void test_wrong_words(void **state)
{
	expect_wrong(schema_text, "", "not of the form name=value");
	expect_wrong(schema_text, "text", "not of the form name=value");
	expect_wrong(schema_text, "=x", "not of the form name=value");
	expect_wrong(schema_text, ":=5", "not of the form name=value");
	expect_wrong(schema_text, "\xff=5", "not of the form name=value");
	expect_wrong(schema_text, "txet=5",
		"there is no argument 'txet'; did you mean 'text'? Known: text, count");
	expect_wrong(schema_text, "zebra=5", "there is no argument 'zebra'; known: text");
	expect_wrong("{\"properties\": {}}", "a=5", "the tool takes none");
	expect_wrong(schema_text, "count=five", "count: 'five' is not of the type integer");
	expect_wrong(schema_text, "count=", "count: '' is not of the type integer");
	expect_wrong(schema_text, "count=5.5", "not of the type integer");
	expect_wrong(schema_text, "count=99999999999999999999", "not of the type integer");
	expect_wrong(schema_text, "flag=yes", "not of the type boolean");
	expect_wrong(schema_text, "items={}", "not of the type array");
	expect_wrong(schema_text, "maybe=x", "not of the type integer or null");
	expect_wrong(schema_text, "text=\xff", "text: the text is not UTF-8");
	expect_wrong(schema_text, "any:=x", "any: not JSON");
	expect_wrong(schema_text, "any:={\"a\":1,\"a\":2}", "any: not JSON");
	expect_wrong(schema_text, "any:=", "any: not JSON");
	expect_wrong(schema_text, "text=@/nowhere/at/all",
		"text: cannot read '/nowhere/at/all': No such file");
	expect_wrong(schema_text, "text=@/", "text: cannot read '/'");
}

static void test_names_that_the_schema_leaves_open(void **state)
{
	expect(NULL, "x=5", "{\"x\":5}");
	expect("{}", "x=y", "{\"x\":\"y\"}");
	expect("{\"properties\": {\"a\": {}}, \"additionalProperties\": true}", "x=y",
		"{\"x\":\"y\"}");
	expect("{\"properties\": {\"a\": {}}, \"patternProperties\": {\"x\": {}}}", "x=y",
		"{\"x\":\"y\"}");
	expect_wrong("{\"properties\": {\"a\": {}}, \"additionalProperties\": false}", "x=y",
		"there is no argument 'x'; known: a");
}

static void test_schemas_that_are_none(void **state)
{
	expect("{\"properties\": 5}", "x=5", "{\"x\":5}");
	expect("{\"properties\": {\"x\": 5}}", "x=5", "{\"x\":5}");
	expect("{\"properties\": {\"x\": {\"type\": 7}}}", "x=y", "{\"x\":\"y\"}");
	expect("{\"properties\": {\"x\": {\"type\": [7, \"nonsense\"], \"enum\": {}, \"anyOf\": 3}}}",
		"x=y", "{\"x\":\"y\"}");
	expect("[]", "x=y", "{\"x\":\"y\"}");
}

static void test_twice(void **state)
{
	json_auto_t *args = json_object();
	struct fail fail = { 0 };

	assert_int_equal(call_value_add(args, NULL, "x=1", &fail), 0);
	assert_int_equal(call_value_add(args, NULL, "x=2", &fail), -EINVAL);
	assert_string_equal(fail.text, "'x' is given twice");
}

static char *make_file(const char *text, size_t len)
{
	char path[] = "/tmp/test_ctl_call.XXXXXX";
	auto_close int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(fd_write_all(fd, text, len), 0);
	return alloc_str(path);
}

static void test_files(void **state)
{
	auto_free char *path = make_file("5\n", 2);
	auto_free char *binary = make_file("a\0\xff", 3);
	auto_free char *as_text = alloc_printf("text=@%s", path);
	auto_free char *as_count = alloc_printf("count=@%s", path);
	auto_free char *as_json = alloc_printf("text:=@%s", path);
	auto_free char *as_any = alloc_printf("any=@%s", path);
	auto_free char *no_utf8 = alloc_printf("text=@%s", binary);

	expect(schema_text, as_text, "{\"text\":\"5\\n\"}");
	expect(schema_text, as_count, "{\"count\":5}");
	expect(schema_text, as_json, "{\"text\":5}");
	expect(schema_text, as_any, "{\"any\":\"5\\n\"}"); /* a file without a type is a text */
	expect_wrong(schema_text, no_utf8, "text: the text is not UTF-8");
	assert_int_equal(unlink(path), 0);
	assert_int_equal(unlink(binary), 0);
}

static void test_whole_arguments(void **state)
{
	struct fail fail = { 0 };
	json_auto_t *object = call_value_read("{\"a\": 1}", &fail);

	assert_true(json_is_object(object));
	assert_null(call_value_read("[1]", &fail));
	assert_string_equal(fail.text, "--json-args: an object is needed");
	assert_null(call_value_read("{", &fail));
	assert_non_null(strstr(fail.text, "--json-args: not JSON"));
	assert_int_equal(fail.code, -EINVAL);
	assert_null(call_value_read("@/nowhere", &fail));
	assert_int_equal(fail.code, -ENOENT);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_by_the_schema),
		cmocka_unit_test(test_wrong_words),
		cmocka_unit_test(test_names_that_the_schema_leaves_open),
		cmocka_unit_test(test_schemas_that_are_none),
		cmocka_unit_test(test_twice),
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_whole_arguments),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
