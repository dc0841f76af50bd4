/* Whether the domains that a reload has added, or given other settings, serve with their new processes. */
#pragma once

#include <jansson.h>
#include <stdint.h>

#include "ctl/client.h"
#include "shared/strbuf.h"

enum settle {
	SETTLE_COMING, /* not known yet */
	SETTLE_FAILED, /* a new process has ended before any was ready */
	SETTLE_SERVES,
	SETTLE_ASLEEP,   /* it starts with a call */
	SETTLE_DISABLED, /* by an operator */
	SETTLE_GONE,     /* a later reload took it away */
};

/* What the daemon's status says of one of them. All processes that it had before are retiring since the reload, so
 * those that are not are new; while none of them serves, the old ones may. Of SETTLE_FAILED the cause and the
 * remedy are appended to `why`, not clean. */
enum settle settle_look(const json_t *status, const char *domain, struct strbuf *why);

/* Waits until each domain that has new processes by the daemon's answer to reload serves or has failed, no longer
 * than ctl->limit_ms from `asked_ms` on, clock_now_ms() of before the reload. Says so for each unless --json;
 * `result`, which may be the answer, gets the list `waited`: {domain, ok, error}.
 *
 * Returns an enum ctl_exit: CTL_PARTLY when only some serve. */
int settle_wait(const struct ctl *ctl, struct client *client, const json_t *answer,
	int64_t asked_ms, json_t *result);

/* Whether it waits for this one of the answer's `domains`. */
bool settle_is_waited(const json_t *change);
