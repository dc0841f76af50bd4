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

/* Where fetching from `remote` puts its `ref`; NULL: nowhere. Yours to free. */
char *upstream_map(git_config *config, const char *remote, const char *ref) must_check;

/* What branch `name` follows: the remote, and the branch there (without refs/heads/). False: nothing, or
 * no branch. Both are yours to free. */
bool upstream_names(const struct repo *repo, const char *name, char **ret_remote, char **ret_branch)
	must_check;

/* Makes branch `name` follow the branch of the same name of `remote`. */
int upstream_set(const struct repo *repo, const char *name, const char *remote, struct refusal *why)
	must_check;
