/* See level.h. */
#include "supervisor/mcp/level.h"

static const char *const names[] = {
	[LEVEL_DEBUG] = "debug",
	[LEVEL_INFO] = "info",
	[LEVEL_NOTICE] = "notice",
	[LEVEL_WARNING] = "warning",
	[LEVEL_ERROR] = "error",
	[LEVEL_CRITICAL] = "critical",
	[LEVEL_ALERT] = "alert",
	[LEVEL_EMERGENCY] = "emergency",
};

const char *level_name(enum level level)
{
	return level < LEVEL_NONE ? names[level] : "none";
}

bool level_read(struct jspan name, enum level *ret)
{
	for (size_t i = 0; i < N_ELEMENTS(names); i++)
		if (jspan_is(name, names[i])) {
			*ret = (enum level)i;
			return true;
		}
	return false;
}
