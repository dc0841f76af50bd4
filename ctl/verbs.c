/* The verbs, in the order of the help; each is a file of its name. */
#include "ctl/verb.h"

extern const struct verb verb_add;
extern const struct verb verb_call;
extern const struct verb verb_check;
extern const struct verb verb_complete;
extern const struct verb verb_completion;
extern const struct verb verb_connect;
extern const struct verb verb_disable;
extern const struct verb verb_doctor;
extern const struct verb verb_drill;
extern const struct verb verb_enable;
extern const struct verb verb_import;
extern const struct verb verb_key;
extern const struct verb verb_logs;
extern const struct verb verb_register;
extern const struct verb verb_reload;
extern const struct verb verb_remove;
extern const struct verb verb_restart;
extern const struct verb verb_sessions;
extern const struct verb verb_status;
extern const struct verb verb_stdio;
extern const struct verb verb_tools;
extern const struct verb verb_top;
extern const struct verb verb_unregister;
extern const struct verb verb_version;

const struct verb *const verbs[] = {
	&verb_status,
	&verb_top,
	&verb_tools,
	&verb_call,
	&verb_sessions,
	&verb_logs,
	&verb_restart,
	&verb_enable,
	&verb_disable,
	&verb_reload,
	&verb_check,
	&verb_doctor,
	&verb_drill,
	&verb_import,
	&verb_add,
	&verb_remove,
	&verb_connect,
	&verb_key,
	&verb_register,
	&verb_unregister,
	&verb_stdio,
	&verb_completion,
	&verb_complete,
	&verb_version,
	NULL,
};
