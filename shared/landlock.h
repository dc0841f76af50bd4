/* Landlock: what this process may open from now on, kept by the kernel whatever a symbolic link, a
 * mount or a race makes of a path. It adds to permissions and to other sandboxes; it never gives.
 *
 * Source: landlock(7) and the kernel's Documentation/userspace-api/landlock.rst. Release 2 (Linux
 * 5.19) is the first that lets a file be renamed into another directory, so it is the least used. */
#pragma once

#include "shared/cleanup.h"

enum landlock_access {
	LANDLOCK_READ = 1,    /* files and lists of directories */
	LANDLOCK_WRITE = 2,   /* write, create, rename and remove files, directories and links */
	LANDLOCK_EXECUTE = 4, /* start programs */
};

/* A set of rules that allows nothing yet. -EOPNOTSUPP: this kernel has none, or too old a one. */
int landlock_new(int *ret_rules) must_check;

/* Allows `access` (landlock_access, or'ed) at a file, or at a directory and all below it. A directory
 * is known by its inode: what is put in its place later is not meant. -ENOENT and the like when it
 * cannot be opened. */
int landlock_allow(int rules, const char *path, unsigned access) must_check;
int landlock_allow_fd(int rules, int fd, unsigned access) must_check;

/* From now on this process and what it forks can do with files only what the rules say, and can no
 * longer get privileges by starting a program. Descriptors that are open stay as they are. */
int landlock_enter(int rules) must_check;
