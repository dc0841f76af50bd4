/* See link.h. */
#include "supervisor/fleet/link.h"

#include <errno.h>
#include <sys/socket.h>

#include "shared/alloc.h"
#include "shared/fd.h"
#include "shared/limits.h"

enum {
	SCRATCH_BYTES = 64 * KIB,
	READS_PER_TURN = 8,    /* then the others get their turn */
	KEEP_BYTES = 16 * KIB, /* buffers above this are given back when empty */
	MAX_PIECES = 12,
};

struct link {
	struct event *readable;
	struct event *writable;
	const struct link_hooks *hooks;
	void *arg;
	size_t max_line;
	struct strbuf in;  /* a line that has not ended yet */
	struct strbuf out; /* what the socket did not take; written from out_at on */
	size_t out_at;
	int fd;
	bool shut;
	bool broken;
	bool ended; /* the process has: its owner knows already */
};

/* One for all: the loop has one thread, and nothing stays here between callbacks. */
static char scratch[SCRATCH_BYTES];

static void link_break(struct link *link, int err)
{
	if (link->broken)
		return;
	link->broken = true;
	(void)event_del(link->readable);
	(void)event_del(link->writable);
	if (!link->ended)
		link->hooks->broken(link->arg, err);
}

static void give_back(struct strbuf *buf)
{
	if (buf->size > KEEP_BYTES)
		strbuf_done(buf);
	else
		strbuf_cut(buf, 0);
}

/* Hands over each whole line in `text`; returns the bytes used. */
static size_t take_lines(struct link *link, char *text, size_t len)
{
	size_t used = 0;

	while (!link->broken && used < len) {
		char *end = memchr(text + used, '\n', len - used);
		size_t line_len;

		if (!end)
			break;
		line_len = (size_t)(end - text) - used;
		if (line_len > link->max_line) {
			link_break(link, -EMSGSIZE);
			break;
		}
		if (line_len > 0 && end[-1] == '\r')
			line_len--;
		if (line_len > 0)
			link->hooks->line(link->arg, text + used, line_len);
		used = (size_t)(end - text) + 1;
	}
	return used;
}

static void take_bytes(struct link *link, char *bytes, size_t len)
{
	size_t used = 0;

	if (link->in.len > 0) {
		char *end = memchr(bytes, '\n', len);

		used = end ? (size_t)(end - bytes) + 1 : len;
		strbuf_add(&link->in, bytes, used);
		if (end) {
			(void)take_lines(link, link->in.data, link->in.len);
			give_back(&link->in);
		}
	}
	used += take_lines(link, bytes + used, len - used);
	if (link->broken)
		return;
	if (used < len)
		strbuf_add(&link->in, bytes + used, len - used);
	if (link->in.len > link->max_line)
		link_break(link, -EMSGSIZE);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct link *link = arg;

	for (int i = 0; i < READS_PER_TURN && !link->broken; i++) {
		ssize_t n = read(fd, scratch, sizeof(scratch));

		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			return;
		if (n <= 0) {
			link_break(link, n < 0 ? -errno : -EPIPE);
			return;
		}
		take_bytes(link, scratch, (size_t)n);
		if ((size_t)n < sizeof(scratch))
			return;
	}
}

void link_read_rest(struct link *link)
{
	ssize_t n;

	if (link->broken)
		return;
	link->ended = true;
	(void)event_del(link->readable);
	(void)event_del(link->writable);
	while (!link->broken && (n = read(link->fd, scratch, sizeof(scratch))) > 0)
		take_bytes(link, scratch, (size_t)n);
	link->broken = true;
}

void link_inject(struct link *link, const char *bytes, size_t len)
{
	auto_free char *copy = alloc_mem(bytes, len); /* lines may be changed in place */

	if (!link->broken)
		take_bytes(link, copy, len);
}

