/* See loop.h. The only file that knows libevent's base. */
#include "supervisor/loop.h"

#include <errno.h>
#include <sys/queue.h>

#include "shared/alloc.h"
#include "shared/clock.h"
#include "shared/log.h"

struct deferred {
	STAILQ_ENTRY(deferred) next;
	timer_fn *fn;
	void *arg;
};

struct timer {
	TAILQ_ENTRY(timer) next; /* fake loop: all timers */
	struct loop *loop;
	struct event *event; /* NULL in a fake loop */
	timer_fn *fn;
	void *arg;
	int64_t due_ms; /* -1: not running */
};

struct loop {
	struct event_base *base;
	STAILQ_HEAD(, deferred) deferred;
	TAILQ_HEAD(, timer) fake_timers;
	int64_t fake_now_ms;
	uint64_t n_turns;
	bool is_fake;
	bool stopping;
};

/* libevent would write to standard error by itself. */
static void on_libevent_log(int severity, const char *message)
{
	log_debug("libevent: %s", message);
}

struct loop *loop_new(void)
{
	struct event_config *config = event_config_new();
	struct event_base *base = NULL;
	struct loop *loop;

	event_set_log_callback(on_libevent_log);
	if (config) {
		/* No locks, no environment switches, no cached time: one thread, exact timers. */
		(void)event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
		(void)event_config_set_flag(config, EVENT_BASE_FLAG_IGNORE_ENV);
		base = event_base_new_with_config(config);
		event_config_free(config);
	}
	if (!base)
		abort();
	loop = alloc_zero(sizeof(*loop));
	loop->base = base;
	STAILQ_INIT(&loop->deferred);
	TAILQ_INIT(&loop->fake_timers);
	return loop;
}

struct loop *loop_new_fake(void)
{
	struct loop *loop = loop_new();

	loop->is_fake = true;
	return loop;
}

void loop_settle(struct loop *loop)
{
	struct deferred *d;

	while ((d = STAILQ_FIRST(&loop->deferred))) {
		STAILQ_REMOVE_HEAD(&loop->deferred, next);
		d->fn(d->arg);
		free(d);
	}
}

void loop_free(struct loop *loop)
{
	if (!loop)
		return;
	loop_settle(loop);
	event_base_free(loop->base);
	free(loop);
}

int loop_run(struct loop *loop)
{
	/* What was deferred before there was a turn must not wait for an event. */
	loop_settle(loop);
	while (!loop->stopping) {
		if (event_base_loop(loop->base, EVLOOP_ONCE) < 0)
			return -EIO;
		loop_settle(loop);
		loop->n_turns++;
	}
	loop->stopping = false;
	return 0;
}

void loop_stop(struct loop *loop)
{
	loop->stopping = true;
	(void)event_base_loopbreak(loop->base);
}

uint64_t loop_turns(const struct loop *loop)
{
	return loop->n_turns;
}

int64_t loop_now_ms(const struct loop *loop)
{
	return loop->is_fake ? loop->fake_now_ms : clock_now_ms();
}

struct event *loop_watch(struct loop *loop, int fd, short what, event_callback_fn fn, void *arg)
{
	struct event *event = event_new(loop->base, fd, what, fn, arg);

	if (!event)
		abort();
	return event;
}

struct event *loop_on_signal(struct loop *loop, int signo, event_callback_fn fn, void *arg)
{
	struct event *event = loop_watch(loop, signo, EV_SIGNAL | EV_PERSIST, fn, arg);

	(void)event_add(event, NULL);
	return event;
}

void ev_free(struct event *event)
{
	if (event)
		event_free(event);
}

void loop_defer(struct loop *loop, timer_fn *fn, void *arg)
{
	struct deferred *d = alloc_zero(sizeof(*d));

	d->fn = fn;
	d->arg = arg;
	STAILQ_INSERT_TAIL(&loop->deferred, d, next);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct timer *timer = arg;

	timer->due_ms = -1;
	timer->fn(timer->arg);
}

struct timer *timer_new(struct loop *loop, timer_fn *fn, void *arg)
{
	struct timer *timer = alloc_zero(sizeof(*timer));

	timer->loop = loop;
	timer->fn = fn;
	timer->arg = arg;
	timer->due_ms = -1;
	if (loop->is_fake)
		TAILQ_INSERT_TAIL(&loop->fake_timers, timer, next);
	else
		timer->event = loop_watch(loop, -1, 0, on_timer, timer);
	return timer;
}

void timer_start(struct timer *timer, int64_t delay_ms)
{
	struct timeval tv = { .tv_sec = delay_ms / CLOCK_SECOND_MS,
		.tv_usec = (delay_ms % CLOCK_SECOND_MS) * 1000 };

	timer->due_ms = loop_now_ms(timer->loop) + delay_ms;
	if (timer->event)
		(void)event_add(timer->event, &tv);
}

void timer_stop(struct timer *timer)
{
	timer->due_ms = -1;
	if (timer->event)
		(void)event_del(timer->event);
}

bool timer_is_running(const struct timer *timer)
{
	return timer->due_ms >= 0;
}

void timer_free(struct timer *timer)
{
	if (!timer)
		return;
	if (timer->event)
		event_free(timer->event);
	else
		TAILQ_REMOVE(&timer->loop->fake_timers, timer, next);
	free(timer);
}

static struct timer *first_due(struct loop *loop, int64_t until_ms)
{
	struct timer *first = NULL;
	struct timer *timer;

	TAILQ_FOREACH(timer, &loop->fake_timers, next)
		if (timer->due_ms >= 0 && timer->due_ms <= until_ms &&
			(!first || timer->due_ms < first->due_ms))
			first = timer;
	return first;
}

void loop_fake_advance(struct loop *loop, int64_t ms)
{
	int64_t until_ms = loop->fake_now_ms + ms;
	struct timer *timer;

	loop_settle(loop);
	while ((timer = first_due(loop, until_ms))) {
		loop->fake_now_ms = timer->due_ms;
		on_timer(-1, 0, timer);
		loop_settle(loop);
	}
	loop->fake_now_ms = until_ms;
}

void loop_fake_turn(struct loop *loop)
{
	(void)event_base_loop(loop->base, EVLOOP_NONBLOCK);
	loop_settle(loop);
}
