/* x-mcp-header: headers that repeat arguments, and annotations that are no good. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "supervisor/mcp/envelope.h"

static struct jspan json(const char *text)
{
	struct jspan value = { 0 };

	if (text && jspan_check(text, strlen(text), &value, NULL) < 0)
		fail_msg("not JSON: %s", text);
	return value;
}

/* Headers from "Name: value" lines, the prefix Mcp-Param- left out. */
static struct mcp_headers headers_of(const char *const *lines)
{
	static char names[MCP_HEADERS_PARAMS + 8][64];
	struct mcp_headers h = { .is_http = true };

	for (size_t i = 0; lines[i]; i++) {
		const char *colon = strchr(lines[i], ':');
		int len = (int)(colon - lines[i]);

		(void)snprintf(names[i], sizeof(names[i]), "Mcp-Param-%.*s", len, lines[i]);
		mcp_headers_add(&h, (struct span){ names[i], strlen(names[i]) },
			(struct span){ colon + 2, strlen(colon + 2) });
	}
	return h;
}

static int check_into(const char *schema, const char *arguments, const char *const *lines,
	struct envelope_fault *fault)
{
	struct mcp_headers h = headers_of(lines);
	int r = envelope_check_params(json(schema), json(arguments), &h, fault);

	assert_int_equal(fault->code, r);
	assert_int_equal(fault->status, r ? 400 : 0);
	assert_int_equal(fault->message != NULL, r != 0);
	assert_true(r == 0 || r == RPC_HEADER_MISMATCH);
	return r;
}

static bool agrees(const char *schema, const char *arguments, const char *const *lines)
{
	auto_envelope_fault fault = { 0 };

	return check_into(schema, arguments, lines, &fault) == 0;
}

#define LINES(...) ((const char *const[]){ __VA_ARGS__, NULL })
#define NO_LINES ((const char *const[]){ NULL })

static const char sql[] = "{\"type\":\"object\",\"properties\":{"
			  "\"region\":{\"type\":\"string\",\"x-mcp-header\":\"Region\"},"
			  "\"limit\":{\"x-mcp-header\":\"Limit\",\"type\":\"integer\"},"
			  "\"dry\":{\"type\":\"boolean\",\"x-mcp-header\":\"Dry\"},"
			  "\"query\":{\"type\":\"string\"}}}";

static void test_they_agree(void **unused)
{
	assert_true(agrees(sql, "{\"region\":\"us\"}", LINES("Region: us")));
	assert_true(agrees(sql, "{\"region\":\"us\"}", LINES("rEGION: us")));
	assert_true(agrees(sql, "{\"region\":\"\\u4e16\",\"limit\":42,\"dry\":true}",
		LINES("Dry: true", "Limit: 42.0", "Region: =?base64?5LiW?=")));
	assert_true(agrees(sql, "{\"limit\":9007199254740993}", LINES("Limit: 9007199254740993")));
	assert_true(agrees(sql, "{\"r\\u0065gion\":\"us\"}", LINES("Region: us")));
	assert_true(agrees(sql, "{\"region\":\"\"}", LINES("Region: ")));
}

/* Other spellings of the same JSON. */
static void test_escaped_keywords(void **unused)
{
	static const char *const schemas[] = {
		"{\"properties\":{\"p\":{\"type\":\"string\",\"x-mcp\\u002dheader\":\"A\"}}}",
		"{\"properties\":{\"p\":{\"type\":\"string\",\"\\u0078-mcp-header\":\"A\"}}}",
		"{\"propert\\u0069es\":{\"\\u0070\":{\"t\\u0079pe\":\"strin\\u0067\","
		"\"x-mcp-header\":\"\\u0041\"}}}",
	};

	for (size_t i = 0; i < N_ELEMENTS(schemas); i++) {
		assert_true(schema_has_headers(json(schemas[i])));
		assert_true(agrees(schemas[i], "{\"p\":\"x\"}", LINES("A: x")));
		assert_false(agrees(schemas[i], "{\"p\":\"x\"}", LINES("A: y")));
	}
}

static void test_both_absent(void **unused)
{
	assert_true(agrees(sql, "{}", NO_LINES));
	assert_true(agrees(sql, NULL, NO_LINES));
	assert_true(agrees(sql, "null", NO_LINES));
	assert_true(agrees(sql, "[]", NO_LINES));
	assert_true(agrees(sql, "{\"query\":\"x\",\"region\":null}", NO_LINES));
}

