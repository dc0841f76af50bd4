/* See catalog.h. */
#include "supervisor/mcp/catalog.h"

#include <ctype.h>
#include <stdio.h>

#include "shared/alloc.h"
#include "shared/limits.h"
#include "shared/log.h"
#include "shared/strbuf.h"

enum { MAX_TIMEOUT_MS = 24 * 3600 * 1000, MAX_SUMMARY = 1000 };

struct tool {
	char *name;
	char *worker_name;
	char *text; /* JSON, as it is listed */
	bool may_rerun;
	int64_t timeout_ms;
};

/* A name under which a tool can be called. */
struct name {
	char *name;
	size_t tool;
	bool is_alias;
};

/* What one domain offers now. */
struct offer {
	char *domain;
	char *version;
	char *summary;
	char *prefix; /* first label that all its tools share, "git"; NULL: they share none */
	struct tool *tools;
	size_t n_tools;
	struct name *names; /* sorted */
	size_t n_names;
};

struct endpoint {
	struct endpoint *next;
	struct catalog *catalog;
	char *domain; /* NULL: the whole fleet */
	char **pages;
	size_t n_pages;
	size_t n_tools;
	uint64_t version;
};

struct catalog {
	struct endpoint *endpoints;
	struct offer **offers; /* sorted by domain */
	size_t n_offers;
	size_t page_size;
	char *federation_prefix;
};

/* --- one domain's offer ------------------------------------------------------------------------ */

static void offer_free(struct offer *offer)
{
	for (size_t i = 0; i < offer->n_tools; i++) {
		free(offer->tools[i].name);
		free(offer->tools[i].worker_name);
		free(offer->tools[i].text);
	}
	for (size_t i = 0; i < offer->n_names; i++)
		free(offer->names[i].name);
	free(offer->tools);
	free(offer->names);
	free(offer->domain);
	free(offer->version);
	free(offer->summary);
	free(offer->prefix);
	free(offer);
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(((const struct name *)a)->name, ((const struct name *)b)->name);
}

static const struct name *find_name(const struct offer *offer, const char *name)
{
	union {
		const char *in;
		char *out;
	} key_name = { name };
	const struct name key = { .name = key_name.out };

	return offer->n_names
		       ? bsearch(&key, offer->names, offer->n_names, sizeof(key), compare_names)
		       : NULL;
}

static void add_name(struct offer *offer, const char *name, size_t tool, bool is_alias)
{
	offer->names = alloc_resize(offer->names, offer->n_names + 1, sizeof(*offer->names));
	offer->names[offer->n_names++] =
		(struct name){ .name = alloc_str(name), .tool = tool, .is_alias = is_alias };
}

static json_t *fleet_extras(json_t *info)
{
	json_t *capabilities = json_object_get(info, "capabilities");

	return json_object_get(json_object_get(capabilities, "experimental"), "mcp-fleet");
}

static bool has_hint(json_t *tool, const char *hint)
{
	return json_is_true(json_object_get(json_object_get(tool, "annotations"), hint));
}

/* External tools get the domain's name in front, unless they have it already. */
static char *listed_name(const struct conf_domain *conf, const char *name)
{
	auto_free char *prefix = alloc_printf("%s_", conf->name);

	for (char *at = prefix; *at; at++)
		if (*at == '-')
			*at = '_';
	if (conf->native || strncmp(name, prefix, strlen(prefix)) == 0)
		return alloc_str(name);
	return alloc_printf("%s%s", prefix, name);
}

/* A worker may ask for another time; nonsense is not taken. */
static int64_t timeout_of(const struct conf_domain *conf, json_t *timeout)
{
	int64_t ms = json_integer_value(timeout);

	return ms > 0 && ms <= MAX_TIMEOUT_MS ? ms : conf->call_timeout_ms;
}

/* `seen`: the names that are offered already; clients know a tool by nothing else. */
static void add_tool(struct offer *offer, const struct conf_domain *conf, json_t *json,
	json_t *extras, json_t *seen)
{
	const char *worker_name = json_string_value(json_object_get(json, "name"));
	json_t *timeout = json_object_get(json_object_get(extras, "timeouts_ms"), worker_name);
	json_auto_t *listed = NULL;
	auto_free char *name = NULL;

	if (!worker_name || !json_is_object(json_object_get(json, "inputSchema"))) {
		log_warn("domain %s: a tool without name or inputSchema, ignoring it", conf->name);
		return;
	}
	name = listed_name(conf, worker_name);
	if (json_object_get(seen, name)) {
		log_warn("domain %s: a second tool with the name '%s', ignoring it", conf->name,
			name);
		return;
	}
	(void)json_object_set_new(seen, name, json_true());
	if (strlen(name) > LIMIT_TOOL_NAME)
		log_warn(
			"domain %s: the tool name '%s' is longer than %d characters: some clients refuse it",
			conf->name, name, LIMIT_TOOL_NAME);
	listed = json_copy(json);
	(void)json_object_set_new(listed, "name", json_string(name));
	offer->tools = alloc_resize(offer->tools, offer->n_tools + 1, sizeof(*offer->tools));
	offer->tools[offer->n_tools] = (struct tool){
		.worker_name = alloc_str(worker_name),
		.text = json_dumps(listed, JSON_COMPACT),
		.may_rerun = has_hint(json, "readOnlyHint") || has_hint(json, "idempotentHint"),
		.timeout_ms = timeout_of(conf, timeout),
	};
	offer->tools[offer->n_tools].name = TAKE(name);
	add_name(offer, offer->tools[offer->n_tools].name, offer->n_tools, false);
	offer->n_tools++;
}

