/* See http_conn.h.
 *
 * A request is handled where it was read, in one scratch buffer for all connections; only what is
 * incomplete is copied to the connection. A refusal that leaves unread input behind lingers: it reads
 * on for a moment, bounded, so that the client sees the answer and not a reset.
 *
 * While a request is held, and while its answer is a stream after which the connection goes on, what
 * the client sends ahead stays in `in`, bounded; beyond the bound nothing is read, and the end of the
 * connection is noticed by the next write.
 *
 * Source: RFC 9112 (9.3 persistence, 9.6 tear-down); RFC 9110 10.1.1 (Expect). */
#include "supervisor/front/http_conn.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>

#include "shared/alloc.h"
#include "shared/clock.h"
#include "shared/fd.h"
#include "shared/limits.h"
#include "supervisor/conf.h"
#include "supervisor/front/guard.h"
#include "supervisor/front/httpd.h"

enum {
	SCRATCH_BYTES = 64 * KIB,
	READS_PER_TURN = 4,
	LINGER_MS = 2000,
	LINGER_BYTES = 16 * MIB,
	MAX_PIECES = 8,
	AHEAD_BYTES = 64 * KIB, /* of requests that come before the one ahead of them is answered */
	CHUNK_HEAD_BYTES = 20,
	REQUEST_LINE_BYTES = 8 * KIB,
};

enum conn_state {
	CONN_HEAD,   /* between two requests, or in the middle of a head */
	CONN_BODY,   /* the head is done, the body is coming */
	CONN_HELD,   /* the request is there, its answer comes later */
	CONN_STREAM, /* carries events */
	CONN_LINGER, /* answered and shut; what comes in is dropped until the client closes */
	CONN_DEAD,   /* to be freed at the end of this turn */
};

/* A request whose body is not all there. */
struct pending {
	const struct http_route *route;
	struct http1_body body;
	struct strbuf data;
	void *note; /* the route's */
};

struct http_conn {
	TAILQ_ENTRY(http_conn) next;
	struct http_shared *shared;
	const char *domain; /* of the listener */
	struct event *readable;
	struct event *writable; /* only while something is kept */
	struct strbuf in;
	struct strbuf out;
	size_t out_at;
	struct http1_scan scan;
	struct pending *pending;
	const struct http_stream_hooks *hooks;
	void *arg;
	struct expiry *expiry; /* the queue that `deadline` is in */
	struct expiry_entry deadline;
	size_t lingered;
	int fd;
	enum conn_state state;
	bool is_loopback : 1;
	bool keep_alive : 1; /* of the request being answered */
	bool is_http10 : 1;
	bool is_head : 1;
	bool close_when_written : 1;
	bool is_chunked : 1; /* the stream */
	bool fin_leaves : 1; /* while held, or a stream: that the client sends no more is its leaving */
	bool has_fin : 1;   /* it sends no more, and still wants its answers */
	bool is_taking : 1; /* take() is at work, and goes on when a handler returns */
};

static char scratch[SCRATCH_BYTES];

static void note_free(const struct http_route *route, void *note)
{
	if (note)
		route->free_note(note);
}

static void pending_free(struct pending *pending)
{
	if (!pending)
		return;
	note_free(pending->route, pending->note);
	strbuf_done(&pending->data);
	free(pending);
}

/* --- time -------------------------------------------------------------------------------------- */

static void set_deadline(struct http_conn *conn, struct expiry *expiry)
{
	if (conn->expiry)
		expiry_remove(conn->expiry, &conn->deadline);
	conn->expiry = expiry;
	if (expiry)
		expiry_add(expiry, &conn->deadline);
}

/* --- the end ----------------------------------------------------------------------------------- */

static void free_conn(void *arg)
{
	struct http_conn *conn = arg;

	TAILQ_REMOVE(&conn->shared->conns, conn, next);
	conn->shared->n_conns--;
	ev_free(conn->readable);
	ev_free(conn->writable);
	strbuf_done(&conn->in);
	strbuf_done(&conn->out);
	pending_free(conn->pending);
	(void)fd_close(conn->fd);
	free(conn);
}

