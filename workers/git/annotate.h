/* Who last changed each line of a file: the work behind git_blame.
 *
 * A line goes back through history as long as a parent has it too: over merges (to the first parent
 * that has it), and over renames. libgit2's own blame gives the same answers but cannot be stopped,
 * and its time grows with the history. Source: git-blame(1). */
#pragma once

#include "workers/git/repo.h"

struct call; /* workers/common/call.h */

struct annotation {
	git_oid *commits; /* of line first + i */
	size_t n;
};

/* Lines `first` to `last` (from 1, first <= last, both there) of `path` in `commit`.
 * annotation_done() it, also after a failure. */
int annotate(const struct repo *repo, struct call *call, git_commit *commit, const char *path,
	size_t first, size_t last, struct annotation *ret, struct refusal *why) must_check;
void annotation_done(struct annotation *annotation);
