/* What the files of the catalog share. */
#pragma once

#include "supervisor/mcp/catalog_index.h"

/* One list of an endpoint, ready to be sent. */
struct pages {
	char **items;
	size_t n;
	size_t n_listed; /* tools, prompts, … on all pages */
	uint64_t version;
	uint64_t changed_at; /* catalog.n_updates when the version grew last */
	bool is_stale;       /* to be built anew */
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
	uint64_t n_updates;
	char *federation_prefix;
	struct strbuf worker_uri; /* of the last look-up */
};

static inline bool endpoint_serves(const struct endpoint *endpoint, const struct offer *offer)
{
	return !endpoint->domain || streq(endpoint->domain, offer->naming.domain);
}

/* An endpoint as somebody sees it. */
struct view {
	const struct endpoint *endpoint;
	const struct principal *viewer; /* NULL: all */
};

/* Whether it shows anything of the offer. */
bool view_serves(const struct view *view, const struct offer *offer);

/* Whether it shows this item, which is of one of its offers. */
bool view_shows(const struct view *view, enum catalog_list list, const struct offer *offer,
	const struct offer_item *item);

/* How a list is called in its pages; `mark` begins its cursors, so that one of another list is told apart. */
struct catalog_kind {
	const char *name;
	char mark;
};

extern const struct catalog_kind catalog_kinds[CATALOG_LISTS];

/* How many items stand before the page that a cursor of this list begins. False: it is none. */
bool catalog_read_cursor(const struct catalog *catalog, enum catalog_list list, const char *cursor,
	size_t *ret_n_before);
