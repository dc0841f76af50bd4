/* A call in progress, as a tool's handler sees it: answering, failing, progress, cancellation. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "shared/cleanup.h"
#include "shared/fail.h"
#include "shared/strbuf.h"
#include "shared/tool.h"

/* The settings struct that this worker's own table was decoded into (worker.h). */
const void *call_settings(const struct call *call);

/* Answers. Each takes over `structured` (an object), also on failure, and returns 0; when it is NULL,
 * because it could not be built, -EINVAL and nothing is answered. Exactly one answer or failure a
 * call. Text is made valid UTF-8 (other bytes become U+FFFD).
 * The whole answer may be at most tools.max_result_bytes, else the call fails with too_large. */
int call_json(struct call *call, json_t *structured); /* text = JSON of structured */
int call_result(struct call *call, json_t *structured, const char *text, size_t len);
int call_resultf(struct call *call, json_t *structured, const char *fmt, ...) printf_like(3, 4);

/* The same with content blocks of your own in the place of one text: an array, which is taken over
 * too. Its strings must be valid UTF-8 (call_text_block() sees to that). */
int call_result_blocks(struct call *call, json_t *structured, json_t *content);

/* {"type": "text", "text": …}: a new reference. Bytes that are not UTF-8 become U+FFFD. */
json_t *call_text_block(const char *text, size_t len) must_check;

/* Bytes that the whole answer may have, for whoever can stop before he has built too much. What an
 * answer holds is there twice, in the text and in the structured content, both escaped as in JSON. */
size_t call_max_result(const struct call *call);

/* Whether the tool was called by this alias (tool.h), so that its text has that alias's form. */
bool call_is_alias(const struct call *call, const char *name);

/* The tool failed: isError with the text "code: …". What failed, on what, what to do. Returns 0. */
int call_fail(struct call *call, const char *code, const char *fmt, ...) printf_like(3, 4);

/* The same for a tool that has a result to show all the same: what each of its parts failed by. */
int call_fail_result(struct call *call, json_t *structured, const char *text, size_t len);

/* True when the call was cancelled, or its time is nearly over, or the peer is gone: clean up, then
 * return call_fail_stopped(). Cheap enough for inner loops (it asks the kernel at most every 20 ms). */
bool call_stopped(struct call *call);

/* `how_far` says what was reached ("3 of 10 files"); answers with `cancelled` or `timeout`. */
int call_fail_stopped(struct call *call, const char *how_far);

/* Milliseconds until the tool must have given up; never negative. */
int64_t call_time_left_ms(const struct call *call);

/* Tells the asker how far it is, when it asked to be told, the call runs longer than 0.5 s, and the
 * number has risen; at most 10 a second. total 0: unknown. */
void call_progress(struct call *call, double done, double total, const char *message);
