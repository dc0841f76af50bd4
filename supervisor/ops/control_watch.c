/* The status, told to the connections of the control socket that follow it.
 *
 * A status goes out when something has changed, not more often than every MIN_GAP_MS, and at least every
 * interval. One that has not read the last one gets the next when it has. To make one takes a while in a large
 * fleet, so all who follow get the same text while it is not older than MIN_GAP_MS. */
#include "shared/alloc.h"
#include "supervisor/ops/control_private.h"

enum {
	MIN_GAP_MS = 100,
	MIN_INTERVAL_MS = 100,
	MAX_INTERVAL_MS = 3600000,
	DEFAULT_INTERVAL_MS = 1000,
};

struct control_watch {
	struct control_conn *conn;
	int64_t interval_ms;
	struct timer *timer;
};

static int64_t age_of_news(const struct control *control)
{
	return loop_now_ms(control->parts.loop) - control->news_ms;
}

static void make_news(struct control *control)
{
	json_auto_t *message = json_pack("{s:s, s:s, s:o}", "jsonrpc", "2.0", "method", "status",
		"params", status_make(control->parts.status));
	auto_free char *text = message ? json_dumps(message, JSON_COMPACT) : NULL;

	strbuf_cut(&control->news, 0);
	strbuf_adds(&control->news, text ? text : "");
	control->news_ms = loop_now_ms(control->parts.loop);
}

static void tell(struct control_watch *watch)
{
	struct control_conn *conn = watch->conn;
	struct control *control = conn->control;

	if (link_get_unsent(conn->link) > 0) {
		timer_start(watch->timer, MIN_GAP_MS);
		return;
	}
	timer_start(watch->timer, watch->interval_ms);
	if (control->news.len == 0 || age_of_news(control) >= MIN_GAP_MS)
		make_news(control);
	if (control->news.len > 0)
		control_say(conn, control->news.data, control->news.len);
}

static void on_timer(void *arg)
{
	struct control_watch *watch = arg;

	if (!watch->conn->is_closing)
		tell(watch);
}

void control_on_news_timer(void *arg)
{
	struct control *control = arg;
	struct control_conn *conn;

	strbuf_cut(&control->news, 0);
	TAILQ_FOREACH(conn, &control->conns, next)
		if (conn->watch && !conn->is_closing)
			tell(conn->watch);
}

static bool is_followed(const struct control *control)
{
	struct control_conn *conn;

	TAILQ_FOREACH(conn, &control->conns, next)
		if (conn->watch && !conn->is_closing)
			return true;
	return false;
}

void control_note_change(struct control *control)
{
	int64_t due_ms = MIN_GAP_MS - age_of_news(control);

	if (!timer_is_running(control->news_timer) && is_followed(control))
		timer_start(control->news_timer, due_ms > 0 ? due_ms : 0);
}

static struct control_watch *need_watch(struct control_conn *conn)
{
	if (!conn->watch) {
		conn->watch = alloc_zero(sizeof(*conn->watch));
		conn->watch->conn = conn;
		conn->watch->timer = timer_new(conn->control->parts.loop, on_timer, conn->watch);
	}
	return conn->watch;
}

void control_watch_free(struct control_watch *watch)
{
	if (!watch)
		return;
	timer_free(watch->timer);
	free(watch);
}

/* The first one is of now: what its reader has just ordered is in it. */
void control_watch_status(struct control_conn *conn, struct control_ask *ask, json_t *params)
{
	json_int_t ms = DEFAULT_INTERVAL_MS;

	if (!control_may_integer(ask, params, "interval_ms", &ms))
		return;
	if (ms < MIN_INTERVAL_MS || ms > MAX_INTERVAL_MS) {
		control_refuse(ask, RPC_INVALID_PARAMS, NULL,
			"params.interval_ms: allowed are %d to %d", (int)MIN_INTERVAL_MS,
			(int)MAX_INTERVAL_MS);
		return;
	}
	control_answer(ask, json_object());
	if (conn->is_closing)
		return;
	need_watch(conn)->interval_ms = ms;
	strbuf_cut(&conn->control->news, 0);
	tell(conn->watch);
}
