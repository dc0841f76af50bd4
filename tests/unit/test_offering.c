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

#define TOOLS "[{\"z\":1e400,\"name\":\"a\",\"x\":\"\\u0000\"}]"

static struct offering make_offering(void)
{
	return (struct offering){
		.info = parse(
			"{\"capabilities\":{\"tools\":{\"listChanged\":true},\"logging\":{}}}"),
		.tools = alloc_str(TOOLS),
		.prompts = alloc_str("[]"),
		.takes_legacy = true,
	};
}

static struct jspan span(const char *text)
{
	struct jspan span;

	assert_int_equal(jspan_check(text, strlen(text), &span, NULL), 0);
	return span;
}

/* Pages are joined byte for byte, but for line breaks. */
static void test_pages(void **unused)
{
	struct offering offering = { 0 };

	assert_int_equal(offering_count(offering.prompts), 0);
	offering_add_page(&offering.prompts, span("[]"));
	assert_string_equal(offering.prompts, "[]");
	offering_add_page(
		&offering.prompts, span("[\r\n{\"n\":\n123456789012345678901234567890} ]"));
	assert_string_equal(offering.prompts, "[{\"n\": 123456789012345678901234567890}]");
	offering_add_page(&offering.prompts, span("[ ]"));
	offering_add_page(&offering.prompts, span("[1.10, 2]"));
	assert_string_equal(offering.prompts, "[{\"n\": 123456789012345678901234567890},1.10, 2]");
	assert_int_equal(offering_count(offering.prompts), 3);
	offering_drop_lists(&offering);
	assert_null(offering.prompts);
}

static void test_there_and_back(void **unused)
{
	struct offering offering = make_offering();
	struct offering back;
	auto_free char *text = offering_to_text(&offering);
	auto_free char *again = NULL;

	assert_int_equal(offering_from_text(text, &back), 0);
	assert_true(json_equal(back.info, offering.info));
	assert_string_equal(back.tools, TOOLS);
	assert_string_equal(back.prompts, "[]");
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
		"{\"info\":{}} x", "{\"info\":{},\"tools\":[1e]}",
		"{\"info\":{},\"info\":{},\"tools\":[]}" };

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
		cmocka_unit_test(test_pages),
		cmocka_unit_test(test_there_and_back),
		cmocka_unit_test(test_texts_can_be_compared),
		cmocka_unit_test(test_no_offering),
		cmocka_unit_test(test_capabilities),
		cmocka_unit_test(test_modern_only),
		cmocka_unit_test(test_lists_are_dropped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
