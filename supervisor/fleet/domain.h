/* Domain: a pool of workers of one kind, the calls that wait for one of them, growth and shrinking.
 *
 * A call is in exactly one place: the queue here, or the worker that has it. It leaves through one
 * hook, once. Promises 1 to 4 of design.md meet here: a worker that dies gives its calls back; those
 * that may are run again once, the others are lost with a reason. */
#pragma once

#include "shared/fail.h"
#include "shared/histogram.h"
#include "supervisor/fleet/worker.h"

enum domain_state {
	DOMAIN_STARTING, /* not yet ready for the first time */
	DOMAIN_UP,       /* some worker is ready */
	DOMAIN_DOWN,     /* none is ready, one is being started again */
	DOMAIN_PARKED,   /* died too often; tried again rarely */
	DOMAIN_ASLEEP, /* no process until the next call, but its lists are known: as good as up */
	DOMAIN_DISABLED, /* switched off by an operator: no process, no call, nothing offered */
	DOMAIN_STOPPED,
};

enum domain_loss {
	DOMAIN_LOST_DIED, /* the worker died with the call; it may have taken effect */
	DOMAIN_LOST_DOWN, /* it never reached a worker: the domain is parked or stops */
};

/* Its lists are offered, and calls are taken. */
static inline bool domain_state_is_up(enum domain_state state)
{
	return state == DOMAIN_UP || state == DOMAIN_ASLEEP;
}

struct domain;
struct store; /* fleet/store.h */

/* Who speaks when a worker asks or tells something: what is needed to find out whom it concerns. */
struct domain_speaker {
	unsigned worker;  /* its index, for domain_reply() */
	uint64_t session; /* the only one that it serves (isolation: session); 0: it serves all */
	const uint64_t
		*calls; /* those in flight in it that somebody waits for, at most a few; borrowed */
	unsigned n_calls; /* how many there are in all */
	/* Those beside them that were cancelled, also by their deadline, and may still run: what is said may be
	 * about one of them, and then it is for nobody. */
	unsigned n_unsure;
	uint64_t
		unsure_session; /* whose they all were; 0: of several sessions, or there are none */
};

enum { DOMAIN_SPEAKER_CALLS = 64 };

