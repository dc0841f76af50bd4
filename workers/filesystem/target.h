/* What a tool is going to create, change, move or delete: a name in a directory that is held open.
 *
 * The path is resolved once, below its root (openat2). From then on everything is done with the
 * directory's descriptor and the name alone, so that whatever is renamed or replaced by a symlink
 * meanwhile, nothing outside of the roots is reached. tools.md sections 7.1 to 7.4. */
#pragma once

#include <sys/stat.h>

#include "workers/common/call.h"
#include "workers/common/roots.h"

enum target_flags {
	TARGET_FOLLOW =
		1 << 0, /* a symlink at the end is resolved: what it leads to is the target */
	TARGET_PARENTS = 1 << 1, /* missing parents are created */
	TARGET_LOOK = 1 << 2, /* missing parents do not matter: the target is only asked about, and
				    has no dir_fd when they are missing */
};

struct target {
	const struct root *root;
	int dir_fd;    /* the directory that holds it */
	char *dir;     /* that one's real path */
	char *name;    /* in it: one component, neither "." nor ".." */
	char *full;    /* dir/name */
	bool relative; /* asked with a relative path */
	bool exists;
	struct stat st; /* of the name itself, when it exists */
	int n_made;     /* parents that were created */
};

/* What `path` names. False: the call has failed, because nothing may be written there (read_only,
 * protected: .git and roots), or it is outside, or a parent does not exist. target_done() it. */
bool target_find(struct call *call, const char *path, unsigned flags, struct target *ret)
	must_check;
void target_done(struct target *target);

/* The same without regard to whether it may be written, for reading only. */
bool target_find_source(struct call *call, const char *path, struct target *ret) must_check;

/* Whether the name still is what `st` says: 0; -ESTALE: it changed meanwhile. Else -errno. */
int target_check_same(const struct target *target) must_check;

/* Opens the target, never following a symlink and never waiting. A descriptor or -errno. */
int target_open(const struct target *target, int flags) must_check;

/* Only regular files that the system lets us write. False: the call has failed. */
bool target_check_file(struct call *call, const char *path, const struct target *target) must_check;

/* Removes the parents that were created, as far as they are empty. */
void target_undo_parents(const struct target *target);

/* How the asker is told of `name` beside the target: relative or absolute, as was asked. */
char *target_show(const struct target *target, const char *name) must_check;

/* A name that no tool may write (tools.md 7.4), with regard to the setting protect_git_dir. */
bool target_is_closed(const struct call *call, const char *name);

/* Whether a root is `full` or lies below it. */
bool target_holds_root(const char *full);
