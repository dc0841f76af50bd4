/* See local.h.
 *
 * A connection whose client has ended its input waits for two things that no event of the socket tells:
 * that its last call has left, and that the client has gone altogether. The stream says when something
 * was written, which is nearly always the last answer; for the rest (a call that was cancelled, a client
 * that closes late) such connections are looked at every HALF_CLOSED_MS. */
#include "supervisor/front/local.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/queue.h>
#include <sys/socket.h>

#include "shared/alloc.h"
#include "shared/fd.h"
#include "shared/log.h"
#include "shared/rpc.h"
#include "supervisor/front/local_socket.h"
#include "supervisor/front/stream.h"
#include "supervisor/mcp/audit.h"
#include "supervisor/stats.h"

enum {
	ACCEPTS_PER_TURN = 64,
	PAUSE_MS = 200, /* without descriptors: wait, do not spin */
	HALF_CLOSED_MS = 200,
	READS_BEFORE_CLOSE = 16,
	LOG_BURST = 50,
};

struct local_conn {
	TAILQ_ENTRY(local_conn) next;
	struct local *local;
	struct stream *stream;
	struct sink_peer peer;
	int fd;
	bool ended; /* its client says no more */
	bool closing;
};

/* A place to listen. */
struct door {
	struct local *local;
	struct local_socket *socket;
	struct event *acceptable;
};

struct local {
	struct loop *loop;
	struct mcp *mcp;
	struct door *door; /* NULL: listens nowhere */
	struct door *prepared;
	gid_t prepared_group;
	bool keeps_door; /* what was prepared is the door that is there */
	bool is_adopted;
	TAILQ_HEAD(, local_conn) conns;
	unsigned n_conns;
	unsigned max_conns;
	size_t max_line;
	struct timer *pause_timer;
	struct timer *half_closed_timer;
	struct log_limit accept_log;
	struct log_limit peer_log;
	struct log_limit refused_log;
};

/* --- the end of a connection -------------------------------------------------------------------- */

/* stream_free() runs what is deferred: for this connection that does nothing, as it is closing. */
static void free_conn(void *arg)
{
	struct local_conn *conn = arg;

	TAILQ_REMOVE(&conn->local->conns, conn, next);
	conn->local->n_conns--;
	stream_free(conn->stream);
	(void)fd_close(conn->fd);
	free(conn);
}

static void close_later(struct local_conn *conn)
{
	if (conn->closing)
		return;
	conn->closing = true;
	loop_defer(conn->local->loop, free_conn, conn);
}

/* Both directions are closed, and not just the one in which it spoke. */
static bool has_gone(const struct local_conn *conn)
{
	struct pollfd state = { .fd = conn->fd };

	return poll(&state, 1, 0) > 0 && (state.revents & (POLLHUP | POLLERR)) != 0;
}

static bool is_finished(const struct local_conn *conn)
{
	const struct session *session = stream_get_session(conn->stream);

	return !session ||
	       (mcp_count_pending_of(conn->local->mcp, session) == 0 &&
		       !session_is_pending(session) && !stream_is_writing(conn->stream));
}

static void close_if_over(struct local_conn *conn)
{
	if (conn->ended && !conn->closing && (is_finished(conn) || has_gone(conn)))
		close_later(conn);
}

static void on_half_closed_timer(void *arg)
{
	struct local *local = arg;
	struct local_conn *conn;
	bool more = false;

	TAILQ_FOREACH(conn, &local->conns, next) {
		close_if_over(conn);
		more |= conn->ended && !conn->closing;
	}
	if (more)
		timer_start(local->half_closed_timer, HALF_CLOSED_MS);
}

static void on_ended(void *arg)
{
	struct local_conn *conn = arg;

	conn->ended = true;
	close_if_over(conn);
	if (!conn->closing && !timer_is_running(conn->local->half_closed_timer))
		timer_start(conn->local->half_closed_timer, HALF_CLOSED_MS);
}

static void on_drained(void *arg)
{
	close_if_over(arg);
}

static void on_broken(void *arg)
{
	close_later(arg);
}

static void get_peer(void *arg, struct sink_peer *ret)
{
	const struct local_conn *conn = arg;

	*ret = conn->peer;
}

static const struct stream_hooks stream_hooks = {
	.ended = on_ended,
	.drained = on_drained,
	.broken = on_broken,
	.get_peer = get_peer,
};

/* --- new connections ---------------------------------------------------------------------------- */

/* The buffer of a fresh socket takes the line whole. What the client said already is read, as its end
 * would see a reset otherwise and might not read the line. */
