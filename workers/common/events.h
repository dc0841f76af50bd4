/* text/event-stream: events from bytes in any pieces.
 *
 * Lines end with CR, LF or CRLF; a BOM in front of all is skipped; a comment or a field that nobody
 * knows is passed over; several `data` lines are joined by line feeds. An event without data is not given
 * out, but its id counts (MCP 2025-11-25's priming event). What stands at the end of the stream without
 * its blank line is no event.
 *
 * Source: WHATWG HTML, 9.2.5 and 9.2.6; MCP 2025-11-25 basic/transports. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/strbuf.h"

enum {
	EVENTS_MAX_ID = 1024,          /* longer ones are passed over */
	EVENTS_MAX_RETRY_MS = 3600000, /* the same */
	EVENTS_MAX_NAME = 64,          /* of an event; a longer one is cut */
};

struct event {
	const char *name; /* "message" when the stream names none; ends at a NUL in it */
	char *data;       /* NUL-terminated; may be changed in place by whoever gets it */
	size_t len;
};

/* Zero-initialised but for max_bytes is the beginning of a stream. */
struct events {
	size_t max_bytes; /* of an event's data, and of a line */
	struct strbuf line;
	struct strbuf data;
	struct strbuf name;
	struct strbuf id;      /* the last one that a whole event had; empty: none */
	struct strbuf next_id; /* of the event under way */
	int64_t retry_ms;      /* what the server last asked for; 0: nothing */
	size_t n_bom;          /* bytes of a BOM so far */
	bool has_begun;        /* behind the BOM */
	bool has_data;
	bool has_id;
	bool after_cr; /* an LF now belongs to the CR before it */
};

/* `event` is borrowed for the time of the call. False: no more is wanted, the rest is not read. */
typedef bool events_fn(void *arg, struct event *event);

/* Takes the next piece of the stream and gives out what it completes.
 * -EMSGSIZE: a line or an event is over max_bytes; the stream cannot be read on. */
int events_feed(struct events *events, const char *bytes, size_t len, events_fn *fn, void *arg)
	must_check;

void events_done(struct events *events);
