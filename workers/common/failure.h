/* Why a pure function could not do its work: one of the stable codes that clients see
 * ("bad_json", "overflow" …) and words for the person who reads them. */
#pragma once

#include "shared/cleanup.h"

struct failure {
	const char *code; /* a literal */
	char text[1024];
};

/* Both return -EINVAL, so that they can be returned at once. Long words are cut. */
int failure_set(struct failure *fail, const char *code, const char *fmt, ...) printf_like(3, 4);
int failure_prefix(struct failure *fail, const char *fmt, ...) printf_like(2, 3);
