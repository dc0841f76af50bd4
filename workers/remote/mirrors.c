/* See mirrors.h. */
#include "workers/remote/mirrors.h"

#include "shared/alloc.h"
#include "shared/base64.h"
#include "shared/header_name.h"
#include "workers/common/headers.h"

static const char sentinel[] = "=?base64?";
static const char sentinel_end[] = "?=";

static bool looks_encoded(const char *bytes, size_t len)
{
	size_t n = sizeof(sentinel) - 1;
	size_t end = sizeof(sentinel_end) - 1;

	return len >= n + end && memcmp(bytes, sentinel, n) == 0 &&
	       memcmp(bytes + len - end, sentinel_end, end) == 0;
}

/* libcurl leaves out a header without a value, so nothing is written as base64 of nothing. */
static bool is_plain(const char *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (bytes[i] < 0x20 || bytes[i] > 0x7e)
			return false;
	return len > 0 && bytes[0] != ' ' && bytes[len - 1] != ' ' && !looks_encoded(bytes, len);
}

void mirrors_add_value(struct strbuf *out, const char *bytes, size_t len)
{
	if (is_plain(bytes, len)) {
		strbuf_add(out, bytes, len);
		return;
	}
	strbuf_adds(out, sentinel);
	base64_encode(BASE64_PLAIN, bytes, len, out);
	strbuf_adds(out, sentinel_end);
}

static void free_mirror(struct mirror *mirror)
{
	free(mirror->tool);
	free(mirror->header);
	for (size_t i = 0; i < mirror->depth; i++)
		free(mirror->path[i]);
}

void mirrors_done(struct mirrors *mirrors)
{
	for (size_t i = 0; i < mirrors->n; i++)
		free_mirror(&mirrors->items[i]);
	free(mirrors->items);
	*mirrors = (struct mirrors){ 0 };
}

static void forget_tool(struct mirrors *mirrors, const char *tool)
{
	size_t kept = 0;

	for (size_t i = 0; i < mirrors->n; i++) {
		if (streq(mirrors->items[i].tool, tool))
			free_mirror(&mirrors->items[i]);
		else
			mirrors->items[kept++] = mirrors->items[i];
	}
	mirrors->n = kept;
}

/* What is walked. `names` are string spans from the root to where we are. */
struct walk {
	struct mirrors *mirrors;
	const char *tool;
	struct jspan names[MIRRORS_MAX_DEPTH];
	size_t depth;
};

/* False: it is too long, or holds a NUL. */
static bool get_name(struct jspan span, struct strbuf *ret)
{
	return jspan_get_str(span, ret) && ret->len <= MIRRORS_MAX_NAME &&
	       strlen(strbuf_get(ret)) == ret->len;
}

static bool is_scalar_type(struct jspan type)
{
	return jspan_is(type, "string") || jspan_is(type, "integer") || jspan_is(type, "boolean");
}

static void add_mirror(struct walk *walk, struct jspan schema, struct jspan annotation)
{
	struct mirror mirror = { 0 };
	auto_strbuf token = { 0 };

	if (!get_name(annotation, &token) || !header_name_is_token(strbuf_get(&token), token.len) ||
		!is_scalar_type(jspan_member(schema, "type", NULL)))
		return;
	for (size_t i = 0; i < walk->depth; i++) {
		auto_strbuf name = { 0 };

		if (!get_name(walk->names[i], &name)) {
			free_mirror(&mirror);
			return;
		}
		mirror.path[mirror.depth++] = strbuf_take(&name);
	}
	mirror.tool = alloc_str(walk->tool);
	mirror.header = alloc_printf("Mcp-Param-%s", strbuf_get(&token));
	walk->mirrors->items = alloc_resize(
		walk->mirrors->items, walk->mirrors->n + 1, sizeof(*walk->mirrors->items));
	walk->mirrors->items[walk->mirrors->n++] = mirror;
}

static void walk_schema(struct walk *walk, struct jspan schema) /* NOLINT(misc-no-recursion) */
{
	struct jspan annotation = jspan_member(schema, "x-mcp-header", NULL);
	struct jspan properties = jspan_member(schema, "properties", NULL);
	struct jspan name;
	struct jspan value;
	size_t cursor = 0;

	if (annotation.at && walk->depth > 0 && walk->mirrors->n < MIRRORS_MAX)
		add_mirror(walk, schema, annotation);
	if (walk->depth == MIRRORS_MAX_DEPTH || jspan_type(properties) != JSPAN_OBJECT)
		return;
	while (jspan_next(properties, &cursor, &name, &value)) {
		walk->names[walk->depth++] = name;
		walk_schema(walk, value);
		walk->depth--;
	}
}

/* Most results hold none at all. */
static bool has_any(struct jspan result)
{
	return result.at && memmem(result.at, result.len, "x-mcp-header", 12) != NULL;
}

void mirrors_learn(struct mirrors *mirrors, struct jspan result)
{
	struct jspan tools = jspan_member(result, "tools", NULL);
	struct jspan tool;
	size_t cursor = 0;

	if (jspan_type(tools) != JSPAN_ARRAY || (mirrors->n == 0 && !has_any(result)))
		return;
	while (jspan_next(tools, &cursor, NULL, &tool)) {
		auto_strbuf name = { 0 };
		struct walk walk = { .mirrors = mirrors };

		if (!get_name(jspan_member(tool, "name", NULL), &name))
			continue;
		walk.tool = strbuf_get(&name);
		forget_tool(mirrors, walk.tool);
		if (mirrors->n == MIRRORS_MAX)
			mirrors_done(mirrors);
		walk_schema(&walk, jspan_member(tool, "inputSchema", NULL));
	}
}

static struct jspan find_argument(const struct mirror *mirror, struct jspan arguments)
{
	for (size_t i = 0; i < mirror->depth; i++)
		arguments = jspan_member(arguments, mirror->path[i], NULL);
	return arguments;
}

/* False: nothing to be written in a header. */
static bool add_argument(struct strbuf *out, struct jspan value)
{
	auto_strbuf text = { 0 };

	switch (jspan_type(value)) {
	case JSPAN_STRING:
		if (!jspan_get_str(value, &text))
			return false;
		mirrors_add_value(out, strbuf_get(&text), text.len);
		return true;
	case JSPAN_NUMBER:
	case JSPAN_BOOL:
		strbuf_add(out, value.at, value.len);
		return true;
	case JSPAN_NONE:
	case JSPAN_NULL:
	case JSPAN_OBJECT:
	case JSPAN_ARRAY:
		break;
	}
	return false;
}

void mirrors_each(const struct mirrors *mirrors, struct jspan params,
	void (*fn)(void *arg, const char *line), void *arg)
{
	struct jspan arguments = jspan_member(params, "arguments", NULL);
	struct jspan name = jspan_member(params, "name", NULL);

	for (size_t i = 0; i < mirrors->n; i++) {
		const struct mirror *mirror = &mirrors->items[i];
		auto_strbuf line = { 0 };

		if (!jspan_is(name, mirror->tool))
			continue;
		strbuf_addf(&line, "%s: ", mirror->header);
		if (add_argument(&line, find_argument(mirror, arguments)))
			fn(arg, strbuf_get(&line));
	}
}
