/* What is told of a call when it has ended, whichever way: a line in the log, a record for the audit, a span.
 * Called by router_remove(), once for each call. */
#pragma once

#include "supervisor/mcp/router.h"

struct call;

/* "ok", "tool_error", "error", "cancelled", "deadline", "worker_died", "overloaded", "unavailable". */
const char *call_outcome_name(bool is_answered, bool is_tool_error, int code);

void call_ended(struct router *router, struct call *call);
