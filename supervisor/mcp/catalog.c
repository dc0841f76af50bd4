/* See catalog.h. */
#include "supervisor/mcp/catalog.h"

#include <ctype.h>
#include <stdio.h>

#include "shared/alloc.h"
#include "shared/strbuf.h"
#include "supervisor/mcp/catalog_offer.h"

/* One list of an endpoint, ready to be sent. */
struct pages {
	char **items;
	size_t n;
	size_t n_listed; /* tools, prompts, … on all pages */
	uint64_t version;
};

struct endpoint {
	struct endpoint *next;
	struct catalog *catalog;
	char *domain; /* NULL: the whole fleet */
	char *instructions;
	struct pages lists[CATALOG_LISTS];
};

struct catalog {
	struct endpoint *endpoints;
	struct offer **offers; /* sorted by domain */
	size_t n_offers;
	size_t page_size;
	char *federation_prefix;
	struct strbuf worker_uri; /* of the last look-up */
};

static const char *const list_names[CATALOG_LISTS] = {
	[CATALOG_TOOLS] = "tools",
	[CATALOG_RESOURCES] = "resources",
	[CATALOG_TEMPLATES] = "resourceTemplates",
	[CATALOG_PROMPTS] = "prompts",
};

/* --- endpoints --------------------------------------------------------------------------------- */

static bool serves(const struct endpoint *endpoint, const struct offer *offer)
{
	return !endpoint->domain || streq(endpoint->domain, offer->naming.domain);
}

static void free_pages(struct pages *pages)
{
	for (size_t i = 0; i < pages->n; i++)
		free(pages->items[i]);
	free(pages->items);
	pages->items = NULL;
	pages->n = 0;
	pages->n_listed = 0;
}

static void end_page(struct pages *pages, struct strbuf *page, bool more)
{
	strbuf_addc(page, ']');
	if (more)
		strbuf_addf(page, ",\"nextCursor\":\"t%zu\"", pages->n_listed);
	strbuf_addc(page, '}');
	pages->items = alloc_resize(pages->items, pages->n + 1, sizeof(char *));
	pages->items[pages->n++] = strbuf_take(page);
}

static void add_to_page(const struct catalog *catalog, enum catalog_list list, struct pages *pages,
	struct strbuf *page, const char *text)
{
	size_t page_size = catalog->page_size;

	if (page_size && pages->n_listed > 0 && pages->n_listed % page_size == 0)
		end_page(pages, page, true);
	if (page->len)
		strbuf_addc(page, ',');
	else
		strbuf_addf(page, "{\"%s\":[", list_names[list]);
	strbuf_adds(page, text);
	pages->n_listed++;
}

static void build_list(const struct endpoint *endpoint, enum catalog_list list, struct pages *pages)
{
	const struct catalog *catalog = endpoint->catalog;
	auto_strbuf page = { 0 };

	for (size_t i = 0; i < catalog->n_offers; i++) {
		const struct offer *offer = catalog->offers[i];

		for (size_t k = 0; serves(endpoint, offer) && k < offer->lists[list].n; k++)
			add_to_page(catalog, list, pages, &page, offer->lists[list].items[k].text);
	}
	if (page.len == 0)
		strbuf_addf(&page, "{\"%s\":[", list_names[list]);
	end_page(pages, &page, false);
}

static void build_instructions(struct endpoint *endpoint)
{
	const struct catalog *catalog = endpoint->catalog;
	auto_strbuf text = { 0 };

	for (size_t i = 0; i < catalog->n_offers; i++) {
		const struct offer *offer = catalog->offers[i];

		if (!serves(endpoint, offer) || !offer->instructions)
			continue;
		if (!endpoint->domain)
			strbuf_addf(&text, "%s%s: ", text.len ? "\n\n" : "", offer->naming.domain);
		strbuf_adds(&text, offer->instructions);
	}
	free(endpoint->instructions);
	endpoint->instructions = text.len ? strbuf_take(&text) : NULL;
}

static bool same_pages(const struct pages *a, const struct pages *b)
{
	bool same = a->n == b->n;

	for (size_t i = 0; same && i < a->n; i++)
		same = streq(a->items[i], b->items[i]);
	return same;
}

