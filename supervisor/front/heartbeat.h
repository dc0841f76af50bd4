/* Heartbeats on one wheel: a member sits in one of HEARTBEAT_SLOTS slots, a tick moves to the next slot
 * and beats for the members there. So the beats of many streams are spread over the interval, and a
 * stream costs no timer. */
#pragma once

#include <sys/queue.h>

#include "supervisor/loop.h"

enum { HEARTBEAT_SLOTS = 64 };

struct heartbeat;

/* Embedded in what beats; zero is "not on a wheel". */
struct heartbeat_entry {
	TAILQ_ENTRY(heartbeat_entry) next;
	unsigned slot; /* 1-based */
};

/* May let any members join and leave, its own too. */
typedef void heartbeat_fn(struct heartbeat_entry *entry);

struct heartbeat *heartbeat_new(struct loop *loop, int64_t interval_ms, heartbeat_fn *fn);
void heartbeat_free(struct heartbeat *heartbeat); /* members must have left */

/* Members get the new rhythm one by one. */
void heartbeat_set_interval(struct heartbeat *heartbeat, int64_t interval_ms);

/* The first beat comes after half an interval to a whole one, then one comes each interval. */
void heartbeat_join(struct heartbeat *heartbeat, struct heartbeat_entry *entry);
void heartbeat_leave(
	struct heartbeat *heartbeat, struct heartbeat_entry *entry); /* twice is fine */
