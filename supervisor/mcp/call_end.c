/* See call_end.h. */
#include "supervisor/mcp/call_end.h"

#include <stdio.h>

#include "shared/clock.h"
#include "supervisor/mcp/audit.h"
#include "supervisor/mcp/router_private.h"

enum { WORKER_NAME_SIZE = 80 };

const char *call_outcome_name(bool is_answered, bool is_tool_error, int code)
{
	if (!is_answered)
		return "cancelled";
	switch (code) {
	case 0:
		return is_tool_error ? "tool_error" : "ok";
	case RPC_CANCELLED:
		return "cancelled";
	case RPC_DEADLINE:
		return "deadline";
	case RPC_WORKER_DIED:
		return "worker_died";
	case RPC_OVERLOADED:
		return "overloaded";
	case RPC_UNAVAILABLE:
		return "unavailable";
	default:
		return "error";
	}
}

/* "git/2", while its answer is handled; else NULL. */
static const char *get_worker(const struct domain *domain, char ret[WORKER_NAME_SIZE])
{
	unsigned index = domain ? domain_get_answering(domain) : 0;

	if (index == 0)
		return NULL;
	(void)snprintf(ret, WORKER_NAME_SIZE, "%s/%u", domain_get_name(domain), index);
	return ret;
}

static void log_call(
	const struct router *router, const struct call *call, const char *outcome, int64_t took_us)
{
	const struct domain *domain = fleet_get(router->fleet, call->domain);
	const struct principal *principal =
		call->session ? session_get_principal(call->session) : NULL;
	char worker[WORKER_NAME_SIZE];
	char session[SESSION_ID_TEXT];
	struct log_about about = { .call = call->no,
		.trace = call->trace,
		.duration_us = took_us,
		.domain = domain ? domain_get_name(domain) : NULL,
		.worker = get_worker(domain, worker),
		.tool = call->kind == FORWARD_TOOL ? call->label : NULL,
		.key = principal ? principal->name : NULL };

	if (call->session) {
		about.client = session_get_address(call->session);
		if (!session_is_once(call->session)) {
			session_get_id(call->session, session);
			about.session = session;
		}
	}
	log_debug_about(&about, "call %llu: %s ended: %s", (unsigned long long)call->no,
		call->label, outcome);
}

void call_ended(struct router *router, struct call *call)
{
	const char *outcome = call_outcome_name(call->is_answered, call->is_tool_error, call->code);
	int64_t took_us = clock_now_us() - call->since_us;

	if (log_is_on(LOG_LEVEL_DEBUG))
		log_call(router, call, outcome, took_us);
	audit_end(router->audit, call->audit, outcome, call->code, took_us);
	call->audit = NULL;
	if (call->is_tool_error && call->timing.series)
		stats_failed(call->timing.series->door, STATS_TOOL_ERROR);
	router_end_trace(router, call);
}
