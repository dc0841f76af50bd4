/* isolation: session: each session has a process of its own.
 *
 * processes.min processes that nobody has yet are kept ready; a session's first call takes one of them,
 * or starts one. No more than processes.max run, those on their way out included. A process ends with its
 * session; while the session lives it is restarted like any other, and its state is lost then. */
#include <errno.h>

#include "supervisor/fleet/domain_private.h"

enum { CROWDED_BURST = 5 };

static struct slot *find_owned(const struct domain *d, uint64_t session)
{
	struct slot *slot;

	TAILQ_FOREACH(slot, &d->slots, next)
		if (slot->is_owned && !slot->retiring && slot->owner == session)
			return slot;
	return NULL;
}

static bool is_spare(const struct slot *slot)
{
	return !slot->is_owned && !slot->retiring;
}

unsigned domain_count_spares(const struct domain *d)
{
	struct slot *slot;
	unsigned n = 0;

	TAILQ_FOREACH(slot, &d->slots, next)
		n += is_spare(slot);
	return n;
}

/* A ready one, else one that may be ready soon. */
static struct slot *find_spare(const struct domain *d)
{
	struct slot *soon = NULL;
	struct slot *slot;

	TAILQ_FOREACH(slot, &d->slots, next) {
		if (!is_spare(slot) || worker_get_state(slot->worker) == WORKER_PARKED)
			continue;
		if (worker_get_state(slot->worker) == WORKER_READY)
			return slot;
		soon = slot;
	}
	return soon;
}

static bool is_full(const struct domain *d)
{
	struct slot *slot;
	unsigned n = 0;

	TAILQ_FOREACH(slot, &d->slots, next)
		n++;
	return n >= d->max;
}

static bool is_one_leaving(const struct domain *d)
{
	struct slot *slot;

	TAILQ_FOREACH(slot, &d->slots, next)
		if (slot->retiring)
			return true;
	return false;
}

/* 0: the call may wait. -ENOBUFS: all processes belong to other sessions, and none is about to end.
 * -ENXIO: the session's process died too often. */
int domain_admit(struct domain *d, uint64_t session)
{
	const struct slot *slot = find_owned(d, session);

	if (slot)
		return worker_get_state(slot->worker) == WORKER_PARKED ? -ENXIO : 0;
	if (find_spare(d) || !is_full(d) || is_one_leaving(d))
		return 0;
	if (log_limit_ok(&d->crowded, CROWDED_BURST, d->name))
		log_warn_about(&d->about,
			"domain %s: all %u processes belong to sessions; one more is refused "
			"(domains.%s.processes.max)",
			d->name, d->max, d->name);
	return -ENOBUFS;
}

static void bind_slot(struct domain *d, struct slot *slot, uint64_t session)
{
	slot->is_owned = true;
	slot->owner = session;
	slot->told_wants = 0;
	fairq_hold(d->queue, session, true);
	d->wants_changed = true;
}

/* Its calls that wait are free for another process. Who it spoke for stays known until it has ended. */
void domain_release(struct domain *d, struct slot *slot)
{
	if (slot->is_owned && !slot->retiring)
		fairq_hold(d->queue, slot->owner, false);
}

/* NULL: not before a process has ended. */
static struct slot *get_process(struct domain *d)
{
	struct slot *slot = find_spare(d);

	if (slot || is_full(d))
		return slot;
	slot = domain_add_slot(d);
	worker_start(slot->worker);
	return slot;
}

static void pump_one(struct domain *d, struct slot *slot)
{
	struct request *request;

	while (worker_has_room(slot->worker) && (request = fairq_first_of(d->queue, slot->owner)))
		if (domain_send(d, slot, request) < 0)
			return;
}

void domain_pump_sessions(struct domain *d)
{
	struct request *request;
	struct slot *slot;

	if (d->state == DOMAIN_STOPPED || d->is_disabled || d->asleep)
		return;
	while ((request = fairq_first(d->queue)) && (slot = get_process(d)))
		bind_slot(d, slot, request->session);
	if (d->wants_changed)
		domain_tell_wants(d);
	TAILQ_FOREACH(slot, &d->slots, next)
		if (slot->is_owned && !slot->retiring)
			pump_one(d, slot);
	domain_refill(d);
}

/* Calls are admitted while a process is about to end, or as long as there is a spare one. More sessions may have
 * hoped for it than there were places, or processes.max is lower now: better an error than to wait for the end
 * of somebody else's session. Not from inside a pump, because the one who calls does not expect it. */
void domain_lose_crowded(struct domain *d)
{
	struct request *request;

	while ((request = fairq_first(d->queue)) && !find_spare(d) && is_full(d) &&
		!is_one_leaving(d)) {
		fairq_remove(d->queue, request);
		domain_lose(d, request, request->was_rerun ? DOMAIN_LOST_DIED : DOMAIN_LOST_DOWN,
			"all its processes belong to other sessions (isolation, processes.max)");
	}
}

/* Nobody else runs what waits for a process that is not tried again soon. */
void domain_lose_parked(struct domain *d, struct slot *slot)
{
	struct request *request;

	if (!slot->is_owned || slot->retiring || worker_get_state(slot->worker) != WORKER_PARKED)
		return;
	while ((request = fairq_first_of(d->queue, slot->owner))) {
		fairq_remove(d->queue, request);
		domain_lose(d, request, request->was_rerun ? DOMAIN_LOST_DIED : DOMAIN_LOST_DOWN,
			worker_get_last_end(slot->worker));
	}
}

/* --- public ------------------------------------------------------------------------------------ */

void domain_forget_session(struct domain *d, uint64_t session)
{
	struct slot *slot = find_owned(d, session);
	struct request *request;

	if (wants_forget(d->wants, session))
		domain_change_wants(d);
	while ((request = fairq_first_of(d->queue, session))) {
		domain_count_cancel(d, "");
		fairq_remove(d->queue, request);
		request_free(request);
	}
	if (!slot)
		return;
	/* Calls of an ended session are cancelled: they end within cancel_grace, or the process does. */
	domain_retire(d, slot, worker_count_calls(slot->worker) > 0 ? d->drain_ms : 0);
	domain_pump(d);
}

void domain_adopt(struct domain *d, uint64_t from, uint64_t to)
{
	struct slot *slot = find_owned(d, from);
	struct slot *other = find_owned(d, to);

	if (from == to)
		return;
	if (wants_move(d->wants, from, to))
		domain_change_wants(d);
	fairq_move(d->queue, from, to);
	if (!slot) {
		domain_pump(d); /* what `from` had waiting is for the process of `to` now */
		return;
	}
	if (other) /* what the older one knows is what the next call is about */
		domain_retire(d, other, d->drain_ms);
	slot->owner = to;
	slot->told_wants = 0;
	fairq_hold(d->queue, to, true);
	domain_pump(d);
}
