/* See http_reply.h. */
#include "supervisor/front/http_reply.h"

#include <time.h>

static const char *reason_of(int status)
{
	static const struct {
		int status;
		const char *reason;
	} reasons[] = { { 200, "OK" }, { 202, "Accepted" }, { 400, "Bad Request" },
		{ 403, "Forbidden" }, { 404, "Not Found" }, { 405, "Method Not Allowed" },
		{ 408, "Request Timeout" }, { 413, "Content Too Large" }, { 414, "URI Too Long" },
		{ 415, "Unsupported Media Type" }, { 417, "Expectation Failed" },
		{ 421, "Misdirected Request" }, { 431, "Request Header Fields Too Large" },
		{ 500, "Internal Server Error" }, { 501, "Not Implemented" },
		{ 503, "Service Unavailable" }, { 505, "HTTP Version Not Supported" } };

	for (size_t i = 0; i < N_ELEMENTS(reasons); i++)
		if (reasons[i].status == status)
			return reasons[i].reason;
	return "Unknown";
}

/* Changes once a second: made once a second. */
static const char *date_text(void)
{
	static char text[40];
	static time_t made;
	time_t now = time(NULL);
	struct tm tm;

	if (now != made && gmtime_r(&now, &tm)) {
		(void)strftime(text, sizeof(text), "%a, %d %b %Y %H:%M:%S GMT", &tm);
		made = now;
	}
	return text;
}

void http_reply_add_head(
	struct strbuf *out, const struct http_reply *reply, enum http_ending ending)
{
	strbuf_addf(out, "HTTP/1.1 %d %s\r\nDate: %s\r\n", reply->status, reason_of(reply->status),
		date_text());
	if (reply->content_type)
		strbuf_addf(out, "Content-Type: %s\r\n", reply->content_type);
	if (!reply->is_stream)
		strbuf_addf(out, "Content-Length: %zu\r\n", reply->body_len);
	if (reply->extra)
		strbuf_adds(out, reply->extra);
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
