/* See sse.h.
 *
 * Heartbeats run on one wheel: a stream sits in one of WHEEL_SLOTS slots, a tick moves to the next slot
 * and pings the streams there. So pings are spread over the interval, and a stream costs no timer. */
#include "supervisor/front/sse.h"

#include <errno.h>
#include <stdio.h>
#include <strings.h>
#include <sys/random.h>

#include "shared/alloc.h"

enum { WHEEL_SLOTS = 64 };

#define MESSAGES_PATH "/messages"

struct sse_stream {
	TAILQ_ENTRY(sse_stream) in_slot;
	struct sse *sse;
	struct http_conn *conn; /* NULL: closed */
	struct session *session;
	unsigned slot;
};

TAILQ_HEAD(wheel_slot, sse_stream);

struct sse {
	struct loop *loop;
	struct mcp *mcp;
	struct timer *tick_timer;
	int64_t heartbeat_ms;
	struct wheel_slot wheel[WHEEL_SLOTS];
	unsigned now_slot;
	unsigned n_streams;
	int64_t wheel_began_ms;
	uint64_t n_ticks; /* since wheel_began_ms */
};

static const struct http_reply stream_head = {
	.status = 200,
	.content_type = "text/event-stream",
	.extra = "Cache-Control: no-cache, no-transform\r\nX-Accel-Buffering: no\r\n",
	.is_stream = true,
};

/* --- heartbeats -------------------------------------------------------------------------------- */

/* Ticks are counted from the start of the wheel, so that rounding does not add up. */
static void wait_for_tick(struct sse *sse)
{
	int64_t due_ms =
		sse->wheel_began_ms + (int64_t)(sse->n_ticks + 1) * sse->heartbeat_ms / WHEEL_SLOTS;
	int64_t wait_ms = due_ms - loop_now_ms(sse->loop);

	timer_start(sse->tick_timer, wait_ms > 0 ? wait_ms : 0);
}

static void begin_wheel(struct sse *sse)
{
	sse->wheel_began_ms = loop_now_ms(sse->loop);
	sse->n_ticks = 0;
	wait_for_tick(sse);
}

static struct iovec piece(const char *text, size_t len)
{
	return (struct iovec){ .iov_base = (void *)(uintptr_t)text, .iov_len = len };
}

static void on_tick(void *arg)
{
	static const char ping[] = "event: ping\ndata: {}\n\n";
	const struct iovec iov = piece(ping, sizeof(ping) - 1);
	struct sse *sse = arg;
	struct sse_stream *stream;

	if (sse->n_streams == 0)
		return;
	sse->n_ticks++;
	sse->now_slot = (sse->now_slot + 1) % WHEEL_SLOTS;
	TAILQ_FOREACH(stream, &sse->wheel[sse->now_slot], in_slot)
		/* A stream that is busy writing needs no sign of life. */
		if (stream->conn && !session_is_pending(stream->session))
			(void)http_conn_stream(stream->conn, &iov, 1);
	wait_for_tick(sse);
}

/* The first ping comes after half an interval to a whole one. */
static void join_wheel(struct sse *sse, struct sse_stream *stream)
{
	uint8_t bits = 0;

	if (sse->n_streams++ == 0)
		begin_wheel(sse);
	(void)!getrandom(&bits, sizeof(bits), 0);
	stream->slot = (sse->now_slot + WHEEL_SLOTS / 2 + bits % (WHEEL_SLOTS / 2)) % WHEEL_SLOTS;
	TAILQ_INSERT_TAIL(&sse->wheel[stream->slot], stream, in_slot);
}

static void leave_wheel(struct sse *sse, struct sse_stream *stream)
{
	TAILQ_REMOVE(&sse->wheel[stream->slot], stream, in_slot);
	if (--sse->n_streams == 0)
		timer_stop(sse->tick_timer);
}

/* --- the stream -------------------------------------------------------------------------------- */

static void end_stream(struct sse_stream *stream)
{
	if (!stream->conn)
		return;
	stream->conn = NULL;
	leave_wheel(stream->sse, stream);
	loop_defer(stream->sse->loop, free, stream);
}

static int stream_send(void *sink, const struct outgoing *out)
{
	static const char before[] = "event: message\ndata: ";
	static const char after[] = "\n\n";
	struct sse_stream *stream = sink;
	const struct iovec iov[] = { piece(before, sizeof(before) - 1), piece(out->json, out->len),
		piece(after, sizeof(after) - 1) };

	return stream->conn ? http_conn_stream(stream->conn, iov, 3) : -EPIPE;
}

static void stream_close(void *sink, const char *reason)
{
	struct sse_stream *stream = sink;

	if (stream->conn)
		http_conn_end_stream(stream->conn);
	end_stream(stream);
}

static const struct sink_ops sink_ops = { .send = stream_send, .close = stream_close };

static void on_drained(void *arg)
{
	struct sse_stream *stream = arg;

	session_drained(stream->session);
}

static void on_closed(void *arg)
{
	struct sse_stream *stream = arg;
	struct session *session = stream->session;

	end_stream(stream);
	session_gone(session);
}

static const struct http_stream_hooks stream_hooks = { .drained = on_drained, .closed = on_closed };

static void open_stream(struct sse *sse, struct http_conn *conn, const struct http_ask *ask,
	struct endpoint *endpoint)
{
	struct sse_stream *stream = alloc_zero(sizeof(*stream));
	struct session *session = mcp_open(sse->mcp, &sink_ops, stream, endpoint);
	char id[SESSION_ID_TEXT];
	auto_strbuf first = { 0 };

