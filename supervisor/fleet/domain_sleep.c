/* A domain without processes: `start: lazy` and `idle_stop`.
 *
 * Asleep, it offers what its workers told last, in this run or (from the store) in an earlier one. The
 * first call wakes it, and waits like any other; what the fresh processes offer is compared then. While
 * somebody subscribes to a resource it stays awake, or the news would never come. */
#include "shared/alloc.h"
#include "supervisor/fleet/domain_private.h"
#include "supervisor/fleet/store.h"

void domain_note_busy(struct domain *d)
{
	d->busy_ms = loop_now_ms(d->loop);
}

void domain_wake(struct domain *d)
{
	if (!d->asleep || d->state == DOMAIN_STOPPED)
		return;
	log_info_about(&d->about, "domain %s: wakes up", d->name);
	d->asleep = false;
	d->waking = true;
	domain_note_busy(d);
	domain_refill(d);
	domain_update_state(d);
}

static void fall_asleep(struct domain *d)
{
	struct slot *slot;
	struct slot *after;

	d->asleep = true;
	for (slot = TAILQ_FIRST(&d->slots); slot; slot = after) {
		after = TAILQ_NEXT(slot, next);
		if (!slot->retiring)
			domain_retire(d, slot, 0);
		else if (worker_get_state(slot->worker) != WORKER_DRAINING)
			worker_stop(slot->worker, 0); /* its successor never was ready */
	}
	domain_update_state(d);
}

void domain_watch_idle(struct domain *d)
{
	if (d->idle_stop_ms == 0 || d->asleep || d->is_disabled || d->state == DOMAIN_STOPPED)
		timer_stop(d->idle_timer);
	else if (!timer_is_running(d->idle_timer))
		timer_start(d->idle_timer, d->idle_stop_ms);
}

void domain_on_idle_timer(void *arg)
{
	struct domain *d = arg;
	int64_t left_ms = d->busy_ms + d->idle_stop_ms - loop_now_ms(d->loop);

	if (d->state != DOMAIN_UP || domain_is_busy(d) || d->restart.fn || wants_has_uris(d->wants))
		left_ms = d->idle_stop_ms;
	if (left_ms <= 0)
		fall_asleep(d);
	else if (d->idle_stop_ms > 0)
		timer_start(d->idle_timer, left_ms);
}

/* --- the store --------------------------------------------------------------------------------- */

void domain_keep_offering(struct domain *d)
{
	if (!d->store || !d->is_lazy || d->is_stored || !d->offering_text)
		return;
	d->is_stored = true;
	store_write(d->store, d->name, d->fingerprint, d->offering_text);
}

void domain_on_news_timer(void *arg)
{
	struct domain *d = arg;

	d->hooks->changed(d->arg, d);
}

void domain_use_store(struct domain *d, struct store *store, bool recall)
{
	auto_free char *text = NULL;
	struct offering offering;

	d->store = store;
	if (!recall || !store || !d->is_lazy)
		return;
	text = store_read(store, d->name, d->fingerprint);
	if (!text)
		return;
	if (offering_from_text(text, &offering) < 0) {
		log_warn_about(&d->about,
			"domain %s: the lists that are kept are damaged, ignoring them", d->name);
		return;
	}
	/* As we write it: what the workers tell is compared with that. */
	d->offering_text = offering_to_text(&offering);
	if (d->offering_text) {
		d->is_stored = d->asleep = d->was_up = true;
		d->state = DOMAIN_ASLEEP;
		log_info_about(&d->about, "domain %s: %s, offers what it offered last", d->name,
			domain_state_name(d->state));
		d->hooks->offering(d->arg, d, &offering);
		timer_start(d->news_timer, 0);
	}
	offering_done(&offering);
}
