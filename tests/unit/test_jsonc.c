/* JSON with comments: what is read and where it stands, the words of a refusal, and changes by spans: how
 * a new member looks in files of each kind, and that taking it out gives back what was there. */
#include "ctl/jsonc_edit.h"

#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ctl/jsonc.h"
#include "shared/alloc.h"
#include "shared/fd.h"

#define CLIENTS TOP_SRCDIR "/tests/data/clients"

static const char *const way[] = { "mcpServers", "x", NULL };

/* --- reading --- */

static void assert_tree(const char *text, const char *json)
{
	auto_(jsonc_done) struct jsonc doc = { 0 };
	struct fail fail = { 0 };
	json_auto_t *expected = json_loads(json, JSON_DECODE_ANY, NULL);

	assert_int_equal(jsonc_parse(text, strlen(text), &doc, &fail), 0);
	json_auto_t *tree = jsonc_to_json(&doc, 0, &fail);
	assert_non_null(tree);
	assert_true(json_equal(tree, expected));
}

static void test_reading(void **state)
{
	assert_tree("{}", "{}");
	assert_tree(" [1, -2.5e3, true, false, null, \"a\\n\\u00e4\"] ",
		"[1, -2.5e3, true, false, null, \"a\\n\\u00e4\"]");
	assert_tree("\xef\xbb\xbf{\"a\": 1}", "{\"a\": 1}");
	assert_tree("// x\n{/* y */\"a\"/**/:/***/1,//z\r\n}// end", "{\"a\": 1}");
	assert_tree("[1,2,]", "[1, 2]");
	assert_tree("{\"a\":[],\"b\":{},}", "{\"a\": [], \"b\": {}}");
	assert_tree("{\"a\": \"// no comment /* neither */\"}",
		"{\"a\": \"// no comment /* neither */\"}");
	assert_tree("[12345678901234567890123]", "[1.2345678901234568e22]");
}

static void test_nothing_in_it(void **state)
{
	static const char *const texts[] = { "", " \r\n\t", "\xef\xbb\xbf", "// x",
		"/* x */ // y\n" };

	for (size_t i = 0; i < N_ELEMENTS(texts); i++) {
		auto_(jsonc_done) struct jsonc doc = { 0 };

		assert_int_equal(jsonc_parse(texts[i], strlen(texts[i]), &doc, NULL), 0);
		assert_int_equal(doc.n, 0);
	}
}

static void test_refused(void **state)
{
	static const struct {
		const char *text;
		const char *words;
	} cases[] = {
		{ "{\n  \"a\" 1\n}", "2:7: a colon is expected here" },
		{ "{\"\xc3\xa4\" 1}", "1:6: a colon is expected here" },
		{ "{\"a\": }", "1:7: a value is expected here" },
		{ "{,}", "1:2: a name in double quotes is expected here" },
		{ "{\"a\":1,,}", "1:8: a name in double quotes is expected here" },
		{ "[,]", "1:2: a value is expected here" },
		{ "{a: 1}", "1:2: a name in double quotes is expected here" },
		{ "{'a': 1}", "1:2: a name in double quotes is expected here" },
		{ "{\"a\": 1 \"b\": 2}", "1:9: a comma or } is expected here" },
		{ "[1", "1:3: the text ends where a comma or ] is expected" },
		{ "{", "1:2: the text ends where a name in double quotes is expected" },
		{ "{} {}", "1:4: something follows the end of the value" },
		{ "/* x", "1:1: this comment does not end" },
		{ "[tru]", "1:5: this is no JSON value" },
		{ "[01]", "1:3: this is no JSON value" },
		{ "[\"a]", "1:5: this string is not JSON" },
		{ "[\"\xff\"]", "1:3: this string is not JSON" },
		{ "[\"a\nb\"]", "1:4: this string is not JSON" },
	};

	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		struct jsonc doc = { 0 };
		struct fail fail = { 0 };

		assert_int_equal(
			jsonc_parse(cases[i].text, strlen(cases[i].text), &doc, &fail), -EINVAL);
		assert_string_equal(fail.text, cases[i].words);
		assert_null(doc.nodes);
	}
}

static void test_nul_and_depth(void **state)
{
	auto_strbuf deep = { 0 };
	struct jsonc doc = { 0 };
	struct fail fail = { 0 };

	assert_int_equal(jsonc_parse("{\0}", 3, &doc, &fail), -EINVAL);
	for (int i = 0; i < JSONC_MAX_DEPTH + 1; i++)
		strbuf_addc(&deep, '[');
	assert_int_equal(jsonc_parse(deep.data, deep.len, &doc, &fail), -EINVAL);
	assert_string_equal(fail.text, "1:129: more than 128 levels");
	assert_int_equal(jsonc_parse("", (size_t)JSONC_MAX_BYTES + 1, &doc, &fail), -EFBIG);
}

