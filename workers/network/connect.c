/* See connect.h. */
#include "workers/network/connect.h"

#include <errno.h>

#include "shared/clock.h"

enum { LOOK_MS = 50 }; /* between two questions whether to stop */

int connect_wait(struct call *call, int fd, short events, int64_t deadline_ms)
{
	for (;;) {
		struct pollfd ready = { .fd = fd, .events = events };
		int64_t left = deadline_ms - clock_now_ms();

		if (call_stopped(call))
			return -ECANCELED;
		if (left <= 0)
			return -ETIMEDOUT;
		if (poll(&ready, 1, left < LOOK_MS ? (int)left : LOOK_MS) > 0)
			return 0;
	}
}

static socklen_t get_len(const struct sockaddr_storage *address)
{
	return address->ss_family == AF_INET ? sizeof(struct sockaddr_in)
					     : sizeof(struct sockaddr_in6);
}

static int connect_one(
	struct call *call, const struct sockaddr_storage *address, int64_t deadline_ms, int *ret_fd)
{
	auto_close int fd =
		socket(address->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	socklen_t len = sizeof(int);
	int err = 0;
	int r;

	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)address, get_len(address)) < 0) {
		if (errno != EINPROGRESS)
			return -errno;
		r = connect_wait(call, fd, POLLOUT, deadline_ms);
		if (r < 0)
			return r;
		if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len) < 0)
			return -errno;
		if (err)
			return -err;
	}

	*ret_fd = TAKE_FD(fd);
	return 0;
}

/* Whether we cannot reach such addresses at all, which says nothing of the host. */
static bool is_ours(int err)
{
	return err == -ENETUNREACH || err == -EADDRNOTAVAIL || err == -EAFNOSUPPORT;
}

int connect_to(struct call *call, const struct resolved *to, int64_t deadline_ms, int *ret_fd,
	size_t *ret_at)
{
	int why = -ENETUNREACH;

	for (size_t i = 0; i < to->n; i++) {
		int64_t now_ms = clock_now_ms();
		int64_t share_ms = (deadline_ms - now_ms) / (int64_t)(to->n - i);
		int r = connect_one(call, &to->addresses[i], now_ms + share_ms, ret_fd);

		if (r == 0)
			*ret_at = i;
		if (r == 0 || r == -ECANCELED)
			return r;
		if (is_ours(why))
			why = r;
	}

	return why;
}

const char *connect_reason(int err)
{
	switch (-err) {
	case ECONNREFUSED:
		return "connection refused";
	case ETIMEDOUT:
		return "no answer in time";
	case ENETUNREACH:
	case EHOSTUNREACH:
	case EADDRNOTAVAIL:
	case EAFNOSUPPORT:
		return "no route to it";
	case EACCES:
	case EPERM:
		return "not permitted on this machine";
	default:
		return strerror(-err);
	}
}
