/* worker-filesystem: files below the roots, as an MCP server on standard input and output.
 *
 * A path is resolved once, by openat2() below its root's descriptor; from then on the descriptor is
 * what is worked on. */
#include "workers/common/worker.h"
#include "workers/filesystem/client_roots.h"
#include "workers/filesystem/code_program.h"
#include "workers/filesystem/settings.h"
#include "workers/filesystem/tools.h"

/* In the order in which tools/list shows them. */
static const struct tool *const tables[] = {
	filesystem_read_tools,
	filesystem_read_many_tools,
	filesystem_read_media_tools,
	filesystem_write_tools,
	filesystem_edit_tools,
	filesystem_apply_patch_tools,
	filesystem_delete_tools,
	filesystem_get_info_tools,
	filesystem_list_files_tools,
	filesystem_list_directory_tools,
	filesystem_tree_tools,
	filesystem_find_file_tools,
	filesystem_search_tools,
	filesystem_create_directory_tools,
	filesystem_move_tools,
	filesystem_copy_tools,
	filesystem_list_roots_tools,
	filesystem_disk_usage_tools,
	filesystem_lint_tools,
	filesystem_format_tools,
	filesystem_analyze_tools,
	filesystem_check_tools_tools,
	NULL,
};

static int init(const void *settings, struct fail *fail)
{
	const struct filesystem_settings *s = settings;

	return s->code_tools ? code_path_open(&s->code_tools_path, fail) : 0;
}

static const struct worker_desc desc = {
	.name = "filesystem",
	.title = "Files",
	.tool_prefix = "code_",
	.summary = "Files and directories below the roots: read, search, write, edit, lint.",
	.tools = tables,
	.aliases = filesystem_aliases,
	.settings = filesystem_settings_params,
	.settings_size = sizeof(struct filesystem_settings),
	.has_roots = true,
	.init = init,
	.begin_call = client_roots_begin,
	.end_call = client_roots_end,
	.done = code_path_close,
};

int main(int argc, char **argv)
{
	return worker_main(&desc, argc, argv);
}
