/* See http_kept.h. */
#include "supervisor/front/http_kept.h"

#include "shared/alloc.h"

struct kept {
	struct mcp_headers headers; /* first: what is handed out is freed */
	char text[];
};

static bool is_wanted(struct span name, enum http_keep what)
{
	static const char mcp[] = "mcp-";

	if (span_is_nocase(name, "traceparent") || span_is_nocase(name, "tracestate") ||
		span_is_nocase(name, "baggage"))
		return true;
	return what == HTTP_KEEP_ALL && name.len >= sizeof(mcp) &&
	       strncasecmp(name.at, mcp, sizeof(mcp) - 1) == 0;
}

/* Copies `text` to *at, which moves behind it. */
static struct span copy(struct span text, char **at)
{
	struct span copied = { .at = *at, .len = text.len };

	memcpy(*at, text.at, text.len);
	*at += text.len;
	return copied;
}

struct mcp_headers *http_keep_headers(const struct http1_request *req, enum http_keep what)
{
	struct kept *kept;
	size_t len = 0;
	char *at;

	for (size_t i = 0; i < req->n_fields; i++)
		if (is_wanted(req->fields[i].name, what))
			len += req->fields[i].name.len + req->fields[i].value.len;
	if (len == 0 && what == HTTP_KEEP_TRACE)
		return NULL;
	kept = alloc_zero(sizeof(*kept) + len);
	kept->headers.is_http = true;
	at = kept->text;
	for (size_t i = 0; i < req->n_fields; i++)
		if (is_wanted(req->fields[i].name, what)) {
			struct span name = copy(req->fields[i].name, &at);

			mcp_headers_add(&kept->headers, name, copy(req->fields[i].value, &at));
		}
	return &kept->headers;
}
