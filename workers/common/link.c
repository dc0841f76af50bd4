/* See link.h. A small message costs one read and one write. */
#include "workers/common/link.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

#include "shared/limits.h"

enum {
	READ_BYTES = 8 * KIB,  /* room for one read */
	KEEP_BYTES = 64 * KIB, /* a bigger buffer is given back when it is empty */
	POLL_READS = 8,        /* reads in one link_poll(): bounded work */
};

void link_init(struct link *link, int in_fd, int out_fd)
{
	*link = (struct link){ .in_fd = in_fd, .out_fd = out_fd };
}

void link_done(struct link *link)
{
	strbuf_done(&link->in);
}

static void forget_taken(struct link *link)
{
	size_t rest = link->in.len - link->at;

	if (link->at == 0)
		return;
	if (rest > 0)
		memmove(link->in.data, link->in.data + link->at, rest);
	strbuf_cut(&link->in, rest);
	link->scanned -= link->at;
	link->peeked = link->peeked > link->at ? link->peeked - link->at : 0;
	link->at = 0;
}

static void drop_all(struct link *link)
{
	strbuf_done(&link->in);
	link->at = 0;
	link->scanned = 0;
	link->peeked = 0;
}

void link_trim(struct link *link)
{
	if (link->at == link->in.len && link->in.size > KEEP_BYTES)
		drop_all(link);
}

/* One read(2), which waits when `wait`. 0: try again, or the end was reached (link->eof). */
static void read_more(struct link *link, bool wait)
{
	char *room;
	ssize_t n;

	forget_taken(link);
	room = strbuf_reserve(&link->in, READ_BYTES);
	n = read(link->in_fd, room, link->in.size - link->in.len - 1);
	if (n > 0) {
		link->in.len += (size_t)n;
		link->in.data[link->in.len] = '\0';
	} else if (n < 0 && errno == EAGAIN && wait) {
		/* Somebody else made our standard input non-blocking. */
		(void)poll(&(struct pollfd){ .fd = link->in_fd, .events = POLLIN }, 1, -1);
	} else if (n == 0 || (errno != EINTR && errno != EAGAIN)) {
		link->eof = true;
	}
}

/* Skips to the end of a line that was too long. False: more of it has to be read. */
static bool skip_rest(struct link *link)
{
	char *end = link->in.len ? memchr(link->in.data + link->at, '\n', link->in.len - link->at)
				 : NULL;

	if (!end) {
		drop_all(link);
		return false;
	}
	link->at = (size_t)(end - link->in.data) + 1;
	link->scanned = link->at;
	link->skipping = false;
	return true;
}

/* Takes a line, without its line break. At the end of input the last one needs none. */
static bool take_line(struct link *link, struct line *ret)
{
	char *data = link->in.data;
	char *end = link->in.len > link->scanned
			    ? memchr(data + link->scanned, '\n', link->in.len - link->scanned)
			    : NULL;

	link->scanned = link->in.len;
	if (!end && !(link->eof && link->at < link->in.len))
		return false;
	ret->at = data + link->at;
	ret->len = end ? (size_t)(end - ret->at) : link->in.len - link->at;
	link->at += ret->len + (end ? 1 : 0);
	link->scanned = link->at;
	return true;
}

static bool is_blank(struct line line)
{
	for (size_t i = 0; i < line.len; i++)
		if (!strchr(" \t\r", line.at[i]) || line.at[i] == '\0')
			return false;
	return true;
}

enum link_event link_wait(struct link *link, struct line *ret)
{
	while (!link->gone) {
		if (!link->skipping || skip_rest(link)) {
			while (take_line(link, ret)) {
				if (ret->len > LIMIT_LINE_BYTES)
					return LINK_TOO_LONG;
				if (!is_blank(*ret))
					return LINK_LINE;
			}
			if (link->in.len - link->at > LIMIT_LINE_BYTES) {
				drop_all(link);
				link->skipping = true;
				return LINK_TOO_LONG;
			}
		}
		if (link->eof)
			return LINK_END;
		link_trim(link);
		read_more(link, true);
	}
	return LINK_END;
}

void link_poll(struct link *link)
{
	for (int i = 0; i < POLL_READS; i++) {
		bool full = link->in.len - link->at > LIMIT_LINE_BYTES;
		struct pollfd fds[] = {
			{ .fd = link->eof || full ? -1 : link->in_fd, .events = POLLIN },
			{ .fd = link->out_fd },
		};

		if (poll(fds, N_ELEMENTS(fds), 0) <= 0)
			return;
		if (fds[1].revents & (POLLERR | POLLHUP | POLLNVAL))
			link->gone = true;
		if (!fds[0].revents)
			return;
		read_more(link, false);
	}
}

/* The whole line that starts at offset `from` of the buffer. */
static bool line_at(struct link *link, size_t from, struct line *ret)
{
	char *end = link->in.len > from ? memchr(link->in.data + from, '\n', link->in.len - from)
					: NULL;

	if (!end)
		return false;
	ret->at = link->in.data + from;
	ret->len = (size_t)(end - ret->at);
	return true;
}

bool link_peek(struct link *link, struct line *ret)
{
	if (link->skipping)
		return false;
	if (link->peeked < link->at)
		link->peeked = link->at;
	if (!line_at(link, link->peeked, ret))
		return false;
	link->peeked += ret->len + 1;
	return true;
}

bool link_next_peeked(struct link *link, size_t *cursor, struct line *ret)
{
	if (link->at + *cursor >= link->peeked || !line_at(link, link->at + *cursor, ret))
		return false;
	*cursor += ret->len + 1;
	return true;
}

void line_blank(struct line line)
{
	memset(line.at, ' ', line.len);
}

bool link_write(struct link *link, const char *bytes, size_t len)
{
	while (len > 0 && !link->gone) {
		ssize_t n = write(link->out_fd, bytes, len);

		if (n >= 0) {
			bytes += n;
			len -= (size_t)n;
		} else if (errno == EAGAIN) {
			(void)poll(
				&(struct pollfd){ .fd = link->out_fd, .events = POLLOUT }, 1, -1);
		} else if (errno != EINTR) {
			link->gone = true;
		}
	}
	return !link->gone;
}
