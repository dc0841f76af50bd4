/* The stdio transport: one message a line, one session, on two descriptors, or on one socket.
 *
 * Nothing but messages goes out. End of input is reported once; answers to what is in flight can still
 * be sent after it. Source: MCP basic/transports, "stdio", all revisions. */
#pragma once

#include "supervisor/mcp/mcp.h"

struct stream;

struct stream_hooks {
	void (*ended)(void *arg); /* end of input: no more requests will come */
	void (*drained)(
		void *arg); /* all output is written; after the end of input for each message */
	void (*broken)(void *arg); /* nobody reads our output any more, or the session was closed */
	/* Who is at the other end; NULL: it is standard input and output. */
	void (*get_peer)(void *arg, struct sink_peer *ret);
};

/* The descriptors stay the caller's; they may be the same. A line may have at most `max_line` bytes.
 * NULL: no session could be opened; see mcp_open(). */
struct stream *stream_new(struct loop *loop, struct mcp *mcp, int in_fd, int out_fd,
	size_t max_line, struct endpoint *endpoint, const struct stream_hooks *hooks, void *arg);
void stream_free(struct stream *stream);
DEFINE_FREEP(struct stream, stream_free)

/* For the lines to come. */
void stream_set_max_line(struct stream *stream, size_t max_line);

/* NULL: it has ended. */
struct session *stream_get_session(const struct stream *stream);

/* Something was read. */
bool stream_has_heard(const struct stream *stream);

/* Something waits to be written. */
bool stream_is_writing(const struct stream *stream);
