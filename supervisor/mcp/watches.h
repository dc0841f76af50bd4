/* Watches: which session, or which subscriptions/listen request of it, wants to hear of changes of which
 * resource.
 *
 * Found by resource when a worker tells of a change, and by session when that asks or ends: neither walks
 * over what others want. Bounded for a session, in number and in bytes, and in bytes for all. A watch says
 * nothing to a domain: that is news.c. */
#pragma once

#include "supervisor/mcp/session.h"

struct watches;
struct listen; /* news.c */

struct watch {
	LIST_ENTRY(watch) in_bucket;
	LIST_ENTRY(watch) in_session;
	struct session *session;
	struct listen *listen; /* NULL: resources/subscribe */
	uint32_t domain;       /* its id in the fleet */
	uint32_t hash;
	size_t bytes;
	char uri[]; /* as its worker knows it */
};

enum {
	WATCHES_MAX = 1024,             /* of one session */
	WATCHES_MAX_BYTES = 128 * 1024, /* the same, with what each costs */
	WATCHES_ALL_BYTES = 64 * 1024 * 1024,
};

struct watches *watches_new(void);
void watches_free(struct watches *watches); /* which must be empty */

/* NULL: a bound is reached. `uri` is copied. */
struct watch *watches_add(struct watches *watches, struct session *session, struct listen *listen,
	uint32_t domain, const char *uri);
void watches_remove(struct watches *watches, struct watch *watch);

/* That of resources/subscribe; NULL: the session has none. */
struct watch *watches_find(struct session *session, uint32_t domain, const char *uri);

/* Another one of the same session for the same resource exists. */
bool watches_has_other(const struct watch *watch);

/* Steps through all watches of a resource: begins with NULL, ends with NULL. Nothing may be added or
 * removed meanwhile. */
struct watch *watches_next(
	const struct watches *watches, uint32_t domain, const char *uri, const struct watch *watch);
