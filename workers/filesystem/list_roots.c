/* Tool code_list_roots. */
#include "workers/filesystem/paths.h"
#include "workers/filesystem/tools.h"

static int code_list_roots(struct call *call, const void *args)
{
	auto_strbuf text = { 0 };
	json_t *roots = json_array();

	(void)args;
	strbuf_adds(&text, "Allowed directories:");
	for (size_t i = 0; i < roots_count(); i++) {
		const struct root *root = roots_get(i);

		strbuf_addc(&text, '\n');
		paths_show(&text, root->path);
		(void)json_array_append_new(
			roots, json_pack("{s:o, s:b, s:b}", "path", paths_json(root->path),
				       "writable", root->writable, "default", i == 0));
	}
	if (roots_count() == 0)
		strbuf_adds(
			&text, roots_are_narrow()
				       ? " none. No root that the client tells (MCP roots/list) "
					 "lies in one of this server."
				       : " none.");
	return call_result(call, json_pack("{s:o}", "roots", roots), text.data, text.len);
}

const struct tool filesystem_list_roots_tools[] = {
	TOOL_PLAIN(code_list_roots, "Allowed directories",
		.hints = TOOL_READ_ONLY | TOOL_IDEMPOTENT,
		.doc = "The directories this server may use.",
		.out = "roots {path string, writable boolean, default boolean}[]"),
	{ 0 },
};
