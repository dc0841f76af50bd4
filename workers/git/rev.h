/* Revisions: from the words of a caller to objects. A leading "-" has no meaning; nothing becomes an
 * option. What cannot be found is bad_revision. */
#pragma once

#include "workers/git/repo.h"

/* Any object; git_object_free() it. */
int rev_object(const struct repo *repo, const char *spec, git_object **ret, struct refusal *why)
	must_check;

/* The commit that `spec` names, tags peeled. */
int rev_commit(const struct repo *repo, const char *spec, git_commit **ret, struct refusal *why)
	must_check;

/* The tree of the commit, tag or tree that `spec` names. */
int rev_tree(const struct repo *repo, const char *spec, git_tree **ret, struct refusal *why)
	must_check;

/* The commit of HEAD; *ret is NULL before the first commit. Negative: HEAD cannot be read. */
int rev_head(const struct repo *repo, git_commit **ret, struct refusal *why) must_check;

/* The tree of HEAD; *ret is NULL before the first commit, which libgit2 takes as the empty tree. */
int rev_head_tree(const struct repo *repo, git_tree **ret, struct refusal *why) must_check;

enum rev_kind {
	REV_ONE,        /* X: only `to` */
	REV_RANGE,      /* A..B */
	REV_MERGE_BASE, /* A...B */
};

struct rev_range {
	enum rev_kind kind;
	git_oid from; /* A as a commit */
	git_oid to;   /* B, or X, as a commit */
};

/* Reads "X", "A..B", "A...B"; a missing side of a range is HEAD. */
int rev_range(const struct repo *repo, const char *spec, struct rev_range *ret, struct refusal *why)
	must_check;

/* The tree of a commit by its id. */
int rev_tree_of(const struct repo *repo, const git_oid *commit, git_tree **ret, struct refusal *why)
	must_check;

/* What HEAD is: *ret_branch is the branch's name without refs/heads/ (also before its first commit),
 * or NULL when detached; yours to free. *ret_is_unborn: there is no commit yet. */
int rev_branch(const struct repo *repo, char **ret_branch, bool *ret_is_unborn, struct refusal *why)
	must_check;
