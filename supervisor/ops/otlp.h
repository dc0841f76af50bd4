/* Spans of calls, sent to an OpenTelemetry collector by OTLP/HTTP in JSON, through the courier.
 *
 * A span is turned into its JSON when it ends, and waits with others: they go together, every otlp.interval or when
 * enough of them are there. What cannot be delivered for now (no connection, 429, 502, 503, 504) is sent again, later
 * and later, and when the collector says; what it refuses, all or a part, is given up. What waits is bounded: the oldest goes.
 *
 * Source: OpenTelemetry, "OTLP Specification" 1.x, "OTLP/HTTP" (request, response, failures, throttling); the JSON
 * encoding of Protocol Buffers as it changes it (ids in hexadecimal digits). */
#pragma once

#include "supervisor/mcp/trace_span.h"
#include "supervisor/ops/courier.h"

enum {
	OTLP_BATCH_SPANS = 512,
	OTLP_BATCH_BYTES = 1024 * 1024,
	OTLP_MAX_SPANS = 4096, /* that wait */
	OTLP_MAX_BYTES = 8 * 1024 * 1024,
};

struct otlp;

struct otlp *otlp_new(struct loop *loop, struct courier *courier);
void otlp_free(struct otlp *otlp);

/* At the start, and at each reload; `conf` is copied. Without a url what waits is dropped. */
void otlp_set_conf(struct otlp *otlp, const struct conf_otlp *conf);

/* What the router is to be given, now and after each otlp_set_conf(). */
void otlp_get_tracer(struct otlp *otlp, struct tracer *ret);

/* The daemon ends: what waits is sent while that goes well, for a second at most; then `fn` runs (maybe at once). */
void otlp_stop(struct otlp *otlp, void (*fn)(void *arg), void *arg);

/* Since the start. */
struct otlp_stats {
	uint64_t n_made;
	uint64_t n_sent;     /* and taken by the collector */
	uint64_t n_dropped;  /* there was no room, they were refused, or the settings changed */
	uint64_t n_failures; /* of requests */
	unsigned n_waiting;
	size_t waiting_bytes;
};

void otlp_get_stats(const struct otlp *otlp, struct otlp_stats *ret);

/* otlp_json.c: a span as JSON, and what stands before and after those of one request. */
void otlp_add_span(struct strbuf *out, const struct trace_span *span);
void otlp_add_head(struct strbuf *out, const char *instance);
void otlp_add_tail(struct strbuf *out);

/* How many spans of a request a collector has not taken that answers 2xx with `body`; its words are appended, quoted.
 * 0: all were, or it says nothing that can be read. */
uint64_t otlp_read_rejected(const char *body, size_t len, struct strbuf *words);
