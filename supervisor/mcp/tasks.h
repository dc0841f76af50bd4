/* Tasks of 2025-11-25: work that goes on in a worker when the call that began it has been answered, and that
 * the client asks about later.
 *
 * A worker's taskId is unique in that worker only. The client has one of ours, which is bound to its session:
 * to all others the task is unknown. What is asked about a task goes to the process that has it, beside its
 * calls; what that process says of it goes to the session alone. A task is forgotten when its session ends
 * (the worker is told to cancel it), or when its time to live and a grace are over.
 *
 * Modern clients have tasks as an extension only, which is not offered. Source: MCP 2025-11-25
 * basic/utilities/tasks. */
#pragma once

#include "supervisor/mcp/router.h"
#include "supervisor/mcp/splice.h"

struct tasks;

enum { TASKS_PER_SESSION = 256 };

struct tasks *tasks_new(struct router *router);
void tasks_free(struct tasks *tasks); /* all sessions have ended */

/* The request may make a task: its session's revision has them, and so has the worker. */
bool tasks_are_for(const struct origin *origin, const struct catalog_target *target);

/* tasks/get, tasks/result, tasks/cancel: where it goes. False: it was answered. `ret` borrows `target`, and
 * both borrow the task. */
bool tasks_find_target(struct router *router, const struct origin *origin, enum forward_kind kind,
	struct jspan params, struct catalog_target *target, struct forward *ret);

/* tasks/list: answered, or forwarded. */
struct tasks_asking {
	struct router *router;
	const struct origin *origin;
	void (*forward)(const void *arg, const struct forward *forward);
	const void *arg;
};

void tasks_list(const struct tasks_asking *asking, struct jspan params);

/* A call of tasks/list got the result of a tasks/get (or none): it goes on to the next task, or is answered. */
void tasks_go_on_with_list(struct router *router, struct call *call, struct jspan result);

/* It is answered with what is known. */
void tasks_end_list(struct router *router, struct call *call);

/* A result of a call that makes a task or is about one: what it says of the task is noted, and ids are put
 * into `splices` as the client knows them. False: the task cannot be kept, and the call was failed. */
bool tasks_take_result(
	struct router *router, struct call *call, struct jspan result, struct splices *splices);

/* An error in the place of such a result. */
void tasks_take_error(struct router *router, const struct call *call, struct jspan error);

/* A notification of a worker. False: it is about no task that is known. */
bool tasks_told(
	struct router *router, struct domain *domain, unsigned worker, const struct rpc *rpc);

/* Whether a worker's message belongs to a task (`_meta` of its params or result says so), and to which: NULL
 * when that one is unknown, or has been forgotten. */
bool tasks_read_related(struct router *router, struct domain *domain, unsigned worker,
	struct jspan params, struct task **ret);

struct session *task_get_session(const struct task *task);
uint64_t task_get_number(const struct task *task);

/* The way of a tasks/result that waits for it, where messages about it are expected; 0: none waits. */
uint64_t tasks_get_via(struct session *session, uint64_t task_no);

/* Related ids in the params or the result of one side, as the other side knows them; an id of a task that is
 * not the session's stays as it is. */
void tasks_map_to_client(const struct task *task, struct jspan holder, struct splices *splices);
void tasks_map_to_worker(struct session *session, struct jspan holder, struct splices *splices);

/* The same for the value of the member of _meta alone. */
void tasks_map_related(struct session *session, struct jspan related, struct splices *splices);

void tasks_forget_session(struct router *router, struct session *session);
void tasks_worker_ended(struct router *router, struct domain *domain, unsigned worker);
