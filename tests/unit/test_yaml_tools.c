/* Tools json_to_yaml and yaml_to_json: the core schema, aliases, what JSON cannot hold, limits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "shared/strbuf.h"
#include "tests/unit/fake_call.h"
#include "workers/utils/tools.h"
#include "workers/utils/yaml.h"

enum { MUCH = 4194304 };

static const struct {
	const char *yaml;
	const char *json;
} readings[] = {
	{ "", "null" },
	{ "# nothing\n", "null" },
	{ "---\n...\n", "null" },
	{ "a: 1\nb: [x, 'y', \"z\"]\n", "{\"a\":1,\"b\":[\"x\",\"y\",\"z\"]}" },
	{ "- ~\n- null\n-\n- Null\n", "[null,null,null,null]" },
	{ "[true, True, FALSE, yes, No, on, tRUE]",
		"[true,true,false,\"yes\",\"No\",\"on\",\"tRUE\"]" },
	{ "[0, -1, +2, 007, 0x1F, 0o17, 0b1, 1_000, 12:30]",
		"[0,-1,2,7,31,15,\"0b1\",\"1_000\",\"12:30\"]" },
	{ "[1.50, .5, -.5, 1., 1e3, 1.5E-3, 123456789012345678901234567890]",
		"[1.50,0.5,-0.5,1.0,1e3,1.5E-3,123456789012345678901234567890]" },
	{ "[., e3, 1e, 0x, -, '-.e1', 1.2.3]",
		"[\".\",\"e3\",\"1e\",\"0x\",\"-\",\"-.e1\",\"1.2.3\"]" },
	{ "[2024-01-01, '1', \"true\"]", "[\"2024-01-01\",\"1\",\"true\"]" },
	{ "[!!str 1, ! 2, !!int 3, !!float 4, !!null ~, !!bool true, !!binary YQ==]",
		"[\"1\",\"2\",3,4,null,true,\"YQ==\"]" },
	{ "!!map {a: !!seq [1]}", "{\"a\":[1]}" },
	{ "|\n a\n b\n", "\"a\\nb\\n\"" },
	{ ">\n a\n b\n", "\"a b\\n\"" },
	{ "\"a\\0\\u00e9\\n\"", "\"a\\u0000é\\n\"" },
	{ "1: a\n~: b\ntrue: c\n", "{\"1\":\"a\",\"null\":\"b\",\"true\":\"c\"}" },
	{ "a: &x [1, 2]\nb: *x\nc: *x\n", "{\"a\":[1,2],\"b\":[1,2],\"c\":[1,2]}" },
	{ "a: &x 1\nb: &x 2\nc: *x\n", "{\"a\":1,\"b\":2,\"c\":2}" },
	{ "a: &k name\n*k : 1\n", "{\"a\":\"name\",\"name\":1}" },
	{ "{a: {}, b: []}", "{\"a\":{},\"b\":[]}" },
	{ "? a\n? b\n", "{\"a\":null,\"b\":null}" },
	{ "<<: 1\n", "{\"<<\":1}" },
};

static void test_readings(void **state)
{
	for (size_t i = 0; i < N_ELEMENTS(readings); i++) {
		auto_strbuf out = { 0 };
		struct failure fail;

		if (yaml_to_compact_json(
			    readings[i].yaml, strlen(readings[i].yaml), MUCH, &out, &fail) < 0)
			fail_msg("%s: %s", readings[i].yaml, fail.text);
		if (!streq(strbuf_get(&out), readings[i].json))
			fail_msg("%s: %s", readings[i].yaml, strbuf_get(&out));
	}
}

static const struct {
	const char *yaml;
	const char *words;
} wrong[] = {
	{ "a: [1, 2", "line 2, column 1: " },
	{ "a: b: c", "line 1, column 5: mapping values are not allowed" },
	{ "a: 1\n\tb: 2\n", "line 2, column 1: " },
	{ "a: 1\n---\nb: 2\n", "line 2, column 1: a second document" },
	{ "a: *x", "line 1, column 4: the alias refers to an anchor" },
	{ "&x [*x]", "line 1, column 5: the alias refers to what it stands in" },
	{ "a: &x {b: *x}", "line 1, column 11: the alias refers to what" },
	{ "a: 1\nb: 2\na: 3\n", "line 4, column 1: in the mapping that ends here the name \"a\"" },
	{ "null: 1\n~: 3\n", "line 3, column 1: in the mapping that ends here the name \"null\"" },
	{ "{? [1] : 2}", "line 1, column 11: in the mapping that ends here a name is no scalar" },
	{ "[.inf]", "line 1, column 2: JSON has no infinity" },
	{ "-.INF", "line 1, column 1: JSON has no infinity" },
	{ ".nan", "line 1, column 1: JSON has no infinity" },
	{ "!Ref x", "line 1, column 1: the tag \"!Ref\"" },
	{ "!!int x", "line 1, column 1: the tag \"tag:yaml.org,2002:int\"" },
	{ "!!bool 1", "line 1, column 1: the tag" },
	{ "!!set {a}", "line 1, column 1: the tag" },
	{ "!!str [1]", "line 1, column 1: the tag" },
	{ "\"\\ud800\"", "line 1, column " },
	{ "a\x01", "at byte 1: " },
};

static void test_wrong(void **state)
{
	for (size_t i = 0; i < N_ELEMENTS(wrong); i++) {
		auto_strbuf out = { 0 };
		struct failure fail;

		if (yaml_to_compact_json(wrong[i].yaml, strlen(wrong[i].yaml), MUCH, &out, &fail) ==
			0)
			fail_msg("%s: is taken", wrong[i].yaml);
		assert_string_equal(fail.code, "bad_yaml");
		if (strncmp(fail.text, wrong[i].words, strlen(wrong[i].words)) != 0)
			fail_msg("%s: %s", wrong[i].yaml, fail.text);
	}
}

/* Nine lines that would become a billion nodes; the same with empty lists, which take few bytes. */
static void test_aliases(void **state)
{
	static const char *const leaves[] = { "lol", "[]" };

	for (size_t i = 0; i < N_ELEMENTS(leaves); i++) {
		auto_strbuf yaml = { 0 };
		auto_strbuf out = { 0 };
		struct failure fail;

		strbuf_addf(&yaml, "- &a0 %s\n", leaves[i]);
		for (int level = 1; level < 10; level++) {
			strbuf_addf(&yaml, "- &a%d [", level);
			for (int n = 0; n < 10; n++)
				strbuf_addf(&yaml, "%s*a%d", n ? "," : "", level - 1);
			strbuf_adds(&yaml, "]\n");
		}
		assert_true(yaml_to_compact_json(strbuf_get(&yaml), yaml.len, (size_t)64 << 20,
				    &out, &fail) < 0);
		assert_string_equal(fail.code, "too_large");
		assert_non_null(strstr(fail.text, "1000000 nodes"));
		strbuf_cut(&out, 0);
		assert_true(
			yaml_to_compact_json(strbuf_get(&yaml), yaml.len, 1000, &out, &fail) < 0);
		assert_string_equal(fail.text, "the JSON has more than 1000 bytes");
	}
}

