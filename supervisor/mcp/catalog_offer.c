/* See catalog_offer.h. */
#include "supervisor/mcp/catalog_offer.h"

#include <stdarg.h>
#include <stdio.h>

#include "shared/alloc.h"
#include "shared/limits.h"
#include "shared/log.h"
#include "shared/quote.h"
#include "supervisor/conf_type.h"
#include "supervisor/mcp/catalog_item.h"
#include "supervisor/mcp/catalog_template.h"
#include "supervisor/mcp/envelope.h"

enum {
	MAX_TIMEOUT_MS = 24 * 3600 * 1000,
	MAX_SUMMARY = 1000,
	MAX_INSTRUCTIONS = 16 * KIB,
	MAX_FAULTS = 32, /* that are kept in words */
};

/* How the four lists differ. */
static const struct {
	const char *key;   /* of an item's name */
	const char *words; /* for the log */
	bool is_uri;
	size_t max; /* bytes of a name; more is no name but an attack */
} kinds[CATALOG_LISTS] = {
	[CATALOG_TOOLS] = { "name", "tool", false, CATALOG_MAX_NAME },
	[CATALOG_RESOURCES] = { "uri", "resource", true, CATALOG_MAX_URI },
	[CATALOG_TEMPLATES] = { "uriTemplate", "resource template", true, CATALOG_MAX_URI },
	[CATALOG_PROMPTS] = { "name", "prompt", false, CATALOG_MAX_NAME },
};

/* What is needed while the lists are read, and not afterwards. */
struct reading {
	struct offer *offer;
	const struct conf_domain *conf;
	json_t *aliases; /* canonical names by alias, as the worker calls them; NULL: none */
	json_t *timeouts;
	json_t *seen;      /* the listed names: a set */
	json_t *by_worker; /* indexes of items by the worker's name */
	bool *used;        /* which overrides found their tool */
};

void offer_free(struct offer *offer)
{
	if (!offer)
		return;
	for (int l = 0; l < CATALOG_LISTS; l++) {
		struct offer_list *list = &offer->lists[l];

		for (size_t i = 0; i < list->n; i++) {
			free(list->items[i].name);
			free(list->items[i].worker_name);
			free(list->items[i].text);
		}
		for (size_t i = 0; i < list->n_names; i++)
			free(list->names[i].name);
		free(list->items);
		free(list->names);
	}
	conf_clear_strs(&offer->faults);
	free(offer->naming.domain);
	free(offer->version);
	free(offer->summary);
	free(offer->instructions);
	free(offer->prefix);
	free(offer);
}

/* --- faults -------------------------------------------------------------------------------------- */

static void add_fault(struct offer *offer, const char *fmt, ...) printf_like(2, 3);

static void add_fault(struct offer *offer, const char *fmt, ...)
{
	struct conf_strs *faults = &offer->faults;
	auto_strbuf words = { 0 };
	va_list args;

	if (offer->n_faults++ >= MAX_FAULTS)
		return;
	va_start(args, fmt);
	strbuf_addv(&words, fmt, args);
	va_end(args);
	faults->items = alloc_resize(faults->items, faults->n + 1, sizeof(char *));
	faults->items[faults->n++] = strbuf_take(&words);
}

static bool has_fault(const struct offer *offer, const char *fault)
{
	for (size_t i = 0; i < offer->faults.n; i++)
		if (streq(offer->faults.items[i], fault))
			return true;
	return false;
}

void offer_log_faults(const struct offer *offer, const struct offer *before)
{
	const struct log_about about = { .domain = offer->naming.domain };
	size_t more = offer->n_faults - offer->faults.n;

	for (size_t i = 0; i < offer->faults.n; i++)
		if (!before || !has_fault(before, offer->faults.items[i]))
			log_warn_about(&about, "domain %s: %s", offer->naming.domain,
				offer->faults.items[i]);
	if (more > 0 && (!before || before->n_faults != offer->n_faults))
		log_warn_about(&about, "domain %s: its lists have %zu more faults like these",
			offer->naming.domain, more);
}

/* --- names --------------------------------------------------------------------------------------- */

static void add_name(struct offer_list *list, const char *name, size_t item, bool is_alias)
{
	list->names = alloc_resize(list->names, list->n_names + 1, sizeof(*list->names));
	list->names[list->n_names++] =
		(struct offer_name){ .name = alloc_str(name), .item = item, .is_alias = is_alias };
}

static char *make_client_name(
	const struct offer *offer, enum catalog_list list, const char *worker_name)
{
	auto_strbuf uri = { 0 };

	if (!kinds[list].is_uri)
		return catalog_make_name(&offer->naming, worker_name);
	catalog_add_client_uri(&offer->naming, worker_name, &uri);
	return strbuf_take(&uri);
}

