/* Trouble on purpose: one process of a domain is killed, stopped, or seems to have written garbage, and all the
 * rest is the same as when that happens by itself. What became of it stands in the domain's counts. */
#include <errno.h>
#include <stdio.h>

#include "supervisor/fleet/domain_private.h"

/* A kill is to hit a call; the health check looks after idle processes only, and garbage need not cost one. */
static struct slot *pick(const struct domain *d, enum drill_kind kind)
{
	struct slot *other = NULL;
	struct slot *slot;

	TAILQ_FOREACH(slot, &d->slots, next) {
		bool is_busy = worker_count_calls(slot->worker) > 0;

		if (worker_get_state(slot->worker) != WORKER_READY)
			continue;
		if (is_busy == (kind == DRILL_KILL))
			return slot;
		other = other ? other : slot;
	}
	return other;
}

int domain_drill(
	struct domain *d, enum drill_kind kind, struct domain_drill *ret, struct fail *fail)
{
	struct slot *slot = pick(d, kind);
	struct domain_drill drill = { 0 };
	int r;

	if (!slot)
		return fail_set(fail, -EAGAIN, "domain %s is %s: no process of it is ready%s",
			d->name, domain_state_name(d->state),
			d->asleep ? "; call one of its tools first" : "");
	(void)snprintf(drill.process, sizeof(drill.process), "%s", worker_get_name(slot->worker));
	drill.pid = worker_get_pid(slot->worker);
	drill.n_calls = worker_count_calls(slot->worker);
	if (kind == DRILL_STOP && drill.n_calls == 0)
		drill.found_ms = d->setup->health_interval_ms + d->setup->health_interval_ms / 2 +
				 d->setup->health_timeout_ms;
	r = worker_drill(slot->worker, kind);
	if (r < 0)
		return fail_set(fail, r, "%s has just ended", drill.process);
	*ret = drill;
	return 0;
}
