/* See toolset.h. */
#include "workers/registrar/toolset.h"

#include <stdio.h>

#include "shared/cleanup.h"

static const char *text_of(json_t *object, const char *camel, const char *snake)
{
	const char *text = json_string_value(json_object_get(object, camel));

	return text ? text : json_string_value(json_object_get(object, snake));
}

/* Name → what is shown of it. */
static json_t *by_name(json_t *theirs)
{
	json_t *names = json_object();
	json_t *tool;
	size_t i;

	json_array_foreach(theirs, i, tool) {
		const char *name = text_of(tool, "originalName", "original_name");

		if (name)
			(void)json_object_set(names, name, tool);
	}
	return names;
}

static bool is_same_tool(json_t *ours, json_t *theirs)
{
	const char *description = json_string_value(json_object_get(ours, "description"));
	const char *shown = text_of(theirs, "originalDescription", "original_description");
	json_t *schema = json_object_get(theirs, "inputSchema");

	if (!schema)
		schema = json_object_get(theirs, "input_schema");
	return streq(description ? description : "", shown ? shown : "") &&
	       json_equal(json_object_get(ours, "inputSchema"), schema);
}

bool toolset_compare(json_t *ours, json_t *theirs, struct toolset *ret)
{
	json_auto_t *names = NULL;
	json_t *tool;
	size_t i;

	*ret = (struct toolset){ .is_same = true };
	if (!json_is_array(theirs))
		return false;
	names = by_name(theirs);
	json_array_foreach(ours, i, tool) {
		const char *name = json_string_value(json_object_get(tool, "name"));
		json_t *found = json_object_get(names, name ? name : "");

		if (found)
			ret->n_found++;
		else if (!ret->first_missing[0])
			(void)snprintf(ret->first_missing, sizeof(ret->first_missing), "%s",
				name ? name : "");
		ret->is_same = ret->is_same && found && is_same_tool(tool, found);
	}
	ret->n_extra = (int64_t)json_array_size(theirs) - ret->n_found;
	ret->is_same = ret->is_same && ret->n_extra == 0;
	return true;
}

json_t *toolset_ids(json_t *theirs)
{
	json_t *ids = json_array();
	json_t *tool;
	size_t i;

	json_array_foreach(theirs, i, tool) {
		json_t *id = json_object_get(tool, "id");
		json_t *enabled = json_object_get(tool, "enabled");

		if (json_is_string(id))
			(void)json_array_append_new(
				ids, json_pack("{s:O, s:b}", "id", id, "enabled",
					     !json_is_false(enabled)));
	}
	return ids;
}
