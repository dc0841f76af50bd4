/* worker-git: the git tools, as an MCP server on standard input and output.
 *
 * Everything is done by libgit2 inside of this process; the git program is never run, nor any other:
 * confine.h takes away the right to. */
#include "workers/common/worker.h"
#include "workers/git/confine.h"
#include "workers/git/repo.h"
#include "workers/git/settings.h"
#include "workers/git/tools.h"

static const struct tool *const tables[] = {
	git_status_tools,
	git_diff_tools,
	git_log_tools,
	git_show_tools,
	git_blame_tools,
	git_refs_tools,
	git_lists_tools,
	git_reflog_tools,
	git_grep_tools,
	git_repos_tools,
	git_add_tools,
	git_reset_tools,
	git_commit_tools,
	git_smart_commit_tools,
	git_branch_tools,
	git_checkout_tools,
	git_merge_tools,
	git_sequence_tools,
	git_rebase_tools,
	git_stash_tools,
	git_tag_tools,
	git_worktree_tools,
	git_init_tools,
	git_clone_tools,
	git_fetch_tools,
	git_pull_tools,
	git_push_tools,
	git_feature_tools,
	git_push_feature_tools,
	NULL,
};

static const struct tool_alias aliases[] = {
	{ .name = "git_status", .tool = "git_get_status" },
	{ .name = "git_diff_unstaged", .tool = "git_diff" },
	{ .name = "git_diff_staged", .tool = "git_diff", .fixed = "{\"cached\":true}" },
	{ 0 },
};

static int start(const void *settings, struct fail *fail)
{
	int r = repo_start(fail);

	if (r == 0)
		confine(settings);
	return r;
}

static const struct worker_desc desc = {
	.name = "git",
	.title = "Git",
	.summary = "Git repositories: status, history, branches, commits, remotes.",
	.tools = tables,
	.aliases = aliases,
	.settings = git_settings_params,
	.settings_size = sizeof(struct git_settings),
	.has_roots = true,
	.init = start,
	.done = repo_stop,
};

int main(int argc, char **argv)
{
	return worker_main(&desc, argc, argv);
}
