/* See record.h. */
#include "workers/registrar/record.h"

#include "shared/alloc.h"

enum { MAX_TAGS = 100 };

/* As the gateway writes the names, or in snake_case. */
static json_t *get(json_t *json, const char *camel, const char *snake)
{
	json_t *value = json_object_get(json, camel);

	return value ? value : json_object_get(json, snake);
}

/* "" where it is absent or no text. */
static char *get_text(json_t *json, const char *camel, const char *snake)
{
	const char *text = json_string_value(get(json, camel, snake));

	return alloc_str(text ? text : "");
}

static bool get_bool(json_t *json, const char *name, bool otherwise)
{
	json_t *value = json_object_get(json, name);

	return json_is_boolean(value) ? json_is_true(value) : otherwise;
}

/* Tags come as {"id", "label"}, in older releases as texts. */
static json_t *get_tags(json_t *json)
{
	json_t *tags = json_array();
	json_t *tag;
	size_t i;

	json_array_foreach(json_object_get(json, "tags"), i, tag) {
		json_t *text = json_is_object(tag) ? json_object_get(tag, "id") : tag;

		if (json_is_string(text) && json_array_size(tags) < MAX_TAGS)
			(void)json_array_append(tags, text);
	}
	return tags;
}

static bool is_set(json_t *value)
{
	return json_string_length(value) > 0;
}

bool record_read(json_t *json, struct record *ret)
{
	json_t *skipped = get(json, "skippedTools", "skipped_tools");

	*ret = (struct record){
		.id = get_text(json, "id", "id"),
		.name = get_text(json, "name", "name"),
		.slug = get_text(json, "slug", "slug"),
		.url = get_text(json, "url", "url"),
		.transport = get_text(json, "transport", "transport"),
		.description = get_text(json, "description", "description"),
		.visibility = get_text(json, "visibility", "visibility"),
		.status = get_text(json, "status", "status"),
		.auth_type = get_text(json, "authType", "auth_type"),
		.created_at = get_text(json, "createdAt", "created_at"),
		.last_seen = get_text(json, "lastSeen", "last_seen"),
		.last_error = get_text(json, "lastError", "last_error"),
		.tags = get_tags(json),
		.skipped = json_array_size(skipped) > 0 ? json_incref(skipped) : NULL,
		.has_token = is_set(get(json, "authToken", "auth_token")),
		.has_ca = is_set(get(json, "caCertificate", "ca_certificate")),
		.is_enabled = get_bool(json, "enabled", true),
		.is_reachable = get_bool(json, "reachable", true),
		.n_tools = json_integer_value(get(json, "toolCount", "tool_count")),
		.version = json_integer_value(json_object_get(json, "version")),
	};
	return *ret->id != '\0' && strlen(ret->id) <= 64 &&
	       strspn(ret->id, "0123456789abcdefABCDEF-") == strlen(ret->id);
}

void record_done(struct record *record)
{
	free(record->id);
	free(record->name);
	free(record->slug);
	free(record->url);
	free(record->transport);
	free(record->description);
	free(record->visibility);
	free(record->status);
	free(record->auth_type);
	free(record->created_at);
	free(record->last_seen);
	free(record->last_error);
	json_decref(record->tags);
	json_decref(record->skipped);
	*record = (struct record){ 0 };
}

bool records_read(json_t *json, struct records *ret)
{
	json_t *list = json_is_object(json) ? json_object_get(json, "gateways") : json;
	size_t n = json_array_size(list) < RECORD_MAX ? json_array_size(list) : RECORD_MAX;

	*ret = (struct records){ 0 };
	if (!json_is_array(list))
		return false;
	if (n > 0)
		ret->items = alloc_resize(NULL, n, sizeof(*ret->items));
	for (size_t i = 0; i < n; i++)
		if (record_read(json_array_get(list, i), &ret->items[ret->n]))
			ret->n++;
		else
			record_done(&ret->items[ret->n]);
	return true;
}

void records_done(struct records *records)
{
	for (size_t i = 0; i < records->n; i++)
		record_done(&records->items[i]);
	free(records->items);
	*records = (struct records){ 0 };
}

bool record_has_tag(const struct record *record, const char *tag)
{
	json_t *each;
	size_t i;

	json_array_foreach(record->tags, i, each)
		if (streq(json_string_value(each), tag))
			return true;
	return false;
}
