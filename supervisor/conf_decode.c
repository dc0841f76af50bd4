/* See conf_decode.h. */
#include "supervisor/conf_decode.h"

#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>

#include "shared/alloc.h"
#include "shared/strbuf.h"
#include "supervisor/conf_type.h"

enum { MAX_GUESSED = 64 }; /* characters of a name */

const struct conf_scope conf_scope_top = { .prefix = "", .own = NULL, .shown = "" };

void conf_domain_scope_init(struct conf_domain_scope *ds, const char *name, bool is_native)
{
	(void)snprintf(ds->shown, sizeof(ds->shown), "domains.%s.", name);
	ds->scope.prefix = "domains.*.";
	ds->scope.own = is_native ? ds->shown : NULL;
	ds->scope.shown = ds->shown;
}

static const char *behind(const char *text, const char *prefix)
{
	size_t len = strlen(prefix);

	return strncmp(text, prefix, len) == 0 ? text + len : NULL;
}

static bool is_domain_key(const struct conf_key *key)
{
	return behind(key->path, "domains.") != NULL;
}

/* The parts of a listener are in the table for the documents only. */
static bool is_listener_part(const struct conf_key *key)
{
	return behind(key->path, "listen.") != NULL;
}

/* The key in the table whose path is prefix and name. */
static const struct conf_key *find_key(const char *prefix, const char *name)
{
	for (const struct conf_key *key = conf_table(); key->path; key++) {
		const char *rest = behind(key->path, prefix);

		if (rest && streq(rest, name))
			return key;
	}
	return NULL;
}

const char *conf_scope_name(const struct conf_scope *scope, const struct conf_key *key)
{
	const char *name = scope->own ? behind(key->path, scope->own) : NULL;

	if (!*scope->prefix)
		return is_domain_key(key) || is_listener_part(key) ? NULL : key->path;
	if (name)
		return name;
	name = behind(key->path, scope->prefix);
	return name && scope->own && find_key(scope->own, name) ? NULL : name;
}

bool conf_scope_has(const struct conf_scope *scope, const struct conf_key *key)
{
	return conf_scope_name(scope, key) != NULL;
}

bool conf_scope_is_own(const struct conf_scope *scope, const struct conf_key *key)
{
	const char *name = scope->own ? behind(key->path, scope->own) : NULL;

	return name && !find_key(scope->prefix, name);
}

void conf_decode_defaults(const struct conf_scope *scope, void *owner)
{
	for (const struct conf_key *key = conf_table(); key->path; key++) {
		auto_(conf_node_freep) struct conf_node *node = NULL;
		struct conf_decoder dec = { .key = key, .path = key->path };
		int r;

		if (!conf_scope_has(scope, key) || conf_key_has_own_default(key))
			continue;
		r = conf_yaml_read_value("default", key->def, strlen(key->def), &node, NULL);
		if (r == 0)
			r = conf_key_decode(&dec, node, owner);
		assert(r == 0); /* the table is wrong */
	}
}

void conf_decode_clear(const struct conf_scope *scope, void *owner)
{
	for (const struct conf_key *key = conf_table(); key->path; key++) {
		if (conf_scope_has(scope, key))
			conf_key_clear(key, owner);
	}
}

/* --- names --- */

static size_t smallest(size_t a, size_t b, size_t c)
{
	size_t min = a < b ? a : b;

	return min < c ? min : c;
}

/* Levenshtein's distance; both texts have at most MAX_GUESSED characters. */
static size_t distance(const char *a, const char *b)
{
	size_t row[MAX_GUESSED + 1];
	size_t len = strlen(b);

	for (size_t j = 0; j <= len; j++)
		row[j] = j;
	for (size_t i = 0; a[i]; i++) {
		size_t diagonal = row[0];

		row[0] = i + 1;
		for (size_t j = 0; j < len; j++) {
			size_t above = row[j + 1];

			row[j + 1] =
				smallest(above + 1, row[j] + 1, diagonal + (size_t)(a[i] != b[j]));
			diagonal = above;
		}
	}
	return row[len];
}

const char *conf_nearest(const char *name, const char *const *names)
{
	const char *best = NULL;
	size_t best_distance = strlen(name) / 3 + 2;

	if (strlen(name) > MAX_GUESSED)
		return NULL;
	for (; *names; names++) {
		size_t d = strlen(*names) > MAX_GUESSED ? SIZE_MAX : distance(name, *names);

		if (d < best_distance) {
			best = *names;
			best_distance = d;
		}
	}
	return best;
}

/* The word of `name` (a key's name below the scope) that follows `section`; NULL when it is not in
 * the section. Yours to free. */
static char *next_word(const char *name, const char *section)
{
	const char *rest = behind(name, section);

	return rest ? alloc_mem(rest, strcspn(rest, ".")) : NULL;
}

