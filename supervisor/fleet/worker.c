/* See worker.h. What is said on the link stands in worker_rpc.c and beside it. */
#include "supervisor/fleet/worker.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>

#include "shared/alloc.h"
#include "shared/limits.h"
#include "supervisor/fleet/worker_private.h"

enum {
	STOP_WAIT_MS = 1000, /* closed input, then SIGTERM, each so long */
	MAX_AHEAD = 8,       /* calls in a worker's socket, the running one included */
	FAST_US = 500,       /* a worker that usually needs less gets calls ahead */
	FRESH_US = 5000,     /* but none behind a call that runs so long already */
};

struct step {
	int next; /* 0 (DOWN) with act NULL and !ok: cannot happen */
	void (*act)(struct worker *w);
	bool ok;
};

/* --- what the table calls --------------------------------------------------------------------- */

static void free_link(void *arg)
{
	link_free(arg);
}

/* With all that was under way on it. The link may be in the middle of a callback. */
static void drop_link(struct worker *w)
{
	if (w->link)
		loop_defer(w->loop, free_link, TAKE(w->link));
	timer_stop(w->discover_timer);
	timer_stop(w->list_timer);
	w->is_listing = false;
	w->list_again = false;
	offering_drop_lists(&w->offering);
	free(TAKE(w->refusal));
	worker_forget_wants(w);
	worker_forget_asks(w);
}

static void on_process_end(void *arg, const struct process_end *end);

/* The end of a process that never began is reported like any other, but not from inside the step. */
static void report_failed_start(void *arg)
{
	struct worker *w = arg;
	struct process_end end = { .failed_exec = true, .report = { .err = w->start_errno } };

	(void)snprintf(end.report.text, sizeof(end.report.text), "cannot run it");

	on_process_end(w, &end);
}

static void launch(struct worker *w)
{
	int fd = -1;
	int err_fd = -1;
	int r;

	errlog_free(TAKE(w->errlog));
	offering_done(&w->offering);
	w->n_starts++;
	w->n_answers = 0;
	w->ready_ms = 0;
	w->is_drilled = false;
	w->usual_us = INT64_C(20) * FAST_US; /* until it has shown better */
	r = worker_start_process(w, on_process_end, &fd, &err_fd);
	if (r < 0) {
		w->start_errno = -r;
		loop_defer(w->loop, report_failed_start, w);
		return;
	}
	w->started_ms = loop_now_ms(w->loop);
	w->about.pid = process_pid(w->process);
	w->errlog = errlog_new(w->loop, err_fd, &w->about);
	w->link = link_new(w->loop, fd, w->setup->max_line ? w->setup->max_line : LIMIT_LINE_BYTES,
		&worker_link_hooks, w);
	timer_start(w->timer, w->setup->start_timeout_ms);
	worker_say_hello(w);
}

static void tell_offering(struct worker *w)
{
	w->hooks->ready(w->arg, w, &w->offering);
}

static void become_ready(struct worker *w)
{
	timer_stop(w->timer);
	w->ready_ms = w->idle_since_ms = loop_now_ms(w->loop);
	timer_start(w->health_timer, w->setup->health_interval_ms);
	log_debug_about(&w->about, "%s: ready, %zu tools, %zu resources, %zu prompts", w->name,
		offering_count(w->offering.tools), offering_count(w->offering.resources),
		offering_count(w->offering.prompts));
	worker_tell_wants(w);
	tell_offering(w);
}

static void kill_now(struct worker *w)
{
	timer_stop(w->health_timer);
	timer_stop(w->grace_timer);
	timer_stop(w->timer);
	if (w->process)
		process_kill(w->process, SIGKILL);
	drop_link(w);
}

static void drain(struct worker *w)
{
	timer_stop(w->health_timer);
	timer_start(w->timer, w->drain_ms);
}

static void close_input(struct worker *w)
{
	timer_stop(w->health_timer);
	if (w->link)
		link_shut(w->link);
	timer_start(w->timer, STOP_WAIT_MS);
}

static void terminate(struct worker *w)
{
	if (w->process)
		process_kill(w->process, SIGTERM);
	timer_start(w->timer, STOP_WAIT_MS);
}

/* The link ended while we wait for the process: it gets the rest of the time. */
static void forget_link(struct worker *w)
{
	drop_link(w);
}

static void wait_to_restart(struct worker *w)
{
	timer_start(w->timer, w->restart_wait_ms);
}

