/* The verbs, in the order of the help; each is a file of its name. */
#include "ctl/verb.h"

extern const struct verb verb_version;

const struct verb *const verbs[] = {
	&verb_version,
	NULL,
};
