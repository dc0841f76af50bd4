/* Message lines over one stream socket: MCP's stdio framing, seen from the supervisor.
 *
 * It knows nothing of JSON. Reading is bounded by `max_line`; writing never blocks: what the socket
 * does not take is kept and written when it can be. Source: MCP 2025-11-25 basic/transports, "stdio". */
#pragma once

#include <sys/uio.h>

#include "supervisor/loop.h"

struct link;

struct link_hooks {
	/* One line without its end; may be changed in place; borrowed until the hook returns. */
	void (*line)(void *arg, char *line, size_t len);
	/* The link is of no use any more: -EPIPE end of file, -EMSGSIZE line too long, else -errno.
	 * Called once; link_free() is allowed only after the hook has returned. */
	void (*broken)(void *arg, int err);
};

/* Takes over `fd`. `hooks` and `arg` must outlive the link. */
struct link *link_new(
	struct loop *loop, int fd, size_t max_line, const struct link_hooks *hooks, void *arg);
void link_free(struct link *link);
DEFINE_FREEP(struct link, link_free)

/* Sends the pieces as one line (the line break is added). 0, or -EPIPE when the link is broken. */
int link_send(struct link *link, const struct iovec *pieces, int n_pieces);

/* The same at the end of this loop turn, in one write with all that comes until then: for lines that
 * the other side does not wait for. */
int link_send_soon(struct link *link, const struct iovec *pieces, int n_pieces);

/* Bytes that the other side has not taken yet. */
size_t link_get_unsent(const struct link *link);

/* Reads what has arrived, without waiting for the loop: the process behind has ended, and what it wrote
 * before counts. Hands over whole lines; hooks->broken is not called any more. */
void link_read_rest(struct link *link);

/* Takes the bytes (copied) as though the other side had written them now. Not from inside a hook. */
void link_inject(struct link *link, const char *bytes, size_t len);

/* Sends end of file after what is still to be written; reading goes on. */
void link_shut(struct link *link);
