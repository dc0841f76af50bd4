/* The upstream of a branch, from the configuration alone.
 *
 * git_branch_upstream() opens the remote, and release 1.5 of libgit2 loses about 20 KiB for every line
 * of the configuration whenever a remote is opened (a match of a regular expression is not freed). */
#pragma once

#include "workers/git/repo.h"

/* The reference that branch `name` (without refs/heads/) follows; *ret is NULL when it has no
 * upstream or the upstream is not there. Negative: the configuration cannot be read. */
int upstream_find(const struct repo *repo, const char *name, git_reference **ret,
	struct refusal *why) must_check;
