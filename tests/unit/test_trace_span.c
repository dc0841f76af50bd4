/* Spans of calls: ids, whose they are, which calls have one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "shared/alloc.h"
#include "supervisor/mcp/trace_span.h"

#define ID "0af7651916cd43dd8448eb211c80319c"
#define PARENT_ID "00f067aa0ba902b7"

static void on_ended(void *arg, const struct trace_span *span)
{
}

static struct trace make_trace(const char *parent, const char *state)
{
	return (struct trace){ .parent = alloc_str(parent), .state = alloc_str(state) };
}

static struct trace_span *begin(unsigned sample, const char *parent)
{
	const struct tracer tracer = { .is_on = true, .sample = sample, .ended = on_ended };
	auto_trace trace = make_trace(parent, parent ? "a=1" : NULL);

	return trace_span_new(&tracer, &trace);
}

static void test_of_a_client_with_a_trace(void **unused)
{
	auto_(trace_span_freep) struct trace_span *span = begin(0, "00-" ID "-" PARENT_ID "-01");
	char parent[SPAN_PARENT_SIZE];
	auto_free char *expected = NULL;

	assert_non_null(span);
	assert_string_equal(span->trace_id, ID);
	assert_string_equal(span->parent_id, PARENT_ID);
	assert_string_equal(span->state, "a=1");
	assert_string_not_equal(span->id, PARENT_ID);
	assert_int_equal(span->end, SPAN_CANCELLED);
	trace_span_get_parent(span, parent);
	expected = alloc_printf("00-" ID "-%s-01", span->id);
	assert_string_equal(parent, expected);
	assert_true(trace_is_parent((struct span){ parent, strlen(parent) }));
}

static void test_of_a_client_without(void **unused)
{
	auto_(trace_span_freep) struct trace_span *one = begin(100, NULL);
	auto_(trace_span_freep) struct trace_span *two = begin(100, NULL);
	char parent[SPAN_PARENT_SIZE];

	assert_non_null(one);
	assert_non_null(two);
	assert_string_equal(one->parent_id, "");
	assert_null(one->state);
	assert_string_not_equal(one->trace_id, two->trace_id);
	assert_string_not_equal(one->id, two->id);
	trace_span_get_parent(one, parent);
	assert_true(trace_is_parent((struct span){ parent, strlen(parent) }));
}

/* Its word counts in both directions, whatever the settings say; a flag that nobody knows yet does not. */
static void test_the_client_decides(void **unused)
{
	static const struct {
		const char *parent;
		bool has_span;
	} cases[] = { { "00-" ID "-" PARENT_ID "-00", false },
		{ "00-" ID "-" PARENT_ID "-01", true }, { "00-" ID "-" PARENT_ID "-02", false },
		{ "00-" ID "-" PARENT_ID "-03", true }, { "00-" ID "-" PARENT_ID "-f1", true },
		{ "00-" ID "-" PARENT_ID "-1e", false },
		{ "cc-" ID "-" PARENT_ID "-01-more", true } };

	for (size_t i = 0; i < N_ELEMENTS(cases); i++)
		for (unsigned sample = 0; sample <= 100; sample += 100) {
			auto_(trace_span_freep) struct trace_span *span =
				begin(sample, cases[i].parent);

			if ((span != NULL) != cases[i].has_span)
				fail_msg("%s at %u %%", cases[i].parent, sample);
		}
}

static void test_nobody_listens(void **unused)
{
	const struct tracer nobody = { 0 };
	auto_trace trace = make_trace("00-" ID "-" PARENT_ID "-01", NULL);

	assert_null(trace_span_new(&nobody, &trace));
}

static void test_samples(void **unused)
{
	unsigned n = 0;

	assert_false(trace_span_samples("00000000000000000000000000000000", 0));
	assert_true(trace_span_samples("00000000000000000000000000000000", 1));
	assert_true(trace_span_samples("ffffffffffffffffffffffffffffffff", 100));
	assert_false(trace_span_samples("ffffffffffffffffffffffffffffffff", 99));
	assert_true(trace_span_samples("ffffffffffffffffff00000000000000", 1));
	assert_false(trace_span_samples("000000000000000000ffffffffffffff", 50));
	for (int i = 0; i < 4000; i++) {
		auto_(trace_span_freep) struct trace_span *span = begin(25, NULL);

		n += span != NULL;
	}
	assert_in_range(
		n, 800, 1200); /* 1000, and more than seven standard deviations to each side */
}

static void test_its_time(void **unused)
{
	auto_(trace_span_freep) struct trace_span *span = begin(100, NULL);

	trace_span_end(span);
	assert_true(span->start_ns > INT64_C(1500000000) * 1000000000);
	assert_in_range(span->end_ns - span->start_ns, 0, INT64_C(10) * 1000000000);
}

static void test_texts_are_cut_and_mended(void **unused)
{
	auto_free char *longest = alloc_zero(100001);
	auto_free char *text = NULL;
	auto_free char *mended = trace_span_text("a\xff"
						 "b",
		3);

	memset(longest, 'x', 100000);
	text = trace_span_text(longest, 100000);
	assert_int_equal(strlen(text), SPAN_MAX_TEXT_CHARS);
	assert_string_equal(mended, "a\xef\xbf\xbd"
				    "b");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_of_a_client_with_a_trace),
		cmocka_unit_test(test_of_a_client_without),
		cmocka_unit_test(test_the_client_decides),
		cmocka_unit_test(test_nobody_listens),
		cmocka_unit_test(test_samples),
		cmocka_unit_test(test_its_time),
		cmocka_unit_test(test_texts_are_cut_and_mended),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
