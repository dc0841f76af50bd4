/* See yaml_out.h. libyaml's emitter writes; which style a text needs is decided here, so that it stays a text
 * for every reader of YAML 1.1 and 1.2, not for the loader alone. */
#include "ctl/yaml_out.h"

#include <yaml.h>

#include "shared/alloc.h"
#include "shared/ascii.h"

static int add_bytes(void *arg, unsigned char *bytes, size_t len)
{
	strbuf_add(arg, bytes, len);
	return 1;
}

/* Only running out of memory makes an event fail: the tree is sound. */
static void emit(yaml_emitter_t *emitter, yaml_event_t *event, int is_made)
{
	if (!is_made || !yaml_emitter_emit(emitter, event))
		abort();
}

static bool is_word(const char *text)
{
	static const char *const words[] = { "null", "true", "false", "yes", "no", "on", "off", "y",
		"n" };

	for (size_t i = 0; i < N_ELEMENTS(words); i++) {
		if (strcasecmp(text, words[i]) == 0)
			return true;
	}
	return false;
}

/* Needs no quotes: begins with a letter, / or _, and holds nothing that means anything in YAML. */
static bool is_plain(const char *text)
{
	if (!ascii_is_letter(*text) && *text != '/' && *text != '_')
		return false;
	for (const char *c = text; *c; c++) {
		if (!ascii_is_letter(*c) && !ascii_is_digit(*c) && !strchr("/_.-+@=", *c))
			return false;
	}
	return !is_word(text);
}

static void add_text(yaml_emitter_t *emitter, const char *text)
{
	bool plain = is_plain(text);
	yaml_scalar_style_t style =
		plain ? YAML_PLAIN_SCALAR_STYLE : YAML_DOUBLE_QUOTED_SCALAR_STYLE;
	auto_free char *copy = alloc_str(text);
	yaml_event_t event;

	emit(emitter, &event,
		yaml_scalar_event_initialize(&event, NULL, NULL, (yaml_char_t *)copy,
			(int)strlen(copy), plain, 1, style));
}

static void add_node(yaml_emitter_t *emitter, json_t *node);

static void add_map(yaml_emitter_t *emitter, json_t *object)
{
	yaml_event_t event;
	const char *name;
	json_t *value;

	emit(emitter, &event,
		yaml_mapping_start_event_initialize(
			&event, NULL, NULL, 1, YAML_BLOCK_MAPPING_STYLE));
	json_object_foreach(object, name, value) {
		add_text(emitter, name);
		add_node(emitter, value);
	}
	emit(emitter, &event, yaml_mapping_end_event_initialize(&event));
}

static void add_list(yaml_emitter_t *emitter, json_t *array)
{
	yaml_event_t event;

	emit(emitter, &event,
		yaml_sequence_start_event_initialize(
			&event, NULL, NULL, 1, YAML_FLOW_SEQUENCE_STYLE));
	for (size_t i = 0; i < json_array_size(array); i++)
		add_node(emitter, json_array_get(array, i));
	emit(emitter, &event, yaml_sequence_end_event_initialize(&event));
}

static void add_node(yaml_emitter_t *emitter, json_t *node)
{
	if (json_is_object(node))
		add_map(emitter, node);
	else if (json_is_array(node))
		add_list(emitter, node);
	else
		add_text(emitter, json_string_value(node));
}

void yaml_print(struct strbuf *out, json_t *tree)
{
	yaml_emitter_t emitter;
	yaml_event_t event;

	if (!yaml_emitter_initialize(&emitter))
		abort();
	yaml_emitter_set_output(&emitter, add_bytes, out);
	yaml_emitter_set_unicode(&emitter, 1);
	yaml_emitter_set_width(&emitter, -1); /* a broken line is one more thing to get wrong */
	emit(&emitter, &event, yaml_stream_start_event_initialize(&event, YAML_UTF8_ENCODING));
	emit(&emitter, &event, yaml_document_start_event_initialize(&event, NULL, NULL, NULL, 1));
	add_node(&emitter, tree);
	emit(&emitter, &event, yaml_document_end_event_initialize(&event, 1));
	emit(&emitter, &event, yaml_stream_end_event_initialize(&event));
	yaml_emitter_delete(&emitter);
}
