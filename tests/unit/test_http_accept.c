/* Accept and Content-Type, as clients write them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "supervisor/front/http_accept.h"

static struct span span_of(const char *text)
{
	return (struct span){ .at = text, .len = strlen(text) };
}

/* Bits: 1 JSON, 2 event stream. */
static unsigned accepted(const char *first, const char *second)
{
	struct http1_request req = { 0 };

	req.fields[req.n_fields++] =
		(struct http1_field){ .name = span_of("Host"), .value = span_of("x") };
	if (first)
		req.fields[req.n_fields++] =
			(struct http1_field){ .name = span_of("ACCEPT"), .value = span_of(first) };
	if (second)
		req.fields[req.n_fields++] =
			(struct http1_field){ .name = span_of("accept"), .value = span_of(second) };
	return (http_accepts(&req, "application/json") ? 1U : 0U) |
	       (http_accepts(&req, "text/event-stream") ? 2U : 0U);
}

static void test_accept(void **unused)
{
	static const struct {
		const char *value;
		unsigned types;
	} cases[] = {
		{ "application/json, text/event-stream", 3 },
		{ "text/event-stream,application/json", 3 },
		{ "Text/Event-Stream , APPLICATION/JSON", 3 },
		{ "application/json", 1 },
		{ "text/event-stream", 2 },
		{ "*/*", 3 },
		{ "text/*", 2 },
		{ "application/*;q=0.5, text/html", 1 },
		{ "application/json;q=0.9, text/event-stream;q=0.1", 3 },
		{ "application/json;charset=utf-8", 1 },
		{ "*/*, application/json;q=0", 2 },
		{ "application/json;q=0, */*", 2 },
		{ "application/json ; q=0.000 , text/event-stream; Q=0", 0 },
		{ "application/json;q=0.001", 1 },
		{ "*/*;q=0", 0 },
		{ "text/*;q=0, */*;q=0.1", 1 },
		{ "text/event-stream;q=0, text/event-stream", 2 },
		{ "text/html;x=\", application/json, \"", 0 },
		{ "text/html;x=\"\\\", \", application/json", 1 },
		{ "text/html;x=\"application/json", 0 },
		{ "text/html", 0 },
		{ "", 0 },
		{ ",,;;,", 0 },
		{ "application/jsonx, text/event-stream2", 0 },
		{ "application", 0 },
		{ "application/", 0 },
		{ "*", 0 },
		{ "*/json", 0 },
	};

	for (size_t i = 0; i < N_ELEMENTS(cases); i++)
		if (accepted(cases[i].value, NULL) != cases[i].types)
			fail_msg("'%s'", cases[i].value);
	assert_int_equal(accepted(NULL, NULL), 3);
	assert_int_equal(accepted("application/json", "text/event-stream"), 3);
	assert_int_equal(accepted("text/html", "image/png"), 0);
}

/* JSON rather than HTML? */
static bool prefers(const char *value)
{
	struct http1_request req = { 0 };

	if (value)
		req.fields[req.n_fields++] =
			(struct http1_field){ .name = span_of("Accept"), .value = span_of(value) };
	return http_prefers(&req, "application/json", "text/html");
}

static void test_preference(void **unused)
{
	static const struct {
		const char *value;
		bool is_json;
	} cases[] = {
		{ NULL, false },
		{ "*/*", false },
		{ "application/json", true },
		{ "text/html", false },
		{ "application/json, text/html", false },
		{ "application/json, text/plain, */*", true },
		{ "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", false },
		{ "application/json, text/html;q=0.999", true },
		{ "application/json;q=0.5, text/html;q=0.51", false },
		{ "application/json;q=0.2, text/html;q=0.1", true },
		{ "application/json;q=0.2, */*;q=0.1", true },
		{ "application/*, text/html;q=0.9", true },
		{ "application/json;q=0, text/html;q=0", false },
		{ "image/png", false },
		/* no weights in form: as if there were none */
		{ "application/json;q=2, text/html;q=0.9", true },
		{ "application/json;q=1.5, text/html;q=0.9", true },
		{ "application/json;q=0.1234, text/html;q=0.9", true },
		{ "application/json;q=0,5, text/html;q=0.9", false },
		{ "application/json;q=.5, text/html;q=0.9", true },
		{ "application/json;q=0.5x, text/html;q=0.9", true },
		{ "application/json;q=-1, text/html;q=0.9", true },
		{ "application/json;q=, text/html;q=0.9", true },
	};

	for (size_t i = 0; i < N_ELEMENTS(cases); i++)
		if (prefers(cases[i].value) != cases[i].is_json)
			fail_msg("'%s'", cases[i].value ? cases[i].value : "none");
}

static void test_type(void **unused)
{
	static const char *const right[] = { "application/json", "Application/JSON",
		"application/json; charset=utf-8", "application/json;charset=\"utf-8\"",
		"application/json \t;x=y" };
	static const char *const wrong[] = { "", "application/jsonx", "text/plain", "json",
		"application/json, text/plain", "application/ json", "application/json x" };

	for (size_t i = 0; i < N_ELEMENTS(right); i++)
		assert_true(http_is_type(span_of(right[i]), "application/json"));
	for (size_t i = 0; i < N_ELEMENTS(wrong); i++)
		assert_false(http_is_type(span_of(wrong[i]), "application/json"));
	assert_false(http_is_type((struct span){ 0 }, "application/json"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_accept),
		cmocka_unit_test(test_preference),
		cmocka_unit_test(test_type),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
