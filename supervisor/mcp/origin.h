/* Who asks, and how the answer is to look: what a request's era and session say about it.
 *
 * An answer is made here and nowhere else, so that each carries what its revision demands. Source: MCP
 * 2026-07-28 basic/index "Results", server/utilities/caching; JSON-RPC 2.0 section 5. */
#pragma once

#include "supervisor/mcp/envelope.h"
#include "supervisor/mcp/level.h"
#include "supervisor/mcp/session.h"

/* What a client can be asked for, as bits. */
enum {
	CLIENT_SAMPLING = 1 << 0,
	CLIENT_ELICITATION = 1 << 1,     /* by a form */
	CLIENT_ELICITATION_URL = 1 << 2, /* by a page that the user visits */
	CLIENT_ROOTS = 1 << 3,
};

/* The bits of a client's `capabilities` (absent: none). */
unsigned client_read_capabilities(struct jspan capabilities);

/* One request; what it borrows lives as long as the request's text, or as the call's copy of it. */
struct origin {
	struct session *session;
	uint64_t via;     /* as in struct mcp_input */
	struct jspan id;  /* as the client wrote it */
	bool is_modern;   /* a request of the stateless revision */
	enum level level; /* the least important log message that it wants */
	unsigned client;  /* bits above */
	struct jspan token;
	const struct envelope
		*envelope; /* of a modern request, or what HTTP headers say; NULL: nothing */
	const struct mcp_headers *headers; /* NULL: not HTTP */
	struct stats_timing timing; /* what its answer is counted under; zero: under nothing */
};

enum {
	ANSWER_CACHEABLE = 1 << 0, /* one of the six results that tell how long they hold */
};

/* The result object, made complete for the era of the asker. */
void answer_result(const struct origin *to, struct jspan result, unsigned flags);
void answer_text(const struct origin *to, const char *result, unsigned flags);

/* `data`: JSON text, or NULL. */
void answer_error(const struct origin *to, int code, const char *message, const char *data);

/* The `error` object of a worker, with the codes that the era of the asker knows. */
void answer_error_object(const struct origin *to, struct jspan error);

/* "message: text", with no more of the foreign text than an error may repeat. */
void answer_quoting(const struct origin *to, int code, const char *message, struct jspan text);

/* The members that a modern result must have and `result` lacks, to be put first in it; "" for none. */
void result_add_missing(struct strbuf *out, struct jspan result, unsigned flags);
