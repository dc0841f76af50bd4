/* Percentiles from the daemon's histograms: [[upper bound in ms, calls up to it], ...], buckets that hold none left
 * out, the bound of the last one null where it has none. Counts only grow: the difference of two is what happened
 * between them. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct latency {
	uint64_t n_calls;
	double ms;     /* the bound of the bucket in which the percentile lies */
	bool is_above; /* it is above all bounds; `ms` is the last one */
};

/* `before` may be NULL: since the daemon began. n_calls is 0 when there was no call, or what came is no
 * histogram. `share` is 0.5 for the median. */
struct latency latency_get(const json_t *now, const json_t *before, double share);

/* "0.5", "12", "1500", ">60000": for a table. Nothing where there was no call. */
struct strbuf;
void latency_add(struct strbuf *out, const struct latency *latency);