/* The worker's name of an item; NULL: it has none that can be used, which is a fault. */
static char *read_worker_name(struct offer *offer, enum catalog_list list, struct jspan item)
{
	auto_strbuf name = { 0 };
	char quoted[QUOTE_SIZE];
	bool is_text = jspan_get_str(jspan_member(item, kinds[list].key, NULL), &name);

	if (!is_text || name.len == 0 || memchr(name.data, '\0', name.len)) {
		add_fault(
			offer, "a %s without %s, ignoring it", kinds[list].words, kinds[list].key);
		return NULL;
	}
	if (name.len > kinds[list].max) {
		add_fault(offer, "a %s whose %s is longer than %zu bytes, ignoring it: %s",
			kinds[list].words, kinds[list].key, kinds[list].max,
			quote(quoted, name.data));
		return NULL;
	}
	return strbuf_take(&name);
}

/* False: it is not offered: clients know an item by nothing else than its name. */
static bool check_name(struct reading *reading, enum catalog_list list, const char *name)
{
	char quoted[QUOTE_SIZE];

	if (json_object_get(reading->seen, name)) {
		add_fault(reading->offer, "a second %s with the name %s, ignoring it",
			kinds[list].words, quote(quoted, name));
		return false;
	}
	(void)json_object_set_new(reading->seen, name, json_true());
	if (!kinds[list].is_uri && strlen(name) > LIMIT_TOOL_NAME)
		add_fault(reading->offer,
			"the %s name %s is longer than %d characters: some clients refuse it",
			kinds[list].words, quote(quoted, name), LIMIT_TOOL_NAME);
	if (list == CATALOG_TEMPLATES && !template_is_valid(name))
		add_fault(reading->offer,
			"the resource template %s is malformed or too large: no URI fits it",
			quote(quoted, name));
	return true;
}

/* --- items --------------------------------------------------------------------------------------- */

static json_t *fleet_extras(json_t *info)
{
	json_t *capabilities = json_object_get(info, "capabilities");

	return json_object_get(json_object_get(capabilities, "experimental"), "mcp-fleet");
}

/* A worker may ask for another time; nonsense is not taken. */
static int64_t timeout_of(const struct reading *reading, const char *worker_name)
{
	int64_t ms = json_integer_value(json_object_get(reading->timeouts, worker_name));

	return ms > 0 && ms <= MAX_TIMEOUT_MS ? ms : reading->offer->timeout_ms;
}

/* What the settings say of the tool; NULL: nothing. The name that clients see goes first. */
static const struct conf_override *find_override(
	struct reading *reading, const char *name, const char *worker_name)
{
	const struct conf_overrides *overrides = &reading->conf->tools_override;
	const struct conf_override *found = NULL;

	for (size_t i = 0; i < overrides->n; i++) {
		const struct conf_override *override = &overrides->items[i];
		bool is_listed = streq(override->tool, name);

		if (!is_listed && !streq(override->tool, worker_name))
			continue;
		reading->used[i] = true;
		if (!found || is_listed)
			found = override;
	}
	return found;
}

static struct jspan text_of(const struct offer_item *item)
{
	return (struct jspan){ item->text, strlen(item->text) };
}

/* Whether calls of the tool repeat arguments in headers. An annotation that is no good costs the tool
 * its clients, and only we can say why. */
static bool judge_headers(struct offer *offer, const struct offer_item *item)
{
	const struct jspan schema = jspan_member(text_of(item), "inputSchema", NULL);
	auto_strbuf faults = { 0 };

	if (schema_header_faults(schema, &faults) == 0)
		return schema_has_headers(schema);
	add_fault(offer, "tool %s: %s; clients of protocol revision 2026-07-28 will leave it out",
		item->name, strbuf_get(&faults));
	return false;
}

/* The canonical name decides, also for a listed alias; else the name that clients see. */
static bool is_allowed(const struct reading *reading, const struct offer_item *item)
{
	const char *canonical =
		json_string_value(json_object_get(reading->aliases, item->worker_name));

	if (reading->conf->tools_read_only && !catalog_has_hint(text_of(item), "readOnlyHint"))
		return false;
	return conf_domain_allows(reading->conf, canonical ? canonical : item->name);
}

