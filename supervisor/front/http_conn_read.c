/* See http_conn.h: requests.
 *
 * A request is handled where it was read, in one scratch buffer for all connections; only what is
 * incomplete is copied to the connection. A refusal that leaves unread input behind lingers: it reads
 * on for a moment, bounded, so that the client sees the answer and not a reset.
 *
 * Of requests that come in one piece only so many are handled in one turn of the loop; the others wait in `in`, and
 * nothing more is read before they are handled.
 *
 * While a request is held, and while its answer is a stream after which the connection goes on, what
 * the client sends ahead stays in `in`, bounded; beyond the bound nothing is read, and the end of the
 * connection is noticed by the next write.
 *
 * Source: RFC 9112 (9.3 persistence, 9.6 tear-down); RFC 9110 10.1.1 (Expect). */
#include <errno.h>

#include "shared/alloc.h"
#include "shared/clock.h"
#include "supervisor/front/http_conn_private.h"
#include "supervisor/stats.h"

enum {
	SCRATCH_BYTES = 64 * KIB,
	SLOW_AFTER_MS = 5000, /* a body may pause for so long */
	READS_PER_TURN = 4,
	REQUESTS_PER_TURN =
		8, /* of one connection: to judge a token costs, and others wait meanwhile */
	LINGER_BYTES = 16 * MIB,
	AHEAD_BYTES = 64 * KIB, /* of requests that come before the one ahead of them is answered */
};

static char scratch[SCRATCH_BYTES];

static void note_free(const struct http_route *route, void *note)
{
	if (note)
		route->free_note(note);
}

void http_conn_free_pending(struct pending *pending)
{
	if (!pending)
		return;
	note_free(pending->route, pending->note);
	strbuf_done(&pending->data);
	free(pending);
}

/* What comes in is to be handled, now or later. */
static bool goes_on(const struct http_conn *conn)
{
	return conn->state == CONN_HEAD || conn->state == CONN_BODY || http_conn_is_ahead(conn);
}

static bool is_full(const struct http_conn *conn)
{
	return http_conn_is_ahead(conn) && conn->in.len >= AHEAD_BYTES;
}

static void update_reading(struct http_conn *conn)
{
	if (conn->has_fin || is_full(conn))
		(void)event_del(conn->readable);
	else
		http_conn_resume_reading(conn);
}

void http_conn_resume_reading(struct http_conn *conn)
{
	(void)event_add(conn->readable, NULL);
	if (http_io_has_pending(&conn->io))
		event_active(conn->readable, EV_READ, 0);
}

static void begin_body(struct http_conn *conn, const struct http1_request *req,
	const struct http_route *route, struct http_ask *ask)
{
	static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
	struct pending *pending = alloc_zero(sizeof(*pending));
	const struct iovec iov = http_conn_piece(go_on, sizeof(go_on) - 1);

	pending->route = route;
	pending->note = ask->note;
	pending->is_chunked = req->chunked;
	pending->began_ms = loop_now_ms(conn->shared->loop);
	http1_body_start(&pending->body, req, conn->shared->limits.body_bytes);
	conn->pending = pending;
	conn->state = CONN_BODY;
	shares_wait(conn->shared->shares, &conn->share);
	http_conn_set_deadline(conn, conn->shared->body_expiry);
	if (req->expect_continue)
		(void)http_conn_write(conn, &iov, 1);
}

/* The next request may begin. */
static void begin_head(struct http_conn *conn)
{
	conn->scan = (struct http1_scan){ 0 };
	conn->is_head = false;
	if (conn->state != CONN_BODY && conn->state != CONN_HEAD)
		return;
	conn->state = CONN_HEAD;
	shares_wait(conn->shared->shares, &conn->share);
	http_conn_set_deadline(conn, conn->shared->idle_expiry);
}

static bool has_whole_body(const struct http1_request *req, size_t available)
{
	return !req->chunked && req->content_length <= available;
}

