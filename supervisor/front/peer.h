/* A session of Streamable HTTP, as the door holds it: the requests that wait for their answers, and the
 * streams that carry what the session sends.
 *
 * An exchange is one POST with requests, or the standalone stream that a GET opens; its number is what
 * mcp/ knows as `via`. A held POST is decided by the first thing that comes for it: an answer is sent as
 * JSON, anything else begins an event stream, which ends with the answer. A message goes on exactly one
 * stream. When a connection breaks, a legacy exchange goes on, its events wait in the session's store,
 * and a GET with Last-Event-ID carries on; of the stateless revision, where each request is a session
 * of its own, the session is over.
 *
 * Source: MCP 2025-03-26 to 2025-11-25 basic/transports "Sending Messages to the Server", "Listening",
 * "Multiple Connections", "Resumability"; 2026-07-28 basic/transports/streamable-http. */
#pragma once

#include "supervisor/front/http_conn.h"
#include "supervisor/mcp/mcp.h"

struct peers; /* all of a door */
struct peer;
struct exchange;

/* What is known of a POST with requests. */
struct exchange_terms {
	unsigned n_due; /* answers that will come */
	bool takes_json;
	bool takes_stream;
	bool is_batch;   /* the answers are an array, where they are JSON */
	bool is_opening; /* initialize: its answer gives the session's id, or ends the session */
};

struct peers *peers_new(struct loop *loop, struct mcp *mcp, const struct conf *conf);
void peers_free(struct peers *peers); /* after their sessions have ended */
void peers_set_conf(struct peers *peers, const struct conf *conf);

/* Opens a session, the caller's. `is_once`: for one request of the stateless revision. NULL: as mcp_open(). */
struct peer *peer_open(
	struct peers *peers, struct endpoint *endpoint, const struct caller *caller, bool is_once);

/* The peer whose session has this id and was opened on this endpoint; NULL: none. */
struct peer *peer_find(struct peers *peers, struct span id, const struct endpoint *endpoint);

struct session *peer_get_session(const struct peer *peer);

/* Holds a POST; its number is for struct mcp_input. It is valid until this turn of the loop ends,
 * whatever happens to it meanwhile. */
struct exchange *peer_hold(
	struct peer *peer, struct http_conn *conn, const struct exchange_terms *terms);
uint64_t exchange_get_no(const struct exchange *exchange);

/* Answers a held POST whose requests were refused; a session that it was to open is over. Nothing
 * happens when it was answered already. `extra` is as in struct http_reply. */
void exchange_refuse(
	struct exchange *exchange, int status, const char *extra, const struct strbuf *body);

/* A GET: begins (or takes over) the standalone stream, or carries on the stream that the id of an event
 * names; absent, or of no event that there was: the standalone one. */
void peer_listen(struct peer *peer, struct http_conn *conn, struct span last_event_id);

/* The head of an event stream. */
extern const struct http_reply peer_stream_head;
