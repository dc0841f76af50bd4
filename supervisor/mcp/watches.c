/* See watches.h. */
#include "supervisor/mcp/watches.h"

#include "shared/alloc.h"
#include "shared/keyed_hash.h"

enum { FIRST_BUCKETS = 64 };

struct watches {
	struct watch_list *buckets;
	size_t n_buckets; /* a power of two */
	size_t n;
	size_t bytes;
};

static uint32_t hash_of(uint32_t domain, const char *uri)
{
	return (uint32_t)keyed_hash_text(domain, uri);
}

static struct watch_list *bucket_of(const struct watches *watches, uint32_t hash)
{
	return &watches->buckets[hash & (watches->n_buckets - 1)];
}

static void grow(struct watches *watches)
{
	struct watch_list *old = watches->buckets;
	size_t n_old = watches->n_buckets;
	struct watch *watch;

	watches->n_buckets = n_old ? n_old * 4 : FIRST_BUCKETS;
	watches->buckets = alloc_zero(watches->n_buckets * sizeof(*watches->buckets));
	for (size_t i = 0; i < n_old; i++)
		while ((watch = LIST_FIRST(&old[i]))) {
			LIST_REMOVE(watch, in_bucket);
			LIST_INSERT_HEAD(bucket_of(watches, watch->hash), watch, in_bucket);
		}
	free(old);
}

static bool is_of(const struct watch *watch, uint32_t domain, const char *uri)
{
	return watch->domain == domain && streq(watch->uri, uri);
}

struct watches *watches_new(void)
{
	struct watches *watches = alloc_zero(sizeof(*watches));

	grow(watches);
	return watches;
}

void watches_free(struct watches *watches)
{
	if (!watches)
		return;
	free(watches->buckets);
	free(watches);
}

struct watch *watches_add(struct watches *watches, struct session *session, struct listen *listen,
	uint32_t domain, const char *uri)
{
	struct session_info *info = session_get_info(session);
	size_t len = strlen(uri) + 1;
	size_t bytes = sizeof(struct watch) + len;
	struct watch *watch;

	if (info->n_watches >= WATCHES_MAX || bytes > WATCHES_MAX_BYTES - info->watch_bytes ||
		bytes > WATCHES_ALL_BYTES - watches->bytes)
		return NULL;
	watch = alloc_zero(bytes);
	watch->session = session;
	watch->listen = listen;
	watch->domain = domain;
	watch->hash = hash_of(domain, uri);
	watch->bytes = bytes;
	memcpy(watch->uri, uri, len);
	info->n_watches++;
	info->watch_bytes += bytes;
	watches->bytes += bytes;
	if (++watches->n > watches->n_buckets)
		grow(watches);
	LIST_INSERT_HEAD(&info->watches, watch, in_session);
	LIST_INSERT_HEAD(bucket_of(watches, watch->hash), watch, in_bucket);
	return watch;
}

void watches_remove(struct watches *watches, struct watch *watch)
{
	struct session_info *info = session_get_info(watch->session);

	LIST_REMOVE(watch, in_bucket);
	LIST_REMOVE(watch, in_session);
	info->n_watches--;
	info->watch_bytes -= watch->bytes;
	watches->bytes -= watch->bytes;
	watches->n--;
	free(watch);
}

struct watch *watches_find(struct session *session, uint32_t domain, const char *uri)
{
	uint32_t hash = hash_of(domain, uri);
	struct watch *watch;

	LIST_FOREACH(watch, &session_get_info(session)->watches, in_session)
		if (!watch->listen && watch->hash == hash && is_of(watch, domain, uri))
			return watch;
	return NULL;
}

bool watches_has_other(const struct watch *watch)
{
	const struct watch *other;

	LIST_FOREACH(other, &session_get_info(watch->session)->watches, in_session)
		if (other != watch && other->hash == watch->hash &&
			is_of(other, watch->domain, watch->uri))
			return true;
	return false;
}

struct watch *watches_next(
	const struct watches *watches, uint32_t domain, const char *uri, const struct watch *watch)
{
	struct watch *next = watch ? LIST_NEXT(watch, in_bucket)
				   : LIST_FIRST(bucket_of(watches, hash_of(domain, uri)));

	while (next && !is_of(next, domain, uri))
		next = LIST_NEXT(next, in_bucket);
	return next;
}
