/* The roots of clients, for the domains that narrow their own by them (use_client_roots).
 *
 * A legacy client that declared the capability is asked roots/list on the way of the first call that needs it; that call
 * and those that come meanwhile are kept until it has answered, and what it said holds for its session until it
 * says that its roots are others. A modern client has no session: each call that came without is answered with
 * input_required, and goes on when the client asks again with them. A client that did not declare the
 * capability has all the roots of the settings.
 *
 * What goes to the worker is params._meta["mcp-fleet/roots"], an array of URIs, and only ever from here
 * (router_line.c takes out what a client wrote there). What the URIs mean is the worker's matter: they can
 * only narrow, so nothing of them needs to be trusted. Source: MCP client/roots, 2024-11-05 to 2025-11-25;
 * 2026-07-28 basic/patterns/mrtr. */
#pragma once

#include "supervisor/mcp/router.h"

/* As params._meta has it. */
#define CLIENT_ROOTS_META "mcp-fleet/roots"

/* Whether a request may begin. False: it was answered, a modern client has to say its roots first. */
bool client_roots_admit(struct router *router, const struct forward *forward);

/* A client's response. False: it is not one to a question of ours. */
bool client_roots_responded(struct router *router, struct session *session, const struct rpc *rpc);

/* The client's roots are others (notifications/roots/list_changed): it is asked again by the next call. */
void client_roots_changed(struct router *router, struct session *session);
