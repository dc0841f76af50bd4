/* seccomp: which system calls a worker may use. All others fail with EPERM, or with ENOSYS where the C
 * library then takes an older way.
 *
 * Source: seccomp(2); doc/sandbox.md. */
#pragma once

#include "workers/exec/plan.h"
#include "workers/exec/profile.h"

/* How the program of a native worker is executed, once: execveat(fd, path, …, AT_EMPTY_PATH) with just
 * these arguments. `path` is an empty text at an address that nobody can guess, and that is gone
 * afterwards, so that the worker cannot do it again. */
struct only_exec {
	int fd;
	const char *path;
};

/* Where `path` of struct only_exec is; NULL and errno. Never given back: exec ends its life. */
const char *syscalls_secret_path(void);

/* `exec` NULL: programs may be executed. 0 or -errno with words. */
int syscalls_confine(const struct plan *plan, const struct profile *profile,
	const struct only_exec *exec, struct fail *fail) must_check;
