/* See conf_type.h. One group of functions for each type, then the table that joins them. */
#include "supervisor/conf_type.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <sys/stat.h>

#include "shared/alloc.h"
#include "shared/amount.h"
#include "shared/strbuf.h"
#include "shared/utf8.h"
#include "supervisor/conf_env.h"
#include "supervisor/conf_grants.h"
#include "supervisor/conf_override.h"
#include "supervisor/conf_value.h"

enum { MAX_ITEM_BYTES = 4096 };

int conf_fail_form(const struct conf_decoder *dec, const struct conf_node *node, const char *form)
{
	if (node->kind != CONF_NODE_TEXT)
		return conf_node_fail(dec->fail, node, false, dec->path, "a %s is not %s",
			node->kind == CONF_NODE_LIST ? "list" : "mapping", form);
	if (conf_node_is_null(node))
		return conf_node_fail(dec->fail, node, true, dec->path,
			"has no value: give %s, or leave the key out", form);
	return conf_node_fail(
		dec->fail, node, false, dec->path, "'%.100s' is not %s", node->text, form);
}

static bool is_text(const struct conf_node *node)
{
	return node->kind == CONF_NODE_TEXT && !conf_node_is_null(node);
}

static bool is_in_range(const struct conf_key *key, int64_t value)
{
	return (key->min == 0 && key->max == 0) || (value >= key->min && value <= key->max);
}

/* --- bool --- */

static int decode_bool(const struct conf_decoder *dec, const struct conf_node *node, void *field)
{
	bool is_true = is_text(node) && node->plain && streq(node->text, "true");

	if (!is_true && !(is_text(node) && node->plain && streq(node->text, "false")))
		return conf_fail_form(dec, node, "true or false");
	*(bool *)field = is_true;
	return 0;
}

static bool equal_bool(const void *a, const void *b)
{
	return *(const bool *)a == *(const bool *)b;
}

static json_t *json_of_bool(const void *field)
{
	return json_boolean(*(const bool *)field);
}

/* --- numbers --- */

typedef int parse_fn(const char *text, int64_t *ret);
typedef char *format_fn(int64_t value);

static char *format_count(int64_t value)
{
	return alloc_printf("%lld", (long long)value);
}

static int decode_number(const struct conf_decoder *dec, const struct conf_node *node,
	parse_fn *parse, format_fn *format, const char *form, int64_t *ret)
{
	auto_free char *min = NULL;
	auto_free char *max = NULL;
	int64_t value = 0;
	int r = is_text(node) ? parse(node->text, &value) : -EINVAL;

	if (r == -EINVAL)
		return conf_fail_form(dec, node, form);
	if (r == 0 && is_in_range(dec->key, value)) {
		*ret = value;
		return 0;
	}
	min = format(dec->key->min);
	max = format(dec->key->max);
	return conf_node_fail(dec->fail, node, false, dec->path,
		"%.100s is out of range: allowed are %s to %s", node->text, min, max);
}

static int decode_count(const struct conf_decoder *dec, const struct conf_node *node, void *field)
{
	int64_t value = 0;
	int r = decode_number(
		dec, node, amount_parse_count, format_count, AMOUNT_FORM_COUNT, &value);

	if (r == 0)
		*(unsigned *)field = (unsigned)value;
	return r;
}

static bool equal_count(const void *a, const void *b)
{
	return *(const unsigned *)a == *(const unsigned *)b;
}

static json_t *json_of_count(const void *field)
{
	return json_integer(*(const unsigned *)field);
}

static int decode_size(const struct conf_decoder *dec, const struct conf_node *node, void *field)
{
	int64_t value = 0;
	int r = decode_number(
		dec, node, amount_parse_size, amount_format_size, AMOUNT_FORM_SIZE, &value);

	if (r == 0)
		*(size_t *)field = (size_t)value;
	return r;
}

static bool equal_size(const void *a, const void *b)
{
	return *(const size_t *)a == *(const size_t *)b;
}

static json_t *json_of_size(const void *field)
{
	return json_integer((json_int_t) * (const size_t *)field);
}

static int decode_duration(
	const struct conf_decoder *dec, const struct conf_node *node, void *field)
{
	return decode_number(dec, node, amount_parse_duration, amount_format_duration,
		AMOUNT_FORM_DURATION, field);
}

static bool equal_duration(const void *a, const void *b)
{
	return *(const int64_t *)a == *(const int64_t *)b;
}

