/* Spans on their way to a collector: their JSON, batches, what is tried again, what is dropped. The courier is a fake:
 * the test answers its requests. */
#include <errno.h>
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "shared/alloc.h"
#include "shared/log.h"
#include "supervisor/ops/otlp.h"

static struct {
	struct loop *loop;
	struct otlp *otlp;
	struct tracer tracer;
	courier_fn *fn; /* of the request under way; NULL: there is none */
	void *arg;
	char *body;
	char *url;
	unsigned n_requests;
	unsigned n_stopped;
	bool is_busy; /* each request is refused at once */
} here;

void courier_post(
	struct courier *courier, const struct courier_post *post, courier_fn *fn, void *arg)
{
	struct fail fail = { .code = -EBUSY, .text = "busy" };

	here.n_requests++;
	if (here.is_busy) {
		fn(arg, NULL, &fail);
		return;
	}
	assert_null(here.fn); /* one at a time */
	here.fn = fn;
	here.arg = arg;
	free(here.body);
	free(here.url);
	here.body = alloc_mem(post->body, post->body_len);
	here.url = alloc_str(post->url);
}

static void give(const struct courier_answer *a)
{
	courier_fn *fn = here.fn;

	assert_non_null(fn);
	here.fn = NULL;
	fn(here.arg, a, NULL);
}

static void answer(int status, int64_t retry_after_s)
{
	give(&(struct courier_answer){
		.status = status, .body = "", .retry_after_s = retry_after_s });
}

static void answer_with(const char *body)
{
	give(&(struct courier_answer){ .status = 200, .body = body, .body_len = strlen(body) });
}

static void fail_with(int code)
{
	struct fail fail = { .code = code, .text = "no connection" };
	courier_fn *fn = here.fn;

	assert_non_null(fn);
	here.fn = NULL;
	fn(here.arg, NULL, &fail);
}

static char text_url[] = "http://collector";
static char text_none[] = "";

static void use(char *url, unsigned sample, int64_t interval_ms)
{
	const struct conf_otlp conf = { .url = url,
		.headers_file = text_none,
		.ca_file = text_none,
		.sample = sample,
		.interval_ms = interval_ms };

	otlp_set_conf(here.otlp, &conf);
	otlp_get_tracer(here.otlp, &here.tracer);
}

static int set_up(void **unused)
{
	log_init("test", LOG_TARGET_TEXT, LOG_LEVEL_ERROR);
	memset(&here, 0, sizeof(here));
	here.loop = loop_new_fake();
	here.otlp = otlp_new(here.loop, NULL);
	use(text_url, 100, 5000);
	return 0;
}

static int tear_down(void **unused)
{
	otlp_free(here.otlp);
	loop_free(here.loop);
	free(here.body);
	free(here.url);
	return 0;
}

static void add_spans(unsigned n, const char *target)
{
	for (unsigned i = 0; i < n; i++) {
		struct trace_span span = { .trace_id = "0af7651916cd43dd8448eb211c80319c",
			.id = "00f067aa0ba902b7",
			.method = "tools/call",
			.transport = "stdio",
			.revision = "2025-11-25",
			.end = SPAN_ANSWERED };

		span.target = alloc_str(target);
		here.tracer.ended(here.tracer.arg, &span);
		free(span.target);
	}
}

/* How many spans the last request had. */
static size_t sent(void)
{
	json_auto_t *json = json_loads(here.body, JSON_REJECT_DUPLICATES, NULL);
	json_t *spans = NULL;

	assert_non_null(json);
	assert_int_equal(json_unpack(json, "{s:[{s:[{s:o}]}]}", "resourceSpans", "scopeSpans",
				 "spans", &spans),
		0);
	return json_array_size(spans);
}

static struct otlp_stats stats(void)
{
	struct otlp_stats ret;

	otlp_get_stats(here.otlp, &ret);
	return ret;
}

/* --- JSON --------------------------------------------------------------------------------------- */

#define TEXT(key, value) "{\"key\":\"" key "\",\"value\":{\"stringValue\":\"" value "\"}}"

