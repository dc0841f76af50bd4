/* The verbs that do one thing to each of several domains. */
#pragma once

#include <jansson.h>

#include "ctl/client.h"

struct domains_job {
	const char *method;  /* of the daemon; gets {domain} */
	const char *doing;   /* "restarting", while it goes on */
	const char *done;    /* "restarted" */
	bool tells_persists; /* the answer says whether it outlasts a restart of the daemon */
};

/* One domain after the other, a line for each. Returns an enum ctl_exit: CTL_PARTLY when some failed. */
int domains_do(const struct ctl *ctl, struct client *client, const struct domains_job *job,
	char *const *names, size_t n);

/* The whole of a verb: connects, and does it to those that its arguments name. */
int domains_run(const struct ctl *ctl, const struct ctl_args *args, const struct domains_job *job);

/* Says that the status has no domain of this name, and which one may be meant. Returns CTL_FAILED. */
int domains_fail_unknown(const struct ctl *ctl, const json_t *status, const char *name);
