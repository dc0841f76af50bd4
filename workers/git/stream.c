/* See stream.h.
 *
 * libgit2's SSH transport hands the descriptor to libssh2, which waits by itself and knows no time
 * limit: an alarm shuts the socket down when the call's time is over. */
#include "workers/git/stream.h"

#include <errno.h>
#include <git2.h>
#include <git2/sys/stream.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "shared/alloc.h"
#include "shared/clock.h"
#include "shared/fd.h"
#include "workers/common/address.h"
#include "workers/common/call.h"

enum { LOOK_MS = 100, CONNECT_MS = 10000 };

/* Begins like libgit2's own git_socket_stream, because its SSH transport takes any stream of this kind
 * for one and reads the descriptor from it. */
struct stream {
	git_stream parent;
	char *host;
	char *port;
	int fd;
};

static const struct stream_watch *watch;
static volatile sig_atomic_t alarm_fd = -1;

static void on_alarm(int number)
{
	int saved = errno;

	if (alarm_fd >= 0)
		(void)shutdown((int)alarm_fd, SHUT_RDWR);
	errno = saved;
}

static void set_alarm(int fd, int64_t ms)
{
	struct sigaction action = { .sa_handler = on_alarm, .sa_flags = SA_RESTART };
	struct itimerval timer = {
		.it_value = { .tv_sec = ms / CLOCK_SECOND_MS,
			.tv_usec = ms % CLOCK_SECOND_MS * 1000 + 1 },
		.it_interval = { .tv_sec = 1 },
	};

	alarm_fd = fd;
	(void)sigaction(SIGALRM, &action, NULL);
	(void)setitimer(ITIMER_REAL, &timer, NULL);
}

static void end_alarm(void)
{
	static const struct itimerval none;

	(void)setitimer(ITIMER_REAL, &none, NULL);
	alarm_fd = -1;
}

static int set_words(const char *words)
{
	git_error_set_str(GIT_ERROR_NET, words);
	return -1;
}

/* The first reason is the one that counts. */
static int fail(const char *code, const char *host, const char *words)
{
	if (watch && !watch->why->code)
		(void)refuse(watch->why, code, "cannot connect to %s: %s", host, words);

	return set_words("the connection was not made");
}

/* Until the socket is ready. 0; -ETIMEDOUT: `max_ms` are over (0: no limit); -ECANCELED. */
static int wait_for(int fd, short events, int64_t max_ms)
{
	int64_t since = clock_now_ms();

	for (;;) {
		struct pollfd at = { .fd = fd, .events = events };
		int n;

		if (!watch || call_stopped(watch->call))
			return -ECANCELED;
		n = poll(&at, 1, LOOK_MS);
		if (n > 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return -errno;
		if (max_ms > 0 && clock_now_ms() - since >= max_ms)
			return -ETIMEDOUT;
	}
}

/* A descriptor, or -errno. */
static int connect_one(const struct addrinfo *to)
{
	auto_close int fd =
		socket(to->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, to->ai_protocol);
	socklen_t len = sizeof(int);
	int error = 0;
	int r;

	if (fd < 0)
		return -errno;
	if (connect(fd, to->ai_addr, to->ai_addrlen) == 0)
		return TAKE_FD(fd);
	if (errno != EINPROGRESS)
		return -errno;

	r = wait_for(fd, POLLOUT, CONNECT_MS);
	if (r < 0)
		return r;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
		return -errno;

	return error ? -error : TAKE_FD(fd);
}

static bool are_public(const struct addrinfo *list)
{
	for (const struct addrinfo *at = list; at; at = at->ai_next)
		if (!address_is_public(at->ai_addr))
			return false;

	return true;
}

static int connect_any(struct stream *stream, const struct addrinfo *list)
{
	int r = -EHOSTUNREACH;

	for (const struct addrinfo *at = list; at; at = at->ai_next) {
		r = connect_one(at);
		if (r >= 0 || r == -ECANCELED)
			break;
	}
	if (r < 0)
		return r == -ECANCELED ? set_words("stopped")
				       : fail("connect_failed", stream->host, strerror(-r));

	stream->fd = r;
	if (watch->needs_alarm)
		set_alarm(r, call_time_left_ms(watch->call));
	return 0;
}

static int on_connect(git_stream *base)
{
	struct stream *stream = (struct stream *)base;
	static const struct addrinfo hints = {
		.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV
	};
	struct addrinfo *list = NULL;
	int r;

	if (!watch)
		return set_words("no connection is allowed here");
	r = getaddrinfo(stream->host, stream->port, &hints, &list);
	if (r != 0)
		return fail("dns_failed", stream->host, gai_strerror(r));

	if (watch->public_only && !are_public(list))
		r = fail("address_refused", stream->host,
			"it is, or leads to, an address that is not public");
	else
		r = connect_any(stream, list);

	freeaddrinfo(list);
	return r;
}

static ssize_t on_read(git_stream *base, void *data, size_t len)
{
	const struct stream *stream = (const struct stream *)base;

	for (;;) {
		ssize_t n = recv(stream->fd, data, len, 0);

		if (n >= 0)
			return n;
		if (errno == EAGAIN && wait_for(stream->fd, POLLIN, 0) < 0)
			return set_words("stopped");
		if (errno != EAGAIN && errno != EINTR)
			return set_words("the connection broke");
	}
}

static ssize_t on_write(git_stream *base, const char *data, size_t len, int flags)
{
	const struct stream *stream = (const struct stream *)base;

	(void)flags;
	for (;;) {
		ssize_t n = send(stream->fd, data, len, MSG_NOSIGNAL);

		if (n >= 0)
			return n;
		if (errno == EAGAIN && wait_for(stream->fd, POLLOUT, 0) < 0)
			return set_words("stopped");
		if (errno != EAGAIN && errno != EINTR)
			return set_words("the connection broke");
	}
}

static int on_close(git_stream *base)
{
	struct stream *stream = (struct stream *)base;

	if (alarm_fd >= 0 && alarm_fd == stream->fd)
		end_alarm();
	stream->fd = fd_close(stream->fd);
	return 0;
}

static void on_free(git_stream *base)
{
	struct stream *stream = (struct stream *)base;

	(void)on_close(base);
	free(stream->host);
	free(stream->port);
	free(stream);
}

static int on_new(git_stream **ret, const char *host, const char *port)
{
	struct stream *stream = alloc_zero(sizeof(*stream));

	stream->parent.version = GIT_STREAM_VERSION;
	stream->parent.connect = on_connect;
	stream->parent.read = on_read;
	stream->parent.write = on_write;
	stream->parent.close = on_close;
	stream->parent.free = on_free;
	stream->host = alloc_str(host);
	stream->port = alloc_str(port);
	stream->fd = -1;
	*ret = &stream->parent;
	return 0;
}

int stream_watch(const struct stream_watch *new_watch)
{
	git_stream_registration registration = { .version = GIT_STREAM_VERSION, .init = on_new };

	watch = new_watch;
	return git_stream_register(GIT_STREAM_STANDARD, &registration);
}

void stream_unwatch(void)
{
	watch = NULL;
}