static void restart_at_once(struct worker *w)
{
	timer_start(w->timer, 0);
}

static void give_up_waiting(struct worker *w)
{
	timer_stop(w->timer);
}

#define STEP(state, action)                                                                        \
	{                                                                                          \
		.next = (state), .act = (action), .ok = true                                       \
	}

/* clang-format off */
static const struct step steps[WORKER_STATES][WORKER_EVENTS] = {
	[WORKER_DOWN] = {
		[WORKER_EV_START] = STEP(WORKER_STARTING, launch),
		[WORKER_EV_STOP] = STEP(WORKER_DOWN, NULL),
	},
	[WORKER_STARTING] = {
		[WORKER_EV_INITIALIZED] = STEP(WORKER_LISTING, worker_start_listing),
		[WORKER_EV_DEADLINE] = STEP(WORKER_KILLED, kill_now),
		[WORKER_EV_BROKEN] = STEP(WORKER_KILLED, kill_now),
		[WORKER_EV_EXIT] = STEP(WORKER_BACKOFF, wait_to_restart),
		[WORKER_EV_PARK] = STEP(WORKER_PARKED, wait_to_restart),
		[WORKER_EV_STOP] = STEP(WORKER_STOPPING, close_input),
	},
	[WORKER_LISTING] = {
		[WORKER_EV_LISTED] = STEP(WORKER_READY, become_ready),
		[WORKER_EV_DEADLINE] = STEP(WORKER_KILLED, kill_now),
		[WORKER_EV_BROKEN] = STEP(WORKER_KILLED, kill_now),
		[WORKER_EV_EXIT] = STEP(WORKER_BACKOFF, wait_to_restart),
		[WORKER_EV_PARK] = STEP(WORKER_PARKED, wait_to_restart),
		[WORKER_EV_STOP] = STEP(WORKER_STOPPING, close_input),
	},
	[WORKER_READY] = {
		[WORKER_EV_LISTED] = STEP(WORKER_READY, tell_offering),
		[WORKER_EV_BROKEN] = STEP(WORKER_KILLED, kill_now),
		[WORKER_EV_HUNG] = STEP(WORKER_KILLED, kill_now),
		[WORKER_EV_EXIT] = STEP(WORKER_BACKOFF, wait_to_restart),
		[WORKER_EV_CRASH] = STEP(WORKER_BACKOFF, restart_at_once),
		[WORKER_EV_PARK] = STEP(WORKER_PARKED, wait_to_restart),
		[WORKER_EV_STOP] = STEP(WORKER_DRAINING, drain),
	},
	[WORKER_DRAINING] = {
		[WORKER_EV_LISTED] = STEP(WORKER_DRAINING, NULL),
		[WORKER_EV_DRAINED] = STEP(WORKER_STOPPING, close_input),
		[WORKER_EV_DEADLINE] = STEP(WORKER_ENDING, kill_now),
		[WORKER_EV_BROKEN] = STEP(WORKER_ENDING, kill_now),
		[WORKER_EV_HUNG] = STEP(WORKER_ENDING, kill_now),
		[WORKER_EV_EXIT] = STEP(WORKER_DOWN, give_up_waiting),
		[WORKER_EV_STOP] = STEP(WORKER_DRAINING, drain),
	},
	[WORKER_STOPPING] = {
		[WORKER_EV_INITIALIZED] = STEP(WORKER_STOPPING, NULL),
		[WORKER_EV_LISTED] = STEP(WORKER_STOPPING, NULL),
		[WORKER_EV_DEADLINE] = STEP(WORKER_TERMINATING, terminate),
		[WORKER_EV_BROKEN] = STEP(WORKER_STOPPING, forget_link),
		[WORKER_EV_HUNG] = STEP(WORKER_ENDING, kill_now),
		[WORKER_EV_EXIT] = STEP(WORKER_DOWN, give_up_waiting),
		[WORKER_EV_STOP] = STEP(WORKER_STOPPING, NULL),
	},
	[WORKER_TERMINATING] = {
		[WORKER_EV_INITIALIZED] = STEP(WORKER_TERMINATING, NULL),
		[WORKER_EV_LISTED] = STEP(WORKER_TERMINATING, NULL),
		[WORKER_EV_DEADLINE] = STEP(WORKER_ENDING, kill_now),
		[WORKER_EV_BROKEN] = STEP(WORKER_TERMINATING, forget_link),
		[WORKER_EV_HUNG] = STEP(WORKER_ENDING, kill_now),
		[WORKER_EV_EXIT] = STEP(WORKER_DOWN, give_up_waiting),
		[WORKER_EV_STOP] = STEP(WORKER_TERMINATING, NULL),
	},
	[WORKER_KILLED] = {
		[WORKER_EV_EXIT] = STEP(WORKER_BACKOFF, wait_to_restart),
		[WORKER_EV_CRASH] = STEP(WORKER_BACKOFF, restart_at_once),
		[WORKER_EV_PARK] = STEP(WORKER_PARKED, wait_to_restart),
		[WORKER_EV_STOP] = STEP(WORKER_ENDING, NULL),
	},
	[WORKER_ENDING] = {
		[WORKER_EV_EXIT] = STEP(WORKER_DOWN, give_up_waiting),
		[WORKER_EV_STOP] = STEP(WORKER_ENDING, NULL),
	},
	[WORKER_BACKOFF] = {
		[WORKER_EV_DEADLINE] = STEP(WORKER_STARTING, launch),
		[WORKER_EV_START] = STEP(WORKER_STARTING, launch),
		[WORKER_EV_STOP] = STEP(WORKER_DOWN, give_up_waiting),
	},
	[WORKER_PARKED] = {
		[WORKER_EV_DEADLINE] = STEP(WORKER_STARTING, launch),
		[WORKER_EV_START] = STEP(WORKER_STARTING, launch),
		[WORKER_EV_STOP] = STEP(WORKER_DOWN, give_up_waiting),
	},
};
/* clang-format on */

