/* A rolling restart: each process of a domain is replaced by a new one that is ready before the old one drains.
 *
 * One at a time, so that there is never more than one process too many that serves. Processes that do not serve
 * have nothing to lose: they are replaced at once. When a new process does not come up, what still runs stays, and
 * the restart has failed. A process that goes is not waited for before the next one is started, only in the
 * end: a long call must not hold up the others.
 *
 * isolation: session: the same for a session's process. Its session has the new one from its next call on, and what
 * the old one kept for it is lost, as at any restart. */
#include <errno.h>

#include "shared/alloc.h"
#include "supervisor/fleet/domain_private.h"

struct done {
	domain_done_fn *fn;
	void *arg;
	bool ok;
	char *text;
};

static void tell_done(void *arg)
{
	struct done *done = arg;

	done->fn(done->arg, done->ok, done->text);
	free(done->text);
	free(done);
}

static unsigned count(const struct domain *d, enum slot_roll roll)
{
	struct slot *slot;
	unsigned n = 0;

	TAILQ_FOREACH(slot, &d->slots, next)
		n += slot->roll == roll;
	return n;
}

/* One may go for another reason meanwhile, as with its session. */
static bool is_old(const struct slot *slot)
{
	return slot->roll == SLOT_OLD && !slot->retiring;
}

/* Takes over `text`. */
static void end_restart(struct domain *d, bool ok, char *text)
{
	struct done *done = alloc_zero(sizeof(*done));
	struct slot *slot;

	done->fn = TAKE(d->restart.fn);
	done->arg = d->restart.arg;
	done->ok = ok;
	done->text = text;
	timer_stop(d->restart.hold_timer);
	TAILQ_FOREACH(slot, &d->slots, next)
		slot->roll = SLOT_STAYS;
	log_info_about(
		&d->about, "domain %s: restart %s: %s", d->name, ok ? "done" : "failed", text);
	loop_defer(d->loop, tell_done, done);
}

void domain_abandon_restart(struct domain *d, const char *why)
{
	if (d->restart.fn)
		end_restart(d, false,
			alloc_printf("%u of %u processes were replaced, then %s", d->restart.n_done,
				d->restart.n_all, why));
}

static void start_fresh(struct domain *d)
{
	struct slot *slot = domain_add_slot(d);

	slot->roll = SLOT_FRESH;
	worker_start(slot->worker);
}

/* --- the old ones go ---------------------------------------------------------------------------- */

static int score(const struct slot *slot)
{
	return (slot->n_holds > 0 ? 2 : 0) + (worker_is_idle(slot->worker) ? 0 : 1);
}

/* The one that has the least to do. */
static struct slot *pick_old(const struct domain *d)
{
	struct slot *best = NULL;
	struct slot *slot;

	TAILQ_FOREACH(slot, &d->slots, next)
		if (is_old(slot) && (!best || score(slot) < score(best)))
			best = slot;
	return best;
}

static void go_on(struct domain *d)
{
	if (!d->restart.fn || count(d, SLOT_FRESH) > 0)
		return;
	if (pick_old(d))
		start_fresh(d);
	else if (count(d, SLOT_LEAVES) == 0)
		end_restart(d, true,
			alloc_printf("%u process%s replaced", d->restart.n_done,
				d->restart.n_done == 1 ? "" : "es"));
}

/* What it does beside calls (tasks) may take its time, too. */
static void send_away(struct domain *d, struct slot *slot)
{
	slot->roll = SLOT_LEAVES;
	if (slot->n_holds == 0) {
		domain_retire(d, slot, d->restart.drain_ms);
		return;
	}
	domain_release(d, slot);
	slot->retiring = true;
	if (!timer_is_running(d->restart.hold_timer))
		timer_start(d->restart.hold_timer, d->restart.drain_ms);
}

static bool is_waited_for(const struct slot *slot)
{
	return slot->roll == SLOT_LEAVES && worker_get_state(slot->worker) == WORKER_READY;
}

bool domain_restart_waits_for(const struct slot *slot)
{
	return is_waited_for(slot) && slot->n_holds > 0;
}

void domain_restart_let_go(struct domain *d, struct slot *slot)
{
	if (is_waited_for(slot))
		worker_stop(slot->worker, d->restart.drain_ms);
}

