/* Profiles: what programs of one kind need beside what the plan grants. doc/sandbox.md tells the same
 * to operators. */
#pragma once

#include <stdbool.h>

/* Groups of system calls; syscalls.c has the lists. */
enum syscall_group {
	CALLS_BASE = 1 << 0,      /* memory, time, open files, reading paths, threads */
	CALLS_WRITE = 1 << 1,     /* changing files and directories */
	CALLS_PROCESSES = 1 << 2, /* starting programs and looking after them */
	CALLS_SOCKETS = 1 << 3,   /* as a client; which families depends on the plan */
	CALLS_WIDE = 1 << 4,      /* what run-times of languages use beyond that */
};

struct profile {
	const char *name;
	bool is_confined; /* false: limits and no_new_privs only */
	bool is_native;   /* the program cannot be replaced, and cannot start another unless
	                             the plan has programs */
	unsigned calls;   /* enum syscall_group; CALLS_SOCKETS comes from the plan */
	const char *const
		*reads; /* beside profile_common_reads; those that do not exist are left out */
	const char *const *connected_reads; /* with sockets only */
	const char *const *programs;        /* directories to execute from */
	const char *const *program_reads;   /* for what the plan's programs read */
};

/* What every program needs: libraries, the time zone, /dev/null. NULL at the end. */
extern const char *const profile_common_reads[];
extern const char *const profile_common_writes[];

/* NULL: there is no such profile. */
const struct profile *profile_find(const char *name);