static void test_unknown_headers(void **unused)
{
	assert_true(agrees(sql, "{}", LINES("Other: x", "Other: y", "Query: z")));
	assert_true(agrees("{\"type\":\"object\"}", "{\"region\":\"us\"}", LINES("Region: eu")));
}

static void test_they_disagree(void **unused)
{
	assert_false(agrees(sql, "{\"region\":\"us\"}", LINES("Region: eu")));
	assert_false(agrees(sql, "{\"region\":\"us\"}", LINES("Region: US")));
	assert_false(agrees(sql, "{\"region\":\"us\"}", NO_LINES));
	assert_false(agrees(sql, "{\"region\":\"\"}", NO_LINES));
	assert_false(agrees(sql, "{\"limit\":0}", NO_LINES));
	assert_false(agrees(sql, "{\"dry\":false}", NO_LINES));
	assert_false(agrees(sql, "{\"limit\":42}", LINES("Limit: 43")));
	assert_false(agrees(sql, "{\"limit\":9007199254740993}", LINES("Limit: 9007199254740992")));
	assert_false(agrees(sql, "{\"dry\":true}", LINES("Dry: True")));
	assert_false(agrees(sql, "{\"region\":\"us\"}", LINES("Region: =?base64?dXM?=")));
	assert_false(agrees(sql, "{\"region\":\"\\u4e16\"}", LINES("Region: \xe4\xb8\x96")));
	/* the second of three */
	assert_false(agrees(sql, "{\"region\":\"us\",\"limit\":1,\"dry\":true}",
		LINES("Region: us", "Limit: 2", "Dry: true")));
}

static void test_header_without_argument(void **unused)
{
	assert_false(agrees(sql, "{}", LINES("Region: us")));
	assert_false(agrees(sql, NULL, LINES("Region: us")));
	assert_false(agrees(sql, "{\"region\":null}", LINES("Region: null")));
	assert_false(agrees(sql, "{\"region\":null}", LINES("Region: ")));
}

static void test_twice(void **unused)
{
	assert_false(agrees(sql, "{\"region\":\"us\"}", LINES("Region: us", "REGION: us")));
	assert_false(agrees(sql, "{}", LINES("Region: us", "Region: us")));
	assert_false(agrees(sql, "{\"region\":\"us\",\"region\":\"us\"}", LINES("Region: us")));
	assert_false(agrees(sql, "{\"region\":\"us\",\"region\":\"eu\"}", NO_LINES));
}

/* What the tool will refuse has no text to repeat; with a header it is a lie all the same. */
static void test_argument_without_text(void **unused)
{
	assert_true(agrees(sql, "{\"region\":{\"a\":1},\"limit\":[1]}", NO_LINES));
	assert_false(agrees(sql, "{\"region\":{}}", LINES("Region: {}")));
	assert_false(agrees(sql, "{\"limit\":[]}", LINES("Limit: []")));
}

/* The type that counts is the value's own; whether it fits is for the tool to say. */
static void test_argument_of_another_type(void **unused)
{
	assert_true(agrees(sql, "{\"limit\":\"42\"}", LINES("Limit: 42")));
	assert_false(agrees(sql, "{\"limit\":\"42\"}", LINES("Limit: 42.0")));
	assert_true(agrees(sql, "{\"region\":true}", LINES("Region: true")));
	assert_true(agrees(sql, "{\"limit\":1.5}", LINES("Limit: 1.5")));
}

static void test_nested(void **unused)
{
	static const char schema[] =
		"{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"object\",\"properties\":{"
		"\"b\":{\"properties\":{\"c\":{\"type\":\"string\",\"x-mcp-header\":\"Deep\"}}},"
		"\"c\":{\"type\":\"string\"}}},\"c\":{\"type\":\"string\"}}}";

	assert_true(schema_has_headers(json(schema)));
	assert_true(agrees(schema, "{\"a\":{\"b\":{\"c\":\"x\"}}}", LINES("Deep: x")));
	assert_false(agrees(schema, "{\"a\":{\"b\":{\"c\":\"x\"}}}", LINES("Deep: y")));
	assert_false(agrees(schema, "{\"a\":{\"b\":{\"c\":\"x\"}}}", NO_LINES));
	assert_true(agrees(schema, "{\"a\":{\"c\":\"x\"},\"c\":\"x\"}", NO_LINES));
	assert_false(agrees(schema, "{\"a\":{\"c\":\"x\"},\"c\":\"x\"}", LINES("Deep: x")));
	assert_true(agrees(schema, "{\"a\":[{\"b\":{\"c\":\"x\"}}]}", NO_LINES));
	assert_true(agrees(schema, "{\"a\":\"b\"}", NO_LINES));
	assert_false(agrees(schema, "{\"a\":{\"b\":{\"c\":\"x\"}},\"a\":{}}", LINES("Deep: x")));
}

