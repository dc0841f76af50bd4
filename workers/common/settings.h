/* The settings of a worker: one JSON object with the keys that all workers know, those of workers
 * with roots, and the worker's own. Unknown keys are errors. */
#pragma once

#include <jansson.h>

#include "workers/common/registry.h"

struct settings {
	int64_t max_result_bytes;
	int64_t call_timeout_ms;
	const char *aliases;
	const char *federation_prefix;
	json_t *roots; /* a list, or NULL: none were given */
	/* Not in the table: */
	const void *own; /* the struct of worker_desc.settings; NULL: it has none */
	void *block;
	struct param *params;
	json_t *json;
};

/* `text` NULL: {}. 0, or -errno with words that name the key. */
int settings_load(const struct worker_desc *desc, const char *text, struct settings *ret,
	struct fail *fail) must_check;
void settings_done(struct settings *settings);

enum registry_aliases settings_aliases(const struct settings *settings);

/* Opens the roots: those of the settings, else those of `paths` (NULL at the end; writable), else the
 * current directory. */
int settings_open_roots(
	const struct settings *settings, const char *const *paths, struct fail *fail) must_check;
