/* See call.h. The answer is built where it will be sent from: nothing is copied on the way. */
#include "workers/common/call.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <string.h>

#include "shared/clock.h"
#include "shared/jx.h"
#include "shared/utf8.h"
#include "workers/common/call_run.h"

enum {
	CALL_LOOK_MS = 20,
	PROGRESS_FIRST_MS = 500, /* a call that is done by then tells no progress */
	PROGRESS_EVERY_MS = 100,
};

int64_t call_own_limit_ms(int64_t limit_ms)
{
	int64_t part = limit_ms / 10 * 9;
	int64_t less = limit_ms - 2 * CLOCK_SECOND_MS;

	return part > less ? part : less;
}

const void *call_settings(const struct call *call)
{
	return call->settings;
}

bool call_is_alias(const struct call *call, const char *name)
{
	return call->alias && streq(call->alias->name, name);
}

size_t call_max_result(const struct call *call)
{
	return call->max_result_bytes;
}

static void begin_result(struct call *call)
{
	assert(!call->answered);
	call->answered = true;
	strbuf_cut(call->out, 0);
	strbuf_adds(call->out, "{\"jsonrpc\":\"2.0\",\"id\":");
	strbuf_add(call->out, call->id.data, call->id.len);
	strbuf_adds(call->out, ",\"result\":{\"content\":");
}

static void begin_answer(struct call *call)
{
	begin_result(call);
	strbuf_adds(call->out, "[{\"type\":\"text\",\"text\":");
}

/* Valid text needs no copy. */
static void add_text(struct strbuf *out, const char *text, size_t len)
{
	auto_strbuf mended = { 0 };

	if (utf8_valid(text, len)) {
		strbuf_add_json(out, text, len);
		return;
	}
	utf8_repair(&mended, text, len);
	strbuf_add_json(out, mended.data, mended.len);
}

static int refuse_too_large(struct call *call)
{
	size_t bytes = call->out->len;

	strbuf_done(call->out);
	call->answered = false;
	return call_fail(call, "too_large",
		"the answer would have %zu bytes, and may have %zu. Ask for less at a time.", bytes,
		call->max_result_bytes);
}

/* Behind the content and what belongs to it. */
static int end_result(struct call *call, bool is_error)
{
	strbuf_adds(call->out, is_error ? ",\"isError\":true}}" : "}}");
	return call->out->len > call->max_result_bytes ? refuse_too_large(call) : 0;
}

/* Takes over `structured`. */
static void add_structured(struct call *call, json_t *structured)
{
	strbuf_adds(call->out, ",\"structuredContent\":");
	if (call->out->len <= call->max_result_bytes)
		jx_dump(call->out, structured);
	json_decref(structured);
}

static int answer_text(
	struct call *call, json_t *structured, const char *text, size_t len, bool is_error)
{
	if (!structured)
		return -EINVAL;
	begin_answer(call);
	add_text(call->out, text, len);
	strbuf_adds(call->out, "}]");
	if (!call->alias || !call->alias->text_only) {
		add_structured(call, structured);
		return end_result(call, is_error);
	}
	json_decref(structured);
	strbuf_adds(call->out, ",\"structuredContent\":{\"content\":");
	add_text(call->out, text, len);
	strbuf_addc(call->out, '}');
	return end_result(call, is_error);
}

int call_result(struct call *call, json_t *structured, const char *text, size_t len)
{
	return answer_text(call, structured, text, len, false);
}

int call_fail_result(struct call *call, json_t *structured, const char *text, size_t len)
{
	return answer_text(call, structured, text, len, true);
}

int call_result_blocks(struct call *call, json_t *structured, json_t *content)
{
	if (!structured || !content) {
		json_decref(structured);
		json_decref(content);
		return -EINVAL;
	}
	begin_result(call);
	jx_dump(call->out, content);
	json_decref(content);
	add_structured(call, structured);
	return end_result(call, false);
}

json_t *call_text_block(const char *text, size_t len)
{
	auto_strbuf mended = { 0 };

	utf8_repair(&mended, text, len);
	return json_pack("{s:s, s:s%}", "type", "text", "text", strbuf_get(&mended), mended.len);
}

