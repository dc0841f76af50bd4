/* The events of one session, by streams: the outgoing queue of streams whose client reads slowly, and
 * what a client that lost its connection may ask for again.
 *
 * An event waits until it was delivered (handed to the socket whole), and is kept for a while after
 * that. Both are bounded: of the delivered ones the oldest leave first. A stream is live while a
 * connection carries it. What waits on streams that are not leaves when room is needed; when all that
 * waits is on live streams, the client does not read, and the session is to be closed.
 *
 * Event ids are "<stream>-<n>", n counting from 1 in each stream; "<stream>-0" is its beginning.
 * Source: MCP 2025-03-26 to 2025-11-25, basic/transports "Resumability and Redelivery". */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "shared/cleanup.h"
#include "shared/span.h"

struct event_store;
struct event_stream;

struct event_limits {
	size_t queue_bytes; /* that wait */
	unsigned queue_events;
	size_t replay_bytes; /* that were delivered; 0: none are kept */
	unsigned replay_events;
};

enum { EVENT_ID_TEXT = 42 };

struct event {
	TAILQ_ENTRY(event) in_list;
	TAILQ_ENTRY(event) in_stream;
	struct event_stream *stream;
	uint64_t n;
	bool is_delivered;
	size_t len;
	char bytes[];
};

/* `limits` are borrowed, and may change: then for what is appended or delivered from then on. */
struct event_store *event_store_new(const struct event_limits *limits);
void event_store_free(struct event_store *store); /* with all streams */
DEFINE_FREEP(struct event_store, event_store_free)

/* More than half of what may wait does, on live streams. */
bool event_store_is_slow(const struct event_store *store);

/* A new stream, live. `no` was never used in this store. The pointer is valid until both
 * event_stream_end() and event_stream_leave() were called; until then it can be found too. */
struct event_stream *event_store_open(struct event_store *store, uint64_t no);

/* NULL: there is none, or nothing is left of it. */
struct event_stream *event_store_find(const struct event_store *store, uint64_t no);

uint64_t event_stream_get_no(const struct event_stream *stream);
uint64_t event_stream_get_last(const struct event_stream *stream); /* n of the last event, or 0 */

/* A copy of `bytes` waits. -ENOBUFS: there is no room, because clients do not read what waits for them;
 * nothing was appended. Where the stream is not live it is lost instead, and 0 comes back. */
int event_stream_append(struct event_stream *stream, const void *bytes, size_t len) must_check;

/* The first event that waits, borrowed; NULL: none. */
const struct event *event_stream_next(const struct event_stream *stream);

/* That one was delivered. */
void event_stream_delivered(struct event_stream *stream);

/* On a live stream: the client has all events up to the n-th, and none that follow: those that are left
 * wait again. False: the stream never had an n-th one. */
bool event_stream_rewind(struct event_stream *stream, uint64_t n);

/* A connection carries the stream again. */
void event_stream_join(struct event_stream *stream);
void event_stream_leave(struct event_stream *stream);

/* Where a client that goes on now continues: the n before the first event that waits. */
uint64_t event_stream_position(const struct event_stream *stream);

/* Its events leave, all of them. */
void event_stream_clear(struct event_stream *stream);

/* No event will be appended any more. */
void event_stream_end(struct event_stream *stream);
bool event_stream_has_ended(const struct event_stream *stream);

void event_id_format(uint64_t stream, uint64_t n, char ret[EVENT_ID_TEXT]);

/* Exactly what event_id_format() writes. */
bool event_id_parse(struct span text, uint64_t *ret_stream, uint64_t *ret_n);
