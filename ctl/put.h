/* Files are replaced whole: a new one is written beside the old one, flushed to the disk, and takes its place. A
 * reader sees the old or the new text, also after a power cut. Symbolic links are not followed here. */
#pragma once

#include <sys/stat.h>

#include "shared/fail.h"

/* Whose the file shall be. */
struct put_owner {
	mode_t mode;
	uid_t uid; /* (uid_t)-1: whoever we are */
	gid_t gid;
};

/* 0, or -errno with words that name the path. The file that was there stays on an error. */
int put_file(const char *path, const void *bytes, size_t len, const struct put_owner *owner,
	struct fail *fail) must_check;

/* Removes the file; that it is not there is no error. */
int put_away(const char *path, struct fail *fail) must_check;

/* Makes the folder and those above it that are missing, with mode 0700. */
int put_folder(const char *path, struct fail *fail) must_check;

/* The folder in which the path lies: yours. */
char *put_dir_of(const char *path) must_check;
