/* What the handlers of this domain share: limits of their texts, and how a pure function's failure
 * becomes the answer. */
#pragma once

#include "shared/tool.h"
#include "workers/common/call.h"
#include "workers/common/failure.h"

enum {
	UTILS_MAX_TEXT_CHARS = 1048576,   /* a text as argument */
	UTILS_MAX_JSON_CHARS = 4194304,   /* a JSON text as argument */
	UTILS_MAX_RESULT_BYTES = 4194304, /* a text as result; else too_large */
};

#define TOOL_PURE (TOOL_READ_ONLY | TOOL_IDEMPOTENT)

/* Fails the call with the words of a pure function. They say what is wrong; where they do not end with
 * a point, what to do about it is added by the code. Returns 0. */
int call_failure(struct call *call, const struct failure *fail);

/* Fails the call because its result has more than UTILS_MAX_RESULT_BYTES. Returns 0. */
static inline int call_result_too_large(struct call *call)
{
	return call_fail(call, "too_large",
		"the result has more than %d bytes. Give a smaller text.", UTILS_MAX_RESULT_BYTES);
}

/* {"success": true, "result": text}, or too_large. Returns 0. */
static inline int call_result_text(struct call *call, const struct strbuf *text)
{
	if (text->len > UTILS_MAX_RESULT_BYTES)
		return call_result_too_large(call);
	return call_json(call,
		json_pack("{s:b, s:s%}", "success", 1, "result", strbuf_get(text), text->len));
}
