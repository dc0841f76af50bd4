/* Deleting and renaming a branch together with its settings (branch.<name>.*).
 *
 * libgit2's own functions look for the settings with a regular expression, and release 1.5 loses
 * about 20 KiB for every line of the configuration that does not match. */
#pragma once

#include "workers/git/write.h"

int branch_delete(struct writer *w, git_reference *branch) must_check;

/* HEADs that are on the branch follow it. */
int branch_rename(struct writer *w, git_reference *branch, const char *new_name) must_check;
