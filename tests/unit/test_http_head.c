/* The head of an HTTP answer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "shared/strbuf.h"
#include "workers/common/http_head.h"

static void add(struct http_head *head, const char *line)
{
	assert_true(http_head_add_line(head, line, strlen(line)));
}

static void test_headers(void **unused)
{
	struct http_head head = { 0 };

	add(&head, "HTTP/1.1 200 OK\r\n");
	add(&head, "CONTENT-type:\t Text/Event-Stream ; charset=utf-8 \r\n");
	add(&head, "mcp-session-id: abc\r\n");
	add(&head, "Location: /x:y\r\n");
	add(&head, "Retry-After: 2\r\n");
	add(&head, "no colon\r\n");
	add(&head, "\r\n");
	assert_true(head.is_events);
	assert_false(head.is_encoded);
	assert_string_equal(head.session, "abc");
	assert_string_equal(head.location, "/x:y");
	assert_int_equal(head.retry_after_ms, 2000);
	http_head_done(&head);
}

static void test_interim_answers_count_for_nothing(void **unused)
{
	struct http_head head = { 0 };

	add(&head, "HTTP/1.1 103 Early Hints\r\n");
	add(&head, "Mcp-Session-Id: early\r\n");
	add(&head, "Content-Encoding: gzip\r\n");
	add(&head, "HTTP/1.1 200 OK\r\n");
	assert_null(head.session);
	assert_false(head.is_encoded);
	assert_true(head.bytes > 60);
	http_head_done(&head);
}

static void test_values(void **unused)
{
	static const char *const types[] = { "Content-Type: text/event-streams\r\n",
		"Content-Type: application/json\r\n", "Content-Type:\r\n",
		"X-Content-Type: text/event-stream\r\n" };
	struct http_head head = { 0 };

	for (size_t i = 0; i < N_ELEMENTS(types); i++) {
		add(&head, types[i]);
		assert_false(head.is_events);
	}
	add(&head, "Content-Encoding: identity\r\n");
	add(&head, "Transfer-Encoding: Chunked\r\n");
	assert_false(head.is_encoded);
	add(&head, "Transfer-Encoding: gzip, chunked\r\n");
	assert_true(head.is_encoded);
	head.is_encoded = false;
	add(&head, "Content-Encoding: br\r\n");
	assert_true(head.is_encoded);
	add(&head, "Mcp-Session-Id: a b\r\n");
	add(&head, "Mcp-Session-Id: \xc3\xa9\r\n");
	add(&head, "Mcp-Session-Id:\r\n");
	assert_null(head.session);
	add(&head, "Mcp-Session-Id: one\r\n");
	add(&head, "Mcp-Session-Id: two\r\n");
	assert_string_equal(head.session, "two");
	add(&head, "Retry-After: Wed, 21 Oct 2026 07:28:00 GMT\r\n");
	assert_int_equal(head.retry_after_ms, 0);
	add(&head, "Retry-After: 99999999999999999999\r\n");
	assert_int_equal(head.retry_after_ms, HTTP_HEAD_MAX_RETRY_S * 1000);
	http_head_done(&head);
}

/* Of several words the strictest holds, and one that cannot be read says nothing. */
static void test_how_long_it_may_be_kept(void **unused)
{
	static const struct {
		const char *value;
		int64_t max_age_s; /* -1: it is not said */
	} cases[] = { { "max-age=300", 300 }, { "public, MAX-AGE=300 , must-revalidate", 300 },
		{ "max-age=300, no-cache", 0 }, { "no-store", 0 }, { "max-age=0", 0 },
		{ "max-age=9, max-age=5, max-age=7", 5 }, { "", -1 }, { ",,", -1 },
		{ "max-age=", -1 }, { "max-age=-1", -1 }, { "max-age=\"9\"", -1 },
		{ "x-max-age=9", -1 }, { "s-maxage=9", -1 }, { "no-cache=\"x\"", -1 },
		{ "max-age=99999999999999999999999", HTTP_HEAD_MAX_AGE_S } };

	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		struct http_head head = { 0 };
		auto_strbuf line = { 0 };

		strbuf_addf(&line, "cache-control: %s\r\n", cases[i].value);
		add(&head, line.data);
		if ((head.has_max_age ? head.max_age_s : -1) != cases[i].max_age_s)
			fail_msg("%s: %d", cases[i].value, (int)head.max_age_s);
		http_head_done(&head);
	}
}

static void test_bounds(void **unused)
{
	struct http_head head = { 0 };
	auto_strbuf line = { 0 };

	strbuf_adds(&line, "Mcp-Session-Id: ");
	for (int i = 0; i <= HTTP_HEAD_MAX_SESSION_ID; i++)
		strbuf_addc(&line, 'x');
	add(&head, strbuf_get(&line));
	assert_null(head.session);
	while (head.bytes + line.len <= HTTP_HEAD_MAX_BYTES)
		add(&head, strbuf_get(&line));
	assert_false(http_head_add_line(&head, line.data, line.len));
	http_head_done(&head);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_headers),
		cmocka_unit_test(test_interim_answers_count_for_nothing),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_how_long_it_may_be_kept),
		cmocka_unit_test(test_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
