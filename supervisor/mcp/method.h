/* The table of methods: who answers what, in which era. A method that is not in the table is -32601;
 * nothing else decides it. Source: MCP, all revisions, schema. */
#pragma once

#include "shared/rpc.h"
#include "supervisor/mcp/news.h"
#include "supervisor/mcp/router.h"

/* What a method may use. */
struct method_context {
	struct router *router;
	struct news *news;
	const struct conf *conf;
	const struct origin *origin;
	struct strbuf
		*scopes; /* as in struct mcp_input, with METHOD_FORBIDDEN; NULL: it is answered */
	struct strbuf *reply; /* the error, then */
	bool has_foreign; /* the endpoint has domains whose capabilities show only when they run */
};

enum method_wait {
	METHOD_DONE,
	METHOD_WAITS, /* it needs what the domains offer, which is not known yet: try again later */
	METHOD_FORBIDDEN, /* nothing was answered: a token with other scopes could */
	METHOD_UNKNOWN,   /* nothing was answered */
};

/* Methods as numbers, for what is counted: those of the table, then one for the answers of clients and one
 * for all others; below STATS_METHODS. */
unsigned method_find_number(struct jspan name);
unsigned method_response_number(void);
unsigned method_other_number(void);

/* "response", "other"; NULL: there is no such number. */
const char *method_name(unsigned number);

/* `settled`: every domain has had its chance to start. A request is answered through its session
 * (maybe later); notifications never are. */
enum method_wait method_run(
	const struct method_context *context, const struct rpc *rpc, bool settled);
