/* A span: what a trace knows of one call of ours, from when it came to when it left the router. (`struct span` is a
 * piece of text, shared/span.h.)
 *
 * The client's traceparent names its parent, and the worker is given one that names it: so the worker's own spans hang
 * below it. A client that says whether its trace is sampled is obeyed; for one that says nothing the settings decide,
 * by the trace's id. A call that is not sampled has no span, and its traceparent goes through as it is.
 *
 * Source: W3C Trace Context (level 1), sections 3.2 and 3.3.1; OpenTelemetry, "Trace API" (SpanContext, SpanKind,
 * status); MCP 2026-07-28 basic/index "OpenTelemetry trace context". */
#pragma once

#include "supervisor/mcp/trace.h"

enum {
	SPAN_ID_SIZE = 17,         /* 16 hexadecimal digits and a NUL */
	SPAN_PARENT_SIZE = 56,     /* a traceparent and a NUL */
	SPAN_SESSION_SIZE = 9,     /* of a session's id, which alone is enough to speak for it */
	SPAN_MAX_TEXT_CHARS = 256, /* of each text below */
};

enum span_end {
	SPAN_CANCELLED, /* it left without an answer: nobody waited for it any more */
	SPAN_ANSWERED,
	SPAN_TOOL_ERROR, /* answered with isError */
	SPAN_ERROR,      /* answered with an error of JSON-RPC */
};

/* Texts are valid UTF-8 and cut; NULL or "": there is none. */
struct trace_span {
	char trace_id[TRACE_ID_SIZE];
	char id[SPAN_ID_SIZE];
	char parent_id[SPAN_ID_SIZE]; /* "": it begins the trace */
	char *state;                  /* tracestate, as the client sent it */
	int64_t start_ns;             /* wall time since 1970 */
	int64_t end_ns;   /* never before its start, whatever became of the wall clock */
	int64_t start_us; /* clock_now_us() */

	const char *method;    /* "tools/call" */
	char *target;          /* the name of the tool or prompt, as it is listed */
	char *uri;             /* of a resource */
	char *request_id;      /* as the client chose it */
	const char *transport; /* "sse", "streamable", "stdio", "local" */
	char *address;         /* of the client */
	const char *revision;  /* of MCP */
	char session[SPAN_SESSION_SIZE];
	char *domain;
	unsigned worker; /* the process that answered: "domain/worker"; 0: none did */

	enum span_end end;
	int code;      /* SPAN_ERROR: that of JSON-RPC */
	char *message; /* of an error of our own */
};

/* Who hears of spans; all zero: nobody, and none are made. */
struct tracer {
	bool is_on;
	unsigned sample; /* percent, of those whose client does not say */
	/* It has ended; borrowed. */
	void (*ended)(void *arg, const struct trace_span *span);
	void *arg;
};

/* A span that begins now; NULL: this call is to have none. `trace` is what the client said. */
struct trace_span *trace_span_new(const struct tracer *tracer, const struct trace *trace)
	must_check;
void trace_span_free(struct trace_span *span);
DEFINE_FREEP(struct trace_span, trace_span_free)

/* It ends now. */
void trace_span_end(struct trace_span *span);

/* The traceparent for whoever works for it. */
void trace_span_get_parent(const struct trace_span *span, char ret[SPAN_PARENT_SIZE]);

/* A copy of foreign text, fit for a span's member. */
char *trace_span_text(const char *text, size_t len) must_check;

/* Whether `percent` of all traces hold this one: the same everywhere for the same id (32 hexadecimal digits). */
bool trace_span_samples(const char *trace_id, unsigned percent);
