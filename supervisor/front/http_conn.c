/* See http_conn.h. A connection's life: how it begins, its deadlines, how it ends. */
#include "supervisor/front/http_conn.h"

#include "shared/alloc.h"
#include "shared/fd.h"
#include "supervisor/conf.h"
#include "supervisor/front/http_conn_private.h"
#include "supervisor/stats.h"

enum {
	LINGER_MS = 2000,
	REQUEST_LINE_BYTES = 8 * KIB,
};

/* --- time -------------------------------------------------------------------------------------- */

void http_conn_set_deadline(struct http_conn *conn, struct expiry *expiry)
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
	stats_connection_closed();
	ev_free(conn->readable);
	ev_free(conn->writable);
	http_io_done(&conn->io, conn->out.len == 0);
	strbuf_done(&conn->in);
	strbuf_done(&conn->out);
	http_conn_free_pending(conn->pending);
	principal_unref(conn->caller.principal);
	strbuf_done(&conn->grants);
	free(conn);
}

static void tell_closed_and_free(void *arg)
{
	struct http_conn *conn = arg;

	if (conn->hooks)
		conn->hooks->closed(conn->arg);
	free_conn(conn);
}

void http_conn_kill(struct http_conn *conn)
{
	if (conn->state == CONN_DEAD)
		return;
	conn->state = CONN_DEAD;
	http_conn_set_deadline(conn, NULL);
	(void)event_del(conn->readable);
	if (conn->writable)
		(void)event_del(conn->writable);
	loop_defer(conn->shared->loop, tell_closed_and_free, conn);
}

void http_conn_linger(struct http_conn *conn)
{
	http_io_end(&conn->io);
	conn->state = CONN_LINGER;
	strbuf_done(&conn->in);
	http_conn_set_deadline(conn, conn->shared->linger_expiry);
	(void)event_add(conn->readable, NULL);
}

static void on_head_expired(struct expiry_entry *entry, void *arg)
{
	struct http_conn *conn =
		(struct http_conn *)(void *)((char *)entry - offsetof(struct http_conn, deadline));

	conn->expiry = NULL;
	if (conn->in.len > 0)
		stats_limit_reached(STATS_LIMIT_HEADER_TIMEOUT);
	if (conn->in.len > 0)
		http_conn_refuse_and_close(conn, 408, "the head of the request came too slowly");
	else
		http_conn_kill(conn);
}

static void on_body_expired(struct expiry_entry *entry, void *arg)
{
	struct http_conn *conn =
		(struct http_conn *)(void *)((char *)entry - offsetof(struct http_conn, deadline));

	conn->expiry = NULL;
	stats_limit_reached(STATS_LIMIT_BODY_TIMEOUT);
	http_conn_free_pending(TAKE(conn->pending));
	http_conn_refuse_and_close(conn, 408, "the body of the request came too slowly");
}

static void on_idle_expired(struct expiry_entry *entry, void *arg)
{
	struct http_conn *conn =
		(struct http_conn *)(void *)((char *)entry - offsetof(struct http_conn, deadline));

	conn->expiry = NULL;
	http_conn_kill(conn);
}

/* --- public ------------------------------------------------------------------------------------ */

void http_shared_init(
	struct http_shared *shared, struct loop *loop, struct httpd *httpd, struct guard *guard)
{
	*shared = (struct http_shared){ .loop = loop, .httpd = httpd, .guard = guard };
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
		http_conn_set_deadline(conn, NULL);
		free_conn(conn);
	}
	expiry_free(shared->head_expiry);
	expiry_free(shared->body_expiry);
	expiry_free(shared->idle_expiry);
	expiry_free(shared->linger_expiry);
	forwarded_trust_done(&shared->trusted);
	tls_unref(TAKE(shared->tls));
}

void http_shared_set_tls(struct http_shared *shared, struct tls *tls)
{
	tls_unref(shared->tls);
	shared->tls = tls;
}

void http_shared_set_trusted(struct http_shared *shared, char *const *blocks, size_t n)
{
	forwarded_trust_done(&shared->trusted);
	forwarded_trust_init(&shared->trusted, blocks, n);
}

void http_conn_new(struct http_shared *shared, int fd, const struct client_addr *peer,
	const struct http_door *door)
{
	struct http_conn *conn;
	struct http_io io;

	if (door->has_tls && !shared->tls) {
		(void)fd_close(fd);
		return;
	}
	if (http_io_init(&io, fd, door->has_tls ? shared->tls : NULL) < 0)
		return;
	conn = alloc_zero(sizeof(*conn));
	conn->shared = shared;
	conn->io = io;
	conn->peer = *peer;
	conn->origin.addr = *peer;
	conn->is_loopback = door->is_loopback;
	conn->domain = door->domain;
	conn->readable =
		loop_watch(shared->loop, fd, EV_READ | EV_PERSIST, http_conn_on_readable, conn);
	TAILQ_INSERT_TAIL(&shared->conns, conn, next);
	shared->n_conns++;
	stats_connection_opened();
	(void)event_add(conn->readable, NULL);
	if (shared->n_conns <= shared->max_conns) {
		http_conn_set_deadline(conn, shared->head_expiry);
		return;
	}
	stats_limit_reached(STATS_LIMIT_CONNECTIONS);
	/* Words over TLS would cost the handshake, which is what a flood is about. */
	if (door->has_tls)
		http_conn_kill(conn);
	else
		http_conn_refuse_and_close(conn, 503, "too many connections (limits.connections)");
}

const struct client_origin *http_conn_get_origin(const struct http_conn *conn)
{
	return &conn->origin;
}

const struct client_addr *http_conn_get_peer(const struct http_conn *conn)
{
	return &conn->peer;
}

const struct tls_names *http_conn_get_cert_names(const struct http_conn *conn)
{
	return conn->io.tls ? tls_conn_get_names(conn->io.tls) : NULL;
}

void http_shared_close_idle(struct http_shared *shared)
{
	struct http_conn *conn;

	shared->stopping = true;
	TAILQ_FOREACH(conn, &shared->conns, next)
		if (conn->state == CONN_HEAD && conn->in.len == 0 && conn->out.len == 0)
			http_conn_kill(conn);
}

const struct caller *http_conn_get_caller(const struct http_conn *conn)
{
	return &conn->caller;
}

bool http_shared_is_writing(const struct http_shared *shared)
{
	const struct http_conn *conn;

	TAILQ_FOREACH(conn, &shared->conns, next)
		if (conn->state != CONN_DEAD && conn->out.len > 0)
			return true;
	return false;
}
