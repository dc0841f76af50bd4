/* The trace that a call belongs to, and the span that we make of the call; see trace_span.h.
 *
 * What is said of the session is copied when the call begins, because the session may end before the call. */
#include <stdio.h>

#include "shared/alloc.h"
#include "supervisor/mcp/headers.h"
#include "supervisor/mcp/router_private.h"

static bool says_trace(const struct origin *origin)
{
	return (origin->envelope && origin->envelope->traceparent.at) ||
	       (origin->headers && origin->headers->traceparent.at);
}

static void take_session(const struct origin *origin, struct trace_span *span)
{
	const char *address = session_get_address(origin->session);
	char id[SESSION_ID_TEXT] = "";

	if (!session_is_once(origin->session))
		session_get_id(origin->session, id);
	(void)snprintf(span->session, sizeof(span->session), "%.*s", SPAN_SESSION_SIZE - 1, id);
	span->address = trace_span_text(address, strlen(address));
	span->transport = session_get_transport(origin->session);
	span->revision = revision_name(
		origin->is_modern ? REV_2026_07_28 : session_get_info(origin->session)->revision);
}

/* An id is a number, or a text, which is shown without its quotes. */
static char *make_request_id(struct jspan id)
{
	auto_strbuf text = { 0 };

	if (jspan_get_str(id, &text))
		return trace_span_text(strbuf_get(&text), text.len);
	return trace_span_text(id.at, id.len);
}

static void take_target(const struct forward *forward, struct trace_span *span)
{
	const char *name = forward->target->name;

	if (forward->kind == FORWARD_TOOL || forward->kind == FORWARD_PROMPT)
		span->target = trace_span_text(name, strlen(name));
	else if (forward->kind == FORWARD_READ)
		span->uri = trace_span_text(name, strlen(name));
}

void router_begin_trace(
	const struct router *router, struct call *call, const struct forward *forward)
{
	const struct origin *origin = forward->origin;
	struct trace_span *span;
	char id[TRACE_ID_SIZE];
	auto_trace trace = { 0 };

	if (!router->tracer.is_on && !says_trace(origin))
		return;
	if (origin->envelope)
		trace_read(origin->envelope, origin->headers, &trace);
	span = trace_span_new(&router->tracer, &trace);
	if (!span) {
		call->trace = trace_get_id(&trace, id) ? alloc_str(id) : NULL;
		return;
	}
	span->method = router_method(forward->kind);
	span->domain = trace_span_text(forward->target->domain, strlen(forward->target->domain));
	span->request_id = make_request_id(origin->id);
	take_session(origin, span);
	take_target(forward, span);
	call->span = span;
	call->trace = alloc_str(span->trace_id);
}

/* Of a deadline, a worker's death, a full queue …: an answer of our own. */
void router_note_error(struct call *call, const char *message)
{
	struct trace_span *span = call->span;

	if (!span)
		return;
	free(span->message);
	span->message = trace_span_text(message, strlen(message));
}

void router_note_answer(const struct router *router, struct call *call)
{
	const struct domain *domain = fleet_get(router->fleet, call->domain);

	if (call->span)
		call->span->worker = domain ? domain_get_answering(domain) : 0;
}

void router_end_trace(const struct router *router, struct call *call)
{
	struct trace_span *span = call->span;

	if (!span)
		return;
	span->code = call->code;
	if (!call->is_answered)
		span->end = SPAN_CANCELLED;
	else if (call->code)
		span->end = SPAN_ERROR;
	else
		span->end = call->is_tool_error ? SPAN_TOOL_ERROR : SPAN_ANSWERED;
	trace_span_end(span);
	if (router->tracer.is_on)
		router->tracer.ended(router->tracer.arg, span);
	trace_span_free(TAKE(call->span));
}
