/* Whether what a drill broke is whole again, as the daemon's status says. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "shared/strbuf.h"

/* Before the drill; the texts are borrowed. */
struct healing {
	const char *domain;  /* NULL: the registrar */
	const char *process; /* "git/1"; NULL: the registrar */
	int64_t pid;         /* of the process that the drill is about */
	const json_t *before;
};

/* What became of it. */
struct healing_end {
	int64_t pid; /* of the process in its place; 0: none is needed (a domain that sleeps) */
	int64_t restarts_before, restarts_after;
	int64_t calls_lost;
	const char *state; /* of the domain, or of the gateway; borrowed from `status` */
};

/* True when the place is taken by another process that is ready; for the registrar: and the gateway is as it was
 * before, each domain that was registered there confirmed anew. *ret is set in any case. */
bool healing_look(const struct healing *healing, const json_t *status, struct healing_end *ret);