static void test_names_twice(void **state)
{
	static const char text[] = "{\"a\": 1,\n \"\\u0061\": 2}";
	auto_(jsonc_done) struct jsonc doc = { 0 };
	struct fail fail = { 0 };
	uint32_t node = 0;

	assert_int_equal(jsonc_parse(text, strlen(text), &doc, &fail), 0);
	assert_int_equal(jsonc_member(&doc, 0, "a", &node, &fail), -EEXIST);
	assert_string_equal(fail.text, "2:2: the name 'a' stands here a second time");
	assert_null(jsonc_to_json(&doc, 0, &fail));
	assert_string_equal(fail.text, "2:2: the name \"a\" stands here a second time");
	assert_int_equal(jsonc_member(&doc, 0, "b", &node, &fail), -ENOENT);
}

/* --- changing --- */

static void set(const char *text, const char *value, struct strbuf *out)
{
	auto_(jsonc_done) struct jsonc doc = { 0 };
	struct fail fail = { 0 };
	json_auto_t *json = json_loads(value, JSON_DECODE_ANY, NULL);

	assert_int_equal(jsonc_parse(text, strlen(text), &doc, &fail), 0);
	assert_int_equal(jsonc_set(&doc, way, json, out, &fail), 0);
}

static void unset(const struct strbuf *text, struct strbuf *out)
{
	auto_(jsonc_done) struct jsonc doc = { 0 };
	struct fail fail = { 0 };

	assert_int_equal(jsonc_parse(strbuf_get(text), text->len, &doc, &fail), 0);
	assert_int_equal(jsonc_unset(&doc, way, out, &fail), 0);
}

/* Where the member goes in, and that taking it out gives back `before` (`after`, where that differs). */
static void assert_set(const char *before, const char *with, const char *after)
{
	auto_strbuf text = { 0 };
	auto_strbuf back = { 0 };

	set(before, "{\"c\": \"d\"}", &text);
	assert_string_equal(strbuf_get(&text), with);
	unset(&text, &back);
	assert_string_equal(strbuf_get(&back), after ? after : before);
}

static void test_set(void **state)
{
	assert_set("", "{\n  \"mcpServers\": {\n    \"x\": {\n      \"c\": \"d\"\n    }\n  }\n}\n",
		"{\n  \"mcpServers\": {}\n}\n");
	assert_set("// c",
		"// c\n{\n  \"mcpServers\": {\n    \"x\": {\n      \"c\": \"d\"\n    }\n  }\n}\n",
		"// c\n{\n  \"mcpServers\": {}\n}\n");
	assert_set("{}", "{\n  \"mcpServers\": {\n    \"x\": {\n      \"c\": \"d\"\n    }\n  }\n}",
		"{\n  \"mcpServers\": {}\n}");
	assert_set("{\"mcpServers\":{}}", "{\"mcpServers\":{\"x\": {\"c\": \"d\"}}}", NULL);
	assert_set("{\"mcpServers\":{\"a\":1}}",
		"{\"mcpServers\":{\"a\":1, \"x\": {\"c\": \"d\"}}}", NULL);
	assert_set("{\"mcpServers\":{\"a\":1,}}",
		"{\"mcpServers\":{\"a\":1, \"x\": {\"c\": \"d\"},}}", NULL);
	assert_set("{\n\t\"mcpServers\": {\n\t\t\"a\": 1 // one\n\t}\n}",
		"{\n\t\"mcpServers\": {\n\t\t\"a\": 1, // one\n\t\t\"x\": {\n\t\t\t\"c\": \"d\"\n\t\t}\n"
		"\t}\n}",
		NULL);
	assert_set("{\r\n  \"mcpServers\": {\r\n    \"a\": 1, /* one */\r\n  },\r\n}\r\n",
		"{\r\n  \"mcpServers\": {\r\n    \"a\": 1, /* one */\r\n    \"x\": {\r\n      \"c\": "
		"\"d\"\r\n    },\r\n  },\r\n}\r\n",
		NULL);
	assert_set("{\"mcpServers\": {\"a\": 1 // one\n}}",
		"{\"mcpServers\": {\"a\": 1, // one\n  \"x\": {\n    \"c\": \"d\"\n  }\n}}", NULL);
	assert_set("{\n  \"mcpServers\": {\n    // none\n  }\n}",
		"{\n  \"mcpServers\": {\n    // none\n    \"x\": {\n      \"c\": \"d\"\n    }\n  }\n}",
		NULL);
}

