/* Worker: the life of one process that serves a domain, and the calls that it holds.
 *
 * Towards the process the supervisor is an MCP client of every revision: it opens, reads the lists, and
 * then the worker is ready. Its life is the table in worker.c (picture: ARCHITECTURE.md, "Life of a
 * worker"). Calls have integer ids on the link, which are the router's numbers; the supervisor's own
 * requests have texts as ids. */
#pragma once

#include <jansson.h>
#include <sys/queue.h>

#include "shared/rpc.h"
#include "supervisor/conf.h"
#include "supervisor/fleet/backoff.h"
#include "supervisor/fleet/launch.h"
#include "supervisor/fleet/offering.h"
#include "supervisor/loop.h"

enum worker_state {
	WORKER_DOWN,        /* no process, none wanted */
	WORKER_STARTING,    /* launched, initialize or server/discover sent */
	WORKER_LISTING,     /* it has answered; its lists are being read */
	WORKER_READY,       /* takes calls */
	WORKER_DRAINING,    /* takes no more calls, finishes those it has */
	WORKER_STOPPING,    /* its input is closed: it should end */
	WORKER_TERMINATING, /* SIGTERM was sent */
	WORKER_KILLED,      /* SIGKILL was sent; it is to be replaced */
	WORKER_ENDING,      /* SIGKILL was sent; it is not to be replaced */
	WORKER_BACKOFF,     /* waits to be started again */
	WORKER_PARKED,      /* died too often: is tried again rarely */
	WORKER_STATES,
};

enum worker_event {
	WORKER_EV_START,
	WORKER_EV_INITIALIZED,
	WORKER_EV_LISTED,
	WORKER_EV_DEADLINE, /* the state's timer */
	WORKER_EV_BROKEN,   /* its link ended, or it broke the protocol */
	WORKER_EV_HUNG,     /* no answer to a ping, or to a cancellation within the grace time */
	WORKER_EV_EXIT,     /* ended, before it was of any use or soon after */
	WORKER_EV_CRASH,    /* ended while it served: replaced at once */
	WORKER_EV_PARK,     /* ended, and that too often */
	WORKER_EV_STOP,
	WORKER_EV_DRAINED,
	WORKER_EVENTS,
};

/* One call on its way through a domain; owned by the domain's queue or by the worker that has it. */
struct request {
	TAILQ_ENTRY(request) next;
	TAILQ_ENTRY(request) in_all;   /* fleet/fairq.h, while it waits */
	struct fairq_lane *running_in; /* the same, while a worker has it */
	uint64_t no;
	uint64_t session; /* who asks */
	char *line;
	size_t len;
	size_t meta_at; /* in the line: where `envelope` goes in, for a worker of the stateless revision */
	char *envelope;   /* text; NULL: none */
	bool is_modern;   /* for a worker that takes both: as a request of the stateless revision */
	int64_t since_ms; /* queued, or cancelled */
	int64_t queued_us; /* when it came, clock_now_us() */
	bool may_rerun;    /* read-only or idempotent: safe to run again when its worker died */
	bool was_rerun;
	bool is_beside; /* about what the worker does already: takes none of its places */
	bool ahead;     /* it waits in the worker's socket behind another call: not begun */
	bool cancelled; /* nobody waits for it any more */
};

TAILQ_HEAD(request_list, request);

void request_free(struct request *request);

struct worker;

