/* The inside of the registration: shared by registration.c (the registrar's process, orders, reports),
 * registration_setup.c (how it is started) and registration_tell.c (what it is told). */
#pragma once

#include "shared/log.h"
#include "supervisor/ops/registration.h"

enum {
	REGISTRATION_MAX_ORDERS = 16, /* without an answer yet */
	REGISTRATION_MAX_KNOWN = 64,  /* domains */
	/* How often it is asked whether it lives, and how long it may take to say so. */
	REGISTRATION_HEALTH_MS = 15000,
	REGISTRATION_HEALTH_TIMEOUT_MS = 30000,
};

/* What a domain was when it was told. */
struct told {
	char *name;
	uint64_t hash;
};

/* A question to the registrar. */
struct order {
	TAILQ_ENTRY(order) next;
	uint64_t no;
	char *method;
	json_t *params;
	registration_fn *fn;
	void *arg;
	bool is_sent;
};

struct registration {
	struct registration_parts parts;
	struct worker *worker; /* NULL: not wanted up to now */
	bool is_started;       /* registration_start() */
	bool is_stopping;
	bool is_ready;
	struct told told[REGISTRATION_MAX_KNOWN];
	size_t n_told;
	struct timer *tell_timer;
	struct timer *ping_timer; /* while it has orders: to ping it, then to have its answer */
	uint64_t ping_no;         /* of the ping without an answer; 0: there is none */
	TAILQ_HEAD(, order) orders;
	unsigned n_orders;
	uint64_t last_no;
	json_t *report; /* NULL: none up to now */
	struct log_limit unreadable;
	uint64_t n_restarts;
	void (*on_stopped)(void *arg);
	void *on_stopped_arg;
};

/* registration_setup.c: a new reference. */
struct worker_setup *registration_make_setup(const struct registration *reg) must_check;

/* registration_tell.c: to a registrar that is ready. */
void registration_tell_settings(struct registration *reg);
void registration_tell(void *reg); /* the domains that have changed since they were told */
void registration_forget_told(struct registration *reg);
void registration_forget_removed(struct registration *reg);
