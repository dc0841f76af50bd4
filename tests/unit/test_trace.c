/* Trace context: what is valid, and where it is taken from. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "supervisor/mcp/trace.h"

#define ID "0af7651916cd43dd8448eb211c80319c"
#define PARENT "00-" ID "-00f067aa0ba902b7-01"
#define OTHER_ID "11111111111111111111111111111111"
#define OTHER "00-" OTHER_ID "-2222222222222222-00"

static struct span span(const char *text)
{
	return (struct span){ .at = text, .len = text ? strlen(text) : 0 };
}

static void test_parents(void **unused)
{
	static const char *const good[] = { PARENT, OTHER, "00-" ID "-00f067aa0ba902b7-ff",
		"01-" ID "-00f067aa0ba902b7-01", "fe-" ID "-00f067aa0ba902b7-01",
		"cc-" ID "-00f067aa0ba902b7-01-what-comes-later",
		"01-" ID "-00f067aa0ba902b7-01-" };
	static const char *const bad[] = { NULL, "", "00", "00-" ID "-00f067aa0ba902b7",
		"00-" ID "-00f067aa0ba902b7-", "00-" ID "-00f067aa0ba902b7-1",
		"00-" ID "-00f067aa0ba902b7-011", "00-" ID "-00f067aa0ba902b7-01-",
		"00-" ID "-00f067aa0ba902b7-01-x", "01-" ID "-00f067aa0ba902b7-01x",
		"01-" ID "-00f067aa0ba902b7-01- ", "01-" ID "-00f067aa0ba902b7-01-\xc3\xa4",
		"ff-" ID "-00f067aa0ba902b7-01", "FE-" ID "-00f067aa0ba902b7-01",
		"0x-" ID "-00f067aa0ba902b7-01", "00_" ID "-00f067aa0ba902b7-01",
		"00-" ID "_00f067aa0ba902b7-01", "00-" ID "-00f067aa0ba902b7_01",
		"00-00000000000000000000000000000000-00f067aa0ba902b7-01",
		"00-" ID "-0000000000000000-01",
		"00-0AF7651916CD43DD8448EB211C80319C-00f067aa0ba902b7-01",
		"00-" ID "-00F067AA0BA902B7-01", "00-" ID "-00f067aa0ba902b7-0G",
		"00-" ID "-00f067aa0ba902b7-0A",
		"00-0af7651916cd43dd8448eb211c80319g-00f067aa0ba902b7-01", " " PARENT, PARENT " " };

	for (size_t i = 0; i < N_ELEMENTS(good); i++)
		if (!trace_is_parent(span(good[i])))
			fail_msg("refused: %s", good[i]);
	for (size_t i = 0; i < N_ELEMENTS(bad); i++)
		if (trace_is_parent(span(bad[i])))
			fail_msg("taken: %s", bad[i]);
}

static void test_lists(void **unused)
{
	static const char *const good[] = { "a=1", "congo=t61rcWkgMzE,rojo=00f067aa0ba902b7",
		"a=1 , b=\"\\", "a=", "a=1;p=2" };
	static const char *const bad[] = { NULL, "", "a", ",", "a=\n", "a=\x7f", "a=\xc3\xa4",
		"a=1\x01" };

	for (size_t i = 0; i < N_ELEMENTS(good); i++)
		if (!trace_is_state(span(good[i])) || !trace_is_baggage(span(good[i])))
			fail_msg("refused: %s", good[i]);
	for (size_t i = 0; i < N_ELEMENTS(bad); i++)
		if (trace_is_state(span(bad[i])) || trace_is_baggage(span(bad[i])))
			fail_msg("taken: %s", bad[i]);
}

static void test_lengths(void **unused)
{
	auto_strbuf text = { 0 };

	strbuf_addf(&text, "a=%0*d", TRACE_MAX_BYTES - 2, 0);
	assert_true(trace_is_state(span(strbuf_get(&text))));
	assert_true(trace_is_baggage(span(strbuf_get(&text))));
	strbuf_addc(&text, '0');
	assert_false(trace_is_state(span(strbuf_get(&text))));
	assert_false(trace_is_baggage(span(strbuf_get(&text))));

	strbuf_cut(&text, 0);
	strbuf_addf(&text, "01-" ID "-00f067aa0ba902b7-01-%0*d", TRACE_MAX_BYTES - 56, 0);
	assert_true(trace_is_parent(span(strbuf_get(&text))));
	strbuf_addc(&text, '0');
	assert_false(trace_is_parent(span(strbuf_get(&text))));
}

/* What a test gives: members of `_meta` as JSON text, and three headers. */
struct given {
	const char *meta, *parent, *state, *baggage;
};

static void read_trace(const struct given *g, struct trace *ret)
{
	auto_strbuf text = { 0 };
	struct mcp_headers h = { .is_http = true,
		.traceparent = span(g->parent),
		.tracestate = span(g->state),
		.baggage = span(g->baggage) };
	struct envelope e;
	struct rpc rpc;
	const char *why;

	strbuf_addf(&text,
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\",\"params\":{\"_meta\":{%s}}}",
		g->meta);
	assert_int_equal(rpc_parse(text.data, text.len, &rpc, &why), 0);
	envelope_read(&rpc, &h, &e);
	trace_read(&e, &h, ret);
}

