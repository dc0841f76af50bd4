/* See http_conn.h. A connection's life: how it begins, its deadlines, how it ends. */
#include "supervisor/front/http_conn.h"

#include "shared/alloc.h"
#include "shared/clock.h"
#include "shared/fd.h"
#include "shared/log.h"
#include "supervisor/conf.h"
#include "supervisor/front/http_conn_private.h"
#include "supervisor/stats.h"

enum {
	LINGER_MS = 2000,
	REQUEST_LINE_BYTES = 8 * KIB,
	LIMIT_LOG_BURST = 10,
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
	http_conn_uncount_stream(conn);
	http_conn_forget_caller(conn);
	shares_leave(conn->shared->shares, &conn->share);
	usage_give(conn->address, USAGE_CONNECTIONS);
	usage_unref(conn->address);
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
	http_conn_uncount_stream(conn);
	shares_leave(conn->shared->shares, &conn->share);
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
	http_conn_uncount_stream(conn);
	shares_wait(conn->shared->shares, &conn->share);
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
	shared->door_limits = door_limits_new(loop);
	shared->shares = shares_new();
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
	door_limits_set(shared->door_limits, limits);
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
	shares_free(shared->shares);
	door_limits_free(shared->door_limits);
}

/* One line for what we close: which address floods us, or whose certificate it was, is what an operator asks first. */
static void note_closed(const struct http_conn *conn, const char *setting, const char *why)
{
	static struct log_limit lines;
	char client[CLIENT_ADDR_TEXT_SIZE];
	const struct log_about about = { .client = client_addr_format(&conn->peer, client) };

	if (log_limit_ok(&lines, LIMIT_LOG_BURST, "connections that were closed"))
		log_notice_about(&about, "connection closed (%s): %s", setting, why);
}

void http_shared_set_tls(struct http_shared *shared, struct tls *tls)
{
	struct http_conn *conn;

	tls_unref(shared->tls);
	shared->tls = tls;
	if (!tls)
		return;
	/* The others go on with what they began with. */
	TAILQ_FOREACH(conn, &shared->conns, next)
		if (conn->io.tls && !tls_conn_is_vouched_by(conn->io.tls, tls)) {
			http_conn_audit(conn, stats_refusal_name(STATS_REFUSED_TLS),
				"its certificate is not taken any more", 0);
			note_closed(conn, "tls.client_ca_file, tls.client_crl_file",
				"its certificate is not taken any more");
			http_conn_kill(conn);
		}
}

void http_shared_set_trusted(struct http_shared *shared, char *const *blocks, size_t n)
{
	forwarded_trust_done(&shared->trusted);
	forwarded_trust_init(&shared->trusted, blocks, n);
}

/* One that waits is closed for the newcomer. False: there is none. */
static bool make_room(struct http_conn *newcomer, enum shares_set set, enum stats_limit limit)
{
	struct http_shared *shared = newcomer->shared;
	struct share_entry *entry = shares_find_victim(shared->shares, &newcomer->share, set);
	struct http_conn *victim;

	stats_limit_reached(limit);
	if (!entry)
		return false;
	victim = (struct http_conn *)(void *)((char *)entry - offsetof(struct http_conn, share));
	note_closed(victim, stats_limit_name(limit), "it waited, and a newcomer has its place");
	http_conn_kill(victim);
	return true;
}

/* NULL: there is room for it; else the setting that it is refused for. */
static const char *find_room(struct http_conn *conn)
{
	struct http_shared *shared = conn->shared;
	unsigned max_unknown = door_limits_get_unauthenticated(shared->door_limits);

	if (conn->address && !forwarded_trust_has(&shared->trusted, &conn->peer) &&
		usage_is_full(conn->address, USAGE_CONNECTIONS))
		return usage_limit_name(conn->address, USAGE_CONNECTIONS);
	/* First: whoever goes for this one makes room among all, too, and nobody who is known has to. */
	if (max_unknown > 0 && guard_wants_credential(shared->guard) &&
		shares_count_unknown(shared->shares) > max_unknown)
		return make_room(conn, SHARES_UNKNOWN, STATS_LIMIT_UNAUTHENTICATED)
			       ? NULL
			       : stats_limit_name(STATS_LIMIT_UNAUTHENTICATED);
	if (shared->n_conns > shared->max_conns &&
		!make_room(conn, SHARES_ALL, STATS_LIMIT_CONNECTIONS))
		return stats_limit_name(STATS_LIMIT_CONNECTIONS);
	return NULL;
}

