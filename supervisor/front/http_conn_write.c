/* See http_conn.h: answers, and streams of events. */
#include <assert.h>
#include <errno.h>
#include <stdio.h>

#include "shared/alloc.h"
#include "shared/log.h"
#include "supervisor/front/http_conn_private.h"
#include "supervisor/mcp/audit.h"
#include "supervisor/stats.h"

enum {
	MAX_PIECES = 8,
	CHUNK_HEAD_BYTES = 20,
	LIMIT_LOG_BURST = 10,
};

/* What is kept waits for the socket to take it; with TLS it may have to be read first. */
static void await_io(struct http_conn *conn)
{
	if (!conn->io.writer_waits_to_read) {
		http_conn_await_writing(conn);
		return;
	}
	if (conn->writable)
		(void)event_del(conn->writable);
	(void)event_add(conn->readable, NULL);
}

static void after_write(struct http_conn *conn)
{
	if (conn->close_when_written) {
		conn->close_when_written = false;
		http_conn_linger(conn);
	} else if (conn->state == CONN_STREAM) {
		if (conn->hooks)
			conn->hooks->drained(conn->arg);
	} else {
		http_conn_process(conn); /* reading stood still while an answer was waiting */
	}
}

void http_conn_write_on(struct http_conn *conn)
{
	const struct iovec rest =
		http_conn_piece(conn->out.data + conn->out_at, conn->out.len - conn->out_at);
	ssize_t n = http_io_write(&conn->io, &rest, 1);

	if (n < 0) {
		http_conn_kill(conn);
		return;
	}
	if (n > 0) {
		conn->out_at += (size_t)n;
		http_conn_set_deadline(
			conn, conn->expiry); /* it reads: however slowly, it is there */
	}
	if (conn->out_at < conn->out.len) {
		await_io(conn);
		return;
	}
	strbuf_done(&conn->out);
	conn->out_at = 0;
	if (conn->writable)
		(void)event_del(conn->writable);
	after_write(conn);
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct http_conn *conn = arg;

	if (conn->io.reader_waits_to_write) {
		conn->io.reader_waits_to_write = false;
		if (conn->out.len == 0)
			(void)event_del(conn->writable);
		http_conn_on_readable(fd, EV_READ, conn);
		return;
	}
	http_conn_write_on(conn);
}

void http_conn_await_writing(struct http_conn *conn)
{
	if (!conn->writable)
		conn->writable = loop_watch(
			conn->shared->loop, conn->io.fd, EV_WRITE | EV_PERSIST, on_writable, conn);
	(void)event_add(conn->writable, NULL);
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
	if (conn->state != CONN_STREAM)
		(void)event_del(conn->readable);
	await_io(conn);
}

int http_conn_write(struct http_conn *conn, const struct iovec *iov, int n)
{
	ssize_t sent = 0;

	if (conn->state == CONN_DEAD)
		return -EPIPE;
	if (conn->out.len == 0)
		sent = http_io_write(&conn->io, iov, n);
	if (sent < 0) {
		http_conn_kill(conn);
		return -EPIPE;
	}
	keep_rest(conn, iov, n, (size_t)sent);
	return 0;
}

static enum http_ending ending_of(const struct http_conn *conn)
{
	if (!conn->keep_alive)
		return HTTP_CLOSE;
	return conn->is_http10 ? HTTP_KEEP_SAID : HTTP_KEEP;
}

/* What is left of a stream is left because its client reads slowly: it has less time than an answer,
 * which may just be large. */
static void end_when_written(struct http_conn *conn)
{
	if (conn->out.len == 0) {
		http_conn_linger(conn);
		return;
	}
	conn->close_when_written = true;
	http_conn_set_deadline(conn, conn->state == CONN_STREAM ? conn->shared->linger_expiry
								: conn->shared->idle_expiry);
}

/* The request is over; the next one may be handled. When its handler is on the stack, take() or
 * take_body() goes on by itself; else what was sent ahead is looked at when this turn ends. */
static void end_request(struct http_conn *conn)
{
	conn->is_chunked = false;
	http_conn_uncount_stream(conn);
	if (!conn->keep_alive) {
		end_when_written(conn);
		return;
	}
	conn->state = CONN_HEAD;
	shares_wait(conn->shared->shares, &conn->share);
	http_conn_set_deadline(conn, conn->shared->idle_expiry);
	if (!conn->is_taking)
		loop_defer(conn->shared->loop, http_conn_process, conn);
}

static void add_head(struct http_conn *conn, struct strbuf *head, const struct http_reply *reply)
{
	struct http_reply own = *reply;

	conn->has_asked = true;
	own.grants = conn->grants.data;
	http_reply_add_head(head, &own, ending_of(conn));
}

void http_conn_answer(struct http_conn *conn, const struct http_reply *reply)
{
	auto_strbuf head = { 0 };
	size_t body_len = conn->is_head ? 0 : reply->body_len;
	bool was_held = conn->state == CONN_HELD;

	stats_http_answered((unsigned)reply->status);
	conn->hooks = NULL;
	if (conn->shared->stopping)
		conn->keep_alive = false;
	add_head(conn, &head, reply);
	const struct iovec iov[] = { http_conn_piece(head.data, head.len),
		http_conn_piece(reply->body, body_len) };

	if (http_conn_write(conn, iov, body_len ? 2 : 1) < 0)
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
	http_conn_set_deadline(conn, NULL);
}

