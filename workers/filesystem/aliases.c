/* The names under which users of the reference filesystem server know the tools (tools.md section 10).
 *
 * Most are text_only: their structuredContent is {"content": the text}. Where the text of an alias
 * has a form of its own, the tool asks call_is_alias(). */
#include "workers/filesystem/tools.h"

const struct tool_alias filesystem_aliases[] = {
	{ .name = "read_text_file", .tool = "code_read", .text_only = true },
	{ .name = "read_file", .tool = "code_read", .text_only = true },
	{ .name = "read_multiple_files", .tool = "code_read_many", .text_only = true },
	{ .name = "read_media_file", .tool = "code_read_media", .out = "content object[]" },
	{ .name = "get_file_info", .tool = "code_get_info", .text_only = true },
	{ .name = "list_allowed_directories", .tool = "code_list_roots", .text_only = true },
	{ 0 },
};