static bool judge_tool(struct reading *reading, struct offer_item *item)
{
	const struct jspan text = text_of(item);
	char quoted[QUOTE_SIZE];

	if (!is_allowed(reading, item))
		return false;
	if (jspan_type(jspan_member(text, "inputSchema", NULL)) != JSPAN_OBJECT) {
		add_fault(reading->offer, "the tool %s has no inputSchema, ignoring it",
			quote(quoted, item->name));
		return false;
	}
	item->may_rerun =
		catalog_has_hint(text, "readOnlyHint") || catalog_has_hint(text, "idempotentHint");
	item->timeout_ms = timeout_of(reading, item->worker_name);
	return true;
}

static void free_item(struct offer_item *item)
{
	free(item->name);
	free(item->worker_name);
	free(item->text);
}

static void keep_item(struct reading *reading, enum catalog_list list, struct offer_item *item)
{
	struct offer_list *into = &reading->offer->lists[list];

	(void)json_object_set_new(
		reading->by_worker, item->worker_name, json_integer((json_int_t)into->n));
	if (list == CATALOG_TOOLS)
		item->has_headers = judge_headers(reading->offer, item);
	into->items = alloc_resize(into->items, into->n + 1, sizeof(*into->items));
	into->items[into->n] = *item;
	add_name(into, item->name, into->n++, false);
	*item = (struct offer_item){ 0 };
}

static void read_item(struct reading *reading, enum catalog_list list, struct jspan json)
{
	struct offer *offer = reading->offer;
	const struct conf_override *override = NULL;
	auto_(free_item) struct offer_item item = { .worker_name =
							    read_worker_name(offer, list, json) };
	auto_strbuf text = { 0 };

	if (!item.worker_name)
		return;
	item.name = make_client_name(offer, list, item.worker_name);
	item.may_rerun = list != CATALOG_TOOLS;
	item.timeout_ms = offer->timeout_ms;
	if (list == CATALOG_TOOLS)
		override = find_override(reading, item.name, item.worker_name);
	catalog_write_item(json, kinds[list].key, item.name, override, &text);
	item.text = strbuf_take(&text);
	if ((list != CATALOG_TOOLS || judge_tool(reading, &item)) &&
		check_name(reading, list, item.name))
		keep_item(reading, list, &item);
}

static void read_items(struct reading *reading, enum catalog_list list, const char *text)
{
	const struct jspan array = { text, text ? strlen(text) : 0 };
	struct jspan item;
	size_t cursor = 0;

	(void)json_object_clear(reading->seen);
	(void)json_object_clear(reading->by_worker);
	while (text && jspan_next(array, &cursor, NULL, &item))
		read_item(reading, list, item);
}

/* --- tools --------------------------------------------------------------------------------------- */

/* An alias that is listed is a tool, and a name of that tool only. */
static void add_aliases(struct reading *reading)
{
	struct offer_list *tools = &reading->offer->lists[CATALOG_TOOLS];
	const char *alias;
	json_t *canonical;

	json_object_foreach(reading->aliases, alias, canonical) {
		const char *name = json_string_value(canonical);
		json_t *item = json_object_get(reading->by_worker, name ? name : "");

		if (item && strlen(alias) <= CATALOG_MAX_NAME &&
			!json_object_get(reading->seen, alias))
			add_name(tools, alias, (size_t)json_integer_value(item), true);
	}
}

static char *shared_prefix(const struct offer_list *tools)
{
	const char *first = tools->n ? tools->items[0].name : "";
	size_t len = strcspn(first, "_") + 1;

	if (first[len - 1] != '_')
		return NULL;
	for (size_t i = 1; i < tools->n; i++)
		if (strncmp(tools->items[i].name, first, len) != 0)
			return NULL;
	return alloc_mem(first, len - 1);
}

static void note_unused(const struct reading *reading)
{
	const struct conf_overrides *overrides = &reading->conf->tools_override;

	for (size_t i = 0; i < overrides->n; i++)
		if (!reading->used[i])
			add_fault(reading->offer,
				"tools.override names '%s', a tool that it does not have",
				overrides->items[i].tool);
}

static void read_tools(struct reading *reading, const char *text)
{
	size_t n_overrides = reading->conf->tools_override.n;
	auto_free bool *used = alloc_zero(n_overrides * sizeof(bool) + 1);

	reading->used = used;
	read_items(reading, CATALOG_TOOLS, text);
	add_aliases(reading);
	reading->offer->prefix = shared_prefix(&reading->offer->lists[CATALOG_TOOLS]);
	if (text)
		note_unused(reading);
	reading->used = NULL;
}

/* --- the whole ----------------------------------------------------------------------------------- */

/* What the worker says of itself; one that writes a book there has said nothing. */
static char *told(json_t *text, size_t max)
{
	return json_is_string(text) && json_string_length(text) <= max
		       ? alloc_str(json_string_value(text))
		       : NULL;
}

