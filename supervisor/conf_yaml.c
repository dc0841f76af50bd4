/* See conf_yaml.h. libyaml's events are read one at a time, so that depth and number of nodes are
 * checked before anything is built. */
#include "supervisor/conf_yaml.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <yaml.h>

#include "shared/alloc.h"

static const char no_anchors[] = "anchors and aliases (&, *) are not allowed here";

struct reader {
	yaml_parser_t parser;
	const char *file;
	const char *bytes;
	size_t len;
	struct fail *fail;
};

static int fail_at(struct reader *rd, int line, int column, const char *words)
{
	if (rd->fail)
		rd->fail->line = line;
	(void)fail_set(rd->fail, -EINVAL, "%s:%d:%d: %s", rd->file, line, column, words);
	return -EINVAL;
}

static int line_of(const yaml_mark_t *mark)
{
	return (int)mark->line + 1;
}

static int column_of(const yaml_mark_t *mark)
{
	return (int)mark->column + 1;
}

static int fail_mark(struct reader *rd, const yaml_mark_t *mark, const char *words)
{
	return fail_at(rd, line_of(mark), column_of(mark), words);
}

/* Bytes that are no text have no mark, only an offset. */
static int fail_bytes(struct reader *rd)
{
	size_t end = rd->parser.problem_offset;
	int line = 1;
	int column = 1;

	for (size_t i = 0; i < end && i < rd->len; i++) {
		unsigned char c = (unsigned char)rd->bytes[i];

		if (c == '\n') {
			line++;
			column = 1;
		} else if ((c & 0xc0) != 0x80) {
			column++;
		}
	}
	return fail_at(rd, line, column, rd->parser.problem);
}

static int fail_parser(struct reader *rd)
{
	const yaml_parser_t *parser = &rd->parser;
	char words[256];

	if (parser->error == YAML_MEMORY_ERROR) {
		(void)fail_set(rd->fail, -ENOMEM, "%s: out of memory", rd->file);
		return -ENOMEM;
	}
	if (parser->error == YAML_READER_ERROR)
		return fail_bytes(rd);
	(void)snprintf(words, sizeof(words), "not YAML: %s%s%s",
		parser->context ? parser->context : "", parser->context ? ", " : "",
		parser->problem ? parser->problem : "cannot be read");
	return fail_mark(rd, &parser->problem_mark, words);
}

static int next_event(struct reader *rd, yaml_event_t *ret)
{
	return yaml_parser_parse(&rd->parser, ret) ? 0 : fail_parser(rd);
}

static struct conf_node *node_new(
	struct reader *rd, enum conf_node_kind kind, const yaml_event_t *ev)
{
	struct conf_node *node = alloc_zero(sizeof(*node));

	node->kind = kind;
	node->file = rd->file;
	node->line = line_of(&ev->start_mark);
	node->column = column_of(&ev->start_mark);
	return node;
}

/* Room doubles; `n` says when. */
static void node_add(struct conf_node *parent, struct conf_node *child)
{
	if ((parent->n & (parent->n - 1)) == 0) {
		size_t room = parent->n ? parent->n * 2 : 1;

		parent->items = alloc_resize(parent->items, room, sizeof(struct conf_node *));
	}
	parent->items[parent->n++] = child;
}

static int check_decoration(struct reader *rd, const yaml_event_t *ev, const yaml_char_t *anchor,
	const yaml_char_t *tag)
{
	if (anchor)
		return fail_mark(rd, &ev->start_mark, no_anchors);
	if (tag)
		return fail_mark(rd, &ev->start_mark, "tags (!) are not allowed here");
	return 0;
}

static int read_text(struct reader *rd, const yaml_event_t *ev, struct conf_node **ret)
{
	const char *value = (const char *)ev->data.scalar.value;
	size_t len = ev->data.scalar.length;
	int r = check_decoration(rd, ev, ev->data.scalar.anchor, ev->data.scalar.tag);

	if (r < 0)
		return r;
	if (memchr(value, '\0', len))
		return fail_mark(rd, &ev->start_mark, "a NUL character is not allowed");
	*ret = node_new(rd, CONF_NODE_TEXT, ev);
	(*ret)->text = alloc_mem(value, len);
	(*ret)->plain = ev->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	return 0;
}

static int read_node(
	struct reader *rd, const yaml_event_t *ev, unsigned depth, struct conf_node **ret);

static int check_size(struct reader *rd, const struct conf_node *parent, const yaml_event_t *ev)
{
	if (parent->n >= CONF_YAML_MAX_ITEMS)
		return fail_mark(
			rd, &ev->start_mark, "more than 1024 entries in one mapping or list");
	return 0;
}

