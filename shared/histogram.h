/* How long things took: counts in buckets whose width grows with the duration.
 *
 * Four buckets for each doubling, from 64 µs to more than an hour: what is read from it is wrong by 13 % at
 * most. Plain data of a fixed size; to count costs some nanoseconds. Two states of one histogram can be
 * subtracted, and what is exported (an upper bound, and how many lie below it) is what Prometheus wants. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "shared/cleanup.h"

enum {
	HISTOGRAM_FIRST_BITS = 6, /* below 2^6 µs there is one bucket, */
	HISTOGRAM_LAST_BITS = 32, /* from 2^32 µs (71 min) on another */
	HISTOGRAM_PARTS = 4,      /* of each doubling between them */
	HISTOGRAM_BUCKETS = (HISTOGRAM_LAST_BITS - HISTOGRAM_FIRST_BITS) * HISTOGRAM_PARTS + 2,
};

/* All zero: empty. */
struct histogram {
	uint64_t n;
	uint64_t sum_us;
	uint64_t counts[HISTOGRAM_BUCKETS];
};

/* Negative durations count as 0. */
void histogram_add(struct histogram *histogram, int64_t us);

/* The duration in µs below which the part `q` (0 to 1) of all lies, estimated; 0 when there are none. What
 * lies above the last bound counts as that. */
int64_t histogram_quantile(const struct histogram *histogram, double q);

/* What lies in the bucket is less than this, µs; INT64_MAX for the last one. */
int64_t histogram_bound(unsigned bucket);

/* For each bucket that is not empty, from the lowest on: its bound, and how many lie below that. */
void histogram_each(const struct histogram *histogram,
	void (*fn)(void *arg, int64_t bound_us, uint64_t n_below), void *arg);

/* The reverse: puts in what histogram_each() told elsewhere, in the same order, into one that was empty
 * (`sum_us` is the caller's to set). False: no bound of ours, not behind the one before, or fewer below it
 * than below that one; nothing changes. */
bool histogram_load(struct histogram *histogram, int64_t bound_us, uint64_t n_below) must_check;

/* Leaves what came since `earlier`. False: that is no earlier state of it (the daemon began anew); nothing
 * changes. */
bool histogram_subtract(struct histogram *histogram, const struct histogram *earlier) must_check;
