/* The head of an answer, and the bodies of refusals. Pure. Source: RFC 9110, RFC 9112. */
#pragma once

#include "shared/strbuf.h"

struct http_reply {
	int status;
	const char *content_type; /* NULL: no body is announced beside its length 0 */
	const char *body;         /* may be NULL */
	size_t body_len;
	const char *extra;  /* further lines, each with its CRLF; NULL: none */
	const char *grants; /* the same, of the connection: see struct guard_verdict */
	bool is_stream;     /* no Content-Length: the body ends with the connection, */
	bool is_chunked;    /* or with its last chunk (HTTP/1.1 only) */
};

enum http_ending {
	HTTP_KEEP,      /* HTTP/1.1 goes on */
	HTTP_KEEP_SAID, /* HTTP/1.0 goes on: it must be told */
	HTTP_CLOSE,
};

/* Appends status line, Date, the fields, and the empty line; the body is not appended. */
void http_reply_add_head(
	struct strbuf *out, const struct http_reply *reply, enum http_ending ending);

/* The body of a refusal: {"error":"…"}. */
void http_reply_add_error(struct strbuf *out, const char *message);
