/* See peer.h.
 *
 * An exchange is in its peer's list until it is over; then its connection has been answered, ended or
 * given up, and no hook names it any more. It and its peer are freed when the turn ends, so whoever
 * has a pointer on the stack only asks whether there still is a peer. */
#include "supervisor/front/peer.h"

#include "shared/alloc.h"
#include "shared/rpc.h"
#include "supervisor/front/peer_private.h"

/* --- the end ----------------------------------------------------------------------------------- */

/* What its stream still has stays in the store, for a client that comes back for it. */
void exchange_drop(struct exchange *x)
{
	struct peer *peer = x->peer;

	exchange_count_end(x);
	heartbeat_leave(peer->peers->heartbeat, &x->beat);
	TAILQ_REMOVE(&peer->exchanges, x, next);
	if (x->events)
		event_stream_end(x->events);
	if (x->events && x->conn)
		event_stream_leave(x->events);
	x->peer = NULL;
	x->conn = NULL;
	loop_defer(peer->peers->loop, free, x);
}

static void free_peer(void *arg)
{
	struct peer *peer = arg;

	event_store_free(peer->store);
	free(peer);
}

/* 404 sends a client back to initialize. To initialize itself, and to the stateless revision, it would
 * say that there is no such door, or no such method. */
static void refuse_held(const struct exchange *x)
{
	if (x->peer->is_once || x->terms.is_opening)
		http_conn_refuse(
			x->conn, 503, "ended before the answer was there; try again later");
	else
		http_conn_refuse(x->conn, 404, "the session has ended");
}

/* The session is over: each of its connections is told. */
void peer_end_connections(struct peer *peer)
{
	struct exchange *x;

	while ((x = TAILQ_FIRST(&peer->exchanges))) {
		if (x->conn && x->is_stream)
			http_conn_end_stream(x->conn);
		else if (x->conn)
			refuse_held(x);
		exchange_drop(x);
	}
	peer->session = NULL;
	loop_defer(peer->peers->loop, free_peer, peer);
}

void peer_end(void *arg)
{
	struct peer *peer = arg;
	struct session *session = peer->session;

	if (!session)
		return;
	peer_end_connections(peer);
	session_gone(session);
}

/* Whoever has sent the answer may still be at work with what the session's end takes away. */
void peer_end_later(struct peer *peer)
{
	loop_defer(peer->peers->loop, peer_end, peer);
}

/* --- public -------------------------------------------------------------------------------------- */

struct peers *peers_new(struct loop *loop, struct mcp *mcp, const struct conf *conf)
{
	struct peers *peers = alloc_zero(sizeof(*peers));

	peers->loop = loop;
	peers->mcp = mcp;
	peers->heartbeat = heartbeat_new(loop, conf->sse_heartbeat_ms, exchange_beat);
	peers_set_conf(peers, conf);
	return peers;
}

void peers_free(struct peers *peers)
{
	if (!peers)
		return;
	heartbeat_free(peers->heartbeat);
	free(peers);
}

void peers_set_conf(struct peers *peers, const struct conf *conf)
{
	peers->limits = (struct event_limits){
		.queue_bytes = conf->limits.session_queue_bytes,
		.queue_events = conf->limits.session_queue_messages,
		.replay_bytes = conf->limits.session_replay_bytes,
		.replay_events = conf->limits.session_replay_events,
	};
	peers->once_limits = peers->limits;
	peers->once_limits.replay_bytes = 0; /* a broken stream is over */
	peers->once_limits.replay_events = 0;
	heartbeat_set_interval(peers->heartbeat, conf->sse_heartbeat_ms);
}

struct peer *peer_open(
	struct peers *peers, struct endpoint *endpoint, const struct caller *caller, bool is_once)
{
	struct peer *peer = alloc_zero(sizeof(*peer));

