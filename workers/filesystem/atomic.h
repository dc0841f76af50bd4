/* A file that gets its name only when it is complete.
 *
 * Until then it has no name at all (O_TMPFILE), or, on file systems that have none such, a temporary
 * one, ".NAME.mcp-fleet-XXXXXXXX.tmp". To replace a file it must have a name for a moment: between
 * link and rename. Whoever is killed in this moment leaves a file of that form; whoever is killed at
 * any other leaves nothing. Under the final name there is the old file or the new one, never a part. */
#pragma once

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#include "shared/cleanup.h"

struct atomic_file {
	int dir_fd;              /* borrowed: where it will be */
	int fd;                  /* to be written */
	char temp[NAME_MAX + 1]; /* its name in dir_fd; "": it has none (yet) */
};

#define ATOMIC_FILE_NONE                                                                           \
	(struct atomic_file)                                                                       \
	{                                                                                          \
		.dir_fd = -1, .fd = -1                                                             \
	}

/* Begins a file that will be called `name`. With a mode as for open(2): the umask, and the default ACL
 * of the directory, apply. 0 or -errno. */
int atomic_begin(struct atomic_file *file, int dir_fd, const char *name, mode_t mode) must_check;

/* Gives it mode (without set-id bits), ACL, and, if permitted, owner and group of the file `name` in
 * `dir_fd`, which was seen as `st`. Where the group cannot be kept, it may do no more than others.
 * Before this it should be open to nobody else (atomic_begin with mode 0600). 0 or -errno. */
int atomic_keep_attributes(const struct atomic_file *file, int dir_fd, const char *name,
	const struct stat *st) must_check;

/* Complete, and on disk: gives it its name, where nothing has this name (-EEXIST) … */
int atomic_create(struct atomic_file *file, const char *name) must_check;

/* … or in the place of what has it. Both close nothing: atomic_done() does. 0 or -errno. */
int atomic_replace(struct atomic_file *file, const char *name) must_check;

/* Gives it a temporary name (file->temp) where it has none yet, for renaming it by other means. */
int atomic_name(struct atomic_file *file, const char *name) must_check;

/* Closes it; what has not got its final name is removed. */
void atomic_done(struct atomic_file *file);

/* A temporary name for `name`; it may be taken. */
void atomic_temp_name(char ret[NAME_MAX + 1], const char *name);

/* renameat2(2) where nothing has the new name: -EEXIST. On file systems that cannot promise this: by
 * link and unlink, and directories (which then take the place of an empty one) as they can. 0 or
 * -errno. */
int atomic_rename_new(int from_fd, const char *from, int to_fd, const char *to, bool is_dir)
	must_check;

/* fsync(2) of a directory, as far as it can be had. */
void atomic_sync_dir(int dir_fd);