static void assert_text(const char *text, const char *wanted)
{
	assert_int_equal(text != NULL, wanted != NULL);
	if (wanted)
		assert_string_equal(text, wanted);
}

static void test_where_from(void **unused)
{
	static const struct {
		struct given given;
		const char *parent, *state, *baggage; /* what is chosen */
	} cases[] = {
		{ { .meta = "" }, NULL, NULL, NULL },
		{ { .meta = "\"traceparent\":\"" PARENT "\"" }, PARENT, NULL, NULL },
		{ { .meta = "\"traceparent\":\"" PARENT
			    "\",\"tracestate\":\"a=1\",\"baggage\":\"b=2\"" },
			PARENT, "a=1", "b=2" },
		{ { .meta = "\"tracestate\":\"a=\\\"\\\\\",\"traceparent\":\"\\u0030"
			    "0-" ID "-00f067aa0ba902b7-01\"" },
			PARENT, "a=\"\\", NULL },
		/* HTTP alone */
		{ { .meta = "", .parent = PARENT, .state = "a=\"1\"", .baggage = "b=2" }, PARENT,
			"a=\"1\"", "b=2" },
		{ { .meta = "", NULL, NULL, "b=2" }, NULL, NULL, "b=2" },
		/* both: _meta counts, and its parts are not mixed with the other's */
		{ { .meta = "\"traceparent\":\"" PARENT "\"", OTHER, "x=9", "b=2" }, PARENT, NULL,
			"b=2" },
		{ { .meta = "\"baggage\":\"b=1\"", OTHER, "x=9", "b=2" }, OTHER, "x=9", "b=1" },
		{ { .meta = "\"traceparent\":\"nonsense\"", OTHER, "x=9", NULL }, NULL, NULL,
			NULL },
		{ { .meta = "\"tracestate\":\"a=1\"", OTHER, "x=9", NULL }, NULL, NULL, NULL },
		{ { .meta = "\"baggage\":7", NULL, NULL, "b=2" }, NULL, NULL, NULL },
		{ { .meta = "\"baggage\":\"b=1\",\"baggage\":\"b=1\"", OTHER, NULL, "b=2" }, NULL,
			NULL, NULL },
		/* malformed */
		{ { .meta = "\"traceparent\":null" }, NULL, NULL, NULL },
		{ { .meta = "\"traceparent\":\"" PARENT "\",\"tracestate\":\"\\u0001=\"" }, PARENT,
			NULL, NULL },
		{ { .meta = "\"traceparent\":\"" PARENT "\",\"tracestate\":\"a=\\u0000\"" }, PARENT,
			NULL, NULL },
		{ { .meta = "\"traceparent\":\"" PARENT "\\u0000\"" }, NULL, NULL, NULL },
		{ { .meta = "", "nonsense", "a=1", "\x01" }, NULL, NULL, NULL },
		{ { .meta = "", NULL, "a=1", NULL }, NULL, NULL, NULL },
		{ { .meta = "", PARENT, "", NULL }, PARENT, NULL, NULL },
	};

	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		auto_trace trace = { 0 };

		print_message("%zu\n", i);
		read_trace(&cases[i].given, &trace);
		assert_text(trace.parent, cases[i].parent);
		assert_text(trace.state, cases[i].state);
		assert_text(trace.baggage, cases[i].baggage);
	}
}

static void test_no_http(void **unused)
{
	struct mcp_headers h = { .traceparent = span(PARENT), .baggage = span("a=1") };
	struct envelope e = { 0 };
	auto_trace trace = { 0 };

	trace_read(&e, NULL, &trace);
	assert_null(trace.parent);
	trace_read(&e, &h, &trace);
	assert_null(trace.parent);
	assert_null(trace.baggage);
}

static void test_id(void **unused)
{
	char id[TRACE_ID_SIZE] = "untouched";
	auto_trace in_meta = { 0 };
	auto_trace by_http = { 0 };
	auto_trace none = { 0 };

	read_trace(&(struct given){ .meta = "\"traceparent\":\"" PARENT "\"" }, &in_meta);
	assert_true(trace_get_id(&in_meta, id));
	assert_string_equal(id, ID);
	read_trace(&(struct given){ .meta = "", .parent = OTHER }, &by_http);
	assert_true(trace_get_id(&by_http, id));
	assert_string_equal(id, OTHER_ID);
	read_trace(&(struct given){ .meta = "", .baggage = "a=1" }, &none);
	assert_false(trace_get_id(&none, id));
	assert_string_equal(id, OTHER_ID);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parents),
		cmocka_unit_test(test_lists),
		cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_where_from),
		cmocka_unit_test(test_no_http),
		cmocka_unit_test(test_id),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