static json_t *json_of_duration(const void *field)
{
	return json_integer(*(const int64_t *)field);
}

/* --- choices --- */

static int decode_choice(const struct conf_decoder *dec, const struct conf_node *node, void *field)
{
	auto_strbuf allowed = { 0 };

	for (const struct conf_choice *c = dec->key->choices; c->name; c++) {
		if (is_text(node) && streq(node->text, c->name)) {
			memcpy(field, &c->value, sizeof(c->value));
			return 0;
		}
		strbuf_addf(&allowed, "%s%s", allowed.len ? ", " : "one of ", c->name);
	}
	return conf_fail_form(dec, node, strbuf_get(&allowed));
}

static bool equal_choice(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(int)) == 0;
}

/* --- texts --- */

static int check_text(const struct conf_decoder *dec, const struct conf_node *node)
{
	if (dec->key->is_valid && !dec->key->is_valid(node->text))
		return conf_fail_form(dec, node, dec->key->form);
	return 0;
}

static int decode_string(const struct conf_decoder *dec, const struct conf_node *node, void *field)
{
	char **ret = field;
	int r;

	if (!is_text(node))
		return conf_fail_form(dec, node, "a text");
	if (!is_in_range(dec->key, (int64_t)strlen(node->text)))
		return conf_node_fail(dec->fail, node, false, dec->path,
			"%zu bytes are out of range: allowed are %lld to %lld", strlen(node->text),
			(long long)dec->key->min, (long long)dec->key->max);
	r = check_text(dec, node);
	if (r < 0)
		return r;
	free(*ret);
	*ret = alloc_str(node->text);
	return 0;
}

static void clear_string(void *field)
{
	char **text = field;

	free(TAKE(*text));
}

static bool equal_string(const void *a, const void *b)
{
	return streq(*(char *const *)a, *(char *const *)b);
}

static json_t *json_of_string(const void *field)
{
	return json_string(*(char *const *)field);
}

static int check_items(
	const struct conf_decoder *dec, const struct conf_node *node, const char *form)
{
	if (node->kind != CONF_NODE_LIST)
		return conf_fail_form(dec, node, form);
	if (!is_in_range(dec->key, (int64_t)node->n))
		return conf_node_fail(dec->fail, node, false, dec->path,
			"%zu entries are out of range: allowed are %lld to %lld", node->n,
			(long long)dec->key->min, (long long)dec->key->max);
	return 0;
}

void conf_clear_strs(struct conf_strs *list)
{
	for (size_t i = 0; i < list->n; i++)
		free(list->items[i]);
	free(list->items);
	*list = (struct conf_strs){ 0 };
}

static void clear_strings(void *field)
{
	conf_clear_strs(field);
}

static int check_item(const struct conf_decoder *dec, const struct conf_node *item)
{
	if (!is_text(item))
		return conf_fail_form(dec, item, "a text");
	if (strlen(item->text) > MAX_ITEM_BYTES)
		return conf_node_fail(dec->fail, item, false, dec->path,
			"a text of more than %d bytes", MAX_ITEM_BYTES);
	return check_text(dec, item);
}

int conf_decode_strs(const struct conf_decoder *dec, const struct conf_node *node, void *field)
{
	struct conf_strs *list = field;
	int r = check_items(dec, node, "a list of texts, such as [one, two]");

	for (size_t i = 0; r == 0 && i < node->n; i++)
		r = check_item(dec, node->items[i]);
	if (r < 0)
		return r;
	conf_clear_strs(list);
	if (node->n)
		list->items = alloc_zero(node->n * sizeof(char *));
	for (size_t i = 0; i < node->n; i++)
		list->items[list->n++] = alloc_str(node->items[i]->text);
	return 0;
}

bool conf_equal_strs(const void *a, const void *b)
{
	const struct conf_strs *x = a;
	const struct conf_strs *y = b;

	if (x->n != y->n)
		return false;
	for (size_t i = 0; i < x->n; i++) {
		if (!streq(x->items[i], y->items[i]))
			return false;
	}
	return true;
}

json_t *conf_json_of_strs(const void *field)
{
	const struct conf_strs *list = field;
	json_t *array = json_array();

	for (size_t i = 0; i < list->n; i++)
		(void)json_array_append_new(array, json_string(list->items[i]));
	return array;
}

/* --- roots --- */

