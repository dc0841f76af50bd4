/* The functions and constants of the calculator's expressions. */
#pragma once

#include <stddef.h>

#include "workers/utils/number.h"

struct function {
	const char *name;
	size_t min_args;
	size_t max_args;
	bool takes_list; /* one list may stand for the arguments */
	int (*run)(const struct number *args, size_t n, struct number *ret, struct failure *fail);
};

/* The function or NULL; `name` has no NUL behind it. */
const struct function *function_find(const char *name, size_t len);

/* pi, e, tau. */
bool function_constant(const char *name, size_t len, double *ret);
