/* See pace.h. */
#include "workers/registrar/pace.h"

static const double ms_a_request = 60000.0 / PACE_A_MINUTE;

static void refill(struct pace *pace, int64_t now_ms)
{
	if (!pace->is_started) {
		pace->is_started = true;
		pace->left = PACE_BURST;
	} else if (now_ms > pace->at_ms) {
		pace->left += (double)(now_ms - pace->at_ms) / ms_a_request;
		if (pace->left > PACE_BURST)
			pace->left = PACE_BURST;
	}
	pace->at_ms = now_ms;
}

int64_t pace_wait_ms(struct pace *pace, int64_t now_ms)
{
	refill(pace, now_ms);
	if (pace->closed_ms > now_ms)
		return pace->closed_ms - now_ms;
	return pace->left >= 1 ? 0 : (int64_t)((1 - pace->left) * ms_a_request) + 1;
}

void pace_spend(struct pace *pace, int64_t now_ms)
{
	refill(pace, now_ms);
	pace->left = pace->left > 1 ? pace->left - 1 : 0;
}

void pace_close(struct pace *pace, int64_t now_ms, int64_t wait_ms)
{
	if (pace->closed_ms < now_ms + wait_ms)
		pace->closed_ms = now_ms + wait_ms;
}

int64_t pace_backoff_ms(unsigned n_failures, int64_t cap_ms, uint32_t random)
{
	int64_t most = cap_ms < PACE_CAP_MS ? cap_ms : PACE_CAP_MS;
	int64_t wait_ms = PACE_FIRST_MS;

	for (unsigned i = 1; i < n_failures && wait_ms < most; i++)
		wait_ms *= 2;
	if (wait_ms > most)
		wait_ms = most;
	return wait_ms - (int64_t)((double)wait_ms / 4 * (double)random / UINT32_MAX);
}

int64_t pace_interval_ms(int64_t interval_ms, uint32_t random)
{
	return interval_ms - (int64_t)((double)interval_ms / 10 * (double)random / UINT32_MAX);
}