static bool declares(const struct offering *offering, const char *capability)
{
	return json_is_object(offering_get_capability(offering, capability));
}

/* Of the experimental tasks, which workers of the stateless revision have in another form. */
static unsigned read_tasks(const struct offering *offering)
{
	json_t *tasks = offering_get_capability(offering, "tasks");
	json_t *tools = json_object_get(json_object_get(tasks, "requests"), "tools");
	unsigned bits = 0;

	if (!offering->takes_legacy || !json_object_get(tools, "call"))
		return 0;
	if (json_object_get(tasks, "cancel"))
		bits |= CATALOG_HAS_TASK_CANCEL;
	return bits | CATALOG_HAS_TASKS;
}

/* The workers that are built in have tools only. */
static unsigned read_capabilities(const struct conf_domain *conf, const struct offering *offering)
{
	json_t *resources = offering_get_capability(offering, "resources");
	bool has_resources = offering->resources || offering->templates;
	unsigned bits = 0;

	if (conf->native)
		return 0;
	if (has_resources)
		bits |= CATALOG_HAS_RESOURCES;
	if (has_resources && json_is_true(json_object_get(resources, "subscribe")))
		bits |= CATALOG_HAS_SUBSCRIBE;
	if (offering->prompts)
		bits |= CATALOG_HAS_PROMPTS;
	if (declares(offering, "completions"))
		bits |= CATALOG_HAS_COMPLETIONS;
	if (declares(offering, "logging"))
		bits |= CATALOG_HAS_LOGGING;
	return bits | read_tasks(offering);
}

static void read_lists(
	struct offer *offer, const struct conf_domain *conf, const struct offering *offering)
{
	json_t *extras = fleet_extras(offering->info);
	json_auto_t *seen = json_object();
	json_auto_t *by_worker = json_object();
	struct reading reading = { .offer = offer,
		.conf = conf,
		.aliases = json_object_get(extras, "aliases"),
		.timeouts = json_object_get(extras, "timeouts_ms"),
		.seen = seen,
		.by_worker = by_worker };

	read_tools(&reading, offering->tools);
	read_items(&reading, CATALOG_RESOURCES, offering->resources);
	read_items(&reading, CATALOG_TEMPLATES, offering->templates);
	read_items(&reading, CATALOG_PROMPTS, offering->prompts);
}

static void take_offering(
	struct offer *offer, const struct conf_domain *conf, const struct offering *offering)
{
	json_t *server = json_object_get(offering->info, "serverInfo");

	offer->version = told(json_object_get(server, "version"), MAX_SUMMARY);
	offer->summary =
		told(json_object_get(fleet_extras(offering->info), "summary"), MAX_SUMMARY);
	offer->instructions =
		told(json_object_get(offering->info, "instructions"), MAX_INSTRUCTIONS);
	offer->capabilities = read_capabilities(conf, offering);
	offer->takes_legacy = offering->takes_legacy;
	offer->takes_modern = offering->takes_modern;
	read_lists(offer, conf, offering);
}

struct offer *offer_new(const struct conf_domain *conf, const struct offering *offering)
{
	struct offer *offer = alloc_zero(sizeof(*offer));

	offer->naming = (struct catalog_naming){ .names = conf->names,
		.is_native = conf->native != NULL,
		.domain = alloc_str(conf->name) };
	offer->timeout_ms = conf->call_timeout_ms;
	if (offering)
		take_offering(offer, conf, offering);
	if (!offer->version)
		offer->version = alloc_str("");
	if (!offer->summary)
		offer->summary = alloc_str("");
	return offer;
}

/* The next item from *i on that clients see; NULL: there is none. */
static const struct offer_item *next_seen(const struct offer_list *list, size_t *i)
{
	while (*i < list->n && list->items[*i].is_out)
		++*i;
	return *i < list->n ? &list->items[(*i)++] : NULL;
}

bool offer_lists_same(const struct offer *a, const struct offer *b, enum catalog_list list)
{
	size_t i = 0;
	size_t k = 0;
	const struct offer_item *x;
	const struct offer_item *y;

	do {
		x = next_seen(&a->lists[list], &i);
		y = next_seen(&b->lists[list], &k);
	} while (x && y && streq(x->text, y->text));
	return !x && !y;
}

const struct offer_item *offer_match_template(
	const struct offer *offer, const char *worker_uri, size_t *steps)
{
	const struct offer_list *list = &offer->lists[CATALOG_TEMPLATES];

	for (size_t i = 0; i < list->n; i++)
		if (!list->items[i].is_out &&
			template_matches(list->items[i].worker_name, worker_uri, steps))
			return &list->items[i];
	return NULL;
}
