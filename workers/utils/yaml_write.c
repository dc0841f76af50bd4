/* JSON to YAML: walks the tree and lets libyaml's emitter write. */
#include <errno.h>
#include <yaml.h>

#include "shared/limits.h"
#include "workers/utils/yaml.h"
#include "workers/utils/yaml_scalar.h"

struct writer {
	const struct json_tree *tree;
	yaml_emitter_t emitter;
	struct strbuf *out;
	size_t max_bytes;
	bool is_full;
	uint32_t open[LIMIT_JSON_DEPTH];
	unsigned depth;
};

static int on_write(void *arg, unsigned char *bytes, size_t len)
{
	struct writer *w = arg;

	if (len > w->max_bytes - w->out->len) {
		w->is_full = true;
		return 0;
	}
	strbuf_add(w->out, bytes, len);
	return 1;
}

/* Text on several lines is readable as a block, where no blank at an edge could be lost. */
static yaml_scalar_style_t style_of(const char *text, size_t len)
{
	const char *newline = memchr(text, '\n', len);

	if (!newline)
		return YAML_ANY_SCALAR_STYLE;
	if (newline == text || text[0] == ' ' || text[0] == '\t' || memchr(text, '\r', len))
		return YAML_DOUBLE_QUOTED_SCALAR_STYLE;
	return YAML_LITERAL_SCALAR_STYLE;
}

static bool emit_text(struct writer *w, struct jspan string)
{
	auto_strbuf text = { 0 };
	yaml_event_t event;
	const char *at;

	(void)jspan_get_str(string, &text);
	at = strbuf_get(&text);
	return yaml_scalar_event_initialize(&event, NULL, NULL, (const yaml_char_t *)at,
		       (int)text.len, yaml_is_plain_text(at, text.len), 1,
		       style_of(at, text.len)) &&
	       yaml_emitter_emit(&w->emitter, &event);
}

/* A number, true, false, null: as they stand. */
static bool emit_plain(struct writer *w, struct jspan value)
{
	yaml_event_t event;

	return yaml_scalar_event_initialize(&event, NULL, NULL, (const yaml_char_t *)value.at,
		       (int)value.len, 1, 0, YAML_PLAIN_SCALAR_STYLE) &&
	       yaml_emitter_emit(&w->emitter, &event);
}

static bool emit_start(struct writer *w, bool is_object)
{
	yaml_event_t event;
	int ok = is_object ? yaml_mapping_start_event_initialize(
				     &event, NULL, NULL, 1, YAML_BLOCK_MAPPING_STYLE)
			   : yaml_sequence_start_event_initialize(
				     &event, NULL, NULL, 1, YAML_BLOCK_SEQUENCE_STYLE);

	return ok && yaml_emitter_emit(&w->emitter, &event);
}

static bool emit_end(struct writer *w, bool is_object)
{
	yaml_event_t event;
	int ok = is_object ? yaml_mapping_end_event_initialize(&event)
			   : yaml_sequence_end_event_initialize(&event);

	return ok && yaml_emitter_emit(&w->emitter, &event);
}

static bool is_object(const struct writer *w, uint32_t node)
{
	return jspan_type(json_tree_value(w->tree, node)) == JSPAN_OBJECT;
}

/* The value; of an object or array with children only the start. */
static bool emit_value(struct writer *w, uint32_t node)
{
	struct jspan value = json_tree_value(w->tree, node);
	struct jspan name = json_tree_name(w->tree, node);
	enum jspan_type type = jspan_type(value);

	if (name.len && !emit_text(w, name))
		return false;
	if (type == JSPAN_STRING)
		return emit_text(w, value);
	if (type != JSPAN_OBJECT && type != JSPAN_ARRAY)
		return emit_plain(w, value);
	if (!emit_start(w, type == JSPAN_OBJECT))
		return false;
	if (!w->tree->nodes[node].child)
		return emit_end(w, type == JSPAN_OBJECT);
	w->open[w->depth++] = node;
	return true;
}

static bool emit_tree(struct writer *w)
{
	const struct json_node *nodes = w->tree->nodes;
	uint32_t node = 0;

	for (;;) {
		if (!emit_value(w, node))
			return false;
		if (nodes[node].child) {
			node = nodes[node].child;
			continue;
		}
		while (w->depth && !nodes[node].next) {
			node = w->open[--w->depth];
			if (!emit_end(w, is_object(w, node)))
				return false;
		}
		if (w->depth == 0)
			return true;
		node = nodes[node].next;
	}
}

static bool emit_stream(struct writer *w)
{
	yaml_event_t event;

	return yaml_stream_start_event_initialize(&event, YAML_UTF8_ENCODING) &&
	       yaml_emitter_emit(&w->emitter, &event) &&
	       yaml_document_start_event_initialize(&event, NULL, NULL, NULL, 1) &&
	       yaml_emitter_emit(&w->emitter, &event) && emit_tree(w) &&
	       yaml_document_end_event_initialize(&event, 1) &&
	       yaml_emitter_emit(&w->emitter, &event) && yaml_stream_end_event_initialize(&event) &&
	       yaml_emitter_emit(&w->emitter, &event);
}

int yaml_from_json(
	const struct json_tree *tree, size_t max_bytes, struct strbuf *out, struct failure *fail)
{
	struct writer w = { .tree = tree, .out = out, .max_bytes = max_bytes };
	bool ok;

	if (!yaml_emitter_initialize(&w.emitter))
		return failure_set(fail, "internal", "there is not enough memory");
	yaml_emitter_set_output(&w.emitter, on_write, &w);
	yaml_emitter_set_unicode(&w.emitter, 1);
	yaml_emitter_set_width(&w.emitter, -1);
	ok = emit_stream(&w);
	if (!ok && w.is_full)
		failure_set(fail, "too_large", "the YAML has more than %zu bytes", max_bytes);
	else if (!ok)
		failure_set(fail, "internal", "the YAML cannot be written: %s",
			w.emitter.problem ? w.emitter.problem : "no memory");
	yaml_emitter_delete(&w.emitter);
	return ok ? 0 : -EINVAL;
}
