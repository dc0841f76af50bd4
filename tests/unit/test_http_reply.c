/* Heads of answers and bodies of refusals. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "supervisor/front/http_reply.h"

static const char *head_of(const struct http_reply *reply, enum http_ending ending)
{
	static struct strbuf out;

	strbuf_cut(&out, 0);
	http_reply_add_head(&out, reply, ending);
	assert_string_equal(out.data + out.len - 4, "\r\n\r\n");
	return strbuf_get(&out);
}

static void test_head(void **unused)
{
	const struct http_reply reply = { .status = 200,
		.content_type = "text/plain",
		.body = "abc",
		.body_len = 3,
		.extra = "X: y\r\n" };
	const char *head = head_of(&reply, HTTP_KEEP);

	assert_memory_equal(head, "HTTP/1.1 200 OK\r\nDate: ", 23);
	assert_non_null(strstr(head, " GMT\r\n"));
	assert_non_null(strstr(head, "\r\nContent-Type: text/plain\r\n"));
	assert_non_null(strstr(head, "\r\nContent-Length: 3\r\n"));
	assert_non_null(strstr(head, "\r\nX: y\r\n"));
	assert_null(strstr(head, "Connection"));
}

static void test_endings(void **unused)
{
	const struct http_reply reply = { .status = 202 };

	assert_non_null(strstr(head_of(&reply, HTTP_CLOSE), "\r\nConnection: close\r\n"));
	assert_non_null(strstr(head_of(&reply, HTTP_KEEP_SAID), "\r\nConnection: keep-alive\r\n"));
	assert_non_null(strstr(head_of(&reply, HTTP_KEEP), "\r\nContent-Length: 0\r\n"));
	assert_null(strstr(head_of(&reply, HTTP_KEEP), "Content-Type"));
}

static void test_stream(void **unused)
{
	const struct http_reply reply = { .status = 200, .is_stream = true };

	assert_null(strstr(head_of(&reply, HTTP_CLOSE), "Content-Length"));
	assert_null(strstr(head_of(&reply, HTTP_CLOSE), "Transfer-Encoding"));
}

static void test_chunked_stream(void **unused)
{
	const struct http_reply reply = { .status = 200, .is_stream = true, .is_chunked = true };

	assert_non_null(strstr(head_of(&reply, HTTP_KEEP), "\r\nTransfer-Encoding: chunked\r\n"));
	assert_null(strstr(head_of(&reply, HTTP_KEEP), "Content-Length"));
}

static void test_no_content(void **unused)
{
	const struct http_reply reply = { .status = 204 };

	assert_memory_equal(head_of(&reply, HTTP_KEEP), "HTTP/1.1 204 No Content\r\n", 25);
	assert_null(strstr(head_of(&reply, HTTP_KEEP), "Content-Length"));
}

/* Each status that is used somewhere has its name. */
static void test_reasons(void **unused)
{
	static const int statuses[] = { 200, 202, 204, 400, 403, 404, 405, 406, 408, 409, 413, 414,
		415, 417, 421, 429, 431, 501, 503, 505 };

	for (size_t i = 0; i < N_ELEMENTS(statuses); i++) {
		const struct http_reply reply = { .status = statuses[i] };

		assert_int_equal(strtol(head_of(&reply, HTTP_KEEP) + 9, NULL, 10), statuses[i]);
	}
}

static void test_error(void **unused)
{
	auto_strbuf out = { 0 };

	http_reply_add_error(&out, "a \"b\"\n\x01");
	assert_string_equal(strbuf_get(&out), "{\"error\":\"a \\\"b\\\"\\n\\u0001\"}\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_head),
		cmocka_unit_test(test_endings),
		cmocka_unit_test(test_stream),
		cmocka_unit_test(test_chunked_stream),
		cmocka_unit_test(test_no_content),
		cmocka_unit_test(test_reasons),
		cmocka_unit_test(test_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