static void tell_closed_and_free(void *arg)
{
	struct http_conn *conn = arg;

	if (conn->hooks)
		conn->hooks->closed(conn->arg);
	free_conn(conn);
}

static void kill_conn(struct http_conn *conn)
{
	if (conn->state == CONN_DEAD)
		return;
	conn->state = CONN_DEAD;
	set_deadline(conn, NULL);
	(void)event_del(conn->readable);
	if (conn->writable)
		(void)event_del(conn->writable);
	loop_defer(conn->shared->loop, tell_closed_and_free, conn);
}

/* All is written: a connection that is to end now ends, after the client has seen the answer. */
static void linger(struct http_conn *conn)
{
	(void)shutdown(conn->fd, SHUT_WR);
	conn->state = CONN_LINGER;
	strbuf_done(&conn->in);
	set_deadline(conn, conn->shared->linger_expiry);
	(void)event_add(conn->readable, NULL);
}

/* --- writing ----------------------------------------------------------------------------------- */

static void process(void *arg);

/* Requests that come now are ahead of an answer that is still due. */
static bool is_ahead(const struct http_conn *conn)
{
	return conn->state == CONN_HELD ||
	       (conn->state == CONN_STREAM && conn->is_chunked && conn->keep_alive);
}

/* What comes in is to be handled, now or later. */
static bool goes_on(const struct http_conn *conn)
{
	return conn->state == CONN_HEAD || conn->state == CONN_BODY || is_ahead(conn);
}

static bool is_full(const struct http_conn *conn)
{
	return is_ahead(conn) && conn->in.len >= AHEAD_BYTES;
}

static void update_reading(struct http_conn *conn)
{
	if (conn->has_fin || is_full(conn))
		(void)event_del(conn->readable);
	else
		(void)event_add(conn->readable, NULL);
}

static void after_write(struct http_conn *conn)
{
	if (conn->close_when_written) {
		conn->close_when_written = false;
		linger(conn);
	} else if (conn->state == CONN_STREAM) {
		if (conn->hooks)
			conn->hooks->drained(conn->arg);
	} else {
		process(conn); /* reading stood still while an answer was waiting */
	}
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct http_conn *conn = arg;
	ssize_t n =
		send(fd, conn->out.data + conn->out_at, conn->out.len - conn->out_at, MSG_NOSIGNAL);

	if (n < 0 && errno != EAGAIN && errno != EINTR) {
		kill_conn(conn);
		return;
	}
	conn->out_at += n > 0 ? (size_t)n : 0;
	if (conn->out_at < conn->out.len)
		return;
	strbuf_done(&conn->out);
	conn->out_at = 0;
	(void)event_del(conn->writable);
	after_write(conn);
}

static void keep_rest(struct http_conn *conn, const struct iovec *iov, int n, size_t sent)
{
	for (int i = 0; i < n; i++) {
		size_t skip = sent < iov[i].iov_len ? sent : iov[i].iov_len;

		sent -= skip;
		if (skip < iov[i].iov_len)
			strbuf_add(&conn->out, (const char *)iov[i].iov_base + skip,
				iov[i].iov_len - skip);
	}
	if (conn->out.len == 0)
		return;
	if (!conn->writable)
		conn->writable = loop_watch(
			conn->shared->loop, conn->fd, EV_WRITE | EV_PERSIST, on_writable, conn);
	(void)event_add(conn->writable, NULL);
	if (conn->state != CONN_STREAM)
		(void)event_del(conn->readable);
}

/* Writes now what the socket takes, and keeps the rest. */
static int write_pieces(struct http_conn *conn, const struct iovec *iov, int n)
{
	union {
		const struct iovec *in;
		struct iovec *out;
	} pieces = { iov };
	const struct msghdr msg = { .msg_iov = pieces.out, .msg_iovlen = (size_t)n };
	ssize_t sent = 0;

	if (conn->state == CONN_DEAD)
		return -EPIPE;
	if (conn->out.len == 0)
		sent = sendmsg(conn->fd, &msg, MSG_NOSIGNAL);
	if (sent < 0 && errno != EAGAIN && errno != EINTR) {
		kill_conn(conn);
		return -EPIPE;
	}
	keep_rest(conn, iov, n, sent > 0 ? (size_t)sent : 0);
	return 0;
}