int worker_next_state(enum worker_state state, enum worker_event event)
{
	const struct step *step = &steps[state][event];

	return step->ok ? step->next : -1;
}

void worker_set_trouble(struct worker *w, enum worker_cause cause, const char *fmt, ...)
{
	auto_strbuf words = { 0 };
	va_list args;

	va_start(args, fmt);
	strbuf_addv(&words, fmt, args);
	va_end(args);
	free(w->trouble);
	w->trouble = strbuf_take(&words);
	w->cause = cause;
}

/* The one place where the state changes. */
void worker_event(struct worker *w, enum worker_event event)
{
	const struct step *step = &steps[w->state][event];
	enum worker_state from = w->state;

	if (!step->ok) {
		log_warn_about(&w->about, "%s: event '%s' in state '%s', ignoring", w->name,
			worker_event_name(event), worker_state_name(w->state));
		return;
	}
	w->state = (enum worker_state)step->next;
	if (from != w->state)
		log_debug_about(&w->about, "%s: %s -> %s on %s", w->name, worker_state_name(from),
			worker_state_name(w->state), worker_event_name(event));
	if (step->act)
		step->act(w);
	if (from != w->state)
		w->hooks->moved(w->arg, w);
}

/* --- the end of a process --------------------------------------------------------------------- */

static void on_process_end(void *arg, const struct process_end *end)
{
	struct worker *w = arg;
	struct request_list calls = TAILQ_HEAD_INITIALIZER(calls);
	enum worker_event event;

	w->process = NULL;
	w->started_ms = 0;
	if (w->link)
		link_read_rest(w->link); /* answers that it gave before its end */
	if (w->errlog)
		errlog_drain(w->errlog);
	worker_describe_end(w, end);
	event = worker_judge_death(w, end);
	worker_log_end(w, event);
	w->about.pid = 0;
	drop_link(w);
	timer_stop(w->health_timer);
	timer_stop(w->grace_timer);
	timer_stop(w->timer);
	w->pinged = false;
	w->n_strays = 0;
	worker_event(w,
		event); /* may end sessions, which cancel their calls: they are still to be found here */
	w->n_calls = 0;
	w->n_beside = 0;
	TAILQ_CONCAT(&calls, &w->calls, next);
	w->hooks->lost(w->arg, w, &calls);
}

/* --- timers ----------------------------------------------------------------------------------- */

static void on_timer(void *arg)
{
	struct worker *w = arg;

	if (w->state == WORKER_STARTING || w->state == WORKER_LISTING)
		worker_set_trouble(
			w, WORKER_CAUSE_LATE, "it was not ready in time (start_timeout)");
	worker_event(w, WORKER_EV_DEADLINE);
}

