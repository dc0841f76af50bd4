/* See domain.h. */
#include "supervisor/fleet/domain.h"

#include "shared/alloc.h"
#include "supervisor/fleet/domain_private.h"
#include "supervisor/fleet/store.h"

enum { RERUN_DRAIN_MS = 5000 };

static bool is_running(enum worker_state state)
{
	return state != WORKER_DOWN && state != WORKER_BACKOFF && state != WORKER_PARKED;
}

/* --- its own state, derived from its workers --------------------------------------------------- */

static enum domain_state derive_state(const struct domain *d)
{
	bool any = false;
	bool trying = false;
	struct slot *slot;

	if (d->state == DOMAIN_STOPPED)
		return DOMAIN_STOPPED;
	if (d->is_disabled)
		return DOMAIN_DISABLED;
	if (d->asleep)
		return DOMAIN_ASLEEP;
	TAILQ_FOREACH(slot, &d->slots, next) {
		enum worker_state state = worker_get_state(slot->worker);

		if (state == WORKER_READY)
			return DOMAIN_UP;
		any = true;
		/* A second try of a parked worker is no hope yet. */
		trying |= state != WORKER_PARKED && state != WORKER_DOWN &&
			  !(d->state == DOMAIN_PARKED && is_running(state));
	}
	if (any && !trying)
		return DOMAIN_PARKED;
	if (d->waking)
		return DOMAIN_ASLEEP;
	return d->was_up ? DOMAIN_DOWN : DOMAIN_STARTING;
}

/* --- losing calls, telling the lists ----------------------------------------------------------- */

void domain_lose(
	struct domain *d, struct request *request, enum domain_loss loss, const char *cause)
{
	if (!request->cancelled) {
		domain_count_loss(d, cause);
		d->hooks->lost(d->arg, request->no, loss, cause);
	}
	request_free(request);
}

static void lose_queue(struct domain *d, const char *cause)
{
	struct request *request;

	while ((request = fairq_oldest(d->queue))) {
		fairq_remove(d->queue, request);
		domain_lose(d, request, request->was_rerun ? DOMAIN_LOST_DIED : DOMAIN_LOST_DOWN,
			cause);
	}
}

static void forget_tools(struct domain *d)
{
	if (!d->offering_text)
		return;
	free(TAKE(d->offering_text));
	d->hooks->offering(d->arg, d, NULL);
}

/* The list is the same, but which part of it is offered may have changed. */
static void tell_tools_again(struct domain *d)
{
	struct offering offering;

	if (!d->offering_text || offering_from_text(d->offering_text, &offering) < 0)
		return;
	d->hooks->offering(d->arg, d, &offering);
	offering_done(&offering);
}

/* The answer to initialize counts too: it names the aliases of a native worker. */
void domain_tell_offering(struct domain *d, const struct offering *offering)
{
	auto_free char *text = offering_to_text(offering);

	if (text && !(d->offering_text && streq(text, d->offering_text))) {
		free(d->offering_text);
		d->offering_text = TAKE(text);
		d->is_stored = false;
		d->hooks->offering(d->arg, d, offering);
	}
	domain_keep_offering(d);
}

void domain_update_state(struct domain *d)
{
	enum domain_state was = d->state;

	d->state = derive_state(d);
	if (d->state == DOMAIN_UP)
		d->was_up = true;
	if (d->state != DOMAIN_ASLEEP)
		d->waking = false;
	if (d->state != was) {
		log_info_about(&d->about, "domain %s: %s", d->name, domain_state_name(d->state));
		if (d->state == DOMAIN_PARKED || d->state == DOMAIN_DISABLED) {
			lose_queue(d, d->is_disabled ? "the domain is disabled" : d->last_death);
			forget_tools(d);
		}
	}
	d->hooks->changed(d->arg, d);
}

/* --- settings ---------------------------------------------------------------------------------- */

