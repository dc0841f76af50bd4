/* Router: matches answers of workers with the calls that wait for them.
 *
 * It knows no transport and no process. A call is in exactly one place: the table of pending calls. It
 * leaves it once, by answer, deadline, cancellation, loss of its worker or end of its session, and the
 * asker hears at most once. On a worker's link a call has a number of its own, so that clients may use
 * any ids; the client's id and progress token come back byte for byte.
 *
 * Source: MCP 2025-11-25 basic/utilities/{cancellation,progress}; protocol promise 1 in design. */
#pragma once

#include "shared/rpc.h"
#include "supervisor/fleet/fleet.h"
#include "supervisor/mcp/catalog.h"
#include "supervisor/mcp/session.h"

struct router;

/* `on_idle` runs each time the last pending call has left. */
struct router *router_new(struct loop *loop, void (*on_idle)(void *arg), void *arg);
void router_free(struct router *router);
void router_set_fleet(struct router *router, struct fleet *fleet);
void router_set_max_result(struct router *router, size_t bytes); /* tools.max_result_bytes */

unsigned router_count(const struct router *router);

/* Where the parts of a tools/call lie. */
struct router_ask {
	uint64_t via; /* as in struct mcp_input */
	struct jspan id;
	struct jspan params;
	struct jspan name;  /* in params */
	struct jspan token; /* in params._meta; absent: no progress wanted */
};

/* Sends the call on its way. Whatever happens, the session hears exactly once (or the call is
 * cancelled): also when this cannot be done at all. */
void router_call(struct router *router, struct session *session, const struct router_ask *ask,
	const struct catalog_tool *tool);

/* The session has a call in flight with this id. */
bool router_has(const struct session *session, struct jspan id);

/* The client does not want the answer any more; unknown ids are ignored. */
void router_cancel(
	struct router *router, struct session *session, struct jspan id, const char *reason);

/* The session has ended: its calls are cancelled. */
void router_forget_session(struct router *router, struct session *session);

/* Every pending call is answered with an error now. */
void router_fail_all(struct router *router, int code, const char *message);

/* From the fleet. */
void router_answered(struct router *router, uint64_t no, const struct rpc *rpc);
void router_progress(struct router *router, uint64_t no, const struct rpc *rpc);
void router_lost(struct router *router, uint64_t no, enum domain_loss loss, const char *cause);
