/* How long to wait before a process is started again: doubling, with jitter, up to a cap; parked
 * after too many deaths in a row. Pure: no clock, no timer. design.md, promise 4. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct backoff_rules {
	int64_t first_ms;
	int64_t cap_ms;
	int64_t park_ms;     /* how long a parked process stays so before it is tried again */
	int64_t stable_ms;   /* healthy this long: earlier deaths are forgotten */
	unsigned park_after; /* deaths before ready, in a row */
};

struct backoff {
	unsigned n_deaths; /* in a row, before ready or soon after */
};

/* After a death: milliseconds until the next start. `random` is any 32 random bits; the jitter takes
 * up to a quarter off. *ret_park: parked, the wait is park_ms. */
int64_t backoff_next(struct backoff *backoff, const struct backoff_rules *rules, uint32_t random,
	bool *ret_park);

/* The process was healthy for rules->stable_ms, or an operator asked for a fresh start. */
void backoff_reset(struct backoff *backoff);
