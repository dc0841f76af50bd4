/* Names to addresses, all of them judged (policy.h): the one and only resolution of a host. What comes
 * back is what may be connected to, and nothing else is; no library resolves again behind our back.
 *
 * Asked are the hosts file and the configured name servers, else the system's (read anew each time).
 * Search domains and aliases of the environment are not used: a name is looked up as it was judged.
 *
 * Source: tools.md section 8.2. */
#pragma once

#include <ares.h>
#include <poll.h>
#include <stdint.h>
#include <sys/socket.h>

#include "shared/fail.h"
#include "workers/common/call.h"
#include "workers/common/failure.h"
#include "workers/network/host.h"
#include "workers/network/settings.h"

enum { RESOLVED_MAX = 16 };

struct resolved {
	char host[HOST_MAX + 2]; /* as host_normalize() gives it */
	int port;
	size_t n; /* at least 1; an answer with more is judged as a whole, and the first are kept */
	struct sockaddr_storage addresses[RESOLVED_MAX]; /* with the port */
};

/* Reads dns_servers, once at start. -EINVAL: fail names the one that is wrong. */
int resolve_start(const struct network_settings *settings, struct fail *fail) must_check;
void resolve_stop(void);

/* `host` in any spelling that host_normalize() takes. 0; -ECANCELED: the call was stopped; else a
 * failure: invalid_url, address_refused (one address is enough), dns_failed, timeout. */
int resolve_host(struct call *call, const char *host, int port, int64_t timeout_ms,
	struct resolved *ret, struct failure *fail) must_check;

/* A channel with the right servers, for raw queries: ares_destroy() it. `more_flags`: of ares_options,
 * beside our own. A failure is dns_failed. */
int resolve_channel(int more_flags, ares_channel *ret, struct failure *fail) must_check;

/* Lets a channel work until *done is true. 0; -ETIMEDOUT: clock_now_ms() has reached `deadline_ms`;
 * -ECANCELED: the call was stopped. */
int resolve_wait(struct call *call, ares_channel channel, const bool *done, int64_t deadline_ms)
	must_check;

/* The same in steps, for several at a time. */
struct lookup;

/* `host` must be as host_normalize() gives it. Never NULL. */
struct lookup *lookup_new(const char *host, int port, int64_t timeout_ms);
void lookup_free(struct lookup *lookup);
DEFINE_FREEP(struct lookup, lookup_free)

/* Does what can be done without waiting. True: it is over, lookup_finish() has the result. */
bool lookup_step(struct lookup *lookup);

/* What to wait for before the next step; *max_wait_ms is lowered to the next instant at which something
 * has to be done in any case. */
enum { LOOKUP_MAX_FDS = ARES_GETSOCK_MAXNUM };
size_t lookup_poll_fds(struct lookup *lookup, struct pollfd ret[LOOKUP_MAX_FDS], int *max_wait_ms);

/* 0, or a failure as of resolve_host(). */
int lookup_finish(const struct lookup *lookup, struct resolved *ret, struct failure *fail)
	must_check;
