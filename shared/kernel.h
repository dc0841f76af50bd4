/* What the running kernel can enforce on a process beside Landlock (landlock.h). Asked by the supervisor,
 * which tells it, and by mcp-fleet-exec, which uses it.
 *
 * Source: seccomp(2). */
#pragma once

#include <stdbool.h>

/* Whether seccomp filters can be installed. */
bool kernel_has_seccomp(void);
