/* The MCP server of a worker: one message after the other, one call at a time.
 *
 * Source: MCP 2024-11-05 to 2025-11-25 (basic/lifecycle, server/tools, basic/utilities). */
#pragma once

#include "workers/common/settings.h"

struct server;

/* Serves `desc` on two descriptors (which may be the same socket). All is borrowed. */
struct server *server_new(
	const struct worker_desc *desc, const struct settings *settings, int in_fd, int out_fd);
void server_free(struct server *server);
DEFINE_FREEP(struct server, server_free)

/* Until the end of input, or until the peer is gone, or server_stop_on_sigterm()'s signal came. */
void server_run(struct server *server);

/* SIGTERM ends the process at once between two calls; during a call the tool hears that it has to stop,
 * its answer is sent, and then server_run() returns. */
void server_stop_on_sigterm(void);

/* The list as tools/list answers it. A new reference. */
json_t *server_list_tools(const struct worker_desc *desc, const struct settings *settings)
	must_check;
