/* Catalog: which tools each endpoint offers, which domain serves a name, and the ready-made answers to
 * tools/list.
 *
 * Built when a domain's tools change, so that a list costs a client one copy of bytes. Names are looked
 * up in this order: canonical, alias, with every '-' and '.' read as '_', federation prefix. What
 * `tools.allow`, `tools.deny` and `tools.read_only` remove is neither listed nor callable, by whichever
 * name. Sorted by domain, then as the worker lists them. */
#pragma once

#include <jansson.h>

#include "supervisor/conf.h"
#include "supervisor/fleet/offering.h"

struct catalog;
struct endpoint; /* what a client connects to: the whole fleet, or one domain; lives as the catalog */

struct catalog_tool {
	const char *domain; /* who serves it */
	const char *name;   /* canonical: as it is listed */
	const char *
		worker_name; /* what the worker is called with; NULL: the name as the client gave it */
	bool may_rerun;      /* read-only or idempotent */
	int64_t timeout_ms;
};

struct catalog *catalog_new(const struct conf_tools *conf);
void catalog_free(struct catalog *catalog);

/* New common settings; the lists are built anew. */
void catalog_set_conf(struct catalog *catalog, const struct conf_tools *conf);

/* What a domain offers is this now (NULL: nothing). All is copied. */
void catalog_set_domain(
	struct catalog *catalog, const struct conf_domain *conf, const struct offering *offering);
void catalog_remove_domain(struct catalog *catalog, const char *name);

/* The whole fleet (NULL), or a domain that has been set; NULL: there is none. */
struct endpoint *catalog_endpoint(struct catalog *catalog, const char *domain);

/* NULL for the whole fleet. */
const char *endpoint_get_domain(const struct endpoint *endpoint);

/* Grows with each change of what the endpoint lists. */
uint64_t endpoint_get_version(const struct endpoint *endpoint);
size_t endpoint_count_tools(const struct endpoint *endpoint);

/* The result of tools/list for a cursor (NULL: none was sent): borrowed until the next change.
 * NULL: no such cursor. */
const char *endpoint_get_page(const struct endpoint *endpoint, const char *cursor, size_t *ret_len);

/* False: no tool of this name here. Borrowed until the next change. */
bool endpoint_find_tool(
	const struct endpoint *endpoint, const char *name, struct catalog_tool *ret);

/* The version that the domain's worker told, or "". */
const char *catalog_get_version(const struct catalog *catalog, const char *domain);

/* What the domain's worker says it is for, or "". */
const char *catalog_get_summary(const struct catalog *catalog, const char *domain);
