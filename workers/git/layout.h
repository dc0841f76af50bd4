/* Where the parts of a repository lie, found and checked in the file system before libgit2 opens it.
 *
 * libgit2 follows .git files, symlinks, commondir, alternates, core.worktree and includes wherever
 * they lead. So everything that it would follow is resolved here first, and a repository of which
 * any part ends outside of the roots, or whose format libgit2 cannot read, is refused. What a link
 * points to may still change between check and use; then the sandbox is what holds.
 *
 * Source: gitrepository-layout(5), gitformat-index(5), git-config(1). */
#pragma once

#include <stdbool.h>

#include "workers/common/roots.h"
#include "workers/git/refusal.h"

struct layout {
	const struct root *root; /* in which `dir` lies */
	char *dir;               /* real path of the working tree, or of a bare repository */
	char *git_dir;           /* real path of what is private to this working tree */
	char *common_dir;        /* real path of what all working trees share; often git_dir */
	bool is_bare;
};

/* Searches upward from `start`, a real path inside of `root`, for a repository: never above the root.
 * 0; negative: not_a_repository, repo_refused. layout_done() it, also after a failure. */
int layout_find(const struct root *root, const char *start, struct layout *ret, struct refusal *why)
	must_check;
void layout_done(struct layout *layout); /* also one that is all zero */

/* Owners, links, alternates, configuration, format: repo_refused, with the reason. */
int layout_check(const struct layout *layout, struct refusal *why) must_check;

/* The index of the working tree, when there is one: refuses formats that libgit2 misreads. */
int layout_check_index(const char *git_dir, struct refusal *why) must_check;

/* The real path of `path`, links followed, when it lies inside of the roots; yours to free.
 * -EXDEV: outside; -ENOENT: there is nothing (a link that leads nowhere is -EXDEV). */
int layout_resolve(const char *path, char **ret_real) must_check;

/* Whether a configuration text has a section that includes other files. Errs on the safe side. */
bool layout_has_include(const char *text, size_t len);
