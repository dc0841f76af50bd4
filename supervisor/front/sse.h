/* The HTTP+SSE transport (MCP 2024-11-05, basic/transports "HTTP with SSE").
 *
 * GET /sse opens a session: the stream begins with an `endpoint` event, whose data is a relative path
 * with the session's id, stays open, carries each message to the client as a `message` event, and a
 * `ping` event every heartbeat. POST to that path takes one message: 202 at once, its answer comes on
 * the stream of that session and on no other. */
#pragma once

#include "supervisor/front/httpd.h"
#include "supervisor/mcp/mcp.h"

struct sse;

struct sse *sse_new(struct loop *loop, struct mcp *mcp, int64_t heartbeat_ms);
void sse_free(struct sse *sse); /* after its sessions have ended */

/* Streams get the new rhythm one by one. */
void sse_set_heartbeat(struct sse *sse, int64_t heartbeat_ms);

/* Fills two routes. */
enum { SSE_ROUTES = 2 };
void sse_get_routes(struct sse *sse, struct http_route ret[SSE_ROUTES]);
