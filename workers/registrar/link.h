/* The link with mcp-fleetd: lines on standard input and output, read also while the gateway is waited for.
 *
 * What has to be answered at once is answered here (initialize, ping, methods that nobody knows); the rest
 * is queued for whoever has the time. So a gateway that does not answer never makes us look hung. */
#pragma once

#include <curl/curl.h>
#include <jansson.h>
#include <sys/queue.h>

#include "shared/lines.h"
#include "shared/rpc.h"

/* A message that waits. `rpc` points into `line`. */
struct note {
	TAILQ_ENTRY(note) next;
	char *line;
	size_t len;
	struct rpc rpc;
};

struct link {
	struct lines lines;
	int signals; /* a signalfd: SIGTERM and SIGINT end us */
	bool is_over;
	TAILQ_HEAD(, note) notes;
	size_t held_bytes;
	unsigned n_orders; /* of the notes: all but registrar/domain. They end a round early. */
};

/* Between these two descriptors; 0 or -errno. link_done() in any case. */
int link_open(struct link *link, int in_fd, int out_fd) must_check;
void link_done(struct link *link);

/* Reads, answers and writes what can be without waiting. False: the input or our time is over. */
bool link_turn(struct link *link);

/* Waits for the link, for transfers of `multi`, at most `timeout_ms`. */
void link_wait(struct link *link, CURLM *multi, int64_t timeout_ms);

/* The next message, NULL: none. Yours: note_free(). */
struct note *link_take(struct link *link);
void note_free(struct note *note);

/* `result` is taken over. `id` is JSON text. */
void link_answer(struct link *link, struct jspan id, json_t *result);
void link_answer_error(struct link *link, struct jspan id, int code, const char *message);

/* A notification of ours; `params` stays the caller's. */
void link_notify(struct link *link, const char *method, json_t *params);