static struct iovec piece(const char *text, size_t len)
{
	return (struct iovec){ .iov_base = (void *)(uintptr_t)text, .iov_len = len };
}

static enum http_ending ending_of(const struct http_conn *conn)
{
	if (!conn->keep_alive)
		return HTTP_CLOSE;
	return conn->is_http10 ? HTTP_KEEP_SAID : HTTP_KEEP;
}

static void end_when_written(struct http_conn *conn)
{
	if (conn->out.len == 0) {
		linger(conn);
		return;
	}
	conn->close_when_written = true;
	set_deadline(conn, conn->shared->linger_expiry);
}

/* The request is over; the next one may be handled. When its handler is on the stack, take() or
 * take_body() goes on by itself; else what was sent ahead is looked at when this turn ends. */
static void end_request(struct http_conn *conn)
{
	conn->is_chunked = false;
	if (!conn->keep_alive) {
		end_when_written(conn);
		return;
	}
	conn->state = CONN_HEAD;
	set_deadline(conn, conn->shared->idle_expiry);
	if (!conn->is_taking)
		loop_defer(conn->shared->loop, process, conn);
}

void http_conn_answer(struct http_conn *conn, const struct http_reply *reply)
{
	auto_strbuf head = { 0 };
	size_t body_len = conn->is_head ? 0 : reply->body_len;
	bool was_held = conn->state == CONN_HELD;

	conn->hooks = NULL;
	if (conn->shared->stopping)
		conn->keep_alive = false;
	http_reply_add_head(&head, reply, ending_of(conn));
	const struct iovec iov[] = { piece(head.data, head.len), piece(reply->body, body_len) };

	if (write_pieces(conn, iov, body_len ? 2 : 1) < 0)
		return;
	if (was_held)
		end_request(conn);
	else if (!conn->keep_alive)
		end_when_written(conn);
}

void http_conn_hold(
	struct http_conn *conn, const struct http_stream_hooks *hooks, void *arg, enum http_fin fin)
{
	conn->state = CONN_HELD;
	conn->hooks = hooks;
	conn->arg = arg;
	conn->fin_leaves = fin == HTTP_FIN_LEAVES;
	set_deadline(conn, NULL);
}

void http_conn_refuse(struct http_conn *conn, int status, const char *message)
{
	auto_strbuf body = { 0 };

	http_reply_add_error(&body, message);
	const struct http_reply reply = { .status = status,
		.content_type = "application/json",
		.body = body.data,
		.body_len = body.len,
		.extra = status == 503 || status == 429 ? "Retry-After: 1\r\n" : NULL };

	http_conn_answer(conn, &reply);
}

/* Writes pieces of a stream's body; `head` (may be absent) stands before it. */
static int write_stream(
	struct http_conn *conn, struct iovec head, const struct iovec *pieces, int n_pieces)
{
	char size[CHUNK_HEAD_BYTES];
	struct iovec iov[MAX_PIECES];
	size_t len = 0;
	int n = 0;

	assert(n_pieces + 3 <= MAX_PIECES);
	for (int i = 0; i < n_pieces; i++)
		len += pieces[i].iov_len;
	if (head.iov_len > 0)
		iov[n++] = head;
	if (conn->is_chunked && len > 0)
		iov[n++] = piece(size, (size_t)snprintf(size, sizeof(size), "%zx\r\n", len));
	for (int i = 0; i < n_pieces; i++)
		iov[n++] = pieces[i];
	if (conn->is_chunked && len > 0)
		iov[n++] = piece("\r\n", 2);
	return write_pieces(conn, iov, n);
}