int conf_add_root(struct conf_roots *roots, const char *path, bool writable)
{
	auto_free char *real = realpath(path, NULL);
	struct stat st;

	if (!real)
		return -errno;
	if (stat(real, &st) < 0)
		return -errno;
	if (!S_ISDIR(st.st_mode))
		return -ENOTDIR;
	if (!utf8_valid(real, strlen(real))) /* the worker hears of it in JSON */
		return -EILSEQ;
	for (size_t i = 0; i < roots->n; i++) {
		if (streq(roots->items[i].path, real))
			return -EEXIST;
	}
	roots->items = alloc_resize(roots->items, roots->n + 1, sizeof(*roots->items));
	roots->items[roots->n++] = (struct conf_root){ TAKE(real), writable };
	return 0;
}

const char *conf_root_error(int err)
{
	if (err == -EEXIST)
		return "this directory is in the list already";
	if (err == -EILSEQ)
		return "its real path is not UTF-8";
	return strerror(-err);
}

void conf_clear_roots(struct conf_roots *roots)
{
	for (size_t i = 0; i < roots->n; i++)
		free(roots->items[i].path);
	free(roots->items);
	*roots = (struct conf_roots){ 0 };
}

static void clear_roots(void *field)
{
	conf_clear_roots(field);
}

#define FORM_ROOT "a directory, or {path: DIRECTORY, access: read or write}"

/* {path: …, access: …}: the path's node. */
static int read_root_map(const struct conf_decoder *dec, const struct conf_node *map,
	const struct conf_node **ret_path, bool *ret_writable)
{
	const struct conf_node *path = conf_node_get(map, "path");
	const struct conf_node *access_node = conf_node_get(map, "access");

	if (!path || !is_text(path))
		return conf_node_fail(dec->fail, map, false, dec->path, "no path: give " FORM_ROOT);
	for (size_t i = 0; i < map->n; i++) {
		if (map->items[i] != path && map->items[i] != access_node)
			return conf_node_fail(dec->fail, map->items[i], true, dec->path,
				"unknown key '%.100s': known here are path, access",
				map->items[i]->key);
	}
	*ret_path = path;
	*ret_writable = true;
	if (!access_node)
		return 0;
	*ret_writable = is_text(access_node) && streq(access_node->text, "write");
	if (!*ret_writable && !(is_text(access_node) && streq(access_node->text, "read")))
		return conf_fail_form(dec, access_node, "an access: read or write");
	return 0;
}

static int decode_root(
	const struct conf_decoder *dec, const struct conf_node *node, struct conf_roots *roots)
{
	const struct conf_node *path = node;
	bool writable = true;
	int r = 0;

	if (node->kind == CONF_NODE_MAP)
		r = read_root_map(dec, node, &path, &writable);
	else if (!is_text(node))
		r = conf_fail_form(dec, node, FORM_ROOT);
	if (r < 0)
		return r;
	r = conf_add_root(roots, path->text, writable);
	if (r < 0)
		return conf_node_fail(dec->fail, path, false, dec->path, "'%.200s': %s", path->text,
			conf_root_error(r));
	return 0;
}

static int decode_roots(const struct conf_decoder *dec, const struct conf_node *node, void *field)
{
	struct conf_roots roots = { 0 };
	int r = check_items(dec, node, "a list of directories, such as [/srv/repos]");

	for (size_t i = 0; r == 0 && i < node->n; i++)
		r = decode_root(dec, node->items[i], &roots);
	if (r < 0) {
		conf_clear_roots(&roots);
		return r;
	}
	conf_clear_roots(field);
	*(struct conf_roots *)field = roots;
	return 0;
}

static bool equal_roots(const void *a, const void *b)
{
	const struct conf_roots *x = a;
	const struct conf_roots *y = b;

	if (x->n != y->n)
		return false;
	for (size_t i = 0; i < x->n; i++) {
		if (!streq(x->items[i].path, y->items[i].path) ||
			x->items[i].writable != y->items[i].writable)
			return false;
	}
	return true;
}

static json_t *json_of_roots(const void *field)
{
	const struct conf_roots *roots = field;
	json_t *array = json_array();

	for (size_t i = 0; i < roots->n; i++)
		(void)json_array_append_new(
			array, json_pack("{s:s, s:s}", "path", roots->items[i].path, "access",
				       roots->items[i].writable ? "write" : "read"));
	return array;
}

/* --- environments --- */