static void test_replace(void **state)
{
	auto_strbuf text = { 0 };

	set("{\n\t\"mcpServers\": {\n\t\t\"x\": 1, // mine\n\t\t\"y\": 2\n\t}\n}",
		"{\"c\": [\"d\"]}", &text);
	assert_string_equal(strbuf_get(&text),
		"{\n\t\"mcpServers\": {\n\t\t\"x\": {\n\t\t\t\"c\": [\"d\"]\n\t\t}, // mine\n\t\t\"y\": 2\n\t}\n}");
}

static void assert_unset(const char *before, const char *after)
{
	struct strbuf text = { .data = (char *)(uintptr_t)before, .len = strlen(before) };
	auto_strbuf out = { 0 };

	unset(&text, &out);
	assert_string_equal(strbuf_get(&out), after);
}

static void test_unset(void **state)
{
	assert_unset("{\"mcpServers\": {\"x\": 1, \"y\": 2}}", "{\"mcpServers\": { \"y\": 2}}");
	assert_unset("{\"mcpServers\": {\"a\": 1, \"x\": 1, \"y\": 2}}",
		"{\"mcpServers\": {\"a\": 1, \"y\": 2}}");
	assert_unset("{\n  \"mcpServers\": {\n    // first\n    \"x\": 1,\n    \"y\": 2\n  }\n}",
		"{\n  \"mcpServers\": {\n    // first\n    \"y\": 2\n  }\n}");
	assert_unset("{\"mcpServers\": {\"a\": 1, // one\n\"x\": 2}}",
		"{\"mcpServers\": {\"a\": 1 // one\n}}");
}

static void test_refused_changes(void **state)
{
	static const struct {
		const char *text;
		const char *words;
	} cases[] = {
		{ "[]", "1:1: an object is expected here" },
		{ "{\n\"mcpServers\": []}", "2:15: an object is expected here" },
		{ "{\"mcpServers\": {}, \"mcpServers\": {}}",
			"1:20: the name 'mcpServers' stands here a second time" },
	};
	json_auto_t *value = json_object();

	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		auto_(jsonc_done) struct jsonc doc = { 0 };
		auto_strbuf out = { 0 };
		struct fail fail = { 0 };

		assert_int_equal(jsonc_parse(cases[i].text, strlen(cases[i].text), &doc, &fail), 0);
		assert_int_equal(jsonc_set(&doc, way, value, &out, &fail), -EINVAL);
		assert_string_equal(fail.text, cases[i].words);
		assert_int_equal(jsonc_unset(&doc, way, &out, &fail), -EINVAL);
	}
}

/* --- files as the clients have them --- */

static int is_json(const struct dirent *entry)
{
	return strstr(entry->d_name, ".json") != NULL;
}

static void try_file(const char *path)
{
	auto_strbuf before = { 0 };
	auto_strbuf with = { 0 };
	auto_strbuf after = { 0 };
	auto_(jsonc_done) struct jsonc doc = { 0 };
	struct fail fail = { 0 };
	uint32_t servers = 0;
	static const char *const parent[] = { "mcpServers", NULL };

	assert_int_equal(fd_read_file(path, JSONC_MAX_BYTES, &before), 0);
	set(strbuf_get(&before), "{\"command\": \"/usr/bin/mcp-fleetctl\", \"args\": [\"stdio\"]}",
		&with);
	assert_int_equal(jsonc_parse(strbuf_get(&with), with.len, &doc, &fail), 0);
	unset(&with, &after);
	jsonc_done(&doc);
	assert_int_equal(jsonc_parse(strbuf_get(&before), before.len, &doc, &fail), 0);
	/* Without the object that had to be made the rest cannot be the same. */
	if (jsonc_find(&doc, parent, &servers, NULL) == 0)
		assert_string_equal(strbuf_get(&after), strbuf_get(&before));
}

static void test_files(void **state)
{
	struct dirent **entries = NULL;
	int n = scandir(CLIENTS, &entries, is_json, alphasort);

	assert_true(n >= 10);
	for (int i = 0; i < n; i++) {
		auto_free char *path = alloc_printf("%s/%s", CLIENTS, entries[i]->d_name);

		try_file(path);
		free(entries[i]);
	}
	free(entries);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reading),
		cmocka_unit_test(test_nothing_in_it),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_nul_and_depth),
		cmocka_unit_test(test_names_twice),
		cmocka_unit_test(test_set),
		cmocka_unit_test(test_replace),
		cmocka_unit_test(test_unset),
		cmocka_unit_test(test_refused_changes),
		cmocka_unit_test(test_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