static void refuse(int fd, int code, const char *why)
{
	static const struct jspan null_id = { .at = "null", .len = 4 };
	auto_strbuf line = { 0 };
	char unheard[4096];

	rpc_add_error(&line, null_id, code, why);
	strbuf_addc(&line, '\n');
	(void)send(fd, line.data, line.len, MSG_NOSIGNAL | MSG_DONTWAIT);
	for (int i = 0; i < READS_BEFORE_CLOSE; i++)
		if (recv(fd, unheard, sizeof(unheard), MSG_DONTWAIT) <= 0)
			break;
}

static void refuse_unknown(struct local *local, int fd, int err)
{
	if (log_limit_ok(&local->refused_log, LOG_BURST, "refused local clients"))
		log_warn("refused a local client: cannot tell who it is: %s", strerror(-err));
	refuse(fd, RPC_INTERNAL_ERROR, "the kernel does not tell who you are");
}

static void refuse_peer(struct local *local, int fd, const struct peer *peer)
{
	auto_free char *why =
		alloc_printf("the user %u with the group %u may not use this fleet: the "
			     "mode of the socket does not allow it (local.group)",
			(unsigned)peer->uid, (unsigned)peer->gid);
	const struct audit_refusal audited = { .reason = "local_peer",
		.why = "the mode of the socket does not allow it",
		.pid = peer->pid,
		.uid = peer->uid };

	audit_refused(&audited);
	if (log_limit_ok(&local->refused_log, LOG_BURST, "refused local clients"))
		log_warn(
			"refused a local client: pid %d, uid %u, gid %u: the mode of the socket does "
			"not allow it",
			(int)peer->pid, (unsigned)peer->uid, (unsigned)peer->gid);
	refuse(fd, RPC_INVALID_REQUEST, why);
}

static bool may_connect(const struct door *door, const struct peer *peer)
{
	struct stat st;

	local_socket_get_stat(door->socket, &st);
	return peer_may_connect(peer, &st, geteuid());
}

static void log_peer(struct local *local, const struct peer *peer, const struct session *session)
{
	char id[SESSION_SHOWN_TEXT];

	session_get_shown_id(session, id);
	const struct log_about about = { .session = id };
	if (log_limit_ok(&local->peer_log, LOG_BURST, "local clients"))
		log_info_about(&about, "local client: pid %d, uid %u, gid %u", (int)peer->pid,
			(unsigned)peer->uid, (unsigned)peer->gid);
}

/* Takes over `fd` when it returns true. */
static bool serve(struct local *local, int fd, const struct peer *peer)
{
	struct local_conn *conn = alloc_zero(sizeof(*conn));

	conn->local = local;
	conn->fd = fd;
	conn->peer = (struct sink_peer){ .pid = peer->pid, .uid = peer->uid, .gid = peer->gid };
	conn->stream = stream_new(local->loop, local->mcp, fd, fd, local->max_line,
		mcp_find_endpoint(local->mcp, NULL), &stream_hooks, conn);
	if (!conn->stream) {
		free(conn);
		return false;
	}
	TAILQ_INSERT_TAIL(&local->conns, conn, next);
	local->n_conns++;
	log_peer(local, peer, stream_get_session(conn->stream));
	return true;
}

static bool is_full(const struct local *local)
{
	if (local->n_conns < local->max_conns)
		return false;
	stats_limit_reached(STATS_LIMIT_CONNECTIONS);
	return true;
}

static void take_conn(struct door *door, int accepted)
{
	auto_close int fd = accepted;
	auto_(peer_done) struct peer peer = { 0 };
	struct local *local = door->local;
	int r = peer_read(fd, &peer);

	if (r < 0)
		refuse_unknown(local, fd, r);
	else if (!may_connect(door, &peer))
		refuse_peer(local, fd, &peer);
	else if (is_full(local))
		refuse(fd, RPC_OVERLOADED,
			"too many connections (limits.connections); try again later");
	else if (serve(local, fd, &peer))
		(void)TAKE_FD(fd);
	else
		refuse(fd, RPC_OVERLOADED,
			"no more sessions now (limits.sessions), or the fleet is stopping; try again "
			"later");
}

static void pause_accepting(struct local *local, int err)
{
	if (log_limit_ok(&local->accept_log, 3, "accepting local connections"))
		log_warn("cannot accept a local connection (%s), pausing for %d ms", strerror(err),
			PAUSE_MS);
	(void)event_del(local->door->acceptable);
	timer_start(local->pause_timer, PAUSE_MS);
}

static void on_pause_over(void *arg)
{
	struct local *local = arg;

	if (local->door)
		(void)event_add(local->door->acceptable, NULL);
}

