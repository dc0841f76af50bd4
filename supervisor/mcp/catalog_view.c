/* The catalog as one sees it who may not see all. See catalog.h.
 *
 * Nothing is kept for a viewer: a list of 500 tools is filtered faster than it is sent (doc/adr/0016), and keys are
 * many. */
#include "shared/strbuf.h"
#include "supervisor/mcp/catalog_private.h"
#include "supervisor/mcp/principal.h"

/* Where tools are restricted, who may use none of a domain sees nothing else of it either: a key for one tool of one
 * domain is none for the resources of all others. */
bool view_serves(const struct view *view, const struct offer *offer)
{
	const struct offer_list *tools = &offer->lists[CATALOG_TOOLS];
	const char *domain = offer->naming.domain;

	if (!endpoint_serves(view->endpoint, offer) ||
		!principal_allows_domain(view->viewer, domain))
		return false;
	if (principal_allows_whole(view->viewer, domain))
		return true;
	for (size_t i = 0; i < tools->n; i++)
		if (!tools->items[i].is_out &&
			principal_allows_tool(view->viewer, domain, tools->items[i].name))
			return true;
	return false;
}

/* A tool that is shown makes its offer served: that need not be found out by looking at the others. */
bool view_shows(const struct view *view, enum catalog_list list, const struct offer *offer,
	const struct offer_item *item)
{
	if (list != CATALOG_TOOLS)
		return view_serves(view, offer);
	return endpoint_serves(view->endpoint, offer) &&
	       principal_allows_tool(view->viewer, offer->naming.domain, item->name);
}

/* Goes over what a view shows, in the order of the lists. */
struct walk {
	struct view view;
	enum catalog_list list;
	size_t offer;
	size_t item;
};

static const struct offer_item *walk_next(struct walk *walk)
{
	const struct catalog *catalog = walk->view.endpoint->catalog;

	for (; walk->offer < catalog->n_offers; walk->offer++, walk->item = 0) {
		const struct offer *offer = catalog->offers[walk->offer];
		const struct offer_list *from = &offer->lists[walk->list];

		if (walk->item == 0 && !view_serves(&walk->view, offer))
			continue;
		while (walk->item < from->n) {
			const struct offer_item *item = &from->items[walk->item++];

			if (!item->is_out &&
				(walk->list != CATALOG_TOOLS ||
					view_shows(&walk->view, walk->list, offer, item)))
				return item;
		}
	}
	return NULL;
}

/* The page behind `n_before` items, at which `walk` stands. */
static void add_items(
	struct walk *walk, size_t n_before, const struct offer_item *item, struct strbuf *out)
{
	const struct catalog_kind *kind = &catalog_kinds[walk->list];
	size_t page_size = walk->view.endpoint->catalog->page_size;
	size_t n = 0;

	strbuf_addf(out, "{\"%s\":[", kind->name);
	for (; item && (page_size == 0 || n < page_size); n++, item = walk_next(walk)) {
		if (n > 0)
			strbuf_addc(out, ',');
		strbuf_adds(out, item->text);
	}
	strbuf_addc(out, ']');
	if (item)
		strbuf_addf(out, ",\"nextCursor\":\"%c%zu\"", kind->mark, n_before + n);
	strbuf_addc(out, '}');
}

bool endpoint_add_page(const struct endpoint *endpoint, const struct principal *viewer,
	enum catalog_list list, const char *cursor, struct strbuf *out)
{
	struct walk walk = { .view = { endpoint, viewer }, .list = list };
	const struct offer_item *item;
	size_t n_before = 0;

	if (cursor && !catalog_read_cursor(endpoint->catalog, list, cursor, &n_before))
		return false;
	item = walk_next(&walk);
	for (size_t i = 0; item && i < n_before; i++)
		item = walk_next(&walk);
	if (cursor && !item)
		return false;
	add_items(&walk, n_before, item, out);
	return true;
}

void endpoint_add_instructions(
	const struct endpoint *endpoint, const struct principal *viewer, struct strbuf *out)
{
	const struct catalog *catalog = endpoint->catalog;
	const struct view view = { endpoint, viewer };
	const char *gap = "";

	for (size_t i = 0; i < catalog->n_offers; i++) {
		const struct offer *offer = catalog->offers[i];

		if (!offer->instructions || !view_serves(&view, offer))
			continue;
		if (!endpoint->domain)
			strbuf_addf(out, "%s%s: ", gap, offer->naming.domain);
		strbuf_adds(out, offer->instructions);
		gap = "\n\n";
	}
}

static size_t count_tools(const struct view *view, const struct offer *offer)
{
	const struct offer_list *tools = &offer->lists[CATALOG_TOOLS];
	size_t n = 0;

	for (size_t i = 0; i < tools->n; i++)
		n += !tools->items[i].is_out &&
		     view_shows(view, CATALOG_TOOLS, offer, &tools->items[i]);
	return n;
}

void endpoint_add_domains(
	const struct endpoint *endpoint, const struct principal *viewer, struct strbuf *out)
{
	struct catalog *catalog = endpoint->catalog;
	const struct view view = { catalog_endpoint(catalog, NULL), viewer };
	const char *comma = "";

	strbuf_addc(out, '{');
	for (size_t i = 0; i < catalog->n_offers; i++) {
		const struct offer *offer = catalog->offers[i];

		if (!view_serves(&view, offer))
			continue;
		strbuf_adds(out, comma);
		strbuf_add_json(out, offer->naming.domain, strlen(offer->naming.domain));
		strbuf_addf(out, ":%zu", count_tools(&view, offer));
		comma = ",";
	}
	strbuf_addc(out, '}');
}

unsigned endpoint_get_capabilities(const struct endpoint *endpoint, const struct principal *viewer)
{
	const struct catalog *catalog = endpoint->catalog;
	const struct view view = { endpoint, viewer };
	unsigned bits = 0;

	for (size_t i = 0; i < catalog->n_offers; i++)
		if (view_serves(&view, catalog->offers[i]))
			bits |= catalog->offers[i]->capabilities;
	return bits;
}

/* By the lists of the domains, one of which may have lost a name to another, or may be gone now. */
bool endpoint_has_changed_for(
	const struct endpoint *endpoint, const struct principal *viewer, enum catalog_list list)
{
	const struct catalog *catalog = endpoint->catalog;

	for (const struct endpoint *e = catalog->endpoints; e; e = e->next)
		if (e->domain && (!endpoint->domain || streq(endpoint->domain, e->domain)) &&
			e->lists[list].changed_at == catalog->n_updates &&
			principal_allows_domain(viewer, e->domain))
			return true;
	return false;
}
