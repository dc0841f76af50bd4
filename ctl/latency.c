/* See latency.h. */
#include "ctl/latency.h"

#include <math.h>

#include "shared/strbuf.h"

static uint64_t count_of(const json_t *bucket)
{
	json_int_t n = json_integer_value(json_array_get(bucket, 1));

	return n > 0 ? (uint64_t)n : 0;
}

/* Infinity where there is none. */
static double bound_of(const json_t *bucket)
{
	const json_t *bound = json_array_get(bucket, 0);

	return json_is_number(bound) ? json_number_value(bound) : (double)INFINITY;
}

/* How many calls `histogram` has up to that bound: a bucket that it left out is the one before. */
static uint64_t count_up_to(const json_t *histogram, double bound)
{
	uint64_t n = 0;
	size_t i;
	json_t *bucket;

	json_array_foreach(histogram, i, bucket) {
		if (bound_of(bucket) > bound)
			break;
		n = count_of(bucket);
	}
	return n;
}

static uint64_t between(const json_t *bucket, const json_t *before)
{
	uint64_t now = count_of(bucket);
	uint64_t then = count_up_to(before, bound_of(bucket));

	return now > then ? now - then : 0;
}

struct latency latency_get(const json_t *now, const json_t *before, double share)
{
	struct latency result = { 0 };
	size_t n = json_array_size(now);
	double last_bound = 0;
	size_t i;
	json_t *bucket;

	result.n_calls = n ? between(json_array_get(now, n - 1), before) : 0;
	if (result.n_calls == 0)
		return result;
	json_array_foreach(now, i, bucket) {
		double bound = bound_of(bucket);

		if ((double)between(bucket, before) >= share * (double)result.n_calls) {
			result.is_above = isinf(bound);
			result.ms = result.is_above ? last_bound : bound;
			return result;
		}
		last_bound = bound;
	}
	return result;
}

void latency_add(struct strbuf *out, const struct latency *latency)
{
	if (latency->n_calls == 0)
		return;
	if (latency->is_above)
		strbuf_addc(out, '>');
	strbuf_addf(out, latency->ms < 10 ? "%.3g" : "%.0f", latency->ms);
}
