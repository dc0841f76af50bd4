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

/* Tools that change a repository, in the order of the tools' document. */
extern const struct tool git_add_tools[];          /* add.c: git_add */
extern const struct tool git_reset_tools[];        /* reset.c: git_reset, git_restore */
extern const struct tool git_commit_tools[];       /* commit.c: git_commit */
extern const struct tool git_smart_commit_tools[]; /* smart_commit.c: git_smart_commit */
extern const struct tool
	git_branch_tools[]; /* branch.c: git_create_branch, git_delete_branch, git_rename_branch */
extern const struct tool git_checkout_tools[]; /* checkout.c: git_checkout */
extern const struct tool git_merge_tools[];    /* merge.c: git_merge */
extern const struct tool git_sequence_tools[]; /* sequence.c: git_cherry_pick, git_revert */
extern const struct tool git_rebase_tools[];   /* rebase.c: git_rebase */
extern const struct tool git_stash_tools[];    /* stash.c: git_stash */
extern const struct tool git_tag_tools[];      /* tag.c: git_tag */
extern const struct tool
	git_worktree_tools[];              /* worktree.c: git_worktree_add, git_worktree_remove */
extern const struct tool git_init_tools[]; /* init.c: git_init */
extern const struct tool git_feature_tools[]; /* feature.c: git_start_feature, git_finish_feature */

/* Tools that talk to other repositories. */
extern const struct tool git_clone_tools[];        /* clone.c: git_clone */
extern const struct tool git_fetch_tools[];        /* fetch.c: git_fetch */
extern const struct tool git_pull_tools[];         /* pull.c: git_pull */
extern const struct tool git_push_tools[];         /* push.c: git_push */
extern const struct tool git_push_feature_tools[]; /* push.c: git_push_feature */

/* The parameter that every tool on a repository has. */
#define PARAM_REPO(args)                                                                           \
	PARAM(args, repo_path, RANGE(1, 4096),                                                     \
		.doc = "Repository, or a directory inside it; default: the configured one.")