static void add_word(struct conf_strs *list, const char *word)
{
	list->items = alloc_resize(list->items, list->n + 2, sizeof(char *));
	list->items[list->n++] = alloc_str(word);
	list->items[list->n] = NULL;
}

/* The different words that may follow `section` ("" or "processes."), `more` (NULL: none), and NULL.
 * Keys of one section stand side by side in the table. */
static void list_words(const struct conf_scope *scope, const char *section, const char *more,
	struct conf_strs *ret)
{
	for (const struct conf_key *key = conf_table(); key->path; key++) {
		const char *name = conf_scope_name(scope, key);
		auto_free char *word = name ? next_word(name, section) : NULL;

		if (word && !(ret->n && streq(ret->items[ret->n - 1], word)))
			add_word(ret, word);
	}
	if (more)
		add_word(ret, more);
}

static int fail_unknown(const struct conf_scope *scope, const char *section,
	const struct conf_node *node, const char *skip, struct fail *fail)
{
	auto_(conf_clear_strs) struct conf_strs words = { 0 };
	auto_free char *path = alloc_printf("%s%s%.100s", scope->shown, section, node->key);
	auto_strbuf list = { 0 };
	const char *near = NULL;

	list_words(scope, section, skip, &words);
	if (words.items)
		near = conf_nearest(node->key, (const char *const *)words.items);
	if (near)
		return conf_node_fail(
			fail, node, true, path, "unknown key; did you mean '%s'?", near);
	for (size_t i = 0; words.items && words.items[i]; i++)
		strbuf_addf(&list, "%s%s", i ? ", " : "", words.items[i]);
	return conf_node_fail(
		fail, node, true, path, "unknown key; known here are %s", strbuf_get(&list));
}

/* Whether the table has keys below `name`. */
static bool is_section(const struct conf_scope *scope, const char *name)
{
	size_t len = strlen(name);

	for (const struct conf_key *key = conf_table(); key->path; key++) {
		const char *of_key = conf_scope_name(scope, key);
		const char *rest = of_key ? behind(of_key, name) : NULL;

		if (len && rest && *rest == '.')
			return true;
	}
	return false;
}

static const struct conf_key *key_of(const struct conf_scope *scope, const char *name)
{
	const struct conf_key *key = scope->own ? find_key(scope->own, name) : NULL;

	if (!key)
		key = find_key(scope->prefix, name);
	return key && conf_scope_has(scope, key) ? key : NULL;
}

/* The key that a text in the place of the section stands for; NULL: none. */
static const struct conf_key *short_key_of(const struct conf_scope *scope, const char *section)
{
	for (const struct conf_key *key = conf_table(); key->path; key++) {
		const char *name = conf_scope_name(scope, key);

		if (key->is_short && name && behind(name, section))
			return key;
	}
	return NULL;
}

static int decode_section(const struct conf_scope *scope, const char *section,
	const struct conf_node *map, const char *skip, void *owner, struct fail *fail);

static int decode_entry(const struct conf_scope *scope, const char *section,
	const struct conf_node *node, const char *skip, void *owner, struct fail *fail)
{
	auto_free char *name = alloc_printf("%s%s", section, node->key);
	auto_free char *path = alloc_printf("%s%s", scope->shown, name);
	const struct conf_key *key = key_of(scope, name);
	struct conf_decoder dec = { .key = key, .path = path, .fail = fail };
	auto_free char *inner = NULL;

	if (strchr(node->key, '.'))
		return fail_unknown(scope, section, node, skip, fail);
	if (key)
		return conf_key_decode(&dec, node, owner);
	if (!is_section(scope, name))
		return fail_unknown(scope, section, node, skip, fail);
	if (conf_node_is_null(node)) /* all of its keys are commented out */
		return 0;
	inner = alloc_printf("%s.", name);
	dec.key = node->kind == CONF_NODE_TEXT ? short_key_of(scope, inner) : NULL;
	if (dec.key)
		return conf_key_decode(&dec, node, owner);
	if (node->kind != CONF_NODE_MAP)
		return conf_fail_form(&dec, node, "a mapping of keys and values");
	return decode_section(scope, inner, node, NULL, owner, fail);
}

static int decode_section(const struct conf_scope *scope, const char *section,
	const struct conf_node *map, const char *skip, void *owner, struct fail *fail)
{
	for (size_t i = 0; i < map->n; i++) {
		int r;

		if (skip && streq(map->items[i]->key, skip))
			continue;
		r = decode_entry(scope, section, map->items[i], skip, owner, fail);
		if (r < 0)
			return r;
	}
	return 0;
}

int conf_decode(const struct conf_scope *scope, const struct conf_node *map, const char *skip,
	void *owner, struct fail *fail)
{
	return decode_section(scope, "", map, skip, owner, fail);
}
