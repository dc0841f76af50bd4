/* The methods of the control socket: one table, and those that are a line or two. doc/control.md tells of
 * each. */
#include <errno.h>

#include "supervisor/ops/control_private.h"

const char *control_need_text(struct control_ask *ask, json_t *params, const char *name)
{
	const char *text = json_string_value(json_object_get(params, name));

	if (!text)
		control_refuse(ask, RPC_INVALID_PARAMS, NULL, "params.%s: a text is needed", name);
	return text;
}

bool control_may_text(struct control_ask *ask, json_t *params, const char *name, const char **ret)
{
	json_t *json = json_object_get(params, name);

	if (json && !json_is_null(json) && !json_is_string(json)) {
		control_refuse(ask, RPC_INVALID_PARAMS, NULL, "params.%s: not a text", name);
		return false;
	}
	*ret = json_string_value(json);
	return true;
}

bool control_may_integer(struct control_ask *ask, json_t *params, const char *name, json_int_t *ret)
{
	json_t *json = json_object_get(params, name);

	if (json && !json_is_null(json) && !json_is_integer(json)) {
		control_refuse(ask, RPC_INVALID_PARAMS, NULL, "params.%s: not an integer", name);
		return false;
	}
	if (json_is_integer(json))
		*ret = json_integer_value(json);
	return true;
}

static void say_hello(struct control_conn *conn, struct control_ask *ask, json_t *params)
{
	json_t *theirs = json_object_get(params, "protocol");
	json_t *result;

	if (json_integer_value(theirs) != CONTROL_PROTOCOL) {
		control_refuse(ask, RPC_INVALID_PARAMS,
			"use the mcp-fleetctl that belongs to this mcp-fleetd",
			"this daemon speaks version %d of the control protocol, and nothing else",
			CONTROL_PROTOCOL);
		return;
	}
	conn->is_greeted = true;
	result = status_make_hello(conn->control->parts.status);
	(void)json_object_set_new(result, "may_change", json_boolean(conn->may_change));
	control_answer(ask, result);
}

static void tell_status(struct control_conn *conn, struct control_ask *ask, json_t *params)
{
	control_answer(ask, status_make(conn->control->parts.status));
}

static void reload(struct control_conn *conn, struct control_ask *ask, json_t *params)
{
	struct control *control = conn->control;
	struct fail fail = { 0 };
	json_t *result = NULL;

	if (control->hooks->reload(control->arg, &result, &fail) < 0)
		control_refuse(ask, CONTROL_FAILED,
			"mend the settings and reload again; the old ones are in use until then",
			"%s", fail.text);
	else
		control_answer(ask, result);
}

static const struct control_method methods[] = {
	{ "hello", false, say_hello },
	{ "status", false, tell_status },
	{ "watch", false, control_watch_status },
	{ "logs", false, control_read_log },
	{ "tools", false, control_list_tools },
	{ "sessions", false, control_list_sessions },
	{ "session/close", true, control_close_session },
	{ "domain/restart", true, control_restart_domain },
	{ "domain/enable", true, control_enable_domain },
	{ "domain/disable", true, control_disable_domain },
	{ "reload", true, reload },
	{ "drill", true, control_drill },
	{ "gateway/register", true, control_register },
	{ "gateway/unregister", true, control_unregister },
	{ "gateway/check", false, control_check_gateway },
	{ "gateway/reconcile", true, control_reconcile },
};

const struct control_method *control_find_method(struct jspan name)
{
	for (size_t i = 0; i < N_ELEMENTS(methods); i++)
		if (jspan_is(name, methods[i].name))
			return &methods[i];
	return NULL;
}