struct domain_hooks {
	void (*answered)(void *arg, uint64_t no, const struct rpc *rpc);
	void (*progress)(void *arg, uint64_t no, const struct rpc *rpc);
	void (*lost)(void *arg, uint64_t no, enum domain_loss loss, const char *cause);
	/* State, tools or number of processes changed; may be called often. */
	void (*changed)(void *arg, struct domain *domain);
	/* A worker asks something of a client: domain_reply() is due, sooner or later. */
	void (*asked)(void *arg, struct domain *domain, const struct domain_speaker *who,
		const struct rpc *rpc);
	/* A notification of a worker that is not about one call. */
	void (*told)(void *arg, struct domain *domain, const struct domain_speaker *who,
		const struct rpc *rpc);
	/* A worker has ended: what it asked and was not told is of no use any more. */
	void (*worker_ended)(void *arg, struct domain *domain, unsigned worker);
	/* What is offered is other than before (borrowed; NULL: the domain offers nothing now). */
	void (*offering)(void *arg, struct domain *domain, const struct offering *offering);
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

/* Before domain_start(): where the lists of a lazy domain are kept (NULL: nowhere; must outlive the domain).
 * `recall`: reads what is kept now, which may take as long as a file takes; when there is something the
 * domain is DOMAIN_ASLEEP, and has told it. */
void domain_use_store(struct domain *domain, struct store *store, bool recall);

void domain_start(struct domain *domain);

/* New settings. `replace`: other program or worker's settings; new processes are started, and the old
 * ones go when a new one is ready. */
void domain_reload(struct domain *domain, const struct conf_domain *conf,
	const struct domain_programs *programs, bool replace, int64_t drain_ms);

/* The end of what takes time: `text` says how it went, borrowed. Called once, from a deferred call, also when
 * the domain has gone meanwhile, so its `arg` must live until then. */
typedef void domain_done_fn(void *arg, bool ok, const char *text);

/* Replaces its processes one by one: a new one is ready before an old one gets no more calls and, after `drain_ms`
 * at most, ends. No call is lost by that; those that a process still has then are. Processes that do not serve are
 * replaced at once, and a domain that is asleep, down or parked is started. When a new process does not come up the
 * old ones stay, and the restart has failed. With isolation: session a session's process is replaced too: the
 * session has the new one from its next call on, without what the old one kept for it. 0: `fn` will hear.
 * -EALREADY: one is under way. -ENXIO: it is disabled. -ESHUTDOWN: it stops. */
int domain_restart(struct domain *domain, int64_t drain_ms, domain_done_fn *fn, void *arg,
	struct fail *fail) must_check;

/* DOMAIN_DISABLED until domain_enable(), whatever is reloaded meanwhile: queued calls are lost, those in flight may
 * end within `drain_ms`, nothing is offered. Also in the place of domain_start(). */
void domain_disable(struct domain *domain, int64_t drain_ms);
void domain_enable(struct domain *domain);

/* Whom a drill was for. */
struct domain_drill {
	char process[80]; /* "git/2" */
	pid_t pid;
	unsigned n_calls; /* in flight in it */
	int64_t found_ms; /* DRILL_STOP of an idle one: the health check finds it within this time. 0: else;
	                   * a busy one is found when call_timeout and cancel_grace of a call are over */
};

/* Trouble on purpose for one ready process: DRILL_KILL for one with a call if there is one, the others for one
 * without. What becomes of it is seen in domain_get_stats() and domain_each_process(). -EAGAIN: none is ready.
 * -ESRCH: it has just ended. */
int domain_drill(struct domain *domain, enum drill_kind kind, struct domain_drill *ret,
	struct fail *fail) must_check;

/* Queued calls are lost, those in flight may end within `drain_ms`. */
void domain_stop(struct domain *domain, int64_t drain_ms);

/* One request for a worker. */
struct domain_call {
	uint64_t no;      /* new; the message's id */
	uint64_t session; /* who asks: session_get_number(), or 0: the supervisor itself */
	char *line; /* the whole message, no line break in it; params has no members of the stateless
	                   * revision's envelope in its _meta */
	size_t len;
	size_t meta_at; /* in the line: where `envelope` goes in for a worker of the stateless revision */
	char *envelope; /* text that makes the line a request of that revision; NULL: it cannot be one */
	bool is_modern; /* for a worker that takes both kinds: as one of the stateless revision */
	bool may_rerun;
	unsigned worker; /* 0: any; else this process alone, at once and beside its calls */
};

/* Takes over `line` and `envelope`, also on failure. -ENOBUFS: the queue is full, or (isolation: session) all
 * processes belong to other sessions. -ENXIO: the domain, or the session's process, is parked or stopped.
 * -ESRCH: the process that it is for serves no more. */
int domain_call(struct domain *domain, const struct domain_call *call) must_check;

/* Answers what a worker asked: a whole message with the worker's id. */
void domain_reply(struct domain *domain, unsigned worker, const char *line, size_t len);

/* A notification for the process that serves this session alone, if there is one. */
void domain_tell(struct domain *domain, uint64_t session, const char *line, size_t len);

/* A message to one process; an answer to it is ignored. */
void domain_tell_worker(struct domain *domain, unsigned worker, const char *line, size_t len);

/* The process has work that is no call: while it is held it does not end for being idle, nor does the domain
 * fall asleep. Each hold is taken back once, or ends with the process. */
void domain_hold(struct domain *domain, unsigned worker, bool hold);

/* Inside of the hook `answered`: the process that answers; 0 elsewhere. */
unsigned domain_get_answering(const struct domain *domain);

/* The session has ended, and its calls were cancelled: a process of its own ends too, and what it
 * subscribed to. */
void domain_forget_session(struct domain *domain, uint64_t session);

/* What `from` had is that of `to` from now on: its process, its calls, what it subscribed to. A process
 * that `to` has already ends. Nothing of `from` is left: domain_forget_session() may follow. */
void domain_adopt(struct domain *domain, uint64_t from, uint64_t to);

/* From now on the session wants to hear of changes of this resource (the worker's URI), or no more. The
 * domain tells its workers what all sessions together want, in the way of their revision, and again when
 * one was replaced. */
void domain_subscribe(struct domain *domain, uint64_t session, const char *uri);
void domain_unsubscribe(struct domain *domain, uint64_t session, const char *uri);

/* The least important log level ("debug") that a session wants to hear; kept for workers to come. */
void domain_set_level(struct domain *domain, uint64_t session, const char *level);

/* The reason of a call that was not answered in time: it is counted as such. */
#define DOMAIN_CANCEL_DEADLINE "deadline"

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
	unsigned n_waiting; /* that wait to be started again */
	unsigned n_parked;  /* the same, tried rarely */
	unsigned n_queued;
	unsigned n_in_flight;
	unsigned n_starting;  /* processes that are not ready yet */
	unsigned n_stopping;  /* processes that end */
	unsigned n_queue_max; /* domains.NAME.queue */
	uint64_t n_restarts;
	const uint64_t *restarts; /* of them, by enum worker_cause; borrowed */
	int64_t ended_cpu_us;     /* processor time of all processes that have ended */
	int64_t last_start_ms;    /* of a process, clock_wall_ms(); 0: none was started */
	/* Taken. Each of them is queued, in flight, or was counted once below; those that were cancelled in
	 * flight at once. */
	uint64_t n_calls;
	uint64_t n_ok;          /* a result, also one that tells of a tool's failure */
	uint64_t n_errors;      /* a JSON-RPC error */
	uint64_t n_lost;        /* its process died, or it reached none */
	uint64_t n_cancelled;   /* nobody waited any more */
	uint64_t n_timed_out;   /* nobody waited any more: call_timeout was over */
	const char *last_death; /* "" when none died; borrowed */
	const char *last_error; /* the last lost call or death; "": none; borrowed */
	int64_t last_error_ms;  /* when, loop_now_ms() */
	/* Of the calls that were answered, from being queued to the answer; borrowed. */
	const struct histogram *latency;
};

void domain_get_stats(const struct domain *domain, struct domain_stats *ret);

/* One process of a domain, running or to be started again. Texts are borrowed for the call. */
struct domain_process {
	const char *name; /* "git/2" */
	unsigned index;   /* the 2 */
	pid_t pid;        /* 0: none at present */
	const char *state;
	unsigned n_calls;    /* in flight, cancelled ones too */
	unsigned n_starts;   /* how many processes there were in this place */
	uint64_t n_answered; /* by the one that runs or ran last */
	/* As in struct domain_stats, of what all that ran under this name have answered; borrowed. */
	const struct histogram *latency;
	int64_t since_ms;     /* its start, loop_now_ms(); 0: none runs */
	const char *last_end; /* of the one before; "" */
	bool retiring;        /* it goes, at the latest when its successor is ready */
	uint64_t session;     /* isolation: session: whose it is; 0: of none alone */
};

/* In the order in which they were made. */
void domain_each_process(const struct domain *domain,
	void (*fn)(void *arg, const struct domain_process *process), void *arg);