/* Builds what has changed anew; what differs gets a new version. */
static void build(struct endpoint *endpoint)
{
	for (int l = 0; l < CATALOG_LISTS; l++) {
		struct pages *old = &endpoint->lists[l];
		struct pages fresh = { .version = old->version };

		build_list(endpoint, (enum catalog_list)l, &fresh);
		fresh.version += !same_pages(old, &fresh);
		free_pages(old);
		*old = fresh;
	}
	build_instructions(endpoint);
}

static void rebuild(struct catalog *catalog)
{
	for (struct endpoint *e = catalog->endpoints; e; e = e->next)
		build(e);
}

static struct endpoint *add_endpoint(struct catalog *catalog, const char *domain)
{
	struct endpoint *endpoint = alloc_zero(sizeof(*endpoint));

	endpoint->catalog = catalog;
	endpoint->domain = alloc_str(domain);
	endpoint->next = catalog->endpoints;
	catalog->endpoints = endpoint;
	build(endpoint);
	return endpoint;
}

static bool same_domain(const char *a, const char *b)
{
	return a && b ? streq(a, b) : a == b;
}

struct endpoint *catalog_endpoint(struct catalog *catalog, const char *domain)
{
	for (struct endpoint *e = catalog->endpoints; e; e = e->next)
		if (same_domain(e->domain, domain))
			return e;
	return NULL;
}

/* --- looking a name up -------------------------------------------------------------------------- */

static void fill(const struct offer *offer, enum catalog_list list, const struct offer_name *name,
	struct catalog_target *ret)
{
	const struct offer_item *item = &offer->lists[list].items[name->item];

	*ret = (struct catalog_target){
		.domain = offer->naming.domain,
		.name = item->name,
		.worker_name = name->is_alias ? name->name : item->worker_name,
		.text = item->text,
		.may_rerun = item->may_rerun,
		.native = offer->naming.is_native,
		.has_headers = item->has_headers,
		.takes_legacy = offer->takes_legacy,
		.takes_modern = offer->takes_modern,
		.takes_tasks = (offer->capabilities & CATALOG_HAS_TASKS) != 0,
		.timeout_ms = item->timeout_ms,
	};
}

static bool find_exact(const struct endpoint *endpoint, enum catalog_list list, const char *name,
	struct catalog_target *ret)
{
	const struct catalog *catalog = endpoint->catalog;

	for (size_t i = 0; i < catalog->n_offers; i++) {
		const struct offer *offer = catalog->offers[i];
		const struct offer_name *found =
			serves(endpoint, offer) ? offer_find(offer, list, name) : NULL;

		if (found) {
			fill(offer, list, found, ret);
			return true;
		}
	}
	return false;
}

static char *with_underscores(const char *name)
{
	char *copy = alloc_str(name);

	for (char *at = copy; *at; at++)
		if (*at == '-' || *at == '.')
			*at = '_';
	return copy;
}

/* A gateway may have rewritten a name: the first that is the same but for '-', '.' and '_'. */
static bool find_rewritten(const struct endpoint *endpoint, enum catalog_list list,
	const char *name, struct catalog_target *ret)
{
	const struct catalog *catalog = endpoint->catalog;
	auto_free char *plain = with_underscores(name);

	if (find_exact(endpoint, list, plain, ret))
		return true;
	for (size_t i = 0; i < catalog->n_offers; i++) {
		const struct offer *offer = catalog->offers[i];
		const struct offer_list *in = &offer->lists[list];

		for (size_t k = 0; serves(endpoint, offer) && k < in->n_names; k++) {
			auto_free char *known = with_underscores(in->names[k].name);

			if (streq(known, plain)) {
				fill(offer, list, &in->names[k], ret);
				return true;
			}
		}
	}
	return false;
}

/* "sanctuary.git.get_status": the part behind "sanctuary.git.", with or without the tools' prefix. */
static bool find_in_offer(const struct offer *offer, const char *rest, struct catalog_target *ret)
{
	auto_free char *plain = with_underscores(rest);
	auto_free char *full = alloc_printf("%s_%s", offer->prefix ? offer->prefix : "", plain);
	const struct offer_name *found = offer_find(offer, CATALOG_TOOLS, plain);

	if (!found && offer->prefix)
		found = offer_find(offer, CATALOG_TOOLS, full);
	if (found)
		fill(offer, CATALOG_TOOLS, found, ret);
	return found != NULL;
}

