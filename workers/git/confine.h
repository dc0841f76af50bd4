/* What this process may open at all, from its start to its end: Landlock rules for the roots and for
 * what reaching remotes needs. The checks of paths come first and give the better words; this is for
 * what they cannot see, a symbolic link that takes a directory's place while libgit2 works below it. */
#pragma once

#include "workers/git/settings.h"

/* Call it when the roots are open and everything else that start-up reads has been read. A kernel
 * without Landlock is said in the log; it is no reason not to serve. */
void confine(const struct git_settings *settings);