static void add_times(struct strbuf *buf, const char *text, int n)
{
	for (int i = 0; i < n; i++)
		strbuf_adds(buf, text);
}

static void test_levels(void **state)
{
	for (int levels = 512; levels <= 513; levels++) {
		auto_strbuf yaml = { 0 };
		auto_strbuf out = { 0 };
		struct failure fail;
		int r;

		add_times(&yaml, "[", levels);
		add_times(&yaml, "]", levels);
		r = yaml_to_compact_json(strbuf_get(&yaml), yaml.len, MUCH, &out, &fail);
		assert_int_equal(r == 0, levels == 512);
		if (r < 0)
			assert_string_equal(fail.text, "line 1, column 513: more than 512 levels");
	}
}

/* Aliases of nested lists, each in the next. */
static void test_levels_by_aliases(void **state)
{
	auto_strbuf yaml = { 0 };
	auto_strbuf out = { 0 };
	struct failure fail;

	strbuf_adds(&yaml, "- &a0 [1]\n");
	for (int i = 1; i < 600; i++)
		strbuf_addf(&yaml, "- &a%d [*a%d]\n", i, i - 1);
	assert_true(yaml_to_compact_json(strbuf_get(&yaml), yaml.len, MUCH, &out, &fail) < 0);
	assert_string_equal(fail.text, "with its aliases expanded it has more than 512 levels");
}

static const struct {
	const char *json;
	const char *yaml;
} writings[] = {
	{ "{\"a\":1,\"b\":[true,null,1.50],\"c\":{}, \"d\":[]}",
		"a: 1\nb:\n- true\n- null\n- 1.50\nc: {}\nd: []\n" },
	{ "[\"text\",\"yes\",\"1\",\"\",\"~\",\"a: b\",\"- x\",\"#\",\"12:30\",\"ünï\"]",
		"- text\n- 'yes'\n- '1'\n- ''\n- '~'\n- 'a: b'\n- '- x'\n- '#'\n- '12:30'\n- ünï\n" },
	{ "{\"text\":\"one\\ntwo\\n\"}", "text: |\n  one\n  two\n" },
	{ "[123456789012345678901234567890]", "- 123456789012345678901234567890\n" },
	{ "{\"null\":1,\"2\":3}", "'null': 1\n'2': 3\n" },
};