static int read_list(struct reader *rd, struct conf_node *list, unsigned depth)
{
	for (;;) {
		auto_(yaml_event_delete) yaml_event_t ev = { 0 };
		struct conf_node *item = NULL;
		int r = next_event(rd, &ev);

		if (r < 0)
			return r;
		if (ev.type == YAML_SEQUENCE_END_EVENT)
			return 0;
		r = check_size(rd, list, &ev);
		if (r == 0)
			r = read_node(rd, &ev, depth, &item);
		if (r < 0)
			return r;
		node_add(list, item);
	}
}

static int check_key(struct reader *rd, const struct conf_node *map, const yaml_event_t *ev)
{
	const struct conf_node *first;
	char words[300];

	if (ev->type != YAML_SCALAR_EVENT)
		return fail_mark(rd, &ev->start_mark, "a key must be a text");
	first = conf_node_get(map, (const char *)ev->data.scalar.value);
	if (!first)
		return 0;
	(void)snprintf(words, sizeof(words),
		"the key '%.100s' stands here a second time, the first is in line %d", first->key,
		first->key_line);
	return fail_mark(rd, &ev->start_mark, words);
}

static int read_pair(
	struct reader *rd, struct conf_node *map, const yaml_event_t *key_ev, unsigned depth)
{
	auto_(yaml_event_delete) yaml_event_t ev = { 0 };
	auto_(conf_node_freep) struct conf_node *key = NULL;
	struct conf_node *value = NULL;
	int r = check_size(rd, map, key_ev);

	if (r == 0)
		r = check_key(rd, map, key_ev);
	if (r == 0)
		r = read_text(rd, key_ev, &key);
	if (r == 0)
		r = next_event(rd, &ev);
	if (r == 0)
		r = read_node(rd, &ev, depth, &value);
	if (r != 0)
		return r;
	value->key = TAKE(key->text);
	value->key_line = key->line;
	value->key_column = key->column;
	node_add(map, value);
	return 0;
}

static int read_map(struct reader *rd, struct conf_node *map, unsigned depth)
{
	for (;;) {
		auto_(yaml_event_delete) yaml_event_t ev = { 0 };
		int r = next_event(rd, &ev);

		if (r < 0)
			return r;
		if (ev.type == YAML_MAPPING_END_EVENT)
			return 0;
		r = read_pair(rd, map, &ev, depth);
		if (r < 0)
			return r;
	}
}

static int read_collection(
	struct reader *rd, const yaml_event_t *ev, unsigned depth, struct conf_node **ret)
{
	bool is_map = ev->type == YAML_MAPPING_START_EVENT;
	const yaml_char_t *anchor =
		is_map ? ev->data.mapping_start.anchor : ev->data.sequence_start.anchor;
	const yaml_char_t *tag = is_map ? ev->data.mapping_start.tag : ev->data.sequence_start.tag;
	auto_(conf_node_freep) struct conf_node *node = NULL;
	int r = check_decoration(rd, ev, anchor, tag);

	if (r < 0)
		return r;
	if (depth >= CONF_YAML_MAX_DEPTH)
		return fail_mark(rd, &ev->start_mark, "more than 16 levels of mappings and lists");
	node = node_new(rd, is_map ? CONF_NODE_MAP : CONF_NODE_LIST, ev);
	r = is_map ? read_map(rd, node, depth + 1) : read_list(rd, node, depth + 1);
	if (r < 0)
		return r;
	*ret = TAKE(node);
	return 0;
}

static int read_node(
	struct reader *rd, const yaml_event_t *ev, unsigned depth, struct conf_node **ret)
{
	if (ev->type == YAML_SCALAR_EVENT)
		return read_text(rd, ev, ret);
	if (ev->type == YAML_ALIAS_EVENT)
		return fail_mark(rd, &ev->start_mark, no_anchors);
	return read_collection(rd, ev, depth, ret);
}

/* The end of the document, and that nothing follows it. */
static int read_end(struct reader *rd)
{
	for (;;) {
		auto_(yaml_event_delete) yaml_event_t ev = { 0 };
		int r = next_event(rd, &ev);

		if (r < 0)
			return r;
		if (ev.type == YAML_STREAM_END_EVENT)
			return 0;
		if (ev.type == YAML_DOCUMENT_START_EVENT)
			return fail_mark(
				rd, &ev.start_mark, "a second document (---) is not allowed");
	}
}

static int read_document(struct reader *rd, struct conf_node **ret)
{
	for (;;) {
		auto_(yaml_event_delete) yaml_event_t ev = { 0 };
		int r = next_event(rd, &ev);

		if (r < 0)
			return r;
		if (ev.type == YAML_STREAM_END_EVENT) {
			*ret = node_new(rd, CONF_NODE_MAP, &ev);
			return 0;
		}
		if (ev.type == YAML_STREAM_START_EVENT || ev.type == YAML_DOCUMENT_START_EVENT)
			continue;
		r = read_node(rd, &ev, 0, ret);
		return r != 0 ? r : read_end(rd);
	}
}

