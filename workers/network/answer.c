/* See answer.h. */
#include "workers/network/answer.h"

#include "shared/utf8.h"

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

void answer_set_text(json_t *object, const char *key, const char *text)
{
	if (text)
		(void)json_object_set_new(object, key, answer_text(text, strlen(text)));
}
