/* A file of the working tree becomes a blob: what git_index_add_bypath() and
 * git_blob_create_from_workdir() do by path names, done by descriptors. */
#pragma once

#include <sys/stat.h>

#include "workers/git/write.h"

/* Writes the file, or the target of the symbolic link, at `path` (from repo_relative) to the object
 * database, by the attributes that the path has. No symbolic link is followed, none of its
 * directories may be one, and nothing waits for a FIFO.
 *
 * 1: *ret_id, and *ret_st as it was before reading. 0: there is nothing, or a directory (*ret_st says
 * which: st_mode is 0, or a directory's). Negative: w->why has outside_roots, special_file, too_large,
 * permission_denied, busy (the file changed meanwhile). */
int take_blob(struct writer *w, const char *path, git_oid *ret_id, struct stat *ret_st) must_check;

/* The mode that a file or link has in a tree. */
uint16_t take_mode(const struct stat *st);
