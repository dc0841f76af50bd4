/* What workers ask of clients: sampling, elicitation, roots. Between the eras:
 *
 * - a legacy worker and a legacy client: a request that is passed on under a number of ours;
 * - a legacy worker and a modern client: the client's request is answered with input_required, the
 *   worker's call is parked, and goes on when the client asks again with what is wanted;
 * - a modern worker and a legacy client: its input_required becomes requests to the client, and the call
 *   is sent again with the answers;
 * - both modern: everything goes through untouched, none of this is used.
 *
 * A request is passed on only when it can concern one session alone: it belongs to a task of that session,
 * or the session is the only one that the worker serves now, and no call of another one that was given up
 * may still run there. Source: MCP client/{sampling,elicitation,roots}, all revisions; 2026-07-28
 * basic/patterns/mrtr. */
#pragma once

#include "supervisor/mcp/router.h"

/* A worker's request; it is answered in any case. */
void bridge_asked(struct router *router, struct domain *domain, const struct domain_speaker *who,
	const struct rpc *rpc);

/* A client's response to a request of ours. One that nobody waits for is ignored. */
void bridge_responded(struct router *router, struct session *session, const struct rpc *rpc);

/* A worker does not want the answer any more (notifications/cancelled). */
void bridge_withdrawn(
	struct router *router, struct domain *domain, unsigned worker, const struct rpc *rpc);

void bridge_worker_ended(struct router *router, struct domain *domain, unsigned worker);

/* A modern request with a requestState of ours: the parked call goes on with it. False: it has none. */
bool bridge_resume(struct router *router, const struct forward *forward);

/* The session that was sent to a page by this elicitationId; NULL: none that is known. */
struct session *bridge_find_elicitation(struct router *router, struct domain *domain,
	const struct domain_speaker *who, struct jspan id);

/* A parked call still needs the process that serves this session. */
bool bridge_holds(const struct router *router, uint64_t session_no);
