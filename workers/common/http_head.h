/* The head of an HTTP answer: the few headers that mean something here.
 *
 * Source: RFC 9110 sections 8.3, 8.4, 10.2.2 and 10.2.3; RFC 9111 section 5.2.2; MCP 2025-11-25 basic/transports, "Session
 * Management". */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	HTTP_HEAD_MAX_BYTES = 65536, /* of all lines, those of interim answers included */
	HTTP_HEAD_MAX_SESSION_ID = 1024,
	HTTP_HEAD_MAX_LOCATION = 8192,
	HTTP_HEAD_MAX_RETRY_S = 3600,
	HTTP_HEAD_MAX_AGE_S = 365 * 24 * 3600,
};

/* Zero-initialised is empty. */
struct http_head {
	size_t bytes;
	bool is_events;  /* Content-Type is text/event-stream */
	bool is_encoded; /* Content-Encoding is not identity, or Transfer-Encoding not chunked */
	char *session;   /* Mcp-Session-Id; one that is not visible ASCII is as none */
	char *location;
	int64_t retry_after_ms; /* 0: none, or a date */
	bool has_max_age;
	int64_t max_age_s; /* of Cache-Control; 0: it is not to be kept (no-store, no-cache) */
};

/* Takes a line of the head, the status line too, at which the headers begin anew. False: there are too
 * many. */
bool http_head_add_line(struct http_head *head, const char *line, size_t len);
void http_head_done(struct http_head *head);
