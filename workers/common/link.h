/* Lines in and out: MCP's stdio framing, one message a line, on a terminal, a pipe or a socket.
 *
 * One buffer holds what has arrived; a line is a piece of it and is borrowed until the next call of
 * link_wait(), link_poll() or link_trim(). While a tool runs, new lines can be looked at without being
 * taken: link_peek(). A line that was dealt with that way is blanked, and link_wait() skips it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "shared/strbuf.h"

struct link {
	int in_fd;
	int out_fd;
	struct strbuf in;
	size_t at;      /* the first byte that was not taken */
	size_t scanned; /* no line break between `at` and this */
	size_t peeked;  /* lines before this were peeked at */
	bool skipping;  /* the rest of a line that is too long */
	bool eof;       /* nothing more will come */
	bool gone;      /* nobody reads what we write */
};

struct line {
	char *at;
	size_t len;
};

enum link_event {
	LINK_LINE,
	LINK_TOO_LONG, /* over LIMIT_LINE_BYTES; it is skipped */
	LINK_END,
};

void link_init(struct link *link, int in_fd, int out_fd);
void link_done(struct link *link);

/* Waits for the next line that is not blank, and takes it. */
enum link_event link_wait(struct link *link, struct line *ret);

/* Reads what has arrived, without waiting, and finds out whether the peer is still there. Reads no
 * more while a line's worth of bytes (LIMIT_LINE_BYTES) waits to be taken. */
void link_poll(struct link *link);

/* The next whole line that was neither taken nor peeked at before. */
bool link_peek(struct link *link, struct line *ret);

/* Steps through the whole lines that were peeked at and not taken. *cursor starts as 0. */
bool link_next_peeked(struct link *link, size_t *cursor, struct line *ret);

/* A line that needs no answer any more. */
void line_blank(struct line line);

/* Gives the buffer back when it is empty and big. The line taken last is no longer valid. */
void link_trim(struct link *link);

/* Writes all of it, waiting where necessary. False: the peer is gone. */
bool link_write(struct link *link, const char *bytes, size_t len);