void http_conn_begin_stream(struct http_conn *conn, const struct http_reply *reply,
	const char *first, size_t first_len, const struct http_stream_hooks *hooks, void *arg)
{
	auto_strbuf head = { 0 };
	struct http_reply own = *reply;
	const struct iovec first_piece = piece(first, first_len);

	conn->hooks = hooks;
	conn->arg = arg;
	if (conn->state == CONN_DEAD)
		return; /* it was held, and closed() is on its way */
	own.is_chunked = reply->is_chunked && !conn->is_http10;
	if (!own.is_chunked || conn->shared->stopping)
		conn->keep_alive = false;
	if (conn->state != CONN_HELD)
		conn->fin_leaves = true;
	conn->is_chunked = own.is_chunked;
	conn->state = CONN_STREAM;
	set_deadline(conn, NULL);
	http_reply_add_head(&head, &own, ending_of(conn));
	(void)write_stream(conn, piece(head.data, head.len), &first_piece, 1);
}

int http_conn_stream(struct http_conn *conn, const struct iovec *pieces, int n_pieces)
{
	if (conn->out.len > 0)
		return -EAGAIN;
	return write_stream(conn, (struct iovec){ 0 }, pieces, n_pieces);
}

bool http_conn_is_writing(const struct http_conn *conn)
{
	return conn->out.len > 0;
}

void http_conn_end_stream(struct http_conn *conn)
{
	static const char last_chunk[] = "0\r\n\r\n";
	const struct iovec iov = piece(last_chunk, sizeof(last_chunk) - 1);

	conn->hooks = NULL;
	if (conn->state != CONN_STREAM)
		return;
	if (conn->shared->stopping)
		conn->keep_alive = false;
	/* The last chunk is what an answer is: what the client asks next is read after it. */
	if (is_ahead(conn))
		conn->state = CONN_HEAD;
	if (conn->is_chunked && write_pieces(conn, &iov, 1) < 0)
		return;
	end_request(conn);
}

/* --- reading ----------------------------------------------------------------------------------- */

/* A request that leaves no way to know where the next one begins. */
static void refuse_and_close(struct http_conn *conn, int status, const char *message)
{
	conn->keep_alive = false;
	http_conn_refuse(conn, status, message);
}

static const struct {
	unsigned bit;
	const char *names; /* as Allow has them */
} method_sets[] = {
	{ HTTPD_GET, "GET, HEAD" },
	{ HTTPD_POST, "POST" },
	{ HTTPD_DELETE, "DELETE" },
};

static void add_allow(struct strbuf *out, unsigned allowed)
{
	const char *before = "Allow: ";

	for (size_t i = 0; i < N_ELEMENTS(method_sets); i++) {
		if (!(allowed & method_sets[i].bit))
			continue;
		strbuf_adds(out, before);
		strbuf_adds(out, method_sets[i].names);
		before = ", ";
	}
	strbuf_adds(out, "\r\n");
}

void http_conn_refuse_method(struct http_conn *conn, unsigned allowed)
{
	auto_strbuf body = { 0 };
	auto_strbuf allow = { 0 };

	add_allow(&allow, allowed);
	http_reply_add_error(&body, "this path does not take this method; see Allow");
	const struct http_reply reply = { .status = 405,
		.content_type = "application/json",
		.body = body.data,
		.body_len = body.len,
		.extra = allow.data };

	http_conn_answer(conn, &reply);
}

/* OPTIONS: what may be asked here. No other origin is granted anything (no CORS). */
static void tell_methods(struct http_conn *conn, unsigned allowed)
{
	auto_strbuf allow = { 0 };

	add_allow(&allow, allowed);
	const struct http_reply reply = { .status = 204, .extra = allow.data };

	http_conn_answer(conn, &reply);
}

static unsigned method_bit(enum http1_method method)
{
	switch (method) {
	case HTTP1_GET:
	case HTTP1_HEAD:
		return HTTPD_GET;
	case HTTP1_POST:
		return HTTPD_POST;
	case HTTP1_DELETE:
		return HTTPD_DELETE;
	case HTTP1_OPTIONS:
	case HTTP1_PUT:
	case HTTP1_PATCH:
	case HTTP1_OTHER:
		break;
	}
	return 0;
}

