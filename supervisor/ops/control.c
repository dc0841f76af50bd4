/* See control.h. Who may come in, and who may change something. */
#include "supervisor/ops/control.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <sys/socket.h>

#include "shared/alloc.h"
#include "shared/fd.h"
#include "shared/log.h"
#include "supervisor/ops/control_private.h"

enum {
	ACCEPTS_PER_TURN = 16,
	PAUSE_MS = 200, /* without descriptors: wait, do not spin */
	LOG_BURST = 10,
};

/* --- admins ------------------------------------------------------------------------------------- */

static void add_group(struct control *control, const char *name)
{
	const struct group *group = getgrnam(name);

	if (!group) {
		log_warn("control.admins: there is no group '%s', ignoring it", name);
		return;
	}
	control->admins.gids = alloc_resize(
		control->admins.gids, control->admins.n_gids + 1, sizeof(*control->admins.gids));
	control->admins.gids[control->admins.n_gids++] = group->gr_gid;
}

static void add_user(struct control *control, const char *name)
{
	const struct passwd *user = getpwnam(name);

	if (!user) {
		log_warn("control.admins: there is no user '%s', ignoring it", name);
		return;
	}
	control->admins.uids = alloc_resize(
		control->admins.uids, control->admins.n_uids + 1, sizeof(*control->admins.uids));
	control->admins.uids[control->admins.n_uids++] = user->pw_uid;
}

static void clear_admins(struct control *control)
{
	free(control->admins.uids);
	free(control->admins.gids);
	memset(&control->admins, 0, sizeof(control->admins));
}

static bool is_admin_group(const struct control *control, gid_t gid)
{
	for (size_t i = 0; i < control->admins.n_gids; i++)
		if (control->admins.gids[i] == gid)
			return true;
	return false;
}

void control_judge(const struct control *control, struct control_conn *conn)
{
	const struct peer *peer = &conn->peer;
	bool may = peer->uid == 0 || peer->uid == geteuid() || is_admin_group(control, peer->gid);

	for (size_t i = 0; !may && i < control->admins.n_uids; i++)
		may = control->admins.uids[i] == peer->uid;
	for (size_t i = 0; !may && i < peer->n_groups; i++)
		may = is_admin_group(control, peer->groups[i]);
	conn->may_change = may;
}

void control_set_conf(struct control *control, const struct conf *conf)
{
	const struct conf_strs *admins = &conf->control.admins;
	struct control_conn *conn;

	control->parts.conf = conf;
	clear_admins(control);
	for (size_t i = 0; i < admins->n; i++) {
		const char *name = admins->items[i];

		if (*name == '%')
			add_group(control, name + 1);
		else
			add_user(control, name);
	}
	TAILQ_FOREACH(conn, &control->conns, next)
		control_judge(control, conn);
}

/* --- new connections ---------------------------------------------------------------------------- */

/* The buffer of a fresh socket takes the line whole. */
static void refuse(int fd, int code, const char *why)
{
	static const struct jspan null_id = { .at = "null", .len = 4 };
	auto_strbuf line = { 0 };

	rpc_add_error(&line, null_id, code, why);
	strbuf_addc(&line, '\n');
	(void)send(fd, line.data, line.len, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static bool may_connect(const struct control *control, const struct peer *peer)
{
	struct stat st;

	local_socket_get_stat(control->socket, &st);
	return peer_may_connect(peer, &st, geteuid());
}

static void take(struct control *control, int accepted)
{
	auto_close int fd = accepted;
	auto_(peer_done) struct peer peer = { 0 };
	int r = peer_read(fd, &peer);

	if (r < 0 || !may_connect(control, &peer)) {
		if (log_limit_ok(&control->refused, LOG_BURST, "refused control connections"))
			log_warn("refused a control connection: pid %d, uid %u: the mode of the "
				 "socket does not allow it",
				(int)peer.pid, (unsigned)peer.uid);
		refuse(fd, CONTROL_NOT_ALLOWED,
			"you may not use the control socket: its mode does not allow it "
			"(control.group)");
	} else if (control->n_conns >= CONTROL_MAX_CONNS) {
		refuse(fd, CONTROL_BUSY, "too many control connections; try again later");
	} else {
		control_conn_open(control, TAKE_FD(fd), &peer);
	}
}

static void on_pause_over(void *arg)
{
	struct control *control = arg;

	if (control->acceptable)
		(void)event_add(control->acceptable, NULL);
}

static void on_acceptable(evutil_socket_t fd, short what, void *arg)
{
	struct control *control = arg;

	for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
		int conn = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (conn < 0 && (errno == ECONNABORTED || errno == EINTR))
			continue;
		if (conn < 0 && errno != EAGAIN) {
			(void)event_del(control->acceptable);
			timer_start(control->pause_timer, PAUSE_MS);
		}
		if (conn < 0)
			return;
		take(control, conn);
	}
}

/* --- public ------------------------------------------------------------------------------------- */

struct control *control_new(
	const struct control_parts *parts, const struct control_hooks *hooks, void *arg)
{
	struct control *control = alloc_zero(sizeof(*control));

	control->parts = *parts;
	control->hooks = hooks;
	control->arg = arg;
	TAILQ_INIT(&control->conns);
	TAILQ_INIT(&control->asks);
	control->pause_timer = timer_new(parts->loop, on_pause_over, control);
	control->work_timer = timer_new(parts->loop, control_on_work_timer, control);
	control->news_timer = timer_new(parts->loop, control_on_news_timer, control);
	control_set_conf(control, parts->conf);
	log_ring_set_hook(parts->log, control_note_log, control);
	return control;
}

void control_free(struct control *control)
{
	struct control_conn *conn;
	struct control_ask *ask;

	if (!control)
		return;
	control_stop_listening(control);
	log_ring_set_hook(control->parts.log, NULL, NULL);
	TAILQ_FOREACH(conn, &control->conns, next)
		control_conn_close(conn);
	loop_settle(control->parts.loop);
	/* The fleet and the registrar end them later, when they go. */
	while ((ask = TAILQ_FIRST(&control->asks))) {
		TAILQ_REMOVE(&control->asks, ask, next);
		ask->control = NULL;
	}
	clear_admins(control);
	timer_free(control->pause_timer);
	timer_free(control->work_timer);
	timer_free(control->news_timer);
	strbuf_done(&control->news);
	free(control);
}

int control_listen(struct control *control, const char *path, const char *group, struct fail *fail)
{
	gid_t gid;
	int r;

	if (!path)
		return 0;
	r = local_socket_find_group(group, &gid, fail);
	if (r == 0)
		r = local_socket_open(path, gid, &control->socket, fail);
	if (r < 0)
		return fail_prefix(fail, "control.path: ");
	control->acceptable = loop_watch(control->parts.loop, local_socket_get_fd(control->socket),
		EV_READ | EV_PERSIST, on_acceptable, control);
	(void)event_add(control->acceptable, NULL);
	return 0;
}

void control_stop_listening(struct control *control)
{
	timer_stop(control->pause_timer);
	ev_free(control->acceptable);
	control->acceptable = NULL;
	local_socket_free(control->socket);
	control->socket = NULL;
}

const char *control_get_path(const struct control *control)
{
	return control->socket ? local_socket_get_path(control->socket) : NULL;
}

void control_set_stopping(struct control *control)
{
	control->is_stopping = true;
	control_note_change(control);
}
