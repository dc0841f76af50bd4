/* jx: JSON as text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "shared/jx.h"

static const char *const same[] = { "null", "true", "false", "0", "-9223372036854775808",
	"9223372036854775807", "0.1", "1e+300", "5.0", "-0.0", "4.94065645841247e-324",
	"1.7976931348623157e+308", "0.30000000000000004", "\"\"",
	"\"a\\u0000\\n\\\"\\\\\xc3\xa4\\u007f\"", "[]", "{}", "[1,[2.5,{}],\"x\"]",
	"{\"b\":1,\"a\":{\"c\":[null]},\"\\n\":true}" };

static void test_dump(void **state)
{
	for (size_t i = 0; i < N_ELEMENTS(same); i++) {
		json_auto_t *value = json_loads(same[i], JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
		auto_strbuf text = { 0 };

		assert_non_null(value);
		jx_dump(&text, value);
		assert_string_equal(strbuf_get(&text), same[i]);
	}
}

static void test_real_text(void **state)
{
	static const struct {
		double value;
		const char *text;
	} cases[] = { { 5, "5" }, { 0.1, "0.1" }, { 1.0 / 3, "0.3333333333333333" },
		{ 1e21, "1e+21" }, { -2.5, "-2.5" } };

	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		char text[32];

		jx_real_text(text, cases[i].value);
		assert_string_equal(text, cases[i].text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_dump),
		cmocka_unit_test(test_real_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
