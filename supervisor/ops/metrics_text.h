/* The two formats of /metrics: which metrics there are, and how their samples are written.
 *
 * One table (metrics_table.c) has each metric's name, type, unit, labels and help; nobody writes a sample in another
 * way, so a sample has the labels that the table names, and doc/metrics.md is checked against it.
 *
 * Source: Prometheus, "Exposition formats" (text 0.0.4); OpenMetrics 1.0. In the latter a counter's family has its
 * name without _total, and the whole ends with "# EOF". */
#pragma once

#include "shared/histogram.h"
#include "shared/strbuf.h"

/* In the order in which they are told. */
enum metric_id {
	METRIC_SSE_CONNECTIONS,
	METRIC_MESSAGES,
	METRIC_REQUEST_DURATION,
	METRIC_ERRORS,
	METRIC_SESSION_DURATION,
	METRIC_BUILD,
	METRIC_UPTIME,
	METRIC_READY,
	METRIC_SESSIONS,
	METRIC_SESSIONS_OPENED,
	METRIC_SESSIONS_CLOSED,
	METRIC_SESSIONS_REFUSED,
	METRIC_SESSIONS_LIMIT,
	METRIC_STATELESS,
	METRIC_SESSION_QUEUE_BYTES,
	METRIC_HTTP_CONNECTIONS,
	METRIC_HTTP_CONNECTIONS_LIMIT,
	METRIC_HTTP_RESPONSES,
	METRIC_REFUSALS,
	METRIC_LIMITS,
	METRIC_DOMAIN_UP,
	METRIC_DOMAIN_STATE,
	METRIC_DOMAIN_TOOLS,
	METRIC_DOMAIN_PROCESSES,
	METRIC_DOMAIN_RESTARTS,
	METRIC_DOMAIN_LAST_START,
	METRIC_DOMAIN_IN_FLIGHT,
	METRIC_DOMAIN_QUEUED,
	METRIC_DOMAIN_QUEUE_LIMIT,
	METRIC_DOMAIN_CALLS,
	METRIC_DOMAIN_CALL_DURATION,
	METRIC_DOMAIN_MEMORY,
	METRIC_DOMAIN_CPU,
	METRIC_LOOP_LAG,
	METRIC_LOG_LINES,
	METRIC_PROCESS_CPU,
	METRIC_PROCESS_START,
	METRIC_PROCESS_RESIDENT,
	METRIC_PROCESS_VIRTUAL,
	METRIC_PROCESS_OPEN_FDS,
	METRIC_PROCESS_MAX_FDS,
	METRIC_TLS_ENDS,
	METRIC_TLS_HANDSHAKES,
	METRIC_AUDIT_DROPPED,
	METRIC_SPANS,
	METRIC_SPANS_SENT,
	METRIC_SPANS_DROPPED,
	METRIC_SPANS_WAITING,
	METRIC_SPAN_REQUESTS_FAILED,
	METRIC_COURIER_RESTARTS,
	METRIC_GATEWAY_CONNECTED,
	METRIC_GATEWAY_DOMAIN_STATE,
	METRIC_GATEWAY_TOOLS_WANTED,
	METRIC_GATEWAY_TOOLS_FOUND,
	METRIC_GATEWAY_DRIFT,
	METRIC_GATEWAY_TOKEN_DAYS,
	METRIC_GATEWAY_ROUNDS,
	METRIC_GATEWAY_REQUESTS,
	METRIC_GATEWAY_CREATES,
	METRIC_GATEWAY_UPDATES,
	METRIC_GATEWAY_DELETES,
	METRIC_GATEWAY_ERRORS,
	METRIC_REGISTRAR_RESTARTS,
	METRICS,
};

enum metric_type {
	METRIC_GAUGE,
	METRIC_COUNTER,
	METRIC_HISTOGRAM,
};

const char *metric_type_name(enum metric_type type);

enum { METRIC_LABELS = 4 }; /* at most */

struct metric {
	const char *name; /* of the samples; a histogram's without _bucket, _sum, _count */
	enum metric_type type;
	const char *unit; /* NULL: none; the name ends with it */
	const char *labels[METRIC_LABELS];
	const char *help;
	/* Of a histogram: bounds from 2^first to 2^last µs, each 2^step times the one before; `scale` µs are what the
	 * struct histogram calls one. */
	unsigned first, last, step, scale;
};

extern const struct metric metrics_table[METRICS];

/* On its way; zero but for the first two. */
struct metrics_text {
	struct strbuf *out;
	bool is_open;           /* OpenMetrics, not text 0.0.4 */
	const struct metric *m; /* whose samples come */
};

/* The samples that follow are of this metric; each metric once, in the order of the table. */
void metrics_begin(struct metrics_text *text, enum metric_id id);

/* A sample. `values`: of the labels that the table has; foreign text (UTF-8) is fine. Two samples of one metric must
 * not have the same. */
void metrics_add(struct metrics_text *text, int64_t value, const char *const *values);

/* The same, in seconds. */
void metrics_add_us(struct metrics_text *text, int64_t us, const char *const *values);
void metrics_add_histogram(
	struct metrics_text *text, const struct histogram *histogram, const char *const *values);

/* metrics_begin() and its only sample, without labels. */
void metrics_add_one(struct metrics_text *text, enum metric_id id, int64_t value);

/* After the last. */
void metrics_end(struct metrics_text *text);
