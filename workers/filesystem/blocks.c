/* See blocks.h. */
#include "workers/filesystem/blocks.h"

#include <errno.h>
#include <unistd.h>

ssize_t blocks_read(struct call *call, int fd, void *bytes, size_t len, int64_t offset)
{
	char *at = bytes;
	size_t used = 0;

	while (used < len) {
		ssize_t n;

		if (call_stopped(call))
			return -ECANCELED;
		n = pread(fd, at + used, len - used, offset + (off_t)used);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		used += (size_t)n;
	}
	return (ssize_t)used;
}
