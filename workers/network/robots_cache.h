/* What sites said in robots.txt, by origin, so that each is asked once an hour. Bounded. */
#pragma once

#include <stdint.h>

#include "workers/network/robots.h"

enum {
	ROBOTS_CACHE_MAX = 32,
	ROBOTS_CACHE_MS = 3600000,
	ROBOTS_CACHE_TROUBLE_MS =
		60000, /* of a site whose server has an error: it may soon be well */
};

enum robots_kind {
	ROBOTS_RULES,
	ROBOTS_NONE,   /* it has none: all is allowed */
	ROBOTS_CLOSED, /* 401, 403: nothing is allowed */
	ROBOTS_BROKEN, /* 5xx: nothing is allowed for now */
};

struct robots_entry {
	char *origin;
	enum robots_kind kind;
	struct robots *robots; /* of ROBOTS_RULES */
	int64_t until_ms;
};

/* NULL: unknown, or too old. Borrowed until the next robots_cache_add(). `origin` as "https://host:443". */
const struct robots_entry *robots_cache_find(const char *origin);

/* Takes over `robots` (NULL unless it is ROBOTS_RULES). In place of the oldest when it is full. */
const struct robots_entry *robots_cache_add(
	const char *origin, enum robots_kind kind, struct robots *robots);

void robots_cache_clear(void);