/* Busy workers are judged by the deadlines of their calls. */
static void on_health_timer(void *arg)
{
	struct worker *w = arg;

	if (w->pinged) {
		worker_set_trouble(w, WORKER_CAUSE_HUNG, "it did not answer a health ping");
		worker_event(w, WORKER_EV_HUNG);
		return;
	}
	if (worker_is_idle(w) &&
		loop_now_ms(w->loop) - w->heard_ms >= w->setup->health_interval_ms / 2) {
		w->pinged = true;
		worker_say_ping(w);
	}
	timer_start(w->health_timer,
		w->pinged ? w->setup->health_timeout_ms : w->setup->health_interval_ms);
}

static void on_grace_timer(void *arg)
{
	struct worker *w = arg;
	int64_t late_ms = loop_now_ms(w->loop) - w->setup->cancel_grace_ms;
	int64_t next_ms = -1;
	struct request *request;

	TAILQ_FOREACH(request, &w->calls, next) {
		if (!request->cancelled)
			continue;
		if (request->since_ms <= late_ms) {
			worker_set_trouble(w, WORKER_CAUSE_HUNG,
				"it went on with a cancelled call (cancel_grace)");
			worker_event(w, WORKER_EV_HUNG);
			return;
		}
		if (next_ms < 0 || request->since_ms - late_ms < next_ms)
			next_ms = request->since_ms - late_ms;
	}
	if (next_ms >= 0)
		timer_start(w->grace_timer, next_ms);
}

/* --- public ----------------------------------------------------------------------------------- */

struct worker *worker_new(struct loop *loop, struct launcher *launcher, struct worker_setup *setup,
	unsigned index, const struct worker_hooks *hooks, void *arg)
{
	struct worker *w = alloc_zero(sizeof(*w));

	w->loop = loop;
	w->launcher = launcher;
	w->setup = worker_setup_ref(setup);
	w->index = index;
	w->name = alloc_printf("%s/%u", setup->domain, index);
	w->last_end = alloc_str("");
	w->hooks = hooks;
	w->arg = arg;
	w->about = (struct log_about){ .domain = setup->domain, .worker = w->name };
	TAILQ_INIT(&w->calls);
	w->timer = timer_new(loop, on_timer, w);
	w->health_timer = timer_new(loop, on_health_timer, w);
	w->grace_timer = timer_new(loop, on_grace_timer, w);
	w->discover_timer = timer_new(loop, worker_on_discover_timer, w);
	w->list_timer = timer_new(loop, worker_on_list_timer, w);
	w->listen_timer = timer_new(loop, worker_on_listen_timer, w);
	return w;
}

void worker_free(struct worker *w)
{
	struct request *request;

	if (!w)
		return;
	while ((request = TAILQ_FIRST(&w->calls))) { /* nobody waits for an answer any more */
		TAILQ_REMOVE(&w->calls, request, next);
		request_free(request);
	}
	worker_free_wants(w);
	worker_forget_asks(w);
	timer_free(w->timer);
	timer_free(w->health_timer);
	timer_free(w->grace_timer);
	timer_free(w->discover_timer);
	timer_free(w->list_timer);
	timer_free(w->listen_timer);
	link_free(w->link);
	errlog_free(w->errlog);
	offering_done(&w->offering);
	worker_setup_unref(w->setup);
	free(w->refusal);
	free(w->trouble);
	free(w->last_end);
	free(w->name);
	free(w);
}

void worker_start(struct worker *w)
{
	worker_event(w, WORKER_EV_START);
}

void worker_stop(struct worker *w, int64_t drain_ms)
{
	w->drain_ms = drain_ms;
	worker_event(w, WORKER_EV_STOP);
	if (w->state == WORKER_DRAINING && w->n_calls == 0)
		worker_event(w, WORKER_EV_DRAINED);
}

bool worker_has_room(const struct worker *w)
{
	return w->state == WORKER_READY && worker_count_places(w) < w->setup->concurrency;
}

bool worker_takes_ahead(const struct worker *w)
{
	return w->state == WORKER_READY && w->setup->native && w->usual_us < FAST_US &&
	       w->n_calls > 0 && w->n_calls < MAX_AHEAD &&
	       clock_now_us() - w->head_since_us < FRESH_US;
}

bool worker_is_held_by(const struct worker *w, uint64_t session)
{
	const struct request *head = TAILQ_FIRST(&w->calls);

	return head && head->session == session && clock_now_us() - w->head_since_us >= FRESH_US;
}

