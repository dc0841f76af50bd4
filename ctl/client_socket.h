/* Where a daemon's control socket is, and why it cannot be reached. */
#pragma once

#include "ctl/wire.h"

/* Connects to `path`; NULL: to the first of the usual places at which a daemon listens, see client_open().
 * *ret_path is where it was, the caller's. 0, or -errno with words as client_open() has them. */
int client_socket_open(const char *path, int64_t timeout_ms, struct wire *ret, char **ret_path,
	struct fail *fail) must_check;
