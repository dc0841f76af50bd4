/* What the messages mean: the one way in for transports, and the listener for news of the fleet.
 *
 * A transport opens a session, hands over each message it receives, and is told by the sink what to
 * send. Everything else (sessions, router, catalog, methods) stays behind this header. */
#pragma once

#include "shared/strbuf.h"
#include "supervisor/fleet/fleet.h"
#include "supervisor/mcp/catalog.h"
#include "supervisor/mcp/session.h"

struct mcp;

struct mcp_headers; /* mcp/headers.h */

/* One text from a client: a message, or a batch of them. */
struct mcp_input {
	char *text; /* may be changed */
	size_t len;
	uint64_t
		via; /* the transport's own number of the way by which this came, never 0 where there are
	               * several: what belongs to these requests comes back with it; see struct outgoing */
	const struct mcp_headers *headers; /* what HTTP says beside the body; NULL elsewhere */
	struct strbuf
		*scopes; /* takes those of MCP_FORBIDDEN; NULL: that is an answer like others */
};

/* What became of it. Over HTTP the refusals have the statuses 400, 403, 404, 503. */
enum mcp_verdict {
	MCP_ACCEPTED, /* answers, if any, come through the sink */
	MCP_INVALID, /* not JSON, or no valid request: `reply` is a JSON-RPC error; the session lives on */
	MCP_UNKNOWN, /* a method that the stateless revision does not have: the same */
	MCP_FORBIDDEN, /* a token with other scopes could: `reply` is a JSON-RPC error, and the scopes are told */
	MCP_BUSY, /* not now (slow client, or the fleet is stopping): `reply` is a JSON-RPC error */
};

/* `on_idle`: the last pending call has left. `on_settled`: for the first time every domain is up or
 * has failed. `conf` is borrowed until mcp_set_conf() gives another. */
struct mcp_hooks {
	void (*idle)(void *arg);
	void (*settled)(void *arg);
	void (*changed)(void *arg); /* states or lists changed: the status is to be told anew */
};

struct mcp *mcp_new(
	struct loop *loop, const struct conf *conf, const struct mcp_hooks *hooks, void *arg);
void mcp_free(struct mcp *mcp);

/* The hooks for fleet_new(), whose arg is the mcp; then mcp_set_fleet(). */
extern const struct domain_hooks mcp_domain_hooks;
void mcp_set_fleet(struct mcp *mcp, struct fleet *fleet);

/* New settings; the old ones are not used any more. */
void mcp_set_conf(struct mcp *mcp, const struct conf *conf);

/* A reload that was refused: the file of the audit is opened anew all the same, or records would go on into the one
 * that was moved away for it. */
void mcp_reopen_audit(struct mcp *mcp);

/* Who hears of the spans of calls; copied, and replaces the one before. Nobody at first. */
struct tracer; /* mcp/trace_span.h */
void mcp_set_tracer(struct mcp *mcp, const struct tracer *tracer);

/* No new requests from now on (MCP_BUSY), nor those that wait for the lists; those in flight go on,
 * but for those whose client would have to come back with an answer. */
void mcp_refuse_new(struct mcp *mcp);
void mcp_fail_pending(struct mcp *mcp, const char *message);
unsigned mcp_count_pending(const struct mcp *mcp);

/* Requests of this session that have no answer yet, those that wait for the lists included. */
unsigned mcp_count_pending_of(const struct mcp *mcp, const struct session *session);
bool mcp_is_settled(const struct mcp *mcp);

struct sessions *mcp_get_sessions(const struct mcp *mcp);
struct catalog *mcp_get_catalog(const struct mcp *mcp);
struct fleet *mcp_get_fleet(const struct mcp *mcp);

/* NULL: no such domain. */
struct endpoint *mcp_find_endpoint(const struct mcp *mcp, const char *domain);

/* The endpoint can serve at all: false for a domain that is parked. */
bool mcp_can_serve(const struct mcp *mcp, const struct endpoint *endpoint);

/* `caller` NULL: a local process. NULL: limits.sessions is reached, or the fleet is stopping. */
struct session *mcp_open(struct mcp *mcp, const struct sink_ops *ops, void *sink,
	struct endpoint *endpoint, const struct caller *caller);

/* `reply` is set for the verdicts that say so. */
enum mcp_verdict mcp_receive(struct mcp *mcp, struct session *session,
	const struct mcp_input *input, struct strbuf *reply);
