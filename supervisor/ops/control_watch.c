/* The status, told to a connection of the control socket that follows it.
 *
 * A status goes out when something has changed, not more often than every MIN_GAP_MS, and at least every
 * interval; never while the one before is still unread. */
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
	int64_t interval_ms; /* 0: the status is not followed */
	int64_t told_ms;
	struct timer *timer;
	bool is_soon; /* the timer is for a change */
};

static void tell_status(void *arg)
{
	struct control_watch *watch = arg;
	struct control_conn *conn = watch->conn;

	watch->is_soon = false;
	watch->told_ms = loop_now_ms(conn->control->parts.loop);
	timer_start(watch->timer, watch->interval_ms);
	if (link_get_unsent(conn->link) == 0)
		control_tell(conn, "status", status_make(conn->control->parts.status));
}

static struct control_watch *need_watch(struct control_conn *conn)
{
	if (!conn->watch) {
		conn->watch = alloc_zero(sizeof(*conn->watch));
		conn->watch->conn = conn;
		conn->watch->timer = timer_new(conn->control->parts.loop, tell_status, conn->watch);
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

void control_watch_note(struct control_conn *conn)
{
	struct control_watch *watch = conn->watch;
	int64_t due_ms;

	if (!watch || watch->interval_ms == 0 || watch->is_soon || conn->is_closing)
		return;
	due_ms = watch->told_ms + MIN_GAP_MS - loop_now_ms(conn->control->parts.loop);
	watch->is_soon = true;
	timer_start(watch->timer, due_ms > 0 ? due_ms : 0);
}

void control_watch_status(struct control_conn *conn, struct control_ask *ask, json_t *params)
{
	json_t *interval = json_object_get(params, "interval_ms");
	json_int_t ms =
		json_is_integer(interval) ? json_integer_value(interval) : DEFAULT_INTERVAL_MS;
	struct control_watch *watch;

	if (ms < MIN_INTERVAL_MS || ms > MAX_INTERVAL_MS) {
		control_refuse(ask, RPC_INVALID_PARAMS, NULL,
			"params.interval_ms: allowed are %d to %d", (int)MIN_INTERVAL_MS,
			(int)MAX_INTERVAL_MS);
		return;
	}
	watch = need_watch(conn);
	watch->interval_ms = ms;
	control_answer(ask, json_object());
	tell_status(watch);
}