	if (!session) {
		free(stream);
		http_conn_refuse(conn, 503,
			"no more sessions now (limits.sessions), or the fleet is stopping; try again later");
		return;
	}
	stream->sse = sse;
	stream->conn = conn;
	stream->session = session;
	join_wheel(sse, stream);
	session_get_id(session, id);
	strbuf_addf(&first, "event: endpoint\ndata: %s" MESSAGES_PATH "?session_id=%s\n\n",
		ask->prefix, id);
	http_conn_begin_stream(conn, &stream_head, first.data, first.len, &stream_hooks, stream);
}

static bool on_get(void *arg, struct http_conn *conn, struct http_ask *ask)
{
	struct sse *sse = arg;
	struct endpoint *endpoint = mcp_find_endpoint(sse->mcp, ask->domain);

	if (!endpoint)
		http_conn_refuse(conn, 404, "no such domain");
	else if (!mcp_can_serve(sse->mcp, endpoint))
		http_conn_refuse(conn, 503, "the domain is not available now; /ready says why");
	else if (ask->request->method == HTTP1_HEAD)
		http_conn_answer(conn, &stream_head);
	else
		open_stream(sse, conn, ask, endpoint);
	return false;
}

/* --- messages from the client -------------------------------------------------------------------- */

/* "application/json", in any case, with any parameters. */
static bool is_json(struct span type)
{
	static const char json[] = "application/json";
	size_t len = sizeof(json) - 1;

	if (!type.at || type.len < len || strncasecmp(type.at, json, len) != 0)
		return false;
	return type.len == len || type.at[len] == ';' || type.at[len] == ' ' ||
	       type.at[len] == '\t';
}

/* A session is known on the endpoint that it was opened on, and nowhere else. */
static struct session *find_session(struct sse *sse, const char *id, const char *domain)
{
	struct session *session = session_find(mcp_get_sessions(sse->mcp), id, strlen(id));
	const char *own;

	if (!session || !domain)
		return session;
	own = endpoint_get_domain(session_get_endpoint(session));
	return own && streq(own, domain) ? session : NULL;
}

static bool on_post_head(void *arg, struct http_conn *conn, struct http_ask *ask)
{
	struct sse *sse = arg;
	auto_strbuf id = { 0 };
	size_t n_types;
	struct span type = http1_header(ask->request, "content-type", &n_types);
	int r = uri_query_get(ask->request->uri.query, "session_id", &id);

	if (r < 0) {
		http_conn_refuse(conn, 400,
			"session_id is missing or comes twice: POST to the path that the endpoint event gave");
		return false;
	}
	if (!find_session(sse, strbuf_get(&id), ask->domain)) {
		http_conn_refuse(
			conn, 404, "no such session: it has ended; open a new stream with GET");
		return false;
	}
	if (n_types != 1 || !is_json(type)) {
		http_conn_refuse(conn, 415, "Content-Type must be application/json");
		return false;
	}
	ask->note = strbuf_take(&id);
	return true;
}

static void on_post_body(
	void *arg, struct http_conn *conn, const void *note, char *body, size_t len)
{
	static const struct http_reply accepted = { .status = 202 };
	struct sse *sse = arg;
	struct session *session = find_session(sse, note, NULL);
	auto_strbuf text = { 0 };
	enum mcp_verdict verdict;

	if (!session) {
		http_conn_refuse(
			conn, 404, "no such session: it has ended; open a new stream with GET");
		return;
	}
	const struct mcp_input input = { .text = body, .len = len };
	verdict = mcp_receive(sse->mcp, session, &input, &text);
	if (verdict == MCP_ACCEPTED) {
		http_conn_answer(conn, &accepted);
		return;
	}
	const struct http_reply refusal = { .status = verdict == MCP_BUSY ? 503 : 400,
		.content_type = "application/json",
		.body = text.data,
		.body_len = text.len,
		.extra = verdict == MCP_BUSY ? "Retry-After: 1\r\n" : NULL };
	http_conn_answer(conn, &refusal);
}

/* --- public ------------------------------------------------------------------------------------ */

struct sse *sse_new(struct loop *loop, struct mcp *mcp, int64_t heartbeat_ms)
{
	struct sse *sse = alloc_zero(sizeof(*sse));

	sse->loop = loop;
	sse->mcp = mcp;
	sse->heartbeat_ms = heartbeat_ms;
	sse->tick_timer = timer_new(loop, on_tick, sse);
	for (int i = 0; i < WHEEL_SLOTS; i++)
		TAILQ_INIT(&sse->wheel[i]);
	return sse;
}

void sse_free(struct sse *sse)
{
	if (!sse)
		return;
	timer_free(sse->tick_timer);
	free(sse);
}

void sse_set_heartbeat(struct sse *sse, int64_t heartbeat_ms)
{
	sse->heartbeat_ms = heartbeat_ms;
	if (sse->n_streams > 0)
		begin_wheel(sse);
}

void sse_get_routes(struct sse *sse, struct http_route ret[SSE_ROUTES])
{
	ret[0] = (struct http_route){
		.path = "/sse", .methods = HTTPD_GET, .per_domain = true, .head = on_get, .arg = sse
	};
	ret[1] = (struct http_route){ .path = MESSAGES_PATH,
		.methods = HTTPD_POST,
		.per_domain = true,
		.head = on_post_head,
		.body = on_post_body,
		.free_note = free,
		.arg = sse };
}
