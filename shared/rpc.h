/* The envelope of one JSON-RPC 2.0 message: where its parts lie in the received bytes.
 *
 * Used by both ends of every link. Source: JSON-RPC 2.0; MCP basic/index, all revisions (id is a
 * string or an integer, params an object). */
#pragma once

#include "shared/jspan.h"

enum rpc_kind {
	RPC_REQUEST,
	RPC_NOTIFICATION,
	RPC_RESULT, /* a response with `result` */
	RPC_ERROR,  /* a response with `error` */
};

struct rpc {
	enum rpc_kind kind;
	struct jspan id;     /* request, response: string or integer, as sent */
	struct jspan method; /* request, notification: a string, quotes included */
	struct jspan params; /* an object, or absent */
	struct jspan result; /* RPC_RESULT */
	struct jspan error;  /* RPC_ERROR: an object */
};

/* Codes of JSON-RPC, of MCP, and of ours (outside of the range that JSON-RPC reserves). */
enum {
	RPC_PARSE_ERROR = -32700,
	RPC_INVALID_REQUEST = -32600,
	RPC_METHOD_NOT_FOUND = -32601,
	RPC_INVALID_PARAMS = -32602,
	RPC_INTERNAL_ERROR = -32603,
	RPC_RESOURCE_NOT_FOUND = -32002,  /* up to 2025-11-25 */
	RPC_HEADER_MISMATCH = -32020,     /* from 2026-07-28: HTTP headers and body disagree */
	RPC_MISSING_CAPABILITY = -32021,  /* from 2026-07-28: the client declared too little */
	RPC_UNSUPPORTED_VERSION = -32022, /* from 2026-07-28 */
	RPC_WORKER_DIED = -31001, /* the worker died with the call; it may have taken effect */
	RPC_DEADLINE = -31002,    /* no answer in time */
	RPC_OVERLOADED = -31003,  /* a queue is full; try again later */
	RPC_UNAVAILABLE = -31004, /* the domain has no worker, or the fleet is stopping */
	RPC_CANCELLED = -31005,   /* by the client; told only where somebody waits for the answer */
};

/* The `data` of an RPC_UNAVAILABLE with which a daemon that is stopping refuses a request unseen. */
#define RPC_DATA_STOPPING "{\"stopping\":true}"

/* Reads one message. 0: *ret points into `text`. Else one of the codes above:
 * RPC_PARSE_ERROR, RPC_INVALID_REQUEST, RPC_INVALID_PARAMS (params is no object); then ret->id is set
 * where it could be read and is valid, and *ret_why is a static text. Arrays are RPC_INVALID_REQUEST.
 * With RPC_INVALID_PARAMS kind and method are set too: a notification is not answered. */
int rpc_parse(const char *text, size_t len, struct rpc *ret, const char **ret_why) must_check;

/* Appends a whole message (no line break behind). An absent `id` is left out, `message` is UTF-8. */
void rpc_add_error(struct strbuf *buf, struct jspan id, int code, const char *message);

/* The same with `data`, a JSON text (NULL: without). */
void rpc_add_error_data(
	struct strbuf *buf, struct jspan id, int code, const char *message, const char *data);

/* The id of a request that is too long to be read, of which `head` is the beginning, unchecked. Absent: its id or
 * its method stands behind that, or it is none (an answer with an id is not to be answered). */
struct jspan rpc_find_request_id(const char *head, size_t len);

/* Whether it is an error with this code. */
bool rpc_has_code(const struct rpc *rpc, int code);

/* Whether it is an answer with RPC_DATA_STOPPING. */
bool rpc_is_stopping(const struct rpc *rpc);

/* Whether a request does no harm when it comes twice: one that asks, or sets what is set already. Not
 * tools/call, nor what nobody knows. */
bool rpc_may_repeat(const struct rpc *request);

void rpc_add_result(struct strbuf *buf, struct jspan id, const char *result, size_t len);
