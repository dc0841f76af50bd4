/* The last lines of the log, for those who ask the daemon for them.
 *
 * Bounded in lines and in bytes; each line has a number, one more than the line before, so that a reader knows where it
 * was and whether it has missed some. Lines below the level of the log (log.level) are not written, and not kept
 * either. What is kept is one line of valid UTF-8, whatever a peer has put into it. */
#pragma once

#include "shared/log.h"
#include "supervisor/loop.h"

enum {
	LOG_RING_LINES = 2000,
	LOG_RING_BYTES = 1024 * 1024,   /* of all */
	LOG_RING_LINE_BYTES = 8 * 1024, /* of one line's text; the rest is cut off */
};

struct log_ring;

struct log_line {
	uint64_t no; /* from 1 on */
	int64_t wall_ms;
	enum log_level level;
	struct log_about about; /* as in log.h */
	const char *text;
};

/* Hears all lines from now on: it is the log's tap (log_set_tap()). */
struct log_ring *log_ring_new(struct loop *loop);
void log_ring_free(struct log_ring *ring);
DEFINE_FREEP(struct log_ring, log_ring_free)

/* `fn` runs soon after new lines have come, once for several; it may log. NULL: nobody. */
void log_ring_set_hook(struct log_ring *ring, void (*fn)(void *arg), void *arg);

/* The number of the oldest line that is there, and of the next one to come; equal when there is none. */
uint64_t log_ring_first(const struct log_ring *ring);
uint64_t log_ring_end(const struct log_ring *ring);

struct log_filter {
	const char *domain;       /* NULL: all lines, also those about no domain */
	enum log_level max_level; /* the least important level: LOG_LEVEL_DEBUG for all */
};

/* The first line from *cursor on that fits; *cursor is behind it then. Texts are borrowed until the next line is
 * logged. False: there is none; *cursor is the number of the next one to come. A cursor below
 * log_ring_first() is moved there: the lines between are gone. */
bool log_ring_next(const struct log_ring *ring, const struct log_filter *filter, uint64_t *cursor,
	struct log_line *ret);

/* A cursor from which on there are the last `n` lines that fit, or as many as there are. */
uint64_t log_ring_find_last(
	const struct log_ring *ring, const struct log_filter *filter, unsigned n);