/* News for the domain. Nothing of the worker may be freed inside; see worker_free(). */
struct worker_hooks {
	/* It became ready, or told that its lists changed. Borrowed. */
	void (*ready)(void *arg, struct worker *worker, const struct offering *offering);
	/* A call was answered; its place is free. `rpc` borrows the line; `request` is freed afterwards. */
	void (*answered)(void *arg, const struct request *request, const struct rpc *rpc);
	/* Its place is free although nobody hears an answer: a cancelled call ended. */
	void (*freed)(void *arg, struct worker *worker);
	void (*progress)(void *arg, uint64_t no, const struct rpc *rpc);
	/* It asks something of a client, also before it is ready (roots/list): worker_reply() is due,
	 * sooner or later. Only of workers of other make, and only so many at a time. */
	void (*asked)(void *arg, struct worker *worker, const struct rpc *rpc);
	/* A notification that is not about one call: log message, updated resource, … and
	 * notifications/cancelled for what it asked, which then has no reply any more. */
	void (*told)(void *arg, struct worker *worker, const struct rpc *rpc);
	/* The process ended with calls: the domain takes `calls` over (all of them). */
	void (*lost)(void *arg, struct worker *worker, struct request_list *calls);
	/* The state changed. */
	void (*moved)(void *arg, struct worker *worker);
};

/* What a worker is started with; shared by the workers of a domain, counted. Immutable, but for what may
 * change while they run (from `concurrency` to `restart`), and what they have shown of their program: they are
 * opened alike. */
struct worker_setup {
	unsigned n_refs;
	char *domain;
	char **argv; /* NULL at the end; argv[0] absolute, or a name to be looked up in PATH */
	char **env;
	char *wrapper; /* mcp-fleet-exec; NULL: run directly */
	char *plan;    /* for it */
	struct cgroup_limits limits;
	bool native;
	bool is_isolated;            /* it serves one session only */
	enum conf_protocol protocol; /* native: always legacy */
	size_t max_line;             /* bytes of a message; 0: LIMIT_LINE_BYTES */
	unsigned concurrency;
	int64_t start_timeout_ms;
	int64_t cancel_grace_ms;
	int64_t health_interval_ms;
	int64_t health_timeout_ms;
	struct backoff_rules restart;
	bool is_modern_first;   /* learned: server/discover comes before initialize */
	bool knows_no_discover; /* learned: it is not asked for it beside initialize any more */
};

struct worker_setup *worker_setup_ref(struct worker_setup *setup);
void worker_setup_unref(struct worker_setup *setup);

/* In state DOWN. `index` makes its name: "git/1". Takes a reference of `setup`. */
struct worker *worker_new(struct loop *loop, struct launcher *launcher, struct worker_setup *setup,
	unsigned index, const struct worker_hooks *hooks, void *arg);

/* Only in state DOWN, and from a deferred call. */
void worker_free(struct worker *worker);

void worker_start(struct worker *worker);

/* Lets it finish its calls for at most `drain_ms`, then ends it; it is DOWN in the end. */
void worker_stop(struct worker *worker, int64_t drain_ms);

/* Room for another call? */
bool worker_has_room(const struct worker *worker);
bool worker_is_idle(const struct worker *worker);

/* May a call be sent ahead of its turn? Only to a native worker that answers fast, not behind a call
 * that runs for longer already, and so many: it finds the next call without being woken for each. */
bool worker_takes_ahead(const struct worker *worker);

/* The call that it runs is this session's, and runs for longer than those behind which others are sent. */
bool worker_is_held_by(const struct worker *worker, uint64_t session);

/* A call that was sent ahead waits in its socket. */
bool worker_has_ahead(const struct worker *worker);

/* Takes back the calls that were sent ahead when the one before them runs for longer than `max_ms`;
 * the worker is told to forget them. They are put at the head of `ret` in their order; their number. */
unsigned worker_take_back(struct worker *worker, int64_t max_ms, struct request_list *ret);

/* Hands a call over (ownership too); the worker must have room, or take calls ahead, or the call is one beside. -EPIPE: its link is broken; the
 * request stays the caller's, and the worker's end is reported later. It goes out with its envelope when the
 * worker takes modern requests only, or both kinds and the request is modern. */
int worker_call(struct worker *worker, struct request *request) must_check;

/* Tells it that nobody waits for the call any more; the call stays until it has really ended, or the
 * grace time is over and the worker is killed. False: it does not have this call. */
bool worker_cancel(struct worker *worker, uint64_t no, const char *reason);

/* Answers what it asked: a whole message with its id. Ignored when it is not there any more, or does not
 * wait for such an answer. */
