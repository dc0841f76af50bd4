/* What a worker offers: to a text and back, and what is given back when. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "shared/alloc.h"
#include "supervisor/fleet/offering.h"

static json_t *parse(const char *text)
{
	json_t *json = json_loads(text, JSON_ALLOW_NUL, NULL);

	assert_non_null(json);
	return json;
}

static struct offering make_offering(void)
{
	return (struct offering){
		.info = parse(
			"{\"capabilities\":{\"tools\":{\"listChanged\":true},\"logging\":{}}}"),
		.tools = parse("[{\"name\":\"a\",\"x\":\"\\u0000\"}]"),
		.prompts = parse("[]"),
		.takes_legacy = true,
	};
}

static void test_there_and_back(void **unused)
{
	struct offering offering = make_offering();
	struct offering back;
	auto_free char *text = offering_to_text(&offering);
	auto_free char *again = NULL;

	assert_int_equal(offering_from_text(text, &back), 0);
	assert_true(json_equal(back.info, offering.info));
	assert_true(json_equal(back.tools, offering.tools));
	assert_true(json_equal(back.prompts, offering.prompts));
	assert_null(back.resources); /* none is not the same as empty */
	assert_null(back.templates);
	assert_true(back.takes_legacy);
	assert_false(back.takes_modern);
	again = offering_to_text(&back);
	assert_string_equal(again, text);
	offering_done(&offering);
	offering_done(&back);
}

/* Equal offerings give equal texts; the order of members is the worker's, and stays. */
static void test_texts_can_be_compared(void **unused)
{
	struct offering a = { .info = parse("{\"x\":1,\"y\":{\"a\":1,\"b\":2}}") };
	struct offering b = { .info = parse("{\"x\":1,\"y\":{\"a\":1,\"b\":2}}") };
	auto_free char *text_a = offering_to_text(&a);
	auto_free char *text_b = offering_to_text(&b);
	auto_free char *text_c = NULL;

	assert_string_equal(text_a, text_b);
	b.takes_modern = true;
	text_c = offering_to_text(&b);
	assert_string_not_equal(text_a, text_c);
	offering_done(&a);
	offering_done(&b);
}

static void test_no_offering(void **unused)
{
	static const char *const texts[] = { "", "x", "[]", "{}", "{\"info\":[]}",
		"{\"info\":{},\"tools\":{}}", "{\"info\":{},\"tools\":[],\"resources\":1}",
		"{\"info\":{},\"templates\":\"\"}", "{\"info\":{},\"prompts\":null}",
		"{\"info\":{}} x" };

	for (size_t i = 0; i < N_ELEMENTS(texts); i++) {
		struct offering offering;

		assert_int_equal(offering_from_text(texts[i], &offering), -EBADMSG);
		assert_null(offering.info);
		assert_null(offering.tools);
	}
}

static void test_capabilities(void **unused)
{
	struct offering offering = make_offering();
	struct offering nothing = { 0 };

	assert_true(json_is_object(offering_get_capability(&offering, "logging")));
	assert_true(json_is_true(
		json_object_get(offering_get_capability(&offering, "tools"), "listChanged")));
	assert_null(offering_get_capability(&offering, "prompts"));
	assert_null(offering_get_capability(&nothing, "tools"));
	offering_done(&offering);
}

static void test_modern_only(void **unused)
{
	for (int i = 0; i < 4; i++) {
		const struct offering offering = { .takes_legacy = i & 1, .takes_modern = i & 2 };

		assert_int_equal(offering_is_modern_only(&offering), i == 2);
	}
}

static void test_lists_are_dropped(void **unused)
{
	struct offering offering = make_offering();

	offering_drop_lists(&offering);
	assert_null(offering.tools);
	assert_null(offering.prompts);
	assert_non_null(offering.info);
	assert_true(offering.takes_legacy);
	offering_done(&offering);
	assert_null(offering.info);
	assert_false(offering.takes_legacy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_there_and_back),
		cmocka_unit_test(test_texts_can_be_compared),
		cmocka_unit_test(test_no_offering),
		cmocka_unit_test(test_capabilities),
		cmocka_unit_test(test_modern_only),
		cmocka_unit_test(test_lists_are_dropped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
