/* The inside of a session: shared by session.c (its life and its queue) and session_report.c (what is told of it). */
#pragma once

#include "supervisor/mcp/session.h"
#include "supervisor/stats_door.h"

enum { SESSION_ID_BYTES = 16 };

struct queued {
	STAILQ_ENTRY(queued) next;
	struct outgoing out; /* its json points behind it */
	char json[];
};

struct session {
	LIST_ENTRY(session) in_ids; /* not one that is_once */
	LIST_ENTRY(session) in_numbers;
	TAILQ_ENTRY(session) in_all;
	struct sessions *owner;
	const struct sink_ops *ops; /* NULL: closed, about to be freed */
	void *sink;
	struct endpoint *endpoint;
	struct stats_door *door; /* a reference of ours */
	bool has_caller;
	struct caller caller; /* its principal and usages are references of ours */
	STAILQ_HEAD(, queued) queue;
	size_t queued_bytes;
	unsigned n_queued;
	struct session_info info;
	int64_t opened_ms;
	int64_t active_ms;
	uint64_t n_received; /* texts of the client */
	uint64_t number;
	const char *closes; /* why it will be closed when this turn ends; NULL: it will not */
	uint8_t id[SESSION_ID_BYTES];
};