/* Answers what no route has to be asked for. */
static bool is_refused(
	struct http_conn *conn, const struct http1_request *req, const struct http_route *route)
{
	if (!route)
		http_conn_refuse(conn, 404, "no such path; try /sse, /health or /ready");
	else if (req->method == HTTP1_OPTIONS)
		tell_methods(conn, route->methods);
	else if (!(route->methods & method_bit(req->method)))
		http_conn_refuse_method(conn, route->methods);
	else
		return false;
	return true;
}

/* Everything that is decided by the head alone. True: the body is wanted. */
static bool decide(struct http_conn *conn, const struct http1_request *req,
	const struct http_route **ret_route, struct http_ask *ask)
{
	auto_strbuf path = { 0 };
	auto_free char *domain = NULL;
	auto_free char *prefix = NULL;
	const struct http_route *route;
	const char *why;
	size_t prefix_len;
	int status = guard_check(req, conn->is_loopback, &why);

	if (status) {
		http_conn_refuse(conn, status, why);
		return false;
	}
	if (!req->uri.path.at || uri_decode_path(req->uri.path, &path) < 0) {
		http_conn_refuse(conn, 404, "no such path");
		return false;
	}
	route = httpd_find_route(conn->shared->httpd, strbuf_get(&path), &prefix_len);
	if (is_refused(conn, req, route))
		return false;
	prefix = alloc_mem(path.data, prefix_len);
	if (prefix_len > 0)
		domain = alloc_str(prefix + 1);
	ask->request = req;
	ask->prefix = prefix;
	ask->domain = domain ? domain : conn->domain;
	*ret_route = route;
	return route->head(route->arg, conn, ask);
}

static void begin_body(struct http_conn *conn, const struct http1_request *req,
	const struct http_route *route, struct http_ask *ask)
{
	static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
	struct pending *pending = alloc_zero(sizeof(*pending));
	const struct iovec iov = piece(go_on, sizeof(go_on) - 1);

	pending->route = route;
	pending->note = ask->note;
	http1_body_start(&pending->body, req, conn->shared->limits.body_bytes);
	conn->pending = pending;
	conn->state = CONN_BODY;
	set_deadline(conn, conn->shared->body_expiry);
	if (req->expect_continue)
		(void)write_pieces(conn, &iov, 1);
}

/* The next request may begin. */
static void begin_head(struct http_conn *conn)
{
	conn->scan = (struct http1_scan){ 0 };
	conn->is_head = false;
	if (conn->state != CONN_BODY && conn->state != CONN_HEAD)
		return;
	conn->state = CONN_HEAD;
	set_deadline(conn, conn->shared->idle_expiry);
}

static bool has_whole_body(const struct http1_request *req, size_t available)
{
	return !req->chunked && req->content_length <= available;
}

/* One head at `buf`. Returns the bytes used, 0: more is needed. */
static size_t take_head(struct http_conn *conn, char *buf, size_t len)
{
	struct http1_request req;
	const struct http_route *route = NULL;
	struct http_ask ask = { 0 };
	ssize_t used = http1_parse_head(&conn->scan, buf, len, &conn->shared->limits, &req);
	size_t body_len;

	if (used == 0)
		return 0;
	conn->is_head = req.method == HTTP1_HEAD;
	if (used < 0) {
		refuse_and_close(conn, (int)-used, req.why);
		return len;
	}
	body_len = (size_t)req.content_length;
	bool whole = has_whole_body(&req, len - (size_t)used);
	conn->is_http10 = req.minor == 0;
	/* A refusal does not wait for the rest of the body: then the connection ends with it. */
	conn->keep_alive = req.keep_alive && whole;
	if (!decide(conn, &req, &route, &ask)) {
		note_free(route, ask.note);
		begin_head(conn);
		return (size_t)used + (whole ? body_len : 0);
	}
	conn->keep_alive = req.keep_alive;
	if (!whole) {
		begin_body(conn, &req, route, &ask);
		return (size_t)used;
	}
	route->body(route->arg, conn, ask.note, buf + used, body_len);
	note_free(route, ask.note);
	begin_head(conn);
	return (size_t)used + body_len;
}

