/* The table of methods: who answers what. A method that is not in the table is -32601; nothing else
 * decides it. Source: MCP 2024-11-05 to 2025-11-25, schema. */
#pragma once

#include "shared/rpc.h"
#include "supervisor/mcp/router.h"

/* What a method may use. */
struct method_context {
	struct router *router;
	const struct conf *conf;
	struct session *session;
	uint64_t via; /* as in struct mcp_input */
};

enum method_wait {
	METHOD_DONE,
	METHOD_WAITS, /* it needs the lists of tools, which are not complete yet: try again later */
};

/* `settled`: every domain has had its chance to start. A request is answered through its session
 * (maybe later); notifications never are. */
enum method_wait method_run(
	const struct method_context *context, const struct rpc *rpc, bool settled);
