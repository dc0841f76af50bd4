/* What the control socket does with domains: restart, switch on and off. */
#include <errno.h>
#include <stdio.h>

#include "shared/log.h"
#include "supervisor/ops/control_private.h"

static struct fleet *fleet_of(const struct control_conn *conn)
{
	return mcp_get_fleet(conn->control->parts.mcp);
}

int control_code_of(int err)
{
	if (err == -ENOENT)
		return CONTROL_NOT_FOUND;
	return err == -EALREADY || err == -EBUSY ? CONTROL_BUSY : CONTROL_FAILED;
}

void control_log_order(const struct control_conn *conn, const char *what, const char *name)
{
	log_notice("control: %s %s, ordered by pid %d, uid %u", what, name, (int)conn->peer.pid,
		(unsigned)conn->peer.uid);
}

/* --- domains ------------------------------------------------------------------------------------ */

static void on_restarted(void *arg, bool ok, const char *text)
{
	struct control_ask *ask = arg;

	if (ok)
		control_answer(ask, json_pack("{s:s}", "text", text));
	else
		control_refuse(ask, CONTROL_FAILED, "mcp-fleetctl logs tells more", "%s", text);
}

void control_restart_domain(struct control_conn *conn, struct control_ask *ask, json_t *params)
{
	const char *name = control_need_text(ask, params, "domain");
	struct fail fail = { 0 };
	int r;

	if (!name)
		return;
	r = fleet_restart(fleet_of(conn), name, conn->control->parts.conf->drain_ms, on_restarted,
		ask, &fail);
	if (r < 0)
		control_refuse(ask, control_code_of(r), NULL, "%s", fail.text);
	else
		control_log_order(conn, "restart of", name);
}

static void answer_switched(
	struct control_ask *ask, const char *name, bool is_kept, const struct fail *fail)
{
	control_answer(
		ask, json_pack("{s:s, s:b, s:s}", "domain", name, "persists", (int)is_kept, "text",
			     is_kept ? "also after mcp-fleetd has been restarted" : fail->text));
}

static void switch_domain(
	struct control_conn *conn, struct control_ask *ask, json_t *params, bool on)
{
	const char *name = control_need_text(ask, params, "domain");
	struct fleet *fleet = fleet_of(conn);
	struct fail fail = { 0 };
	bool is_kept = false;
	int r;

	if (!name)
		return;
	if (on)
		r = fleet_enable(fleet, name, &is_kept, &fail);
	else
		r = fleet_disable(
			fleet, name, conn->control->parts.conf->drain_ms, &is_kept, &fail);
	if (r < 0) {
		control_refuse(ask, control_code_of(r), NULL, "%s", fail.text);
		return;
	}
	control_log_order(conn, on ? "enable" : "disable", name);
	answer_switched(ask, name, is_kept, &fail);
}

void control_enable_domain(struct control_conn *conn, struct control_ask *ask, json_t *params)
{
	switch_domain(conn, ask, params, true);
}

void control_disable_domain(struct control_conn *conn, struct control_ask *ask, json_t *params)
{
	switch_domain(conn, ask, params, false);
}