bool worker_has_ahead(const struct worker *w)
{
	const struct request *last = TAILQ_LAST(&w->calls, request_list);

	return last && last->ahead;
}

unsigned worker_take_back(struct worker *w, int64_t max_ms, struct request_list *ret)
{
	struct request *request;
	unsigned n = 0;

	if (w->n_calls < 2 || clock_now_us() - w->head_since_us < max_ms * 1000)
		return 0;
	while ((request = TAILQ_LAST(&w->calls, request_list)) && request->ahead) {
		TAILQ_REMOVE(&w->calls, request, next);
		w->n_calls--;
		worker_say_forget(w, request->no);
		if (request->cancelled) {
			request_free(request);
			continue;
		}
		request->ahead = false;
		TAILQ_INSERT_HEAD(ret, request, next);
		n++;
	}
	return n;
}

bool worker_is_idle(const struct worker *w)
{
	return w->state == WORKER_READY && w->n_calls == 0;
}

bool worker_cancel(struct worker *w, uint64_t no, const char *reason)
{
	struct request *request;

	TAILQ_FOREACH(request, &w->calls, next)
		if (request->no == no)
			break;
	if (!request)
		return false;
	request->cancelled = true;
	request->since_ms = loop_now_ms(w->loop);
	worker_say_cancelled(w, no, reason);
	if (!timer_is_running(w->grace_timer))
		timer_start(w->grace_timer, w->setup->cancel_grace_ms);
	return true;
}

unsigned worker_list_calls(const struct worker *w, uint64_t *ret, unsigned max)
{
	const struct request *request;
	unsigned n = 0;

	TAILQ_FOREACH(request, &w->calls, next) {
		if (request->cancelled)
			continue;
		if (n < max)
			ret[n] = request->no;
		n++;
	}
	return n;
}

unsigned worker_get_index(const struct worker *w)
{
	return w->index;
}

enum worker_state worker_get_state(const struct worker *w)
{
	return w->state;
}

const char *worker_get_name(const struct worker *w)
{
	return w->name;
}

pid_t worker_get_pid(const struct worker *w)
{
	return w->process ? process_pid(w->process) : 0;
}

unsigned worker_get_starts(const struct worker *w)
{
	return w->n_starts;
}

int64_t worker_get_started_ms(const struct worker *w)
{
	return w->started_ms;
}

uint64_t worker_get_answers(const struct worker *w)
{
	return w->n_answers;
}

enum worker_cause worker_get_last_cause(const struct worker *w)
{
	return w->last_cause;
}

int64_t worker_get_last_cpu_us(const struct worker *w)
{
	return w->last_cpu_us;
}

const char *worker_get_last_end(const struct worker *w)
{
	return w->last_end;
}

unsigned worker_count_places(const struct worker *w)
{
	return w->n_calls - w->n_beside;
}

unsigned worker_count_calls(const struct worker *w)
{
	return w->n_calls;
}

int64_t worker_get_idle_since_ms(const struct worker *w)
{
	return w->idle_since_ms;
}

const char *worker_state_name(enum worker_state state)
{
	static const char *const names[WORKER_STATES] = { [WORKER_DOWN] = "down",
		[WORKER_STARTING] = "starting",
		[WORKER_LISTING] = "listing",
		[WORKER_READY] = "ready",
		[WORKER_DRAINING] = "draining",
		[WORKER_STOPPING] = "stopping",
		[WORKER_TERMINATING] = "terminating",
		[WORKER_KILLED] = "killed",
		[WORKER_ENDING] = "ending",
		[WORKER_BACKOFF] = "backoff",
		[WORKER_PARKED] = "parked" };

	return names[state];
}

const char *worker_event_name(enum worker_event event)
{
	static const char *const names[WORKER_EVENTS] = { [WORKER_EV_START] = "start",
		[WORKER_EV_INITIALIZED] = "initialized",
		[WORKER_EV_LISTED] = "listed",
		[WORKER_EV_DEADLINE] = "deadline",
		[WORKER_EV_BROKEN] = "broken",
		[WORKER_EV_HUNG] = "hung",
		[WORKER_EV_EXIT] = "exit",
		[WORKER_EV_CRASH] = "crash",
		[WORKER_EV_PARK] = "park",
		[WORKER_EV_STOP] = "stop",
		[WORKER_EV_DRAINED] = "drained" };

	return names[event];
}
