/* Looking names and URIs up in the catalog. See catalog.h. */
#include "shared/alloc.h"
#include "shared/strbuf.h"
#include "supervisor/mcp/catalog_private.h"
#include "supervisor/mcp/catalog_template.h"

static void fill(
	const struct index_entry *entry, enum catalog_list list, struct catalog_target *ret)
{
	const struct offer *offer = entry->offer;
	const struct offer_item *item = &offer->lists[list].items[entry->name->item];

	*ret = (struct catalog_target){
		.domain = offer->naming.domain,
		.name = item->name,
		.worker_name = entry->name->is_alias ? entry->name->name : item->worker_name,
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

/* Whom a look-up is for: what it must not lead to is as if it were not there. */
struct seeing {
	const struct view *view;
	enum catalog_list list;
	const struct offer *only; /* NULL: of any domain */
};

static bool is_seen(const void *arg, const struct index_entry *entry)
{
	const struct seeing *seeing = arg;
	const struct offer *offer = entry->offer;

	return (!seeing->only || seeing->only == offer) &&
	       view_shows(seeing->view, seeing->list, offer,
		       &offer->lists[seeing->list].items[entry->name->item]);
}

static bool find_exact(const struct view *view, enum catalog_list list, const char *name,
	struct catalog_target *ret)
{
	const struct index_entry *entry = index_find(&view->endpoint->catalog->names[list], name);
	const struct seeing seeing = { view, list, NULL };

	if (!entry || !is_seen(&seeing, entry))
		return false;
	fill(entry, list, ret);
	return true;
}

/* A gateway may have rewritten a name. */
static bool find_rewritten(const struct view *view, enum catalog_list list, const char *name,
	struct catalog_target *ret)
{
	const struct seeing seeing = { view, list, NULL };
	const struct index_entry *entry =
		index_find_folded(&view->endpoint->catalog->names[list], name, is_seen, &seeing);

	if (!entry)
		return false;
	fill(entry, list, ret);
	return true;
}

/* "sanctuary.git.get_status": the part behind "sanctuary.git.", with or without what the domain's names or
 * the worker put in front of it. */
static bool find_in_offer(const struct view *view, const struct offer *offer, const char *rest,
	struct catalog_target *ret)
{
	auto_free char *listed = catalog_make_name(&offer->naming, rest);
	auto_free char *full = alloc_printf("%s_%s", offer->prefix ? offer->prefix : "", rest);
	const char *const names[] = { rest, listed, full };
	const struct catalog *catalog = view->endpoint->catalog;
	const struct seeing seeing = { view, CATALOG_TOOLS, offer };
	const struct index_entry *entry = NULL;

	for (size_t i = 0; !entry && i < N_ELEMENTS(names); i++)
		entry = index_find_folded(
			&catalog->names[CATALOG_TOOLS], names[i], is_seen, &seeing);
	if (entry)
		fill(entry, CATALOG_TOOLS, ret);
	return entry != NULL;
}

static bool find_federated(const struct view *view, const char *name, struct catalog_target *ret)
{
	const struct catalog *catalog = view->endpoint->catalog;
	size_t len = strlen(catalog->federation_prefix);

	if (len == 0 || strncmp(name, catalog->federation_prefix, len) != 0 || name[len] != '.')
		return false;
	name += len + 1;
	for (size_t i = 0; i < catalog->n_offers; i++) {
		const struct offer *offer = catalog->offers[i];
		size_t domain_len = strlen(offer->naming.domain);

		if (view_serves(view, offer) &&
			strncmp(name, offer->naming.domain, domain_len) == 0 &&
			name[domain_len] == '.')
			return find_in_offer(view, offer, name + domain_len + 1, ret);
	}
	return false;
}

bool endpoint_find_tool(const struct endpoint *endpoint, const struct principal *viewer,
	const char *name, struct catalog_target *ret)
{
	const struct view view = { endpoint, viewer };

	return find_exact(&view, CATALOG_TOOLS, name, ret) || find_federated(&view, name, ret) ||
	       find_rewritten(&view, CATALOG_TOOLS, name, ret);
}

bool endpoint_find_prompt(const struct endpoint *endpoint, const struct principal *viewer,
	const char *name, struct catalog_target *ret)
{
	const struct view view = { endpoint, viewer };

	return find_exact(&view, CATALOG_PROMPTS, name, ret) ||
	       find_rewritten(&view, CATALOG_PROMPTS, name, ret);
}

bool endpoint_find_template(const struct endpoint *endpoint, const struct principal *viewer,
	const char *uri_template, struct catalog_target *ret)
{
	const struct view view = { endpoint, viewer };

	return find_exact(&view, CATALOG_TEMPLATES, uri_template, ret);
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

static bool has_resources(const struct view *view, const struct offer *offer)
{
	return view_serves(view, offer) && (offer->capabilities & CATALOG_HAS_RESOURCES);
}

static bool find_prefixed(const struct view *view, const char *uri, struct catalog_target *ret)
{
	struct catalog *catalog = view->endpoint->catalog;

	for (size_t i = 0; i < catalog->n_offers; i++) {
		const struct offer *offer = catalog->offers[i];

		strbuf_cut(&catalog->worker_uri, 0);
		if (!has_resources(view, offer) ||
			!catalog_get_worker_uri(&offer->naming, uri, &catalog->worker_uri))
			continue;
		fill_uri(offer, uri, &catalog->worker_uri, ret);
		return true;
	}
	return false;
}

/* Servers serve URIs that they do not list: by a template, or the only domain whose URIs are plain. */
static bool find_plain(const struct view *view, const char *uri, struct catalog_target *ret)
{
	const struct catalog *catalog = view->endpoint->catalog;
	const struct offer *only = NULL;
	size_t steps = TEMPLATE_STEPS;
	unsigned n = 0;

	for (size_t i = 0; i < catalog->n_offers; i++) {
		const struct offer *offer = catalog->offers[i];

		if (!has_resources(view, offer) || catalog_renames_uris(&offer->naming))
			continue;
		if (offer_match_template(offer, uri, &steps)) {
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

bool endpoint_find_resource(const struct endpoint *endpoint, const struct principal *viewer,
	const char *uri, struct catalog_target *ret)
{
	const struct view view = { endpoint, viewer };

	return find_exact(&view, CATALOG_RESOURCES, uri, ret) || find_prefixed(&view, uri, ret) ||
	       find_plain(&view, uri, ret);
}
