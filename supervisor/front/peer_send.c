/* See peer.h: which way goes what the session sends. The first thing that comes for a held POST decides
 * what its answer is. */
#include "shared/alloc.h"
#include "shared/rpc.h"
#include "supervisor/front/peer_private.h"
#include "supervisor/stats.h"

enum { SLOW_LOG_BURST = 20 };

/* --- answers that are no streams ---------------------------------------------------------------- */

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

void exchange_answer(
	struct exchange *x, int status, int code, const char *extra, const char *json, size_t len)
{
	struct peer *peer = x->peer;
	bool is_opened = x->terms.is_opening && code == 0;
	char id[SESSION_ID_TEXT];
	auto_free char *opened = NULL;

	if (is_opened) {
		session_get_id(peer->session, id);
		extra = opened = alloc_printf("Mcp-Session-Id: %s\r\n", id);
	} else if (status == 503) {
		extra = "Retry-After: 1\r\n";
	}
	const struct http_reply reply = { .status = status,
		.content_type = "application/json",
		.body = json,
		.body_len = len,
		.extra = extra };

	http_conn_answer(x->conn, &reply);
	exchange_drop(x);
	if (peer->is_once || (x->terms.is_opening && !is_opened))
		peer_end_later(peer);
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
	exchange_answer(x, 200, 0, NULL, array.data, array.len);
}

/* --- messages of the session --------------------------------------------------------------------- */

static void close_slow(struct peer *peer)
{
	char id[SESSION_SHOWN_TEXT];

	session_get_shown_id(peer->session, id);
	stats_limit_reached(STATS_LIMIT_SESSION_QUEUE);
	stats_failed(session_get_door(peer->session), STATS_SLOW_CLIENT);
	const struct log_about about = { .session = id };
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
	stats_limit_reached(STATS_LIMIT_SESSION_QUEUE);
	stats_failed(session_get_door(x->peer->session), STATS_OVERLOADED);
	event_stream_clear(x->events);
	exchange_answer(x, 500, RPC_OVERLOADED, NULL, error.data, error.len);
}

static void append(struct exchange *x, const struct outgoing *out)
{
	exchange_open_events(x);
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
		exchange_pump(x);
	else if (event_stream_has_ended(x->events))
		exchange_drop(x);
}

/* True: it was taken as a whole answer, or has no place. */
static bool is_decided(struct exchange *x, const struct outgoing *out)
{
	if (!x->conn) {
		if (x->terms.n_due == 0)
			exchange_drop(x);
		return true;
	}
	if (out->is_answer && x->terms.takes_json) {
		if (!x->terms.is_batch)
			exchange_answer(x, status_of(x->peer, out->code), out->code, NULL,
				out->json, out->len);
		return !x->terms.is_batch;
	}
	if (!x->terms.takes_stream)
		return true; /* a client that takes only JSON gets only answers */
	exchange_begin_stream(x);
	return false;
}

static int on_send(void *sink, const struct outgoing *out)
{
	struct peer *peer = sink;
	struct exchange *x = exchange_find(peer, out->via);

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
	peer_end_connections(sink);
}

static bool is_slow(void *sink)
{
	const struct peer *peer = sink;

	return peer->store && event_store_is_slow(peer->store);
}

const struct sink_ops peer_sink_ops = {
	.name = "streamable",
	.send = on_send,
	.close = on_close,
	.is_slow = is_slow,
	.answers_each = true,
};

const struct sink_ops peer_once_sink_ops = {
	.name = "streamable",
	.send = on_send,
	.close = on_close,
	.is_slow = is_slow,
	.answers_each = true,
	.is_once = true,
};