static void take_sizes(struct domain *d, const struct conf_domain *conf)
{
	d->min = conf->processes_min;
	d->max = conf->processes_max;
	d->max_queued = conf->queue;
	d->max_queued_bytes = conf->queue_bytes;
	d->idle_shrink_ms = conf->idle_shrink_ms;
	d->idle_stop_ms = conf->idle_stop_ms;
	d->is_isolated = conf->isolation == CONF_ISOLATION_SESSION;
	d->is_lazy = conf->start == CONF_START_LAZY;
}

static void take_setup(
	struct domain *d, const struct conf_domain *conf, const struct domain_programs *programs)
{
	worker_setup_unref(d->setup);
	d->setup = domain_make_setup(conf, programs);
	free(d->fingerprint);
	d->fingerprint = domain_make_fingerprint(conf, programs);
	d->is_stored = false;
}

/* --- public ------------------------------------------------------------------------------------ */

struct domain *domain_new(struct loop *loop, struct launcher *launcher,
	const struct conf_domain *conf, const struct domain_programs *programs,
	const struct domain_hooks *hooks, void *arg)
{
	struct domain *d = alloc_zero(sizeof(*d));

	d->loop = loop;
	d->launcher = launcher;
	d->hooks = hooks;
	d->arg = arg;
	d->name = alloc_str(conf->name);
	d->about.domain = d->name;
	d->last_death = alloc_str("");
	d->last_error = alloc_str("");
	d->drain_ms = RERUN_DRAIN_MS;
	take_sizes(d, conf);
	take_setup(d, conf, programs);
	TAILQ_INIT(&d->slots);
	TAILQ_INIT(&d->lost);
	d->queue = fairq_new();
	d->wants = wants_new();
	d->grow_timer = timer_new(loop, domain_on_grow_timer, d);
	d->shrink_timer = timer_new(loop, domain_on_shrink_timer, d);
	d->wants_timer = timer_new(loop, domain_on_wants_timer, d);
	d->idle_timer = timer_new(loop, domain_on_idle_timer, d);
	d->news_timer = timer_new(loop, domain_on_news_timer, d);
	d->restart.hold_timer = timer_new(loop, domain_on_hold_timer, d);
	return d;
}

void domain_free(struct domain *d)
{
	struct slot *slot;

	if (!d)
		return;
	domain_abandon_restart(d, "the supervisor ended");
	lose_queue(d, "the supervisor ends");
	while ((slot = TAILQ_FIRST(&d->slots))) {
		TAILQ_REMOVE(&d->slots, slot, next);
		domain_free_slot(slot);
	}
	fairq_free(d->queue);
	wants_free(d->wants);
	timer_free(d->grow_timer);
	timer_free(d->shrink_timer);
	timer_free(d->wants_timer);
	timer_free(d->idle_timer);
	timer_free(d->news_timer);
	timer_free(d->restart.hold_timer);
	worker_setup_unref(d->setup);
	free(d->fingerprint);
	free(d->offering_text);
	free(d->fleet_state);
	free(d->last_death);
	free(d->last_error);
	free(d->name);
	free(d);
}

void domain_start(struct domain *d)
{
	domain_note_busy(d);
	domain_refill(d);
}

/* Those that serve go when a new one is ready, and those that finish their calls do so; the others have
 * nothing to lose. The new ones may be more than processes.max together with the old ones. */
static void replace_all(struct domain *d)
{
	struct slot *slot;
	struct slot *after;

	if (d->is_disabled)
		return;
	TAILQ_FOREACH(slot, &d->slots, next) {
		domain_release(d, slot);
		slot->retiring = true;
	}
	for (slot = TAILQ_FIRST(&d->slots); slot; slot = after) {
		enum worker_state state = worker_get_state(slot->worker);

		after = TAILQ_NEXT(slot, next);
		if (slot->retiring && state != WORKER_READY && state != WORKER_DRAINING)
			worker_stop(slot->worker, 0);
	}
	d->waking |= d->asleep; /* what it offers now is to be seen */
	d->asleep = false;
	while (domain_count_staying(d) < d->min)
		worker_start(domain_add_slot(d)->worker);
}

