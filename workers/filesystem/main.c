/* worker-filesystem: files below the roots, as an MCP server on standard input and output.
 *
 * A path is resolved once, by openat2() below its root's descriptor; from then on the descriptor is
 * what is worked on. */
#include "workers/common/worker.h"
#include "workers/filesystem/settings.h"
#include "workers/filesystem/tools.h"

/* In the order in which tools/list shows them. */
static const struct tool *const tables[] = {
	filesystem_write_tools,
	filesystem_edit_tools,
	filesystem_apply_patch_tools,
	filesystem_delete_tools,
	filesystem_create_directory_tools,
	filesystem_move_tools,
	filesystem_copy_tools,
	filesystem_list_roots_tools,
	NULL,
};

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
};

int main(int argc, char **argv)
{
	return worker_main(&desc, argc, argv);
}
