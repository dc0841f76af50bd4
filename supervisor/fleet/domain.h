/* Domain: a pool of workers of one kind, the calls that wait for one of them, growth and shrinking.
 *
 * A call is in exactly one place: the queue here, or the worker that has it. It leaves through one
 * hook, once. Promises 1 to 4 of design.md meet here: a worker that dies gives its calls back; those
 * that may are run again once, the others are lost with a reason. */
#pragma once

#include "supervisor/fleet/worker.h"

enum domain_state {
	DOMAIN_STARTING, /* not yet ready for the first time */
	DOMAIN_UP,       /* some worker is ready */
	DOMAIN_DOWN,     /* none is ready, one is being started again */
	DOMAIN_PARKED,   /* died too often; tried again rarely */
	DOMAIN_STOPPED,
};

enum domain_loss {
	DOMAIN_LOST_DIED, /* the worker died with the call; it may have taken effect */
	DOMAIN_LOST_DOWN, /* it never reached a worker: the domain is parked or stops */
};

struct domain;

struct domain_hooks {
	void (*answered)(void *arg, uint64_t no, const struct rpc *rpc);
	void (*progress)(void *arg, uint64_t no, const struct rpc *rpc);
	void (*lost)(void *arg, uint64_t no, enum domain_loss loss, const char *cause);
	/* State, tools or number of processes changed; may be called often. */
	void (*changed)(void *arg, struct domain *domain);
	/* The tools are others than before (borrowed; NULL: the domain offers none now).
	 * `info`: the worker's answer to initialize, or NULL. */
	void (*tools)(void *arg, struct domain *domain, json_t *tools, json_t *info);
	/* After domain_stop(): no process is left. */
	void (*stopped)(void *arg, struct domain *domain);
};

/* What is run for a domain; borrowed for the time of a call. */
struct domain_programs {
	const char *native;  /* a native domain's worker; NULL: the command of the settings */
	const char *wrapper; /* mcp-fleet-exec; NULL: the worker is run directly */
	const char *plan;    /* for it: what the worker may do */
};

/* `conf` is borrowed for the time of the call. */
struct domain *domain_new(struct loop *loop, struct launcher *launcher,
	const struct conf_domain *conf, const struct domain_programs *programs,
	const struct domain_hooks *hooks, void *arg);
void domain_free(struct domain *domain); /* DOMAIN_STOPPED, from a deferred call */

void domain_start(struct domain *domain);

/* New settings. `replace`: other program or worker's settings; new processes are started, and the old
 * ones go when a new one is ready. */
void domain_reload(struct domain *domain, const struct conf_domain *conf,
	const struct domain_programs *programs, bool replace, int64_t drain_ms);

/* Queued calls are lost, those in flight may end within `drain_ms`. */
void domain_stop(struct domain *domain, int64_t drain_ms);

/* Takes over `line` (no line break in it), also on failure. `no` is new and is the message's id.
 * -ENOBUFS: the queue is full. -ENXIO: the domain is parked or stopped. */
int domain_call(struct domain *domain, uint64_t no, char *line, size_t len, bool may_rerun)
	must_check;

/* Nobody waits for the call any more: no hook will name it. */
void domain_cancel(struct domain *domain, uint64_t no, const char *reason);

/* To each ready worker, now and when one becomes ready. `params` is copied. */
void domain_set_fleet_state(struct domain *domain, const char *params);

const char *domain_get_name(const struct domain *domain);
enum domain_state domain_get_state(const struct domain *domain);

/* It is being started for the first time: neither ready nor failed yet. */
bool domain_is_new(const struct domain *domain);
const char *domain_state_name(enum domain_state state);

struct domain_stats {
	enum domain_state state;
	unsigned n_processes; /* running */
	unsigned n_ready;
	unsigned n_queued;
	unsigned n_in_flight;
	uint64_t n_restarts;
	uint64_t n_calls;
	const char *last_death; /* "" when none died; borrowed */
};

void domain_get_stats(const struct domain *domain, struct domain_stats *ret);
