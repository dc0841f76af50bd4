/* A connection of the control socket: lines in, answers and news out. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "shared/alloc.h"
#include "shared/log.h"
#include "supervisor/ops/control_private.h"

/* --- the end ------------------------------------------------------------------------------------ */

static void free_conn(void *arg)
{
	struct control_conn *conn = arg;

	TAILQ_REMOVE(&conn->control->conns, conn, next);
	conn->control->n_conns--;
	control_watch_free(conn->watch);
	control_follow_free(conn->follow);
	link_free(conn->link);
	peer_done(&conn->peer);
	free(conn);
}

void control_conn_close(struct control_conn *conn)
{
	if (conn->is_closing)
		return;
	conn->is_closing = true;
	loop_defer(conn->control->parts.loop, free_conn, conn);
}

static void on_broken(void *arg, int err)
{
	struct control_conn *conn = arg;

	if (err != -EPIPE)
		log_debug("control connection of pid %d: %s", (int)conn->peer.pid, strerror(-err));
	control_conn_close(conn);
}

/* --- out ---------------------------------------------------------------------------------------- */

static void say(struct control_conn *conn, const char *text, size_t len)
{
	const struct iovec piece = { .iov_base = (char *)(uintptr_t)text, .iov_len = len };

	if (conn->is_closing)
		return;
	if (len > CONTROL_MAX_UNSENT || link_get_unsent(conn->link) > CONTROL_MAX_UNSENT - len) {
		log_notice("control connection of pid %d: it does not read what it asked for, "
			   "closing it",
			(int)conn->peer.pid);
		control_conn_close(conn);
		return;
	}
	if (link_send(conn->link, &piece, 1) < 0)
		control_conn_close(conn);
}

void control_tell(struct control_conn *conn, const char *method, json_t *params)
{
	json_auto_t *message =
		json_pack("{s:s, s:s, s:o}", "jsonrpc", "2.0", "method", method, "params", params);
	auto_free char *text = message ? json_dumps(message, JSON_COMPACT) : NULL;

	if (text)
		say(conn, text, strlen(text));
}

static void free_ask(struct control_ask *ask)
{
	strbuf_done(&ask->id);
	free(ask);
}

/* Ends the ask with this line, if somebody still waits for it. */
static void end_ask(struct control_ask *ask, const struct strbuf *line)
{
	struct control_conn *conn = control_get_conn(ask->control, ask->conn);

	if (conn) {
		conn->n_asks--;
		say(conn, line->data, line->len);
	}
	free_ask(ask);
}

static struct jspan id_of(const struct control_ask *ask)
{
	return (struct jspan){ .at = ask->id.data, .len = ask->id.len };
}

void control_answer(struct control_ask *ask, json_t *result)
{
	auto_free char *text = result ? json_dumps(result, JSON_COMPACT) : NULL;
	auto_strbuf line = { 0 };

	json_decref(result);
	if (text)
		rpc_add_result(&line, id_of(ask), text, strlen(text));
	else
		rpc_add_error(&line, id_of(ask), RPC_INTERNAL_ERROR, "out of memory");
	end_ask(ask, &line);
}

void control_refuse(struct control_ask *ask, int code, const char *remedy, const char *fmt, ...)
{
	auto_strbuf line = { 0 };
	auto_strbuf words = { 0 };
	auto_strbuf data = { 0 };
	va_list args;

	va_start(args, fmt);
	strbuf_addv(&words, fmt, args);
	va_end(args);
	if (remedy) {
		strbuf_adds(&data, "{\"remedy\":");
		strbuf_add_json(&data, remedy, strlen(remedy));
		strbuf_addc(&data, '}');
	}
	rpc_add_error_data(&line, id_of(ask), code, strbuf_get(&words), data.data);
	end_ask(ask, &line);
}

/* --- in ----------------------------------------------------------------------------------------- */

static struct control_ask *new_ask(struct control_conn *conn, const struct rpc *rpc)
{
	struct control_ask *ask = alloc_zero(sizeof(*ask));

	ask->control = conn->control;
	ask->conn = conn->no;
	strbuf_add(&ask->id, rpc->id.at, rpc->id.len);
	conn->n_asks++;
	return ask;
}

static void refuse_change(const struct control_conn *conn, struct control_ask *ask)
{
	log_notice("control: refused %s to pid %d, uid %u: not among control.admins", ask->method,
		(int)conn->peer.pid, (unsigned)conn->peer.uid);
	control_refuse(ask, CONTROL_NOT_ALLOWED,
		"do it as root or as the user of mcp-fleetd, or have control.admins name you",
		"the user %u may look, but not change anything", (unsigned)conn->peer.uid);
}

static void run(struct control_conn *conn, const struct rpc *rpc)
{
	struct control_ask *ask = new_ask(conn, rpc);
	auto_strbuf name = { 0 };
	const struct control_method *method =
		jspan_get_str(rpc->method, &name) ? control_find_method(strbuf_get(&name)) : NULL;
	json_auto_t *params =
		rpc->params.at ? json_loadb(rpc->params.at, rpc->params.len, 0, NULL) : NULL;

	if (method)
		ask->method = method->name;
	if (!method)
		control_refuse(ask, RPC_METHOD_NOT_FOUND, NULL, "no such method");
	else if (!conn->is_greeted && !streq(method->name, "hello"))
		control_refuse(ask, RPC_INVALID_REQUEST, NULL, "the first method is hello");
	else if (conn->n_asks > CONTROL_MAX_ASKS)
		control_refuse(ask, CONTROL_BUSY, NULL, "too many requests without an answer yet");
	else if (method->changes && !conn->may_change)
		refuse_change(conn, ask);
	else
		method->run(conn, ask, params);
}

static void on_line(void *arg, char *line, size_t len)
{
	struct control_conn *conn = arg;
	static const struct jspan null_id = { .at = "null", .len = 4 };
	auto_strbuf reply = { 0 };
	struct rpc rpc;
	const char *why;
	int code;

	if (len == 0 || conn->is_closing)
		return;
	code = rpc_parse(line, len, &rpc, &why);
	if (code == 0 && rpc.kind == RPC_REQUEST)
		run(conn, &rpc);
	if (code == 0)
		return;
	rpc_add_error(&reply, rpc.id.at ? rpc.id : null_id, code, why);
	say(conn, reply.data, reply.len);
}

static const struct link_hooks link_hooks = { .line = on_line, .broken = on_broken };

void control_conn_open(struct control *control, int fd, struct peer *peer)
{
	struct control_conn *conn = alloc_zero(sizeof(*conn));

	conn->control = control;
	conn->no = ++control->last_no;
	conn->peer = *peer;
	*peer = (struct peer){ 0 };
	conn->link = link_new(control->parts.loop, fd, CONTROL_MAX_LINE, &link_hooks, conn);
	TAILQ_INSERT_TAIL(&control->conns, conn, next);
	control->n_conns++;
	control_judge(control, conn);
}

struct control_conn *control_get_conn(const struct control *control, uint64_t no)
{
	struct control_conn *conn;

	TAILQ_FOREACH(conn, &control->conns, next)
		if (conn->no == no && !conn->is_closing)
			return conn;
	return NULL;
}