static bool find_federated(
	const struct endpoint *endpoint, const char *name, struct catalog_target *ret)
{
	const struct catalog *catalog = endpoint->catalog;
	size_t len = strlen(catalog->federation_prefix);

	if (len == 0 || strncmp(name, catalog->federation_prefix, len) != 0 || name[len] != '.')
		return false;
	name += len + 1;
	for (size_t i = 0; i < catalog->n_offers; i++) {
		const struct offer *offer = catalog->offers[i];
		size_t domain_len = strlen(offer->naming.domain);

		if (serves(endpoint, offer) &&
			strncmp(name, offer->naming.domain, domain_len) == 0 &&
			name[domain_len] == '.')
			return find_in_offer(offer, name + domain_len + 1, ret);
	}
	return false;
}

bool endpoint_find_tool(
	const struct endpoint *endpoint, const char *name, struct catalog_target *ret)
{
	return find_exact(endpoint, CATALOG_TOOLS, name, ret) ||
	       find_federated(endpoint, name, ret) ||
	       find_rewritten(endpoint, CATALOG_TOOLS, name, ret);
}

bool endpoint_find_prompt(
	const struct endpoint *endpoint, const char *name, struct catalog_target *ret)
{
	return find_exact(endpoint, CATALOG_PROMPTS, name, ret) ||
	       find_rewritten(endpoint, CATALOG_PROMPTS, name, ret);
}

bool endpoint_find_template(
	const struct endpoint *endpoint, const char *uri_template, struct catalog_target *ret)
{
	return find_exact(endpoint, CATALOG_TEMPLATES, uri_template, ret);
}

static void fill_uri(const struct offer *offer, const char *uri, const struct strbuf *worker_uri,
	struct catalog_target *ret)
{
	*ret = (struct catalog_target){
		.domain = offer->naming.domain,
		.name = uri,
		.worker_name = worker_uri ? worker_uri->data : NULL,
		.may_rerun = true,
		.takes_legacy = offer->takes_legacy,
		.takes_modern = offer->takes_modern,
		.timeout_ms = offer->timeout_ms,
	};
}

static bool find_prefixed(
	const struct endpoint *endpoint, const char *uri, struct catalog_target *ret)
{
	struct catalog *catalog = endpoint->catalog;

	for (size_t i = 0; i < catalog->n_offers; i++) {
		const struct offer *offer = catalog->offers[i];

		strbuf_cut(&catalog->worker_uri, 0);
		if (!serves(endpoint, offer) || !(offer->capabilities & CATALOG_HAS_RESOURCES) ||
			!catalog_get_worker_uri(&offer->naming, uri, &catalog->worker_uri))
			continue;
		fill_uri(offer, uri, &catalog->worker_uri, ret);
		return true;
	}
	return false;
}

/* Servers serve URIs that they do not list: by a template, or the only domain whose URIs are plain. */
static bool find_plain(const struct endpoint *endpoint, const char *uri, struct catalog_target *ret)
{
	const struct catalog *catalog = endpoint->catalog;
	const struct offer *only = NULL;
	unsigned n = 0;

	for (size_t i = 0; i < catalog->n_offers; i++) {
		const struct offer *offer = catalog->offers[i];

		if (!serves(endpoint, offer) || catalog_renames_uris(&offer->naming) ||
			!(offer->capabilities & CATALOG_HAS_RESOURCES))
			continue;
		if (offer_match_template(offer, uri)) {
			fill_uri(offer, uri, NULL, ret);
			return true;
		}
		only = offer;
		n++;
	}
	if (n != 1)
		return false;
	fill_uri(only, uri, NULL, ret);
	return true;
}

bool endpoint_find_resource(
	const struct endpoint *endpoint, const char *uri, struct catalog_target *ret)
{
	return find_exact(endpoint, CATALOG_RESOURCES, uri, ret) ||
	       find_prefixed(endpoint, uri, ret) || find_plain(endpoint, uri, ret);
}

/* --- public ------------------------------------------------------------------------------------ */

struct catalog *catalog_new(const struct conf_tools *conf)
{
	struct catalog *catalog = alloc_zero(sizeof(*catalog));

	catalog->page_size = conf->page_size;
	catalog->federation_prefix = alloc_str(conf->federation_prefix);
	(void)add_endpoint(catalog, NULL);
	return catalog;
}

void catalog_free(struct catalog *catalog)
{
	struct endpoint *endpoint;

	if (!catalog)
		return;
	while ((endpoint = catalog->endpoints)) {
		catalog->endpoints = endpoint->next;
		for (int l = 0; l < CATALOG_LISTS; l++)
			free_pages(&endpoint->lists[l]);
		free(endpoint->instructions);
		free(endpoint->domain);
		free(endpoint);
	}
	for (size_t i = 0; i < catalog->n_offers; i++)
		offer_free(catalog->offers[i]);
	free(catalog->offers);
	free(catalog->federation_prefix);
	strbuf_done(&catalog->worker_uri);
	free(catalog);
}

