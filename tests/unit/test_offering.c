/* Offerings as text: what was written comes back, and nothing else is taken. */
#include "supervisor/fleet/offering.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static void test_there_and_back(void **unused)
{
	struct offering offering = { .takes_legacy = true };
	auto_free char *text = NULL;
	auto_free char *again = NULL;

	offering.info = json_pack("{s:{s:{}}}", "capabilities", "tools");
	offering.tools = json_pack("[{s:s#}]", "name", "a\0b", 3);
	text = offering_to_text(&offering);
	offering_done(&offering);
	assert_non_null(text);
	assert_int_equal(offering_from_text(text, &offering), 0);
	assert_true(offering.takes_legacy);
	assert_false(offering.takes_modern);
	assert_non_null(offering_get_capability(&offering, "tools"));
	assert_null(offering_get_capability(&offering, "prompts"));
	assert_null(offering.prompts);
	again = offering_to_text(&offering);
	assert_string_equal(again, text);
	offering_done(&offering);
}

static void test_what_is_no_offering(void **unused)
{
	static const char *const texts[] = { "", "[]", "{}", "{\"info\":[]}",
		"{\"info\":{},\"tools\":{}}", "{\"info\":{},\"tools\":[],\"prompts\":null}",
		"{\"info\":{}", "{\"info\":{}} x" };
	struct offering offering;

	for (size_t i = 0; i < N_ELEMENTS(texts); i++) {
		assert_int_equal(offering_from_text(texts[i], &offering), -EBADMSG);
		assert_null(offering.info);
		assert_null(offering.tools);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_there_and_back),
		cmocka_unit_test(test_what_is_no_offering),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
