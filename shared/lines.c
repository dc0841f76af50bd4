/* See lines.h. */
#include "shared/lines.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "shared/limits.h"

enum {
	READ_BYTES = 64 * KIB,
	KEEP_BYTES = 256 * KIB, /* a bigger buffer is given back when it is empty */
	FULL_BYTES = 4 * MIB,
};

void lines_done(struct lines *lines)
{
	strbuf_done(&lines->in);
	strbuf_done(&lines->out);
}

static void give_back(struct strbuf *buf, size_t *at)
{
	if (*at < buf->len)
		return;
	*at = 0;
	if (buf->size > KEEP_BYTES)
		strbuf_done(buf);
	else
		strbuf_cut(buf, 0);
}

static void forget_taken(struct lines *lines)
{
	size_t taken = lines->at;

	if (taken > 0 && taken < lines->in.len) {
		memmove(lines->in.data, lines->in.data + taken, lines->in.len - taken);
		strbuf_cut(&lines->in, lines->in.len - taken);
		lines->at = 0;
	} else {
		give_back(&lines->in, &lines->at);
	}
	lines->scanned -= taken - lines->at;
}

void lines_read(struct lines *lines)
{
	char *room;
	ssize_t n;

	forget_taken(lines);
	room = strbuf_reserve(&lines->in, READ_BYTES);
	n = read(lines->in_fd, room, READ_BYTES);
	if (n > 0) {
		lines->in.len += (size_t)n;
		lines->in.data[lines->in.len] = '\0';
	} else if (n == 0 || (errno != EINTR && errno != EAGAIN)) {
		lines->eof = true;
	}
}

static bool is_blank(struct span line)
{
	for (size_t i = 0; i < line.len; i++)
		if (line.at[i] != ' ' && line.at[i] != '\t' && line.at[i] != '\r')
			return false;
	return true;
}

/* Takes a line without its line break. What has none at the end of input is no line, unless it may be one. */
static bool take_line(struct lines *lines, struct span *ret)
{
	const char *data = strbuf_get(&lines->in);
	const char *end = memchr(data + lines->scanned, '\n', lines->in.len - lines->scanned);

	lines->scanned = lines->in.len;
	if (!end && !(lines->eof && lines->takes_rest && lines->at < lines->in.len))
		return false;
	if (!end)
		end = data + lines->in.len;
	*ret = (struct span){ data + lines->at, (size_t)(end - (data + lines->at)) };
	lines->at += ret->len;
	lines->at += lines->at < lines->in.len;
	lines->scanned = lines->at;
	return true;
}

/* What is there of a line that has no end yet. It is given back when more is read. */
static int skip_long(struct lines *lines, struct span *ret)
{
	size_t len = lines->in.len - lines->at;

	if (!lines->skipping && len <= lines->max_bytes)
		return 0;
	*ret = (struct span){ strbuf_get(&lines->in) + lines->at, len };
	lines->at = lines->in.len;
	if (lines->skipping)
		return 0;
	lines->skipping = true;
	return -EMSGSIZE;
}

int lines_next(struct lines *lines, struct span *ret)
{
	while (take_line(lines, ret)) {
		bool skipped = lines->skipping;

		lines->skipping = false;
		if (skipped || is_blank(*ret))
			continue;
		return ret->len > lines->max_bytes ? -EMSGSIZE : 1;
	}
	return skip_long(lines, ret);
}

bool lines_has_untaken(const struct lines *lines)
{
	return lines->in.len > lines->scanned ||
	       (lines->eof && lines->takes_rest && lines->at < lines->in.len);
}

void lines_write(struct lines *lines, const char *bytes, size_t len)
{
	if (lines->gone)
		return;
	strbuf_add(&lines->out, bytes, len);
	strbuf_addc(&lines->out, '\n');
}

/* Not a byte more than there is room for: the descriptor is shared with others, so that it is not ours to
 * make it non-blocking. */
static ssize_t write_some(int fd, const char *bytes, size_t len)
{
	struct pollfd ready = { .fd = fd, .events = POLLOUT };
	ssize_t n = send(fd, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n >= 0 || errno != ENOTSOCK)
		return n;
	if (poll(&ready, 1, 0) <= 0) {
		errno = EAGAIN;
		return -1;
	}
	return write(fd, bytes, len < PIPE_BUF ? len : PIPE_BUF);
}

/* What was written makes room before it is as much as what was not. */
static void forget_written(struct lines *lines)
{
	size_t left = lines->out.len - lines->out_at;

	if (lines->out_at < KEEP_BYTES || lines->out_at < left)
		return;
	memmove(lines->out.data, lines->out.data + lines->out_at, left);
	strbuf_cut(&lines->out, left);
	lines->out_at = 0;
}

void lines_flush(struct lines *lines)
{
	while (lines->out_at < lines->out.len && !lines->gone) {
		ssize_t n = write_some(lines->out_fd, lines->out.data + lines->out_at,
			lines->out.len - lines->out_at);

		if (n > 0)
			lines->out_at += (size_t)n;
		else if (n < 0 && errno == EAGAIN)
			break;
		else if (n < 0 && errno != EINTR)
			lines->gone = true;
	}
	give_back(&lines->out, &lines->out_at);
	forget_written(lines);
}

bool lines_has_unsent(const struct lines *lines)
{
	return lines->out.len > lines->out_at;
}

bool lines_is_full(const struct lines *lines)
{
	return lines->out.len - lines->out_at > FULL_BYTES;
}
