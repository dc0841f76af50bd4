/* Trace context: which trace a request belongs to, said in `_meta` or in HTTP headers.
 *
 * Unless we make spans of our own (mcp/trace_span.h) it only goes through: to the worker, and its trace id into the
 * log. What is malformed is as if it
 * were not there, as its source wants it; no request fails for it.
 *
 * Source: W3C Trace Context (level 1), sections 3.2 and 3.3; W3C Baggage, section 3; MCP 2026-07-28
 * basic/index "OpenTelemetry trace context". */
#pragma once

#include "supervisor/mcp/envelope.h"

enum {
	TRACE_ID_SIZE = 33,    /* 32 hexadecimal digits and a NUL */
	TRACE_MAX_BYTES = 8192 /* of each of the three texts */
};

struct trace {
	char *parent;  /* traceparent, or NULL */
	char *state;   /* tracestate, or NULL; never without a parent */
	char *baggage; /* or NULL */
};

#define auto_trace auto_(trace_done) struct trace

void trace_done(struct trace *trace);

bool trace_is_parent(struct span text);
bool trace_is_state(struct span text);
bool trace_is_baggage(struct span text);

/* Chooses: what `_meta` holds counts, also when it is malformed; else the header (`headers` may be
 * NULL). traceparent and tracestate belong together: where `_meta` has either, neither is taken from
 * a header. Nothing is taken when a key comes twice. */
void trace_read(
	const struct envelope *envelope, const struct mcp_headers *headers, struct trace *ret);

/* Its sender records it; false also where there is none. */
bool trace_is_sampled(const struct trace *trace);

/* The id of the span that is the parent: 16 hexadecimal digits and a NUL; only where there is one. */
void trace_get_parent_id(const struct trace *trace, char ret[17]);

/* The trace id, for the log. False: there is none. */
bool trace_get_id(const struct trace *trace, char ret[TRACE_ID_SIZE]);
