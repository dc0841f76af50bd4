/* The inside of a worker: shared by worker.c (its life) and worker_rpc.c (what is said on its link). */
#pragma once

#include "shared/clock.h"
#include "shared/log.h"
#include "supervisor/fleet/errlog.h"
#include "supervisor/fleet/link.h"
#include "supervisor/fleet/worker.h"

struct worker {
	struct loop *loop;
	struct launcher *launcher;
	struct worker_setup *setup;
	const struct worker_hooks *hooks;
	void *arg;
	unsigned index;
	char *name;
	struct log_about about;
	enum worker_state state;

	struct process *process; /* NULL: none */
	struct link *link;       /* NULL: none */
	struct errlog *errlog;   /* of the process that runs or ran last */
	struct timer *timer;     /* the state's */
	struct timer *health_timer;
	struct timer *grace_timer;

	struct request_list calls; /* in flight, cancelled ones too */
	unsigned n_calls;
	int64_t head_since_us; /* since when the first of them runs */
	int64_t usual_us;      /* how long calls take, a moving average */
	bool pinged;           /* a health ping is not answered yet */

	struct offering offering;
	bool is_listing; /* the lists are being read, page by page */
	bool list_again; /* they changed meanwhile */
	unsigned n_pages;

	struct backoff backoff;
	int64_t restart_wait_ms;
	int64_t drain_ms;
	int64_t ready_ms; /* since when; 0: not yet */
	int64_t idle_since_ms;
	int64_t heard_ms;   /* when its last line came */
	uint64_t n_answers; /* of the present process */
	unsigned n_starts;
	int start_errno;
	const char *trouble; /* why we are going to kill it; static text */
	char *last_end;
	struct log_limit noise;
};

/* worker.c */
void worker_event(struct worker *w, enum worker_event event);

/* worker_rpc.c */
extern const struct link_hooks worker_link_hooks;
void worker_say_initialize(struct worker *w);
void worker_ask_tools(struct worker *w);
void worker_say_ping(struct worker *w);
void worker_say_cancelled(struct worker *w, uint64_t no, const char *reason);
void worker_say_forget(struct worker *w, uint64_t no);
