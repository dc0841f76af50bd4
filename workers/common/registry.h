/* The tools of a worker by every name under which they may be called (tools.md sections 1 and 10). */
#pragma once

#include <jansson.h>

#include "workers/common/worker.h"

enum registry_aliases { ALIASES_OFF, ALIASES_HIDDEN, ALIASES_LISTED };

struct registry;

/* A name that can be called. */
struct entry {
	const char *name;
	const struct tool *tool;
	const struct tool_alias *alias; /* NULL: the canonical name */
	struct param *own_params;       /* as the alias has them, when they differ */
	struct param **tables;          /* all that was copied for them */
	size_t n_tables;
	json_t *fixed; /* arguments that are always so */
};

/* `federation_prefix` is borrowed; "" or NULL: none. Everything in `desc` must outlive it. `settings`:
 * the worker's own struct, which decides what is offered. */
struct registry *registry_new(const struct worker_desc *desc, enum registry_aliases aliases,
	const char *federation_prefix, const void *settings);
void registry_free(struct registry *registry);
DEFINE_FREEP(struct registry, registry_free)

/* The look-up of tools.md section 1.3. NULL: unknown. */
const struct entry *registry_find(const struct registry *registry, const char *name);

/* The table that the arguments of a call by this name are checked against; NULL: none. */
const struct param *entry_params(const struct entry *entry);

/* Before decoding: sets what the alias fixes. `args` is an object. */
void entry_fix_args(const struct entry *entry, json_t *args);

/* After decoding: gives members of nested objects the names that the handler knows. */
void entry_rename_nested(const struct entry *entry, json_t *args);

/* {"tools":[…]}: all that is listed, in the order of the tables, aliases behind them. */
json_t *registry_list(const struct registry *registry) must_check;

/* What tools/list cannot say: {alias: tool}, {tool: timeout in ms}. */
json_t *registry_alias_map(const struct registry *registry) must_check;
json_t *registry_timeouts(const struct registry *registry) must_check;
