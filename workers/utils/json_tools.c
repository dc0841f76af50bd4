/* Tools json_format and json_query. See json_tree.h. */
#include <errno.h>

#include "workers/utils/answer.h"
#include "workers/utils/json_tree.h"
#include "workers/utils/tools.h"

struct json_format_args {
	const char *json;
	int64_t indent;
	bool sort_keys;
};

struct json_query_args {
	const char *json;
	const char *pointer;
};

static const struct param json_format_params[] = {
	PARAM(json_format_args, json, .required = true, AT_MOST(UTILS_MAX_JSON_CHARS),
		.doc = "JSON text."),
	PARAM(json_format_args, indent, RANGE(0, 8), .def_int = 2, .doc = "0 for one line."),
	PARAM(json_format_args, sort_keys, .doc = "Sort keys by their code points."),
	{ 0 },
};

static const struct param json_query_params[] = {
	PARAM(json_query_args, json, .required = true, AT_MOST(UTILS_MAX_JSON_CHARS),
		.doc = "JSON text."),
	PARAM(json_query_args, pointer, .required = true,
		.doc = "Like /a/0/b; empty for the whole. In names ~1 stands for / and ~0 for ~."),
	{ 0 },
};

static int json_format(struct call *call, const void *args)
{
	const struct json_format_args *a = args;
	auto_(json_tree_done) struct json_tree tree = { 0 };
	auto_strbuf out = { 0 };
	struct failure fail;

	if (json_tree_parse(&tree, a->json, strlen(a->json), a->sort_keys, &fail) < 0)
		return call_failure(call, &fail);
	if (json_tree_print(&tree, (unsigned)a->indent, UTILS_MAX_RESULT_BYTES, &out) < 0)
		return call_result_too_large(call);
	return call_result_text(call, &out);
}

static int json_query(struct call *call, const void *args)
{
	const struct json_query_args *a = args;
	auto_(json_tree_done) struct json_tree tree = { 0 };
	struct failure fail;
	struct jspan value;
	uint32_t node;
	int r;

	if (json_tree_parse(&tree, a->json, strlen(a->json), false, &fail) < 0)
		return call_failure(call, &fail);
	r = json_tree_find(&tree, a->pointer, &node);
	if (r == -ENOENT)
		return call_json(call, json_pack("{s:b, s:b}", "success", 1, "found", 0));
	if (r < 0)
		return call_fail(call, "invalid_argument",
			"pointer: not a JSON Pointer. It is empty or begins with '/', and '~' stands "
			"only in ~0 and ~1.");
	value = json_tree_value(&tree, node);
	if (value.len > UTILS_MAX_RESULT_BYTES)
		return call_result_too_large(call);
	return call_json(call, json_pack("{s:b, s:b, s:s%}", "success", 1, "found", 1, "result",
				       value.at, value.len));
}

const struct tool json_tools[] = {
	TOOL(json_format, "Format JSON",
		.doc = "Check and re-indent JSON. Numbers keep their digits; a name that stands twice in "
		       "an object is an error.",
		.out = "success boolean, result string", .hints = TOOL_PURE),
	TOOL(json_query, "Query JSON",
		.doc = "Pick a value with a JSON Pointer (RFC 6901). The result is the value as JSON "
		       "text; not found is an answer, not an error.",
		.out = "success boolean, found boolean, result? string", .hints = TOOL_PURE),
	{ 0 },
};