static void accept_some(struct door *door, int n)
{
	for (int i = 0; i < n; i++) {
		int conn = accept4(local_socket_get_fd(door->socket), NULL, NULL,
			SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (conn < 0 && (errno == ECONNABORTED || errno == EINTR))
			continue;
		if (conn < 0 && errno == EAGAIN)
			return;
		if (conn < 0) {
			pause_accepting(door->local, errno);
			return;
		}
		take_conn(door, conn);
	}
}

static void on_acceptable(evutil_socket_t fd, short what, void *arg)
{
	accept_some(arg, ACCEPTS_PER_TURN);
}

/* --- doors -------------------------------------------------------------------------------------- */

static struct door *door_new(struct local *local, struct local_socket *sock)
{
	struct door *door = alloc_zero(sizeof(*door));

	door->local = local;
	door->socket = sock;
	door->acceptable = loop_watch(
		local->loop, local_socket_get_fd(sock), EV_READ | EV_PERSIST, on_acceptable, door);
	return door;
}

/* Who stands in it already comes in. With a socket of the service manager he waits for the next daemon. */
static void empty_door(struct door *door)
{
	if (door && local_socket_withdraw(door->socket))
		accept_some(door, SOMAXCONN);
}

static void door_free(struct door *door)
{
	if (!door)
		return;
	ev_free(door->acceptable);
	local_socket_free(door->socket);
	free(door);
}

static bool is_open_there(const struct local *local, const char *path)
{
	return local->door && streq(local_socket_get_path(local->door->socket), path) &&
	       local_socket_is_there(local->door->socket);
}

int local_prepare(struct local *local, const char *path, const char *group, struct fail *fail)
{
	struct local_socket *sock = NULL;
	int r;

	local_abandon(local);
	local->keeps_door = local->is_adopted;
	if (!path || local->is_adopted)
		return 0;
	r = local_socket_find_group(group, &local->prepared_group, fail);
	if (r < 0)
		return r;
	local->keeps_door = is_open_there(local, path);
	if (local->keeps_door)
		return 0;
	r = local_socket_open(path, local->prepared_group, &sock, fail);
	if (r == 0)
		local->prepared = door_new(local, sock);
	return r;
}

void local_commit(struct local *local)
{
	if (local->keeps_door) {
		int r = local->is_adopted ? 0
					  : local_socket_set_group(
						    local->door->socket, local->prepared_group);

		if (r < 0)
			log_warn("cannot give '%s' to the group %u (%s), it stays as it is",
				local_get_path(local), (unsigned)local->prepared_group,
				strerror(-r));
		return;
	}
	empty_door(local->door);
	timer_stop(local->pause_timer);
	door_free(local->door);
	local->door = TAKE(local->prepared);
	if (local->door)
		(void)event_add(local->door->acceptable, NULL);
}

void local_abandon(struct local *local)
{
	door_free(TAKE(local->prepared));
}

void local_adopt(struct local *local, int fd)
{
	local_stop_listening(local);
	local->is_adopted = true;
	local->door = door_new(local, local_socket_adopt(fd));
	(void)event_add(local->door->acceptable, NULL);
}

void local_stop_listening(struct local *local)
{
	local_abandon(local);
	empty_door(local->door);
	timer_stop(local->pause_timer);
	door_free(TAKE(local->door));
}

/* --- public ------------------------------------------------------------------------------------- */

struct local *local_new(struct loop *loop, struct mcp *mcp, const struct conf_limits *limits)
{
	struct local *local = alloc_zero(sizeof(*local));

	local->loop = loop;
	local->mcp = mcp;
	TAILQ_INIT(&local->conns);
	local->pause_timer = timer_new(loop, on_pause_over, local);
	local->half_closed_timer = timer_new(loop, on_half_closed_timer, local);
	local_set_limits(local, limits);
	return local;
}

void local_free(struct local *local)
{
	struct local_conn *conn;

	if (!local)
		return;
	local_stop_listening(local);
	TAILQ_FOREACH(conn, &local->conns, next)
		close_later(conn);
	loop_settle(local->loop);
	timer_free(local->pause_timer);
	timer_free(local->half_closed_timer);
	free(local);
}

void local_set_limits(struct local *local, const struct conf_limits *limits)
{
	struct local_conn *conn;

	local->max_conns = limits->connections;
	local->max_line = limits->request_bytes;
	TAILQ_FOREACH(conn, &local->conns, next)
		stream_set_max_line(conn->stream, limits->request_bytes);
}

bool local_is_awaiting(const struct local *local)
{
	const struct local_conn *conn;

	TAILQ_FOREACH(conn, &local->conns, next)
		if (!conn->ended && !conn->closing && !stream_has_heard(conn->stream))
			return true;
	return false;
}

bool local_is_writing(const struct local *local)
{
	const struct local_conn *conn;

	TAILQ_FOREACH(conn, &local->conns, next)
		if (stream_is_writing(conn->stream))
			return true;
	return false;
}

const char *local_get_path(const struct local *local)
{
	return local->door ? local_socket_get_path(local->door->socket) : NULL;
}
