/* Lines from a peer and to it: MCP's stdio framing, without ever waiting.
 *
 * What is written waits in a buffer until there is room; lines_is_full() is how much of it is too much,
 * whereupon nothing more is read from the network. */
#pragma once

#include <stdbool.h>

#include "shared/span.h"
#include "shared/strbuf.h"

struct lines {
	int in_fd;
	int out_fd;
	size_t max_bytes; /* of a line */
	bool takes_rest;  /* a last line may lack its line break */
	struct strbuf in;
	size_t at;      /* the first byte that was not taken */
	size_t scanned; /* no line break between `at` and this */
	bool skipping;  /* the rest of a line that is too long */
	bool eof;       /* nothing more will come */
	bool gone;      /* nobody reads what we write */
	struct strbuf out;
	size_t out_at;
};

void lines_done(struct lines *lines);

/* Reads what is there, when poll(2) says that there is something. */
void lines_read(struct lines *lines);

/* 1: *ret is the next line that is not blank, borrowed until lines_read(). 0: there is none.
 * -EMSGSIZE: one was too long and is skipped; *ret is its beginning, borrowed as well. */
int lines_next(struct lines *lines, struct span *ret) must_check;

/* Something was read that lines_next() has not looked at. */
bool lines_has_untaken(const struct lines *lines);

/* Queues a line; the line break is added. */
void lines_write(struct lines *lines, const char *bytes, size_t len);

/* Writes what can be written now. */
void lines_flush(struct lines *lines);
bool lines_has_unsent(const struct lines *lines);
bool lines_is_full(const struct lines *lines);
