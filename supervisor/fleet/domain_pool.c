/* A domain's processes, and which of them gets a call: growth, shrinking, turns.
 *
 * Two rules keep one client from starving the others: the next call is that of the session with the
 * fewest calls running (fairq.h), and the last free place goes to a session that has none running, as
 * long as others were heard lately. */
#include <errno.h>

#include "shared/alloc.h"
#include "shared/clock.h"
#include "supervisor/fleet/domain_private.h"

enum {
	GROW_AFTER_MS = 50,  /* a call that waited so long asks for one more process */
	STUCK_AFTER_MS = 20, /* one that runs so long gives back those that were sent behind it */
	AHEAD_BYTES = 16384, /* larger calls are not sent ahead */
	LATELY_MS = 60000,   /* a session that called within this time may call again soon */
};

/* --- slots ------------------------------------------------------------------------------------- */

struct slot *domain_add_slot(struct domain *d)
{
	struct slot *slot = alloc_zero(sizeof(*slot));

	slot->domain = d;
	slot->worker =
		worker_new(d->loop, d->launcher, d->setup, ++d->n_made, &domain_worker_hooks, slot);
	TAILQ_INSERT_TAIL(&d->slots, slot, next);
	return slot;
}

void domain_free_slot(void *arg)
{
	struct slot *slot = arg;

	worker_free(slot->worker);
	free(slot);
}

void domain_remove_slot(struct domain *d, struct slot *slot)
{
	TAILQ_REMOVE(&d->slots, slot, next);
	loop_defer(d->loop, domain_free_slot, slot);
	if (d->state != DOMAIN_STOPPED) {
		domain_refill(d);
		domain_restart_on_removed(d);
	} else if (TAILQ_EMPTY(&d->slots)) {
		d->hooks->stopped(d->arg, d);
	}
}

unsigned domain_count_staying(const struct domain *d)
{
	struct slot *slot;
	unsigned n = 0;

	TAILQ_FOREACH(slot, &d->slots, next)
		n += !slot->retiring;
	return n;
}

bool domain_is_busy(const struct domain *d)
{
	struct slot *slot;

	TAILQ_FOREACH(slot, &d->slots, next)
		if (worker_count_calls(slot->worker) > 0 || slot->n_holds > 0)
			return true;
	return fairq_count(d->queue) > 0;
}

void domain_retire(struct domain *d, struct slot *slot, int64_t drain_ms)
{
	domain_release(d, slot);
	slot->retiring = true;
	worker_stop(slot->worker, drain_ms);
}

static unsigned count_all(const struct domain *d)
{
	struct slot *slot;
	unsigned n = 0;

	TAILQ_FOREACH(slot, &d->slots, next)
		n++;
	return n;
}

/* With a process for each session the minimum is of those that nobody has yet. */
void domain_refill(struct domain *d)
{
	unsigned n = d->is_isolated ? domain_count_spares(d) : domain_count_staying(d);

	if (d->asleep || d->is_disabled || d->state == DOMAIN_STOPPED)
		return;
	for (; n < d->min && !(d->is_isolated && count_all(d) >= d->max); n++)
		worker_start(domain_add_slot(d)->worker);
}

/* --- turns ------------------------------------------------------------------------------------- */

/* Is somebody else around? */
static bool has_others(const struct domain *d, uint64_t session)
{
	int64_t old_ms = loop_now_ms(d->loop) - LATELY_MS;

	for (size_t i = 0; i < N_ELEMENTS(d->recent); i++)
		if (d->recent[i].session != session && d->recent[i].at_ms > 0 &&
			d->recent[i].at_ms > old_ms)
			return true;
	return false;
}

/* Places in which a call could begin now, or when one more process has been started. */
static unsigned count_places(const struct domain *d)
{
	unsigned each = d->setup->concurrency;
	unsigned n = d->max * each;
	struct slot *slot;

	TAILQ_FOREACH(slot, &d->slots, next) {
		unsigned n_calls = slot->retiring ? 0 : worker_count_places(slot->worker);

		n_calls = n_calls < each ? n_calls : each;
		n -= n_calls < n ? n_calls : n;
	}
	return n;
}

static bool may_begin(const struct domain *d, const struct request *request)
{
	return fairq_count_running(d->queue, request->session) == 0 ||
	       !has_others(d, request->session) || count_places(d) > 1;
}

/* The first worker with room; those of older settings only while there is no other. Taking the first
 * keeps the others idle, so that they can go. */
static struct slot *find_room(const struct domain *d)
{
	struct slot *old = NULL;
	struct slot *slot;

	TAILQ_FOREACH(slot, &d->slots, next) {
		if (!worker_has_room(slot->worker) || slot->is_owned)
			continue;
		if (!slot->retiring)
			return slot;
		old = slot;
	}
	return old;
}

