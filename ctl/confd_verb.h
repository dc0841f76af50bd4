/* What the verbs that change conf.d have in common: how a change is shown, and how it comes to the daemon. */
#pragma once

#include "ctl/confd.h"
#include "ctl/verb.h"

/* Shows the texts that would be written, secrets masked, indented. */
void confd_verb_show(const struct ctl *ctl, const struct place *place, const struct server *server,
	const char *origin);

/* The server as JSON: {settings, settings_text (masked), secrets_file (or null), secrets}. */
json_t *confd_verb_json(const struct place *place, const struct server *server, const char *origin)
	must_check;

/* CTL_DONE, or CTL_USAGE when the options below do not go together: told. */
int confd_verb_check(const struct ctl_args *args);

/* Tells the daemon to read its settings again, when --reload was given, and waits, with --wait, until they serve;
 * else says how to, unless --json. Returns an enum ctl_exit. `result` gets `reloaded`, and with --wait `waited`. */
int confd_verb_reload(const struct ctl *ctl, const struct ctl_args *args, json_t *result);

#define CONFD_VERB_DIR                                                                             \
	{                                                                                          \
		.name = "conf-dir", .arg = "DIR", .word = CTL_WORD_FILE,                           \
		.doc = "conf.d beside the settings file (else that of the running daemon)"         \
	}
#define CONFD_VERB_RELOAD                                                                          \
	{                                                                                          \
		.name = "reload", .doc = "tell the daemon to read its settings again"              \
	}
#define CONFD_VERB_WAIT                                                                            \
	{                                                                                          \
		.name = "wait", .doc = "with --reload: until what that changes serves, or cannot"  \
	}
