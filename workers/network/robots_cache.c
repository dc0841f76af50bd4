/* See robots_cache.h. */
#include "workers/network/robots_cache.h"

#include "shared/alloc.h"
#include "shared/clock.h"

static struct robots_entry entries[ROBOTS_CACHE_MAX]; /* free: origin NULL, until_ms 0 */

static void entry_done(struct robots_entry *entry)
{
	free(entry->origin);
	robots_free(entry->robots);
	*entry = (struct robots_entry){ 0 };
}

static struct robots_entry *find(const char *origin)
{
	for (size_t i = 0; i < ROBOTS_CACHE_MAX; i++)
		if (entries[i].origin && streq(entries[i].origin, origin))
			return &entries[i];

	return NULL;
}

const struct robots_entry *robots_cache_find(const char *origin)
{
	struct robots_entry *entry = find(origin);

	return entry && clock_now_ms() < entry->until_ms ? entry : NULL;
}

static struct robots_entry *find_oldest(void)
{
	struct robots_entry *oldest = &entries[0];

	for (size_t i = 1; i < ROBOTS_CACHE_MAX; i++)
		if (entries[i].until_ms < oldest->until_ms)
			oldest = &entries[i];

	return oldest;
}

const struct robots_entry *robots_cache_add(
	const char *origin, enum robots_kind kind, struct robots *robots)
{
	struct robots_entry *entry = find(origin);
	int64_t keep_ms = kind == ROBOTS_BROKEN ? ROBOTS_CACHE_TROUBLE_MS : ROBOTS_CACHE_MS;

	if (!entry)
		entry = find_oldest();
	entry_done(entry);
	entry->origin = alloc_str(origin);
	entry->kind = kind;
	entry->robots = robots;
	entry->until_ms = clock_now_ms() + keep_ms;
	return entry;
}

void robots_cache_clear(void)
{
	for (size_t i = 0; i < ROBOTS_CACHE_MAX; i++)
		entry_done(&entries[i]);
}
