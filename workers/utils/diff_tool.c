/* Tool string_diff. See diff.h. */
#include "workers/common/diff.h"
#include "workers/utils/answer.h"
#include "workers/utils/tools.h"

struct string_diff_args {
	const char *a;
	const char *b;
	int64_t context_lines;
};

static const struct param string_diff_params[] = {
	PARAM(string_diff_args, a, .required = true, AT_MOST(UTILS_MAX_TEXT_CHARS),
		.doc = "First text."),
	PARAM(string_diff_args, b, .required = true, AT_MOST(UTILS_MAX_TEXT_CHARS),
		.doc = "Second text."),
	PARAM(string_diff_args, context_lines, RANGE(0, 100), .def_int = 3,
		.doc = "Lines of context."),
	{ 0 },
};

static int string_diff(struct call *call, const void *args)
{
	const struct string_diff_args *a = args;
	auto_strbuf out = { 0 };

	if (diff_unified(a->a, a->b, (size_t)a->context_lines, UTILS_MAX_RESULT_BYTES, &out) < 0)
		return call_result_too_large(call);
	return call_json(call, json_pack("{s:b, s:s%, s:b}", "success", 1, "result",
				       strbuf_get(&out), out.len, "equal", out.len == 0));
}

const struct tool diff_tools[] = {
	TOOL(string_diff, "Compare texts",
		.doc = "Unified diff of two texts, by lines; empty when they are equal.",
		.out = "success boolean, result string, equal boolean", .hints = TOOL_PURE),
	{ 0 },
};
