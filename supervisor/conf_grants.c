/* See conf_grants.h. */
#include "supervisor/conf_grants.h"

#include "shared/alloc.h"
#include "shared/limits.h"

enum { MAX_SCOPE = 256 };

void conf_grants_clear(void *field)
{
	struct conf_grants *grants = field;

	for (size_t i = 0; i < grants->n; i++) {
		free(grants->items[i].scope);
		conf_clear_strs(&grants->items[i].domains);
		conf_clear_strs(&grants->items[i].tools);
	}
	free(grants->items);
	*grants = (struct conf_grants){ 0 };
}

/* What may stand in a scope: RFC 6749, section 3.3. */
static bool is_scope(const char *text)
{
	size_t len = strlen(text);

	if (len == 0 || len > MAX_SCOPE)
		return false;
	for (; *text; text++)
		if (*text <= ' ' || *text > '~' || *text == '"' || *text == '\\')
			return false;
	return true;
}

static int read_part(
	const struct conf_decoder *dec, const struct conf_node *node, struct conf_grant *grant)
{
	auto_free char *path = alloc_printf("%s.%.100s", dec->path, node->key);
	const struct conf_decoder inner = { .key = dec->key, .path = path, .fail = dec->fail };

	if (streq(node->key, "domains"))
		return conf_decode_strs(&inner, node, &grant->domains);
	if (streq(node->key, "tools"))
		return conf_decode_strs(&inner, node, &grant->tools);
	return conf_node_fail(dec->fail, node, true, dec->path,
		"unknown key '%.100s': known here are domains, tools", node->key);
}

static int read_grant(
	const struct conf_decoder *dec, const struct conf_node *node, struct conf_grant *grant)
{
	auto_free char *path = alloc_printf("%s.%.100s", dec->path, node->key);
	const struct conf_decoder inner = { .key = dec->key, .path = path, .fail = dec->fail };
	int r = 0;

	if (!is_scope(node->key))
		return conf_node_fail(dec->fail, node, true, dec->path,
			"'%.100s' is not a scope: 1 to %d visible characters without \" and \\",
			node->key, MAX_SCOPE);
	grant->scope = alloc_str(node->key);
	if (conf_node_is_null(node))
		return 0;
	if (node->kind != CONF_NODE_MAP)
		return conf_fail_form(&inner, node, "a mapping, such as {domains: [git]}");
	for (size_t i = 0; r == 0 && i < node->n; i++)
		r = read_part(&inner, node->items[i], grant);
	return r;
}

int conf_grants_decode(const struct conf_decoder *dec, const struct conf_node *node, void *field)
{
	struct conf_grants read = { 0 };
	int r = 0;

	if (node->kind != CONF_NODE_MAP)
		return conf_fail_form(dec, node,
			"a mapping of scopes, such as {\"fleet:git\": {domains: [git]}}");
	if ((int64_t)node->n > dec->key->max)
		return conf_node_fail(dec->fail, node, true, dec->path,
			"%zu scopes: at most %lld are allowed", node->n, (long long)dec->key->max);
	if (node->n)
		read.items = alloc_zero(node->n * sizeof(*read.items));
	for (size_t i = 0; r == 0 && i < node->n; i++)
		r = read_grant(dec, node->items[i], &read.items[read.n++]);
	if (r < 0) {
		conf_grants_clear(&read);
		return r;
	}
	conf_grants_clear(field);
	*(struct conf_grants *)field = read;
	return 0;
}

bool conf_grants_equal(const void *a, const void *b)
{
	const struct conf_grants *x = a;
	const struct conf_grants *y = b;

	if (x->n != y->n)
		return false;
	for (size_t i = 0; i < x->n; i++)
		if (!streq(x->items[i].scope, y->items[i].scope) ||
			!conf_equal_strs(&x->items[i].domains, &y->items[i].domains) ||
			!conf_equal_strs(&x->items[i].tools, &y->items[i].tools))
			return false;
	return true;
}

json_t *conf_grants_json(const void *field)
{
	const struct conf_grants *grants = field;
	json_t *object = json_object();

	for (size_t i = 0; i < grants->n; i++) {
		const struct conf_grant *grant = &grants->items[i];

		(void)json_object_set_new(object, grant->scope,
			json_pack("{s:o, s:o}", "domains", conf_json_of_strs(&grant->domains),
				"tools", conf_json_of_strs(&grant->tools)));
	}
	return object;
}
