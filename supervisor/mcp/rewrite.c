/* See rewrite.h. */
#include "supervisor/mcp/rewrite.h"

void rewrite_uri(struct splices *splices, const struct catalog_naming *naming, struct jspan object)
{
	struct jspan uri = jspan_member(object, "uri", NULL);
	auto_strbuf worker_uri = { 0 };
	auto_strbuf client_uri = { 0 };
	auto_strbuf json = { 0 };

	if (!jspan_get_str(uri, &worker_uri) || strlen(strbuf_get(&worker_uri)) != worker_uri.len)
		return;
	catalog_add_client_uri(naming, strbuf_get(&worker_uri), &client_uri);
	strbuf_add_json(&json, strbuf_get(&client_uri), client_uri.len);
	splice_replace(splices, uri, json.data, json.len);
}

static void rewrite_block(
	struct splices *splices, const struct catalog_naming *naming, struct jspan block)
{
	struct jspan type = jspan_member(block, "type", NULL);

	if (jspan_is(type, "resource_link"))
		rewrite_uri(splices, naming, block);
	else if (jspan_is(type, "resource"))
		rewrite_uri(splices, naming, jspan_member(block, "resource", NULL));
}

/* `content` is a list of blocks, or one. */
static void rewrite_content(
	struct splices *splices, const struct catalog_naming *naming, struct jspan content)
{
	struct jspan block;
	size_t cursor = 0;

	if (jspan_type(content) == JSPAN_OBJECT)
		rewrite_block(splices, naming, content);
	else if (jspan_type(content) == JSPAN_ARRAY)
		while (jspan_next(content, &cursor, NULL, &block))
			rewrite_block(splices, naming, block);
}

static void each_in(struct splices *splices, const struct catalog_naming *naming, struct jspan list,
	bool are_messages)
{
	struct jspan item;
	size_t cursor = 0;

	if (jspan_type(list) != JSPAN_ARRAY)
		return;
	while (jspan_next(list, &cursor, NULL, &item)) {
		if (are_messages)
			rewrite_content(splices, naming, jspan_member(item, "content", NULL));
		else
			rewrite_uri(splices, naming, item);
	}
}

void rewrite_result(
	struct splices *splices, const struct catalog_naming *naming, struct jspan result)
{
	rewrite_content(splices, naming, jspan_member(result, "content", NULL));
	each_in(splices, naming, jspan_member(result, "messages", NULL), true);
	each_in(splices, naming, jspan_member(result, "contents", NULL), false);
}
