/* The inside of the router: shared by router.c (the table of calls), router_line.c (what is written to
 * workers), bridge*.c (what workers ask of clients), client_roots.c (what we ask of them) and tasks.c (what
 * outlasts its call). */
#pragma once

#include "shared/log.h"
#include "supervisor/expiry.h"
#include "supervisor/mcp/router.h"
#include "supervisor/mcp/tasks.h"

enum { PARKED_TOKEN_TEXT = 48, MAX_ELICITATIONS = 256 };

struct call {
	LIST_ENTRY(call) in_bucket;
	LIST_ENTRY(call) in_session; /* of the session, or of the parked ones */
	struct expiry_entry deadline;
	struct expiry *expiry;
	struct session *session; /* NULL: parked, the client has to ask again */
	uint64_t via;
	uint64_t session_no; /* whom the worker serves with it */
	uint64_t no;
	uint32_t domain;
	enum forward_kind kind;
	bool makes_task;
	uint64_t list_before;
	uint64_t task_no; /* 0: it is about no task */
	unsigned worker;  /* 0: any */
	bool is_modern;
	bool may_rerun;
	enum level level;
	unsigned client;
	char *label;      /* the tool's name as it is listed, a URI, … */
	int64_t since_us; /* clock_now_us() */
	int64_t timeout_ms;
	struct stats_timing timing; /* its series is a reference of ours */
	char *trace;                /* NULL: none */
	bool is_answered;           /* how it ends: call_end.h */
	bool is_tool_error;
	int code;                 /* of a JSON-RPC error; 0: none */
	struct trace_span *span;  /* NULL: it has none */
	struct audit_call *audit; /* NULL: not recorded */
	struct domain_call held;  /* waits for the client's roots; line NULL: it does not */

	/* What a call needs that a worker interrupts to ask something. */
	bool is_bridged; /* it can: its client and its worker are of different eras */
	char *params; /* as the client sent them; NULL: not bridged, or there is no room to keep them */
	size_t params_len;
	struct ask_list asks;
	unsigned n_asks;
	size_t asked_bytes; /* of all that was asked on its way */
	unsigned n_rounds;
	bool has_part;              /* parked, and given some of what it asked */
	struct expiry_entry gather; /* to be parked when its worker has said all that it wants */
	const struct endpoint *endpoint;      /* where it was asked, */
	struct principal *principal;          /* and by whom: a reference; NULL: a local process */
	char parked_token[PARKED_TOKEN_TEXT]; /* "": not parked */
	char *worker_state;                   /* JSON: a modern worker's requestState */

	size_t id_len;
	size_t token_len; /* 0: no progress wanted */
	char *ids;        /* id, then token, as the client wrote them */
	char own_ids[];   /* where they lie as long as the first request stands */
};

/* A page that a client's user was sent to. */
struct elicitation {
	char *id; /* JSON; NULL: none */
	uint32_t domain;
	unsigned worker; /* 0: which process of the domain is not known */
	uint64_t session_no;
};

/* One queue for each length of deadline that is in use: a handful. */
struct deadline_queue;

LIST_HEAD(call_bucket, call);

struct router {
	struct loop *loop;
	struct fleet *fleet;
	const struct catalog *catalog;
	const struct conf *conf;
	const struct router_hooks *hooks;
	void *arg;
	struct call_bucket *buckets;
	size_t n_buckets; /* a power of two; numbers count up, so the low bits spread well */
	unsigned n_calls;
	uint64_t last_no;
	struct deadline_queue *deadlines;
	struct tracer tracer;
	size_t kept_bytes; /* of all calls' params */
	struct tasks *tasks;
	struct audit *audit;
	struct call_list parked;
	unsigned n_parked;
	struct ask_list asks; /* all, in no order */
	uint64_t last_ask;
	struct expiry *ask_expiry;
	struct expiry *gather_expiry;
	struct expiry *roots_expiry;
	size_t held_bytes; /* of all calls that wait for roots */
	struct log_limit odd_roots_log;
	struct log_limit big_log;
	struct elicitation elicitations[MAX_ELICITATIONS]; /* the newest */
	size_t n_elicitations;
};

/* It is about a task, not work by itself: nothing that a worker says belongs to it. */
static inline bool call_is_beside(const struct call *call)
{
	return call->kind >= FORWARD_TASK_GET;
}

static inline struct jspan call_id(const struct call *call)
{
	return (struct jspan){ .at = call->ids, .len = call->id_len };
}

/* router.c */
struct origin call_origin(const struct call *call);
struct call *router_find(const struct router *router, uint64_t no);
void router_set_deadline(struct router *router, struct call *call, int64_t after_ms);
void router_stop_deadline(struct call *call);

/* The one way out of the table; asks of its worker that are open are answered with an error. */
void router_remove(struct router *router, struct call *call);
void router_fail(
	struct router *router, struct call *call, int code, const char *message, const char *data);
void router_answer(struct router *router, struct call *call, struct jspan result);
void router_cancel_in_domain(struct router *router, const struct call *call, const char *reason);
int router_send(struct router *router, struct call *call, const struct forward *forward,
	const char *input_responses);
/* From now on it is this request that it answers, and is counted as. */
void router_time(struct call *call, const struct forward *forward);
/* A call that is sent again is another one for the worker. */
void router_renumber(struct router *router, struct call *call);
void router_refuse_send(struct router *router, uint64_t no, int err);

/* router_trace.c: the trace that a call belongs to, and its span, which ends with the call. */
void router_begin_trace(
	const struct router *router, struct call *call, const struct forward *forward);
void router_note_error(struct call *call, const char *message);
void router_note_answer(const struct router *router, struct call *call);
void router_end_trace(const struct router *router, struct call *call);

/* router_line.c: the name of the method that the client asked for. */
const char *router_method(enum forward_kind kind);

/* router_line.c: the line for a worker, and where the envelope goes in. `more`: members for params
 * ("" or NULL: none). */
void router_make_line(const struct call *call, const struct forward *forward, const char *more,
	struct domain_call *ret);

/* client_roots.c */
void client_roots_init(struct router *router);
void client_roots_set_timeout(struct router *router, int64_t input_timeout_ms);
void client_roots_done(struct router *router);
/* domain_call(), with the client's roots where the domain wants them; at once, or when they are known: then
 * the call may also fail instead. */
int client_roots_send(struct router *router, struct call *call, const struct forward *forward,
	struct domain_call *out);
void client_roots_forget_call(struct router *router, struct call *call);
void client_roots_forget_session(struct router *router, struct session *session);

/* bridge.c */
void bridge_init(struct router *router);
void bridge_set_timeout(struct router *router, int64_t input_timeout_ms);
void bridge_done(struct router *router);
void bridge_forget_call(struct router *router, struct call *call, const char *why);
void bridge_forget_session(struct router *router, struct session *session);
/* A modern worker wants input first. True: it is being got; false: the result is the answer. */
bool bridge_take_input_required(struct router *router, struct call *call, struct jspan result);