int conf_yaml_read_value(
	const char *file, const char *bytes, size_t len, struct conf_node **ret, struct fail *fail)
{
	auto_(conf_node_freep) struct conf_node *node = NULL;
	struct reader rd = { .file = file, .bytes = bytes, .len = len, .fail = fail };
	int r;

	if (len > CONF_YAML_MAX_BYTES) {
		(void)fail_set(fail, -EFBIG, "%s: larger than 1 MiB", file);
		return -EFBIG;
	}
	if (!yaml_parser_initialize(&rd.parser)) {
		(void)fail_set(fail, -ENOMEM, "%s: out of memory", file);
		return -ENOMEM;
	}
	yaml_parser_set_encoding(&rd.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&rd.parser, (const unsigned char *)bytes, len);
	r = read_document(&rd, &node);
	yaml_parser_delete(&rd.parser);
	if (r != 0)
		return r;
	*ret = TAKE(node);
	return 0;
}

int conf_yaml_read(
	const char *file, const char *bytes, size_t len, struct conf_node **ret, struct fail *fail)
{
	auto_(conf_node_freep) struct conf_node *node = NULL;
	int r = conf_yaml_read_value(file, bytes, len, &node, fail);

	if (r != 0)
		return r;
	if (conf_node_is_null(node)) {
		free(TAKE(node->text));
		node->kind = CONF_NODE_MAP;
	}
	if (node->kind != CONF_NODE_MAP)
		return conf_node_fail(fail, node, false, "", "settings are a mapping (key: value)");
	*ret = TAKE(node);
	return 0;
}

void conf_node_free(struct conf_node *node)
{
	if (!node)
		return;
	for (size_t i = 0; i < node->n; i++)
		conf_node_free(node->items[i]);
	free(node->items);
	free(node->text);
	free(node->key);
	free(node);
}

static struct conf_node **find(const struct conf_node *map, const char *key)
{
	if (map->kind != CONF_NODE_MAP)
		return NULL;
	for (size_t i = 0; i < map->n; i++) {
		if (streq(map->items[i]->key, key))
			return &map->items[i];
	}
	return NULL;
}

struct conf_node *conf_node_get(const struct conf_node *map, const char *key)
{
	struct conf_node **at = find(map, key);

	return at ? *at : NULL;
}

const struct conf_node *conf_node_find(const struct conf_node *map, const char *path)
{
	const struct conf_node *node = map;

	while (node && *path) {
		auto_free char *word = alloc_mem(path, strcspn(path, "."));

		node = conf_node_get(node, word);
		path += strlen(word);
		path += *path == '.';
	}
	return node;
}

bool conf_node_is_null(const struct conf_node *node)
{
	return node->kind == CONF_NODE_TEXT && node->plain &&
	       (streq(node->text, "") || streq(node->text, "~") || streq(node->text, "null"));
}

void conf_node_merge(struct conf_node *base, struct conf_node *over)
{
	for (size_t i = 0; i < over->n; i++) {
		struct conf_node *item = over->items[i];
		struct conf_node **old = find(base, item->key);

		if (!old) {
			node_add(base, item);
		} else if ((*old)->kind == CONF_NODE_MAP && item->kind == CONF_NODE_MAP) {
			conf_node_merge(*old, item);
		} else if ((*old)->kind == CONF_NODE_MAP && conf_node_is_null(item)) {
			conf_node_free(item);
		} else {
			conf_node_free(*old);
			*old = item;
		}
	}
	over->n = 0;
	conf_node_free(over);
}

int conf_node_fail(struct fail *fail, const struct conf_node *node, bool at_key, const char *key,
	const char *fmt, ...)
{
	auto_free char *words = NULL;
	int line = at_key && node->key ? node->key_line : node->line;
	int column = at_key && node->key ? node->key_column : node->column;
	va_list args;

	va_start(args, fmt);
	if (vasprintf(&words, fmt, args) < 0)
		abort();
	va_end(args);
	if (fail)
		fail->line = line;
	return fail_set(fail, -EINVAL, "%s:%d:%d: %s%s%s", node->file, line, column, key,
		*key ? ": " : "", words);
}

int conf_node_fail_path(struct fail *fail, const struct conf_node *map, const char *prefix,
	const char *path, const char *fmt, ...)
{
	const struct conf_node *node = conf_node_find(map, path);
	auto_free char *shown = alloc_printf("%s%s", prefix, path);
	auto_free char *words = NULL;
	va_list args;

	va_start(args, fmt);
	if (vasprintf(&words, fmt, args) < 0)
		abort();
	va_end(args);
	if (node)
		return conf_node_fail(fail, node, false, shown, "%s", words);
	return fail_set(fail, -EINVAL, "%s: %s", shown, words);
}
