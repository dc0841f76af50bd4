/* An aide: a process that the daemon has for itself and that serves no domain (the registrar, the courier).
 *
 * It is a worker in the way it is started, confined, watched and replaced (fleet/worker). What we ask of it are
 * orders: each is answered once, whatever becomes of the process. An order that comes before the process is ready
 * waits for that; one that was sent is never sent again.
 *
 * Source: doc/adr/0014. The other end is workers/common/aide_link. */
#pragma once

#include "shared/fail.h"
#include "supervisor/fleet/worker.h"

struct aide;

struct aide_hooks {
	/* What the process is started with: a new reference. */
	struct worker_setup *(*make_setup)(void *arg);
	/* It is ready. The orders that waited are sent after this. */
	void (*ready)(void *arg);
	/* A notification of it; borrowed. */
	void (*told)(void *arg, const struct rpc *rpc);
	/* Its state has changed. */
	void (*moved)(void *arg);
};

/* `name` is what it is called in words ("registrar"), `hooks` stay in use. Nothing runs yet. */
struct aide *aide_new(struct loop *loop, struct launcher *launcher, const char *name,
	unsigned max_orders, const struct aide_hooks *hooks, void *arg);

/* Orders that are left are told so. */
void aide_free(struct aide *aide);

/* It is wanted: its process is started, and kept alive from now on. */
void aide_start(struct aide *aide);

/* It is not wanted any more: its process ends, and orders that it has not answered by then are told so. aide_start() or
 * an order brings another one. */
void aide_end(struct aide *aide);

/* What make_setup() gives has changed: the process is replaced when it has answered what it has. */
void aide_renew(struct aide *aide);

/* Ends it for good; orders that are left are told so. `fn` runs when it has ended (maybe at once). */
void aide_stop(struct aide *aide, void (*fn)(void *arg), void *arg);

/* `result` is borrowed JSON, absent when it was not done: `fail` has the words then. */
typedef void aide_fn(void *arg, struct jspan result, const struct fail *fail);

/* An order; it starts the process if none runs. `params`, JSON, is taken over. `fn` runs once, maybe at once, and at
 * the latest in aide_free(). -EBUSY: too many orders at a time. -ESHUTDOWN: it stops. -EPIPE: it has ended.
 * -EREMOTEIO: it refused, or failed. */
void aide_ask(struct aide *aide, const char *method, char *params, aide_fn *fn, void *arg);

/* A notification for it, if it is ready; `params` is JSON. */
void aide_tell(struct aide *aide, const char *method, const char *params);

bool aide_is_ready(const struct aide *aide);
uint64_t aide_get_restarts(const struct aide *aide);

/* NULL: none was started yet, or none is wanted. */
const struct worker *aide_get_worker(const struct aide *aide);

/* Kills the process, to see it come back: its pid; 0: it does not run. `ret_restarts` before that. */
pid_t aide_kill(struct aide *aide, uint64_t *ret_restarts);

/* The setup of a program of ours in the folder `libexec`, confined by `plan` (taken over; confine_make_…_plan()). It
 * gets what it needs of our environment for its way to others by HTTP, and the variable `secret` (NULL: none). A new
 * reference. */
struct worker_setup *aide_make_setup(
	const char *libexec, const char *name, char *plan, const char *secret) must_check;
