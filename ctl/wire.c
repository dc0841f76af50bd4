/* See wire.h. */
#include "ctl/wire.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

#include "shared/clock.h"
#include "shared/fd.h"
#include "shared/limits.h"

enum { READ_BYTES = 64 * 1024, RETRY_MS = 20 };

/* --- connecting -------------------------------------------------------------------------------- */

/* A full backlog is told by EAGAIN, and poll(2) does not tell when there is room. */
static int connect_until(int fd, const struct sockaddr_un *address, int64_t deadline_ms)
{
	static const struct timespec pause = { .tv_nsec = RETRY_MS * 1000000L };

	for (;;) {
		if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0)
			return 0;
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
		if (clock_now_ms() >= deadline_ms)
			return -ETIMEDOUT;
		(void)nanosleep(&pause, NULL);
	}
}

int wire_open(struct wire *ret, const char *path, int64_t deadline_ms)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	auto_close int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int r;

	if (fd < 0)
		return -errno;
	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	memcpy(address.sun_path, path, strlen(path));
	r = connect_until(fd, &address, deadline_ms);
	if (r < 0)
		return r;
	*ret = (struct wire){ .fd = TAKE_FD(fd) };
	return 0;
}

void wire_done(struct wire *wire)
{
	wire->fd = fd_close(wire->fd);
	strbuf_done(&wire->in);
}

int wire_get_peer(const struct wire *wire, pid_t *ret_pid, uid_t *ret_uid)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);

	if (getsockopt(wire->fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
		return -errno;
	*ret_pid = peer.pid;
	*ret_uid = peer.uid;
	return 0;
}

/* --- waiting ----------------------------------------------------------------------------------- */

/* 0: try again. */
static int wait_for(int fd, short events, int64_t deadline_ms)
{
	struct pollfd poll_fd = { .fd = fd, .events = events };
	int64_t left = -1;
	int n;

	if (deadline_ms != WIRE_NO_DEADLINE) {
		left = deadline_ms - clock_now_ms();
		if (left <= 0)
			return -ETIMEDOUT;
		if (left > INT32_MAX)
			left = INT32_MAX;
	}
	n = poll(&poll_fd, 1, (int)left);
	return n < 0 && errno != EINTR ? -errno : 0;
}

/* --- sending ----------------------------------------------------------------------------------- */

static int send_all(struct wire *wire, const char *bytes, size_t len, int64_t deadline_ms)
{
	while (len) {
		ssize_t n = send(wire->fd, bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT);
		int r = 0;

		if (n >= 0) {
			bytes += n;
			len -= (size_t)n;
			continue;
		}
		if (errno == ECONNRESET)
			return -EPIPE;
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
		if (errno == EAGAIN)
			r = wait_for(wire->fd, POLLOUT, deadline_ms);
		if (r < 0)
			return r;
	}
	return 0;
}

int wire_send(struct wire *wire, const char *text, size_t len, int64_t deadline_ms)
{
	int r = send_all(wire, text, len, deadline_ms);

	return r < 0 ? r : send_all(wire, "\n", 1, deadline_ms);
}

/* --- reading ----------------------------------------------------------------------------------- */

static size_t max_bytes(const struct wire *wire)
{
	return wire->max_bytes ? wire->max_bytes : LIMIT_LINE_BYTES;
}

/* Drops what was taken, so that the buffer is never larger than one line and one read. */
static void compact(struct wire *wire)
{
	if (wire->begin == 0)
		return;
	if (wire->begin < wire->in.len)
		memmove(wire->in.data, wire->in.data + wire->begin, wire->in.len - wire->begin);
	strbuf_cut(&wire->in, wire->in.len - wire->begin);
	wire->scanned -= wire->begin;
	wire->begin = 0;
}

static void skip_empty(struct wire *wire)
{
	while (wire->begin < wire->in.len && strchr(" \t\r\n", wire->in.data[wire->begin]) &&
		wire->in.data[wire->begin])
		wire->begin++;
	if (wire->scanned < wire->begin)
		wire->scanned = wire->begin;
}

/* The line that begins at `begin`; NULL: there is no whole one yet. */
static const char *find_break(struct wire *wire)
{
	const char *end;

	skip_empty(wire);
	if (wire->scanned == wire->in.len)
		return NULL;
	end = memchr(wire->in.data + wire->scanned, '\n', wire->in.len - wire->scanned);
	wire->scanned = end ? (size_t)(end - wire->in.data) : wire->in.len;
	return end;
}

bool wire_has_line(const struct wire *wire)
{
	struct wire look = *wire; /* what was scanned may be scanned again */

	return find_break(&look) != NULL;
}

/* 0: something was read, or it is to be tried again. */
static int read_more(struct wire *wire, int64_t deadline_ms)
{
	char *room;
	ssize_t n;

	compact(wire);
	room = strbuf_reserve(&wire->in, READ_BYTES);
	n = recv(wire->fd, room, READ_BYTES, MSG_DONTWAIT);
	if (n > 0) {
		wire->in.len += (size_t)n;
		wire->in.data[wire->in.len] = '\0';
		return 0;
	}
	if (n == 0 || errno == ECONNRESET)
		return -EPIPE;
	if (errno == EINTR)
		return 0;
	return errno == EAGAIN ? wait_for(wire->fd, POLLIN, deadline_ms) : -errno;
}

int wire_read(struct wire *wire, int64_t deadline_ms, const char **ret_line, size_t *ret_len)
{
	const char *end;

	while (!(end = find_break(wire))) {
		int r = wire->in.len - wire->begin > max_bytes(wire) ? -EMSGSIZE
								     : read_more(wire, deadline_ms);

		if (r < 0)
			return r;
	}
	*ret_line = wire->in.data + wire->begin;
	*ret_len = (size_t)(end - *ret_line);
	wire->begin += *ret_len + 1;
	wire->scanned = wire->begin;
	return *ret_len > max_bytes(wire) ? -EMSGSIZE : 0;
}