static size_t take_body(struct http_conn *conn, const char *buf, size_t len)
{
	struct pending *pending = conn->pending;
	size_t used = 0;
	int r = http1_body_read(&pending->body, buf, len, &used, &pending->data);

	if (r == 0)
		return used;
	conn->pending = NULL;
	if (r < 0) {
		refuse_and_close(conn, -r, pending->body.why);
		used = len;
	} else {
		(void)strbuf_reserve(&pending->data, 0);
		pending->route->body(pending->route->arg, conn, pending->note, pending->data.data,
			pending->data.len);
		begin_head(conn);
	}
	pending_free(pending);
	return used;
}

/* Takes as many requests as are there; what is incomplete, or comes too early, stays. Returns the
 * bytes used. */
static size_t take(struct http_conn *conn, char *buf, size_t len)
{
	size_t used = 0;
	size_t n = 1;

	conn->is_taking = true;
	while (used < len && n > 0 && conn->out.len == 0) {
		n = 0;
		if (conn->state == CONN_HEAD)
			n = take_head(conn, buf + used, len - used);
		else if (conn->state == CONN_BODY)
			n = take_body(conn, buf + used, len - used);
		used += n;
	}
	conn->is_taking = false;
	return goes_on(conn) ? used : len; /* else nobody reads what follows */
}

/* A head that has begun must be complete in time. */
static void watch_head(struct http_conn *conn)
{
	if (conn->state == CONN_HEAD && conn->in.len > 0 &&
		conn->expiry != conn->shared->head_expiry)
		set_deadline(conn, conn->shared->head_expiry);
}

/* A client that sends no more has been answered: all that is left is less than a request. */
static void end_if_all_answered(struct http_conn *conn)
{
	if (conn->has_fin && conn->out.len == 0 &&
		(conn->state == CONN_HEAD || conn->state == CONN_BODY))
		kill_conn(conn);
}

/* The buffer is taken out while it is read: the end of a connection gives back what is there. */
static void process(void *arg)
{
	struct http_conn *conn = arg;
	auto_strbuf in = conn->in;
	size_t used;

	conn->in = (struct strbuf){ 0 };
	used = in.len > 0 ? take(conn, in.data, in.len) : 0;
	if (used < in.len && goes_on(conn)) {
		memmove(in.data, in.data + used, in.len - used);
		strbuf_cut(&in, in.len - used);
		conn->in = in;
		in = (struct strbuf){ 0 };
	}
	watch_head(conn);
	end_if_all_answered(conn);
	if (goes_on(conn) && conn->out.len == 0)
		update_reading(conn);
}

static void take_bytes(struct http_conn *conn, char *bytes, size_t len)
{
	size_t used = 0;

	if (conn->in.len == 0)
		used = take(conn, bytes, len);
	if (used < len && goes_on(conn))
		strbuf_add(&conn->in, bytes + used, len - used);
	if (conn->out.len == 0 && used == 0)
		process(conn);
	else
		watch_head(conn);
	if (is_full(conn))
		update_reading(conn);
}

static void drop_bytes(struct http_conn *conn, size_t len)
{
	conn->lingered += len;
	if (conn->lingered > LINGER_BYTES)
		kill_conn(conn);
}

/* No more comes. A client that only says that it has nothing more to ask still gets its answer. */
static void take_fin(struct http_conn *conn)
{
	if ((conn->state != CONN_HELD && conn->state != CONN_STREAM) || conn->fin_leaves) {
		kill_conn(conn);
		return;
	}
	conn->has_fin = true;
	(void)event_del(conn->readable);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct http_conn *conn = arg;

	for (int i = 0; i < READS_PER_TURN && conn->state != CONN_DEAD; i++) {
		ssize_t n = read(fd, scratch, sizeof(scratch));

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n < 0)
			kill_conn(conn);
		if (n == 0)
			take_fin(conn);
		if (n <= 0)
			return;
		if (goes_on(conn))
			take_bytes(conn, scratch, (size_t)n);
		else
			drop_bytes(conn, (size_t)n);
		if ((size_t)n < sizeof(scratch) || conn->out.len > 0 || is_full(conn))
			return;
	}
}

