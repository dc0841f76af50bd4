/* Connecting to the daemon's local socket, and to nobody who only pretends to be it.
 *
 * Whoever may write in the folder of a socket could put one of his own there. Served is who is root, this
 * user, or the owner of the folder: under /run/mcp-fleet the daemon's user, in a folder like /tmp root alone.
 *
 * Source: unix(7), SO_PEERCRED in socket(7). */
#pragma once

#include <stdbool.h>

#include "shared/fail.h"

/* A connected, non-blocking stream socket. -errno with words; -EPERM: it is a stranger's; -ENAMETOOLONG. */
int bridge_socket_connect(const char *path, int *ret_fd, struct fail *fail) must_check;

/* Waiting does not help. */
bool bridge_socket_is_final(int err);