/* Its calls take long, and somebody else is around. */
static bool is_greedy(const struct domain *d, uint64_t session)
{
	struct slot *slot;

	if (!has_others(d, session))
		return false;
	TAILQ_FOREACH(slot, &d->slots, next)
		if (worker_is_held_by(slot->worker, session))
			return true;
	return false;
}

/* All are busy: a fast worker may have the call ahead. Only calls that are safe to be taken back, and none
 * that may be as long as those which hold other places: it would take the last one from behind. */
static struct slot *find_ahead(const struct domain *d, const struct request *request)
{
	struct slot *slot;

	if (!request->may_rerun || request->len > AHEAD_BYTES || is_greedy(d, request->session))
		return NULL;
	TAILQ_FOREACH(slot, &d->slots, next)
		if (!slot->retiring && worker_takes_ahead(slot->worker))
			return slot;
	return NULL;
}

int domain_send(struct domain *d, struct slot *slot, struct request *request)
{
	int r;

	fairq_take(d->queue, request);
	r = worker_call(slot->worker, request);
	if (r < 0) /* its end is on the way, and with it the next try */
		fairq_add_first(d->queue, request);
	return r;
}

static void pump_shared(struct domain *d)
{
	struct request *request;
	bool waits = false;

	while ((request = fairq_first(d->queue))) {
		struct slot *slot = find_room(d);

		if (slot && !may_begin(d, request))
			slot = NULL;
		waits = slot == NULL;
		if (!slot)
			slot = find_ahead(d, request);
		if (!slot || domain_send(d, slot, request) < 0)
			break;
	}
	if (waits && !timer_is_running(d->grow_timer))
		timer_start(d->grow_timer, GROW_AFTER_MS);
}

void domain_pump(struct domain *d)
{
	if (d->wants_changed)
		domain_tell_wants(d);
	if (!d->is_isolated) {
		pump_shared(d);
		return;
	}
	domain_pump_sessions(d);
	if (fairq_first(d->queue) && !timer_is_running(d->grow_timer))
		timer_start(d->grow_timer, GROW_AFTER_MS);
}

/* --- growth and shrinking ---------------------------------------------------------------------- */

/* Calls behind one that turned out to be slow must not wait for it. */
static void take_back_stuck(struct domain *d)
{
	struct request_list stuck = TAILQ_HEAD_INITIALIZER(stuck);
	struct request *request;
	struct slot *slot;

	TAILQ_FOREACH(slot, &d->slots, next)
		(void)worker_take_back(slot->worker, STUCK_AFTER_MS, &stuck);
	while ((request = TAILQ_LAST(&stuck, request_list))) {
		TAILQ_REMOVE(&stuck, request, next);
		fairq_add_first(d->queue, request);
	}
}

static void grow(struct domain *d)
{
	const struct request *oldest = fairq_oldest(d->queue);
	const struct request *first = fairq_first(d->queue);
	struct slot *slot;

	if (!first || d->state != DOMAIN_UP || domain_count_staying(d) >= d->max)
		return;
	if (loop_now_ms(d->loop) - oldest->since_ms < GROW_AFTER_MS)
		return; /* calls come as fast as they go: another process would only cost */
	if (!may_begin(d, first))
		return;
	TAILQ_FOREACH(slot, &d->slots, next) {
		enum worker_state state = worker_get_state(slot->worker);

		if (state != WORKER_READY && !slot->retiring)
			return; /* one is on its way already */
	}
	worker_start(domain_add_slot(d)->worker);
	log_debug_about(&d->about, "domain %s: %u calls wait, one more process", d->name,
		fairq_count(d->queue));
	d->hooks->changed(d->arg, d);
}

static bool has_ahead(const struct domain *d)
{
	struct slot *slot;

	TAILQ_FOREACH(slot, &d->slots, next)
		if (worker_has_ahead(slot->worker))
			return true;
	return false;
}

void domain_on_grow_timer(void *arg)
{
	struct domain *d = arg;

	if (d->state == DOMAIN_STOPPED)
		return; /* nobody would run what is taken back */
	take_back_stuck(d);
	if (!d->is_isolated)
		grow(d);
	domain_pump(d);
	if (d->is_isolated)
		domain_lose_crowded(d);
	/* Those that were sent ahead may yet turn out to be stuck. */
	if (has_ahead(d) && !timer_is_running(d->grow_timer))
		timer_start(d->grow_timer, GROW_AFTER_MS);
}

