/* The event loop: libevent's base, and the little that we add to it.
 *
 * Nobody frees an object inside its own callback: loop_defer() runs at the end of the loop turn.
 * Signals arrive as loop events only. A fake loop (tests) has a clock that moves by hand. */
#pragma once

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>

#include "shared/cleanup.h"

struct loop;
struct timer;

typedef void timer_fn(void *arg);

struct loop *loop_new(void);
void loop_free(struct loop *loop);
DEFINE_FREEP(struct loop, loop_free)

/* Runs until loop_stop(), also one from before; 0 or -errno. May be called again. */
int loop_run(struct loop *loop) must_check;
void loop_stop(struct loop *loop);

/* How many times the loop has turned: a watchdog is fed only while this grows. */
uint64_t loop_turns(const struct loop *loop);

/* Monotonic milliseconds. */
int64_t loop_now_ms(const struct loop *loop);

/* An event on a descriptor, not yet added; the caller owns it: ev_free(). */
struct event *loop_watch(struct loop *loop, int fd, short what, event_callback_fn fn, void *arg);

/* An event on a signal, added; the caller owns it. */
struct event *loop_on_signal(struct loop *loop, int signo, event_callback_fn fn, void *arg);

/* event_free() that takes NULL. */
void ev_free(struct event *event);

/* Calls fn(arg) at the end of this loop turn: the place to free what a callback is still using. */
void loop_defer(struct loop *loop, timer_fn *fn, void *arg);

/* Runs what was deferred, outside of any callback: before the owner of deferred things goes. */
void loop_settle(struct loop *loop);

/* A one-shot timer, not started. Starting a running one moves it. */
struct timer *timer_new(struct loop *loop, timer_fn *fn, void *arg);
void timer_start(struct timer *timer, int64_t delay_ms);
void timer_stop(struct timer *timer);
bool timer_is_running(const struct timer *timer);
void timer_free(struct timer *timer);

/* For tests: time stands still but for loop_fake_advance(), which runs what falls due, in order, and
 * what was deferred. loop_fake_turn() runs the events of descriptors that are ready now, and what was
 * deferred; it never waits. */
struct loop *loop_new_fake(void);
void loop_fake_advance(struct loop *loop, int64_t ms);
void loop_fake_turn(struct loop *loop);