static struct http_conn *make_conn(struct http_shared *shared, const struct http_io *io,
	const struct client_addr *peer, const struct http_door *door)
{
	struct http_conn *conn = alloc_zero(sizeof(*conn));

	conn->shared = shared;
	conn->io = *io;
	conn->peer = *peer;
	conn->origin.addr = *peer;
	conn->is_loopback = door->is_loopback;
	conn->domain = door->domain;
	conn->readable =
		loop_watch(shared->loop, io->fd, EV_READ | EV_PERSIST, http_conn_on_readable, conn);
	conn->address = door_limits_of_address(shared->door_limits, peer);
	shares_join(shared->shares, &conn->share, peer);
	TAILQ_INSERT_TAIL(&shared->conns, conn, next);
	shared->n_conns++;
	stats_connection_opened();
	return conn;
}

void http_conn_new(struct http_shared *shared, int fd, const struct client_addr *peer,
	const struct http_door *door)
{
	struct http_conn *conn;
	struct http_io io;
	const char *limit;

	if (door->has_tls && !shared->tls) {
		(void)fd_close(fd);
		return;
	}
	if (http_io_init(&io, fd, door->has_tls ? shared->tls : NULL) < 0)
		return;
	conn = make_conn(shared, &io, peer, door);
	limit = find_room(conn);
	usage_add(conn->address, USAGE_CONNECTIONS);
	(void)event_add(conn->readable, NULL);
	if (!limit) {
		http_conn_set_deadline(conn, shared->head_expiry);
		return;
	}
	/* Words over TLS would cost the handshake, which is what a flood is about. */
	if (door->has_tls) {
		note_closed(conn, limit, "there is no room for one more");
		http_conn_kill(conn);
	} else {
		auto_free char *words = alloc_printf("too many connections (%s)", limit);

		http_conn_refuse_and_close(conn, 503, words);
	}
}

void http_conn_forget_caller(struct http_conn *conn)
{
	strbuf_done(&conn->grants);
	principal_unref(TAKE(conn->caller.principal));
	door_limits_forget(&conn->caller);
	conn->caller.address[0] = '\0';
}

void http_conn_uncount_stream(struct http_conn *conn)
{
	if (!conn->is_stream_counted)
		return;
	conn->is_stream_counted = false;
	door_limits_end_stream(conn->shared->door_limits, &conn->caller);
}

struct door_refusal http_conn_check(const struct http_conn *conn, enum usage_thing thing)
{
	return door_limits_check(conn->shared->door_limits, &conn->caller, thing);
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

void http_conn_add_scopes(struct http_conn *conn, struct span host, const char *path,
	const char *scopes, struct strbuf *out)
{
	const struct guard_scopes refused = { .principal = conn->caller.principal,
		.origin = &conn->origin,
		.host = host,
		.path = path,
		.scopes = scopes };

	guard_refuse_scopes(conn->shared->guard, &refused, out);
}

void http_shared_close_idle(struct http_shared *shared)
{
	struct http_conn *conn;

	shared->stopping = true;
	TAILQ_FOREACH(conn, &shared->conns, next)
		if (conn->state == CONN_HEAD && conn->in.len == 0 && conn->out.len == 0)
			http_conn_kill(conn);
}

bool http_shared_is_awaiting(const struct http_shared *shared)
{
	const struct http_conn *conn;

	TAILQ_FOREACH(conn, &shared->conns, next)
		if (conn->state == CONN_BODY ||
			(conn->state == CONN_HEAD && (!conn->has_asked || conn->in.len > 0)))
			return true;
	return false;
}

const struct caller *http_conn_get_caller(const struct http_conn *conn)
{
	return &conn->caller;
}

bool http_conn_tells_all(const struct http_conn *conn)
{
	return guard_probe_tells_all(
		conn->shared->guard, conn->is_loopback, conn->shared->is_public);
}

bool http_conn_is_admitted_still(const struct http_conn *conn)
{
	return guard_admits_still(conn->shared->guard, conn->caller.principal, conn->is_loopback,
		conn->shared->is_public, clock_wall_ms() / CLOCK_SECOND_MS);
}

bool http_shared_is_writing(const struct http_shared *shared)
{
	const struct http_conn *conn;

	TAILQ_FOREACH(conn, &shared->conns, next)
		if (conn->state != CONN_DEAD && conn->out.len > 0)
			return true;
	return false;
}