static void assert_span(const struct trace_span *span, const char *expected)
{
	auto_strbuf text = { 0 };
	json_auto_t *json = NULL;

	otlp_add_span(&text, span);
	assert_string_equal(text.data, expected);
	json = json_loads(text.data, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(json);
}

static void test_a_span_as_json(void **unused)
{
	static char target[] = "git_status";
	static char state[] = "a=\"1\"";
	static char id[] = "7";
	static char domain[] = "git";
	static char address[] = "192.0.2.1";
	const struct trace_span span = { .trace_id = "0af7651916cd43dd8448eb211c80319c",
		.id = "00f067aa0ba902b7",
		.parent_id = "b7ad6b7169203331",
		.state = state,
		.start_ns = 1000000000000000001,
		.end_ns = 1000000000000000002,
		.method = "tools/call",
		.target = target,
		.request_id = id,
		.transport = "streamable",
		.revision = "2025-11-25",
		.session = "12345678",
		.address = address,
		.domain = domain,
		.worker = 2,
		.end = SPAN_ANSWERED };

	assert_span(&span,
		"{\"traceId\":\"0af7651916cd43dd8448eb211c80319c\",\"spanId\":\"00f067aa0ba902b7\","
		"\"parentSpanId\":\"b7ad6b7169203331\",\"traceState\":\"a=\\\"1\\\"\",\"flags\":769,"
		"\"name\":\"tools/call git_status\",\"kind\":2,\"startTimeUnixNano\":"
		"\"1000000000000000001\",\"endTimeUnixNano\":\"1000000000000000002\",\"attributes\":[" TEXT(
			"mcp.method.name", "tools/call") "," TEXT("mcp.protocol.version",
			"2025-11-25") "," TEXT("mcp.session.id",
			"12345678") "," TEXT("jsonrpc.request.id",
			"7") "," TEXT("gen_ai.operation.name",
			"execute_tool") "," TEXT("gen_ai.tool.name",
			"git_status") "," TEXT("network.transport",
			"tcp") "," TEXT("network.protocol.name", "http") "," TEXT("client.address",
			"192.0.2.1") "," TEXT("mcp_fleet.transport",
			"streamable") "," TEXT("mcp_fleet.domain",
			"git") "," TEXT("mcp_fleet.worker", "git/2") "]}");
}

static void test_a_span_that_failed(void **unused)
{
	static char uri[] = "file:///\"x\"";
	static char message[] = "no \"x\"";
	const struct trace_span span = { .trace_id = "0af7651916cd43dd8448eb211c80319c",
		.id = "00f067aa0ba902b7",
		.method = "resources/read",
		.uri = uri,
		.transport = "local",
		.end = SPAN_ERROR,
		.code = -31001,
		.message = message };

	assert_span(&span,
		"{\"traceId\":\"0af7651916cd43dd8448eb211c80319c\",\"spanId\":\"00f067aa0ba902b7\","
		"\"flags\":257,\"name\":\"resources/read\",\"kind\":2,\"startTimeUnixNano\":\"0\","
		"\"endTimeUnixNano\":\"0\",\"attributes\":[" TEXT(
			"mcp.method.name", "resources/read") "," TEXT("mcp.resource.uri",
			"file:///\\\"x\\\"") "," TEXT("network.transport",
			"unix") "," TEXT("mcp_fleet.transport", "local") "," TEXT("error.type",
			"-31001") "," TEXT("rpc.response.status_code",
			"-31001") "],\"status\":{\"code\":2,"
				  "\"message\":\"no \\\"x\\\"\"}}");
}

static void test_ways_to_end(void **unused)
{
	static const struct {
		enum span_end end;
		const char *part;
	} cases[] = { { SPAN_CANCELLED, "\"cancelled\"" }, { SPAN_TOOL_ERROR, "\"tool_error\"" } };

	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		const struct trace_span span = {
			.method = "tools/call", .transport = "stdio", .end = cases[i].end
		};
		auto_strbuf text = { 0 };

		otlp_add_span(&text, &span);
		assert_non_null(strstr(text.data, cases[i].part));
		assert_non_null(strstr(text.data, "\"status\":{\"code\":2}"));
		assert_non_null(strstr(text.data, "\"pipe\""));
	}
}

