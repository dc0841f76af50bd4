/* What the courier answers: any result is refused, or gives what its contract says; and what a collector says in it of
 * spans. */
#include "shared/quote.h"
#include "supervisor/ops/otlp.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_free char *text = alloc_mem(size ? (const char *)data : "", size);
	struct courier_answer answer;
	auto_strbuf body = { 0 };
	auto_strbuf words = { 0 };
	struct jspan result;

	if (jspan_check(text, size, &result, NULL) < 0 ||
		!courier_read_answer(result, &answer, &body))
		return 0;
	CHECK(jspan_type(result) == JSPAN_OBJECT);
	CHECK(answer.status >= 100 && answer.status <= 999);
	CHECK(answer.body && answer.body_len == body.len && answer.body_len <= COURIER_MAX_BYTES);
	CHECK(answer.body[answer.body_len] == '\0');
	CHECK(answer.max_age_s >= -1 && answer.max_age_s <= INT32_MAX);
	CHECK(answer.retry_after_s >= 0 && answer.retry_after_s <= INT32_MAX);
	CHECK(otlp_read_rejected(answer.body, answer.body_len, &words) > 0 || words.len == 0);
	CHECK(words.len < QUOTE_SIZE && !memchr(strbuf_get(&words), '\n', words.len));
	return 0;
}
