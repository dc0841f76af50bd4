/* The envelope of a request of the stateless revision: is it one, and is it in order?
 *
 * Pure: no session, no transport. A modern request says in params._meta which revision it speaks and
 * what its client can do, and over HTTP its headers repeat parts of the body. Legacy requests open
 * with initialize and say nothing of this. Both arrive at the same door.
 *
 * A key that is there counts, whatever its value: a client that writes protocolVersion: 7 is told
 * what is wrong with it, and not that it lacks a session.
 *
 * Source: MCP 2026-07-28 basic/index "_meta", basic/versioning, basic/transports/streamable-http. */
#pragma once

#include "shared/rpc.h"
#include "supervisor/mcp/headers.h"

/* What a client says in params._meta; spans into the message, absent where it says nothing. For legacy
 * requests too: token and trace context are older. */
struct envelope {
	bool is_modern; /* params._meta names a version, or the headers alone make it modern */
	bool is_twice;  /* `_meta`, or a key of it that we read: then all of that key is absent */
	struct jspan meta;         /* params._meta, whatever it is */
	struct jspan version;      /* a value of any type, until envelope_check() */
	struct jspan capabilities; /* clientCapabilities, the same */
	struct jspan client_info;  /* clientInfo */
	struct jspan log_level;    /* logLevel: absent, none wanted */
	struct jspan token;        /* progressToken, a valid one */
	/* of any type */
	struct jspan traceparent;
	struct jspan tracestate;
	struct jspan baggage;
};

struct envelope_fault {
	int code;      /* RPC_... */
	int status;    /* of HTTP */
	char *message; /* for the client, UTF-8 */
	char *data;    /* JSON text of the error's `data`; NULL: none */
};

#define auto_envelope_fault auto_(envelope_fault_done) struct envelope_fault

void envelope_fault_done(struct envelope_fault *fault);

/* Appends the whole error answer. */
void envelope_fault_answer(const struct envelope_fault *fault, struct jspan id, struct strbuf *buf);

/* `rpc` is a request or a notification; `headers` may be NULL (a line transport). */
void envelope_read(const struct rpc *rpc, const struct mcp_headers *headers, struct envelope *ret);

/* Whether a modern request is in order, the earliest fault first: `_meta` has what it must
 * (-32602), the headers agree with the body (-32020), the version is served (-32022). All 400.
 * 0, or the code with *fault filled. */
int envelope_check(const struct rpc *rpc, const struct envelope *e,
	const struct mcp_headers *headers, struct envelope_fault *fault) must_check;

/* Looking for annotations takes a time that grows with size and depth, and is done for each call. */
enum { SCHEMA_HEADERS_BYTES = 262144 };

/* Whether the headers Mcp-Param-... agree with the arguments of a tools/call: for each property that
 * `input_schema` (the tool's inputSchema itself) annotates with x-mcp-header. Where a header and its
 * value are both absent (null counts as absent) they agree. A schema with a bad annotation asks for
 * nothing, since clients do not call such a tool; headers that no property names are ignored.
 * `arguments` may be absent. 0, or RPC_HEADER_MISMATCH with *fault filled. */
int envelope_check_params(struct jspan input_schema, struct jspan arguments,
	const struct mcp_headers *headers, struct envelope_fault *fault) must_check;

/* Whether envelope_check_params() has anything to do; to be asked once when the tool is listed. */
bool schema_has_headers(struct jspan input_schema);

/* Appends what is wrong with the x-mcp-header annotations of a tool's inputSchema, for the log: the
 * first few, with "; " between. Returns how many faults there are; with one, conforming clients leave
 * the tool out. A schema above SCHEMA_HEADERS_BYTES is not looked at, which is a fault where it could
 * have an annotation. */
size_t schema_header_faults(struct jspan input_schema, struct strbuf *ret);

enum envelope_kind {
	ENVELOPE_MODERN,              /* a request; envelope_check() comes next */
	ENVELOPE_MODERN_NOTIFICATION, /* 202, and nothing else */
	ENVELOPE_INITIALIZE,          /* legacy, without a session: opens one */
	ENVELOPE_LEGACY,              /* any other legacy message: needs a session */
	ENVELOPE_BATCH,               /* a legacy array: the session's revision decides */
	ENVELOPE_REFUSED,             /* *fault says how to answer */
};

/* What a body over Streamable HTTP is, before any session is known. *ret_id is the request's id where
 * it could be read; absent for all that is no request. A legacy message whose params are no object is
 * ENVELOPE_LEGACY: its session answers that. `headers` is not NULL here. */
enum envelope_kind envelope_classify(const char *body, size_t len,
	const struct mcp_headers *headers, struct envelope_fault *fault, struct jspan *ret_id);
