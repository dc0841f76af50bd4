/* What catalog.c and catalog_find.c share. */
#pragma once

#include "supervisor/mcp/catalog_index.h"

/* One list of an endpoint, ready to be sent. */
struct pages {
	char **items;
	size_t n;
	size_t n_listed; /* tools, prompts, … on all pages */
	uint64_t version;
	bool is_stale; /* to be built anew */
};

struct endpoint {
	struct endpoint *next;
	struct catalog *catalog;
	char *domain; /* NULL: the whole fleet */
	char *instructions;
	struct pages lists[CATALOG_LISTS];
};

/* Names that a domain does not get, in words. */
struct told_clash {
	char *domain;
	char *text;
};

struct catalog {
	struct endpoint *endpoints;
	struct offer **offers; /* sorted by domain */
	size_t n_offers;
	struct index names[CATALOG_LISTS];
	struct told_clash *clashes;
	size_t n_clashes;
	size_t page_size;
	char *federation_prefix;
	struct strbuf worker_uri; /* of the last look-up */
};

static inline bool endpoint_serves(const struct endpoint *endpoint, const struct offer *offer)
{
	return !endpoint->domain || streq(endpoint->domain, offer->naming.domain);
}
