/* The bridge between a client on standard input and output and a daemon that comes and goes: what is in
 * flight, what is lost with a connection, what is said again on the next one.
 *
 * Pure: lines go in, lines come out, the time is handed in. No descriptors; those are bridge_io's.
 *
 * The client sees one server that never goes away. Each of its requests is answered once: by the daemon, or
 * in its place with an error when the connection was lost with it, or when no daemon was there in time.
 * What was not given to the kernel yet, and what does no harm when it comes twice, is sent (again) on the
 * next connection instead; a tool is never called twice. The next connection is opened with the client's own
 * initialize, and with the log level and the subscriptions that it had set; the answers to these are kept
 * here.
 *
 * Messages pass through with the bytes that they have. Two things are changed: an id of the daemon's question
 * that the client knows from a question of an earlier connection already, and a batch in which the client
 * answers such a question.
 *
 * Source: MCP basic/transports, "stdio", basic/lifecycle, basic/utilities/cancellation, all revisions;
 * 2026-07-28 basic/patterns/subscriptions; doc/adr/0013. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "shared/cleanup.h"

enum {
	BRIDGE_MAX_REQUESTS = 4096,  /* without an answer, waiting ones included */
	BRIDGE_MAX_QUESTIONS = 1024, /* of the daemon, without an answer of the client's */
	BRIDGE_MAX_WATCHES = 4096,   /* subscriptions that are made again */
	BRIDGE_MAX_WATCH_BYTES = 4194304,
	BRIDGE_MAX_ATTEMPTS = 3,   /* to get an answer to what may be sent again */
	BRIDGE_OPENING_MS = 30000, /* for the answer to initialize on a next connection */
	BRIDGE_MAX_QUEUE =
		33554432, /* bytes that wait for a connection: two messages of the largest size */
	BRIDGE_FULL_QUEUE =
		4194304, /* bytes that wait for the daemon to read: the client waits too */
};

struct bridge;

struct bridge_settings {
	const char *place; /* of the daemon, for messages; borrowed for good */
	const char
		*tag; /* letters and digits that no client guesses: part of our own ids; the same */
	int64_t wait_ms; /* requests wait so long for a connection */
	/* A line for the client, without its line break. */
	void (*say)(void *arg, const char *line, size_t len);
	void *arg;
};

struct bridge *bridge_new(const struct bridge_settings *settings);
void bridge_free(struct bridge *bridge);
DEFINE_FREEP(struct bridge, bridge_free)

/* --- the client --- */

/* A line of the client's, without its line break. */
void bridge_hear_client(struct bridge *bridge, const char *line, size_t len, int64_t now_ms);

/* One that was too long to be read; `head` is its beginning. */
void bridge_hear_too_long(struct bridge *bridge, const char *head, size_t len);

/* False: so much waits for the daemon to read it that nothing more is to be read. */
bool bridge_takes_more(const struct bridge *bridge);

/* All that the client asked is answered and all that it said is sent, as far as it can be. */
bool bridge_is_idle(const struct bridge *bridge);

/* Answers whatever is in flight: the bridge ends. */
void bridge_give_up(struct bridge *bridge, const char *why);

/* --- the daemon --- */

/* A connection is there. */
void bridge_connected(struct bridge *bridge, int64_t now_ms);

/* A line of the daemon's, without its line break. 0; -EPROTO: the connection is of no use, close it (the
 * cause is kept); -ECONNABORTED: the client cannot be served any more, bridge_get_cause() says why. */
int bridge_hear_daemon(struct bridge *bridge, const char *line, size_t len) must_check;

/* The connection is gone. `cause` stands in errors; NULL: what is known already. */
void bridge_lost(struct bridge *bridge, const char *cause, int64_t now_ms);

/* Nobody could be connected to. `is_final`: waiting will not help, so what waits is answered now. */
void bridge_unreachable(struct bridge *bridge, const char *cause, bool is_final);

/* What is to be written to the daemon next; false: nothing. Borrowed until the next call. */
bool bridge_peek(const struct bridge *bridge, const char **ret_bytes, size_t *ret_len);
void bridge_wrote(struct bridge *bridge, size_t n);

/* The daemon answers on this connection. */
bool bridge_is_served(const struct bridge *bridge);

/* What is known of why there is no connection, or none that is of use; "": nothing. */
const char *bridge_get_cause(const struct bridge *bridge);

/* --- time --- */

/* When bridge_turn() is to be called next; INT64_MAX: not at all. */
int64_t bridge_next_ms(const struct bridge *bridge);

/* 0; -ETIMEDOUT: the daemon does not answer, close the connection. */
int bridge_turn(struct bridge *bridge, int64_t now_ms) must_check;
