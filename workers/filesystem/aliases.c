/* The names under which users of the reference filesystem server know the tools (tools.md section 10).
 *
 * Most are text_only: their structuredContent is {"content": the text}. Where the text of an alias
 * has a form of its own, the tool asks call_is_alias(). */
#include "workers/filesystem/tools.h"

static const char *const edit_renames[] = { "dryRun", "dry_run", "edits[].oldText",
	"edits[].old_text", "edits[].newText", "edits[].new_text", NULL };
static const char *const sort_renames[] = { "sortBy", "sort_by", NULL };
static const char *const tree_renames[] = { "excludePatterns", "exclude_patterns", NULL };
static const char *const search_renames[] = { "pattern", "name_pattern", "excludePatterns",
	"exclude_patterns", NULL };

const struct tool_alias filesystem_aliases[] = {
	{ .name = "read_text_file", .tool = "code_read", .text_only = true },
	{ .name = "read_file", .tool = "code_read", .text_only = true },
	{ .name = "read_multiple_files", .tool = "code_read_many", .text_only = true },
	{ .name = "read_media_file", .tool = "code_read_media", .out = "content object[]" },
	{ .name = "write_file",
		.tool = "code_write",
		.fixed = "{\"backup\":false,\"create_dirs\":false}",
		.text_only = true },
	{ .name = "edit_file", .tool = "code_edit", .renames = edit_renames, .text_only = true },
	{ .name = "create_directory", .tool = "code_create_directory", .text_only = true },
	{ .name = "list_directory", .tool = "code_list_directory", .text_only = true },
	{ .name = "list_directory_with_sizes",
		.tool = "code_list_directory",
		.renames = sort_renames,
		.text_only = true },
	{ .name = "directory_tree",
		.tool = "code_tree",
		.renames = tree_renames,
		.fixed = "{\"max_depth\":32,\"respect_gitignore\":false}",
		.text_only = true },
	{ .name = "move_file", .tool = "code_move", .text_only = true },
	{ .name = "search_files",
		.tool = "code_find_file",
		.renames = search_renames,
		.fixed = "{\"include_dirs\":true}",
		.text_only = true },
	{ .name = "get_file_info", .tool = "code_get_info", .text_only = true },
	{ .name = "list_allowed_directories", .tool = "code_list_roots", .text_only = true },
	{ .name = "delete_file", .tool = "code_delete", .text_only = true },
	{ .name = "copy_file",
		.tool = "code_copy",
		.fixed = "{\"recursive\":true}",
		.text_only = true },
	{ 0 },
};
