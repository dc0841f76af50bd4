/* See http_conn.h: requests.
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
#include <errno.h>

#include "shared/alloc.h"
#include "shared/clock.h"
#include "supervisor/front/http_conn_private.h"
#include "supervisor/stats.h"

enum {
	SCRATCH_BYTES = 64 * KIB,
	SLOW_AFTER_MS = 5000, /* a body may pause for so long */
	READS_PER_TURN = 4,
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

/* Where a request goes. */
struct aim {
	const struct http_route *route; /* NULL: there is no such path */
	char *path;                     /* decoded; NULL: it is no text */
	char *prefix;                   /* what stands before the route's path */
	const char *domain;
	bool is_domain; /* what stands there is the name of one */
};

static void aim_done(struct aim *aim)
{
	free(aim->prefix);
	free(aim->path);
}

static void take_aim(const struct http_conn *conn, const struct http1_request *req, struct aim *ret)
{
	auto_strbuf path = { 0 };
	size_t prefix_len;

	*ret = (struct aim){ .domain = conn->domain };
	if (!req->uri.path.at || uri_decode_path(req->uri.path, &path) < 0)
		return;
	ret->path = alloc_mem(path.data, path.len);
	ret->route = httpd_find_route(
		conn->shared->httpd, strbuf_get(&path), &prefix_len, &ret->is_domain);
	if (!ret->route)
		return;
	ret->prefix = alloc_mem(path.data, prefix_len);
	if (prefix_len > 0)
		ret->domain = ret->prefix + 1;
}

/* The guard has not let it in, or has answered itself. */
static void answer_refusal(
	struct http_conn *conn, const struct http_route *route, const struct guard_verdict *verdict)
{
	static const struct http_reply granted = { .status = 204 };
	auto_strbuf body = { 0 };

	if (verdict->status == 204) {
		http_conn_answer(conn, &granted);
		return;
	}
	if (route && route->add_refusal)
		route->add_refusal(&body, verdict->why);
	else
		http_reply_add_error(&body, verdict->why);
	const struct http_reply reply = { .status = verdict->status,
		.content_type = "application/json",
		.body = body.data,
		.body_len = body.len,
		.extra = verdict->challenge.data };

	stats_http_refused((unsigned)reply.status);
	http_conn_answer(conn, &reply);
}

/* True: let in. */
static bool pass_guard(
	struct http_conn *conn, const struct http1_request *req, const struct aim *aim)
{
	const struct guard_ask ask = {
		.request = req,
		.origin = &conn->origin,
		.path = aim->route ? aim->route->path : NULL,
		.whole_path = aim->path,
		.names = conn->io.tls ? tls_conn_get_names(conn->io.tls) : NULL,
		.domain = aim->prefix && *aim->prefix && !aim->is_domain ? NULL : aim->domain,
		.zone = aim->route ? aim->route->zone : GUARD_ZONE_TOOLS,
		.is_loopback = conn->is_loopback,
		.is_public = conn->shared->is_public,
		.now_s = clock_wall_ms() / CLOCK_SECOND_MS,
	};
	auto_guard_verdict verdict = { 0 };

	guard_judge(conn->shared->guard, &ask, &verdict);
	conn->grants = verdict.grants;
	verdict.grants = (struct strbuf){ 0 };
	conn->caller.principal = TAKE(verdict.principal);
	if (verdict.status)
		answer_refusal(conn, aim->route, &verdict);
	return !verdict.status;
}

static void pay(struct http_conn *conn, size_t n_bytes)
{
	for (int i = 0; i < USAGE_OFS && n_bytes > 0; i++)
		usage_pay(conn->caller.usages[i], n_bytes);
}

/* Who looks after us is not counted. */
static bool is_counted(const struct aim *aim)
{
	return !aim->route || aim->route->zone == GUARD_ZONE_TOOLS;
}

static bool admit(struct http_conn *conn, enum usage_of of)
{
	const struct door_refusal refusal = door_limits_admit(&conn->caller, of);

	if (refusal.status)
		http_conn_refuse_limit(conn, &refusal);
	return !refusal.status;
}

/* True: its address may ask again. This comes before the guard: who guesses credentials is to be slowed down, and to
 * judge one costs more than to count it. A page's preflight comes before the request that counts. */
static bool pass_limit_of_address(
	struct http_conn *conn, const struct http1_request *req, const struct aim *aim)
{
	if (!is_counted(aim) || req->method == HTTP1_OPTIONS)
		return true;
	door_limits_know_address(conn->shared->door_limits, &conn->caller, &conn->origin.addr);
	return admit(conn, USAGE_OF_ADDRESS);
}