/* --- batches ------------------------------------------------------------------------------------ */

static void test_they_go_together(void **unused)
{
	add_spans(3, "a");
	loop_fake_advance(here.loop, 4999);
	assert_int_equal(here.n_requests, 0);
	loop_fake_advance(here.loop, 1);
	assert_int_equal(here.n_requests, 1);
	assert_int_equal(sent(), 3);
	assert_string_equal(here.url, "http://collector/v1/traces");
	add_spans(1, "b"); /* meanwhile */
	assert_int_equal(stats().n_waiting, 4);
	answer(200, 0);
	assert_int_equal(stats().n_waiting, 1);
	assert_int_equal(stats().n_sent, 3);
	loop_fake_advance(here.loop, 5000);
	assert_int_equal(sent(), 1);
	answer(202, 0);
	loop_fake_advance(here.loop, 60000);
	assert_int_equal(here.n_requests, 2);
	assert_int_equal(stats().n_waiting, 0);
	assert_int_equal(stats().waiting_bytes, 0);
}

static void test_many_do_not_wait(void **unused)
{
	add_spans(OTLP_BATCH_SPANS - 1, "a");
	assert_int_equal(here.n_requests, 0);
	add_spans(1, "a");
	assert_int_equal(sent(), OTLP_BATCH_SPANS);
	add_spans(OTLP_BATCH_SPANS + 7, "a");
	assert_int_equal(here.n_requests, 1);
	answer(200, 0);
	assert_int_equal(here.n_requests, 2);
	assert_int_equal(sent(), OTLP_BATCH_SPANS);
	answer(200, 0);
	assert_int_equal(here.n_requests, 2);
	loop_fake_advance(here.loop, 5000);
	assert_int_equal(sent(), 7);
}

static void test_a_request_is_bounded_in_bytes(void **unused)
{
	auto_free char *target = alloc_zero(8001);

	memset(target, 'x', 8000);
	add_spans(100, target); /* fewer than it may have */
	assert_int_equal(here.n_requests, 1);
	assert_in_range(sent(), 10, 70);
	assert_true(strlen(here.body) < OTLP_BATCH_BYTES + 20000);
}

static void test_the_oldest_are_dropped(void **unused)
{
	add_spans(OTLP_MAX_SPANS, "old");
	assert_int_equal(here.n_requests, 1);
	add_spans(10, "new");
	assert_int_equal(stats().n_dropped, 10);
	assert_int_equal(stats().n_waiting, OTLP_MAX_SPANS);
	answer(200, 0); /* what was under way was none of those */
	assert_int_equal(stats().n_sent, OTLP_BATCH_SPANS);
	assert_int_equal(stats().n_waiting, OTLP_MAX_SPANS - OTLP_BATCH_SPANS);
	while (here.fn && stats().n_waiting > OTLP_BATCH_SPANS)
		answer(200, 0);
	assert_non_null(strstr(here.body, "tools/call new"));
}

static void test_bytes_are_bounded(void **unused)
{
	auto_free char *target = alloc_zero(8001);

	memset(target, 'x', 8000);
	here.is_busy = true; /* nothing is under way, ever */
	add_spans(2000, target);
	assert_true(stats().waiting_bytes <= OTLP_MAX_BYTES);
	assert_int_equal(stats().n_waiting + stats().n_dropped, 2000);
	assert_true(stats().n_dropped > 0);
}

/* --- trouble ------------------------------------------------------------------------------------ */

