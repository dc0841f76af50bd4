/* Switching: index and working tree first, HEAD afterwards. Local changes are never overwritten. */
#pragma once

#include "workers/git/guard.h"

/* Switches to the local branch `name`, which exists. w->branch and w->head follow.
 * checked_out_elsewhere, dirty_tree, repo_refused. */
int checkout_branch(struct writer *w, const char *name) must_check;

/* Creates the branch at `start` (NULL: HEAD) and switches to it; without any commit yet HEAD is just
 * renamed. No branch is left behind when the switch fails. already_exists, bad_revision, dirty_tree. */
int checkout_new_branch(struct writer *w, const char *name, const char *start) must_check;

/* Creates a branch. `start` NULL: HEAD. */
int branch_create(struct writer *w, const char *name, const char *start, git_commit **ret)
	must_check;

/* Whether the local branch exists. */
bool branch_exists(struct writer *w, const char *name);
