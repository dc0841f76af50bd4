/* The inside of a domain: shared by domain.c (its life and state), domain_pool.c (processes and who gets a
 * call), domain_restart.c (one process after the other), domain_news.c (what workers tell), domain_session.c (whose process is whose), domain_sleep.c
 * (without processes), domain_stats.c (what is counted) and domain_setup.c (what is run). */
#pragma once

#include "shared/log.h"
#include "supervisor/fleet/domain.h"
#include "supervisor/fleet/fairq.h"
#include "supervisor/fleet/wants.h"

/* Its part in a rolling restart. */
enum slot_roll {
	SLOT_STAYS,  /* none */
	SLOT_OLD,    /* is to be replaced */
	SLOT_FRESH,  /* is new, and not ready yet */
	SLOT_LEAVES, /* was replaced, and has not ended yet */
};

struct slot {
	TAILQ_ENTRY(slot) next;
	struct domain *domain;
	struct worker *worker;
	bool retiring; /* of older settings, or one too many: goes, and does not come back */
	bool is_owned; /* isolation: session: it serves only `owner` */
	uint64_t owner;
	enum slot_roll roll;
	unsigned n_holds; /* what it does beside calls: it must not go for being idle */
	struct histogram latency;
	uint64_t told_wants; /* the version of the wants that it was told; 0: none */
};

struct domain {
	struct loop *loop;
	struct launcher *launcher;
	const struct domain_hooks *hooks;
	void *arg;
	char *name;
	struct log_about about;
	struct worker_setup *setup;
	unsigned min, max, max_queued;
	size_t max_queued_bytes;
	int64_t idle_shrink_ms;
	int64_t idle_stop_ms; /* 0: never */
	int64_t drain_ms;
	bool is_isolated; /* isolation: session */
	bool is_lazy;     /* start: lazy */

	TAILQ_HEAD(, slot) slots;
	unsigned
		answering; /* the worker whose answer, or whose loss of calls, is being told; 0: none */
	unsigned n_made; /* gives each worker its index */
	struct fairq *queue;
	struct request_list lost; /* of a dead worker, while its calls are told one by one */
	struct timer *grow_timer;
	struct timer *shrink_timer;
	struct {
		uint64_t session;
		int64_t at_ms;
	} recent[2]; /* who called last, and who else before */
	struct log_limit crowded;

	struct wants *wants;
	uint64_t wants_version;
	bool wants_changed; /* not all workers know yet */
	struct timer *wants_timer;
	struct log_limit refused;

	struct store *store; /* borrowed; NULL: lists are not kept */
	char *fingerprint;   /* of what is run */
	bool is_stored;      /* offering_text, under this fingerprint */
	bool is_disabled;
	struct {
		domain_done_fn *fn; /* NULL: none is under way */
		void *arg;
		int64_t drain_ms;
		unsigned n_all;  /* that are to be new */
		unsigned n_done; /* that are */
		unsigned n_lone; /* of those on their way, in whose place nobody serves */
		struct timer *hold_timer;
	} restart;
	bool asleep;     /* no process is wanted */
	bool waking;     /* processes are being started, and none has failed yet */
	int64_t busy_ms; /* when there was a call last */
	struct timer *idle_timer;
	struct timer *news_timer; /* the state is to be told, but not from inside domain_start() */

	enum domain_state state;
	bool was_up;
	char *offering_text; /* what was told last; NULL: nothing is offered */
	char *fleet_state;
	char *last_death;
	uint64_t n_restarts;
	uint64_t restarts[WORKER_CAUSES]; /* of them */
	int64_t ended_cpu_us;             /* of processes that are no more */
	int64_t last_start_ms;            /* of a process, clock_wall_ms() */
	uint64_t n_calls;
	uint64_t n_ok, n_errors, n_lost, n_cancelled, n_timed_out; /* how they ended */
	char *last_error;
	int64_t last_error_ms;
	struct histogram latency;
};

/* domain_setup.c; `conf` and `programs` are borrowed for the time of the call. */
struct worker_setup *domain_make_setup(
	const struct conf_domain *conf, const struct domain_programs *programs) must_check;

void domain_tune_setup(struct worker_setup *setup, const struct conf_domain *conf);

char *domain_make_fingerprint(
	const struct conf_domain *conf, const struct domain_programs *programs) must_check;

/* domain.c */
void domain_update_state(struct domain *d);
void domain_lose(
	struct domain *d, struct request *request, enum domain_loss loss, const char *cause);
void domain_tell_offering(struct domain *d, const struct offering *offering);

/* domain_stats.c */
void domain_count_answer(struct slot *slot, const struct request *request, const struct rpc *rpc);
void domain_count_loss(struct domain *d, const char *cause);
void domain_count_cancel(struct domain *d, const char *reason);
/* A process has ended; `is_restart`: another takes its place. */
void domain_note_end(struct domain *d, const struct worker *worker, bool is_restart);
void domain_note_death(struct domain *d, const struct worker *worker);

/* domain_pool.c */
struct slot *domain_add_slot(struct domain *d);
void domain_free_slot(void *slot);
void domain_remove_slot(struct domain *d, struct slot *slot);
void domain_retire(struct domain *d, struct slot *slot, int64_t drain_ms);
unsigned domain_count_staying(const struct domain *d);
bool domain_is_busy(const struct domain *d);
void domain_refill(struct domain *d); /* starts what should always run */
void domain_pump(struct domain *d);   /* hands over what can be */
int domain_send(struct domain *d, struct slot *slot, struct request *request);
void domain_on_grow_timer(void *arg);
void domain_on_shrink_timer(void *arg);

/* domain_news.c */
extern const struct worker_hooks domain_worker_hooks;

/* domain_session.c: isolation: session. */
int domain_admit(struct domain *d, uint64_t session) must_check;
unsigned domain_count_spares(const struct domain *d);
void domain_pump_sessions(struct domain *d);
void domain_release(struct domain *d, struct slot *slot);
void domain_lose_crowded(struct domain *d);
void domain_lose_parked(struct domain *d, struct slot *slot);

/* domain_restart.c */
void domain_restart_on_ready(struct domain *d, struct slot *slot);
void domain_restart_on_lost(struct domain *d, struct slot *slot);
void domain_restart_on_removed(struct domain *d);
bool domain_restart_waits_for(const struct slot *slot);          /* what it holds is waited for */
void domain_restart_let_go(struct domain *d, struct slot *slot); /* it holds nothing any more */
void domain_abandon_restart(struct domain *d, const char *why);
void domain_on_hold_timer(void *arg);

/* domain_wants.c */
void domain_change_wants(struct domain *d);
void domain_tell_wants(struct domain *d);
void domain_on_wants_timer(void *arg);

/* domain_sleep.c */
void domain_note_busy(struct domain *d);
void domain_wake(struct domain *d);
void domain_watch_idle(struct domain *d);
void domain_on_idle_timer(void *arg);
void domain_on_news_timer(void *arg);
void domain_keep_offering(struct domain *d);
