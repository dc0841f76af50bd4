/* See answer.h. */
#include "workers/network/answer.h"

#include "shared/limits.h"
#include "shared/utf8.h"

/* All else in an answer: URLs, a title, the fields of a header. */
enum { MAX_FRAME_BYTES = 300 * KIB };

json_t *answer_text(const char *bytes, size_t len)
{
	auto_strbuf text = { 0 };

	if (len > 0)
		utf8_repair(&text, bytes, len);
	return json_stringn(strbuf_get(&text), text.len);
}

int answer_failure(struct call *call, const struct failure *failure)
{
	return call_fail(call, failure->code, "%s", failure->text);
}

int answer_refusal(struct call *call, const struct failure *failure)
{
	const char *code = streq(failure->code, "invalid_url") ? "invalid_argument" : failure->code;

	return call_fail(call, code, "%s", failure->text);
}

/* Bytes of a character in JSON. */
static size_t cost_of(unsigned char first, size_t bytes)
{
	if (first == '"' || first == '\\' || first == '\n')
		return 2;

	return first < ' ' || first == 0x7f ? strlen("\\u0000") : bytes;
}

size_t answer_fit(const struct call *call, const char *text, size_t len, size_t n)
{
	size_t share = call_max_result(call) / n;
	size_t frame = share / 4 < MAX_FRAME_BYTES ? share / 4 : MAX_FRAME_BYTES;
	size_t left = (share - frame) / 2;
	size_t at = 0;

	while (at < len) {
		size_t bytes = utf8_next(text + at, len - at);
		size_t cost = cost_of((unsigned char)text[at], bytes);

		if (bytes == 0 || (cost > left && at > 0))
			break;
		left -= cost < left ? cost : left;
		at += bytes;
	}

	return at;
}

void answer_set_text(json_t *object, const char *key, const char *text)
{
	if (text)
		(void)json_object_set_new(object, key, answer_text(text, strlen(text)));
}
