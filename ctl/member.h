/* Members of what the daemon answers. They are foreign: what is missing or of another type reads as nothing. */
#pragma once

#include <jansson.h>
#include <stdint.h>
#include <string.h>

static inline const char *member_text(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "";
}

static inline int64_t member_int(const json_t *object, const char *name)
{
	return (int64_t)json_integer_value(json_object_get(object, name));
}

/* The item of a list whose member `name` is `text`; borrowed; NULL: there is none. */
static inline json_t *member_find(const json_t *list, const char *name, const char *text)
{
	size_t i;
	json_t *item;

	json_array_foreach(list, i, item) {
		const char *value = json_string_value(json_object_get(item, name));

		if (value && strcmp(value, text) == 0)
			return item;
	}
	return NULL;
}
