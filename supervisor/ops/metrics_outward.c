/* /metrics: TLS, the audit log, and the spans that the courier sends. */
#include "supervisor/front/tls.h"
#include "supervisor/ops/courier.h"
#include "supervisor/ops/metrics_private.h"
#include "supervisor/stats.h"

/* Without a certificate there is nothing to tell. */
static void add_tls(const struct metrics *metrics, struct metrics_text *text)
{
	const struct metrics_parts *parts = &metrics->parts;
	const struct tls *tls = parts->get_tls(parts->arg);
	const struct tls_counts *counts = tls_get_counts();
	const struct {
		const char *outcome;
		uint64_t n;
	} handshakes[] = {
		{ "completed", counts->handshakes },
		{ "failed", counts->failed },
		{ "plain_http", counts->plain_http },
	};

	if (!tls)
		return;
	metrics_add_one(text, METRIC_TLS_ENDS, tls_get_not_after(tls));
	metrics_begin(text, METRIC_TLS_HANDSHAKES);
	for (size_t i = 0; i < N_ELEMENTS(handshakes); i++)
		metrics_add(text, (int64_t)handshakes[i].n, &handshakes[i].outcome);
}

static void add_spans(const struct metrics *metrics, struct metrics_text *text)
{
	struct otlp_stats stats;

	otlp_get_stats(metrics->parts.otlp, &stats);
	metrics_add_one(text, METRIC_SPANS, (int64_t)stats.n_made);
	metrics_add_one(text, METRIC_SPANS_SENT, (int64_t)stats.n_sent);
	metrics_add_one(text, METRIC_SPANS_DROPPED, (int64_t)stats.n_dropped);
	metrics_add_one(text, METRIC_SPANS_WAITING, stats.n_waiting);
	metrics_add_one(text, METRIC_SPAN_REQUESTS_FAILED, (int64_t)stats.n_failures);
	metrics_add_one(text, METRIC_COURIER_RESTARTS,
		(int64_t)courier_get_restarts(metrics->parts.courier));
}

void metrics_add_outward(const struct metrics *metrics, struct metrics_text *text)
{
	add_tls(metrics, text);
	metrics_add_one(text, METRIC_AUDIT_DROPPED, (int64_t)stats_get_audit_lost());
	add_spans(metrics, text);
}