static void shut_when_written(struct link *link)
{
	if (link->shut && link->out.len == 0)
		(void)shutdown(link->fd, SHUT_WR);
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct link *link = arg;
	ssize_t n =
		send(fd, link->out.data + link->out_at, link->out.len - link->out_at, MSG_NOSIGNAL);

	if (n < 0 && errno != EAGAIN && errno != EINTR) {
		link_break(link, -errno);
		return;
	}
	link->out_at += n > 0 ? (size_t)n : 0;
	if (link->out_at < link->out.len) {
		(void)event_add(link->writable, NULL); /* link_send_soon() has not waited for it */
		return;
	}
	link->out_at = 0;
	give_back(&link->out);
	(void)event_del(link->writable);
	shut_when_written(link);
}

struct link *link_new(
	struct loop *loop, int fd, size_t max_line, const struct link_hooks *hooks, void *arg)
{
	struct link *link = alloc_zero(sizeof(*link));

	link->fd = fd;
	link->max_line = max_line;
	link->hooks = hooks;
	link->arg = arg;
	link->readable = loop_watch(loop, fd, EV_READ | EV_PERSIST, on_readable, link);
	link->writable = loop_watch(loop, fd, EV_WRITE | EV_PERSIST, on_writable, link);
	(void)fd_set_nonblock(fd, true);
	(void)event_add(link->readable, NULL);
	return link;
}

void link_free(struct link *link)
{
	if (!link)
		return;
	ev_free(link->readable);
	ev_free(link->writable);
	strbuf_done(&link->in);
	strbuf_done(&link->out);
	(void)fd_close(link->fd);
	free(link);
}

/* Keeps what follows the first `sent` bytes of the pieces. */
static void keep_rest(struct link *link, const struct iovec *iov, int n, size_t sent)
{
	for (int i = 0; i < n; i++) {
		size_t skip = sent < iov[i].iov_len ? sent : iov[i].iov_len;

		sent -= skip;
		if (skip < iov[i].iov_len)
			strbuf_add(&link->out, (const char *)iov[i].iov_base + skip,
				iov[i].iov_len - skip);
	}
}

/* Copies the pieces and the line break to `iov`; their number, or -EPIPE. */
static int make_line(
	const struct link *link, const struct iovec *pieces, int n_pieces, struct iovec *iov)
{
	static char newline[] = "\n";

	if (link->broken || link->shut || n_pieces >= MAX_PIECES)
		return -EPIPE;
	memcpy(iov, pieces, (size_t)n_pieces * sizeof(*pieces));
	iov[n_pieces] = (struct iovec){ newline, 1 };
	return n_pieces + 1;
}

int link_send(struct link *link, const struct iovec *pieces, int n_pieces)
{
	struct iovec iov[MAX_PIECES];
	int n_iov = make_line(link, pieces, n_pieces, iov);
	ssize_t n = 0;

	if (n_iov < 0)
		return n_iov;
	const struct msghdr msg = { .msg_iov = iov, .msg_iovlen = (size_t)n_iov };
	if (link->out.len == 0)
		n = sendmsg(link->fd, &msg, MSG_NOSIGNAL);
	if (n < 0 && errno != EAGAIN && errno != EINTR)
		return -EPIPE; /* the reading side tells the owner */
	keep_rest(link, iov, n_iov, n > 0 ? (size_t)n : 0);
	if (link->out.len > 0)
		(void)event_add(link->writable, NULL);
	return 0;
}

size_t link_get_unsent(const struct link *link)
{
	return link->out.len - link->out_at;
}

int link_send_soon(struct link *link, const struct iovec *pieces, int n_pieces)
{
	struct iovec iov[MAX_PIECES];
	int n_iov = make_line(link, pieces, n_pieces, iov);

	if (n_iov < 0)
		return n_iov;
	keep_rest(link, iov, n_iov, 0);
	event_active(link->writable, EV_WRITE, 1); /* behind the events of this turn */
	return 0;
}

void link_shut(struct link *link)
{
	if (link->shut || link->broken)
		return;
	link->shut = true;
	shut_when_written(link);
}
