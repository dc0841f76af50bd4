/* A worker that has been taken over: it tries on request what a worker must not do. */
#pragma once

#include <jansson.h>

struct ask {
	const char *path;
	const char *to;
	int number;
};

struct attempt {
	const char *name;
	int (*fn)(const struct ask *ask); /* 0: it worked; -errno */
};

/* Ways around a rule that is there: flags, other protocols, upper halves, other ABIs. NULL at the end. */
extern const struct attempt tricks[];

/* Tries what `args` says ({"what": name, "path": …, "to": …, "number": …}). 0: it worked;
 * -errno; 1: there is no such attempt. */
int attempt(json_t *args);

/* Starts `n` processes called `name`, each detached in another way, deaf to SIGTERM, that live until they
 * are killed. They do not survive a minute. 0 or -errno. */
int brood(int n, const char *name);
