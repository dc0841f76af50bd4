/* See sse.h. */
#include "supervisor/front/sse.h"

#include <errno.h>

#include "shared/alloc.h"
#include "supervisor/front/heartbeat.h"
#include "supervisor/front/http_accept.h"
#include "supervisor/front/http_kept.h"
#include "supervisor/front/owner.h"

#define MESSAGES_PATH "/messages"

struct sse_stream {
	struct heartbeat_entry beat;
	struct sse *sse;
	struct http_conn *conn; /* NULL: closed */
	struct session *session;
};

struct sse {
	struct loop *loop;
	struct mcp *mcp;
	struct heartbeat *heartbeat;
};

static const struct http_reply stream_head = {
	.status = 200,
	.content_type = "text/event-stream",
	.extra = "Cache-Control: no-cache, no-transform\r\nX-Accel-Buffering: no\r\n",
	.is_stream = true,
};

static struct iovec piece(const char *text, size_t len)
{
	return (struct iovec){ .iov_base = (void *)(uintptr_t)text, .iov_len = len };
}

static void on_beat(struct heartbeat_entry *entry)
{
	static const char ping[] = "event: ping\ndata: {}\n\n";
	const struct iovec iov = piece(ping, sizeof(ping) - 1);
	struct sse_stream *stream =
		(struct sse_stream *)(void *)((char *)entry - offsetof(struct sse_stream, beat));

	/* A stream that is busy writing needs no sign of life. */
	if (!session_is_pending(stream->session))
		(void)http_conn_stream(stream->conn, &iov, 1);
}

/* --- the stream -------------------------------------------------------------------------------- */

static void end_stream(struct sse_stream *stream)
{
	if (!stream->conn)
		return;
	stream->conn = NULL;
	stats_stream_closed(session_get_door(stream->session));
	heartbeat_leave(stream->sse->heartbeat, &stream->beat);
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

static const struct sink_ops sink_ops = {
	.name = "sse", .send = stream_send, .close = stream_close
};

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
	struct session *session =
		mcp_open(sse->mcp, &sink_ops, stream, endpoint, http_conn_get_caller(conn));
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
	stats_stream_opened(session_get_door(session));
	heartbeat_join(sse->heartbeat, &stream->beat);
	session_get_id(session, id);
	strbuf_addf(&first, "event: endpoint\ndata: %s" MESSAGES_PATH "?session_id=%s\n\n",
		ask->prefix, id);
	http_conn_begin_stream(conn, &stream_head, first.data, first.len, &stream_hooks, stream);
}

/* True: it was answered. */
static bool is_over_limit(struct http_conn *conn)
{
	static const enum usage_thing things[] = { USAGE_SESSIONS, USAGE_STREAMS };

	for (size_t i = 0; i < N_ELEMENTS(things); i++) {
		const struct door_refusal refusal = http_conn_check(conn, things[i]);

		if (!refusal.status)
			continue;
		http_conn_refuse_limit(conn, &refusal);
		return true;
	}
	return false;
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
	else if (!is_over_limit(conn))
		open_stream(sse, conn, ask, endpoint);
	return false;
}

/* --- messages from the client -------------------------------------------------------------------- */

/* A session is known on the endpoint that it was opened on, and below the path of the whole fleet: what it
 * reaches is its own endpoint either way. To others than its owner it is not known at all. */
static struct session *find_session(
	struct sse *sse, const struct http_conn *conn, const char *id, const char *domain)
{
	struct session *session = session_find(mcp_get_sessions(sse->mcp), id, strlen(id));
	const char *own;

	if (!session || !session_has_ops(session, &sink_ops))
		return NULL; /* of another door */
	own = endpoint_get_domain(session_get_endpoint(session));
	if (domain && !(own && streq(own, domain)))
		return NULL;
	return owner_admit(session, http_conn_get_caller(conn)) ? session : NULL;
}

/* What the head of a POST leaves for its body. */
struct post_note {
	struct mcp_headers *headers; /* NULL: none that matters */
	char id[];
};

static struct post_note *make_note(const struct http_ask *ask, const struct strbuf *id)
{
	struct post_note *note = alloc_zero(sizeof(*note) + id->len + 1);

	note->headers = http_keep_headers(ask->request, HTTP_KEEP_TRACE);
	memcpy(note->id, strbuf_get(id), id->len);
	return note;
}

static void free_note(void *arg)
{
	struct post_note *note = arg;

	free(note->headers);
	free(note);
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
	if (!find_session(sse, conn, strbuf_get(&id), ask->domain)) {
		http_conn_refuse(
			conn, 404, "no such session: it has ended; open a new stream with GET");
		return false;
	}
	if (n_types != 1 || !http_is_type(type, "application/json")) {
		http_conn_refuse(conn, 415, "Content-Type must be application/json");
		return false;
	}
	ask->note = make_note(ask, &id);
	return true;
}

static void on_post_body(
	void *arg, struct http_conn *conn, const void *left, char *body, size_t len)
{
	static const struct http_reply accepted = { .status = 202 };
	const struct post_note *note = left;
	struct sse *sse = arg;
	struct session *session = find_session(sse, conn, note->id, NULL);
	auto_strbuf text = { 0 };
	enum mcp_verdict verdict;

	if (!session) {
		http_conn_refuse(
			conn, 404, "no such session: it has ended; open a new stream with GET");
		return;
	}
	const struct mcp_input input = { .text = body, .len = len, .headers = note->headers };
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
	sse->heartbeat = heartbeat_new(loop, heartbeat_ms, on_beat);
	return sse;
}

void sse_free(struct sse *sse)
{
	if (!sse)
		return;
	heartbeat_free(sse->heartbeat);
	free(sse);
}

void sse_set_heartbeat(struct sse *sse, int64_t heartbeat_ms)
{
	heartbeat_set_interval(sse->heartbeat, heartbeat_ms);
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
		.free_note = free_note,
		.arg = sse };
}
