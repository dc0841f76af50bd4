/* See backoff.h. */
#include "supervisor/fleet/backoff.h"

int64_t backoff_next(
	struct backoff *backoff, const struct backoff_rules *rules, uint32_t random, bool *ret_park)
{
	int64_t wait_ms = rules->first_ms;

	*ret_park = ++backoff->n_deaths >= rules->park_after;
	if (*ret_park)
		return rules->park_ms;
	for (unsigned i = 1; i < backoff->n_deaths && wait_ms < rules->cap_ms; i++)
		wait_ms *= 2;
	if (wait_ms > rules->cap_ms)
		wait_ms = rules->cap_ms;
	return wait_ms - (int64_t)((double)wait_ms / 4 * (double)random / UINT32_MAX);
}

void backoff_reset(struct backoff *backoff)
{
	backoff->n_deaths = 0;
}
