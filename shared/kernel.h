/* What the running kernel can enforce on a process. Asked by the supervisor, which tells it, and by
 * mcp-fleet-exec, which uses it.
 *
 * Source: landlock(7), seccomp(2). */
#pragma once

#include <stdbool.h>

/* The ABI of Landlock: 0 without it. Each ABI has what the ones below have. */
enum {
	LANDLOCK_ABI_FILES = 3,   /* files with rename between directories (2) and truncate (3) */
	LANDLOCK_ABI_TCP = 4,     /* TCP bind and connect by port */
	LANDLOCK_ABI_DEVICES = 5, /* ioctl on devices */
	LANDLOCK_ABI_SCOPES = 6,  /* signals, abstract Unix sockets */
};

int kernel_landlock_abi(void);

/* Whether seccomp filters can be installed. */
bool kernel_has_seccomp(void);
