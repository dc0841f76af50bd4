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

/* Who asked. */
static void tell_session(
	const struct session *session, char ret_id[SESSION_SHOWN_TEXT], struct log_about *ret)
{
	const struct principal *principal = session_get_principal(session);

	session_get_shown_id(session, ret_id);
	ret->session = ret_id;
	ret->client = session_get_address(session);
	ret->key = principal ? principal->name : NULL;
}

/* The name of what is asked for, where it is one that is listed; a URI may hold what a client filled in. */
static const char *get_name(const struct call *call)
{
	return call->kind == FORWARD_TOOL || call->kind == FORWARD_PROMPT ? call->label : "";
}

static void tell_end(struct router *router, struct call *call)
{
	const char *outcome = call_outcome_name(call->is_answered, call->is_tool_error, call->code);
	const struct domain *domain = fleet_get(router->fleet, call->domain);
	const char *name = get_name(call);
	char worker[WORKER_NAME_SIZE];
	char session[SESSION_SHOWN_TEXT];
	struct log_about about = { .call = call->no,
		.trace = call->trace,
		.duration_us = clock_now_us() - call->since_us,
		.domain = domain ? domain_get_name(domain) : NULL,
		.worker = get_worker(domain, worker),
		.tool = call->kind == FORWARD_TOOL ? call->label : NULL };

	if (call->session)
		tell_session(call->session, session, &about);
	log_debug_about(&about, "call %llu: %s%s%s ended: %s", (unsigned long long)call->no,
		router_method(call->kind), *name ? " " : "", name, outcome);
	audit_end(router->audit, TAKE(call->audit), &about, outcome, call->code);
}

void call_ended(struct router *router, struct call *call)
{
	if (call->is_tool_error && call->timing.series)
		stats_failed(call->timing.series->door, STATS_TOOL_ERROR);
	if (call->audit || log_is_on(LOG_LEVEL_DEBUG))
		tell_end(router, call);
	router_end_trace(router, call);
}

void call_refused(const struct router *router, const struct origin *origin,
	const struct audit_ask *ask, int code)
{
	const char *outcome = call_outcome_name(true, false, code);
	char session[SESSION_SHOWN_TEXT];
	/* A tool that is not known is whatever the client wrote: it stands in the record, and is no field. */
	struct log_about about = { .domain = ask->domain, .tool = ask->domain ? ask->tool : NULL };

	tell_session(origin->session, session, &about);
	log_debug_about(&about, "a call was refused: %s (%d)", outcome, code);
	audit_end(router->audit, audit_begin(router->audit, origin->session, ask), &about, outcome,
		code);
}

void call_refused_forward(const struct router *router, const struct forward *forward, int code)
{
	const struct audit_ask ask = { .tool = forward->target->name,
		.domain = forward->target->domain,
		.arguments = jspan_member(forward->params, "arguments", NULL) };

	if (forward->kind == FORWARD_TOOL)
		call_refused(router, forward->origin, &ask, code);
}
