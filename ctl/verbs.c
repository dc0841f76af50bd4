/* The verbs, in the order of the help; each is a file of its name. */
#include "ctl/verb.h"

extern const struct verb verb_call;
extern const struct verb verb_complete;
extern const struct verb verb_completion;
extern const struct verb verb_logs;
extern const struct verb verb_sessions;
extern const struct verb verb_status;
extern const struct verb verb_tools;
extern const struct verb verb_top;
extern const struct verb verb_version;

const struct verb *const verbs[] = {
	&verb_status,
	&verb_top,
	&verb_tools,
	&verb_call,
	&verb_sessions,
	&verb_logs,
	&verb_completion,
	&verb_version,
	&verb_complete,
	NULL,
};
