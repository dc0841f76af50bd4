/* See libexec.h. */
#include "shared/libexec.h"

#include <limits.h>

#include "shared/alloc.h"

char *libexec_find(void)
{
	const char *given = getenv("MCP_FLEET_LIBEXEC");
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	auto_free char *beside = NULL;
	char *slash;

	if (given && *given == '/')
		return alloc_str(given);
	self[n > 0 ? n : 0] = '\0';
	slash = strrchr(self, '/');
	if (!slash)
		return alloc_str(PKGLIBEXECDIR);
	*slash = '\0';
	beside = alloc_printf("%s/worker-utils", self);
	return alloc_str(access(beside, X_OK) == 0 ? self : PKGLIBEXECDIR);
}
