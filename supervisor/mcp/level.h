/* Log levels as clients and workers name them. Source: MCP server/utilities/logging, all revisions
 * (after RFC 5424 section 6.2.1). */
#pragma once

#include "shared/jspan.h"

/* In order: a client that wants a level wants those above it too. */
enum level {
	LEVEL_DEBUG,
	LEVEL_INFO,
	LEVEL_NOTICE,
	LEVEL_WARNING,
	LEVEL_ERROR,
	LEVEL_CRITICAL,
	LEVEL_ALERT,
	LEVEL_EMERGENCY,
	LEVEL_NONE, /* no name: above all, nothing is wanted */
};

const char *level_name(enum level level);

/* False: no string, or not the name of a level. */
bool level_read(struct jspan name, enum level *ret);
