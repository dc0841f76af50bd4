/* Checks before an operation writes to the working tree, and the one way of writing to it.
 *
 * libgit2 protects neither from symlinks that stand where a tree has directories (a forced checkout
 * writes through them) nor from losing what was staged only. */
#pragma once

#include "workers/git/write.h"

/* `repo_refused` where `tree` (NULL: empty) has a directory and the disk has a symlink. */
int guard_tree(struct writer *w, const git_tree *tree) must_check;

/* The same for the directories of an index; with `only`, for what touches one of its paths. */
int guard_index(struct writer *w, git_index *index, const struct repo_paths *only) must_check;

/* `special_file` where a file of `tree` or `index` (both may be NULL) has a FIFO, a socket or a device
 * in its place: a forced checkout would open it to write. With `only`, of these paths. */
int guard_special(struct writer *w, const git_tree *tree, git_index *index,
	const struct repo_paths *only) must_check;

/* `dirty_tree`, with the names, when one of `touched` (sorted) is staged, changed or untracked; else they
 * are unshared (unshare.h) and can be written. */
int guard_touched(struct writer *w, const struct names *touched, const char *what) must_check;

/* `dirty_tree`, with the names, when something is staged or (with `also_unstaged`) a tracked file is
 * changed. */
int guard_clean(struct writer *w, bool also_unstaged, const char *what) must_check;

/* Paths that differ between two trees (NULL: empty), or between a tree and an index, sorted. */
int guard_diff_trees(struct writer *w, git_tree *from, git_tree *to, struct names *ret) must_check;
int guard_diff_index(struct writer *w, git_tree *from, git_index *to, struct names *ret) must_check;

/* Makes index and working tree those of `target`, which replaces the tree of HEAD; local changes of
 * other files stay. Nothing is changed when it fails with dirty_tree or repo_refused. */
int guard_switch(struct writer *w, git_tree *target, const char *what) must_check;

/* Makes the index that of `tree` (NULL: empty) for the paths in `changed`, and writes it. */
int guard_restore_entries(struct writer *w, git_index *index, const git_tree *tree,
	const struct names *changed) must_check;

/* Makes index and working tree those of `target` whatever is there; untracked files stay. */
int guard_reset(struct writer *w, git_tree *target) must_check;

/* Puts back HEAD in index and tree for the paths where the index differs from it, and no others: the
 * end of an aborted merge. */
int guard_undo(struct writer *w) must_check;

/* Checkout options that overwrite nothing; conflicts are collected in `in_the_way`. */
git_checkout_options guard_options(struct names *in_the_way);

/* The refusal for a libgit2 call that was made with guard_options(). */
int guard_failed(struct writer *w, int rc, struct names *in_the_way, const char *what);
