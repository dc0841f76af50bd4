/* See registry.h.
 *
 * An alias has a parameter table of its own, with the same offsets under other names: so errors
 * and the listed schema speak of the arguments that the asker knows. */
#include "workers/common/registry.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "shared/alloc.h"
#include "shared/limits.h"

struct registry {
	const struct worker_desc *desc;
	enum registry_aliases aliases;
	const char *federation_prefix;
	struct entry *entries; /* in the order of the tables, aliases behind */
	struct entry **by_name;
	size_t n;
};

/* How a rename of a nested member is written: "edits[].oldText". */
static const char NESTED[] = "[].";

static size_t count_params(const struct param *params)
{
	size_t n = 0;

	while (params && params[n].name)
		n++;
	return n;
}

/* A copy of `params` that belongs to the entry; one that is the entry's already, as it is. */
static struct param *own_table(struct entry *entry, const struct param *params)
{
	size_t n = count_params(params) + 1;
	struct param *copy;

	for (size_t i = 0; i < entry->n_tables; i++)
		if (entry->tables[i] == params)
			return entry->tables[i];
	copy = alloc_resize(NULL, n, sizeof(*copy));
	memcpy(copy, params, n * sizeof(*copy));
	entry->tables = alloc_resize(entry->tables, entry->n_tables + 1, sizeof(struct param *));
	entry->tables[entry->n_tables++] = copy;
	return copy;
}

static struct param *find_param(struct param *params, const char *name, size_t len)
{
	for (; params->name; params++)
		if (strlen(params->name) == len && memcmp(params->name, name, len) == 0)
			return params;
	return NULL;
}

/* Gives one parameter another name; a nested one in a copy of the items' table, which is then in
 * the place of the original. */
static void rename_param(
	struct entry *entry, struct param *params, const char *from, const char *to)
{
	const char *nested = strstr(from, NESTED);
	struct param *found;
	struct param *items;

	if (!nested) {
		found = find_param(params, to, strlen(to));
		assert(found);
		found->name = from;
		return;
	}
	found = find_param(params, from, (size_t)(nested - from));
	assert(found && found->items);
	items = own_table(entry, found->items);
	found->items = items;
	rename_param(entry, items, nested + strlen(NESTED), strstr(to, NESTED) + strlen(NESTED));
}

static void require_param(struct param *params, const char *name)
{
	struct param *found = find_param(params, name, strlen(name));

	assert(found);
	found->required = true;
	found->no_default = true;
	found->def_str = NULL;
}

/* The tool's parameters as the alias has them: other names, more that must be there. */
static void make_own_params(struct entry *entry)
{
	const char *const *renames = entry->alias->renames;
	const char *const *required = entry->alias->required;

	if (!renames && !required)
		return;
	entry->own_params = own_table(entry, entry->tool->params);
	for (; renames && renames[0]; renames += 2)
		rename_param(entry, entry->own_params, renames[0], renames[1]);
	for (; required && required[0]; required++)
		require_param(entry->own_params, required[0]);
}

static void entry_done(struct entry *entry)
{
	for (size_t i = 0; i < entry->n_tables; i++)
		free(entry->tables[i]);
	free(entry->tables);
	json_decref(entry->fixed);
}

static const struct tool *find_tool(const struct worker_desc *desc, const char *name)
{
	for (const struct tool *const *table = desc->tools; *table; table++)
		for (const struct tool *tool = *table; tool->name; tool++)
			if (streq(tool->name, name))
				return tool;
	return NULL;
}

static struct entry *add_entry(struct registry *registry)
{
	registry->entries =
		alloc_resize(registry->entries, registry->n + 1, sizeof(*registry->entries));
	registry->entries[registry->n] = (struct entry){ 0 };
	return &registry->entries[registry->n++];
}

static bool is_offered(const struct tool *tool, const void *settings)
{
	return !tool->is_offered || tool->is_offered(settings);
}

static void add_tools(struct registry *registry, const void *settings)
{
	for (const struct tool *const *table = registry->desc->tools; *table; table++)
		for (const struct tool *tool = *table; tool->name; tool++) {
			assert(strlen(tool->name) <= LIMIT_TOOL_NAME);
			if (is_offered(tool, settings))
				*add_entry(registry) =
					(struct entry){ .name = tool->name, .tool = tool };
		}
}