static void clear_env(void *field)
{
	conf_env_clear(field);
}

/* The value itself is never shown: it may be a secret. */
static int check_env(const struct conf_decoder *dec, const struct conf_node *item)
{
	if (!conf_env_is_name(item->key))
		return conf_node_fail(dec->fail, item, true, dec->path,
			"'%.100s' is not a variable's name: letters, digits and _, no digit first",
			item->key);
	if (!is_text(item))
		return conf_node_fail(dec->fail, item, true, dec->path,
			"%s has no text as its value: write \"\" for an empty one", item->key);
	if (strlen(item->text) > CONF_ENV_MAX_BYTES)
		return conf_node_fail(dec->fail, item, true, dec->path,
			"%s: a value of more than %d bytes", item->key, CONF_ENV_MAX_BYTES);
	return 0;
}

static int decode_env(const struct conf_decoder *dec, const struct conf_node *node, void *field)
{
	struct conf_envs *envs = field;

	if (node->kind != CONF_NODE_MAP)
		return conf_fail_form(
			dec, node, "a mapping of names and values, such as {MODE: fast}");
	if (!is_in_range(dec->key, (int64_t)node->n))
		return conf_node_fail(dec->fail, node, true, dec->path,
			"%zu variables: at most %lld are allowed", node->n,
			(long long)dec->key->max);
	for (size_t i = 0; i < node->n; i++) {
		int r = check_env(dec, node->items[i]);

		if (r < 0)
			return r;
	}
	clear_env(envs);
	for (size_t i = 0; i < node->n; i++)
		conf_env_add(envs, node->items[i]->key, node->items[i]->text);
	return 0;
}

static bool equal_env(const void *a, const void *b)
{
	const struct conf_envs *x = a;
	const struct conf_envs *y = b;

	if (x->n != y->n)
		return false;
	for (size_t i = 0; i < x->n; i++) {
		if (!streq(x->items[i].name, y->items[i].name) ||
			!streq(x->items[i].value, y->items[i].value))
			return false;
	}
	return true;
}

/* --- listeners; the field is struct conf itself --- */

int conf_add_listener(struct conf *conf, const char *address, const char *domain)
{
	struct conf_listener listener = { 0 };

	if (conf_parse_listen(
		    address, &listener.scheme, &listener.sockaddr, &listener.sockaddr_len) < 0)
		return -EINVAL;
	listener.address = conf_format_address(&listener.sockaddr);
	listener.domain = domain && *domain ? alloc_str(domain) : NULL;
	conf->listeners =
		alloc_resize(conf->listeners, conf->n_listeners + 1, sizeof(*conf->listeners));
	conf->listeners[conf->n_listeners++] = listener;
	return 0;
}

void conf_clear_listeners(struct conf *conf)
{
	for (size_t i = 0; i < conf->n_listeners; i++) {
		free(conf->listeners[i].address);
		free(conf->listeners[i].domain);
	}
	free(TAKE(conf->listeners));
	conf->n_listeners = 0;
}

static void clear_listen(void *field)
{
	conf_clear_listeners(field);
}

static int decode_listener(
	const struct conf_decoder *dec, const struct conf_node *node, struct conf *conf)
{
	const struct conf_node *address = conf_node_get(node, "address");
	const struct conf_node *domain = conf_node_get(node, "domain");

	if (node->kind != CONF_NODE_MAP)
		return conf_fail_form(
			dec, node, "a listener, such as {address: \"127.0.0.1:8000\"}");
	for (size_t i = 0; i < node->n; i++) {
		if (node->items[i] != address && node->items[i] != domain)
			return conf_node_fail(dec->fail, node->items[i], true, dec->path,
				"unknown key '%.100s': known here are address, domain",
				node->items[i]->key);
	}
	if (!address)
		return conf_node_fail(
			dec->fail, node, false, dec->path, "no address: give " CONF_FORM_LISTEN);
	if (domain && !is_text(domain))
		return conf_fail_form(dec, domain, "the name of a domain");
	if (!is_text(address) ||
		conf_add_listener(conf, address->text, domain ? domain->text : NULL) < 0)
		return conf_fail_form(dec, address, CONF_FORM_LISTEN);
	return 0;
}

