/* See catalog_item.h. */
#include "supervisor/mcp/catalog_item.h"

/* A member that is to be written anew, in the place where it stood, or at the end. */
struct member {
	const char *name;
	const char *json;
	bool is_written;
};

enum { MAX_MEMBERS = CONF_HINTS + 1 };

struct members {
	struct member items[MAX_MEMBERS];
	struct strbuf texts[MAX_MEMBERS];
	size_t n;
};

static void members_done(struct members *members)
{
	for (size_t i = 0; i < members->n; i++)
		strbuf_done(&members->texts[i]);
}

static void add_member(struct members *members, const char *name, struct strbuf *json)
{
	members->texts[members->n] = *json;
	members->items[members->n] = (struct member){ name, strbuf_get(json), false };
	members->n++;
	*json = (struct strbuf){ 0 };
}

static void add_text(struct members *members, const char *name, const char *text)
{
	struct strbuf json = { 0 };

	if (!text)
		return;
	strbuf_add_json(&json, text, strlen(text));
	add_member(members, name, &json);
}

static struct member *find_member(struct members *members, struct jspan name)
{
	for (size_t i = 0; i < members->n; i++)
		if (jspan_is(name, members->items[i].name))
			return &members->items[i];
	return NULL;
}

static void add_pair(struct strbuf *out, bool *first, struct jspan name, struct jspan value)
{
	if (!*first)
		strbuf_addc(out, ',');
	*first = false;
	strbuf_add(out, name.at, name.len);
	strbuf_addc(out, ':');
	strbuf_add(out, value.at, value.len);
}

/* Members that come twice and are replaced come once. Absent `object`: as {}. */
static void write_object(struct strbuf *out, struct jspan object, struct members *members)
{
	struct jspan name, value;
	size_t cursor = 0;
	bool first = true;

	strbuf_addc(out, '{');
	while (jspan_type(object) == JSPAN_OBJECT && jspan_next(object, &cursor, &name, &value)) {
		struct member *member = find_member(members, name);

		if (member && member->is_written)
			continue;
		if (member) {
			value = (struct jspan){ member->json, strlen(member->json) };
			member->is_written = true;
		}
		add_pair(out, &first, name, value);
	}
	for (size_t i = 0; i < members->n; i++) {
		if (members->items[i].is_written)
			continue;
		strbuf_addf(out, "%s\"%s\":%s", first ? "" : ",", members->items[i].name,
			members->items[i].json);
		first = false;
	}
	strbuf_addc(out, '}');
}

static void add_annotations(
	struct members *members, struct jspan item, const struct conf_override *override)
{
	auto_(members_done) struct members hints = { 0 };
	struct strbuf json = { 0 };

	add_text(&hints, "title", override->annotations_title);
	for (int i = 0; i < CONF_HINTS; i++) {
		struct strbuf value = { 0 };

		if (override->hints[i] == CONF_HINT_UNSET)
			continue;
		strbuf_adds(&value, override->hints[i] == CONF_HINT_TRUE ? "true" : "false");
		add_member(&hints, conf_hint_names[i], &value);
	}
	if (hints.n == 0)
		return;
	write_object(&json, jspan_member(item, "annotations", NULL), &hints);
	add_member(members, "annotations", &json);
}

void catalog_write_item(struct jspan item, const char *key, const char *name,
	const struct conf_override *override, struct strbuf *out)
{
	auto_(members_done) struct members members = { 0 };

	add_text(&members, key, name);
	if (override) {
		add_text(&members, "title", override->title);
		add_text(&members, "description", override->description);
		add_annotations(&members, item, override);
	}
	write_object(out, item, &members);
}

bool catalog_has_hint(struct jspan tool, const char *hint)
{
	bool value = false;

	return jspan_get_bool(
		       jspan_member(jspan_member(tool, "annotations", NULL), hint, NULL), &value) &&
	       value;
}