static void test_no_http(void **unused)
{
	struct mcp_headers h = { 0 };
	struct envelope_fault fault = { 0 };
	struct jspan arguments = json("{\"region\":\"us\"}");

	assert_int_equal(envelope_check_params(json(sql), arguments, NULL, &fault), 0);
	assert_int_equal(envelope_check_params(json(sql), arguments, &h, &fault), 0);
}

static void test_too_many_headers(void **unused)
{
	const char *lines[MCP_HEADERS_PARAMS + 2] = { 0 };

	for (int i = 0; i <= MCP_HEADERS_PARAMS; i++)
		lines[i] = "Other: x";
	assert_false(agrees(sql, "{}", lines));
	assert_true(agrees("{\"type\":\"object\"}", "{}", lines));
	lines[MCP_HEADERS_PARAMS] = NULL;
	assert_true(agrees(sql, "{}", lines));
}

static void test_message(void **unused)
{
	auto_envelope_fault missing = { 0 };
	auto_envelope_fault twice = { 0 };

	assert_int_equal(
		check_into(sql, "{\"region\":\"us\"}", NO_LINES, &missing), RPC_HEADER_MISMATCH);
	assert_string_equal(
		missing.message, "Header mismatch: the header Mcp-Param-Region is missing");
	assert_null(missing.data);
	assert_int_equal(
		check_into(sql, "{}", LINES("Dry: 1", "Dry: 1"), &twice), RPC_HEADER_MISMATCH);
	assert_string_equal(twice.message,
		"Header mismatch: the header Mcp-Param-Dry or its argument comes twice");
}

#define STRING "\"type\":\"string\""
#define MARK "\"x-mcp-header\":\"A\""
#define PROPERTY(schema) "{\"properties\":{\"p\":{" schema "}}}"

/* The faults of a schema; a bad one asks for no headers. */
static size_t faults(const char *schema, struct strbuf *text)
{
	size_t n = schema_header_faults(json(schema), text);

	assert_int_equal(n == 0, text->len == 0);
	if (n)
		assert_false(schema_has_headers(json(schema)));
	if (n)
		assert_true(agrees(schema, "{\"p\":\"x\"}", LINES("A: y")));
	return n;
}

static void test_good_annotations(void **unused)
{
	static const char *const good[] = { sql, "{}", "true", "{\"properties\":{}}",
		PROPERTY(STRING "," MARK),
		PROPERTY(STRING ",\"x-mcp-header\":\"a!#$%&'*+-.^_`|~9\""),
		/* a property of that name, and places that hold data */
		"{\"properties\":{\"x-mcp-header\":{\"type\":\"number\"}}}",
		"{\"properties\":{\"properties\":{" STRING "," MARK "}}}",
		PROPERTY("\"default\":{" MARK "}"), PROPERTY("\"examples\":[{" MARK "}]"),
		PROPERTY("\"const\":{\"x-mcp-header\":7}"), PROPERTY("\"enum\":[{" MARK "}]"),
		PROPERTY("\"unknown\":{" MARK "}"), PROPERTY("\"items\":true") };

	for (size_t i = 0; i < N_ELEMENTS(good); i++) {
		auto_strbuf text = { 0 };

		if (faults(good[i], &text))
			fail_msg("%s: %s", good[i], strbuf_get(&text));
	}
	assert_true(schema_has_headers(json(sql)));
	assert_false(schema_has_headers(json("{\"properties\":{\"p\":{" STRING "}}}")));
	assert_false(schema_has_headers(json("true")));
}