/* `canonical` decides, also for a listed alias; else the name that clients see. */
static bool is_allowed(const struct conf_domain *conf, json_t *tool, json_t *aliases)
{
	const char *name = json_string_value(json_object_get(tool, "name"));
	const char *canonical = json_string_value(json_object_get(aliases, name ? name : ""));
	auto_free char *listed = name ? listed_name(conf, name) : NULL;

	if (conf->tools_read_only && !has_hint(tool, "readOnlyHint"))
		return false;
	return !name || conf_domain_allows(conf, canonical ? canonical : listed);
}

static void add_aliases(struct offer *offer, json_t *aliases)
{
	const char *alias;
	json_t *value;

	json_object_foreach(aliases, alias, value) {
		const char *canonical = json_string_value(value);

		for (size_t i = 0; canonical && i < offer->n_tools; i++)
			if (streq(offer->tools[i].worker_name, canonical))
				add_name(offer, alias, i, true);
	}
}

static void sort_names(struct offer *offer)
{
	size_t n = 0;

	if (offer->n_names == 0)
		return;
	qsort(offer->names, offer->n_names, sizeof(*offer->names), compare_names);
	for (size_t i = 0; i < offer->n_names; i++) {
		/* A listed alias is a tool and an alias: the tool stays. */
		if (n > 0 && streq(offer->names[n - 1].name, offer->names[i].name)) {
			if (!offer->names[i].is_alias)
				offer->names[n - 1].tool = offer->names[i].tool;
			offer->names[n - 1].is_alias &= offer->names[i].is_alias;
			free(offer->names[i].name);
			continue;
		}
		offer->names[n++] = offer->names[i];
	}
	offer->n_names = n;
}

static char *shared_prefix(const struct offer *offer)
{
	const char *first = offer->n_tools ? offer->tools[0].name : "";
	size_t len = strcspn(first, "_") + 1;

	if (first[len - 1] != '_')
		return NULL;
	for (size_t i = 1; i < offer->n_tools; i++)
		if (strncmp(offer->tools[i].name, first, len) != 0)
			return NULL;
	return alloc_mem(first, len - 1);
}

/* What the worker says it is for; one that writes a book there has said nothing. */
static char *told_summary(json_t *extras)
{
	json_t *summary = json_object_get(extras, "summary");

	return alloc_str(json_is_string(summary) && json_string_length(summary) <= MAX_SUMMARY
				 ? json_string_value(summary)
				 : "");
}

static struct offer *offer_new(const struct conf_domain *conf, const struct offering *offering)
{
	struct offer *offer = alloc_zero(sizeof(*offer));
	json_t *info = offering ? offering->info : NULL;
	json_t *tools = offering ? offering->tools : NULL;
	json_t *extras = fleet_extras(info);
	json_t *aliases = json_object_get(extras, "aliases");
	json_t *server = json_object_get(info, "serverInfo");
	const char *version = json_string_value(json_object_get(server, "version"));
	json_auto_t *seen = json_object();
	json_t *tool;
	size_t i;

	offer->domain = alloc_str(conf->name);
	offer->version = alloc_str(version ? version : "");
	offer->summary = told_summary(extras);
	json_array_foreach(tools, i, tool)
		if (is_allowed(conf, tool, aliases))
			add_tool(offer, conf, tool, extras, seen);
	add_aliases(offer, aliases);
	sort_names(offer);
	offer->prefix = shared_prefix(offer);
	return offer;
}

/* --- endpoints --------------------------------------------------------------------------------- */

static bool serves(const struct endpoint *endpoint, const struct offer *offer)
{
	return !endpoint->domain || streq(endpoint->domain, offer->domain);
}

static void free_pages(struct endpoint *endpoint)
{
	for (size_t i = 0; i < endpoint->n_pages; i++)
		free(endpoint->pages[i]);
	free(endpoint->pages);
	endpoint->pages = NULL;
	endpoint->n_pages = 0;
	endpoint->n_tools = 0;
}

static void end_page(struct endpoint *endpoint, struct strbuf *page, bool more)
{
	strbuf_addc(page, ']');
	if (more)
		strbuf_addf(page, ",\"nextCursor\":\"t%zu\"", endpoint->n_tools);
	strbuf_addc(page, '}');
	endpoint->pages = alloc_resize(endpoint->pages, endpoint->n_pages + 1, sizeof(char *));
	endpoint->pages[endpoint->n_pages++] = strbuf_take(page);
}

