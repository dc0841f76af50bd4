/* See offering.h. */
#include "supervisor/fleet/offering.h"

#include <errno.h>
#include <stddef.h>

#include "shared/alloc.h"

static const struct {
	const char *name;
	size_t offset;
} lists[] = {
	{ "tools", offsetof(struct offering, tools) },
	{ "resources", offsetof(struct offering, resources) },
	{ "templates", offsetof(struct offering, templates) },
	{ "prompts", offsetof(struct offering, prompts) },
};

static char **list_at(struct offering *offering, size_t i)
{
	return (char **)(void *)((char *)offering + lists[i].offset);
}

void offering_drop_lists(struct offering *offering)
{
	for (size_t i = 0; i < N_ELEMENTS(lists); i++)
		free(TAKE(*list_at(offering, i)));
}

void offering_done(struct offering *offering)
{
	offering_drop_lists(offering);
	json_decref(offering->info);
	*offering = (struct offering){ 0 };
}

/* The text between the brackets of an array, without blanks at its edges: empty when it is. */
static struct jspan inside(struct jspan array)
{
	static const char blanks[] = " \t\r\n";
	struct jspan text = { array.at + 1, array.len - 2 };

	while (text.len > 0 && strchr(blanks, text.at[0])) {
		text.at++;
		text.len--;
	}
	while (text.len > 0 && strchr(blanks, text.at[text.len - 1]))
		text.len--;
	return text;
}

void offering_add_page(char **list, struct jspan page)
{
	struct jspan items = inside(page);
	size_t len = *list ? strlen(*list) - 1 : 1; /* without the bracket at the end */
	char *at;

	*list = alloc_resize(*list, len + items.len + 3, 1);
	(*list)[0] = '[';
	at = *list + len;
	if (len > 1 && items.len > 0)
		*at++ = ',';
	memcpy(at, items.at, items.len);
	jspan_one_line(at, items.len);
	at[items.len] = ']';
	at[items.len + 1] = '\0';
}

size_t offering_count(const char *list)
{
	struct jspan array = { list, list ? strlen(list) : 0 };
	struct jspan item;
	size_t cursor = 0;
	size_t n = 0;

	while (list && jspan_next(array, &cursor, NULL, &item))
		n++;
	return n;
}

bool offering_is_modern_only(const struct offering *offering)
{
	return offering->takes_modern && !offering->takes_legacy;
}

json_t *offering_get_capability(const struct offering *offering, const char *name)
{
	return json_object_get(json_object_get(offering->info, "capabilities"), name);
}

static const char *word_of(bool value)
{
	return value ? "true" : "false";
}

char *offering_to_text(const struct offering *offering)
{
	struct offering copy = *offering;
	auto_free char *info = json_dumps(offering->info, JSON_COMPACT | JSON_SORT_KEYS);
	auto_strbuf text = { 0 };

	if (offering->info && !info)
		return NULL;
	strbuf_addf(&text, "{\"info\":%s", info ? info : "{}");
	for (size_t i = 0; i < N_ELEMENTS(lists); i++)
		if (*list_at(&copy, i))
			strbuf_addf(&text, ",\"%s\":%s", lists[i].name, *list_at(&copy, i));
	strbuf_addf(&text, ",\"takes_legacy\":%s,\"takes_modern\":%s}",
		word_of(offering->takes_legacy), word_of(offering->takes_modern));
	return strbuf_take(&text);
}

static int read_members(struct jspan all, struct offering *into)
{
	struct jspan info = jspan_member(all, "info", NULL);

	if (jspan_type(info) != JSPAN_OBJECT)
		return -EBADMSG;
	into->info = json_loadb(info.at, info.len, JSON_ALLOW_NUL, NULL);
	if (!into->info)
		return -EBADMSG;
	for (size_t i = 0; i < N_ELEMENTS(lists); i++) {
		struct jspan list = jspan_member(all, lists[i].name, NULL);

		if (list.at && jspan_type(list) != JSPAN_ARRAY)
			return -EBADMSG;
		if (list.at)
			offering_add_page(list_at(into, i), list);
	}
	(void)jspan_get_bool(jspan_member(all, "takes_legacy", NULL), &into->takes_legacy);
	(void)jspan_get_bool(jspan_member(all, "takes_modern", NULL), &into->takes_modern);
	return 0;
}

int offering_from_text(const char *text, struct offering *ret)
{
	struct offering offering = { 0 };
	struct jspan all;
	int r = jspan_check(text, strlen(text), &all, NULL);

	if (r == 0)
		r = read_members(all, &offering);
	if (r < 0) {
		offering_done(&offering);
		*ret = offering;
		return -EBADMSG;
	}
	*ret = offering;
	return 0;
}
