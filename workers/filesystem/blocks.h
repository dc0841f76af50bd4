/* A regular file in blocks: for whoever looks at each byte of a file of any size. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "workers/common/call.h"

enum {
	BLOCK_BYTES = 65536, /* a multiple of every code unit */
	/* Up to this size a file is read for what is only good to know, such as its number of lines. */
	BLOCKS_CASUAL_BYTES = 16 * 1024 * 1024,
};

/* Reads at `offset` until `len` bytes or the end of the file. The number of bytes, or -errno;
 * -ECANCELED: call_stopped(). */
ssize_t blocks_read(struct call *call, int fd, void *bytes, size_t len, int64_t offset) must_check;
