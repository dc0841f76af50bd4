/* Tools json_to_yaml and yaml_to_json. See yaml.h. */
#include "workers/utils/answer.h"
#include "workers/utils/tools.h"
#include "workers/utils/yaml.h"

struct json_to_yaml_args {
	const char *json;
};

struct yaml_to_json_args {
	const char *yaml;
	int64_t indent;
};

static const struct param json_to_yaml_params[] = {
	PARAM(json_to_yaml_args, json, .required = true, AT_MOST(UTILS_MAX_TEXT_CHARS),
		.doc = "JSON text."),
	{ 0 },
};

static const struct param yaml_to_json_params[] = {
	PARAM(yaml_to_json_args, yaml, .required = true, AT_MOST(UTILS_MAX_TEXT_CHARS),
		.doc = "YAML text, one document."),
	PARAM(yaml_to_json_args, indent, RANGE(0, 8), .def_int = 2, .doc = "0 for one line."),
	{ 0 },
};

static int json_to_yaml(struct call *call, const void *args)
{
	const struct json_to_yaml_args *a = args;
	auto_(json_tree_done) struct json_tree tree = { 0 };
	auto_strbuf out = { 0 };
	struct failure fail;

	if (json_tree_parse(&tree, a->json, strlen(a->json), false, &fail) < 0 ||
		yaml_from_json(&tree, UTILS_MAX_RESULT_BYTES, &out, &fail) < 0)
		return call_failure(call, &fail);
	return call_result_text(call, &out);
}

static int yaml_to_json(struct call *call, const void *args)
{
	const struct yaml_to_json_args *a = args;
	auto_(json_tree_done) struct json_tree tree = { 0 };
	auto_strbuf compact = { 0 };
	auto_strbuf out = { 0 };
	struct failure fail;

	if (yaml_to_compact_json(
		    a->yaml, strlen(a->yaml), UTILS_MAX_RESULT_BYTES, &compact, &fail) < 0 ||
		json_tree_parse(&tree, strbuf_get(&compact), compact.len, false, &fail) < 0)
		return call_failure(call, &fail);
	if (json_tree_print(&tree, (unsigned)a->indent, UTILS_MAX_RESULT_BYTES, &out) < 0)
		return call_result_too_large(call);
	return call_result_text(call, &out);
}

const struct tool yaml_tools[] = {
	TOOL(json_to_yaml, "JSON to YAML",
		.doc = "Convert JSON to YAML. Numbers keep their digits.",
		.out = "success boolean, result string", .hints = TOOL_PURE),
	TOOL(yaml_to_json, "YAML to JSON",
		.doc = "Convert one YAML document to JSON, by the core schema of YAML 1.2: yes, no and "
		       "dates are text. Aliases are expanded.",
		.out = "success boolean, result string", .hints = TOOL_PURE),
	{ 0 },
};
