/* The local Unix socket: the stdio transport for clients that did not start the daemon.
 *
 * Each connection is one stream with one session on the whole fleet, judged by the credentials of its
 * peer. What stdio says holds here too: one message a line, no idle time, and a client that ends its
 * input gets the answers to what is in flight. A client that is gone has its calls cancelled.
 *
 * Why it is so: doc/adr/0010.
 *
 * Who is refused (credentials, limits.sessions, limits.connections) reads one line, a JSON-RPC error
 * without an id, and then the end. Source: MCP basic/transports, "stdio", all revisions. */
#pragma once

#include "shared/fail.h"
#include "supervisor/mcp/mcp.h"

struct local;

/* Listens nowhere yet. limits.connections counts for this door alone. */
struct local *local_new(struct loop *loop, struct mcp *mcp, const struct conf_limits *limits);
void local_free(struct local *local); /* closes all connections */

/* For connections and lines to come. */
void local_set_limits(struct local *local, const struct conf_limits *limits);

/* Makes ready to listen at `path` (NULL: nowhere) for `group` ("": the daemon's own), beside what is
 * open. 0, or -errno with words; nothing else has changed then. local_commit() or local_abandon()
 * follows. An adopted socket stays, whatever is asked for. */
int local_prepare(struct local *local, const char *path, const char *group, struct fail *fail)
	must_check;

/* What was prepared takes the place of what is open; connections stay. */
void local_commit(struct local *local);
void local_abandon(struct local *local);

/* Takes a listening Unix socket that somebody else opened (socket activation). */
void local_adopt(struct local *local, int fd);

/* No new connections. Who has connected already is accepted, but for a socket that was adopted: there he waits. */
void local_stop_listening(struct local *local);

/* Some client has connected and said nothing yet. */
bool local_is_awaiting(const struct local *local);

/* Some connection still has something to write. */
bool local_is_writing(const struct local *local);

/* Where it listens; NULL: nowhere. */
const char *local_get_path(const struct local *local);