/* A request that cannot be read; which limit it was shows in the status. */
static void refuse_unread(struct http_conn *conn, int status, const char *why)
{
	if (status == 413)
		stats_limit_reached(STATS_LIMIT_REQUEST_BYTES);
	else if (status == 414 || status == 431)
		stats_limit_reached(STATS_LIMIT_HEADER_BYTES);
	else if (status == 400)
		stats_refused(STATS_REFUSED_BAD_REQUEST);
	http_conn_refuse_and_close(conn, status, why);
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
	shares_stop_waiting(conn->shared->shares, &conn->share);
	http_conn_forget_caller(conn);
	if (used < 0) {
		refuse_unread(conn, (int)-used, req.why);
		return len;
	}
	body_len = (size_t)req.content_length;
	bool whole = has_whole_body(&req, len - (size_t)used);
	conn->is_http10 = req.minor == 0;
	/* A refusal does not wait for the rest of the body: then the connection ends with it. */
	conn->keep_alive = req.keep_alive && whole;
	if (!http_conn_decide(conn, &req, &route, &ask)) {
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

/* A trickle that would hold a place for as long as body_timeout allows. */
static bool is_too_slow(const struct http_conn *conn, const struct pending *pending)
{
	size_t min_rate = door_limits_get_min_rate(conn->shared->door_limits);
	int64_t took_ms = loop_now_ms(conn->shared->loop) - pending->began_ms;

	if (took_ms < SLOW_AFTER_MS ||
		(int64_t)pending->data.len * CLOCK_SECOND_MS >= (int64_t)min_rate * took_ms)
		return false;
	stats_limit_reached(STATS_LIMIT_MIN_RATE);
	return true;
}

static size_t take_body(struct http_conn *conn, const char *buf, size_t len)
{
	struct pending *pending = conn->pending;
	size_t used = 0;
	int r = http1_body_read(&pending->body, buf, len, &used, &pending->data);

	if (r == 0 && is_too_slow(conn, pending)) {
		http_conn_free_pending(TAKE(conn->pending));
		refuse_unread(
			conn, 408, "the body of the request comes too slowly (limits.min_rate)");
		return len;
	}
	if (r == 0)
		return used;
	conn->pending = NULL;
	if (r < 0) {
		refuse_unread(conn, -r, pending->body.why);
		used = len;
	} else {
		(void)strbuf_reserve(&pending->data, 0);
		shares_stop_waiting(conn->shared->shares, &conn->share);
		if (pending->is_chunked)
			http_conn_pay(conn, pending->data.len);
		if (pending->route->zone != GUARD_ZONE_TOOLS ||
			http_conn_is_still_let_in(conn, pending->route))
			pending->route->body(pending->route->arg, conn, pending->note,
				pending->data.data, pending->data.len);
		begin_head(conn);
	}
	http_conn_free_pending(pending);
	return used;
}

/* Takes as many requests as are there, but for what is too much for one turn; what is incomplete, or comes too early,
 * stays. Returns the bytes used. */
static size_t take(struct http_conn *conn, char *buf, size_t len)
{
	int n_requests = 0;
	size_t used = 0;
	size_t n = 1;

	conn->is_taking = true;
	while (used < len && n > 0 && conn->out.len == 0 && n_requests < REQUESTS_PER_TURN) {
		n = 0;
		if (conn->state == CONN_HEAD) {
			n = take_head(conn, buf + used, len - used);
			n_requests++;
		} else if (conn->state == CONN_BODY) {
			n = take_body(conn, buf + used, len - used);
		}
		used += n;
	}
	conn->is_taking = false;
	if (!goes_on(conn))
		return len; /* nobody reads what follows */
	conn->has_more = used < len && n > 0 && conn->out.len == 0;
	return used;
}

/* In the next turn, after what others have to say in it. */
static void go_on_later(struct http_conn *conn)
{
	static const struct timeval at_once = { 0 };

	if (conn->has_more)
		(void)event_add(conn->readable, &at_once);
}

/* A head that has begun must be complete in time; one that waits for an answer to be read need not. */
static void watch_head(struct http_conn *conn)
{
	if (conn->state == CONN_HEAD && conn->in.len > 0 && conn->out.len == 0 && !conn->has_more &&
		conn->expiry != conn->shared->head_expiry)
		http_conn_set_deadline(conn, conn->shared->head_expiry);
}

/* A client that sends no more has been answered: all that is left is less than a request. */
static void end_if_all_answered(struct http_conn *conn)
{
	if (conn->has_fin && conn->out.len == 0 && !conn->has_more &&
		(conn->state == CONN_HEAD || conn->state == CONN_BODY))
		http_conn_kill(conn);
}

/* The buffer is taken out while it is read: the end of a connection gives back what is there. */
void http_conn_process(void *arg)
{
	struct http_conn *conn = arg;
	auto_strbuf in = conn->in;
	size_t used;

	conn->in = (struct strbuf){ 0 };
	conn->has_more = false;
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
	go_on_later(conn);
}

static void take_bytes(struct http_conn *conn, char *bytes, size_t len)
{
	size_t used = 0;

	if (conn->in.len == 0)
		used = take(conn, bytes, len);
	if (used < len && goes_on(conn))
		strbuf_add(&conn->in, bytes + used, len - used);
	if (conn->out.len == 0 && used == 0)
		http_conn_process(conn);
	else
		watch_head(conn);
	if (is_full(conn))
		update_reading(conn);
	go_on_later(conn);
}

static void drop_bytes(struct http_conn *conn, size_t len)
{
	conn->lingered += len;
	if (conn->lingered > LINGER_BYTES)
		http_conn_kill(conn);
}

/* No more comes. A client that only says that it has nothing more to ask still gets its answer. */
static void take_fin(struct http_conn *conn)
{
	if ((conn->state != CONN_HELD && conn->state != CONN_STREAM) || conn->fin_leaves) {
		http_conn_kill(conn);
		return;
	}
	conn->has_fin = true;
	(void)event_del(conn->readable);
}

/* Speaks in plain text to who spoke in plain text. */
static void refuse_plain_http(struct http_conn *conn)
{
	stats_refused(STATS_REFUSED_TLS);
	http_conn_refuse_and_close(
		conn, 400, "this port speaks HTTPS: write https:// in the place of http://");
}

/* The peer reads why (an alert), and no reset, when what it has sent besides is read and dropped. */
static void end_tls(struct http_conn *conn, bool was_established)
{
	char client[CLIENT_ADDR_TEXT_SIZE];

	tls_conn_log_failure(conn->io.tls, client_addr_format(&conn->peer, client));
	if (was_established) {
		http_conn_kill(conn);
		return;
	}
	stats_refused(STATS_REFUSED_TLS);
	if (tls_conn_has_bad_cert(conn->io.tls))
		http_conn_audit(conn, stats_refusal_name(STATS_REFUSED_TLS),
			tls_conn_get_trouble(conn->io.tls), 0);
	http_conn_linger(conn);
}

static void take_error(struct http_conn *conn, int error)
{
	if (error == -EPROTONOSUPPORT)
		refuse_plain_http(conn);
	else if (error == -EPROTO)
		end_tls(conn, tls_conn_is_established(conn->io.tls));
	else
		http_conn_kill(
			conn); /* TLS that is cut off too: more may have been meant to come */
}

/* What was read, or why nothing was. True: more may be there. */
static bool take_read(struct http_conn *conn, ssize_t n)
{
	if (n == -EAGAIN) {
		if (conn->io.reader_waits_to_write)
			http_conn_await_writing(conn);
		return false;
	}
	if (n < 0)
		take_error(conn, (int)n);
	else if (n == 0)
		take_fin(conn);
	else if (goes_on(conn))
		take_bytes(conn, scratch, (size_t)n);
	else
		drop_bytes(conn, (size_t)n);
	return n > 0 && conn->state != CONN_DEAD;
}

void http_conn_on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct http_conn *conn = arg;

	if (what & EV_TIMEOUT)
		(void)event_add(
			conn->readable, NULL); /* libevent has taken it out: go_on_later() */
	if (conn->io.writer_waits_to_read) {
		http_conn_write_on(conn);
		return;
	}
	if (conn->has_more) {
		http_conn_process(conn);
		return;
	}
	for (int i = 0; i < READS_PER_TURN; i++) {
		ssize_t n = http_io_read(&conn->io, scratch, sizeof(scratch));

		if (!take_read(conn, n) || conn->out.len > 0 || is_full(conn) || conn->has_more)
			return;
		if ((size_t)n < sizeof(scratch) && !http_io_has_pending(&conn->io))
			return;
	}
	if (http_io_has_pending(&conn->io) && event_pending(conn->readable, EV_READ, NULL))
		http_conn_resume_reading(conn);
}
