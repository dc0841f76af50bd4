/* What the control socket shows and does of sessions. */
#include "shared/jx.h"
#include "supervisor/ops/control_private.h"

struct session_listing {
	json_t *items;
	int64_t now_ms;
	bool shows_ids;
};

/* Who is at the other end of a local connection. */
static json_t *peer_of(const struct session_report *report)
{
	if (report->peer.pid == 0)
		return json_null();
	return json_pack(
		"{s:i, s:I}", "pid", (int)report->peer.pid, "uid", (json_int_t)report->peer.uid);
}

static void add_session(void *arg, struct session *session)
{
	struct session_listing *list = arg;
	struct session_report report;
	json_t *json;

	session_get_report(session, &report);
	if (!list->shows_ids)
		report.id[CONTROL_SHOWN_ID] = '\0';
	json = json_pack("{s:s, s:s, s:I, s:I, s:i, s:I, s:i, s:i}", "id", report.id, "transport",
		report.transport, "age_ms", (json_int_t)(list->now_ms - report.opened_ms),
		"idle_ms", (json_int_t)(list->now_ms - report.active_ms), "calls",
		(int)report.n_calls, "queued_bytes", (json_int_t)report.queued_bytes,
		"queued_messages", (int)report.n_queued, "subscriptions",
		(int)report.n_subscriptions);
	(void)json_object_set_new(json, "domain", jx_text(report.domain));
	(void)json_object_set_new(json, "revision", jx_text(report.revision));
	(void)json_object_set_new(json, "client", jx_text(report.client_name));
	(void)json_object_set_new(json, "client_version", jx_text(report.client_version));
	(void)json_object_set_new(json, "peer", peer_of(&report));
	(void)json_array_append_new(list->items, json);
}

void control_list_sessions(struct control_conn *conn, struct control_ask *ask, json_t *params)
{
	const struct control_parts *parts = &conn->control->parts;
	struct session_listing list = { json_array(), loop_now_ms(parts->loop), conn->may_change };

	sessions_each(mcp_get_sessions(parts->mcp), add_session, &list);
	control_answer(ask, json_pack("{s:o}", "sessions", list.items));
}

void control_close_session(struct control_conn *conn, struct control_ask *ask, json_t *params)
{
	const char *id = control_need_text(ask, params, "id");
	char shown[SESSION_SHOWN_TEXT];
	struct session *session;

	if (!id)
		return;
	session = session_find(mcp_get_sessions(conn->control->parts.mcp), id, strlen(id));
	if (!session) {
		control_refuse(ask, CONTROL_NOT_FOUND, "mcp-fleetctl sessions lists them",
			"there is no session of this id: it has ended");
		return;
	}
	session_get_shown_id(session, shown);
	control_log_order(conn, "close session", shown);
	session_close_later(session, "closed by an operator");
	control_answer(ask, json_object());
}
