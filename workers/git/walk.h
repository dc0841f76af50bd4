/* History, newest first, in the order in which git log shows it, and with git's simplification of
 * history when only one path is asked for: where a merge has the path as one of its parents has it,
 * only that parent is followed.
 *
 * libgit2's own walker knows no paths and cannot be stopped from outside. It is used here for the
 * left side of a range only. Source: git-log(1), "History Simplification". */
#pragma once

#include "workers/git/rev.h"

struct call; /* workers/common/call.h */
struct walk;

struct walk_options {
	const char *path;  /* only commits that changed it; NULL or "": all */
	bool first_parent; /* follow first parents only */
	int64_t since;     /* do not go behind older commits than this (committer time) */
	bool has_since;
};

/* `call` is asked whether to stop; NULL: never. The strings of `options` must outlive the walk. */
int walk_new(const struct repo *repo, struct call *call, const struct rev_range *range,
	const struct walk_options *options, struct walk **ret, struct refusal *why) must_check;
void walk_free(struct walk *walk);
DEFINE_FREEP(struct walk, walk_free)

/* The next commit, yours to git_commit_free(); *ret is NULL at the end. */
int walk_next(struct walk *walk, git_commit **ret, struct refusal *why) must_check;
