/* See schema.h. Here are the two kinds of schema; the decoder is schema_decode.c. */
#include "shared/schema.h"

#include <string.h>

#include "shared/cleanup.h"

static json_t *object_of(const struct param *params);

/* A bound as JSON: whole numbers without a fraction. */
static json_t *number(double value)
{
	if (value >= -9e15 && value <= 9e15 && value == (double)(int64_t)value)
		return json_integer((int64_t)value);
	return json_real(value);
}

static const char *json_type_of(const struct param *p)
{
	switch (p->type) {
	case PARAM_BOOL:
		return "boolean";
	case PARAM_INT:
	case PARAM_OPT_INT:
		return "integer";
	case PARAM_NUM:
	case PARAM_OPT_NUM:
		return "number";
	case PARAM_STR:
		return "string";
	case PARAM_STR_LIST:
		return "array";
	case PARAM_JSON:
		return p->items ? "array" : p->json_type;
	}
	return NULL;
}

static void add_bounds(json_t *schema, const struct param *p, const char *min, const char *max)
{
	if (p->has_min && p->min > 0)
		(void)json_object_set_new(schema, min, json_integer(p->min));
	if (p->has_max)
		(void)json_object_set_new(schema, max, json_integer(p->max));
}

static void add_range(json_t *schema, const struct param *p)
{
	if (p->has_min)
		(void)json_object_set_new(schema, "minimum", number((double)p->min + p->min_num));
	if (p->has_max)
		(void)json_object_set_new(schema, "maximum", number((double)p->max + p->max_num));
}

static json_t *enum_of(const char *const *choices)
{
	json_t *list = json_array();

	for (; *choices; choices++)
		(void)json_array_append_new(list, json_string(*choices));
	return list;
}

static json_t *items_of(const struct param *p)
{
	return p->items ? object_of(p->items) : json_pack("{s:s}", "type", "string");
}

/* The keywords that depend on the type. */
static void add_limits(json_t *schema, const struct param *p)
{
	switch (p->type) {
	case PARAM_BOOL:
		return;
	case PARAM_INT:
	case PARAM_OPT_INT:
	case PARAM_NUM:
	case PARAM_OPT_NUM:
		add_range(schema, p);
		return;
	case PARAM_STR:
		if (p->choices)
			(void)json_object_set_new(schema, "enum", enum_of(p->choices));
		add_bounds(schema, p, "minLength", "maxLength");
		return;
	case PARAM_STR_LIST:
		(void)json_object_set_new(schema, "items", items_of(p));
		add_bounds(schema, p, "minItems", "maxItems");
		return;
	case PARAM_JSON:
		if (p->items)
			(void)json_object_set_new(schema, "items", items_of(p));
		if (p->items || (p->json_type && strcmp(p->json_type, "array") == 0))
			add_bounds(schema, p, "minItems", "maxItems");
		return;
	}
}

/* NULL: the schema shows none. */
static json_t *default_of(const struct param *p)
{
	if (p->required || p->no_default)
		return NULL;
	switch (p->type) {
	case PARAM_BOOL:
		return json_boolean(p->def_bool);
	case PARAM_INT:
		return json_integer(p->def_int);
	case PARAM_NUM:
		return number(p->def_num);
	case PARAM_STR:
		return p->def_str ? json_string(p->def_str) : NULL;
	case PARAM_OPT_INT:
	case PARAM_OPT_NUM:
	case PARAM_STR_LIST:
	case PARAM_JSON:
		return NULL;
	}
	return NULL;
}

static json_t *property_of(const struct param *p)
{
	const char *type = json_type_of(p);
	json_t *schema = json_object();
	json_t *def = default_of(p);

	if (type)
		(void)json_object_set_new(schema, "type", json_string(type));
	if (p->doc)
		(void)json_object_set_new(schema, "description", json_string(p->doc));
	add_limits(schema, p);
	if (def)
		(void)json_object_set_new(schema, "default", def);
	return schema;
}

