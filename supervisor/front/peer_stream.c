/* See peer.h: event streams. An event is delivered when the socket, or what the connection keeps for it,
 * has it whole; until then nothing of the next one is written. */
#include <stdio.h>

#include "supervisor/front/peer_private.h"

enum { RETRY_MS = 1000 };

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

/* --- writing ----------------------------------------------------------------------------------- */

/* The request has been answered in full. */
static void finish(struct exchange *x)
{
	struct peer *peer = x->peer;

	exchange_drop(x);
	if (peer->is_once)
		peer_end_later(peer);
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
void exchange_pump(struct exchange *x)
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
	exchange_pump(x);
}

static void on_closed(void *arg)
{
	struct exchange *x = arg;
	struct peer *peer = x->peer;

	if (peer->is_once || x->terms.is_opening) {
		x->conn = NULL;
		peer_end(peer); /* of one that was being opened nobody knows the id */
		return;
	}
	if (x->is_stream && event_stream_has_ended(x->events)) {
		exchange_drop(x);
		return;
	}
	heartbeat_leave(peer->peers->heartbeat, &x->beat);
	exchange_count_end(x);
	x->conn = NULL;
	x->is_in_flight = false;
	if (!x->events)
		return;
	event_stream_leave(x->events);
	if (!x->is_stream)
		event_stream_clear(x->events); /* no client has an id of it to come back with */
}

const struct http_stream_hooks exchange_hooks = { .drained = on_drained, .closed = on_closed };

/* --- the beginning ------------------------------------------------------------------------------ */

void exchange_open_events(struct exchange *x)
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

void exchange_count_end(struct exchange *x)
{
	if (x->is_counted)
		stats_stream_closed(session_get_door(x->peer->session));
	x->is_counted = false;
}

void exchange_begin_stream(struct exchange *x)
{
	auto_strbuf first = { 0 };

	if (!x->is_counted)
		stats_stream_opened(session_get_door(x->peer->session));
	x->is_counted = true;
	exchange_open_events(x);
	add_priming(x, &first);
	x->is_stream = true;
	http_conn_begin_stream(
		x->conn, &peer_stream_head, first.data, first.len, &exchange_hooks, x);
}

/* A sign of life. A request that has waited so long becomes a stream, to have one. */
void exchange_beat(struct heartbeat_entry *entry)
{
	static const char comment[] = ":\n\n";
	const struct iovec iov = piece(comment, sizeof(comment) - 1);
	struct exchange *x =
		(struct exchange *)(void *)((char *)entry - offsetof(struct exchange, beat));

	if (!x->is_stream) {
		if (!x->terms.takes_stream)
			return;
		exchange_begin_stream(x);
		exchange_pump(x);
	}
	if (x->conn && !http_conn_is_writing(x->conn))
		(void)http_conn_stream(x->conn, &iov, 1);
}
