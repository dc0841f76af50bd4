/* Programs of our own that a verb runs. */
#pragma once

#include "shared/fail.h"
#include "shared/strbuf.h"

/* Where mcp-fleetd is: beside this program, in sbin beside its folder, or where it was to be installed. *ret is
 * yours. -ENOENT with words. */
int run_find_daemon(char **ret, struct fail *fail) must_check;

/* Where this program is, yours; NULL: that cannot be told. */
char *run_find_self(void) must_check;

/* Runs argv[0], a path, without input, until it ends; *words gets what it says on standard error, as much as
 * `max` bytes of it. *ret_status: its exit status, 128 and the number of a signal. -errno: it could not be run. */
int run_program(const char *const *argv, size_t max, struct strbuf *words, int *ret_status,
	struct fail *fail) must_check;
