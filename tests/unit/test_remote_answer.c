/* The head of an HTTP answer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "shared/strbuf.h"
#include "workers/remote/answer.h"

static void add(struct answer *answer, const char *line)
{
	assert_true(answer_add_line(answer, line, strlen(line)));
}

static void test_headers(void **unused)
{
	struct answer answer = { 0 };

	add(&answer, "HTTP/1.1 200 OK\r\n");
	add(&answer, "CONTENT-type:\t Text/Event-Stream ; charset=utf-8 \r\n");
	add(&answer, "mcp-session-id: abc\r\n");
	add(&answer, "Location: /x:y\r\n");
	add(&answer, "Retry-After: 2\r\n");
	add(&answer, "no colon\r\n");
	add(&answer, "\r\n");
	assert_true(answer.is_events);
	assert_false(answer.is_encoded);
	assert_string_equal(answer.session, "abc");
	assert_string_equal(answer.location, "/x:y");
	assert_int_equal(answer.retry_after_ms, 2000);
	answer_done(&answer);
}

static void test_interim_answers_count_for_nothing(void **unused)
{
	struct answer answer = { 0 };

	add(&answer, "HTTP/1.1 103 Early Hints\r\n");
	add(&answer, "Mcp-Session-Id: early\r\n");
	add(&answer, "Content-Encoding: gzip\r\n");
	add(&answer, "HTTP/1.1 200 OK\r\n");
	assert_null(answer.session);
	assert_false(answer.is_encoded);
	assert_true(answer.bytes > 60);
	answer_done(&answer);
}

static void test_values(void **unused)
{
	static const char *const types[] = { "Content-Type: text/event-streams\r\n",
		"Content-Type: application/json\r\n", "Content-Type:\r\n",
		"X-Content-Type: text/event-stream\r\n" };
	struct answer answer = { 0 };

	for (size_t i = 0; i < N_ELEMENTS(types); i++) {
		add(&answer, types[i]);
		assert_false(answer.is_events);
	}
	add(&answer, "Content-Encoding: identity\r\n");
	add(&answer, "Transfer-Encoding: Chunked\r\n");
	assert_false(answer.is_encoded);
	add(&answer, "Transfer-Encoding: gzip, chunked\r\n");
	assert_true(answer.is_encoded);
	answer.is_encoded = false;
	add(&answer, "Content-Encoding: br\r\n");
	assert_true(answer.is_encoded);
	add(&answer, "Mcp-Session-Id: a b\r\n");
	add(&answer, "Mcp-Session-Id: \xc3\xa9\r\n");
	add(&answer, "Mcp-Session-Id:\r\n");
	assert_null(answer.session);
	add(&answer, "Mcp-Session-Id: one\r\n");
	add(&answer, "Mcp-Session-Id: two\r\n");
	assert_string_equal(answer.session, "two");
	add(&answer, "Retry-After: Wed, 21 Oct 2026 07:28:00 GMT\r\n");
	assert_int_equal(answer.retry_after_ms, 0);
	add(&answer, "Retry-After: 99999999999999999999\r\n");
	assert_int_equal(answer.retry_after_ms, ANSWER_MAX_RETRY_S * 1000);
	answer_done(&answer);
}

static void test_bounds(void **unused)
{
	struct answer answer = { 0 };
	auto_strbuf line = { 0 };

	strbuf_adds(&line, "Mcp-Session-Id: ");
	for (int i = 0; i <= ANSWER_MAX_SESSION_ID; i++)
		strbuf_addc(&line, 'x');
	add(&answer, strbuf_get(&line));
	assert_null(answer.session);
	while (answer.bytes + line.len <= ANSWER_MAX_BYTES)
		add(&answer, strbuf_get(&line));
	assert_false(answer_add_line(&answer, line.data, line.len));
	answer_done(&answer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_headers),
		cmocka_unit_test(test_interim_answers_count_for_nothing),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
