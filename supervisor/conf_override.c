/* See conf_override.h. */
#include "supervisor/conf_override.h"

#include "shared/alloc.h"
#include "shared/limits.h"
#include "shared/strbuf.h"

enum { MAX_NAME = 2 * LIMIT_TOOL_NAME, MAX_TITLE = 256, MAX_DESCRIPTION = 16 * KIB };

const char *const conf_hint_names[CONF_HINTS] = { "readOnlyHint", "destructiveHint",
	"idempotentHint", "openWorldHint" };

static void clear_override(struct conf_override *override)
{
	free(override->tool);
	free(override->title);
	free(override->description);
	free(override->annotations_title);
	*override = (struct conf_override){ 0 };
}

void conf_overrides_clear(void *field)
{
	struct conf_overrides *overrides = field;

	for (size_t i = 0; i < overrides->n; i++)
		clear_override(&overrides->items[i]);
	free(overrides->items);
	*overrides = (struct conf_overrides){ 0 };
}

/* A text of 1 to `max` bytes. */
static int read_text(
	const struct conf_decoder *dec, const struct conf_node *node, size_t max, char **ret)
{
	if (node->kind != CONF_NODE_TEXT || conf_node_is_null(node))
		return conf_fail_form(dec, node, "a text");
	if (!*node->text || strlen(node->text) > max)
		return conf_node_fail(dec->fail, node, false, dec->path,
			"%zu bytes are out of range: allowed are 1 to %zu", strlen(node->text),
			max);
	free(*ret);
	*ret = alloc_str(node->text);
	return 0;
}

static int read_hint(
	const struct conf_decoder *dec, const struct conf_node *node, enum conf_hint *ret)
{
	bool is_plain = node->kind == CONF_NODE_TEXT && node->plain;

	if (is_plain && streq(node->text, "true"))
		*ret = CONF_HINT_TRUE;
	else if (is_plain && streq(node->text, "false"))
		*ret = CONF_HINT_FALSE;
	else
		return conf_fail_form(dec, node, "true or false");
	return 0;
}

static int read_annotation(const struct conf_decoder *dec, const struct conf_node *node,
	struct conf_override *override)
{
	auto_free char *path = alloc_printf("%s.%.100s", dec->path, node->key);
	struct conf_decoder inner = { .key = dec->key, .path = path, .fail = dec->fail };
	auto_strbuf known = { 0 };

	if (streq(node->key, "title"))
		return read_text(&inner, node, MAX_TITLE, &override->annotations_title);
	for (int i = 0; i < CONF_HINTS; i++) {
		if (streq(node->key, conf_hint_names[i]))
			return read_hint(&inner, node, &override->hints[i]);
		strbuf_addf(&known, ", %s", conf_hint_names[i]);
	}
	return conf_node_fail(dec->fail, node, true, dec->path,
		"unknown key '%.100s': known here are title%s", node->key, strbuf_get(&known));
}

static int read_annotations(const struct conf_decoder *dec, const struct conf_node *node,
	struct conf_override *override)
{
	int r = 0;

	if (node->kind != CONF_NODE_MAP)
		return conf_fail_form(dec, node, "a mapping, such as {readOnlyHint: true}");
	for (size_t i = 0; r == 0 && i < node->n; i++)
		r = read_annotation(dec, node->items[i], override);
	return r;
}

static int read_part(const struct conf_decoder *dec, const struct conf_node *node,
	struct conf_override *override)
{
	auto_free char *path = alloc_printf("%s.%.100s", dec->path, node->key);
	struct conf_decoder inner = { .key = dec->key, .path = path, .fail = dec->fail };

	if (streq(node->key, "title"))
		return read_text(&inner, node, MAX_TITLE, &override->title);
	if (streq(node->key, "description"))
		return read_text(&inner, node, MAX_DESCRIPTION, &override->description);
	if (streq(node->key, "annotations"))
		return read_annotations(&inner, node, override);
	return conf_node_fail(dec->fail, node, true, dec->path,
		"unknown key '%.100s': known here are title, description, annotations", node->key);
}

static int read_override(const struct conf_decoder *dec, const struct conf_node *node,
	struct conf_override *override)
{
	auto_free char *path = alloc_printf("%s.%.100s", dec->path, node->key);
	struct conf_decoder inner = { .key = dec->key, .path = path, .fail = dec->fail };
	int r = 0;

	if (!*node->key || strlen(node->key) > MAX_NAME)
		return conf_node_fail(dec->fail, node, true, dec->path,
			"'%.100s' is not a tool's name: allowed are 1 to %d bytes", node->key,
			MAX_NAME);
	if (node->kind != CONF_NODE_MAP)
		return conf_fail_form(&inner, node, "a mapping, such as {title: Search}");
	override->tool = alloc_str(node->key);
	for (size_t i = 0; r == 0 && i < node->n; i++)
		r = read_part(&inner, node->items[i], override);
	return r;
}

int conf_overrides_decode(const struct conf_decoder *dec, const struct conf_node *node, void *field)
{
	struct conf_overrides read = { 0 };
	int r = 0;

	if (node->kind != CONF_NODE_MAP)
		return conf_fail_form(
			dec, node, "a mapping of tools, such as {search: {title: Search}}");
	if ((int64_t)node->n > dec->key->max)
		return conf_node_fail(dec->fail, node, true, dec->path,
			"%zu tools: at most %lld are allowed", node->n, (long long)dec->key->max);
	if (node->n)
		read.items = alloc_zero(node->n * sizeof(*read.items));
	for (size_t i = 0; r == 0 && i < node->n; i++)
		r = read_override(dec, node->items[i], &read.items[read.n++]);
	if (r < 0) {
		conf_overrides_clear(&read);
		return r;
	}
	conf_overrides_clear(field);
	*(struct conf_overrides *)field = read;
	return 0;
}

static bool equal_text(const char *a, const char *b)
{
	return a && b ? streq(a, b) : a == b;
}

static bool equal_override(const struct conf_override *a, const struct conf_override *b)
{
	return streq(a->tool, b->tool) && equal_text(a->title, b->title) &&
	       equal_text(a->description, b->description) &&
	       equal_text(a->annotations_title, b->annotations_title) &&
	       memcmp(a->hints, b->hints, sizeof(a->hints)) == 0;
}

bool conf_overrides_equal(const void *a, const void *b)
{
	const struct conf_overrides *x = a;
	const struct conf_overrides *y = b;

	if (x->n != y->n)
		return false;
	for (size_t i = 0; i < x->n; i++) {
		if (!equal_override(&x->items[i], &y->items[i]))
			return false;
	}
	return true;
}