static void test_bad_annotations(void **unused)
{
	static const struct {
		const char *schema, *why;
	} bad[] = {
		{ PROPERTY(STRING ",\"x-mcp-header\":\"\""), "is empty" },
		{ PROPERTY(STRING ",\"x-mcp-header\":7"), "is no string" },
		{ PROPERTY(STRING ",\"x-mcp-header\":null"), "is no string" },
		{ PROPERTY(STRING ",\"x-mcp-header\":\"a b\""), "not fit" },
		{ PROPERTY(STRING ",\"x-mcp-header\":\"a:\""), "not fit" },
		{ PROPERTY(STRING ",\"x-mcp-header\":\"a\\r\\nb\""), "not fit" },
		{ PROPERTY(STRING ",\"x-mcp-header\":\"a\\u0000\""), "not fit" },
		{ PROPERTY(STRING ",\"x-mcp-header\":\"\\u00e4\""), "not fit" },
		{ PROPERTY("\"type\":\"number\"," MARK), "a type other" },
		{ PROPERTY("\"type\":\"array\"," MARK), "a type other" },
		{ PROPERTY("\"type\":\"object\"," MARK), "a type other" },
		{ PROPERTY("\"type\":\"null\"," MARK), "a type other" },
		{ PROPERTY("\"type\":[\"string\",\"null\"]," MARK), "a type other" },
		{ PROPERTY(MARK), "a type other" },
		{ PROPERTY("\"$ref\":\"#/$defs/x\"," MARK), "beside a $ref" },
		{ PROPERTY(STRING ",\"$ref\":\"#/$defs/x\"," MARK), "beside a $ref" },
		{ "{" STRING "," MARK "}", "the whole schema" },
		{ PROPERTY("\"items\":{" STRING "," MARK "}"), "not only" },
		{ PROPERTY("\"items\":[{" STRING "," MARK "}]"), "not only" },
		{ PROPERTY("\"items\":" PROPERTY(STRING "," MARK)), "not only" },
		{ PROPERTY("\"prefixItems\":[{},{" STRING "," MARK "}]"), "not only" },
		{ PROPERTY("\"contains\":{" STRING "," MARK "}"), "not only" },
		{ PROPERTY("\"anyOf\":[{" STRING "," MARK "}]"), "not only" },
		{ PROPERTY("\"oneOf\":[{" STRING "," MARK "}]"), "not only" },
		{ "{\"allOf\":[" PROPERTY(STRING "," MARK) "]}", "not only" },
		{ "{\"not\":" PROPERTY(STRING "," MARK) "}", "not only" },
		{ "{\"if\":" PROPERTY(STRING "," MARK) "}", "not only" },
		{ "{\"then\":" PROPERTY(STRING "," MARK) "}", "not only" },
		{ "{\"else\":" PROPERTY(STRING "," MARK) "}", "not only" },
		{ "{\"additionalProperties\":{" STRING "," MARK "}}", "not only" },
		{ "{\"unevaluatedProperties\":{" STRING "," MARK "}}", "not only" },
		{ "{\"patternProperties\":{\"^x\":{" STRING "," MARK "}}}", "not only" },
		{ "{\"propertyNames\":{" STRING "," MARK "}}", "not only" },
		{ "{\"dependentSchemas\":{\"p\":" PROPERTY(STRING "," MARK) "}}", "not only" },
		{ "{\"$defs\":{\"p\":{" STRING "," MARK "}}}", "not only" },
		{ "{\"definitions\":{\"p\":{" STRING "," MARK "}}}", "not only" },
		{ "{\"properties\":{\"p\":{" STRING "," MARK "},\"q\":{" STRING
		  ",\"x-mcp-header\":\"a\"}}}",
			"another property has" },
		{ PROPERTY(STRING "," MARK ",\"properties\":{\"q\":{" STRING "," MARK "}}"),
			"another property has" },
	};

	for (size_t i = 0; i < N_ELEMENTS(bad); i++) {
		auto_strbuf text = { 0 };

		if (faults(bad[i].schema, &text) != 1 || !strstr(strbuf_get(&text), bad[i].why))
			fail_msg("%s: %s", bad[i].schema, strbuf_get(&text));
	}
}

/* One good and one bad: the tool asks for nothing. */
static void test_bad_beside_good(void **unused)
{
	static const char schema[] = "{\"properties\":{\"p\":{" STRING "," MARK
				     "},\"q\":{\"type\":\"number\",\"x-mcp-header\":\"B\"}}}";
	auto_strbuf text = { 0 };

	assert_int_equal(faults(schema, &text), 1);
	assert_string_equal(strbuf_get(&text),
		"x-mcp-header of \"q\" stands on a type other than string, integer and boolean");
}

