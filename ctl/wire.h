/* Lines of a Unix socket: one message a line, with a bound for its size and a limit for the time.
 *
 * Blocking for who calls, never longer than until the deadline. Knows nothing of JSON. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "shared/fail.h"
#include "shared/strbuf.h"

#define WIRE_NO_DEADLINE INT64_MAX

struct wire {
	int fd;           /* -1: none */
	size_t max_bytes; /* of a line; 0: LIMIT_LINE_BYTES */
	struct strbuf in; /* from `begin` on: what was not taken yet */
	size_t begin;
	size_t scanned; /* up to here there is no line break */
};

/* Connects; `deadline_ms` is an instant of clock_now_ms(). 0, or -errno without words: -ENOENT,
 * -ECONNREFUSED, -EACCES, -ENAMETOOLONG, -ETIMEDOUT (nobody takes the connection) … */
int wire_open(struct wire *ret, const char *path, int64_t deadline_ms) must_check;
void wire_done(struct wire *wire);

/* The text and a line break. 0, -ETIMEDOUT, -EPIPE (the peer is gone), other -errno. */
int wire_send(struct wire *wire, const char *text, size_t len, int64_t deadline_ms) must_check;

/* The next line, without its break and never empty; borrowed until the next call. 0, -ETIMEDOUT,
 * -EPIPE (the peer has closed; what it left as half a line is dropped), -EMSGSIZE (the line is too
 * long: the connection is of no use any more), other -errno. */
int wire_read(struct wire *wire, int64_t deadline_ms, const char **ret_line, size_t *ret_len)
	must_check;

/* A whole line has been read already. */
bool wire_has_line(const struct wire *wire);

/* Who has opened the socket that listens at the other end. 0 or -errno. */
int wire_get_peer(const struct wire *wire, pid_t *ret_pid, uid_t *ret_uid) must_check;
