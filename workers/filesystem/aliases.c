/* The names under which users of the reference filesystem server know the tools (tools.md section 10).
 *
 * Most are text_only: their structuredContent is {"content": the text}. Where the text of an alias
 * has a form of its own, the tool asks call_is_alias(). */
#include "workers/filesystem/tools.h"

static const char *const edit_renames[] = { "dryRun", "dry_run", "edits[].oldText",
	"edits[].old_text", "edits[].newText", "edits[].new_text", NULL };

const struct tool_alias filesystem_aliases[] = {
	{ .name = "write_file",
		.tool = "code_write",
		.fixed = "{\"backup\":false,\"create_dirs\":false}",
		.text_only = true },
	{ .name = "edit_file", .tool = "code_edit", .renames = edit_renames, .text_only = true },
	{ .name = "create_directory", .tool = "code_create_directory", .text_only = true },
	{ .name = "move_file", .tool = "code_move", .text_only = true },
	{ .name = "delete_file", .tool = "code_delete", .text_only = true },
	{ .name = "copy_file",
		.tool = "code_copy",
		.fixed = "{\"recursive\":true}",
		.text_only = true },
	{ .name = "list_allowed_directories", .tool = "code_list_roots", .text_only = true },
	{ 0 },
};