	peer->peers = peers;
	peer->is_once = is_once;
	TAILQ_INIT(&peer->exchanges);
	peer->session = mcp_open(
		peers->mcp, is_once ? &peer_once_sink_ops : &peer_sink_ops, peer, endpoint, caller);
	if (peer->session)
		return peer;
	free(peer);
	return NULL;
}

struct peer *peer_find(struct peers *peers, struct span id, const struct endpoint *endpoint)
{
	struct session *session = session_find(mcp_get_sessions(peers->mcp), id.at, id.len);

	if (!session || !session_has_ops(session, &peer_sink_ops) ||
		session_get_endpoint(session) != endpoint)
		return NULL;
	return session_get_sink(session);
}

struct session *peer_get_session(const struct peer *peer)
{
	return peer->session;
}

struct exchange *exchange_find(const struct peer *peer, uint64_t no)
{
	struct exchange *x;

	TAILQ_FOREACH(x, &peer->exchanges, next)
		if (x->no == no)
			return x;
	return NULL;
}

static struct exchange *add_exchange(struct peer *peer, uint64_t no)
{
	struct exchange *x = alloc_zero(sizeof(*x));

	x->peer = peer;
	x->no = no;
	TAILQ_INSERT_TAIL(&peer->exchanges, x, next);
	return x;
}

static void set_conn(struct exchange *x, struct http_conn *conn)
{
	x->conn = conn;
	heartbeat_join(x->peer->peers->heartbeat, &x->beat);
}

struct exchange *peer_hold(
	struct peer *peer, struct http_conn *conn, const struct exchange_terms *terms)
{
	struct exchange *x = add_exchange(peer, ++peer->last_no);

	x->terms = *terms;
	set_conn(x, conn);
	/* Of the stateless revision a client that has closed its side cannot be told from one that
	 * has left, and that is how it cancels. */
	http_conn_hold(conn, &exchange_hooks, x, peer->is_once ? HTTP_FIN_LEAVES : HTTP_FIN_WAITS);
	return x;
}

uint64_t exchange_get_no(const struct exchange *x)
{
	return x->no;
}

void exchange_refuse(struct exchange *x, int status, const char *extra, const struct strbuf *body)
{
	if (!x->peer || !x->conn || x->is_stream)
		return;
	exchange_answer(x, status, RPC_INVALID_REQUEST, extra, body->data, body->len);
}

/* The stream that an event's id names, if there ever was such an event and the stream is still known. */
static struct exchange *find_stream(struct peer *peer, struct span last_event_id, uint64_t *ret_n)
{
	struct event_stream *events;
	struct exchange *x;
	uint64_t no;

	if (!peer->store || !event_id_parse(last_event_id, &no, ret_n))
		return NULL;
	events = event_store_find(peer->store, no);
	if (!events || *ret_n > event_stream_get_last(events))
		return NULL;
	x = exchange_find(peer, no);
	if (x)
		return x->is_stream ? x : NULL;
	x = add_exchange(peer, no); /* all was answered, and not all was read */
	x->events = events;
	x->is_stream = true;
	return x;
}

static struct exchange *get_standalone(struct peer *peer)
{
	struct exchange *x = exchange_find(peer, STANDALONE);

	if (x)
		return x;
	x = add_exchange(peer, STANDALONE);
	x->is_stream = true;
	exchange_open_events(x);
	return x;
}

void peer_listen(struct peer *peer, struct http_conn *conn, struct span last_event_id)
{
	uint64_t n = 0;
	struct exchange *x = find_stream(peer, last_event_id, &n);
	bool is_resumed = x != NULL;

	if (!x)
		x = get_standalone(peer);
	if (x->conn) {
		http_conn_end_stream(x->conn);
		heartbeat_leave(peer->peers->heartbeat, &x->beat);
	}
	x->is_in_flight = false;
	event_stream_join(x->events);
	if (is_resumed)
		(void)event_stream_rewind(x->events, n);
	set_conn(x, conn);
	exchange_begin_stream(x);
	exchange_pump(x);
}
