/* The head of an HTTP answer, as a server may write it, line by line: bounded, and with nothing in it that was not
 * checked. */
#include "tests/fuzz/fuzz.h"
#include "workers/common/http_head.h"

static void check(const struct http_head *head)
{
	CHECK(head->bytes <= HTTP_HEAD_MAX_BYTES);
	CHECK(head->retry_after_ms >= 0 && head->retry_after_ms <= HTTP_HEAD_MAX_RETRY_S * 1000);
	CHECK(head->has_max_age || head->max_age_s == 0);
	CHECK(head->max_age_s >= 0 && head->max_age_s <= HTTP_HEAD_MAX_AGE_S);
	CHECK(!head->location || strlen(head->location) <= HTTP_HEAD_MAX_LOCATION);
	CHECK(!head->session || strlen(head->session) <= HTTP_HEAD_MAX_SESSION_ID);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_free char *text = alloc_mem(size ? (const char *)data : "", size);
	struct http_head head = { 0 };
	size_t at = 0;

	while (at < size) {
		const char *end = memchr(text + at, '\n', size - at);
		size_t len = end ? (size_t)(end - text) + 1 - at : size - at;
		auto_free char *line = alloc_mem(text + at, len); /* libcurl's have no NUL behind */

		if (!http_head_add_line(&head, line, len))
			break;
		check(&head);
		at += len;
	}
	http_head_done(&head);
	return 0;
}
