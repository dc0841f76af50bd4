/* Making a stash: what `git stash push` does. */
#pragma once

#include "workers/git/write.h"

/* Puts the changes of index and tracked files aside, with `also_untracked` the untracked files too
 * (never ignored ones and never repositories inside of this one). `message` may be NULL.
 * nothing_to_stash, no_identity, repo_refused. Nothing is removed before the stash is written. */
int stash_save(struct writer *w, const char *message, bool also_untracked, git_oid *ret) must_check;
