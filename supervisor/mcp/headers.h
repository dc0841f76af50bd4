/* What HTTP says about an MCP message beside its body, and how a header mirrors a value of the body.
 *
 * The transport hands in the fields one by one; here are only spans into its buffer. On a line transport
 * there is nothing of this.
 *
 * Source: MCP 2026-07-28 basic/transports/streamable-http "Request Metadata"; RFC 9110 section 5. */
#pragma once

#include "shared/jspan.h"
#include "shared/span.h"

enum { MCP_HEADERS_PARAMS = 32 };

struct mcp_headers {
	bool is_http;        /* false: a line transport; nothing is compared */
	struct span version; /* MCP-Protocol-Version */
	struct span method;  /* Mcp-Method */
	struct span name;    /* Mcp-Name */
	bool is_twice;       /* one of these three came twice: two readers would not agree */
	struct {
		struct span name; /* what follows "Mcp-Param-" */
		struct span value;
	} params[MCP_HEADERS_PARAMS]; /* in their order; one may come twice */
	size_t n_params;
	bool is_overfull; /* there were more, which are left out */
	/* One that came twice is present and empty, which is not valid. */
	struct span traceparent;
	struct span tracestate;
	struct span baggage;
	struct span session; /* Mcp-Session-Id */
	bool has_session;
	bool is_session_twice;
};

/* Takes note of one field, in any order; names have no case, values are without the blanks around
 * them. Fields that are not ours are left alone. The caller sets is_http. */
void mcp_headers_add(struct mcp_headers *h, struct span name, struct span value);

/* How the value of a header that may be encoded (Mcp-Name, Mcp-Param-...) compares with what it
 * mirrors: a string by its characters, a number by its value, exactly (42 is 42.0), a boolean by its
 * word. NULL: they agree. Else the rest of a sentence that begins with the header's name, static. */
const char *mcp_header_differs(struct span header, struct jspan value) must_check;