static void retire_surplus(struct domain *d, int64_t drain_ms)
{
	struct slot *slot;
	struct slot *after;

	/* A restart may have one more. */
	for (slot = TAILQ_FIRST(&d->slots);
		slot && domain_count_staying(d) > d->max + (d->restart.fn ? 1 : 0); slot = after) {
		after = TAILQ_NEXT(slot, next);
		if (!slot->retiring && !slot->is_owned)
			domain_retire(d, slot, drain_ms);
	}
}

void domain_reload(struct domain *d, const struct conf_domain *conf,
	const struct domain_programs *programs, bool replace, int64_t drain_ms)
{
	take_sizes(d, conf);
	d->drain_ms = drain_ms;
	if (replace || d->state == DOMAIN_PARKED) {
		domain_abandon_restart(d, "the settings changed: all are being replaced");
		take_setup(d, conf, programs);
		replace_all(d);
	} else {
		domain_tune_setup(d->setup, conf);
	}
	retire_surplus(d, drain_ms);
	domain_refill(d);
	timer_stop(d->idle_timer);
	domain_watch_idle(d);
	tell_tools_again(d);
	domain_pump(d);
}

static void end_all(struct domain *d, int64_t drain_ms)
{
	struct slot *slot;
	struct slot *after;

	for (slot = TAILQ_FIRST(&d->slots); slot; slot = after) {
		after = TAILQ_NEXT(slot, next);
		domain_release(d, slot);
		slot->retiring = true;
		if (worker_get_state(slot->worker) == WORKER_DOWN)
			domain_remove_slot(d, slot);
		else
			worker_stop(slot->worker, drain_ms);
	}
}

void domain_disable(struct domain *d, int64_t drain_ms)
{
	if (d->is_disabled || d->state == DOMAIN_STOPPED)
		return;
	domain_abandon_restart(d, "it was disabled");
	d->is_disabled = true;
	d->asleep = d->waking = d->was_up = false;
	timer_stop(d->idle_timer);
	domain_update_state(d);
	end_all(d, drain_ms);
	timer_start(d->news_timer, 0);
}

void domain_enable(struct domain *d)
{
	if (!d->is_disabled || d->state == DOMAIN_STOPPED)
		return;
	d->is_disabled = false;
	domain_start(d);
	domain_update_state(d);
}

void domain_stop(struct domain *d, int64_t drain_ms)
{
	bool none = TAILQ_EMPTY(&d->slots);

	if (d->state == DOMAIN_STOPPED)
		return;
	domain_abandon_restart(d, "it was stopped");
	d->state = DOMAIN_STOPPED;
	lose_queue(d, "the domain stops");
	forget_tools(d);
	d->hooks->changed(d->arg, d);
	end_all(d, drain_ms);
	if (none)
		d->hooks->stopped(d->arg, d);
}

void domain_set_fleet_state(struct domain *d, const char *params)
{
	struct slot *slot;

	if (d->fleet_state && streq(d->fleet_state, params))
		return;
	free(d->fleet_state);
	d->fleet_state = alloc_str(params);
	TAILQ_FOREACH(slot, &d->slots, next)
		worker_notify(slot->worker, "notifications/mcp-fleet/state", params);
}

void domain_reply(struct domain *d, unsigned worker, const char *line, size_t len)
{
	struct slot *slot;

	TAILQ_FOREACH(slot, &d->slots, next)
		if (worker_get_index(slot->worker) == worker)
			worker_reply(slot->worker, line, len);
}

const char *domain_get_name(const struct domain *d)
{
	return d->name;
}

enum domain_state domain_get_state(const struct domain *d)
{
	return d->state;
}

bool domain_is_new(const struct domain *d)
{
	return d->state == DOMAIN_STARTING && d->n_restarts == 0;
}

const char *domain_state_name(enum domain_state state)
{
	switch (state) {
	case DOMAIN_STARTING:
		return "starting";
	case DOMAIN_UP:
		return "up";
	case DOMAIN_DOWN:
		return "down";
	case DOMAIN_PARKED:
		return "parked";
	case DOMAIN_ASLEEP:
		return "asleep";
	case DOMAIN_DISABLED:
		return "disabled";
	case DOMAIN_STOPPED:
		return "stopped";
	}
	return "";
}
