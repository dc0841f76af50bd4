/* TCP connections to addresses that were judged (resolve.h), and to no others. */
#pragma once

#include <poll.h>

#include "workers/network/resolve.h"

/* Connects to one address after the other until one accepts; each gets its share of the time.
 * 0: *ret_fd (yours, non-blocking) leads to to->addresses[*ret_at]. -ECANCELED: the call was stopped.
 * Else why the most telling attempt failed: -ECONNREFUSED, -ETIMEDOUT, -ENETUNREACH … */
int connect_to(struct call *call, const struct resolved *to, int64_t deadline_ms, int *ret_fd,
	size_t *ret_at) must_check;

/* Waits until `fd` is ready for any of `events`. 0, -ETIMEDOUT, -ECANCELED. */
int connect_wait(struct call *call, int fd, short events, int64_t deadline_ms) must_check;

/* The words for what connect_to() returns: "connection refused". */
const char *connect_reason(int err);
