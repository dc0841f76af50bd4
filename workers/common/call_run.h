/* The server's side of a call (call.h is the handler's): how it begins and what came of it.
 *
 * One call at a time; the struct is reused, and so are its buffers. */
#pragma once

#include "workers/common/call.h"

struct call {
	/* Set by the server before it runs the handler. */
	const struct tool *tool;
	const struct tool_alias *alias; /* the name it was called by; NULL: its own */
	const void *settings;
	bool fails_as_json;
	size_t max_result_bytes;
	struct strbuf id;    /* of the request, as it was sent */
	struct strbuf token; /* progressToken as it was sent; empty: no progress is wanted */
	int64_t started_ms;
	int64_t limit_ms; /* after so long the tool gives up */
	/* Called by call_stopped() to look for news, at most every CALL_LOOK_MS. */
	void (*look)(struct call *call);
	/* Sends a message that is not the answer. */
	void (*send)(struct call *call, const char *bytes, size_t len);
	void *owner;

	struct strbuf *out; /* the answer, without the line break */
	bool answered;
	bool cancelled; /* by the asker: nothing more is sent */
	bool ending;    /* the worker has to end, or the asker is gone */

	int64_t looked_ms;
	int64_t progress_ms;
	double progress;
};

/* A tool gives up a little before the asker does: at the larger of 90 % and limit - 2 s. */
int64_t call_own_limit_ms(int64_t limit_ms);
