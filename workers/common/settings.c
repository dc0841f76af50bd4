/* See settings.h.
 *
 * The tables of all workers, of workers with roots, and of this worker become one, so that a wrong
 * key is found and a near one suggested whichever table it belongs to. The worker's own struct lies
 * behind ours in one block, and its offsets are moved by that. */
#include "workers/common/settings.h"

#include <errno.h>
#include <stdalign.h>
#include <stddef.h>
#include <string.h>

#include "shared/alloc.h"
#include "shared/limits.h"
#include "shared/quote.h"
#include "workers/common/roots.h"

enum {
	MIN_RESULT_BYTES = 64 * KIB,
	RESULT_BYTES = 6 * MIB,
	MAX_RESULT_BYTES = LIMIT_LINE_BYTES - 64 * KIB, /* the answer is one line */
	MAX_TIMEOUT_MS = 3600 * 1000,
	TIMEOUT_MS = 60 * 1000,
};

static const char *const alias_choices[] = { "off", "hidden", "listed", NULL };

static const struct param common_params[] = {
	PARAM(settings, max_result_bytes, RANGE(MIN_RESULT_BYTES, MAX_RESULT_BYTES),
		.def_int = RESULT_BYTES, .doc = "The whole answer of a call."),
	PARAM(settings, call_timeout_ms, RANGE(100, MAX_TIMEOUT_MS), .def_int = TIMEOUT_MS,
		.doc = "Tools that have no limit of their own."),
	PARAM(settings, aliases, .choices = alias_choices, .def_str = "hidden",
		.doc = "Whether tools may be called by the names that other servers give them."),
	PARAM(settings, federation_prefix, AT_MOST(LIMIT_TOOL_NAME), .def_str = "",
		.doc = "prefix.domain.tool works as well."),
	{ 0 },
};

static const struct param roots_params[] = {
	PARAM(settings, roots, .json_type = "array", RANGE(1, 256),
		.doc = "Directories that may be used."),
	{ 0 },
};

struct root_object {
	const char *path;
	const char *access;
};

static const char *const access_choices[] = { "read", "write", NULL };

static const struct param root_object_params[] = {
	PARAM(root_object, path, .required = true, RANGE(1, 4096), .doc = "Directory."),
	PARAM(root_object, access, .choices = access_choices, .def_str = "write",
		.doc = "What may be done."),
	{ 0 },
};

/* The worker's own struct starts here in the block. */
static size_t own_offset(void)
{
	const size_t align = alignof(max_align_t);

	return (sizeof(struct settings) + align - 1) / align * align;
}

static struct param *append_params(
	struct param *all, size_t *n, const struct param *more, size_t offset)
{
	for (; more && more->name; more++) {
		all = alloc_resize(all, *n + 2, sizeof(*all));
		all[*n] = *more;
		all[(*n)++].offset += offset;
		all[*n] = (struct param){ 0 };
	}
	return all;
}

static struct param *all_params(const struct worker_desc *desc)
{
	struct param *all = NULL;
	size_t n = 0;

	all = append_params(all, &n, common_params, 0);
	if (desc->has_roots)
		all = append_params(all, &n, roots_params, 0);
	return append_params(all, &n, desc->settings, own_offset());
}

static int parse(const char *text, json_t **ret, struct fail *fail)
{
	json_error_t error;

	*ret = json_loads(text ? text : "{}", JSON_REJECT_DUPLICATES, &error);
	if (!*ret)
		return fail_set(fail, -EINVAL, "settings, column %d: %s", error.column, error.text);
	return 0;
}

int settings_load(
	const struct worker_desc *desc, const char *text, struct settings *ret, struct fail *fail)
{
	json_auto_t *json = NULL;
	struct settings *block;
	struct param *params;
	int r = parse(text, &json, fail);

	if (r < 0)
		return r;
	block = alloc_zero(own_offset() + desc->settings_size);
	params = all_params(desc);
	r = schema_decode(params, json, block, fail);
	if (r < 0) {
		schema_done(params, block);
		free(params);
		free(block);
		return fail_prefix(fail, "settings: ");
	}
	*ret = *block;
	ret->own = desc->settings ? (char *)block + own_offset() : NULL;
	ret->block = block;
	ret->params = params;
	ret->json = TAKE(json);
	return 0;
}

void settings_done(struct settings *settings)
{
	if (settings->block)
		schema_done(settings->params, settings->block);
	free(settings->params);
	free(settings->block);
	json_decref(settings->json);
	*settings = (struct settings){ 0 };
}

enum registry_aliases settings_aliases(const struct settings *settings)
{
	if (streq(settings->aliases, "off"))
		return ALIASES_OFF;
	return streq(settings->aliases, "listed") ? ALIASES_LISTED : ALIASES_HIDDEN;
}

/* A root is a path, or {path, access}. */
static int open_root(json_t *root, struct fail *fail)
{
	struct root_object args = { .access = "write" };
	int r;

	if (json_is_string(root)) {
		args.path = json_string_value(root);
		if (strlen(args.path) != json_string_length(root))
			return fail_set(
				fail, -EINVAL, "roots: a path must not hold the character U+0000");
	} else if (!json_is_object(root)) {
		return fail_set(
			fail, -EINVAL, "roots must hold paths, or objects with path and access");
	} else {
		r = schema_decode(root_object_params, root, &args, fail);
		if (r < 0)
			return fail_prefix(fail, "roots: ");
	}
	return roots_open(args.path, streq(args.access, "write"), fail);
}

int settings_open_roots(
	const struct settings *settings, const char *const *paths, struct fail *fail)
{
	size_t n = json_array_size(settings->roots);
	int r = 0;

	for (size_t i = 0; r == 0 && i < n; i++)
		r = open_root(json_array_get(settings->roots, i), fail);
	if (n > 0)
		return r;
	if (!paths || !*paths)
		return roots_open(".", true, fail);
	for (; r == 0 && *paths; paths++)
		r = roots_open(*paths, true, fail);
	return r;
}