void worker_reply(struct worker *worker, const char *line, size_t len);

/* A notification (a whole message) for a ready worker of other make that speaks a revision with
 * initialize; the others have none that a client could send. */
void worker_tell(struct worker *worker, const char *line, size_t len);

/* The resources whose changes somebody wants to hear of, all of them (its own URIs; copied). It is told
 * what is other than before, now or when it is ready, and so is the process that follows it: by
 * resources/subscribe and unsubscribe, or by subscriptions/listen. Nothing is said to one without the
 * capability. Source: MCP server/resources, "Subscriptions"; 2026-07-28 basic/patterns/subscriptions. */
void worker_set_subscriptions(struct worker *worker, const char *const *uris, size_t n);

/* The least important log level that somebody wants to hear ("debug"; NULL: nobody has said), in the same
 * way: logging/setLevel for one with the capability. The modern revision has the level in each request. */
void worker_set_level(struct worker *worker, const char *level);

/* The numbers of its calls that somebody waits for, at most `max`; how many there are. */
unsigned worker_list_calls(const struct worker *worker, uint64_t *ret, unsigned max);

/* How many of its calls were cancelled and may still run: until their answer comes, the process ends, or
 * cancel_grace is over. What it asks or tells meanwhile may be about them. `ret_session`: whose all of them
 * are; 0: of several sessions, or there are none. */
unsigned worker_count_unsure(const struct worker *worker, uint64_t *ret_session);

/* Sends a notification of our own ("method", params as JSON text) if it is ready and native. */
void worker_notify(struct worker *worker, const char *method, const char *params);

/* Why a process ended: the reason that comes first in this list, of those that are known. */
enum worker_cause {
	WORKER_CAUSE_EXEC,  /* it could not be run */
	WORKER_CAUSE_DRILL, /* worker_drill() */
	WORKER_CAUSE_MEMORY, /* the kernel killed it, or what it had started, at the limit of its cgroup */
	WORKER_CAUSE_HUNG,      /* no answer to a ping, or to a cancellation */
	WORKER_CAUSE_PROTOCOL,  /* it said what it must not */
	WORKER_CAUSE_LATE,      /* it was not ready in time */
	WORKER_CAUSE_NOT_READY, /* it died before it was */
	WORKER_CAUSE_SERVING,   /* it died while it served */
	WORKER_CAUSES,
};

const char *worker_cause_name(enum worker_cause cause);

/* Trouble on purpose. */
enum drill_kind {
	DRILL_KILL,    /* SIGKILL */
	DRILL_STOP,    /* SIGSTOP: it hangs */
	DRILL_GARBAGE, /* a line on its link that is no message, as though it had written it */
};

/* Does it to the process, and to our side nothing beside what follows from it. -ESRCH: there is none. Not from
 * inside a hook. */
int worker_drill(struct worker *worker, enum drill_kind kind) must_check;

unsigned worker_get_index(const struct worker *worker);
enum worker_state worker_get_state(const struct worker *worker);
const char *worker_get_name(const struct worker *worker);
pid_t worker_get_pid(const struct worker *worker); /* 0: none */
unsigned worker_get_starts(const struct worker *worker);
int64_t worker_get_started_ms(const struct worker *worker); /* of the present process; 0: none */
uint64_t worker_get_answers(const struct worker *worker); /* of the process that runs or ran last */
enum worker_cause worker_get_last_cause(
	const struct worker *worker); /* of the process that ended last, */
int64_t worker_get_last_cpu_us(
	const struct worker *worker); /* and the processor time that it used */
const char *worker_get_last_end(const struct worker *worker); /* "" when it never died */
int64_t worker_get_idle_since_ms(const struct worker *worker);
unsigned worker_count_calls(const struct worker *worker);
unsigned worker_count_places(const struct worker *worker); /* that its calls take */

const char *worker_state_name(enum worker_state state);
const char *worker_event_name(enum worker_event event);

/* The table, for its test: the state that follows, or -1 where the event cannot happen. */
int worker_next_state(enum worker_state state, enum worker_event event);
