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
	bool is_out; /* another domain has the name; see catalog_index.h */
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
	struct offer_name *names; /* each once; those of the items first, in their order */
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
	struct conf_strs faults; /* what is wrong with the lists, in words; not all of many */
	size_t n_faults;
};

/* Never NULL. What cannot be offered is left out, and is a fault. */
struct offer *offer_new(const struct conf_domain *conf, const struct offering *offering);
void offer_free(struct offer *offer);

/* Logs the faults but for those that `before` (NULL: nothing) had: lists may come often. */
void offer_log_faults(const struct offer *offer, const struct offer *before);

/* Whether clients see the same list; what is out is not seen. */
bool offer_lists_same(const struct offer *a, const struct offer *b, enum catalog_list list);

/* The template that describes the worker's URI; NULL: none does. `steps` as in catalog_template.h. */
const struct offer_item *offer_match_template(
	const struct offer *offer, const char *worker_uri, size_t *steps);