/* They had their time. */
void domain_on_hold_timer(void *arg)
{
	struct domain *d = arg;
	struct slot *slot;
	struct slot *after;

	for (slot = TAILQ_FIRST(&d->slots); slot; slot = after) {
		after = TAILQ_NEXT(slot, next);
		domain_restart_let_go(d, slot);
	}
}

/* --- news --------------------------------------------------------------------------------------- */

void domain_restart_on_ready(struct domain *d, struct slot *slot)
{
	struct slot *old;

	if (slot->roll != SLOT_FRESH)
		return;
	slot->roll = SLOT_STAYS;
	d->restart.n_done++;
	old = d->restart.n_lone > 0 ? NULL : pick_old(d);
	if (d->restart.n_lone > 0)
		d->restart.n_lone--;
	if (old)
		send_away(d, old);
	go_on(d);
}

static bool has_ready(const struct domain *d)
{
	struct slot *slot;

	TAILQ_FOREACH(slot, &d->slots, next)
		if (!slot->retiring && worker_get_state(slot->worker) == WORKER_READY)
			return true;
	return false;
}

/* A new process did not come up. While there is no other one it goes on trying, as processes do. */
static void fail_restart(struct domain *d, struct slot *slot)
{
	bool served = has_ready(d);

	domain_on_hold_timer(d);
	end_restart(d, false,
		alloc_printf("%u of %u processes were replaced, %s; the next one: %s",
			d->restart.n_done, d->restart.n_all,
			served ? "the others stay" : "none serves",
			worker_get_last_end(slot->worker)));
	if (served)
		domain_retire(d, slot, 0);
}

void domain_restart_on_lost(struct domain *d, struct slot *slot)
{
	if (slot->retiring)
		return;
	if (slot->roll == SLOT_FRESH) {
		fail_restart(d, slot);
	} else if (slot->roll == SLOT_OLD) { /* what follows in its place is a new one */
		slot->roll = SLOT_STAYS;
		d->restart.n_done++;
		go_on(d);
	}
}

void domain_restart_on_removed(struct domain *d)
{
	go_on(d);
}

/* --- public ------------------------------------------------------------------------------------- */

/* Those that serve are old, the others go at once; how many these are. */
static unsigned mark_all(struct domain *d)
{
	struct slot *slot;
	unsigned n = 0;

	TAILQ_FOREACH(slot, &d->slots, next) {
		if (slot->retiring)
			continue;
		slot->roll =
			worker_get_state(slot->worker) == WORKER_READY ? SLOT_OLD : SLOT_LEAVES;
		n += slot->roll == SLOT_LEAVES;
	}
	return n;
}

static unsigned count_lacking(const struct domain *d)
{
	unsigned n = d->is_isolated ? domain_count_spares(d) : domain_count_staying(d);

	return n < d->min ? d->min - n : 0;
}

static void drop_useless(struct domain *d)
{
	struct slot *slot;
	struct slot *after;

	for (slot = TAILQ_FIRST(&d->slots); slot; slot = after) {
		after = TAILQ_NEXT(slot, next);
		if (slot->roll == SLOT_LEAVES && !slot->retiring)
			domain_retire(d, slot, 0);
	}
}

int domain_restart(
	struct domain *d, int64_t drain_ms, domain_done_fn *fn, void *arg, struct fail *fail)
{
	unsigned n;

	if (d->state == DOMAIN_STOPPED)
		return fail_set(fail, -ESHUTDOWN, "domain %s is being stopped", d->name);
	if (d->is_disabled)
		return fail_set(fail, -ENXIO, "domain %s is disabled: enable it instead", d->name);
	if (d->restart.fn)
		return fail_set(fail, -EALREADY, "domain %s is being restarted already", d->name);
	d->restart.fn = fn;
	d->restart.arg = arg;
	d->restart.drain_ms = drain_ms;
	d->restart.n_done = 0;
	d->waking |= d->asleep; /* what it offers now is to be seen */
	d->asleep = false;
	domain_note_busy(d);
	n = mark_all(d);
	n += count_lacking(d);
	d->restart.n_lone = n;
	d->restart.n_all = count(d, SLOT_OLD) + n;
	for (; n > 0; n--) /* before the others go, or the gap would be filled by itself */
		start_fresh(d);
	drop_useless(d);
	domain_update_state(d);
	go_on(d);
	domain_pump(d);
	return 0;
}
