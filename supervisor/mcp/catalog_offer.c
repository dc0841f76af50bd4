/* See catalog_offer.h. */
#include "supervisor/mcp/catalog_offer.h"

#include "shared/alloc.h"
#include "shared/limits.h"
#include "shared/log.h"
#include "supervisor/mcp/envelope.h"

enum { MAX_TIMEOUT_MS = 24 * 3600 * 1000, MAX_SUMMARY = 1000, MAX_INSTRUCTIONS = 16 * KIB };

/* How the four lists differ. */
static const struct {
	const char *key;   /* of an item's name */
	const char *words; /* for the log */
	bool is_uri;
} kinds[CATALOG_LISTS] = {
	[CATALOG_TOOLS] = { "name", "tool", false },
	[CATALOG_RESOURCES] = { "uri", "resource", true },
	[CATALOG_TEMPLATES] = { "uriTemplate", "resource template", true },
	[CATALOG_PROMPTS] = { "name", "prompt", false },
};

void offer_free(struct offer *offer)
{
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
	free(offer->naming.domain);
	free(offer->version);
	free(offer->summary);
	free(offer->instructions);
	free(offer->prefix);
	free(offer);
}

/* --- names -------------------------------------------------------------------------------------- */

static int compare_names(const void *a, const void *b)
{
	return strcmp(((const struct offer_name *)a)->name, ((const struct offer_name *)b)->name);
}

const struct offer_name *offer_find(
	const struct offer *offer, enum catalog_list list, const char *name)
{
	const struct offer_list *in = &offer->lists[list];
	union {
		const char *in;
		char *out;
	} key_name = { name };
	const struct offer_name key = { .name = key_name.out };

	return in->n_names ? bsearch(&key, in->names, in->n_names, sizeof(key), compare_names)
			   : NULL;
}

static void add_name(struct offer_list *list, const char *name, size_t item, bool is_alias)
{
	list->names = alloc_resize(list->names, list->n_names + 1, sizeof(*list->names));
	list->names[list->n_names++] =
		(struct offer_name){ .name = alloc_str(name), .item = item, .is_alias = is_alias };
}

static void sort_names(struct offer_list *list)
{
	size_t n = 0;

	if (list->n_names == 0)
		return;
	qsort(list->names, list->n_names, sizeof(*list->names), compare_names);
	for (size_t i = 0; i < list->n_names; i++) {
		/* A listed alias is a tool and an alias: the tool stays. */
		if (n > 0 && streq(list->names[n - 1].name, list->names[i].name)) {
			if (!list->names[i].is_alias)
				list->names[n - 1].item = list->names[i].item;
			list->names[n - 1].is_alias &= list->names[i].is_alias;
			free(list->names[i].name);
			continue;
		}
		list->names[n++] = list->names[i];
	}
	list->n_names = n;
}

/* --- items --------------------------------------------------------------------------------------- */

static json_t *fleet_extras(json_t *info)
{
	json_t *capabilities = json_object_get(info, "capabilities");

	return json_object_get(json_object_get(capabilities, "experimental"), "mcp-fleet");
}

static bool has_hint(json_t *tool, const char *hint)
{
	return json_is_true(json_object_get(json_object_get(tool, "annotations"), hint));
}

