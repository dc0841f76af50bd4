/* What the workers of a domain tell it. */
#include "shared/clock.h"
#include "supervisor/fleet/domain_private.h"

static void on_ready(void *arg, struct worker *worker, const struct offering *offering)
{
	struct slot *slot = arg;
	struct domain *d = slot->domain;
	struct slot *other;

	if (d->fleet_state)
		worker_notify(worker, "notifications/mcp-fleet/state", d->fleet_state);
	domain_tell_offering(d, offering);
	if (!slot->retiring)
		TAILQ_FOREACH(other, &d->slots, next)
			if (other->retiring && worker_get_state(other->worker) != WORKER_DRAINING &&
				!domain_restart_waits_for(other))
				worker_stop(other->worker, d->drain_ms);
	if (domain_count_staying(d) > d->min && !timer_is_running(d->shrink_timer))
		timer_start(d->shrink_timer, d->idle_shrink_ms);
	domain_restart_on_ready(d, slot);
	domain_update_state(d);
	domain_tell_wants(d);
	domain_pump(d);
	domain_watch_idle(d);
}

static void on_answered(void *arg, const struct request *request, const struct rpc *rpc)
{
	struct slot *slot = arg;
	struct domain *d = slot->domain;

	d->answering = worker_get_index(slot->worker);
	domain_count_answer(slot, request, rpc);
	d->hooks->answered(d->arg, request->no, rpc);
	d->answering = 0;
}

static void on_freed(void *arg, struct worker *worker)
{
	struct domain *d = ((struct slot *)arg)->domain;

	domain_note_busy(d);
	domain_pump(d);
}

static void on_progress(void *arg, uint64_t no, const struct rpc *rpc)
{
	struct domain *d = ((struct slot *)arg)->domain;

	d->hooks->progress(d->arg, no, rpc);
}

static void fill_speaker(
	const struct slot *slot, uint64_t calls[DOMAIN_SPEAKER_CALLS], struct domain_speaker *ret)
{
	*ret = (struct domain_speaker){ .worker = worker_get_index(slot->worker),
		.session = slot->is_owned ? slot->owner : 0,
		.calls = calls };
	ret->n_calls = worker_list_calls(slot->worker, calls, DOMAIN_SPEAKER_CALLS);
	ret->n_unsure = worker_count_unsure(slot->worker, &ret->unsure_session);
}

static void on_asked(void *arg, struct worker *worker, const struct rpc *rpc)
{
	struct domain *d = ((struct slot *)arg)->domain;
	uint64_t calls[DOMAIN_SPEAKER_CALLS];
	struct domain_speaker who;

	fill_speaker(arg, calls, &who);
	d->hooks->asked(d->arg, d, &who, rpc);
}

static void on_told(void *arg, struct worker *worker, const struct rpc *rpc)
{
	struct domain *d = ((struct slot *)arg)->domain;
	uint64_t calls[DOMAIN_SPEAKER_CALLS];
	struct domain_speaker who;

	fill_speaker(arg, calls, &who);
	d->hooks->told(d->arg, d, &who, rpc);
}

/* A call that was sent ahead has not begun: for it this is not a second time. */
static bool may_run_again(const struct domain *d, const struct request *request)
{
	if (request->cancelled || d->is_disabled || d->state == DOMAIN_STOPPED ||
		d->state == DOMAIN_PARKED)
		return false;
	return request->ahead || (request->may_rerun && !request->was_rerun);
}

/* To be told of one may end its session, which then cancels and forgets the others. */
static void lose_all(struct domain *d, const char *cause)
{
	struct request *request;

	while ((request = TAILQ_FIRST(&d->lost))) {
		TAILQ_REMOVE(&d->lost, request, next);
		domain_lose(d, request, DOMAIN_LOST_DIED, cause);
	}
}

/* What a dead worker had: again from the head of the queue, once, where that is safe. */
static void on_lost(void *arg, struct worker *worker, struct request_list *calls)
{
	struct slot *slot = arg;
	struct domain *d = slot->domain;
	struct request *request;

	slot->told_wants = 0;
	slot->n_holds = 0;
	domain_note_end(d, worker, !slot->retiring);
	if (!slot->retiring) {
		d->waking = false;
		domain_note_death(d, worker);
	}
	while ((request = TAILQ_LAST(calls, request_list))) {
		TAILQ_REMOVE(calls, request, next);
		if (may_run_again(d, request)) {
			request->was_rerun |= !request->ahead;
			request->ahead = false;
			fairq_add_first(d->queue, request);
		} else {
			TAILQ_INSERT_HEAD(&d->lost, request, next);
		}
	}
	d->answering = worker_get_index(worker);
	lose_all(d, worker_get_last_end(worker));
	d->answering = 0;
	domain_lose_parked(d, slot);
	d->hooks->worker_ended(d->arg, d, worker_get_index(worker));
	domain_restart_on_lost(d, slot);
	domain_update_state(d);
	domain_pump(d);
}

static void on_moved(void *arg, struct worker *worker)
{
	struct slot *slot = arg;
	struct domain *d = slot->domain;

	if (worker_get_state(worker) == WORKER_STARTING)
		d->last_start_ms = clock_wall_ms();
	if (worker_get_state(worker) == WORKER_DOWN && slot->retiring) {
		domain_remove_slot(d, slot);
		return;
	}
	/* Before on_lost(): if the domain is parked now, what waits is lost for this cause. */
	if (worker_get_state(worker) == WORKER_PARKED && !slot->retiring)
		domain_note_death(d, worker);
	domain_update_state(d);
}

const struct worker_hooks domain_worker_hooks = {
	.ready = on_ready,
	.answered = on_answered,
	.freed = on_freed,
	.progress = on_progress,
	.asked = on_asked,
	.told = on_told,
	.lost = on_lost,
	.moved = on_moved,
};
