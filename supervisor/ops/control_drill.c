/* Faults on purpose, so that an operator sees what becomes of them. */
#include "shared/log.h"
#include "supervisor/ops/control_private.h"

static bool find_drill(const char *kind, enum drill_kind *ret)
{
	static const struct {
		const char *name;
		enum drill_kind kind;
	} kinds[] = { { "kill", DRILL_KILL }, { "stop", DRILL_STOP },
		{ "garbage", DRILL_GARBAGE } };

	for (size_t i = 0; i < N_ELEMENTS(kinds); i++) {
		if (!streq(kinds[i].name, kind))
			continue;
		*ret = kinds[i].kind;
		return true;
	}
	return false;
}

static void drill_domain(
	struct control_conn *conn, struct control_ask *ask, const char *kind, json_t *params)
{
	enum drill_kind what;
	const char *name;
	struct fleet *fleet = mcp_get_fleet(conn->control->parts.mcp);
	struct domain_drill drill;
	struct domain_stats stats;
	struct fail fail = { 0 };
	int r;

	if (!find_drill(kind, &what)) {
		control_refuse(ask, RPC_INVALID_PARAMS, NULL,
			"params.kind: allowed are kill, stop, garbage and gateway");
		return;
	}
	name = control_need_text(ask, params, "domain");
	if (!name)
		return;
	r = fleet_drill(fleet, name, what, &drill, &fail);
	if (r < 0) {
		control_refuse(ask, control_code_of(r), NULL, "%s", fail.text);
		return;
	}
	control_log_order(conn, kind, drill.process);
	domain_get_stats(fleet_get(fleet, fleet_find(fleet, name)), &stats);
	control_answer(
		ask, json_pack("{s:s, s:i, s:i, s:I, s:I}", "process", drill.process, "pid",
			     (int)drill.pid, "calls", (int)drill.n_calls, "restarts",
			     (json_int_t)stats.n_restarts, "found_ms", (json_int_t)drill.found_ms));
}

void control_drill(struct control_conn *conn, struct control_ask *ask, json_t *params)
{
	const char *kind = control_need_text(ask, params, "kind");

	if (!kind)
		return;
	if (!streq(kind, "gateway")) {
		drill_domain(conn, ask, kind, params);
		return;
	}
	control_log_order(conn, "kill", "the registrar");
	control_drill_gateway(ask);
}
