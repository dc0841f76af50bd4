/* A connection of the control socket: lines in, answers and news out.
 *
 * A status of a large fleet takes a while to be made, so one turn of the loop answers only a few requests of all
 * connections together. The others wait for their turn, one of each connection after the other. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "shared/alloc.h"
#include "shared/log.h"
#include "supervisor/ops/control_private.h"

enum {
	RUNS_PER_TURN = 8,
	LOG_BURST = 10,
};

/* A request that waits. */
struct control_line {
	TAILQ_ENTRY(control_line) next;
	size_t len;
	char text[];
};

static struct control_line *take_waiting(struct control_conn *conn)
{
	struct control_line *line = TAILQ_FIRST(&conn->waiting);

	if (!line)
		return NULL;
	TAILQ_REMOVE(&conn->waiting, line, next);
	conn->n_waiting--;
	conn->waiting_bytes -= line->len;
	return line;
}

/* --- the end ------------------------------------------------------------------------------------ */

static void free_conn(void *arg)
{
	struct control_conn *conn = arg;
	struct control_line *line;

	TAILQ_REMOVE(&conn->control->conns, conn, next);
	conn->control->n_conns--;
	while ((line = take_waiting(conn)))
		free(line);
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

static void close_slow(struct control_conn *conn)
{
	log_notice("control connection of pid %d: it does not read what it asked for, closing it",
		(int)conn->peer.pid);
	control_conn_close(conn);
}

/* False: this connection is closed for it. */
static bool make_room(struct control_conn *conn, size_t len)
{
	struct control_conn *worst = conn;
	struct control_conn *other;
	size_t all = 0;

	if (len > CONTROL_MAX_UNSENT || link_get_unsent(conn->link) > CONTROL_MAX_UNSENT - len) {
		close_slow(conn);
		return false;
	}
	TAILQ_FOREACH(other, &conn->control->conns, next) {
		if (other->is_closing)
			continue;
		all += link_get_unsent(other->link);
		if (link_get_unsent(other->link) > link_get_unsent(worst->link))
			worst = other;
	}
	if (all > CONTROL_MAX_UNSENT_ALL - len)
		close_slow(worst);
	return !conn->is_closing;
}

void control_say(struct control_conn *conn, const char *line, size_t len)
{
	const struct iovec piece = { .iov_base = (char *)(uintptr_t)line, .iov_len = len };

	if (conn->is_closing || !make_room(conn, len))
		return;
	if (link_send(conn->link, &piece, 1) < 0)
		control_conn_close(conn);
}

void control_tell(struct control_conn *conn, const char *method, json_t *params)
{
	json_auto_t *message =
		json_pack("{s:s, s:s, s:o}", "jsonrpc", "2.0", "method", method, "params", params);
	auto_free char *text = message ? json_dumps(message, JSON_COMPACT) : NULL;

	if (text)
		control_say(conn, text, strlen(text));
}

static void free_ask(struct control_ask *ask)
{
	if (ask->control)
		TAILQ_REMOVE(&ask->control->asks, ask, next);
	strbuf_done(&ask->id);
	free(ask);
}

/* Ends the ask with this line, if somebody still waits for it. */
static void end_ask(struct control_ask *ask, const struct strbuf *line)
{
	struct control_conn *conn = control_get_conn(ask);

	if (conn) {
		conn->n_asks--;
		control_say(conn, line->data, line->len);
	}
	free_ask(ask);
}

static struct jspan id_of(const struct control_ask *ask)
{
	return (struct jspan){ .at = ask->id.data, .len = ask->id.len };
}

void control_answer_text(struct control_ask *ask, const struct strbuf *result)
{
	auto_strbuf line = { 0 };

	rpc_add_result(&line, id_of(ask), result->data, result->len);
	end_ask(ask, &line);
}

void control_answer(struct control_ask *ask, json_t *result)
{
	auto_free char *text = result ? json_dumps(result, JSON_COMPACT) : NULL;
	auto_strbuf line = { 0 };

	json_decref(result);
	if (text)
		rpc_add_result(&line, id_of(ask), text, strlen(text));
	else
		rpc_add_error(&line, id_of(ask), RPC_INTERNAL_ERROR, "the answer is no UTF-8 text");
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
	ask->method = "";
	strbuf_add(&ask->id, rpc->id.at, rpc->id.len);
	TAILQ_INSERT_TAIL(&conn->control->asks, ask, next);
	conn->n_asks++;
	return ask;
}

static void refuse_change(struct control_conn *conn, struct control_ask *ask)
{
	if (log_limit_ok(&conn->control->denied, LOG_BURST, "refused control requests"))
		log_notice("control: refused %s to pid %d, uid %u: not among control.admins",
			ask->method, (int)conn->peer.pid, (unsigned)conn->peer.uid);
	control_refuse(ask, CONTROL_NOT_ALLOWED,
		"do it as root or as the user of mcp-fleetd, or have control.admins name you",
		"the user %u may look, but not change anything", (unsigned)conn->peer.uid);
}

/* What may not be done, whatever the params are. True: the ask is refused. */
static bool refuse_at_once(
	struct control_conn *conn, struct control_ask *ask, const struct control_method *method)
{
	if (!conn->is_greeted && !streq(method->name, "hello"))
		control_refuse(ask, RPC_INVALID_REQUEST, NULL, "the first method is hello");
	else if (conn->n_asks > CONTROL_MAX_ASKS)
		control_refuse(ask, CONTROL_BUSY, NULL, "too many requests without an answer yet");
	else if (method->changes && !conn->may_change)
		refuse_change(conn, ask);
	else if (method->changes && conn->control->is_stopping)
		control_refuse(ask, CONTROL_FAILED, NULL, "the fleet is stopping");
	else
		return false;
	return true;
}

/* Params that cannot be taken as a whole are not as good as none: an order without them may mean all domains. */
static void run(struct control_conn *conn, const struct rpc *rpc)
{
	struct control_ask *ask = new_ask(conn, rpc);
	const struct control_method *method = control_find_method(rpc->method);
	json_auto_t *params =
		rpc->params.at ? json_loadb(rpc->params.at, rpc->params.len, 0, NULL) : NULL;

	if (!method) {
		control_refuse(ask, RPC_METHOD_NOT_FOUND, NULL, "no such method");
		return;
	}
	ask->method = method->name;
	if (refuse_at_once(conn, ask, method))
		return;
	if (rpc->params.at && !params)
		control_refuse(ask, RPC_INVALID_PARAMS, NULL,
			"params: NUL in a text, a number that is too large, or nested too deeply");
	else
		method->run(conn, ask, params);
}

/* --- taking turns ------------------------------------------------------------------------------- */

static void on_turn_end(void *arg)
{
	struct control *control = arg;

	control->n_runs = 0;
}

static bool take_turn(struct control *control)
{
	if (control->n_runs == RUNS_PER_TURN)
		return false;
	if (control->n_runs++ == 0)
		loop_defer(control->parts.loop, on_turn_end, control);
	return true;
}

static void run_later(struct control_conn *conn, const char *text, size_t len, struct jspan id)
{
	struct control_line *line;
	auto_strbuf reply = { 0 };

	if (conn->n_asks + conn->n_waiting >= CONTROL_MAX_ASKS ||
		len > CONTROL_MAX_LINE - conn->waiting_bytes) {
		rpc_add_error(&reply, id, CONTROL_BUSY, "too many requests without an answer yet");
		control_say(conn, reply.data, reply.len);
		return;
	}
	line = alloc_zero(sizeof(*line) + len);
	line->len = len;
	memcpy(line->text, text, len);
	TAILQ_INSERT_TAIL(&conn->waiting, line, next);
	conn->n_waiting++;
	conn->waiting_bytes += len;
	timer_start(conn->control->work_timer, 0);
}

static void run_waiting(struct control_conn *conn)
{
	auto_free struct control_line *line = take_waiting(conn);
	const char *why;
	struct rpc rpc;

	if (line && rpc_parse(line->text, line->len, &rpc, &why) == 0)
		run(conn, &rpc);
}

static struct control_conn *find_waiting(const struct control *control)
{
	struct control_conn *conn;

	TAILQ_FOREACH(conn, &control->conns, next)
		if (conn->n_waiting > 0 && !conn->is_closing)
			return conn;
	return NULL;
}

void control_on_work_timer(void *arg)
{
	struct control *control = arg;
	struct control_conn *conn;

	while ((conn = find_waiting(control))) {
		if (!take_turn(control)) {
			timer_start(control->work_timer, 0);
			return;
		}
		TAILQ_REMOVE(&control->conns, conn, next); /* the others come before it now */
		TAILQ_INSERT_TAIL(&control->conns, conn, next);
		run_waiting(conn);
	}
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
	if (code != 0) {
		rpc_add_error(&reply, rpc.id.at ? rpc.id : null_id, code, why);
		control_say(conn, reply.data, reply.len);
	} else if (rpc.kind != RPC_REQUEST) {
		return;
	} else if (conn->n_waiting == 0 && take_turn(conn->control)) {
		run(conn, &rpc);
	} else {
		run_later(conn, line, len, rpc.id);
	}
}

static const struct link_hooks link_hooks = { .line = on_line, .broken = on_broken };

void control_conn_open(struct control *control, int fd, struct peer *peer)
{
	struct control_conn *conn = alloc_zero(sizeof(*conn));

	conn->control = control;
	conn->no = ++control->last_no;
	TAILQ_INIT(&conn->waiting);
	conn->peer = *peer;
	*peer = (struct peer){ 0 };
	conn->link = link_new(control->parts.loop, fd, CONTROL_MAX_LINE, &link_hooks, conn);
	TAILQ_INSERT_TAIL(&control->conns, conn, next);
	control->n_conns++;
	control_judge(control, conn);
}

struct control_conn *control_get_conn(const struct control_ask *ask)
{
	struct control_conn *conn;

	if (!ask->control)
		return NULL;
	TAILQ_FOREACH(conn, &ask->control->conns, next)
		if (conn->no == ask->conn && !conn->is_closing)
			return conn;
	return NULL;
}
