/* Header fields of a request that mcp/ is to see together with its body: the head is gone by then, so they
 * are copied. Source: MCP 2026-07-28 basic/transports/streamable-http; W3C Trace Context. */
#pragma once

#include "supervisor/front/http1.h"
#include "supervisor/mcp/headers.h"

enum http_keep {
	HTTP_KEEP_ALL, /* what MCP has of its own, and the trace context */
	HTTP_KEEP_TRACE, /* the trace context only: for a door whose revision has no headers of its own */
};

/* NULL: there is nothing to keep. One piece of memory, freed with free(). */
struct mcp_headers *http_keep_headers(const struct http1_request *req, enum http_keep what)
	must_check;