static void test_many_faults(void **unused)
{
	auto_strbuf schema = { 0 };
	auto_strbuf text = { 0 };

	strbuf_adds(&schema, "{\"properties\":{\"a\":{\"properties\":{");
	for (int i = 0; i < 6; i++)
		strbuf_addf(&schema, "%s\"b%d\":{\"type\":\"string\",\"x-mcp-header\":\"\"}",
			i ? "," : "", i);
	strbuf_adds(&schema, "}}}}");
	assert_int_equal(faults(strbuf_get(&schema), &text), 6);
	assert_string_equal(strbuf_get(&text),
		"x-mcp-header of \"a.b0\" is empty; x-mcp-header of \"a.b1\" is empty; "
		"x-mcp-header of \"a.b2\" is empty; x-mcp-header of \"a.b3\" is empty; and 2 more");
}

static void test_too_many_annotations(void **unused)
{
	auto_strbuf schema = { 0 };
	auto_strbuf text = { 0 };

	strbuf_adds(&schema, "{\"properties\":{");
	for (int i = 0; i <= MCP_HEADERS_PARAMS; i++)
		strbuf_addf(&schema, "%s\"b%d\":{\"type\":\"string\",\"x-mcp-header\":\"h%d\"}",
			i ? "," : "", i, i);
	strbuf_adds(&schema, "}}");
	assert_int_equal(faults(strbuf_get(&schema), &text), 1);
	assert_non_null(strstr(strbuf_get(&text), "one too many"));
}

/* As deep as a message may be, and names that would fill a log. */
static void test_deep(void **unused)
{
	auto_strbuf schema = { 0 };
	auto_strbuf text = { 0 };
	enum { DEPTH = 250 };

	for (int i = 0; i < DEPTH; i++)
		strbuf_addf(&schema, "{\"properties\":{\"%0*d\":", 1000, i);
	strbuf_adds(&schema, "{\"x-mcp-header\":\"\"}");
	for (int i = 0; i < DEPTH; i++)
		strbuf_adds(&schema, "}}");
	assert_int_equal(schema_header_faults(json(strbuf_get(&schema)), &text), 1);
	assert_true(text.len < 400);
}

/* Time is bounded: such a schema is not looked into, and is said to have been left alone. */
static void test_large_schema(void **unused)
{
	for (int more = 0; more <= 1; more++) {
		auto_strbuf schema = { 0 };
		auto_strbuf text = { 0 };

		strbuf_adds(&schema, PROPERTY(STRING "," MARK));
		strbuf_cut(&schema, schema.len - 1);
		strbuf_adds(&schema, ",\"description\":\"");
		strbuf_addf(
			&schema, "%0*d\"}", SCHEMA_HEADERS_BYTES - (int)schema.len - 2 + more, 0);
		assert_int_equal(schema.len, SCHEMA_HEADERS_BYTES + more);
		assert_int_equal(schema_has_headers(json(strbuf_get(&schema))), !more);
		assert_int_equal(schema_header_faults(json(strbuf_get(&schema)), &text), more);
		assert_int_equal(text.len > 0, more);
	}
}

static void test_large_schema_without(void **unused)
{
	auto_strbuf schema = { 0 };
	auto_strbuf text = { 0 };

	strbuf_addf(&schema, "{\"description\":\"%0*d\"}", SCHEMA_HEADERS_BYTES, 0);
	assert_int_equal(schema_header_faults(json(strbuf_get(&schema)), &text), 0);
	assert_false(schema_has_headers(json(strbuf_get(&schema))));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_they_agree),
		cmocka_unit_test(test_escaped_keywords),
		cmocka_unit_test(test_both_absent),
		cmocka_unit_test(test_unknown_headers),
		cmocka_unit_test(test_they_disagree),
		cmocka_unit_test(test_header_without_argument),
		cmocka_unit_test(test_twice),
		cmocka_unit_test(test_argument_without_text),
		cmocka_unit_test(test_argument_of_another_type),
		cmocka_unit_test(test_nested),
		cmocka_unit_test(test_no_http),
		cmocka_unit_test(test_too_many_headers),
		cmocka_unit_test(test_message),
		cmocka_unit_test(test_good_annotations),
		cmocka_unit_test(test_bad_annotations),
		cmocka_unit_test(test_bad_beside_good),
		cmocka_unit_test(test_many_faults),
		cmocka_unit_test(test_too_many_annotations),
		cmocka_unit_test(test_deep),
		cmocka_unit_test(test_large_schema),
		cmocka_unit_test(test_large_schema_without),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
