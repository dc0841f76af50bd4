/* See catalog.h. */
#include "supervisor/mcp/catalog.h"

#include "shared/alloc.h"
#include "shared/ascii.h"
#include "shared/log.h"
#include "shared/strbuf.h"
#include "supervisor/mcp/catalog_private.h"

/* Items before a page; far beyond any list, far below an overflow. */
enum { MAX_CURSOR = 100000000 };

const struct catalog_kind catalog_kinds[CATALOG_LISTS] = {
	[CATALOG_TOOLS] = { "tools", 't' },
	[CATALOG_RESOURCES] = { "resources", 'r' },
	[CATALOG_TEMPLATES] = { "resourceTemplates", 'm' },
	[CATALOG_PROMPTS] = { "prompts", 'p' },
};

/* --- endpoints --------------------------------------------------------------------------------- */

static void free_pages(struct pages *pages)
{
	for (size_t i = 0; i < pages->n; i++)
		free(pages->items[i]);
	free(pages->items);
	pages->items = NULL;
	pages->n = 0;
	pages->n_listed = 0;
}

static void end_page(enum catalog_list list, struct pages *pages, struct strbuf *page, bool more)
{
	strbuf_addc(page, ']');
	if (more)
		strbuf_addf(page, ",\"nextCursor\":\"%c%zu\"", catalog_kinds[list].mark,
			pages->n_listed);
	strbuf_addc(page, '}');
	pages->items = alloc_resize(pages->items, pages->n + 1, sizeof(char *));
	pages->items[pages->n++] = strbuf_take(page);
}

static void add_to_page(const struct catalog *catalog, enum catalog_list list, struct pages *pages,
	struct strbuf *page, const char *text)
{
	size_t page_size = catalog->page_size;

	if (page_size && pages->n_listed > 0 && pages->n_listed % page_size == 0)
		end_page(list, pages, page, true);
	if (page->len)
		strbuf_addc(page, ',');
	else
		strbuf_addf(page, "{\"%s\":[", catalog_kinds[list].name);
	strbuf_adds(page, text);
	pages->n_listed++;
}

static void build_list(const struct endpoint *endpoint, enum catalog_list list, struct pages *pages)
{
	const struct catalog *catalog = endpoint->catalog;
	auto_strbuf page = { 0 };

	for (size_t i = 0; i < catalog->n_offers; i++) {
		const struct offer *offer = catalog->offers[i];
		const struct offer_list *from = &offer->lists[list];

		for (size_t k = 0; endpoint_serves(endpoint, offer) && k < from->n; k++)
			if (!from->items[k].is_out)
				add_to_page(catalog, list, pages, &page, from->items[k].text);
	}
	if (page.len == 0)
		strbuf_addf(&page, "{\"%s\":[", catalog_kinds[list].name);
	end_page(list, pages, &page, false);
}

