/* Landlock: which files a worker reaches, which TCP ports, and that it signals nobody else.
 *
 * Source: landlock(7); doc/sandbox.md has the table of what is granted to whom. */
#pragma once

#include "workers/exec/plan.h"
#include "workers/exec/profile.h"

/* Confines this process and what it will run; `program_fd` is the program. What the kernel's Landlock
 * does not know is left out: the supervisor has told that. 0 or -errno with words: a path of the plan
 * that is not there is an error, one of the profile is not. */
int files_confine(const struct plan *plan, const struct profile *profile, int program_fd,
	struct fail *fail) must_check;