void domain_on_shrink_timer(void *arg)
{
	struct domain *d = arg;
	int64_t old_ms = loop_now_ms(d->loop) - d->idle_shrink_ms;
	unsigned n = d->is_isolated ? domain_count_spares(d) : domain_count_staying(d);
	struct slot *slot;

	TAILQ_FOREACH(slot, &d->slots, next) {
		if (n <= d->min || d->restart.fn)
			break;
		if (slot->retiring || slot->is_owned || slot->n_holds > 0 ||
			!worker_is_idle(slot->worker) ||
			worker_get_idle_since_ms(slot->worker) > old_ms)
			continue;
		domain_retire(d, slot, 0);
		n--;
		break; /* one at a time */
	}
	if (n > d->min)
		timer_start(d->shrink_timer, d->idle_shrink_ms);
}

/* --- calls ------------------------------------------------------------------------------------- */

static void note_caller(struct domain *d, uint64_t session)
{
	int64_t now_ms = loop_now_ms(d->loop);

	if (d->recent[0].session != session || d->recent[0].at_ms == 0)
		d->recent[1] = d->recent[0];
	d->recent[0].session = session;
	d->recent[0].at_ms = now_ms;
}

static int check_room(struct domain *d, const struct domain_call *call)
{
	size_t used = fairq_bytes(d->queue);

	if (d->state == DOMAIN_PARKED || d->state == DOMAIN_DISABLED || d->state == DOMAIN_STOPPED)
		return -ENXIO;
	if (fairq_count(d->queue) >= d->max_queued || used > d->max_queued_bytes ||
		call->len > d->max_queued_bytes - used)
		return -ENOBUFS;
	return d->is_isolated ? domain_admit(d, call->session) : 0;
}

static struct request *make_request(const struct domain *d, const struct domain_call *call)
{
	struct request *request = alloc_zero(sizeof(*request));

	request->no = call->no;
	request->session = call->session;
	request->line = call->line;
	request->len = call->len;
	request->meta_at = call->meta_at;
	request->envelope = call->envelope;
	request->is_modern = call->is_modern;
	request->may_rerun = call->may_rerun;
	request->since_ms = loop_now_ms(d->loop);
	request->queued_us = clock_now_us();
	return request;
}

static struct slot *find_slot(const struct domain *d, unsigned worker)
{
	struct slot *slot;

	TAILQ_FOREACH(slot, &d->slots, next)
		if (worker_get_index(slot->worker) == worker)
			return slot;
	return NULL;
}

/* At once: it waits behind no call, because it is about one that this process has begun. */
static int send_beside(struct domain *d, const struct domain_call *call)
{
	struct slot *slot = find_slot(d, call->worker);
	enum worker_state state = slot ? worker_get_state(slot->worker) : WORKER_DOWN;
	struct request *request;

	if (state != WORKER_READY && state != WORKER_DRAINING)
		return -ESRCH;
	request = make_request(d, call);
	request->is_beside = true;
	request->may_rerun = false;
	if (worker_call(slot->worker, request) == 0) {
		d->n_calls++;
		domain_note_busy(d);
		return 0;
	}
	request->line = request->envelope = NULL; /* the caller's still */
	request_free(request);
	return -ESRCH;
}

int domain_call(struct domain *d, const struct domain_call *call)
{
	int r = call->worker ? send_beside(d, call) : check_room(d, call);

	if (r < 0) {
		free(call->line);
		free(call->envelope);
		return r;
	}
	if (call->worker)
		return 0;
	fairq_add(d->queue, make_request(d, call));
	d->n_calls++;
	note_caller(d, call->session);
	domain_note_busy(d);
	domain_wake(d);
	domain_pump(d);
	return 0;
}

void domain_cancel(struct domain *d, uint64_t no, const char *reason)
{
	struct request *request;
	struct slot *slot;

	TAILQ_FOREACH(slot, &d->slots, next)
		if (worker_cancel(slot->worker, no, reason)) {
			domain_count_cancel(d, reason);
			return;
		}
	TAILQ_FOREACH(request, &d->lost, next)
		if (request->no == no) {
			request->cancelled = true;
			domain_count_cancel(d, reason);
			return;
		}
	request = fairq_find(d->queue, no);
	if (!request)
		return;
	domain_count_cancel(d, reason);
	fairq_remove(d->queue, request);
	request_free(request);
}

void domain_tell_worker(struct domain *d, unsigned worker, const char *line, size_t len)
{
	struct slot *slot = find_slot(d, worker);

	if (slot)
		worker_tell(slot->worker, line, len);
}

void domain_hold(struct domain *d, unsigned worker, bool hold)
{
	struct slot *slot = find_slot(d, worker);

	if (slot && hold)
		slot->n_holds++;
	else if (slot && slot->n_holds > 0)
		slot->n_holds--;
	if (slot && slot->n_holds == 0)
		domain_restart_let_go(d, slot);
	domain_note_busy(d);
}

unsigned domain_get_answering(const struct domain *d)
{
	return d->answering;
}
