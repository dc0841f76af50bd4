/* See cors.h. */
#include "supervisor/front/cors.h"

#include "shared/ascii.h"

enum { MAX_PARAM_NAMES = 32 };

#define PARAM_PREFIX "mcp-param-"

bool cors_is_preflight(const struct http1_request *req)
{
	return req->method == HTTP1_OPTIONS && http1_header(req, "origin", NULL).at &&
	       http1_header(req, "access-control-request-method", NULL).at;
}

static void add_origin(struct strbuf *out, struct span origin)
{
	strbuf_adds(out, "Access-Control-Allow-Origin: ");
	strbuf_add(out, origin.at, origin.len);
	strbuf_adds(out, "\r\nVary: Origin\r\n");
}

static bool is_param_name(struct span name)
{
	size_t len = sizeof(PARAM_PREFIX) - 1;

	if (name.len <= len || strncasecmp(name.at, PARAM_PREFIX, len) != 0)
		return false;
	for (size_t i = 0; i < name.len; i++)
		if (!ascii_is_letter(name.at[i]) && !ascii_is_digit(name.at[i]) &&
			name.at[i] != '-' && name.at[i] != '_')
			return false;
	return true;
}

static struct span cut_name(struct span *rest)
{
	struct span name = { .at = rest->at };
	const char *comma = memchr(rest->at, ',', rest->len);

	name.len = comma ? (size_t)(comma - rest->at) : rest->len;
	rest->at += name.len + (comma != NULL);
	rest->len -= name.len + (comma != NULL);
	while (name.len > 0 && (*name.at == ' ' || *name.at == '\t')) {
		name.at++;
		name.len--;
	}
	while (name.len > 0 && (name.at[name.len - 1] == ' ' || name.at[name.len - 1] == '\t'))
		name.len--;
	return name;
}

/* Mcp-Param-…: the stateless revision has one for each parameter that a tool wants mirrored; they are allowed by
 * the names that are asked for. */
static void add_param_names(struct strbuf *out, struct span asked)
{
	unsigned n = 0;

	while (asked.len > 0 && n < MAX_PARAM_NAMES) {
		struct span name = cut_name(&asked);

		if (!is_param_name(name))
			continue;
		strbuf_adds(out, ", ");
		strbuf_add(out, name.at, name.len);
		n++;
	}
}

void cors_add_preflight(struct strbuf *out, const struct http1_request *req, struct span origin)
{
	add_origin(out, origin);
	strbuf_adds(out,
		"Access-Control-Allow-Methods: GET, HEAD, POST, DELETE\r\n"
		"Access-Control-Allow-Headers: Authorization, X-API-Key, Content-Type, Accept, "
		"Mcp-Session-Id, MCP-Protocol-Version, Mcp-Method, Mcp-Name, Last-Event-ID, "
		"traceparent, tracestate, baggage");
	add_param_names(out, http1_header(req, "access-control-request-headers", NULL));
	strbuf_adds(out, "\r\nAccess-Control-Max-Age: 3600\r\n");
}

void cors_add_grants(struct strbuf *out, struct span origin)
{
	add_origin(out, origin);
	strbuf_adds(out, "Access-Control-Expose-Headers: Mcp-Session-Id, WWW-Authenticate, "
			 "Retry-After\r\n");
}
