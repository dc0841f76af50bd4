/* The inside of a peer: shared by peer.c (its life), peer_stream.c (its event streams) and peer_send.c
 * (where what the session sends goes). */
#pragma once

#include "shared/log.h"
#include "supervisor/front/event_store.h"
#include "supervisor/front/heartbeat.h"
#include "supervisor/front/peer.h"

enum { STANDALONE = 0 }; /* the number of the stream for what is about no request */

struct exchange {
	TAILQ_ENTRY(exchange) next;
	struct heartbeat_entry beat; /* on the wheel while there is a connection */
	struct peer *peer;           /* NULL: it is over */
	struct http_conn *conn;      /* NULL: broken */
	struct event_stream *events; /* NULL: none yet */
	uint64_t no;
	struct exchange_terms terms;
	bool is_stream;    /* it has begun; else it is held */
	bool is_counted;   /* among the open event streams */
	bool is_in_flight; /* the first event that waits is being written */
};

struct peer {
	struct peers *peers;
	struct session *session; /* NULL: it is over */
	struct event_store *store;
	TAILQ_HEAD(, exchange) exchanges;
	uint64_t last_no;
	bool is_once;
};

struct peers {
	struct loop *loop;
	struct mcp *mcp;
	struct heartbeat *heartbeat;
	struct event_limits limits;
	struct event_limits once_limits;
	struct log_limit slow_log;
};

/* The exchange leaves its peer; it is freed when the turn ends. What its stream still has stays in the
 * store, for a client that comes back for it. */
void exchange_drop(struct exchange *x);

/* NULL: there is none with this number. */
struct exchange *exchange_find(const struct peer *peer, uint64_t no);

/* Answers a held POST, which is over then, and with it a session for this one request, or one that it
 * failed to open. `code` is that of the JSON-RPC error in `json`, else 0. */
void exchange_answer(
	struct exchange *x, int status, int code, const char *extra, const char *json, size_t len);

/* There are events to be kept. Twice is fine. */
void exchange_open_events(struct exchange *x);

/* The connection carries an event stream from now on. */
void exchange_begin_stream(struct exchange *x);

/* It carries none any more, if it did. */
void exchange_count_end(struct exchange *x);

/* Writes what waits, as far as the client reads; ends the stream when all of it is written. */
void exchange_pump(struct exchange *x);

/* A sign of life; of the wheel. */
heartbeat_fn exchange_beat;

/* Of connections; the argument is an exchange. */
extern const struct http_stream_hooks exchange_hooks;

/* Each connection of a session that is over is told. */
void peer_end_connections(struct peer *peer);

/* The session ends when this turn of the loop does: whoever has sent an answer may still be at work with
 * what the session's end takes away. */
void peer_end_later(struct peer *peer);
void peer_end(void *arg);

/* Of sessions that have an id, and of those for one request; the sink is a peer. */
extern const struct sink_ops peer_sink_ops;
extern const struct sink_ops peer_once_sink_ops;
