/* Tool number_convert_base. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "shared/alloc.h"
#include "shared/strbuf.h"
#include "tests/unit/fake_call.h"
#include "workers/utils/tools.h"

static const struct {
	const char *value;
	int from;
	int to;
	const char *want; /* NULL: invalid_argument */
} cases[] = {
	{ "255", 10, 16, "ff" },
	{ "FF", 16, 10, "255" },
	{ "0xff", 16, 2, "11111111" },
	{ "0b11", 16, 10, "2833" }, /* b is a digit there */
	{ "0b11", 2, 10, "3" },
	{ "-0O17", 8, 10, "-15" },
	{ "0x1", 36, 10, "1189" },
	{ "zz", 36, 10, "1295" },
	{ "+7", 10, 2, "111" },
	{ "-10", 10, 3, "-101" },
	{ "-0", 10, 2, "0" },
	{ "000", 10, 36, "0" },
	{ "340282366920938463463374607431768211456", 10, 16, "100000000000000000000000000000000" },
	{ "12", 2, 10, NULL },
	{ "0x", 16, 10, NULL },
	{ "-", 10, 2, NULL },
	{ "--1", 10, 2, NULL },
	{ "1.5", 10, 2, NULL },
	{ "1 0", 10, 2, NULL },
	{ "é", 36, 2, NULL },
	{ "g", 16, 2, NULL },
	{ "0x10", 10, 2, NULL },
	{ "1", 1, 2, NULL },
	{ "1", 10, 37, NULL },
	{ "", 10, 2, NULL },
};

static void test_cases(void **state)
{
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		auto_free char *args =
			alloc_printf("{\"value\":\"%s\",\"from_base\":%d,\"to_base\":%d}",
				cases[i].value, cases[i].from, cases[i].to);
		const struct fake_answer *answer =
			fake_run(number_tools, "number_convert_base", args);

		if (!cases[i].want)
			assert_string_equal(answer->code, "invalid_argument");
		else if (!answer->result || !streq(fake_text("result"), cases[i].want))
			fail_msg("%s: '%s'", args, fake_text("result"));
	}
}

static void test_largest(void **state)
{
	auto_strbuf args = { 0 };

	strbuf_adds(&args, "{\"from_base\":36,\"to_base\":2,\"value\":\"");
	for (int i = 0; i < 1024; i++)
		strbuf_adds(&args, "z");
	strbuf_adds(&args, "\"}");
	assert_non_null(fake_run(number_tools, "number_convert_base", strbuf_get(&args))->result);
	assert_int_equal(strlen(fake_text("result")), 5295);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_largest),
	};
	int failed = cmocka_run_group_tests_name("number_convert_base", tests, NULL, NULL);

	fake_done();
	return failed;
}
