/* Router: matches answers of workers with the requests that wait for them.
 *
 * It knows no transport and no process. A call (any request that a worker answers) is in exactly one
 * place: the table of pending calls. It leaves it once, by answer, deadline, cancellation, loss of its
 * worker or end of its session, and the asker hears at most once. On a worker's link a call has a number
 * of its own, so that clients may use any ids; the client's id and progress token come back byte for
 * byte. What workers ask of clients meanwhile is mcp/bridge.h.
 *
 * Source: MCP basic/utilities/{cancellation,progress}, all revisions; protocol promise 1 in design. */
#pragma once

#include "shared/rpc.h"
#include "supervisor/fleet/fleet.h"
#include "supervisor/mcp/catalog.h"
#include "supervisor/mcp/origin.h"
#include "supervisor/mcp/trace_span.h"

struct router;

struct router_hooks {
	/* The last pending call has left. */
	void (*idle)(void *arg);
	/* By session_get_number(); NULL: it has ended. */
	struct session *(*find_session)(void *arg, uint64_t number);
	/* A parked call has ended, and with it what held the process of its session. */
	void (*released)(void *arg, uint64_t session_no);
};

struct router *router_new(struct loop *loop, const struct router_hooks *hooks, void *arg);
void router_free(struct router *router);
void router_set_fleet(struct router *router, struct fleet *fleet, const struct catalog *catalog);
void router_set_conf(struct router *router, const struct conf *conf);

/* The settings are what they were, but the file of the audit may have been moved away. */
void router_reopen_audit(struct router *router);

/* Copied; for calls that come from now on. */
void router_set_tracer(struct router *router, const struct tracer *tracer);

unsigned router_count(const struct router *router);

/* A method that workers answer. */
enum forward_kind {
	FORWARD_TOOL,
	FORWARD_PROMPT,
	FORWARD_READ,
	FORWARD_COMPLETE,
	FORWARD_TASK_GET,
	FORWARD_TASK_RESULT,
	FORWARD_TASK_CANCEL,
	FORWARD_TASK_LIST, /* tasks/get for each of the tasks that are listed */
};

/* A request on its way. */
struct forward {
	enum forward_kind kind;
	const struct origin *origin;
	struct jspan params;
	struct jspan where; /* in params: the name or URI that the worker may know by another one */
	const struct catalog_target *target;
	bool makes_task;      /* its result may be a task (mcp/tasks.h) */
	bool drops_task;      /* params.task is left out */
	uint64_t list_before; /* of FORWARD_TASK_LIST: where its page begins */
	uint64_t task_no;     /* what it is about; 0: no task */
	unsigned worker;      /* the process that it must go to; 0: any */
};

/* Sends it on its way. Whatever happens, the session hears exactly once (or the call is cancelled): also
 * when this cannot be done at all. */
void router_call(struct router *router, const struct forward *forward);

/* The session has a call in flight with this id. */
bool router_has(struct session *session, struct jspan id);

/* The client does not want the answer any more; unknown ids are ignored. */
void router_cancel(
	struct router *router, struct session *session, struct jspan id, const char *reason);

/* The session has ended: its calls are cancelled. */
void router_forget_session(struct router *router, struct session *session);

/* Calls that wait for a modern client to come back with what was asked end now, at the worker too. */
void router_drop_parked(struct router *router, const char *reason);

/* Every pending call is answered with an error now. */
void router_fail_all(struct router *router, int code, const char *message);

/* From the fleet. */
void router_answered(struct router *router, uint64_t no, const struct rpc *rpc);
void router_progress(struct router *router, uint64_t no, const struct rpc *rpc);
void router_lost(struct router *router, uint64_t no, enum domain_loss loss, const char *cause);

/* The session and way of the one call that a worker's news can only be about. False: it serves none, or
 * calls of several sessions, now. *ret_via is 0 when there are several calls of the one session. */
bool router_attribute(struct router *router, const struct domain_speaker *who,
	struct session **ret_session, uint64_t *ret_via, enum level *ret_level);
