/* Words for a person about what went wrong, at the borders where a person reads them: settings,
 * tool handlers, the control socket. Everywhere else -errno is enough. */
#pragma once

#include "shared/cleanup.h"

struct fail {
	int code; /* -errno */
	int line; /* of the text that was read; 0: none */
	char text[1024];
};

/* Sets the words and returns `code` (-errno), so that it can be returned at once. `fail` may be NULL. */
int fail_set(struct fail *fail, int code, const char *fmt, ...) printf_like(3, 4);

/* Puts words in front of those that are there ("fleet.yaml:3: " …); returns fail->code. */
int fail_prefix(struct fail *fail, const char *fmt, ...) printf_like(2, 3);
