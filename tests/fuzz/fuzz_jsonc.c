/* JSON with comments: what is read lies inside the text; a member put in is there and nothing else changed;
 * taken out again, the text is what it was. */
#include "ctl/jsonc.h"
#include "ctl/jsonc_edit.h"
#include "shared/strbuf.h"
#include "tests/fuzz/fuzz.h"

static const char *const path[] = { "mcpServers", "added by the fuzzer", NULL };

static void check_nodes(const struct jsonc *doc)
{
	for (uint32_t i = 0; i < doc->n; i++) {
		const struct jsonc_node *node = &doc->nodes[i];

		CHECK(node->at < node->end && node->end <= doc->len);
		CHECK(node->name_at <= node->name_end && node->name_end <= node->at);
		CHECK(node->after > i && node->after <= doc->n);
		CHECK(!node->comma || (node->comma >= node->end && doc->text[node->comma] == ','));
	}
}

static json_t *tree_of(const struct strbuf *text)
{
	auto_(jsonc_done) struct jsonc doc = { 0 };
	struct fail fail = { 0 };

	CHECK(jsonc_parse(strbuf_get(text), text->len, &doc, &fail) == 0);
	return jsonc_to_json(&doc, 0, &fail);
}

/* The number of members beside it that the member has; -1: its object is not there. */
static int count_others(const struct jsonc *doc)
{
	static const char *const parent[] = { "mcpServers", NULL };
	uint32_t object = 0;
	int n = 0;

	if (jsonc_find(doc, parent, &object, NULL) < 0)
		return -1;
	for (uint32_t i = jsonc_first(doc, object); i != JSONC_NONE; i = jsonc_next(doc, object, i))
		n++;
	return n;
}

static void check_removal(const struct jsonc *before, const struct strbuf *with, int n_others)
{
	auto_(jsonc_done) struct jsonc doc = { 0 };
	auto_strbuf without = { 0 };
	struct fail fail = { 0 };

	CHECK(jsonc_parse(strbuf_get(with), with->len, &doc, &fail) == 0);
	CHECK(jsonc_unset(&doc, path, &without, &fail) == 0);
	if (n_others > 0)
		CHECK(without.len == before->len &&
			memcmp(strbuf_get(&without), before->text, without.len) == 0);
	json_auto_t *tree = tree_of(&without);
	CHECK(!tree || !json_object_get(json_object_get(tree, path[0]), path[1]));
}

static void check_edit(const struct jsonc *doc)
{
	json_auto_t *value =
		json_pack("{s:s,s:[s,s],s:{}}", "command", "/x", "args", "a\n", "b", "env");
	json_auto_t *old = doc->n ? jsonc_to_json(doc, 0, NULL) : json_object();
	auto_strbuf with = { 0 };
	struct fail fail = { 0 };
	uint32_t there = 0;
	bool was_there = jsonc_find(doc, path, &there, NULL) == 0;

	if (jsonc_set(doc, path, value, &with, &fail) < 0) {
		CHECK(*fail.text);
		return;
	}
	json_auto_t *new = tree_of(&with);
	if (old) {
		CHECK(json_equal(json_object_get(json_object_get(new, path[0]), path[1]), value));
		json_object_set_new(json_object_get(new, path[0]), path[1], json_null());
		if (!json_object_get(old, path[0]))
			json_object_set_new(old, path[0], json_object());
		json_object_set_new(json_object_get(old, path[0]), path[1], json_null());
		CHECK(json_equal(old, new));
	}
	if (!was_there)
		check_removal(doc, &with, count_others(doc));
}

/* Any member that is there can be taken out of the object at the top. */
static void check_unset(const struct jsonc *doc)
{
	static const char *const other[] = { "a", NULL };
	auto_strbuf text = { 0 };

	if (jsonc_unset(doc, other, &text, NULL) == 0)
		json_decref(tree_of(&text));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_free char *text = fuzz_copy(data, size);
	auto_(jsonc_done) struct jsonc doc = { 0 };
	struct fail fail = { 0 };

	if (jsonc_parse(text, size, &doc, &fail) < 0) {
		CHECK(*fail.text && !doc.nodes);
		return 0;
	}
	check_nodes(&doc);
	check_edit(&doc);
	check_unset(&doc);
	return 0;
}
