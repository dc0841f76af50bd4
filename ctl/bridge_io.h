/* The bridge's descriptors: standard input and output on one side, the daemon's local socket on the other,
 * connected again whenever it is gone.
 *
 * Both directions are bounded: who does not read is not read either. On standard output is nothing but
 * messages; what an operator should know goes to standard error. */
#pragma once

#include <stdint.h>

#include "shared/fail.h"

enum {
	BRIDGE_IO_MAX_PATHS = 4,
	BRIDGE_IO_FIRST_MS = 50, /* the pause before a connection is tried again, which doubles */
	BRIDGE_IO_CAP_MS = 2000,
	BRIDGE_IO_FLUSH_MS = 1000, /* for the last answers, when a signal ends it */
};

struct bridge_io_settings {
	const char *paths[BRIDGE_IO_MAX_PATHS +
			  1]; /* of the socket; the first that answers; ends with NULL */
	int64_t wait_ms;      /* requests wait so long for a connection */
};

/* Until the client ends its input and has its answers, is gone, or a signal comes: 0. -errno with words:
 * the client cannot be served any more. */
int bridge_io_run(const struct bridge_io_settings *settings, struct fail *fail) must_check;
