/* The tables of git tools, in the order in which tools/list shows them. Each ends with { 0 }. */
#pragma once

#include "shared/tool.h"

extern const struct tool git_status_tools[]; /* status.c: git_get_status */
extern const struct tool git_diff_tools[];   /* diff.c: git_diff */
extern const struct tool git_log_tools[];    /* log.c: git_log */
extern const struct tool git_show_tools[];   /* show.c: git_show */
extern const struct tool git_blame_tools[];  /* blame.c: git_blame */
extern const struct tool git_refs_tools[];   /* refs.c: git_branch, git_tag_list */
extern const struct tool
	git_lists_tools[]; /* lists.c: git_stash_list, git_remote_list, git_worktree_list */
extern const struct tool git_reflog_tools[]; /* reflog.c: git_reflog */
extern const struct tool git_grep_tools[];   /* grep.c: git_grep */
extern const struct tool git_repos_tools[];  /* repos.c: git_list_repos, git_get_safety_rules */

/* The parameter that every tool on a repository has. */
#define PARAM_REPO(args)                                                                           \
	PARAM(args, repo_path, RANGE(1, 4096),                                                     \
		.doc = "Repository, or a directory inside it; default: the configured one.")
