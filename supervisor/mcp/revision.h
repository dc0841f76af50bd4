/* The protocol revisions, and what differs between them for us.
 *
 * Code asks for a feature, never for a revision's name. Four revisions open with initialize (legacy);
 * the newest has no opening at all: each request says its revision (modern).
 *
 * Source: protocol revisions 2024-11-05 to 2026-07-28, basic/lifecycle "Version Negotiation",
 * basic/transports, basic/versioning, schema. */
#pragma once

#include "shared/jspan.h"
#include "shared/span.h"

enum revision {
	REV_2024_11_05,
	REV_2025_03_26,
	REV_2025_06_18,
	REV_2025_11_25,
	REV_2026_07_28,
	REVISIONS,
};

#define REV_LATEST REV_2025_11_25 /* what initialize can end with */
#define REV_MODERN REV_2026_07_28 /* the only one of its kind */

const char *revision_name(enum revision revision);

/* The legacy revision to answer initialize with: the one asked for, or the latest when we do not know
 * it. The handshake cannot choose a modern one. */
enum revision revision_negotiate(struct jspan asked);

/* What a version, as it stands in the header MCP-Protocol-Version, says about the request. */
enum revision_era {
	ERA_NONE,    /* absent */
	ERA_LEGACY,  /* *ret_revision is set */
	ERA_MODERN,  /* *ret_revision is set */
	ERA_UNKNOWN, /* none of ours */
};

enum revision_era revision_find(struct span name, enum revision *ret_revision); /* may be NULL */

/* Whether a modern request can ask for it. False: -32022. */
bool revision_is_served(struct jspan asked);

/* Each request stands alone: no initialize, no session, no GET; results have `resultType`, lists
 * `ttlMs` and `cacheScope`; a stream that the client closes is a cancellation. */
bool revision_is_modern(enum revision revision);

/* One endpoint for POST (and, with sessions, GET and DELETE), instead of HTTP+SSE's two. */
bool revision_has_streamable(enum revision revision);

/* Mcp-Session-Id, the GET stream, resuming by Last-Event-ID. */
bool revision_has_sessions(enum revision revision);

/* The client must send MCP-Protocol-Version after initialize. */
bool revision_wants_version_header(enum revision revision);

/* A stream begins with an event that has an id and no data; older clients choke on that. */
bool revision_wants_priming(enum revision revision);

/* An error whose request id could not be read: leave `id` out (true), or send null. */
bool revision_omits_null_id(enum revision revision);

/* One text may be an array of messages; the first revision, which does not speak of them, has them on
 * stdio only. */
bool revision_takes_batches(enum revision revision, bool on_stdio);

/* The server may send requests to the client (sampling, roots, ping); without, what it wants of the
 * client goes into a result of the type `input_required`. */
bool revision_has_server_requests(enum revision revision);

bool revision_has_elicitation(enum revision revision);     /* elicitation/create with a form */
bool revision_has_url_elicitation(enum revision revision); /* and with a URL; the error -32042 */
bool revision_has_completions(enum revision revision);     /* the capability `completions` */
bool revision_has_tasks(enum revision revision);           /* tasks/... and its capability */

/* The code for a resource that is not there: -32002, or -32602 where that must not be sent. */
int revision_no_resource_code(enum revision revision);
