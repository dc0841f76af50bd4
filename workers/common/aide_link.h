/* The link of an aide with mcp-fleetd: lines on standard input and output, read also while somebody else is
 * waited for. An aide is a process that the daemon has for itself and that serves no domain:
 * mcp-fleet-registrar, mcp-fleet-courier.
 *
 * What has to be answered at once is answered here (initialize, ping, methods that nobody knows); the rest
 * is queued for whoever has the time. So a server that does not answer never makes us look hung. */
#pragma once

#include <curl/curl.h>
#include <jansson.h>
#include <sys/queue.h>

#include "shared/lines.h"
#include "shared/rpc.h"

enum { AIDE_LINK_FDS = 3 };

/* A message that waits. `rpc` points into `line`. */
struct aide_note {
	TAILQ_ENTRY(aide_note) next;
	char *line;
	size_t len;
	struct rpc rpc;
};

/* What an aide takes, beside what each takes. */
struct aide_kind {
	const char *program;
	const char *const *requests; /* names, NULL at the end */
	const char *const *notifications;
	const char *news; /* the one of these that is no order: it can wait; NULL: there is none */
};

struct aide_link {
	const struct aide_kind *kind;
	struct lines lines;
	int signals; /* a signalfd: SIGTERM and SIGINT end us */
	bool is_over;
	TAILQ_HEAD(, aide_note) notes;
	size_t held_bytes;
	unsigned n_orders; /* of the notes: all but the news */
};

/* Between these two descriptors; `kind` stays in use. 0 or -errno. aide_link_done() in any case. */
int aide_link_open(struct aide_link *link, const struct aide_kind *kind, int in_fd, int out_fd)
	must_check;
void aide_link_done(struct aide_link *link);

/* Reads, answers and writes what can be without waiting. False: the input or our time is over. */
bool aide_link_turn(struct aide_link *link);

/* What to wait for on the link, for curl_multi_poll(): how many of `ret` are filled. *timeout_ms becomes 0 when there
 * is something to do already. */
unsigned aide_link_get_fds(
	const struct aide_link *link, struct curl_waitfd ret[AIDE_LINK_FDS], int64_t *timeout_ms);

/* The next message, NULL: none. Yours: aide_note_free(). */
struct aide_note *aide_link_take(struct aide_link *link);
void aide_note_free(struct aide_note *note);

/* `result` is taken over. `id` is JSON text. */
void aide_link_answer(struct aide_link *link, struct jspan id, json_t *result);
void aide_link_answer_error(struct aide_link *link, struct jspan id, int code, const char *message);

/* A notification of ours; `params` stays the caller's. */
void aide_link_notify(struct aide_link *link, const char *method, json_t *params);
