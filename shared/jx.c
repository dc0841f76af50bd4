/* See jx.h. */
#include "shared/jx.h"

#include <stdio.h>

#include "shared/alloc.h"

void jx_real_text(char ret[32], double value)
{
	for (int digits = 15; digits <= 17; digits++) {
		(void)snprintf(ret, 32, "%.*g", digits, value);
		if (strtod(ret, NULL) == value)
			break;
	}
}

static void dump_object(struct strbuf *out, json_t *object)
{
	bool first = true;
	const char *key;
	json_t *value;

	strbuf_addc(out, '{');
	json_object_foreach(object, key, value) {
		if (!first)
			strbuf_addc(out, ',');
		first = false;
		strbuf_add_json(out, key, strlen(key));
		strbuf_addc(out, ':');
		jx_dump(out, value);
	}
	strbuf_addc(out, '}');
}

static void dump_array(struct strbuf *out, json_t *array)
{
	strbuf_addc(out, '[');
	for (size_t i = 0; i < json_array_size(array); i++) {
		if (i > 0)
			strbuf_addc(out, ',');
		jx_dump(out, json_array_get(array, i));
	}
	strbuf_addc(out, ']');
}

void jx_dump(struct strbuf *out, json_t *value)
{
	char number[32];

	switch (json_typeof(value)) {
	case JSON_OBJECT:
		dump_object(out, value);
		return;
	case JSON_ARRAY:
		dump_array(out, value);
		return;
	case JSON_STRING:
		strbuf_add_json(out, json_string_value(value), json_string_length(value));
		return;
	case JSON_INTEGER:
		(void)snprintf(
			number, sizeof(number), "%" JSON_INTEGER_FORMAT, json_integer_value(value));
		strbuf_adds(out, number);
		return;
	case JSON_REAL:
		jx_real_text(number, json_real_value(value));
		strbuf_adds(out, number);
		/* It stays a real number for whoever reads it. */
		if (!strpbrk(number, ".e"))
			strbuf_adds(out, ".0");
		return;
	case JSON_TRUE:
		strbuf_adds(out, "true");
		return;
	case JSON_FALSE:
		strbuf_adds(out, "false");
		return;
	case JSON_NULL:
		strbuf_adds(out, "null");
		return;
	}
}

json_t *jx_text(const char *text)
{
	json_t *json = text && *text ? json_string(text) : NULL;

	return json ? json : json_null();
}
