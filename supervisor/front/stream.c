/* See stream.h.
 *
 * Input may be a regular file or /dev/null, which epoll refuses: then it is read piece by piece from a
 * timer. Output is not blocking where that touches only us (pipes, sockets); a terminal shares its mode
 * with the shell and stays as it is. Who does not read its answers is not read either. */
#include "supervisor/front/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "shared/alloc.h"
#include "shared/fd.h"
#include "shared/limits.h"
#include "shared/rpc.h"
#include "supervisor/stats.h"

enum {
	SCRATCH_BYTES = 64 * KIB,
	READS_PER_TURN = 4,
	KEEP_BYTES = 16 * KIB,
};

struct stream {
	struct loop *loop;
	struct mcp *mcp;
	struct session *session; /* NULL: it has ended */
	const struct stream_hooks *hooks;
	void *arg;
	struct event *readable;
	struct event *writable;
	struct timer *read_timer; /* for input that cannot be waited for */
	struct strbuf in;
	struct strbuf out;
	size_t out_at;
	size_t max_line;
	int in_fd;
	int out_fd;
	int out_flags; /* to restore; -1: untouched */
	bool skipping; /* the rest of a line that was too long */
	bool paused;   /* reads no more until its answers are read */
	bool heard;
	bool ended;
	bool broken;
};

/* --- output ------------------------------------------------------------------------------------ */

static void tell_broken(void *arg)
{
	struct stream *stream = arg;

	stream->hooks->broken(stream->arg);
}

static void tell_drained(void *arg)
{
	struct stream *stream = arg;

	if (stream->out.len == 0)
		stream->hooks->drained(stream->arg);
}

static void break_output(struct stream *stream)
{
	if (stream->broken)
		return;
	stream->broken = true;
	strbuf_done(&stream->out);
	stream->out_at = 0;
	(void)event_del(stream->writable);
	loop_defer(stream->loop, tell_broken, stream);
}

/* Writes what it can; true: all is written. */
static bool flush(struct stream *stream)
{
	while (stream->out_at < stream->out.len) {
		ssize_t n = write(stream->out_fd, stream->out.data + stream->out_at,
			stream->out.len - stream->out_at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			(void)event_add(stream->writable, NULL);
			return false;
		}
		if (n < 0) {
			break_output(stream);
			return false;
		}
		stream->out_at += (size_t)n;
	}
	stream->out_at = 0;
	if (stream->out.size > KEEP_BYTES)
		strbuf_done(&stream->out);
	else
		strbuf_cut(&stream->out, 0);
	return true;
}

static int stream_send(void *sink, const struct outgoing *out)
{
	struct stream *stream = sink;

	if (stream->broken)
		return -EPIPE;
	if (stream->out.len > 0)
		return -EAGAIN;
	strbuf_add(&stream->out, out->json, out->len);
	strbuf_addc(&stream->out, '\n');
	if (flush(stream) && stream->ended)
		loop_defer(stream->loop, tell_drained, stream);
	return stream->broken ? -EPIPE : 0;
}

/* Without its session the stream is of no use: its owner hears that it is broken. */
static void stream_close(void *sink, const char *reason)
{
	struct stream *stream = sink;

	stream->session = NULL;
	break_output(stream);
}

static void stream_get_peer(void *sink, struct sink_peer *ret)
{
	const struct stream *stream = sink;

	stream->hooks->get_peer(stream->arg, ret);
}

static const struct sink_ops stdio_ops = {
	.name = "stdio",
	.send = stream_send,
	.close = stream_close,
	.outlasts_idleness = true, /* it ends with its input */
	.is_stdio = true,
};

static const struct sink_ops local_ops = {
	.name = "local",
	.send = stream_send,
	.close = stream_close,
	.get_peer = stream_get_peer,
	.outlasts_idleness = true,
	.is_stdio = true,
};

/* --- input ------------------------------------------------------------------------------------- */

static void take_line(struct stream *stream, char *line, size_t len)
{
	auto_strbuf reply = { 0 };

	if (len > 0 && line[len - 1] == '\r')
		len--;
	if (len == 0 || !stream->session)
		return;
	const struct mcp_input input = { .text = line, .len = len };
	if (mcp_receive(stream->mcp, stream->session, &input, &reply) != MCP_ACCEPTED &&
		stream->session)
		session_tell(stream->session, 0, reply.data, reply.len);
}

/* `head` is what is there of it. */
static void refuse_long_line(struct stream *stream, const char *head, size_t len)
{
	static const struct jspan null_id = { .at = "null", .len = 4 };
	struct jspan id = rpc_find_request_id(head, len);
	auto_strbuf reply = { 0 };

	stats_limit_reached(STATS_LIMIT_REQUEST_BYTES);
	rpc_add_error(&reply, id.at ? id : null_id, RPC_INVALID_REQUEST,
		"the message is larger than limits.request_bytes");
	if (stream->session)
		session_tell(stream->session, 0, reply.data, reply.len);
}

static void listen_again(struct stream *stream)
{
	if (event_add(stream->readable, NULL) < 0)
		timer_start(stream->read_timer, 0);
}

static void pause_input(struct stream *stream)
{
	stream->paused = true;
	(void)event_del(stream->readable);
	timer_stop(stream->read_timer);
}

static bool is_slow(const struct stream *stream)
{
	return stream->session && session_is_slow(stream->session);
}

