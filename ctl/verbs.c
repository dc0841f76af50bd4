/* The verbs, in the order of the help; each is a file of its name. */
#include "ctl/verb.h"

extern const struct verb verb_add;
extern const struct verb verb_call;
extern const struct verb verb_connect;
extern const struct verb verb_import;
extern const struct verb verb_logs;
extern const struct verb verb_remove;
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
	&verb_import,
	&verb_add,
	&verb_remove,
	&verb_connect,
	&verb_version,
	NULL,
};
