/* How fast the gateway is asked, and how long after a failure. Pure: the clock is handed in.
 *
 * A stock gateway allows 100 requests a minute on its old paths, for all of its clients, and locks an
 * address out for a quarter of an hour that was refused five times; a whole fleet has to register at once
 * all the same. So: a bucket that is filled slowly and holds much. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum {
	PACE_A_MINUTE = 30,
	PACE_BURST =
		80, /* 20 domains from nothing: 20 POSTs, 20 lists of tools, and a virtual server */
	PACE_FIRST_MS = 1000,
	PACE_CAP_MS = 60000,
	PACE_MAX_RETRY_AFTER_S = 3600,
};

struct pace {
	bool is_started;
	double left;       /* requests that may be sent at once */
	int64_t at_ms;     /* when that was so */
	int64_t closed_ms; /* nothing before this instant, whatever is left (Retry-After) */
};

/* How long the next request has to wait; 0: it may go, which pace_spend() then notes. */
int64_t pace_wait_ms(struct pace *pace, int64_t now_ms);
void pace_spend(struct pace *pace, int64_t now_ms);

/* The gateway said that it wants to hear nothing for so long. */
void pace_close(struct pace *pace, int64_t now_ms, int64_t wait_ms);

/* After the n-th failure in a row (1: the first): doubling from PACE_FIRST_MS to the smaller of `cap_ms` and
 * PACE_CAP_MS. `random` is any 32 random bits; the jitter takes up to a quarter off. */
int64_t pace_backoff_ms(unsigned n_failures, int64_t cap_ms, uint32_t random);

/* `interval_ms` less up to a tenth, so that fleets do not come all at once; never more, because within an
 * interval all has to be well again. */
int64_t pace_interval_ms(int64_t interval_ms, uint32_t random);
