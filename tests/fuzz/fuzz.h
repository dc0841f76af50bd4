/* What the fuzz targets share. */
#pragma once

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "shared/alloc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A property that must hold for every input. */
#define CHECK(condition)                                                                           \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			(void)fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__,    \
				#condition);                                                       \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

/* A copy with nothing behind it, so that a sanitizer sees a read too far. free() it; never NULL. */
static inline char *fuzz_copy(const void *bytes, size_t len)
{
	char *copy = alloc_try(len ? len : 1);

	CHECK(copy);
	if (len)
		memcpy(copy, bytes, len);
	return copy;
}
