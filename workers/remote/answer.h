/* The head of an HTTP answer: the few headers that mean something here.
 *
 * Source: RFC 9110 sections 8.3, 8.4, 10.2.2 and 10.2.3; MCP 2025-11-25 basic/transports, "Session
 * Management". */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	ANSWER_MAX_BYTES = 65536, /* of all lines, those of interim answers included */
	ANSWER_MAX_SESSION_ID = 1024,
	ANSWER_MAX_LOCATION = 8192,
	ANSWER_MAX_RETRY_S = 30,
};

/* Zero-initialised is empty. */
struct answer {
	size_t bytes;
	bool is_events;  /* Content-Type is text/event-stream */
	bool is_encoded; /* Content-Encoding is not identity, or Transfer-Encoding not chunked */
	char *session;   /* Mcp-Session-Id; one that is not visible ASCII is as none */
	char *location;
	int64_t retry_after_ms; /* 0: none, or a date */
};

/* Takes a line of the head, the status line too, at which the headers begin anew. False: there are too
 * many. */
bool answer_add_line(struct answer *answer, const char *line, size_t len);
void answer_done(struct answer *answer);
