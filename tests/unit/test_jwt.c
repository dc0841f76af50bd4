/* Tool jwt_decode: parts of a token, and what is no token. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "shared/alloc.h"
#include "shared/base64.h"
#include "tests/unit/fake_call.h"
#include "workers/utils/tools.h"

static const struct fake_answer *decode(const char *header, const char *payload, const char *rest)
{
	auto_strbuf args = { 0 };

	strbuf_adds(&args, "{\"token\":\"");
	base64_encode(BASE64_URL, header, strlen(header), &args);
	strbuf_addc(&args, '.');
	base64_encode(BASE64_URL, payload, strlen(payload), &args);
	strbuf_addf(&args, "%s\"}", rest);
	return fake_run(jwt_tools, "jwt_decode", args.data);
}

static void test_token(void **state)
{
	/* Of RFC 7515, A.1. */
	const struct fake_answer *a = fake_run(jwt_tools, "jwt_decode",
		"{\"token\":\"eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9"
		".eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19"
		"yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk\"}");
	json_t *payload = json_object_get(a->result, "payload");

	assert_non_null(a->result);
	assert_string_equal(
		json_string_value(json_object_get(json_object_get(a->result, "header"), "alg")),
		"HS256");
	assert_string_equal(json_string_value(json_object_get(payload, "iss")), "joe");
	assert_int_equal(json_integer_value(json_object_get(payload, "exp")), 1300819380);
	assert_true(json_is_false(json_object_get(a->result, "signature_checked")));
	assert_non_null(decode("{\"alg\":\"none\"}", "{}", ".")->result);
}

static const struct {
	const char *header, *payload, *rest;
	const char *word; /* of the error */
} bad[] = {
	{ "{}", "{}", "", "three parts" },
	{ "{}", "{}", "..", "three parts" },
	{ "{}", "{}", ".a+b=", "signature" },
	{ "[]", "{}", ".", "header" },
	{ "{}", "[1]", ".", "payload" },
	{ "{}", "7", ".", "payload" },
	{ "{}", "", ".", "payload" },
	{ "", "{}", ".", "header" },
	{ "{\"a\":1,\"a\":2}", "{}", ".", "header" },
	{ "{}", "{\"a\":1} x", ".", "payload" },
	{ "{}", "{\"a\":\"\xff\"}", ".", "payload" },
	{ "{}", "{\"a\":\"\\u0000\"}", ".", "payload" },
	{ "{}", "{\"a\":NaN}", ".", "payload" },
};

static void test_no_token(void **state)
{
	for (size_t i = 0; i < N_ELEMENTS(bad); i++) {
		const struct fake_answer *a = decode(bad[i].header, bad[i].payload, bad[i].rest);

		assert_string_equal(a->code, "invalid_argument");
		if (!strstr(a->error, bad[i].word))
			fail_msg("%zu: %s", i, a->error);
	}
	assert_non_null(fake_run(jwt_tools, "jwt_decode", "{\"token\":\"!!.e30.\"}")->code);
	assert_non_null(fake_run(jwt_tools, "jwt_decode", "{\"token\":\"a.b\"}")->code);
	assert_non_null(fake_run(jwt_tools, "jwt_decode", "{\"token\":\"ab\"}")->code);
}

static const struct fake_answer *decode_nested(int levels)
{
	auto_strbuf payload = { 0 };

	strbuf_adds(&payload, "{\"a\":");
	for (int i = 1; i < levels; i++)
		strbuf_addc(&payload, '[');
	strbuf_addc(&payload, '1');
	for (int i = 1; i < levels; i++)
		strbuf_addc(&payload, ']');
	strbuf_addc(&payload, '}');
	return decode("{}", payload.data, ".");
}

static void test_nesting(void **state)
{
	assert_non_null(decode_nested(100)->result);
	assert_string_equal(decode_nested(101)->code, "invalid_argument");
	assert_string_equal(decode_nested(5000)->code, "invalid_argument");
}

static int tear_down(void **state)
{
	fake_done();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_token),
		cmocka_unit_test(test_no_token),
		cmocka_unit_test(test_nesting),
	};

	return cmocka_run_group_tests(tests, NULL, tear_down);
}
