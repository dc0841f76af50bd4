/* The inside of the registration: shared by registration.c (the registrar's process, orders, reports) and
 * registration_tell.c (what it is told). */
#pragma once

#include "shared/log.h"
#include "supervisor/ops/aide.h"
#include "supervisor/ops/registration.h"

enum { REGISTRATION_MAX_KNOWN = 64 }; /* domains */

/* What a domain was when it was told. */
struct told {
	char *name;
	uint64_t hash;
};

struct registration {
	struct registration_parts parts;
	struct aide *aide;
	bool is_started; /* registration_start() */
	bool is_stopping;
	struct told told[REGISTRATION_MAX_KNOWN];
	size_t n_told;
	struct timer *tell_timer;
	json_t *report; /* NULL: none up to now */
	struct log_limit unreadable;
};

/* registration_tell.c: to a registrar that is ready. */
void registration_tell_settings(struct registration *reg);
void registration_tell(void *reg); /* the domains that have changed since they were told */
void registration_forget_told(struct registration *reg);
void registration_forget_removed(struct registration *reg);
