/* See peer.h.
 *
 * An exchange is in its peer's list until it is over; then its connection has been answered, ended or
 * given up, and no hook names it any more. It and its peer are freed when the turn ends, so whoever
 * has a pointer on the stack only asks whether there still is a peer. */
#include "supervisor/front/peer.h"

#include <errno.h>
#include <stdio.h>

#include "shared/alloc.h"
#include "shared/log.h"
#include "shared/rpc.h"
#include "supervisor/front/event_store.h"
#include "supervisor/front/heartbeat.h"

enum {
	STANDALONE = 0, /* the number of the stream for what is about no request */
	RETRY_MS = 1000,
	SLOW_LOG_BURST = 20,
};

struct exchange {
	TAILQ_ENTRY(exchange) next;
	struct heartbeat_entry beat; /* on the wheel while there is a connection */
	struct peer *peer;           /* NULL: it is over */
	struct http_conn *conn;      /* NULL: broken */
	struct event_stream *events; /* NULL: none yet */
	uint64_t no;
	struct exchange_terms terms;
	bool is_stream;    /* it has begun; else it is held */
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

const struct http_reply peer_stream_head = {
	.status = 200,
	.content_type = "text/event-stream",
	.extra = "Cache-Control: no-cache, no-transform\r\nX-Accel-Buffering: no\r\n",
	.is_stream = true,
	.is_chunked = true,
};

static struct iovec piece(const char *text, size_t len)
{
	return (struct iovec){ .iov_base = (void *)(uintptr_t)text, .iov_len = len };
}

/* --- the end ----------------------------------------------------------------------------------- */

/* What its stream still has stays in the store, for a client that comes back for it. */
static void drop_exchange(struct exchange *x)
{
	struct peer *peer = x->peer;

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
static void end_connections(struct peer *peer)
{
	struct exchange *x;

	while ((x = TAILQ_FIRST(&peer->exchanges))) {
		if (x->conn && x->is_stream)
			http_conn_end_stream(x->conn);
		else if (x->conn)
			refuse_held(x);
		drop_exchange(x);
	}
	peer->session = NULL;
	loop_defer(peer->peers->loop, free_peer, peer);
}

static void end_peer(void *arg)
{
	struct peer *peer = arg;
	struct session *session = peer->session;

	if (!session)
		return;
	end_connections(peer);
	session_gone(session);
}

/* Whoever has sent the answer may still be at work with what the session's end takes away. */
static void end_peer_later(struct peer *peer)
{
	loop_defer(peer->peers->loop, end_peer, peer);
}

/* --- writing ----------------------------------------------------------------------------------- */

/* The request has been answered in full. */
static void finish(struct exchange *x)
{
	struct peer *peer = x->peer;

	drop_exchange(x);
	if (peer->is_once)
		end_peer_later(peer);
}

static int write_event(struct exchange *x, const struct event *event)
{
	static const char start[] = "event: message\ndata: ";
	char id[EVENT_ID_TEXT];
	char id_line[sizeof("id: \n") + EVENT_ID_TEXT];
	int len = 0;

	event_id_format(x->no, event->n, id);
	if (!x->peer->is_once)
		len = snprintf(id_line, sizeof(id_line), "id: %s\n", id);
	const struct iovec iov[] = { piece(id_line, (size_t)len), piece(start, sizeof(start) - 1),
		piece(event->bytes, event->len), piece("\n\n", 2) };

	return http_conn_stream(x->conn, iov, 4);
}

/* The connection has the last event of a stream that nobody comes back to: it sees to the rest, and to how
 * long that may take. */
static bool is_last_word(const struct exchange *x, const struct event *event)
{
	return x->peer->is_once && x->is_in_flight && !TAILQ_NEXT(event, in_stream);
}

/* Writes what waits, as far as the client reads. */
static void pump(struct exchange *x)
{
	const struct event *event;

	while ((event = event_stream_next(x->events)) && !x->is_in_flight) {
		if (http_conn_is_writing(x->conn) || write_event(x, event) < 0)
			return; /* drained() comes, or closed() */
		x->is_in_flight = http_conn_is_writing(x->conn);
		if (!x->is_in_flight)
			event_stream_delivered(x->events);
	}
	if ((event && !is_last_word(x, event)) || !event_stream_has_ended(x->events))
		return;
	http_conn_end_stream(x->conn);
	finish(x);
}

static void on_drained(void *arg)
{
	struct exchange *x = arg;

	if (x->is_in_flight)
		event_stream_delivered(x->events);
	x->is_in_flight = false;
	pump(x);
}

static void on_closed(void *arg)
{
	struct exchange *x = arg;
	struct peer *peer = x->peer;

	if (peer->is_once || x->terms.is_opening) {
		x->conn = NULL;
		end_peer(peer); /* of one that was being opened nobody knows the id */
		return;
	}
	if (x->is_stream && event_stream_has_ended(x->events)) {
		drop_exchange(x);
		return;
	}
	heartbeat_leave(peer->peers->heartbeat, &x->beat);
	x->conn = NULL;
	x->is_in_flight = false;
	if (!x->events)
		return;
	event_stream_leave(x->events);
	if (!x->is_stream)
		event_stream_clear(x->events); /* no client has an id of it to come back with */
}

static const struct http_stream_hooks hooks = { .drained = on_drained, .closed = on_closed };

/* --- the first thing that comes for a held request ----------------------------------------------- */

static void open_events(struct exchange *x)
{
	struct peer *peer = x->peer;

	if (!peer->store)
		peer->store = event_store_new(
			peer->is_once ? &peer->peers->once_limits : &peer->peers->limits);
	if (!x->events)
		x->events = event_store_open(peer->store, x->no);
}

/* Where the client stands, for revisions that want to hear it. */
static void add_priming(const struct exchange *x, struct strbuf *out)
{
	const struct peer *peer = x->peer;
	char id[EVENT_ID_TEXT];

	if (peer->is_once || !revision_wants_priming(session_get_info(peer->session)->revision))
		return;
	event_id_format(x->no, event_stream_position(x->events), id);
	strbuf_addf(out, "id: %s\nretry: %d\ndata: \n\n", id, RETRY_MS);
}

static void begin_stream(struct exchange *x)
{
	auto_strbuf first = { 0 };

	open_events(x);
	add_priming(x, &first);
	x->is_stream = true;
	http_conn_begin_stream(x->conn, &peer_stream_head, first.data, first.len, &hooks, x);
}

/* The status of an answer that is not part of a stream. Source: MCP 2026-07-28 basic/index "Error
 * Codes"; legacy answers are 200, whatever they say. */
static int status_of(const struct peer *peer, int code)
{
	if (!peer->is_once)
		return 200;
	switch (code) {
	case RPC_METHOD_NOT_FOUND:
		return 404;
	case RPC_PARSE_ERROR:
	case RPC_INVALID_REQUEST:
	case RPC_HEADER_MISMATCH:
	case RPC_MISSING_CAPABILITY:
	case RPC_UNSUPPORTED_VERSION:
		return 400;
	default:
		return 200;
	}
}

static void answer_json(struct exchange *x, int status, int code, const char *json, size_t len)
{
	struct peer *peer = x->peer;
	bool is_opened = x->terms.is_opening && code == 0;
	char id[SESSION_ID_TEXT];
	auto_free char *extra = NULL;

	if (is_opened) {
		session_get_id(peer->session, id);
		extra = alloc_printf("Mcp-Session-Id: %s\r\n", id);
	} else if (status == 503) {
		extra = alloc_str("Retry-After: 1\r\n");
	}
	const struct http_reply reply = { .status = status,
		.content_type = "application/json",
		.body = json,
		.body_len = len,
		.extra = extra };

	http_conn_answer(x->conn, &reply);
	drop_exchange(x);
	if (peer->is_once || (x->terms.is_opening && !is_opened))
		end_peer_later(peer);
}

/* All answers of a batch are there. */
static void answer_array(struct exchange *x)
{
	auto_strbuf array = { 0 };
	const struct event *event;

	strbuf_addc(&array, '[');
	while ((event = event_stream_next(x->events))) {
		if (array.len > 1)
			strbuf_addc(&array, ',');
		strbuf_add(&array, event->bytes, event->len);
		event_stream_delivered(x->events);
	}
	strbuf_addc(&array, ']');
	event_stream_clear(x->events);
	answer_json(x, 200, 0, array.data, array.len);
}

/* --- messages of the session --------------------------------------------------------------------- */

static void close_slow(struct peer *peer)
{
	char id[SESSION_ID_TEXT];

	session_get_id(peer->session, id);
	const struct log_about about = { .session = peer->is_once ? NULL : id };
	if (log_limit_ok(&peer->peers->slow_log, SLOW_LOG_BURST, "slow clients"))
		log_warn_about(&about,
			"client does not read its event streams; closing the session "
			"(limits.session_queue_bytes, limits.session_queue_messages)");
	session_close_later(peer->session, "slow client");
}

/* Its client cannot have read what we collect for it: it is not slow, and keeps its session. */
static void give_up_batch(struct exchange *x)
{
	auto_strbuf error = { 0 };

	rpc_add_error(&error, (struct jspan){ 0 }, RPC_OVERLOADED,
		"the answers of this batch are too large together (limits.session_queue_bytes); its "
		"requests may have taken effect: send them one by one");
	event_stream_clear(x->events);
	answer_json(x, 500, RPC_OVERLOADED, error.data, error.len);
}

static void append(struct exchange *x, const struct outgoing *out)
{
	open_events(x);
	if (event_stream_append(x->events, out->json, out->len) < 0) {
		if (x->is_stream)
			close_slow(x->peer);
		else
			give_up_batch(x);
		return;
	}
	if (!x->is_stream && x->terms.n_due == 0)
		answer_array(x);
	if (!x->is_stream || !x->peer)
		return;
	if (x->no != STANDALONE && x->terms.n_due == 0)
		event_stream_end(x->events);
	if (x->conn)
		pump(x);
	else if (event_stream_has_ended(x->events))
		drop_exchange(x);
}

/* True: it was taken as a whole answer, or has no place. */
static bool is_decided(struct exchange *x, const struct outgoing *out)
{
	if (!x->conn) {
		if (x->terms.n_due == 0)
			drop_exchange(x);
		return true;
	}
	if (out->is_answer && x->terms.takes_json) {
		if (!x->terms.is_batch)
			answer_json(
				x, status_of(x->peer, out->code), out->code, out->json, out->len);
		return !x->terms.is_batch;
	}
	if (!x->terms.takes_stream)
		return true; /* a client that takes only JSON gets only answers */
	begin_stream(x);
	return false;
}

static struct exchange *find_exchange(const struct peer *peer, uint64_t no)
{
	struct exchange *x;

	TAILQ_FOREACH(x, &peer->exchanges, next)
		if (x->no == no)
			return x;
	return NULL;
}

static int on_send(void *sink, const struct outgoing *out)
{
	struct peer *peer = sink;
	struct exchange *x = find_exchange(peer, out->via);

	/* About a request that is over, or for a standalone stream that there never was. */
	if (!x || (x->events && event_stream_has_ended(x->events)))
		return 0;
	if (out->is_answer && x->terms.n_due > 0)
		x->terms.n_due--;
	if (x->is_stream || !is_decided(x, out))
		append(x, out);
	return 0;
}

static void on_close(void *sink, const char *reason)
{
	end_connections(sink);
}

static bool is_slow(void *sink)
{
	const struct peer *peer = sink;

	return peer->store && event_store_is_slow(peer->store);
}

static const struct sink_ops sink_ops = {
	.send = on_send,
	.close = on_close,
	.is_slow = is_slow,
	.answers_each = true,
};

static const struct sink_ops once_sink_ops = {
	.send = on_send,
	.close = on_close,
	.is_slow = is_slow,
	.answers_each = true,
	.is_once = true,
};

/* A sign of life. A request that has waited so long becomes a stream, to have one. */
static void on_beat(struct heartbeat_entry *entry)
{
	static const char comment[] = ":\n\n";
	const struct iovec iov = piece(comment, sizeof(comment) - 1);
	struct exchange *x =
		(struct exchange *)(void *)((char *)entry - offsetof(struct exchange, beat));

	if (!x->is_stream) {
		if (!x->terms.takes_stream)
			return;
		begin_stream(x);
		pump(x);
	}
	if (x->conn && !http_conn_is_writing(x->conn))
		(void)http_conn_stream(x->conn, &iov, 1);
}

/* --- public -------------------------------------------------------------------------------------- */

struct peers *peers_new(struct loop *loop, struct mcp *mcp, const struct conf *conf)
{
	struct peers *peers = alloc_zero(sizeof(*peers));

	peers->loop = loop;
	peers->mcp = mcp;
	peers->heartbeat = heartbeat_new(loop, conf->sse_heartbeat_ms, on_beat);
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

struct peer *peer_open(struct peers *peers, struct endpoint *endpoint, bool is_once)
{
	struct peer *peer = alloc_zero(sizeof(*peer));

	peer->peers = peers;
	peer->is_once = is_once;
	TAILQ_INIT(&peer->exchanges);
	peer->session = mcp_open(peers->mcp, is_once ? &once_sink_ops : &sink_ops, peer, endpoint);
	if (peer->session)
		return peer;
	free(peer);
	return NULL;
}

struct peer *peer_find(struct peers *peers, struct span id, const struct endpoint *endpoint)
{
	struct session *session = session_find(mcp_get_sessions(peers->mcp), id.at, id.len);

	if (!session || !session_has_ops(session, &sink_ops) ||
		session_get_endpoint(session) != endpoint)
		return NULL;
	return session_get_sink(session);
}

struct session *peer_get_session(const struct peer *peer)
{
	return peer->session;
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
	http_conn_hold(conn, &hooks, x, peer->is_once ? HTTP_FIN_LEAVES : HTTP_FIN_WAITS);
	return x;
}

uint64_t exchange_get_no(const struct exchange *x)
{
	return x->no;
}

void exchange_refuse(struct exchange *x, int status, const struct strbuf *body)
{
	if (!x->peer || !x->conn || x->is_stream)
		return;
	answer_json(x, status, RPC_INVALID_REQUEST, body->data, body->len);
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
	x = find_exchange(peer, no);
	if (x)
		return x->is_stream ? x : NULL;
	x = add_exchange(peer, no); /* all was answered, and not all was read */
	x->events = events;
	x->is_stream = true;
	return x;
}

static struct exchange *get_standalone(struct peer *peer)
{
	struct exchange *x = find_exchange(peer, STANDALONE);

	if (x)
		return x;
	x = add_exchange(peer, STANDALONE);
	x->is_stream = true;
	open_events(x);
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
	begin_stream(x);
	pump(x);
}
