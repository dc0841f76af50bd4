/* Files that are about to be written become files of their own.
 *
 * libgit2 opens what it finds under a name and writes: through a symbolic link that stands where it has
 * a file (a forced checkout), and into the contents that a hard link shares with another name, which may
 * lie anywhere: in a backup, a cache of packages, somebody's home. git itself removes the name first. */
#pragma once

#include "workers/git/write.h"

/* Before a checkout that overwrites only what is unchanged: regular files in `paths` that have more than
 * one name are replaced by copies. */
int unshare_paths(struct writer *w, const struct names *paths) must_check;

/* Before a forced checkout of `tree`, or (NULL) of `index`: where the disk differs from it, symbolic
 * links and files that have more than one name are removed. With `only`, below these paths. */
int unshare_forced(struct writer *w, git_tree *tree, git_index *index,
	const struct repo_paths *only) must_check;
