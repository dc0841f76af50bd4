/* What one key, or one address, has in use, and how fast it asks: against limits.per_key and limits.per_address.
 *
 * Things (sessions, streams, calls, connections) are counted while they last. Requests and their bytes go through
 * token buckets, kept as the time at which the bucket will be full again (GCRA: one number, no timer). Bytes are paid
 * afterwards: who has overdrawn waits, a day at most. A usage without things whose buckets are full is forgotten; of the others that
 * nobody holds only so many are kept, the oldest leave first. */
#pragma once

#include "supervisor/conf.h"
#include "supervisor/loop.h"

enum usage_of {
	USAGE_OF_KEY,
	USAGE_OF_ADDRESS,
	USAGE_OFS,
};

enum usage_thing {
	USAGE_CONNECTIONS,
	USAGE_SESSIONS,
	USAGE_STREAMS,
	USAGE_CALLS,
	USAGE_THINGS,
};

struct usages; /* of all keys, or of all addresses */
struct usage;  /* of one; counted */

struct usages *usages_new(struct loop *loop, enum usage_of of);
void usages_free(struct usages *usages); /* after all references are given back */

/* For all that have no quota of their own; holds from now on. */
void usages_set_quota(struct usages *usages, const struct conf_quota *quota);

/* One reference, the caller's. `own` (may be NULL): its numbers that are not 0 take the place of the common ones. */
struct usage *usages_get(struct usages *usages, const char *who, const struct conf_quota *own);
struct usage *usage_ref(struct usage *usage);
void usage_unref(struct usage *usage);

/* False: it has as many as it may; that is counted (stats.h). NULL, here and below, has no limits. */
bool usage_take(struct usage *usage, enum usage_thing thing) must_check;
void usage_add(struct usage *usage, enum usage_thing thing); /* whatever the limit is */
void usage_give(struct usage *usage, enum usage_thing thing);
unsigned usage_count(const struct usage *usage, enum usage_thing thing);

/* One more would be too many; counted as above. */
bool usage_is_full(struct usage *usage, enum usage_thing thing);

/* A request comes: 0, or in how many milliseconds it may come again; then it is counted, and not charged, and
 * *ret_limit is the setting that holds. */
int64_t usage_admit(struct usage *usage, const char **ret_limit) must_check;

/* Its body had so many bytes. */
void usage_pay(struct usage *usage, size_t n_bytes);

/* The setting that holds: "limits.per_key.sessions". */
const char *usage_limit_name(const struct usage *usage, enum usage_thing thing);
const char *usage_get_who(const struct usage *usage);