static void add_aliases(struct registry *registry, const void *settings)
{
	for (const struct tool_alias *alias = registry->desc->aliases; alias && alias->name;
		alias++) {
		const struct tool *tool = find_tool(registry->desc, alias->tool);
		struct entry *entry;

		assert(tool);
		if (!is_offered(tool, settings))
			continue;
		entry = add_entry(registry);
		entry->name = alias->name;
		entry->alias = alias;
		entry->tool = tool;
		make_own_params(entry);
		if (alias->fixed) {
			entry->fixed = json_loads(alias->fixed, JSON_REJECT_DUPLICATES, NULL);
			assert(json_is_object(entry->fixed));
		}
	}
}

static int compare_names(const void *a, const void *b)
{
	const struct entry *const *x = a;
	const struct entry *const *y = b;

	return strcmp((*x)->name, (*y)->name);
}

static void sort_by_name(struct registry *registry)
{
	registry->by_name = alloc_resize(NULL, registry->n, sizeof(struct entry *));
	for (size_t i = 0; i < registry->n; i++)
		registry->by_name[i] = &registry->entries[i];
	qsort(registry->by_name, registry->n, sizeof(struct entry *), compare_names);
	for (size_t i = 1; i < registry->n; i++)
		assert(!streq(registry->by_name[i - 1]->name, registry->by_name[i]->name));
}

struct registry *registry_new(const struct worker_desc *desc, enum registry_aliases aliases,
	const char *federation_prefix, const void *settings)
{
	struct registry *registry = alloc_zero(sizeof(*registry));

	registry->desc = desc;
	registry->aliases = aliases;
	registry->federation_prefix = federation_prefix ? federation_prefix : "";
	add_tools(registry, settings);
	if (aliases != ALIASES_OFF)
		add_aliases(registry, settings);
	sort_by_name(registry);
	return registry;
}

void registry_free(struct registry *registry)
{
	if (!registry)
		return;
	for (size_t i = 0; i < registry->n; i++)
		entry_done(&registry->entries[i]);
	free(registry->entries);
	free(registry->by_name);
	free(registry);
}

static const struct entry *find_exact(const struct registry *registry, const char *name)
{
	const struct entry key = { .name = name };
	const struct entry *const key_at = &key;
	struct entry **found = bsearch(
		&key_at, registry->by_name, registry->n, sizeof(struct entry *), compare_names);

	return found ? *found : NULL;
}

/* With every '-' and '.' read as '_'. */
static const struct entry *find_loosely(const struct registry *registry, const char *name)
{
	char plain[LIMIT_TOOL_NAME + 1];
	size_t len = strlen(name);

	if (len >= sizeof(plain))
		return NULL;
	for (size_t i = 0; i <= len; i++)
		plain[i] = (char)(name[i] == '-' || name[i] == '.' ? '_' : name[i]);
	return find_exact(registry, plain);
}

/* "sanctuary.git.get_status": what follows "<prefix>.<domain>."; NULL: it is not of that form. */
static const char *after_federation(const struct registry *registry, const char *name)
{
	const char *const parts[] = { registry->federation_prefix, registry->desc->name };

	if (!*registry->federation_prefix)
		return NULL;
	for (size_t i = 0; i < N_ELEMENTS(parts); i++) {
		size_t len = strlen(parts[i]);

		if (strncmp(name, parts[i], len) != 0 || name[len] != '.')
			return NULL;
		name += len + 1;
	}
	return name;
}

static const struct entry *find_canonical(const struct registry *registry, const char *name)
{
	const struct entry *entry = find_loosely(registry, name);

	return entry && !entry->alias ? entry : NULL;
}

static const struct entry *find_federated(const struct registry *registry, const char *name)
{
	const char *prefix = registry->desc->tool_prefix;
	const char *rest = after_federation(registry, name);
	const struct entry *entry = rest ? find_canonical(registry, rest) : NULL;
	char full[LIMIT_TOOL_NAME + 1];
	int n;

	if (!rest || entry)
		return entry;
	if (prefix)
		n = snprintf(full, sizeof(full), "%s%s", prefix, rest);
	else
		n = snprintf(full, sizeof(full), "%s_%s", registry->desc->name, rest);
	return n > 0 && (size_t)n < sizeof(full) ? find_canonical(registry, full) : NULL;
}

