/* What another user may do with a file: whether the daemon can use it. */
#pragma once

#include <stdbool.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "shared/cleanup.h"

struct access_user {
	uid_t uid;
	gid_t gid;
	gid_t groups[64]; /* supplementary ones */
	size_t n_groups;
};

/* The user of a running process, with its groups. 0 or -errno. */
int access_user_of_process(pid_t pid, struct access_user *ret) must_check;
/* A user as the system's lists have it. -ENOENT: there is none of this number. */
int access_user_by_uid(uid_t uid, struct access_user *ret) must_check;

/* Whether `user` may do `mode` (R_OK, W_OK, X_OK, or'ed) with the absolute path, seen from the root folder
 * `root_fd`: 0, or -errno, as -EACCES, -ENOENT, -EROFS. As root, and as the user, the kernel is asked; else
 * the mode bits of all folders on the way are read, which know nothing of ACLs. */
int access_check(int root_fd, const char *path, int mode, const struct access_user *user)
	must_check;

/* The mode bits alone. */
bool access_by_mode(const struct stat *st, int mode, const struct access_user *user);
