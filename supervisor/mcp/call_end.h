/* What is told of a call when it has ended, whichever way: a line in the log, a record for the audit, a span.
 *
 * Of the log and the audit they are all calls of tools that named one: also those that were refused before the router
 * had them. What a client sent stands in neither, but for the names of things that are listed. */
#pragma once

#include "supervisor/mcp/audit.h"
#include "supervisor/mcp/router.h"

struct call;

/* "ok", "tool_error", "error", "cancelled", "deadline", "worker_died", "overloaded", "unavailable". */
const char *call_outcome_name(bool is_answered, bool is_tool_error, int code);

/* By router_remove(), once for each call. */
void call_ended(struct router *router, struct call *call);

/* A call of a tool was answered with the error `code` before it was one. */
void call_refused(const struct router *router, const struct origin *origin,
	const struct audit_ask *ask, int code);

/* The same, once it is known what it would be. */
void call_refused_forward(const struct router *router, const struct forward *forward, int code);