static void build_instructions(struct endpoint *endpoint)
{
	auto_strbuf text = { 0 };

	endpoint_add_instructions(endpoint, NULL, &text);
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

/* Builds what is stale anew; what differs gets a new version. */
static void build(struct endpoint *endpoint)
{
	for (int l = 0; l < CATALOG_LISTS; l++) {
		struct pages *old = &endpoint->lists[l];
		struct pages fresh = { .version = old->version };

		if (!old->is_stale)
			continue;
		build_list(endpoint, (enum catalog_list)l, &fresh);
		fresh.changed_at = old->changed_at;
		if (!same_pages(old, &fresh)) {
			fresh.version++;
			fresh.changed_at = endpoint->catalog->n_updates;
		}
		free_pages(old);
		*old = fresh;
	}
}

static void build_all(struct catalog *catalog)
{
	for (struct endpoint *e = catalog->endpoints; e; e = e->next)
		build(e);
}

/* The endpoints of `domain` and of the whole fleet list something else now; NULL: all of them do. */
static void mark_stale(struct catalog *catalog, const char *domain, enum catalog_list list)
{
	for (struct endpoint *e = catalog->endpoints; e; e = e->next)
		if (!domain || !e->domain || streq(e->domain, domain))
			e->lists[list].is_stale = true;
}

static struct endpoint *add_endpoint(struct catalog *catalog, const char *domain)
{
	struct endpoint *endpoint = alloc_zero(sizeof(*endpoint));

	endpoint->catalog = catalog;
	endpoint->domain = alloc_str(domain);
	endpoint->next = catalog->endpoints;
	catalog->endpoints = endpoint;
	for (int l = 0; l < CATALOG_LISTS; l++)
		endpoint->lists[l].is_stale = true;
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

/* --- clashes ------------------------------------------------------------------------------------ */

static void free_told(struct told_clash *told, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		free(told[i].domain);
		free(told[i].text);
	}
	free(told);
}

static bool was_told(const struct catalog *catalog, const struct told_clash *clash)
{
	for (size_t i = 0; i < catalog->n_clashes; i++)
		if (streq(catalog->clashes[i].domain, clash->domain) &&
			streq(catalog->clashes[i].text, clash->text))
			return true;
	return false;
}

/* What is new among the clashes goes to the log; all of them are kept for who asks. */
static void tell_clashes(struct catalog *catalog, const struct clashes *clashes)
{
	struct told_clash *told = alloc_zero((clashes->n + 1) * sizeof(*told));

	for (size_t i = 0; i < clashes->n; i++) {
		const struct clash *clash = &clashes->items[i];
		const struct log_about about = { .domain = clash->loser->naming.domain };

		told[i].domain = alloc_str(clash->loser->naming.domain);
		told[i].text = clash_describe(clash);
		if (!was_told(catalog, &told[i]))
			(void)log_err_about(
				&about, 0, "domain %s: %s", told[i].domain, told[i].text);
	}
	free_told(catalog->clashes, catalog->n_clashes);
	catalog->clashes = told;
	catalog->n_clashes = clashes->n;
}

void catalog_each_clash(const struct catalog *catalog, catalog_clash_fn *each, void *arg)
{
	for (size_t i = 0; i < catalog->n_clashes; i++)
		each(arg, catalog->clashes[i].domain, catalog->clashes[i].text);
}

/* --- changes ------------------------------------------------------------------------------------- */

static size_t place_of(const struct catalog *catalog, const char *domain, bool *ret_found)
{
	size_t i = 0;

	while (i < catalog->n_offers && strcmp(catalog->offers[i]->naming.domain, domain) < 0)
		i++;
	*ret_found = i < catalog->n_offers && streq(catalog->offers[i]->naming.domain, domain);
	return i;
}

/* Which items are left out, as bits in the order of the domains and their lists. */
static bool *note_out(const struct catalog *catalog, enum catalog_list list)
{
	size_t n = 0;
	bool *out;

	for (size_t i = 0; i < catalog->n_offers; i++)
		n += catalog->offers[i]->lists[list].n;
	out = alloc_zero((n + 1) * sizeof(*out));
	n = 0;
	for (size_t i = 0; i < catalog->n_offers; i++)
		for (size_t k = 0; k < catalog->offers[i]->lists[list].n; k++)
			out[n++] = catalog->offers[i]->lists[list].items[k].is_out;
	return out;
}

/* Shares the names out anew: who loses one, or gets one back, lists something else. */
static void index_names(struct catalog *catalog, enum catalog_list list, struct clashes *clashes)
{
	auto_free bool *was_out = note_out(catalog, list);
	size_t n = 0;

	index_build(&catalog->names[list], list, catalog->offers, catalog->n_offers, clashes);
	for (size_t i = 0; i < catalog->n_offers; i++) {
		const struct offer_list *in = &catalog->offers[i]->lists[list];
		bool is_same = true;

		for (size_t k = 0; k < in->n; k++)
			is_same &= in->items[k].is_out == was_out[n++];
		if (!is_same)
			mark_stale(catalog, catalog->offers[i]->naming.domain, list);
	}
}

/* What a domain offers was `before` and is `now`; one of them may be NULL. Takes `before`. */
static void update(struct catalog *catalog, struct offer *before, const struct offer *now)
{
	static const struct offer nothing = { 0 };
	auto_(clashes_done) struct clashes clashes = { 0 };
	const char *domain = now ? now->naming.domain : before->naming.domain;

	catalog->n_updates++;
	for (int l = 0; l < CATALOG_LISTS; l++) {
		enum catalog_list list = (enum catalog_list)l;

		index_names(catalog, list, &clashes);
		if (!offer_lists_same(before ? before : &nothing, now ? now : &nothing, list))
			mark_stale(catalog, domain, list);
	}
	tell_clashes(catalog, &clashes);
	build_all(catalog);
	for (struct endpoint *e = catalog->endpoints; e; e = e->next)
		if (!e->domain || streq(e->domain, domain))
			build_instructions(e);
	offer_free(before);
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
	for (int l = 0; l < CATALOG_LISTS; l++)
		index_done(&catalog->names[l]);
	free_told(catalog->clashes, catalog->n_clashes);
	free(catalog->offers);
	free(catalog->federation_prefix);
	strbuf_done(&catalog->worker_uri);
	free(catalog);
}

void catalog_set_conf(struct catalog *catalog, const struct conf_tools *conf)
{
	free(catalog->federation_prefix);
	catalog->federation_prefix = alloc_str(conf->federation_prefix);
	if (catalog->page_size == conf->page_size)
		return;
	catalog->page_size = conf->page_size;
	catalog->n_updates++;
	for (int l = 0; l < CATALOG_LISTS; l++)
		mark_stale(catalog, NULL, (enum catalog_list)l);
	build_all(catalog);
}

void catalog_set_domain(
	struct catalog *catalog, const struct conf_domain *conf, const struct offering *offering)
{
	struct offer *offer = offer_new(conf, offering);
	struct offer *before = NULL;
	bool found;
	size_t i = place_of(catalog, conf->name, &found);

	if (found) {
		before = catalog->offers[i];
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
	offer_log_faults(offer, before);
	update(catalog, before, offer);
}

void catalog_remove_domain(struct catalog *catalog, const char *name)
{
	bool found;
	size_t i = place_of(catalog, name, &found);
	struct offer *before = found ? catalog->offers[i] : NULL;

	if (!found)
		return;
	memmove(catalog->offers + i, catalog->offers + i + 1,
		(--catalog->n_offers - i) * sizeof(*catalog->offers));
	update(catalog, before, NULL);
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

bool catalog_read_cursor(const struct catalog *catalog, enum catalog_list list, const char *cursor,
	size_t *ret_n_before)
{
	size_t n_before = 0;

	if (cursor[0] != catalog_kinds[list].mark || cursor[1] == '0' || catalog->page_size == 0)
		return false;
	for (const char *at = cursor + 1; *at; at++) {
		if (!ascii_is_digit(*at) || n_before > MAX_CURSOR)
			return false;
		n_before = n_before * 10 + (size_t)(*at - '0');
	}
	*ret_n_before = n_before;
	return n_before > 0 && n_before % catalog->page_size == 0;
}

const char *endpoint_get_page(const struct endpoint *endpoint, enum catalog_list list,
	const char *cursor, size_t *ret_len)
{
	const struct pages *pages = &endpoint->lists[list];
	size_t n_before = 0;
	size_t page;

	if (cursor && !catalog_read_cursor(endpoint->catalog, list, cursor, &n_before))
		return NULL;
	page = n_before ? n_before / endpoint->catalog->page_size : 0;
	if (page >= pages->n)
		return NULL;
	*ret_len = strlen(pages->items[page]);
	return pages->items[page];
}

void endpoint_each_page(const struct endpoint *endpoint, enum catalog_list list,
	void (*each)(void *arg, const char *page), void *arg)
{
	const struct pages *pages = &endpoint->lists[list];

	for (size_t i = 0; i < pages->n; i++)
		each(arg, pages->items[i]);
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