static json_t *object_of(const struct param *params)
{
	json_t *properties = json_object();
	json_t *required = json_array();
	json_t *schema = json_pack("{s:s, s:o}", "type", "object", "properties", properties);

	for (const struct param *p = params; p && p->name; p++) {
		(void)json_object_set_new(properties, p->name, property_of(p));
		if (p->required)
			(void)json_array_append_new(required, json_string(p->name));
	}
	if (json_array_size(required))
		(void)json_object_set(schema, "required", required);
	json_decref(required);
	(void)json_object_set_new(schema, "additionalProperties", json_false());
	return schema;
}

json_t *schema_of_params(const struct param *params)
{
	return object_of(params);
}

/* The notation of results: a cursor that moves over the text. */

enum { RESULT_NAME_SIZE = 65, RESULT_MAX_DEPTH = 8 };

static json_t *parse_fields(const char **at, char end, int depth);

static void skip_blanks(const char **at)
{
	*at += strspn(*at, " \t\n");
}

static bool take(const char **at, const char *text)
{
	size_t len = strlen(text);

	skip_blanks(at);
	if (strncmp(*at, text, len) != 0)
		return false;
	*at += len;
	return true;
}

static bool take_word(const char **at, char ret[RESULT_NAME_SIZE])
{
	size_t len;

	skip_blanks(at);
	len = strspn(*at, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");
	if (len == 0 || len >= RESULT_NAME_SIZE)
		return false;
	memcpy(ret, *at, len);
	ret[len] = '\0';
	*at += len;
	return true;
}

static json_t *parse_plain_type(const char **at)
{
	static const char *const types[] = { "string", "integer", "number", "boolean", "object" };
	char word[RESULT_NAME_SIZE];

	if (!take_word(at, word))
		return NULL;
	if (strcmp(word, "any") == 0)
		return json_object();
	for (size_t i = 0; i < N_ELEMENTS(types); i++)
		if (strcmp(word, types[i]) == 0)
			return json_pack("{s:s}", "type", types[i]);
	return NULL;
}

static json_t *parse_type(const char **at, int depth)
{
	json_t *type;

	if (depth > RESULT_MAX_DEPTH)
		return NULL;
	type = take(at, "{") ? parse_fields(at, '}', depth + 1) : parse_plain_type(at);
	while (type && take(at, "[]"))
		type = json_pack("{s:s, s:o}", "type", "array", "items", type);
	return type;
}

static bool parse_field(const char **at, json_t *properties, json_t *required, int depth)
{
	char name[RESULT_NAME_SIZE];
	json_t *type;

	if (!take_word(at, name) || json_object_get(properties, name))
		return false;
	if (!take(at, "?"))
		(void)json_array_append_new(required, json_string(name));
	type = parse_type(at, depth);
	return type && json_object_set_new(properties, name, type) == 0;
}

/* Whether the list is complete: behind it comes `end` ('\0': nothing). */
static bool parse_list(const char **at, char end, json_t *properties, json_t *required, int depth)
{
	const char closing[2] = { end, '\0' };

	skip_blanks(at);
	while (**at != end) {
		if (!parse_field(at, properties, required, depth))
			return false;
		if (!take(at, ","))
			break;
	}
	skip_blanks(at);
	return end ? take(at, closing) : **at == '\0';
}

static json_t *parse_fields(const char **at, char end, int depth)
{
	json_auto_t *properties = json_object();
	json_auto_t *required = json_array();
	json_t *schema;

	if (!parse_list(at, end, properties, required, depth))
		return NULL;
	schema = json_pack("{s:s, s:O}", "type", "object", "properties", properties);
	if (json_array_size(required))
		(void)json_object_set(schema, "required", required);
	return schema;
}

json_t *schema_of_result(const char *notation)
{
	return notation ? parse_fields(&notation, '\0', 0) : NULL;
}