static void add_to_page(struct endpoint *endpoint, struct strbuf *page, const char *tool)
{
	size_t page_size = endpoint->catalog->page_size;

	if (page_size && endpoint->n_tools > 0 && endpoint->n_tools % page_size == 0)
		end_page(endpoint, page, true);
	strbuf_adds(page, page->len ? "," : "{\"tools\":[");
	strbuf_adds(page, tool);
	endpoint->n_tools++;
}

static void build(struct endpoint *endpoint)
{
	struct catalog *catalog = endpoint->catalog;
	auto_strbuf page = { 0 };

	free_pages(endpoint);
	for (size_t i = 0; i < catalog->n_offers; i++)
		for (size_t k = 0; k < catalog->offers[i]->n_tools; k++)
			if (serves(endpoint, catalog->offers[i]))
				add_to_page(endpoint, &page, catalog->offers[i]->tools[k].text);
	if (page.len == 0)
		strbuf_adds(&page, "{\"tools\":[");
	end_page(endpoint, &page, false);
}

/* Builds the lists anew; those that differ get a new version. */
static void rebuild(struct catalog *catalog)
{
	for (struct endpoint *e = catalog->endpoints; e; e = e->next) {
		char **old = e->pages;
		size_t n_old = e->n_pages;
		bool same;

		e->pages = NULL;
		e->n_pages = 0;
		build(e);
		same = n_old == e->n_pages;
		for (size_t i = 0; i < n_old; i++) {
			same = same && streq(old[i], e->pages[i]);
			free(old[i]);
		}
		free(old);
		e->version += !same;
	}
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

static void fill(const struct offer *offer, const struct name *name, struct catalog_tool *ret)
{
	const struct tool *tool = &offer->tools[name->tool];

	*ret = (struct catalog_tool){
		.domain = offer->domain,
		.name = tool->name,
		.worker_name = name->is_alias ? name->name : tool->worker_name,
		.may_rerun = tool->may_rerun,
		.timeout_ms = tool->timeout_ms,
	};
}

static bool find_exact(const struct endpoint *endpoint, const char *name, struct catalog_tool *ret)
{
	const struct catalog *catalog = endpoint->catalog;

	for (size_t i = 0; i < catalog->n_offers; i++) {
		const struct name *found;

		if (!serves(endpoint, catalog->offers[i]))
			continue;
		found = find_name(catalog->offers[i], name);
		if (found) {
			fill(catalog->offers[i], found, ret);
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

/* "sanctuary.git.get_status": the part behind "sanctuary.git.", with or without the tools' prefix. */
static bool find_in_offer(const struct offer *offer, const char *rest, struct catalog_tool *ret)
{
	auto_free char *plain = with_underscores(rest);
	auto_free char *full = alloc_printf("%s_%s", offer->prefix ? offer->prefix : "", plain);
	const struct name *found = find_name(offer, plain);

	if (!found && offer->prefix)
		found = find_name(offer, full);
	if (found)
		fill(offer, found, ret);
	return found != NULL;
}

static bool find_federated(
	const struct endpoint *endpoint, const char *name, struct catalog_tool *ret)
{
	const struct catalog *catalog = endpoint->catalog;
	size_t len = strlen(catalog->federation_prefix);

	if (len == 0 || strncmp(name, catalog->federation_prefix, len) != 0 || name[len] != '.')
		return false;
	name += len + 1;
	for (size_t i = 0; i < catalog->n_offers; i++) {
		const struct offer *offer = catalog->offers[i];
		size_t domain_len = strlen(offer->domain);

		if (serves(endpoint, offer) && strncmp(name, offer->domain, domain_len) == 0 &&
			name[domain_len] == '.')
			return find_in_offer(offer, name + domain_len + 1, ret);
	}
	return false;
}

bool endpoint_find_tool(const struct endpoint *endpoint, const char *name, struct catalog_tool *ret)
{
	auto_free char *plain = NULL;

	if (find_exact(endpoint, name, ret))
		return true;
	plain = with_underscores(name);
	return find_exact(endpoint, plain, ret) || find_federated(endpoint, name, ret);
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
		free_pages(endpoint);
		free(endpoint->domain);
		free(endpoint);
	}
	for (size_t i = 0; i < catalog->n_offers; i++)
		offer_free(catalog->offers[i]);
	free(catalog->offers);
	free(catalog->federation_prefix);
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

	while (i < catalog->n_offers && strcmp(catalog->offers[i]->domain, domain) < 0)
		i++;
	*ret_found = i < catalog->n_offers && streq(catalog->offers[i]->domain, domain);
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

uint64_t endpoint_get_version(const struct endpoint *endpoint)
{
	return endpoint->version;
}

size_t endpoint_count_tools(const struct endpoint *endpoint)
{
	return endpoint->n_tools;
}

const char *endpoint_get_page(const struct endpoint *endpoint, const char *cursor, size_t *ret_len)
{
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
	if (page >= endpoint->n_pages)
		return NULL;
	*ret_len = strlen(endpoint->pages[page]);
	return endpoint->pages[page];
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