const struct entry *registry_find(const struct registry *registry, const char *name)
{
	const struct entry *entry = find_exact(registry, name);

	if (!entry)
		entry = find_loosely(registry, name);
	return entry ? entry : find_federated(registry, name);
}

const struct param *entry_params(const struct entry *entry)
{
	return entry->own_params ? entry->own_params : entry->tool->params;
}

void entry_fix_args(const struct entry *entry, json_t *args)
{
	if (entry->fixed)
		(void)json_object_update(args, entry->fixed);
}

static void rename_member(json_t *object, const char *from, const char *to)
{
	json_t *value = json_object_get(object, from);

	if (!value)
		return;
	(void)json_object_set(object, to, value);
	(void)json_object_del(object, from);
}

void entry_rename_nested(const struct entry *entry, json_t *args)
{
	const char *const *renames = entry->alias ? entry->alias->renames : NULL;

	for (; renames && renames[0]; renames += 2) {
		const char *from = strstr(renames[0], NESTED);
		const char *to = strstr(renames[1], NESTED);
		auto_free char *outer =
			from ? alloc_mem(renames[0], (size_t)(from - renames[0])) : NULL;
		json_t *list;

		if (!from || !to)
			continue;
		list = json_object_get(args, outer);
		for (size_t i = 0; i < json_array_size(list); i++)
			rename_member(json_array_get(list, i), from + strlen(NESTED),
				to + strlen(NESTED));
	}
}

static json_t *annotations_of(const struct tool *tool)
{
	unsigned hints = tool->hints;

	return json_pack("{s:s*, s:b, s:b, s:b, s:b}", "title", tool->title, "readOnlyHint",
		(hints & TOOL_READ_ONLY) != 0, "destructiveHint", (hints & TOOL_DESTRUCTIVE) != 0,
		"idempotentHint", (hints & TOOL_IDEMPOTENT) != 0, "openWorldHint",
		(hints & TOOL_OPEN_WORLD) != 0);
}

/* A fixed argument is not the asker's to choose. */
static void hide_fixed(json_t *schema, json_t *fixed)
{
	json_t *properties = json_object_get(schema, "properties");
	json_t *required = json_object_get(schema, "required");
	const char *name;
	json_t *value;

	json_object_foreach(fixed, name, value) {
		(void)json_object_del(properties, name);
		for (size_t i = json_array_size(required); i-- > 0;)
			if (streq(json_string_value(json_array_get(required, i)), name))
				(void)json_array_remove(required, i);
	}
	if (required && json_array_size(required) == 0)
		(void)json_object_del(schema, "required");
}

static const char *out_of(const struct entry *entry)
{
	if (entry->alias && entry->alias->text_only)
		return TOOL_OUT_TEXT;
	return entry->alias && entry->alias->out ? entry->alias->out : entry->tool->out;
}

static json_t *describe(const struct entry *entry)
{
	const struct tool *tool = entry->tool;
	json_t *input = schema_of_params(entry_params(entry));

	if (entry->fixed)
		hide_fixed(input, entry->fixed);
	return json_pack("{s:s, s:s*, s:s*, s:o, s:o*, s:o}", "name", entry->name, "title",
		tool->title, "description", tool->doc, "inputSchema", input, "outputSchema",
		schema_of_result(out_of(entry)), "annotations", annotations_of(tool));
}

json_t *registry_list(const struct registry *registry)
{
	json_t *tools = json_array();

	for (size_t i = 0; i < registry->n; i++)
		if (!registry->entries[i].alias || registry->aliases == ALIASES_LISTED)
			(void)json_array_append_new(tools, describe(&registry->entries[i]));
	return json_pack("{s:o}", "tools", tools);
}

json_t *registry_alias_map(const struct registry *registry)
{
	json_t *map = json_object();

	for (size_t i = 0; i < registry->n; i++)
		if (registry->entries[i].alias)
			(void)json_object_set_new(map, registry->entries[i].name,
				json_string(registry->entries[i].tool->name));
	return map;
}

json_t *registry_timeouts(const struct registry *registry)
{
	json_t *map = json_object();

	for (size_t i = 0; i < registry->n; i++) {
		const struct entry *entry = &registry->entries[i];

		if (entry->tool->timeout_s > 0)
			(void)json_object_set_new(map, entry->name,
				json_integer((json_int_t)entry->tool->timeout_s * 1000));
	}
	return map;
}