static void test_tried_again_later_and_later(void **unused)
{
	add_spans(2, "a");
	loop_fake_advance(here.loop, 5000);
	fail_with(-EREMOTEIO);
	loop_fake_advance(here.loop, 749); /* a second, less jitter */
	assert_int_equal(here.n_requests, 1);
	loop_fake_advance(here.loop, 251);
	assert_int_equal(here.n_requests, 2);
	fail_with(-EPIPE);
	loop_fake_advance(here.loop, 1499);
	assert_int_equal(here.n_requests, 2);
	add_spans(OTLP_BATCH_SPANS, "b"); /* does not hurry it */
	assert_int_equal(here.n_requests, 2);
	loop_fake_advance(here.loop, 501);
	assert_int_equal(here.n_requests, 3);
	answer(200, 0);
	assert_int_equal(stats().n_sent, OTLP_BATCH_SPANS);
	assert_int_equal(stats().n_failures, 2);
	assert_int_equal(stats().n_dropped, 0);
	for (int i = 0; i < 20; i++) { /* the time between is bounded */
		loop_fake_advance(here.loop, 60000);
		fail_with(-EREMOTEIO);
	}
}

static void test_the_collector_says_when(void **unused)
{
	static const int statuses[] = { 429, 502, 503, 504 };

	for (size_t i = 0; i < N_ELEMENTS(statuses); i++) {
		unsigned before = here.n_requests;

		add_spans(1, "a");
		loop_fake_advance(here.loop, 5000);
		answer(statuses[i], 300);
		loop_fake_advance(here.loop, 299999);
		assert_int_equal(here.n_requests, before + 1);
		loop_fake_advance(here.loop, 1);
		assert_int_equal(here.n_requests, before + 2);
		answer(200, 0);
	}
	add_spans(1, "a");
	loop_fake_advance(here.loop, 5000);
	answer(503, INT32_MAX); /* not for ever */
	loop_fake_advance(here.loop, 3600000);
	answer(200, 0);
	assert_int_equal(stats().n_dropped, 0);
	assert_int_equal(stats().n_sent, N_ELEMENTS(statuses) + 1);
}

static void test_refused_for_good(void **unused)
{
	static const int statuses[] = { 400, 401, 403, 404, 413, 500, 301, 100 };

	for (size_t i = 0; i < N_ELEMENTS(statuses); i++) {
		add_spans(1, "a");
		loop_fake_advance(here.loop, 5000);
		answer(statuses[i], 10);
		assert_int_equal(stats().n_waiting, 0);
		assert_int_equal(stats().n_dropped, i + 1);
	}
	loop_fake_advance(here.loop, 100000);
	assert_int_equal(here.n_requests, N_ELEMENTS(statuses));
}

/* Taken in part: no part is sent again. */
static void test_refused_in_part(void **unused)
{
	static const struct {
		const char *body;
		unsigned n_refused;
	} cases[] = { { "{\"partialSuccess\":{\"rejectedSpans\":\"2\",\"errorMessage\":\"a\\nb\"}}",
			      2 },
		{ "{\"partialSuccess\":{\"rejectedSpans\":3}}", 3 },
		{ "{\"partialSuccess\":{\"rejectedSpans\":\"18446744073709551615\"}}", 3 },
		{ "{\"partialSuccess\":{\"errorMessage\":\"a warning\"}}", 0 },
		{ "{\"partialSuccess\":{\"rejectedSpans\":\"-1\"}}", 0 },
		{ "{\"partialSuccess\":{\"rejectedSpans\":\"\"}}", 0 },
		{ "{\"partialSuccess\":null}", 0 }, { "{\"partialSuccess\":[2]}", 0 }, { "{}", 0 },
		{ "", 0 }, { "no JSON", 0 }, { "{\"partialSuccess\":{\"rejectedSpans\":2", 0 } };
	uint64_t n_dropped = 0;

	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		add_spans(3, "a");
		loop_fake_advance(here.loop, 5000);
		answer_with(cases[i].body);
		n_dropped += cases[i].n_refused;
		assert_int_equal(stats().n_waiting, 0);
		assert_int_equal(stats().n_dropped, n_dropped);
		assert_int_equal(stats().n_sent, 3 * (i + 1) - n_dropped);
		assert_int_equal(stats().n_failures, 0);
	}
}