/* One kind of refusal does not crowd the others out of the log. */
static struct log_limit *lines_of(int status)
{
	static struct log_limit busy, slow, large, other;

	switch (status) {
	case 429:
	case 503:
		return &busy;
	case 408:
		return &slow;
	case 413:
	case 414:
	case 431:
		return &large;
	default:
		return &other;
	}
}

static void note_refusal(const struct http_conn *conn, int status, const char *why)
{
	const struct principal *principal = conn->caller.principal;
	char peer[CLIENT_ADDR_TEXT_SIZE];
	const struct log_about about = { .client = *conn->caller.address
							   ? conn->caller.address
							   : client_addr_format(&conn->peer, peer),
		.key = principal ? principal->name : NULL };

	if (log_limit_ok(lines_of(status), LIMIT_LOG_BURST, "refused requests"))
		log_notice_about(&about, "refused with %d: %s", status, why);
}

void http_conn_audit(const struct http_conn *conn, const char *reason, const char *why, int status)
{
	char peer[CLIENT_ADDR_TEXT_SIZE];
	const struct audit_refusal refusal = {
		.reason = reason,
		.why = why,
		.status = status,
		.endpoint = conn->endpoint,
		.address = *conn->caller.address ? conn->caller.address
						 : client_addr_format(&conn->peer, peer),
		.principal = conn->caller.principal,
	};

	audit_refused(&refusal);
}

void http_conn_refuse(struct http_conn *conn, int status, const char *message)
{
	auto_strbuf body = { 0 };

	stats_http_refused((unsigned)status);
	http_reply_add_error(&body, message);
	const struct http_reply reply = { .status = status,
		.content_type = "application/json",
		.body = body.data,
		.body_len = body.len,
		.extra = status == 503 || status == 429 ? "Retry-After: 1\r\n" : NULL };

	http_conn_answer(conn, &reply);
}

void http_conn_refuse_limit(struct http_conn *conn, const struct door_refusal *refusal)
{
	auto_free char *message =
		alloc_printf("too much at a time (%s); try again later", refusal->limit);
	auto_free char *retry = alloc_printf("Retry-After: %lld\r\n", (long long)refusal->retry_s);
	auto_strbuf body = { 0 };

	http_reply_add_error(&body, message);
	const struct http_reply reply = { .status = refusal->status,
		.content_type = "application/json",
		.body = body.data,
		.body_len = body.len,
		.extra = retry };

	stats_http_refused((unsigned)refusal->status);
	note_refusal(conn, refusal->status, refusal->limit);
	http_conn_audit(conn, refusal->limit, "too much at a time", refusal->status);
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
		iov[n++] =
			http_conn_piece(size, (size_t)snprintf(size, sizeof(size), "%zx\r\n", len));
	for (int i = 0; i < n_pieces; i++)
		iov[n++] = pieces[i];
	if (conn->is_chunked && len > 0)
		iov[n++] = http_conn_piece("\r\n", 2);
	return http_conn_write(conn, iov, n);
}

void http_conn_begin_stream(struct http_conn *conn, const struct http_reply *reply,
	const char *first, size_t first_len, const struct http_stream_hooks *hooks, void *arg)
{
	auto_strbuf head = { 0 };
	struct http_reply own = *reply;
	const struct iovec first_piece = http_conn_piece(first, first_len);

	conn->hooks = hooks;
	conn->arg = arg;
	if (conn->state == CONN_DEAD)
		return; /* it was held, and closed() is on its way */
	stats_http_answered((unsigned)reply->status);
	own.is_chunked = reply->is_chunked && !conn->is_http10;
	if (!own.is_chunked || conn->shared->stopping)
		conn->keep_alive = false;
	if (conn->state != CONN_HELD)
		conn->fin_leaves = true;
	conn->is_chunked = own.is_chunked;
	conn->state = CONN_STREAM;
	conn->is_stream_counted = true;
	door_limits_begin_stream(conn->shared->door_limits, &conn->caller);
	http_conn_set_deadline(conn, NULL);
	add_head(conn, &head, &own);
	(void)write_stream(conn, http_conn_piece(head.data, head.len), &first_piece, 1);
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
	const struct iovec iov = http_conn_piece(last_chunk, sizeof(last_chunk) - 1);

	conn->hooks = NULL;
	if (conn->state != CONN_STREAM)
		return;
	if (conn->shared->stopping)
		conn->keep_alive = false;
	/* The last chunk is what an answer is: what the client asks next is read after it. */
	if (http_conn_is_ahead(conn))
		conn->state = CONN_HEAD;
	if (conn->is_chunked && http_conn_write(conn, &iov, 1) < 0)
		return;
	end_request(conn);
}

/* --- refusals ------------------------------------------------------------------------------------ */

void http_conn_refuse_and_close(struct http_conn *conn, int status, const char *message)
{
	conn->keep_alive = false;
	note_refusal(conn, status, message);
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

	stats_http_refused(405);
	add_allow(&allow, allowed);
	http_reply_add_error(&body, "this path does not take this method; see Allow");
	const struct http_reply reply = { .status = 405,
		.content_type = "application/json",
		.body = body.data,
		.body_len = body.len,
		.extra = allow.data };

	http_conn_answer(conn, &reply);
}

void http_conn_tell_methods(struct http_conn *conn, unsigned allowed)
{
	auto_strbuf allow = { 0 };

	add_allow(&allow, allowed);
	const struct http_reply reply = { .status = 204, .extra = allow.data };

	http_conn_answer(conn, &reply);
}