static void on_head_expired(struct expiry_entry *entry, void *arg)
{
	struct http_conn *conn =
		(struct http_conn *)(void *)((char *)entry - offsetof(struct http_conn, deadline));

	conn->expiry = NULL;
	if (conn->in.len > 0)
		refuse_and_close(conn, 408, "the head of the request came too slowly");
	else
		kill_conn(conn);
}

static void on_body_expired(struct expiry_entry *entry, void *arg)
{
	struct http_conn *conn =
		(struct http_conn *)(void *)((char *)entry - offsetof(struct http_conn, deadline));

	conn->expiry = NULL;
	pending_free(TAKE(conn->pending));
	refuse_and_close(conn, 408, "the body of the request came too slowly");
}

static void on_idle_expired(struct expiry_entry *entry, void *arg)
{
	struct http_conn *conn =
		(struct http_conn *)(void *)((char *)entry - offsetof(struct http_conn, deadline));

	conn->expiry = NULL;
	kill_conn(conn);
}

/* --- public ------------------------------------------------------------------------------------ */

void http_shared_init(struct http_shared *shared, struct loop *loop, struct httpd *httpd)
{
	*shared = (struct http_shared){ .loop = loop, .httpd = httpd };
	TAILQ_INIT(&shared->conns);
	shared->head_expiry = expiry_new(loop, 0, on_head_expired, NULL);
	shared->body_expiry = expiry_new(loop, 0, on_body_expired, NULL);
	shared->idle_expiry = expiry_new(loop, 0, on_idle_expired, NULL);
	shared->linger_expiry = expiry_new(loop, LINGER_MS, on_idle_expired, NULL);
}

void http_shared_set_limits(struct http_shared *shared, const struct conf_limits *limits)
{
	shared->limits = (struct http1_limits){
		.request_line = limits->header_bytes < REQUEST_LINE_BYTES ? limits->header_bytes
									  : REQUEST_LINE_BYTES,
		.header_bytes = limits->header_bytes,
		.headers = HTTP1_MAX_FIELDS,
		.body_bytes = limits->request_bytes,
	};
	shared->max_conns = limits->connections;
	expiry_set_after(shared->head_expiry, limits->header_timeout_ms);
	expiry_set_after(shared->body_expiry, limits->body_timeout_ms);
	expiry_set_after(shared->idle_expiry, limits->keepalive_timeout_ms);
}

void http_shared_done(struct http_shared *shared)
{
	struct http_conn *conn;

	loop_settle(shared->loop); /* those that are dead already */
	while ((conn = TAILQ_FIRST(&shared->conns))) {
		/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): the analyzer loses TAILQ_REMOVE */
		set_deadline(conn, NULL);
		free_conn(conn);
	}
	expiry_free(shared->head_expiry);
	expiry_free(shared->body_expiry);
	expiry_free(shared->idle_expiry);
	expiry_free(shared->linger_expiry);
}

void http_conn_new(struct http_shared *shared, int fd, bool is_loopback, const char *domain)
{
	struct http_conn *conn = alloc_zero(sizeof(*conn));

	conn->shared = shared;
	conn->fd = fd;
	conn->is_loopback = is_loopback;
	conn->domain = domain;
	conn->readable = loop_watch(shared->loop, fd, EV_READ | EV_PERSIST, on_readable, conn);
	TAILQ_INSERT_TAIL(&shared->conns, conn, next);
	shared->n_conns++;
	(void)event_add(conn->readable, NULL);
	if (shared->n_conns > shared->max_conns)
		refuse_and_close(conn, 503, "too many connections (limits.connections)");
	else
		set_deadline(conn, shared->head_expiry);
}

void http_shared_close_idle(struct http_shared *shared)
{
	struct http_conn *conn;

	shared->stopping = true;
	TAILQ_FOREACH(conn, &shared->conns, next)
		if (conn->state == CONN_HEAD && conn->in.len == 0 && conn->out.len == 0)
			kill_conn(conn);
}

bool http_shared_is_writing(const struct http_shared *shared)
{
	const struct http_conn *conn;

	TAILQ_FOREACH(conn, &shared->conns, next)
		if (conn->state != CONN_DEAD && conn->out.len > 0)
			return true;
	return false;
}