static void write_yaml(const char *json, struct strbuf *out)
{
	auto_(json_tree_done) struct json_tree tree = { 0 };
	struct failure fail;

	if (json_tree_parse(&tree, json, strlen(json), false, &fail) < 0 ||
		yaml_from_json(&tree, MUCH, out, &fail) < 0)
		fail_msg("%s: %s", json, fail.text);
}

static void test_writings(void **state)
{
	for (size_t i = 0; i < N_ELEMENTS(writings); i++) {
		auto_strbuf out = { 0 };

		write_yaml(writings[i].json, &out);
		if (!streq(strbuf_get(&out), writings[i].yaml))
			fail_msg("%s:\n%s", writings[i].json, strbuf_get(&out));
	}
}

static void check_round_trip(const char *text, size_t len)
{
	auto_strbuf json = { 0 };
	auto_strbuf yaml = { 0 };
	auto_strbuf again = { 0 };
	struct failure fail;

	strbuf_adds(&json, "[");
	strbuf_add_json(&json, text, len);
	strbuf_adds(&json, ",{");
	strbuf_add_json(&json, text, len);
	strbuf_adds(&json, ":[");
	strbuf_add_json(&json, text, len);
	strbuf_adds(&json, "]}]");
	write_yaml(strbuf_get(&json), &yaml);
	if (yaml_to_compact_json(strbuf_get(&yaml), yaml.len, MUCH, &again, &fail) < 0)
		fail_msg("%s:\n%s\n%s", strbuf_get(&json), strbuf_get(&yaml), fail.text);
	if (!streq(strbuf_get(&json), strbuf_get(&again)))
		fail_msg("%s\n%s\n%s", strbuf_get(&json), strbuf_get(&yaml), strbuf_get(&again));
}

/* Texts of characters that mean something to YAML come back as they went. */
static void test_round_trip(void **state)
{
	static const char *const parts[] = { "a", "b", "1", "0", " ", "  ", "\n", "\n\n", ":", ": ",
		"#", " #", "-", "- ", "?", "'", "\"", "\\", "\t", "\r", "[", "]", "{", "}", ",",
		"&", "*", "!", "|", ">", "%", "@", "`", "~", "true", "null", ".", "e", "x", "é",
		"😀", "\xc2\x85", "\u2028", "\ufeff", "---", "...", "<<", "=", "y", "no", "\x7f",
		"\x01" };
	uint32_t random = 7;

	check_round_trip("\0a", 2);
	for (int round = 0; round < 20000; round++) {
		auto_strbuf text = { 0 };
		int n = round % 7;

		while (n-- > 0) {
			random = random * 1664525 + 1013904223;
			strbuf_adds(&text, parts[(random >> 8) % N_ELEMENTS(parts)]);
		}
		check_round_trip(strbuf_get(&text), text.len);
	}
}

static void test_tools(void **state)
{
	const struct fake_answer *answer;

	answer = fake_run(yaml_tools, "yaml_to_json", "{\"yaml\":\"a: [1]\",\"indent\":1}");
	assert_non_null(answer->result);
	assert_string_equal(fake_text("result"), "{\n \"a\": [\n  1\n ]\n}");
	answer = fake_run(yaml_tools, "yaml_to_json", "{\"yaml\":\"a: [\"}");
	assert_string_equal(answer->code, "bad_yaml");
	answer = fake_run(yaml_tools, "json_to_yaml", "{\"json\":\"{\\\"a\\\":[1]}\"}");
	assert_non_null(answer->result);
	assert_string_equal(fake_text("result"), "a:\n- 1\n");
	answer = fake_run(yaml_tools, "json_to_yaml", "{\"json\":\"{\"}");
	assert_string_equal(answer->code, "bad_json");
}

static void test_write_size(void **state)
{
	auto_(json_tree_done) struct json_tree tree = { 0 };
	auto_strbuf out = { 0 };
	struct failure fail;

	assert_int_equal(json_tree_parse(&tree, "[1,2,3]", 7, false, &fail), 0);
	assert_true(yaml_from_json(&tree, 5, &out, &fail) < 0);
	assert_string_equal(fail.code, "too_large");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_readings),
		cmocka_unit_test(test_wrong),
		cmocka_unit_test(test_aliases),
		cmocka_unit_test(test_levels),
		cmocka_unit_test(test_levels_by_aliases),
		cmocka_unit_test(test_writings),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_tools),
		cmocka_unit_test(test_write_size),
	};
	int failed = cmocka_run_group_tests_name("YAML tools", tests, NULL, NULL);

	fake_done();
	return failed;
}
