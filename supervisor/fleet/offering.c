/* See offering.h. */
#include "supervisor/fleet/offering.h"

#include <errno.h>
#include <stddef.h>

static const struct {
	const char *name;
	size_t offset;
} lists[] = {
	{ "info", offsetof(struct offering, info) },
	{ "tools", offsetof(struct offering, tools) },
	{ "resources", offsetof(struct offering, resources) },
	{ "templates", offsetof(struct offering, templates) },
	{ "prompts", offsetof(struct offering, prompts) },
};

static json_t **list_at(struct offering *offering, size_t i)
{
	return (json_t **)(void *)((char *)offering + lists[i].offset);
}

void offering_done(struct offering *offering)
{
	for (size_t i = 0; i < N_ELEMENTS(lists); i++)
		json_decref(*list_at(offering, i));
	*offering = (struct offering){ 0 };
}

void offering_drop_lists(struct offering *offering)
{
	for (size_t i = 1; i < N_ELEMENTS(lists); i++) { /* all but info */
		json_decref(*list_at(offering, i));
		*list_at(offering, i) = NULL;
	}
}

bool offering_is_modern_only(const struct offering *offering)
{
	return offering->takes_modern && !offering->takes_legacy;
}

json_t *offering_get_capability(const struct offering *offering, const char *name)
{
	return json_object_get(json_object_get(offering->info, "capabilities"), name);
}

char *offering_to_text(const struct offering *offering)
{
	struct offering copy = *offering;
	json_auto_t *json = json_pack("{s:b, s:b}", "takes_legacy", (int)offering->takes_legacy,
		"takes_modern", (int)offering->takes_modern);

	for (size_t i = 0; i < N_ELEMENTS(lists); i++)
		if (*list_at(&copy, i))
			(void)json_object_set(json, lists[i].name, *list_at(&copy, i));
	return json_dumps(json, JSON_COMPACT);
}

int offering_from_text(const char *text, struct offering *ret)
{
	json_auto_t *json = json_loads(text, JSON_ALLOW_NUL, NULL);

	*ret = (struct offering){ 0 };
	if (!json_is_object(json) || !json_is_object(json_object_get(json, "info")))
		return -EBADMSG;
	for (size_t i = 0; i < N_ELEMENTS(lists); i++) {
		json_t *list = json_object_get(json, lists[i].name);

		if (list && i > 0 && !json_is_array(list)) {
			offering_done(ret);
			return -EBADMSG;
		}
		*list_at(ret, i) = json_incref(list);
	}
	ret->takes_legacy = json_is_true(json_object_get(json, "takes_legacy"));
	ret->takes_modern = json_is_true(json_object_get(json, "takes_modern"));
	return 0;
}