static int decode_listen(const struct conf_decoder *dec, const struct conf_node *node, void *field)
{
	struct conf *conf = field;
	int r = check_items(dec, node, "a list of listeners: - address: 127.0.0.1:8000");

	if (r < 0)
		return r;
	conf_clear_listeners(conf);
	for (size_t i = 0; r == 0 && i < node->n; i++)
		r = decode_listener(dec, node->items[i], conf);
	return r;
}

static bool equal_listen(const void *a, const void *b)
{
	const struct conf *x = a;
	const struct conf *y = b;

	if (x->n_listeners != y->n_listeners)
		return false;
	for (size_t i = 0; i < x->n_listeners; i++) {
		const char *domain = x->listeners[i].domain;
		const char *other = y->listeners[i].domain;

		if (!streq(x->listeners[i].address, y->listeners[i].address) ||
			x->listeners[i].scheme != y->listeners[i].scheme ||
			!streq(domain ? domain : "", other ? other : ""))
			return false;
	}
	return true;
}

static json_t *json_of_listen(const void *field)
{
	const struct conf *conf = field;
	json_t *array = json_array();

	for (size_t i = 0; i < conf->n_listeners; i++)
		(void)json_array_append_new(
			array, json_pack("{s:s, s:s?, s:b}", "address", conf->listeners[i].address,
				       "domain", conf->listeners[i].domain, "tls",
				       (int)conf->listeners[i].tls));
	return array;
}

/* --- the types --- */

struct type_ops {
	int (*decode)(const struct conf_decoder *dec, const struct conf_node *node, void *field);
	void (*clear)(void *field); /* NULL: holds nothing */
	bool (*equal)(const void *a, const void *b);
	json_t *(*to_json)(const void *field);
};

static const struct type_ops types[] = {
	[CONF_TYPE_BOOL] = { decode_bool, NULL, equal_bool, json_of_bool },
	[CONF_TYPE_COUNT] = { decode_count, NULL, equal_count, json_of_count },
	[CONF_TYPE_SIZE] = { decode_size, NULL, equal_size, json_of_size },
	[CONF_TYPE_DURATION] = { decode_duration, NULL, equal_duration, json_of_duration },
	[CONF_TYPE_STRING] = { decode_string, clear_string, equal_string, json_of_string },
	[CONF_TYPE_STRINGS] = { conf_decode_strs, clear_strings, conf_equal_strs,
		conf_json_of_strs },
	[CONF_TYPE_ENUM] = { decode_choice, NULL, equal_choice, NULL },
	[CONF_TYPE_ROOTS] = { decode_roots, clear_roots, equal_roots, json_of_roots },
	[CONF_TYPE_ENV] = { decode_env, clear_env, equal_env, NULL },
	[CONF_TYPE_OVERRIDES] = { conf_overrides_decode, conf_overrides_clear, conf_overrides_equal,
		NULL },
	[CONF_TYPE_GRANTS] = { conf_grants_decode, conf_grants_clear, conf_grants_equal,
		conf_grants_json },
	[CONF_TYPE_LISTEN] = { decode_listen, clear_listen, equal_listen, json_of_listen },
};

int conf_key_decode(const struct conf_decoder *dec, const struct conf_node *node, void *owner)
{
	return types[dec->key->type].decode(dec, node, (char *)owner + dec->key->offset);
}

void conf_key_clear(const struct conf_key *key, void *owner)
{
	if (types[key->type].clear)
		types[key->type].clear((char *)owner + key->offset);
}

bool conf_key_has_own_default(const struct conf_key *key)
{
	return key->type == CONF_TYPE_ROOTS || key->type == CONF_TYPE_LISTEN;
}

bool conf_key_equal(const struct conf_key *key, const void *a, const void *b)
{
	return types[key->type].equal((const char *)a + key->offset, (const char *)b + key->offset);
}

static json_t *json_of_choice(const struct conf_key *key, const void *field)
{
	int value;

	memcpy(&value, field, sizeof(value));
	for (const struct conf_choice *c = key->choices; c->name; c++) {
		if (c->value == value)
			return json_string(c->name);
	}
	return json_null();
}

bool conf_key_has_json(const struct conf_key *key)
{
	return key->type == CONF_TYPE_ENUM || types[key->type].to_json;
}

json_t *conf_key_json(const struct conf_key *key, const void *owner)
{
	const void *field = (const char *)owner + key->offset;

	if (key->type == CONF_TYPE_ENUM)
		return json_of_choice(key, field);
	assert(types[key->type].to_json);
	return types[key->type].to_json(field);
}