void catalog_set_conf(struct catalog *catalog, const struct conf_tools *conf)
{
	free(catalog->federation_prefix);
	catalog->federation_prefix = alloc_str(conf->federation_prefix);
	catalog->page_size = conf->page_size;
	rebuild(catalog);
}

static size_t place_of(const struct catalog *catalog, const char *domain, bool *ret_found)
{
	size_t i = 0;

	while (i < catalog->n_offers && strcmp(catalog->offers[i]->naming.domain, domain) < 0)
		i++;
	*ret_found = i < catalog->n_offers && streq(catalog->offers[i]->naming.domain, domain);
	return i;
}

void catalog_set_domain(
	struct catalog *catalog, const struct conf_domain *conf, const struct offering *offering)
{
	struct offer *offer = offer_new(conf, offering);
	bool found;
	size_t i = place_of(catalog, conf->name, &found);

	if (found) {
		offer_free(catalog->offers[i]);
	} else {
		catalog->offers =
			alloc_resize(catalog->offers, catalog->n_offers + 1, sizeof(offer));
		memmove(catalog->offers + i + 1, catalog->offers + i,
			(catalog->n_offers - i) * sizeof(offer));
		catalog->n_offers++;
	}
	catalog->offers[i] = offer;
	if (!catalog_endpoint(catalog, conf->name))
		(void)add_endpoint(catalog, conf->name);
	rebuild(catalog);
}

void catalog_remove_domain(struct catalog *catalog, const char *name)
{
	bool found;
	size_t i = place_of(catalog, name, &found);

	if (!found)
		return;
	offer_free(catalog->offers[i]);
	memmove(catalog->offers + i, catalog->offers + i + 1,
		(--catalog->n_offers - i) * sizeof(*catalog->offers));
	rebuild(catalog);
}

const char *endpoint_get_domain(const struct endpoint *endpoint)
{
	return endpoint->domain;
}

uint64_t endpoint_get_version(const struct endpoint *endpoint, enum catalog_list list)
{
	return endpoint->lists[list].version;
}

size_t endpoint_count_tools(const struct endpoint *endpoint)
{
	return endpoint->lists[CATALOG_TOOLS].n_listed;
}

const char *endpoint_get_page(const struct endpoint *endpoint, enum catalog_list list,
	const char *cursor, size_t *ret_len)
{
	const struct pages *pages = &endpoint->lists[list];
	size_t page_size = endpoint->catalog->page_size;
	size_t page = 0;
	char *end;

	if (cursor) {
		if (cursor[0] != 't' || !isdigit((unsigned char)cursor[1]) || page_size == 0)
			return NULL;
		page = strtoul(cursor + 1, &end, 10);
		if (*end || page == 0 || page % page_size != 0)
			return NULL;
		page /= page_size;
	}
	if (page >= pages->n)
		return NULL;
	*ret_len = strlen(pages->items[page]);
	return pages->items[page];
}

unsigned endpoint_get_capabilities(const struct endpoint *endpoint)
{
	const struct catalog *catalog = endpoint->catalog;
	unsigned bits = 0;

	for (size_t i = 0; i < catalog->n_offers; i++)
		if (serves(endpoint, catalog->offers[i]))
			bits |= catalog->offers[i]->capabilities;
	return bits;
}

const char *endpoint_get_instructions(const struct endpoint *endpoint)
{
	return endpoint->instructions;
}

const struct catalog_naming *catalog_get_naming(const struct catalog *catalog, const char *domain)
{
	bool found;
	size_t i = place_of(catalog, domain, &found);

	return found && catalog_renames_uris(&catalog->offers[i]->naming)
		       ? &catalog->offers[i]->naming
		       : NULL;
}

const char *catalog_get_version(const struct catalog *catalog, const char *domain)
{
	bool found;
	size_t i = place_of(catalog, domain, &found);

	return found ? catalog->offers[i]->version : "";
}

const char *catalog_get_summary(const struct catalog *catalog, const char *domain)
{
	bool found;
	size_t i = place_of(catalog, domain, &found);

	return found ? catalog->offers[i]->summary : "";
}
