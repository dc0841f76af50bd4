/* What the control socket does about the gateway: orders go to the registrar, its answer comes back. While
 * one is at work, who asked hears each report. */
#include <errno.h>

#include "supervisor/ops/control_private.h"

enum { MAX_CHECKS = 4 };

static const char *remedy_for(int err)
{
	if (err == -ENOENT)
		return "mcp-fleetctl register names one, or gateway.url in the settings";
	return err == -EBUSY ? NULL : "mcp-fleetctl logs registrar tells more";
}

static void on_answer(void *arg, json_t *result, const struct fail *fail)
{
	struct control_ask *ask = arg;
	struct control_conn *conn = control_get_conn(ask);

	if (conn)
		conn->n_orders--;
	if (ask->control && streq(ask->method, "gateway/check"))
		ask->control->n_checks--;
	if (result)
		control_answer(ask, json_incref(result));
	else
		control_refuse(
			ask, control_code_of(fail->code), remedy_for(fail->code), "%s", fail->text);
}

/* Takes over `params`. */
static void pass_on(
	struct control_conn *conn, struct control_ask *ask, const char *method, json_t *params)
{
	conn->n_orders++;
	registration_ask(conn->control->parts.registration, method, params ? params : json_object(),
		on_answer, ask);
}

void control_register(struct control_conn *conn, struct control_ask *ask, json_t *params)
{
	pass_on(conn, ask, "registrar/register", json_incref(params));
}

void control_unregister(struct control_conn *conn, struct control_ask *ask, json_t *params)
{
	pass_on(conn, ask, "registrar/unregister", json_incref(params));
}

/* For those who may only look: they choose nothing, and do not keep the registrar from its orders. */
void control_check_gateway(struct control_conn *conn, struct control_ask *ask, json_t *params)
{
	if (conn->control->n_checks == MAX_CHECKS) {
		control_refuse(ask, CONTROL_BUSY, NULL, "%d checks are under way; try again later",
			(int)MAX_CHECKS);
		return;
	}
	conn->control->n_checks++;
	pass_on(conn, ask, "registrar/check", NULL);
}

void control_reconcile(struct control_conn *conn, struct control_ask *ask, json_t *params)
{
	pass_on(conn, ask, "registrar/reconcile", NULL);
}

void control_drill_gateway(struct control_ask *ask)
{
	uint64_t restarts;
	pid_t pid = registration_kill(ask->control->parts.registration, &restarts);

	if (pid == 0)
		control_refuse(ask, CONTROL_NOT_FOUND,
			"register the fleet first: mcp-fleetctl register",
			"there is no registrar to be killed: no gateway is known");
	else
		control_answer(ask, json_pack("{s:s, s:i, s:I}", "process", "registrar", "pid",
					    (int)pid, "restarts", (json_int_t)restarts));
}

void control_note_report(struct control *control)
{
	struct control_conn *conn;

	TAILQ_FOREACH(conn, &control->conns, next) {
		json_t *report = conn->n_orders > 0
					 ? registration_make_report(control->parts.registration)
					 : NULL;

		if (report)
			control_tell(conn, "gateway", report);
	}
	control_note_change(control);
}