/* True: and so may who it is. */
static bool pass_limit_of_key(
	struct http_conn *conn, const struct http1_request *req, const struct aim *aim)
{
	if (conn->caller.principal && conn->caller.principal->kind != PRINCIPAL_ANYBODY)
		shares_note_known(conn->shared->shares, &conn->share);
	if (!is_counted(aim))
		return true;
	door_limits_know_key(conn->shared->door_limits, &conn->caller);
	if (!admit(conn, USAGE_OF_KEY))
		return false;
	pay(conn, (size_t)req->content_length);
	return true;
}

/* Answers what no route has to be asked for. */
static bool is_refused(
	struct http_conn *conn, const struct http1_request *req, const struct aim *aim)
{
	const struct http_route *route = aim->route;

	if (!route || (*aim->prefix && !aim->is_domain))
		http_conn_refuse(conn, 404, "no such path; try /mcp, /sse, /health or /ready");
	else if (req->method == HTTP1_OPTIONS)
		http_conn_tell_methods(conn, route->methods);
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
	auto_(aim_done) struct aim aim;

	take_aim(conn, req, &aim);
	conn->endpoint = aim.route ? aim.route->path : NULL;
	forwarded_find_client(
		&conn->peer, conn->io.tls != NULL, req, &conn->shared->trusted, &conn->origin);
	(void)client_addr_format(&conn->origin.addr, conn->caller.address);
	if (!pass_limit_of_address(conn, req, &aim) || !pass_guard(conn, req, &aim) ||
		!pass_limit_of_key(conn, req, &aim) || is_refused(conn, req, &aim))
		return false;
	ask->request = req;
	ask->prefix = aim.prefix;
	ask->origin = &conn->origin;
	ask->domain = aim.domain;
	*ret_route = aim.route;
	return aim.route->head(aim.route->arg, conn, ask);
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

/* The body may have been long under way, and the key revoked meanwhile. */
static bool is_still_let_in(struct http_conn *conn, const struct http_route *route)
{
	struct principal *old = conn->caller.principal;
	struct principal *now =
		guard_renew(conn->shared->guard, old, clock_wall_ms() / CLOCK_SECOND_MS);
	auto_guard_verdict verdict = { .status = 401,
		.why = "this key or token is not valid any more" };

	if (now) {
		conn->caller.principal = principal_ref(now);
		principal_unref(old);
		return true;
	}
	stats_refused(STATS_REFUSED_EXPIRED);
	http_conn_audit(
		conn, stats_refusal_name(STATS_REFUSED_EXPIRED), verdict.why, verdict.status);
	strbuf_adds(&verdict.challenge, "WWW-Authenticate: Bearer error=\"invalid_token\"\r\n");
	answer_refusal(conn, route, &verdict);
	return false;
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
			pay(conn, pending->data.len);
		if (pending->route->zone != GUARD_ZONE_TOOLS ||
			is_still_let_in(conn, pending->route))
			pending->route->body(pending->route->arg, conn, pending->note,
				pending->data.data, pending->data.len);
		begin_head(conn);
	}
	http_conn_free_pending(pending);
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

/* A head that has begun must be complete in time; one that waits for an answer to be read need not. */
static void watch_head(struct http_conn *conn)
{
	if (conn->state == CONN_HEAD && conn->in.len > 0 && conn->out.len == 0 &&
		conn->expiry != conn->shared->head_expiry)
		http_conn_set_deadline(conn, conn->shared->head_expiry);
}

/* A client that sends no more has been answered: all that is left is less than a request. */
static void end_if_all_answered(struct http_conn *conn)
{
	if (conn->has_fin && conn->out.len == 0 &&
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
		http_conn_process(conn);
	else
		watch_head(conn);
	if (is_full(conn))
		update_reading(conn);
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

	if (conn->io.writer_waits_to_read) {
		http_conn_write_on(conn);
		return;
	}
	for (int i = 0; i < READS_PER_TURN; i++) {
		ssize_t n = http_io_read(&conn->io, scratch, sizeof(scratch));

		if (!take_read(conn, n) || conn->out.len > 0 || is_full(conn))
			return;
		if ((size_t)n < sizeof(scratch) && !http_io_has_pending(&conn->io))
			return;
	}
	if (http_io_has_pending(&conn->io) && event_pending(conn->readable, EV_READ, NULL))
		http_conn_resume_reading(conn);
}
