/* See http_reply.h. */
#include "supervisor/front/http_reply.h"

#include <time.h>

static const char *status_line(int status)
{
	static const struct {
		int status;
		const char *line;
	} lines[] = { { 202, "HTTP/1.1 202 Accepted\r\n" }, { 200, "HTTP/1.1 200 OK\r\n" },
		{ 204, "HTTP/1.1 204 No Content\r\n" }, { 400, "HTTP/1.1 400 Bad Request\r\n" },
		{ 401, "HTTP/1.1 401 Unauthorized\r\n" }, { 403, "HTTP/1.1 403 Forbidden\r\n" },
		{ 404, "HTTP/1.1 404 Not Found\r\n" },
		{ 405, "HTTP/1.1 405 Method Not Allowed\r\n" },
		{ 406, "HTTP/1.1 406 Not Acceptable\r\n" },
		{ 408, "HTTP/1.1 408 Request Timeout\r\n" }, { 409, "HTTP/1.1 409 Conflict\r\n" },
		{ 413, "HTTP/1.1 413 Content Too Large\r\n" },
		{ 414, "HTTP/1.1 414 URI Too Long\r\n" },
		{ 415, "HTTP/1.1 415 Unsupported Media Type\r\n" },
		{ 417, "HTTP/1.1 417 Expectation Failed\r\n" },
		{ 421, "HTTP/1.1 421 Misdirected Request\r\n" },
		{ 429, "HTTP/1.1 429 Too Many Requests\r\n" },
		{ 431, "HTTP/1.1 431 Request Header Fields Too Large\r\n" },
		{ 500, "HTTP/1.1 500 Internal Server Error\r\n" },
		{ 501, "HTTP/1.1 501 Not Implemented\r\n" },
		{ 503, "HTTP/1.1 503 Service Unavailable\r\n" },
		{ 505, "HTTP/1.1 505 HTTP Version Not Supported\r\n" } };

	for (size_t i = 0; i < N_ELEMENTS(lines); i++)
		if (lines[i].status == status)
			return lines[i].line;
	return "HTTP/1.1 500 Internal Server Error\r\n"; /* our bug: not in the table */
}

/* The Date field; it changes once a second, and is made once a second. */
static const char *date_field(void)
{
	static char text[48];
	static time_t made;
	time_t now = time(NULL);
	struct tm tm;

	if (now != made && gmtime_r(&now, &tm)) {
		(void)strftime(text, sizeof(text), "Date: %a, %d %b %Y %H:%M:%S GMT\r\n", &tm);
		made = now;
	}
	return text;
}

/* How the client knows where the body ends. No printf for the 202 that each POST gets. */
static void add_framing(struct strbuf *out, const struct http_reply *reply)
{
	if (reply->status == 204)
		return; /* RFC 9110 section 8.6: it has no body, and no length either */
	if (reply->is_stream && reply->is_chunked)
		strbuf_adds(out, "Transfer-Encoding: chunked\r\n");
	else if (!reply->is_stream && reply->body_len == 0)
		strbuf_adds(out, "Content-Length: 0\r\n");
	else if (!reply->is_stream)
		strbuf_addf(out, "Content-Length: %zu\r\n", reply->body_len);
}

void http_reply_add_head(
	struct strbuf *out, const struct http_reply *reply, enum http_ending ending)
{
	strbuf_adds(out, status_line(reply->status));
	strbuf_adds(out, date_field());
	if (reply->content_type)
		strbuf_addf(out, "Content-Type: %s\r\n", reply->content_type);
	add_framing(out, reply);
	if (reply->extra)
		strbuf_adds(out, reply->extra);
	if (reply->grants)
		strbuf_adds(out, reply->grants);
	if (ending == HTTP_CLOSE)
		strbuf_adds(out, "Connection: close\r\n");
	else if (ending == HTTP_KEEP_SAID)
		strbuf_adds(out, "Connection: keep-alive\r\n");
	strbuf_adds(out, "\r\n");
}

void http_reply_add_error(struct strbuf *out, const char *message)
{
	strbuf_adds(out, "{\"error\":");
	strbuf_add_json(out, message, strlen(message));
	strbuf_adds(out, "}\n");
}
