/* The inside of a worker: shared by worker.c (its life), worker_setup.c (what it is started with),
 * worker_end.c (what its death means), worker_strays.c (cancelled calls that may still run), and those that
 * speak on its link: worker_rpc.c (calls, and what comes in), worker_handshake.c, worker_lists.c,
 * worker_wants.c (subscriptions, log level), worker_asks.c (what it asks). */
#pragma once

#include "shared/clock.h"
#include "shared/limits.h"
#include "shared/log.h"
#include "supervisor/fleet/errlog.h"
#include "supervisor/fleet/link.h"
#include "supervisor/fleet/worker.h"

enum {
	WORKER_NOISE_BURST = 20,     /* lines of our log about its faults, then a pause */
	WORKER_MAX_ASKS = 64,        /* that wait for their answer at a time */
	WORKER_MAX_UNREAD = 4 * MIB, /* of our answers that it does not read, bytes */
	WORKER_MAX_STRAYS = 64,      /* that are known one by one */
};

/* Ids of the supervisor's own requests; a call's is its number. */
#define ID_INITIALIZE "initialize"
#define ID_DISCOVER "discover"
#define ID_PING "ping"
#define ID_PROBE "probe-" /* and the call's number: answered when a cancelled call has ended */
#define ID_SUBSCRIBE "subscribe-"
#define ID_LISTEN "listen-"
#define ID_LEVEL "level"

#define MODERN_REVISION "2026-07-28"

/* The lists of an offering, in the order in which they are read. */
enum worker_list { WORKER_TOOLS, WORKER_RESOURCES, WORKER_TEMPLATES, WORKER_PROMPTS, WORKER_LISTS };

/* Sorted, no text twice. */
struct text_set {
	char **items;
	size_t n;
};

/* A cancelled call whose place is free, but that may still run: the probe behind it was answered, and a server
 * of other make answers probes beside its calls. */
struct stray {
	uint64_t no; /* 0: several */
	uint64_t session;
	int64_t until_ms;
};

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
	unsigned n_beside;     /* of them, those that take no place */
	int64_t head_since_us; /* since when the first of them runs */
	int64_t usual_us;      /* how long calls take, a moving average */
	bool pinged;           /* a health ping is not answered yet */
	struct stray strays[WORKER_MAX_STRAYS];
	unsigned n_strays;

	struct offering offering; /* its lists only while they are read */
	bool is_modern_first;     /* server/discover is tried before initialize */
	char *refusal;            /* of the one that was tried first; NULL: it was not refused */
	struct timer
		*discover_timer; /* runs while server/discover is a question beside the lists */

	bool is_listing;       /* the lists are being read, page by page */
	bool list_again;       /* they changed meanwhile */
	enum worker_list list; /* which one; WORKER_LISTS: all are read */
	unsigned n_pages;
	size_t list_bytes;
	struct timer *list_timer; /* runs while they are not to be read again yet */

	struct text_set wanted; /* resources: to be subscribed, */
	struct text_set told;   /* and what the process knows of it */
	unsigned n_subscribing; /* requests of that kind without an answer */
	uint64_t n_subscribed;  /* gives them their ids */
	uint64_t listen;        /* the number of the acknowledged subscriptions/listen; 0: none */
	uint64_t new_listen;    /* of the one that is to take its place; 0: none */
	bool refuses_listen;
	struct timer *listen_timer; /* until it is tried again */
	char *wanted_level;
	char *told_level;
	bool is_levelling; /* logging/setLevel is not answered yet */

	char *asks[WORKER_MAX_ASKS]; /* ids, as sent, of what it asked; NULL: free */
	size_t unread;               /* bytes of our answers since it had read everything */

	struct backoff backoff;
	int64_t restart_wait_ms;
	int64_t drain_ms;
	int64_t started_ms; /* the present process; 0: there is none */
	int64_t ready_ms;   /* since when; 0: not yet */
	int64_t idle_since_ms;
	int64_t heard_ms;   /* when its last line came */
	uint64_t n_answers; /* of the present process */
	unsigned n_starts;
	int start_errno;
	char *trouble;           /* why we are going to kill it; NULL: we are not */
	enum worker_cause cause; /* of `trouble`, while there is one */
	bool is_drilled;         /* the present process */
	char *last_end;
	enum worker_cause last_cause;
	int64_t last_cpu_us;
	struct log_limit noise;
};

/* worker.c */
void worker_event(struct worker *w, enum worker_event event);
void worker_set_trouble(struct worker *w, enum worker_cause cause, const char *fmt, ...)
	printf_like(3, 4);

/* worker_setup.c; as process_start() */
int worker_start_process(struct worker *w, process_ended_fn *fn, int *ret_fd, int *ret_err_fd)
	must_check;

/* worker_end.c */
enum worker_event worker_judge_death(struct worker *w, const struct process_end *end);
void worker_describe_end(struct worker *w, const struct process_end *end);
void worker_log_end(struct worker *w, enum worker_event event);

/* worker_rpc.c */
extern const struct link_hooks worker_link_hooks;
int worker_say(struct worker *w, const char *text, size_t len);
void worker_sayf(struct worker *w, const char *fmt, ...) printf_like(2, 3);
/* A request of our own in the form that the worker takes. `params`: members as JSON text, no braces. */
void worker_say_request(
	struct worker *w, bool modern, const char *id, const char *method, const char *params);
void worker_say_ping(struct worker *w);
void worker_say_cancelled(struct worker *w, uint64_t no, const char *reason);
void worker_say_forget(struct worker *w, uint64_t no);
/* It broke the protocol: why, in words that follow "ended after". */
void worker_break(struct worker *w, const char *fmt, ...) printf_like(2, 3);
/* The words of an error answer for a person, quoted. */
void worker_add_error_text(struct strbuf *out, const struct rpc *rpc);

/* worker_handshake.c */
void worker_say_hello(struct worker *w);
void worker_on_initialize(struct worker *w, const struct rpc *rpc);
void worker_on_discover(struct worker *w, const struct rpc *rpc);
void worker_on_discover_timer(void *arg);

/* worker_lists.c */
void worker_start_listing(struct worker *w);
void worker_on_list(struct worker *w, enum worker_list list, const struct rpc *rpc);
enum worker_list worker_find_list(const char *id); /* WORKER_LISTS: no id of one */
void worker_on_list_changed(struct worker *w);
void worker_on_list_timer(void *arg);
/* If nothing is missing for it: all lists are read, and server/discover is decided. */
void worker_end_listing(struct worker *w);

/* worker_wants.c */
void worker_tell_wants(struct worker *w);
void worker_start_listen(struct worker *w);
void worker_forget_wants(struct worker *w); /* the process does not know them any more */
void worker_free_wants(struct worker *w);
void worker_on_subscribed(struct worker *w, const struct rpc *rpc);
void worker_on_levelled(struct worker *w, const struct rpc *rpc);
void worker_on_acknowledged(struct worker *w, const struct rpc *rpc);
/* `id`: of the listen that ended, by its answer (`rpc`) or by notifications/cancelled (NULL). */
void worker_on_listen_end(struct worker *w, const char *id, const struct rpc *rpc);
void worker_on_listen_timer(void *arg);

/* worker_strays.c */
void worker_add_stray(struct worker *w, const struct request *request);
void worker_end_stray(struct worker *w, uint64_t no);

/* worker_asks.c */
void worker_on_request(struct worker *w, const struct rpc *rpc);
void worker_on_cancelled(struct worker *w, const struct rpc *rpc);
void worker_forget_asks(struct worker *w);
