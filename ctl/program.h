/* Runs a program of ours, without a shell, and takes what it says. */
#pragma once

#include <stdint.h>

#include "shared/strbuf.h"

struct program_result {
	int status; /* its exit status; -1: it was killed */
	struct strbuf out;
	struct strbuf err;
};

/* Waits for its end. argv[0] is a path. -errno: it could not be started; -ETIMEDOUT, -EFBIG (it says more
 * than 16 MiB): it was killed. *ret is zeroed by the caller, and holds what it said in any case. */
int program_run(char *const argv[], int64_t timeout_ms, struct program_result *ret) must_check;
void program_result_done(struct program_result *result);
