/* What one domain offers, as clients see it. Inside of the catalog. */
#pragma once

#include "supervisor/mcp/catalog.h"

/* A tool, prompt, resource or template. */
struct offer_item {
	char *name; /* as it is listed; a URI, a URI template */
	char *worker_name;
	char *text; /* JSON, as it is listed */
	bool may_rerun;
	bool has_headers;
	int64_t timeout_ms;
};

/* A name by which an item is found. */
struct offer_name {
	char *name;
	size_t item;
	bool is_alias;
};

struct offer_list {
	struct offer_item *items;
	size_t n;
	struct offer_name *names; /* sorted */
	size_t n_names;
};

struct offer {
	struct catalog_naming naming;
	char *version;
	char *summary;
	char *instructions; /* NULL: none */
	char *prefix;       /* first label that all its tools share, "git"; NULL: they share none */
	unsigned capabilities;
	bool takes_legacy, takes_modern;
	int64_t timeout_ms;
	struct offer_list lists[CATALOG_LISTS];
};

struct offer *offer_new(const struct conf_domain *conf, const struct offering *offering);
void offer_free(struct offer *offer);

/* NULL: none of exactly this name. */
const struct offer_name *offer_find(
	const struct offer *offer, enum catalog_list list, const char *name);

/* The template that describes the worker's URI; NULL: none does. */
const struct offer_item *offer_match_template(const struct offer *offer, const char *worker_uri);