/* A worker may ask for another time; nonsense is not taken. */
static int64_t timeout_of(const struct conf_domain *conf, json_t *timeout)
{
	int64_t ms = json_integer_value(timeout);

	return ms > 0 && ms <= MAX_TIMEOUT_MS ? ms : conf->call_timeout_ms;
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

/* False: it is not offered, which was logged. `seen`: the names that are offered already; clients know an
 * item by nothing else. */
static bool check_name(
	const struct offer *offer, enum catalog_list list, const char *name, json_t *seen)
{
	if (json_object_get(seen, name)) {
		log_warn("domain %s: a second %s with the name '%s', ignoring it",
			offer->naming.domain, kinds[list].words, name);
		return false;
	}
	(void)json_object_set_new(seen, name, json_true());
	if (!kinds[list].is_uri && strlen(name) > LIMIT_TOOL_NAME)
		log_warn("domain %s: the %s name '%s' is longer than %d characters: some clients "
			 "refuse it",
			offer->naming.domain, kinds[list].words, name, LIMIT_TOOL_NAME);
	return true;
}

static struct offer_item *add_item(
	struct offer *offer, enum catalog_list list, json_t *json, json_t *seen)
{
	struct offer_list *into = &offer->lists[list];
	const char *worker_name = json_string_value(json_object_get(json, kinds[list].key));
	json_auto_t *listed = NULL;
	auto_free char *name = NULL;

	if (!worker_name ||
		strlen(worker_name) != json_string_length(json_object_get(json, kinds[list].key))) {
		log_warn("domain %s: a %s without %s, ignoring it", offer->naming.domain,
			kinds[list].words, kinds[list].key);
		return NULL;
	}
	name = make_client_name(offer, list, worker_name);
	if (!check_name(offer, list, name, seen))
		return NULL;
	listed = json_copy(json);
	(void)json_object_set_new(listed, kinds[list].key, json_string(name));
	into->items = alloc_resize(into->items, into->n + 1, sizeof(*into->items));
	into->items[into->n] = (struct offer_item){
		.worker_name = alloc_str(worker_name),
		.text = json_dumps(listed, JSON_COMPACT),
		.may_rerun = list != CATALOG_TOOLS,
		.timeout_ms = offer->timeout_ms,
	};
	into->items[into->n].name = TAKE(name);
	add_name(into, into->items[into->n].name, into->n, false);
	return &into->items[into->n++];
}

/* Whether calls of the tool repeat arguments in headers. An annotation that is no good costs the tool
 * its clients, and only we can say why. */
static bool judge_headers(const struct offer *offer, const struct offer_item *item)
{
	const struct jspan text = { item->text, strlen(item->text) };
	const struct jspan schema = jspan_member(text, "inputSchema", NULL);
	auto_strbuf faults = { 0 };

	if (schema_header_faults(schema, &faults) == 0)
		return schema_has_headers(schema);
	log_warn(
		"domain %s: tool %s: %s; clients of protocol revision 2026-07-28 will leave it out",
		offer->naming.domain, item->name, strbuf_get(&faults));
	return false;
}

static void add_tool(struct offer *offer, const struct conf_domain *conf, json_t *json,
	json_t *extras, json_t *seen)
{
	struct offer_item *item;
	json_t *timeouts = json_object_get(extras, "timeouts_ms");

	if (!json_is_object(json_object_get(json, "inputSchema"))) {
		log_warn("domain %s: a tool without inputSchema, ignoring it", conf->name);
		return;
	}
	item = add_item(offer, CATALOG_TOOLS, json, seen);
	if (!item)
		return;
	item->may_rerun = has_hint(json, "readOnlyHint") || has_hint(json, "idempotentHint");
	item->timeout_ms = timeout_of(conf, json_object_get(timeouts, item->worker_name));
	item->has_headers = judge_headers(offer, item);
}

/* `canonical` decides, also for a listed alias; else the name that clients see. */
static bool is_allowed(
	const struct offer *offer, const struct conf_domain *conf, json_t *tool, json_t *aliases)
{
	const char *name = json_string_value(json_object_get(tool, "name"));
	const char *canonical = json_string_value(json_object_get(aliases, name ? name : ""));
	auto_free char *listed = name ? catalog_make_name(&offer->naming, name) : NULL;

	if (conf->tools_read_only && !has_hint(tool, "readOnlyHint"))
		return false;
	return !name || conf_domain_allows(conf, canonical ? canonical : listed);
}

static void add_aliases(struct offer_list *list, json_t *aliases)
{
	const char *alias;
	json_t *value;

	json_object_foreach(aliases, alias, value) {
		const char *canonical = json_string_value(value);

		for (size_t i = 0; canonical && i < list->n; i++)
			if (streq(list->items[i].worker_name, canonical))
				add_name(list, alias, i, true);
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

/* What the worker says it is for; one that writes a book there has said nothing. */
static char *told(json_t *text, size_t max)
{
	return json_is_string(text) && json_string_length(text) <= max
		       ? alloc_str(json_string_value(text))
		       : NULL;
}

static void add_tools(
	struct offer *offer, const struct conf_domain *conf, json_t *tools, json_t *info)
{
	json_t *extras = fleet_extras(info);
	json_t *aliases = json_object_get(extras, "aliases");
	json_auto_t *seen = json_object();
	json_t *tool;
	size_t i;

	json_array_foreach(tools, i, tool)
		if (is_allowed(offer, conf, tool, aliases))
			add_tool(offer, conf, tool, extras, seen);
	add_aliases(&offer->lists[CATALOG_TOOLS], aliases);
	sort_names(&offer->lists[CATALOG_TOOLS]);
	offer->prefix = shared_prefix(&offer->lists[CATALOG_TOOLS]);
}

static void add_list(struct offer *offer, enum catalog_list list, json_t *items)
{
	json_auto_t *seen = json_object();
	json_t *item;
	size_t i;

	json_array_foreach(items, i, item)
		(void)add_item(offer, list, item, seen);
	sort_names(&offer->lists[list]);
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

static unsigned read_capabilities(const struct offering *offering)
{
	json_t *resources = offering_get_capability(offering, "resources");
	unsigned bits = 0;

	if (offering->resources || offering->templates)
		bits |= CATALOG_HAS_RESOURCES;
	if (json_is_true(json_object_get(resources, "subscribe")))
		bits |= CATALOG_HAS_SUBSCRIBE;
	if (offering->prompts)
		bits |= CATALOG_HAS_PROMPTS;
	if (offering_get_capability(offering, "completions"))
		bits |= CATALOG_HAS_COMPLETIONS;
	if (offering_get_capability(offering, "logging"))
		bits |= CATALOG_HAS_LOGGING;
	return bits | read_tasks(offering);
}

static void take_offering(
	struct offer *offer, const struct conf_domain *conf, const struct offering *offering)
{
	json_t *server = json_object_get(offering->info, "serverInfo");

	free(offer->version);
	free(offer->summary);
	offer->version = told(json_object_get(server, "version"), MAX_SUMMARY);
	offer->summary =
		told(json_object_get(fleet_extras(offering->info), "summary"), MAX_SUMMARY);
	offer->instructions =
		told(json_object_get(offering->info, "instructions"), MAX_INSTRUCTIONS);
	offer->capabilities = read_capabilities(offering);
	offer->takes_legacy = offering->takes_legacy;
	offer->takes_modern = offering->takes_modern;
	add_tools(offer, conf, offering->tools, offering->info);
	add_list(offer, CATALOG_RESOURCES, offering->resources);
	add_list(offer, CATALOG_TEMPLATES, offering->templates);
	add_list(offer, CATALOG_PROMPTS, offering->prompts);
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

/* --- templates ------------------------------------------------------------------------------------- */

/* The end of the literal text at `at`. */
static size_t literal_len(const char *at)
{
	return strcspn(at, "{");
}

/* Each expression {…} stands for one or more characters; a plain {var} for none of "/". Greedy from the
 * left to the next literal that fits, which is linear and right for what servers publish.
 * Source: RFC 6570 section 3.2, levels 1 to 3 read loosely. */
static bool matches_template(const char *template, const char *uri)
{
	for (;;) {
		size_t len = literal_len(template);
		const char *end;
		const char *next;
		bool crosses;

		if (strncmp(template, uri, len) != 0)
			return false;
		template += len;
		uri += len;
		if (!*template)
			return !*uri;
		end = strchr(template, '}');
		if (!end)
			return false;
		crosses = template[1] == '+' || template[1] == '#' || template[1] == '/' ||
			  template[1] == '?' || template[1] == '&' || end[-1] == '*';
		template = end + 1;
		len = literal_len(template);
		if (len == 0 && !*template)
			return *uri && (crosses || !strchr(uri, '/'));
		if (len == 0)
			continue;
		auto_free char *literal = alloc_mem(template, len);
		next = *uri ? strstr(uri + 1, literal) : NULL;
		if (!next || (!crosses && memchr(uri, '/', (size_t)(next - uri))))
			return false;
		uri = next;
	}
}

const struct offer_item *offer_match_template(const struct offer *offer, const char *worker_uri)
{
	const struct offer_list *list = &offer->lists[CATALOG_TEMPLATES];

	for (size_t i = 0; i < list->n; i++)
		if (matches_template(list->items[i].worker_name, worker_uri))
			return &list->items[i];
	return NULL;
}