static void give_up_line(struct stream *stream)
{
	if (!stream->skipping)
		refuse_long_line(stream, stream->in.data, stream->in.len);
	stream->skipping = true;
	strbuf_done(&stream->in);
}

/* Takes each whole line from the head of stream->in, as long as the answers are read. */
static void take_lines(struct stream *stream)
{
	size_t used = 0;

	while (used < stream->in.len && !is_slow(stream)) {
		char *from = stream->in.data + used;
		char *end = memchr(from, '\n', stream->in.len - used);

		if (!end)
			break;
		if (!stream->skipping && (size_t)(end - from) <= stream->max_line)
			take_line(stream, from, (size_t)(end - from));
		else if (!stream->skipping)
			refuse_long_line(stream, from, (size_t)(end - from));
		stream->skipping = false;
		used = (size_t)(end - stream->in.data) + 1;
	}
	memmove(stream->in.data, stream->in.data + used, stream->in.len - used);
	strbuf_cut(&stream->in, stream->in.len - used);
	if (is_slow(stream))
		pause_input(stream);
	else if (stream->in.len > stream->max_line)
		give_up_line(stream);
	if (stream->in.len == 0 && stream->in.size > KEEP_BYTES)
		strbuf_done(&stream->in);
}

static void resume_input(struct stream *stream)
{
	if (!stream->paused || is_slow(stream))
		return;
	stream->paused = false;
	if (stream->in.len > 0)
		take_lines(stream);
	if (!stream->paused && !stream->ended)
		listen_again(stream);
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct stream *stream = arg;

	if (!flush(stream))
		return;
	(void)event_del(stream->writable);
	if (stream->session)
		session_drained(stream->session);
	resume_input(stream);
	if (stream->out.len == 0)
		stream->hooks->drained(stream->arg);
}

/* A last line may lack its end. */
static void end_input(struct stream *stream)
{
	if (stream->ended)
		return;
	stream->ended = true;
	(void)event_del(stream->readable);
	timer_stop(stream->read_timer);
	if (stream->in.len > 0 && !stream->skipping)
		take_line(stream, stream->in.data, stream->in.len);
	strbuf_done(&stream->in);
	stream->hooks->ended(stream->arg);
}

static ssize_t read_some(struct stream *stream)
{
	ssize_t n = read(stream->in_fd, strbuf_reserve(&stream->in, SCRATCH_BYTES), SCRATCH_BYTES);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return -EAGAIN;
	if (n <= 0) {
		end_input(stream);
		return 0;
	}
	stream->heard = true;
	stream->in.len += (size_t)n;
	stream->in.data[stream->in.len] = '\0';
	take_lines(stream);
	return n;
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	(void)read_some(arg);
}

static void on_read_timer(void *arg)
{
	struct stream *stream = arg;

	if (read_some(stream) != 0 && !stream->ended && !stream->paused)
		timer_start(stream->read_timer, 0);
}

/* --- public ------------------------------------------------------------------------------------ */

static bool is_pipe_or_socket(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && (S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode));
}

struct stream *stream_new(struct loop *loop, struct mcp *mcp, int in_fd, int out_fd,
	size_t max_line, struct endpoint *endpoint, const struct stream_hooks *hooks, void *arg)
{
	struct stream *stream = alloc_zero(sizeof(*stream));

	stream->session =
		mcp_open(mcp, hooks->get_peer ? &local_ops : &stdio_ops, stream, endpoint, NULL);
	if (!stream->session) {
		free(stream);
		return NULL;
	}
	stream->loop = loop;
	stream->mcp = mcp;
	stream->hooks = hooks;
	stream->arg = arg;
	stream->max_line = max_line;
	stream->in_fd = in_fd;
	stream->out_fd = out_fd;
	stream->out_flags = -1;
	stream->read_timer = timer_new(loop, on_read_timer, stream);
	stream->readable = loop_watch(loop, in_fd, EV_READ | EV_PERSIST, on_readable, stream);
	stream->writable = loop_watch(loop, out_fd, EV_WRITE | EV_PERSIST, on_writable, stream);
	if (is_pipe_or_socket(out_fd)) {
		stream->out_flags = fcntl(out_fd, F_GETFL);
		(void)fd_set_nonblock(out_fd, true);
	}
	listen_again(stream);
	return stream;
}

/* A session that is still there when its stream goes has lost its client, unless all go. */
static void end_session(struct stream *stream)
{
	if (!stream->session)
		return;
	if (stream->ended || stream->broken)
		session_gone(stream->session);
	else
		session_close(stream->session, "the supervisor ends");
}

void stream_free(struct stream *stream)
{
	if (!stream)
		return;
	end_session(stream);
	loop_settle(stream->loop);
	if (stream->out_flags >= 0)
		(void)fcntl(stream->out_fd, F_SETFL, stream->out_flags);
	ev_free(stream->readable);
	ev_free(stream->writable);
	timer_free(stream->read_timer);
	strbuf_done(&stream->in);
	strbuf_done(&stream->out);
	free(stream);
}

void stream_set_max_line(struct stream *stream, size_t max_line)
{
	stream->max_line = max_line;
}

struct session *stream_get_session(const struct stream *stream)
{
	return stream->session;
}

bool stream_has_heard(const struct stream *stream)
{
	return stream->heard;
}

bool stream_is_writing(const struct stream *stream)
{
	return stream->out.len > 0;
}
