/* Landlock: what this process may do from now on, kept by the kernel whatever a symbolic link, a mount or
 * a race makes of a path. It adds to permissions and to other sandboxes; it never gives.
 *
 * Source: landlock(7) and the kernel's Documentation/userspace-api/landlock.rst. ABI 2 (Linux 5.19) is
 * the first that lets a file be renamed into another directory, so it is the least used. */
#pragma once

#include <stdint.h>

#include "shared/cleanup.h"

enum landlock_access {
	LANDLOCK_READ = 1,    /* files and lists of directories */
	LANDLOCK_WRITE = 2,   /* write, create, rename and remove files, directories and links */
	LANDLOCK_EXECUTE = 4, /* start programs */
};

/* What is refused beside files, as far as the kernel knows how. */
enum landlock_refusal {
	LANDLOCK_NO_BIND = 1,    /* listening on a TCP port */
	LANDLOCK_NO_CONNECT = 2, /* connecting to TCP ports that no rule allows */
	LANDLOCK_NO_DEVICES = 4, /* ioctl on devices */
	LANDLOCK_NO_OTHERS = 8,  /* signals to other processes, and their abstract Unix sockets */
};

/* The ABI of the kernel, 0 without Landlock. Each has what the ones below have. */
enum {
	LANDLOCK_ABI_FILES = 2,
	LANDLOCK_ABI_TRUNCATE = 3,
	LANDLOCK_ABI_TCP = 4,
	LANDLOCK_ABI_DEVICES = 5,
	LANDLOCK_ABI_OTHERS = 6,
};

int landlock_abi(void);

/* A set of rules that allows nothing yet; `refusals` of enum landlock_refusal.
 * -EOPNOTSUPP: this kernel has none, or too old a one. */
int landlock_new(unsigned refusals, int *ret_rules) must_check;

/* Allows `access` (landlock_access, or'ed) at a file, or at a directory and all below it. A directory
 * is known by its inode: what is put in its place later is not meant. -ENOENT and the like when it
 * cannot be opened. */
int landlock_allow(int rules, const char *path, unsigned access) must_check;
int landlock_allow_fd(int rules, int fd, unsigned access) must_check;

/* With LANDLOCK_NO_CONNECT: this port may be connected to. */
int landlock_allow_port(int rules, uint16_t port) must_check;

/* From now on this process and what it forks can do only what the rules say, and can no longer get
 * privileges by starting a program. Descriptors that are open stay as they are. */
int landlock_enter(int rules) must_check;
