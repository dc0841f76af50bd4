/* What a domain counts: how calls ended and how long they took, its last trouble, its processes. */
#include "shared/alloc.h"
#include "shared/clock.h"
#include "supervisor/fleet/domain_private.h"

static void set_last_error(struct domain *d, const char *what, const char *words)
{
	char *text = alloc_printf("%s: %s", what, words); /* `words` may be a part of the old one */

	free(d->last_error);
	d->last_error = text;
	d->last_error_ms = loop_now_ms(d->loop);
}

void domain_count_answer(struct slot *slot, const struct request *request, const struct rpc *rpc)
{
	struct domain *d = slot->domain;
	int64_t took_us = clock_now_us() - request->queued_us;

	histogram_add(&d->latency, took_us);
	histogram_add(&slot->latency, took_us);
	if (rpc->kind == RPC_ERROR)
		d->n_errors++;
	else
		d->n_ok++;
}

void domain_count_loss(struct domain *d, const char *cause)
{
	d->n_lost++;
	set_last_error(d, "a call was lost", cause);
}

void domain_count_cancel(struct domain *d, const char *reason)
{
	if (streq(reason, DOMAIN_CANCEL_DEADLINE))
		d->n_timed_out++;
	else
		d->n_cancelled++;
}

void domain_note_end(struct domain *d, const struct worker *worker, bool is_restart)
{
	d->ended_cpu_us += worker_get_last_cpu_us(worker);
	if (!is_restart)
		return;
	d->n_restarts++;
	d->restarts[worker_get_last_cause(worker)]++;
}

void domain_note_death(struct domain *d, const struct worker *worker)
{
	free(d->last_death);
	d->last_death = alloc_str(worker_get_last_end(worker));
	set_last_error(d, worker_get_name(worker), d->last_death);
}

void domain_get_stats(const struct domain *d, struct domain_stats *ret)
{
	struct slot *slot;

	*ret = (struct domain_stats){
		.state = d->state,
		.n_queued = fairq_count(d->queue),
		.n_queue_max = d->max_queued,
		.n_restarts = d->n_restarts,
		.restarts = d->restarts,
		.ended_cpu_us = d->ended_cpu_us,
		.last_start_ms = d->last_start_ms,
		.n_calls = d->n_calls,
		.n_ok = d->n_ok,
		.n_errors = d->n_errors,
		.n_lost = d->n_lost,
		.n_cancelled = d->n_cancelled,
		.n_timed_out = d->n_timed_out,
		.last_death = d->last_death,
		.last_error = d->last_error,
		.last_error_ms = d->last_error_ms,
		.latency = &d->latency,
	};
	TAILQ_FOREACH(slot, &d->slots, next) {
		enum worker_state state = worker_get_state(slot->worker);

		ret->n_processes += worker_get_pid(slot->worker) != 0;
		ret->n_starting += state == WORKER_STARTING || state == WORKER_LISTING;
		ret->n_ready += state == WORKER_READY;
		ret->n_stopping += state == WORKER_DRAINING || state == WORKER_STOPPING ||
				   state == WORKER_TERMINATING || state == WORKER_KILLED ||
				   state == WORKER_ENDING;
		ret->n_waiting += state == WORKER_BACKOFF;
		ret->n_parked += state == WORKER_PARKED;
		ret->n_in_flight += worker_count_calls(slot->worker);
	}
}

void domain_each_process(const struct domain *d,
	void (*fn)(void *arg, const struct domain_process *process), void *arg)
{
	struct slot *slot;

	TAILQ_FOREACH(slot, &d->slots, next) {
		const struct worker *w = slot->worker;
		const struct domain_process process = {
			.name = worker_get_name(w),
			.index = worker_get_index(w),
			.pid = worker_get_pid(w),
			.state = worker_state_name(worker_get_state(w)),
			.n_calls = worker_count_calls(w),
			.n_starts = worker_get_starts(w),
			.n_answered = worker_get_answers(w),
			.latency = &slot->latency,
			.since_ms = worker_get_started_ms(w),
			.last_end = worker_get_last_end(w),
			.retiring = slot->retiring,
			.session = slot->is_owned ? slot->owner : 0,
		};

		fn(arg, &process);
	}
}
