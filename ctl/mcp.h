/* An MCP client on the daemon's local socket: one session, one call at a time.
 *
 * It declares no capability: what a server asks for all the same (elicitation, sampling, roots) is refused with
 * an error that says so. Source: MCP 2025-11-25, "Lifecycle", "Cancellation", "Progress", transport "stdio". */
#pragma once

#include <jansson.h>

#include "shared/fail.h"

struct mcp;

/* Connects and initializes. 0; -ENOTCONN with words. */
int mcp_open(const char *path, int64_t timeout_ms, struct mcp **ret, struct fail *fail) must_check;
void mcp_free(struct mcp *mcp);
DEFINE_FREEP(struct mcp, mcp_free)

/* How far the call is; `total` is 0 when it is not known, `message` "" when there is none. */
typedef void mcp_progress_fn(void *arg, double progress, double total, const char *message);

/* Takes `args` over. The whole result of tools/call, the caller's; NULL with words:
 * -EREMOTEIO: what the server answered as an error; -ECANCELED: a signal came (`signals` is a descriptor of
 * signals_open()); -ETIMEDOUT: `timeout_ms` (< 0: none) is over; after these two the server was told that
 * the call is cancelled. -ENOTCONN: the connection is of no use any more. */
json_t *mcp_call_tool(struct mcp *mcp, const char *name, json_t *args, int signals,
	int64_t timeout_ms, mcp_progress_fn *on_progress, void *arg, struct fail *fail) must_check;
