/* HTTP/1.1 requests, read strictly: a request that two readers could understand differently is refused.
 *
 * Pure: no I/O, no memory of its own. The head stays in the caller's buffer and is pointed into; the
 * body is copied out of its framing. Both can be fed in any pieces, byte by byte too, and come to the
 * same result in linear time.
 *
 * After a refusal the caller answers with that status and closes the connection: where the next
 * request begins is not known.
 *
 * Source: RFC 9110, RFC 9112. Where they leave a choice, the stricter reading. */
#pragma once

#include <stdint.h>
#include <sys/types.h>

#include "shared/span.h"
#include "shared/strbuf.h"
#include "shared/uri.h"

enum {
	HTTP1_MAX_FIELDS = 64,            /* header lines of one request */
	HTTP1_MAX_EMPTY_LINES = 4,        /* before a request line */
	HTTP1_MAX_SIZE_DIGITS = 16,       /* of a chunk's size, leading zeros included */
	HTTP1_MAX_EXTENSION_BYTES = 4096, /* chunk extensions of one body */
	HTTP1_MAX_TRAILER_BYTES = 8192,   /* trailer section of one body */
};

struct http1_limits {
	size_t request_line; /* bytes, line end not counted; more: 414 */
	size_t header_bytes; /* the whole head; more: 431 */
	size_t headers;      /* header lines, at most HTTP1_MAX_FIELDS; more: 431 */
	uint64_t body_bytes; /* more: 413 */
};

enum http1_method {
	HTTP1_GET,
	HTTP1_HEAD,
	HTTP1_POST,
	HTTP1_DELETE,
	HTTP1_OPTIONS,
	HTTP1_PUT,
	HTTP1_PATCH,
	HTTP1_OTHER,
};

/* The value is without the blanks around it, and its `at` is never NULL. It has no control characters
 * but tabs; bytes above ASCII come through, in whatever encoding they are. */
struct http1_field {
	struct span name;
	struct span value;
};

struct http1_request {
	enum http1_method method;
	struct span method_name;
	struct span target;    /* as sent */
	struct uri_target uri; /* its parts; all absent for "OPTIONS *" */
	struct span host; /* whom the request is for, "host" or "host:port": the authority of an
	                          * absolute-form target, else Host; absent only in HTTP/1.0 */
	int minor;        /* HTTP/1.0 or HTTP/1.1 */
	uint64_t content_length; /* 0 without one */
	bool has_length;         /* there was a Content-Length */
	bool chunked;
	bool keep_alive;      /* the client expects to go on after this request */
	bool expect_continue; /* it waits for "100 Continue" before it sends the body */
	size_t n_fields;
	struct http1_field fields[HTTP1_MAX_FIELDS];
	const char *why; /* after a refusal: what is wrong, a static text */
};

/* How far a head was looked at. Zero it for each request. */
struct http1_scan {
	size_t seen;
	size_t line_at;
	size_t head_at;
	size_t n_lines;
	size_t n_empty;
};

/* Looks for one head at the beginning of `buf`, which holds all bytes since the end of the previous
 * request and may have moved in memory since the last call.
 *
 * > 0: bytes of the head; *ret points into `buf`. 0: it is not all there yet; *ret is not valid.
 * < 0: -status (400, 413, 414, 417, 431, 501, 505); of *ret only `why` and the method (HTTP1_OTHER
 * where it was not read) are valid. */
ssize_t http1_parse_head(struct http1_scan *scan, const char *buf, size_t len,
	const struct http1_limits *limits, struct http1_request *ret) must_check;

/* The value of the first field `name` (any case), absent without one; *ret_count (may be NULL) is how
 * often it comes. */
struct span http1_header(const struct http1_request *req, const char *name, size_t *ret_count);

/* Whether the comma-separated list `value` has `token`, in any case. */
bool http1_has_token(struct span value, const char *token);

bool http1_has_body(const struct http1_request *req);

enum http1_body_state {
	HTTP1_BODY_DONE,
	HTTP1_BODY_LENGTH, /* bytes up to Content-Length */
	HTTP1_CHUNK_SIZE,  /* the digits */
	HTTP1_CHUNK_EXTENSION,
	HTTP1_CHUNK_SIZE_LF,
	HTTP1_CHUNK_DATA,
	HTTP1_CHUNK_DATA_CR,
	HTTP1_CHUNK_DATA_LF,
	HTTP1_TRAILER_START,
	HTTP1_TRAILER_NAME,
	HTTP1_TRAILER_VALUE,
	HTTP1_TRAILER_LF,
	HTTP1_LAST_LF,
};

/* A body on its way; plain data. */
struct http1_body {
	enum http1_body_state state;
	unsigned n_digits;
	uint64_t left; /* bytes of the body, or of the chunk, to come */
	uint64_t room; /* bytes that the chunks to come may have in all */
	size_t n_extension;
	size_t n_trailer;
	const char *why; /* after a refusal */
};

/* `max_bytes` bounds a chunked body. (http1_parse_head() has bounded Content-Length.) */
void http1_body_start(struct http1_body *body, const struct http1_request *req, uint64_t max_bytes);

/* Reads on: appends what belongs to the body to `out`; *ret_used is how many of the `len` bytes were
 * consumed, which after the end of the body is not all of them. Trailers are checked and dropped.
 *
 * 1: the body is complete. 0: more is to come (all bytes were consumed).
 * < 0: -status (400, 413, 431). */
int http1_body_read(struct http1_body *body, const char *buf, size_t len, size_t *ret_used,
	struct strbuf *out) must_check;
