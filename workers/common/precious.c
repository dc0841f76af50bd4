/* See precious.h. */
#include "workers/common/precious.h"

#include <string.h>

#include "shared/cleanup.h"

static const char *const names[] = {
	".gitignore",
	".env",
	".env.local",
	"Dockerfile",
	"package.json",
};

bool precious_file(const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;

	for (size_t i = 0; i < N_ELEMENTS(names); i++)
		if (streq(names[i], name))
			return true;
	return false;
}
