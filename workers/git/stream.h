/* The only way from libgit2 to the network: a socket of our own below its TLS and SSH.
 *
 * Names are resolved here, once for each connection; every address is judged and just those that
 * were judged are connected to, so that no second answer of a name server can lead elsewhere, nor can
 * a redirect. Waiting asks whether the call was stopped. Without stream_watch() nothing connects. */
#pragma once

#include <stdbool.h>

#include "workers/git/refusal.h"

struct call; /* workers/common/call.h */

/* Who is connecting. A failure of the connection is told in `why`, as libgit2 keeps only words. */
struct stream_watch {
	struct call *call;
	struct refusal *why;
	bool public_only; /* refuse addresses that are not public */
	bool needs_alarm; /* what reads from the descriptor cannot be stopped (SSH) */
};

/* Registers the stream with libgit2; connections are made for `watch` until it is NULL again, which it
 * must be before `watch` ends. One at a time: a worker serves one call at a time. */
int stream_watch(const struct stream_watch *watch) must_check;
void stream_unwatch(void);