/* What was under way is among the oldest again, and may be dropped. */
static void test_dropped_while_it_is_down(void **unused)
{
	add_spans(OTLP_BATCH_SPANS, "old");
	fail_with(-EREMOTEIO);
	add_spans(OTLP_MAX_SPANS, "new");
	assert_int_equal(stats().n_dropped, OTLP_BATCH_SPANS);
	loop_fake_advance(here.loop, 1000);
	assert_int_equal(sent(), OTLP_BATCH_SPANS);
	assert_null(strstr(here.body, "tools/call old"));
}

/* --- settings and the end ----------------------------------------------------------------------- */

static void test_off_and_on(void **unused)
{
	add_spans(3, "a");
	loop_fake_advance(here.loop, 5000);
	add_spans(4, "b");
	use(text_none, 100, 5000);
	assert_false(here.tracer.is_on);
	assert_int_equal(stats().n_waiting, 0);
	assert_int_equal(stats().n_dropped, 7);
	use(text_url, 10, 100);
	assert_true(here.tracer.is_on);
	assert_int_equal(here.tracer.sample, 10);
	add_spans(1, "c");
	answer(200, 0); /* of what was under way when all of it was dropped */
	assert_int_equal(stats().n_sent, 0);
	assert_int_equal(stats().n_waiting, 1);
	loop_fake_advance(here.loop, 100);
	assert_int_equal(sent(), 1);
}

static void test_a_reload_tries_at_once(void **unused)
{
	add_spans(1, "a");
	loop_fake_advance(here.loop, 5000);
	answer(503, 3000);
	use(text_url, 100, 100);
	loop_fake_advance(here.loop, 100);
	assert_int_equal(here.n_requests, 2);
}

static void on_stopped(void *arg)
{
	here.n_stopped++;
}

static void stop(void)
{
	otlp_stop(here.otlp, on_stopped, NULL);
	loop_settle(here.loop);
}

static void test_the_end(void **unused)
{
	add_spans(1000, "a"); /* one request is under way */
	stop();
	assert_int_equal(here.n_stopped, 0);
	answer(200, 0);
	assert_int_equal(sent(), 1000 - OTLP_BATCH_SPANS);
	loop_settle(here.loop);
	assert_int_equal(here.n_stopped, 0);
	answer(200, 0);
	loop_settle(here.loop);
	assert_int_equal(here.n_stopped, 1);
	loop_fake_advance(here.loop, 5000);
	assert_int_equal(here.n_stopped, 1);
}

static void test_the_end_of_nothing(void **unused)
{
	stop();
	assert_int_equal(here.n_stopped, 1);
	assert_int_equal(here.n_requests, 0);
}

static void test_the_end_waits_for_nobody(void **unused)
{
	add_spans(1, "a");
	stop();
	assert_int_equal(here.n_stopped, 0);
	loop_fake_advance(here.loop, 1000);
	assert_int_equal(here.n_stopped, 1);
	fail_with(-ESHUTDOWN);
	loop_settle(here.loop);
	assert_int_equal(here.n_stopped, 1);
	assert_int_equal(here.n_requests, 1);
}

static void test_the_end_after_a_failure(void **unused)
{
	add_spans(1, "a");
	stop();
	fail_with(-EREMOTEIO);
	loop_settle(here.loop);
	assert_int_equal(here.n_stopped, 1);
	assert_int_equal(here.n_requests, 1);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_span_as_json),
		TEST(test_a_span_that_failed),
		TEST(test_ways_to_end),
		TEST(test_they_go_together),
		TEST(test_many_do_not_wait),
		TEST(test_a_request_is_bounded_in_bytes),
		TEST(test_the_oldest_are_dropped),
		TEST(test_bytes_are_bounded),
		TEST(test_tried_again_later_and_later),
		TEST(test_the_collector_says_when),
		TEST(test_refused_for_good),
		TEST(test_refused_in_part),
		TEST(test_dropped_while_it_is_down),
		TEST(test_off_and_on),
		TEST(test_a_reload_tries_at_once),
		TEST(test_the_end),
		TEST(test_the_end_of_nothing),
		TEST(test_the_end_waits_for_nobody),
		TEST(test_the_end_after_a_failure),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
