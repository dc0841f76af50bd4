/* Streamable HTTP: one path for all (MCP 2025-03-26 to 2025-11-25, with sessions; 2026-07-28, where
 * each request stands alone). This is the door's outside: paths, methods, headers, statuses; what
 * happens to a request that was accepted is in peer.h.
 *
 * POST takes a message: 202 for what wants no answer, else the answer, as JSON or as an event stream.
 * GET opens the stream for what no request asked for, or carries on one that broke. DELETE ends the
 * session. A session is known on the endpoint where it was opened and nowhere else. */
#pragma once

#include "supervisor/front/httpd.h"
#include "supervisor/mcp/mcp.h"

struct streamable;

struct streamable *streamable_new(struct loop *loop, struct mcp *mcp, const struct conf *conf);
void streamable_free(struct streamable *streamable); /* after its sessions have ended */
void streamable_set_conf(struct streamable *streamable, const struct conf *conf);

/* Fills one route. */
enum { STREAMABLE_ROUTES = 1 };
void streamable_get_routes(struct streamable *streamable, struct http_route ret[STREAMABLE_ROUTES]);