int call_resultf(struct call *call, json_t *structured, const char *fmt, ...)
{
	auto_strbuf text = { 0 };
	va_list args;

	va_start(args, fmt);
	strbuf_addv(&text, fmt, args);
	va_end(args);
	return call_result(call, structured, strbuf_get(&text), text.len);
}

int call_json(struct call *call, json_t *structured)
{
	auto_strbuf text = { 0 };

	if (!structured)
		return -EINVAL;
	begin_answer(call);
	jx_dump(&text, structured);
	json_decref(structured);
	strbuf_add_json(call->out, text.data, text.len);
	strbuf_adds(call->out, "}],\"structuredContent\":");
	strbuf_add(call->out, text.data, text.len);
	strbuf_adds(call->out, "}}");
	return call->out->len > call->max_result_bytes ? refuse_too_large(call) : 0;
}

/* The text of a failure as JSON, for domains whose texts are JSON. */
static void add_json_failure(struct strbuf *out, const char *code, const struct strbuf *message)
{
	auto_strbuf json = { 0 };

	strbuf_adds(&json, "{\"success\":false,\"code\":");
	strbuf_add_json(&json, code, strlen(code));
	strbuf_adds(&json, ",\"error\":");
	add_text(&json, message->data, message->len);
	strbuf_addc(&json, '}');
	strbuf_add_json(out, json.data, json.len);
}

int call_fail(struct call *call, const char *code, const char *fmt, ...)
{
	auto_strbuf message = { 0 };
	va_list args;

	strbuf_addf(&message, "%s: ", code);
	va_start(args, fmt);
	strbuf_addv(&message, fmt, args);
	va_end(args);

	begin_answer(call);
	if (call->fails_as_json)
		add_json_failure(call->out, code, &message);
	else
		add_text(call->out, message.data, message.len);
	strbuf_adds(call->out, "}],\"isError\":true}}");
	return 0;
}

bool call_stopped(struct call *call)
{
	int64_t now = clock_now_ms();

	if (now - call->looked_ms >= CALL_LOOK_MS) {
		call->looked_ms = now;
		call->look(call);
	}
	return call->cancelled || call->ending || now - call->started_ms >= call->limit_ms;
}

int call_fail_stopped(struct call *call, const char *how_far)
{
	if (call->cancelled)
		return call_fail(call, "cancelled", "the call was cancelled: %s", how_far);
	if (call->ending)
		return call_fail(
			call, "cancelled", "the server is stopping: %s. Try again later.", how_far);
	return call_fail(call, "timeout",
		"stopped at its limit of %g s: %s. Ask for less at a time.",
		(double)call->limit_ms / CLOCK_SECOND_MS, how_far);
}

int64_t call_time_left_ms(const struct call *call)
{
	int64_t left = call->started_ms + call->limit_ms - clock_now_ms();

	return left > 0 ? left : 0;
}

static bool wants_progress(struct call *call, double done)
{
	int64_t now;

	if (call->token.len == 0 || call->cancelled || !isfinite(done) || done <= call->progress)
		return false;
	now = clock_now_ms();
	if (now - call->started_ms < PROGRESS_FIRST_MS ||
		now - call->progress_ms < PROGRESS_EVERY_MS)
		return false;
	call->progress_ms = now;
	call->progress = done;
	return true;
}

void call_progress(struct call *call, double done, double total, const char *message)
{
	auto_strbuf out = { 0 };
	char number[32];

	if (!wants_progress(call, done))
		return;
	jx_real_text(number, done);
	strbuf_addf(&out,
		"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{"
		"\"progressToken\":%s,\"progress\":%s",
		strbuf_get(&call->token), number);
	if (isfinite(total) && total > 0) {
		jx_real_text(number, total);
		strbuf_addf(&out, ",\"total\":%s", number);
	}
	if (message) {
		strbuf_adds(&out, ",\"message\":");
		add_text(&out, message, strlen(message));
	}
	strbuf_adds(&out, "}}");
	call->send(call, out.data, out.len);
}
