/* See histogram.h. The bucket of a duration is its highest bit and the two bits behind it. */
#include "shared/histogram.h"

enum { PART_BITS = 2 };

_Static_assert(HISTOGRAM_PARTS == 1 << PART_BITS, "the parts are told apart by these bits");

static unsigned find_bucket(uint64_t us)
{
	unsigned top;
	unsigned part;

	if (us < UINT64_C(1) << HISTOGRAM_FIRST_BITS)
		return 0;
	if (us >= UINT64_C(1) << HISTOGRAM_LAST_BITS)
		return HISTOGRAM_BUCKETS - 1;
	top = 63 - (unsigned)__builtin_clzll(us);
	part = (unsigned)(us >> (top - PART_BITS)) & (HISTOGRAM_PARTS - 1);
	return 1 + (top - HISTOGRAM_FIRST_BITS) * HISTOGRAM_PARTS + part;
}

void histogram_add(struct histogram *histogram, int64_t us)
{
	uint64_t duration = us > 0 ? (uint64_t)us : 0;

	histogram->n++;
	histogram->sum_us += duration;
	histogram->counts[find_bucket(duration)]++;
}

int64_t histogram_bound(unsigned bucket)
{
	unsigned top;
	unsigned part;

	if (bucket >= HISTOGRAM_BUCKETS - 1)
		return INT64_MAX;
	top = bucket / HISTOGRAM_PARTS + HISTOGRAM_FIRST_BITS;
	part = bucket % HISTOGRAM_PARTS;
	return INT64_C(1) * (HISTOGRAM_PARTS + part) << (top - PART_BITS);
}

/* The middle of its bucket: never wrong by more than half of the bucket's width. */
int64_t histogram_quantile(const struct histogram *histogram, double q)
{
	double rank = q * (double)histogram->n;
	uint64_t below = 0;

	for (unsigned i = 0; i < HISTOGRAM_BUCKETS - 1; i++) {
		below += histogram->counts[i];
		if (histogram->counts[i] > 0 && (double)below >= rank)
			return ((i ? histogram_bound(i - 1) : 0) + histogram_bound(i)) / 2;
	}
	return histogram->n ? histogram_bound(HISTOGRAM_BUCKETS - 2) : 0;
}

void histogram_each(const struct histogram *histogram,
	void (*fn)(void *arg, int64_t bound_us, uint64_t n_below), void *arg)
{
	uint64_t below = 0;

	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
		below += histogram->counts[i];
		if (histogram->counts[i] > 0)
			fn(arg, histogram_bound(i), below);
	}
}

bool histogram_load(struct histogram *histogram, int64_t bound_us, uint64_t n_below)
{
	unsigned bucket = 0;

	while (bucket < HISTOGRAM_BUCKETS - 1 && histogram_bound(bucket) < bound_us)
		bucket++;
	if (histogram_bound(bucket) != bound_us || n_below < histogram->n)
		return false;
	for (unsigned i = bucket; i < HISTOGRAM_BUCKETS; i++)
		if (histogram->counts[i] > 0)
			return false;
	histogram->counts[bucket] = n_below - histogram->n;
	histogram->n = n_below;
	return true;
}

bool histogram_subtract(struct histogram *histogram, const struct histogram *earlier)
{
	if (histogram->n < earlier->n || histogram->sum_us < earlier->sum_us)
		return false;
	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
		if (histogram->counts[i] < earlier->counts[i])
			return false;
	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
		histogram->counts[i] -= earlier->counts[i];
	histogram->n -= earlier->n;
	histogram->sum_us -= earlier->sum_us;
	return true;
}
