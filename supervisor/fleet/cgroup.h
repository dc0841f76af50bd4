/* Cgroups of workers: one for each process, where the service manager has delegated ours.
 *
 * With a cgroup, memory, processes and CPU are bounded for a worker and all that it starts, and all of
 * it is killed at once. Without one launch.c falls back to process groups and orphans.
 *
 * Source: cgroups(7); the kernel's cgroup-v2 documentation; systemd's "Control Group APIs and
 * Delegation" (a delegated cgroup has the attribute user.delegate or trusted.delegate). */
#pragma once

#include <stdint.h>
#include <sys/types.h>

#include "supervisor/loop.h"

struct cgroups;
struct cgroup;

struct cgroup_limits {
	uint64_t memory;    /* bytes; 0: no limit */
	unsigned processes; /* with threads; 0: no limit */
	unsigned cpu;       /* processors; 0: no limit */
};

enum cgroup_controller {
	CGROUP_MEMORY = 1 << 0,
	CGROUP_PIDS = 1 << 1,
	CGROUP_CPU = 1 << 2,
};

/* Takes over the cgroup that we are in: this process moves to a child of it, "supervisor", because the
 * kernel bounds only cgroups without processes of their own. NULL: none was delegated; then
 * *ret_why, a static text, says what is missing. */
struct cgroups *cgroups_new(struct loop *loop, const char **ret_why);

/* The same for the cgroup at `path`, which somebody else has found. */
struct cgroups *cgroups_take(struct loop *loop, const char *path, const char **ret_why);

/* Kills what is left, and waits for its end for at most a second. */
void cgroups_free(struct cgroups *cgroups);

/* What can be bounded: enum cgroup_controller. */
unsigned cgroups_controllers(const struct cgroups *cgroups);

/* A new cgroup; `name` is for people ("git"). -errno. */
int cgroup_new(struct cgroups *cgroups, const char *name, const struct cgroup_limits *limits,
	struct cgroup **ret) must_check;

/* In a child, before exec: enters it. Async-signal-safe. 0 or -errno. */
int cgroup_enter(const struct cgroup *cgroup) must_check;

/* SIGKILL for everything in it. */
void cgroup_kill(struct cgroup *cgroup);

/* The kernel has killed something in it for want of memory. */
bool cgroup_had_oom(const struct cgroup *cgroup);

/* Kills what is left and removes it as soon as that has ended. */
void cgroup_free(struct cgroup *cgroup);
