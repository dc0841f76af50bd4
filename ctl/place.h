/* The place of the daemon's settings, for verbs that change them: where the files are, and which domains stand in
 * which of them. Whether they are right is for the daemon's own loader to say (ctl/settings); what is read here is
 * only the names. */
#pragma once

#include <stdbool.h>

#include "ctl/verb.h"
#include "shared/fail.h"

struct place_domain {
	char *name;
	char *file;
	int line;
	bool is_alone; /* nothing else stands in the file */
};

struct place {
	char *file;                   /* fleet.yaml, absolute */
	char *dir;                    /* conf.d beside it */
	bool is_of_daemon;            /* it runs with these, as it says */
	uid_t daemon_uid;             /* its user, when is_of_daemon */
	struct place_domain *domains; /* a domain may stand in several files */
	size_t n;
	bool has_domains; /* some file has the key: without it there are the four that are built in */
};

/* Finds the settings: those beside `conf_dir` (NULL: those that the running daemon names, else the default), and
 * reads the names of their domains. -ENOENT: there is no such file. -EINVAL: the
 * loader does not take them, which is no error with `may_be_wrong`. place_done() afterwards. */
int place_open(const struct ctl *ctl, const char *conf_dir, bool may_be_wrong, struct place *ret,
	struct fail *fail) must_check;
void place_done(struct place *place);

/* What the daemon's loader says of them: 0, or -EINVAL with its words; other errors: it could not be asked. */
int place_check(const struct place *place, struct fail *fail) must_check;

/* NULL: there is none. `after`: the one behind it, NULL: from the first. */
const struct place_domain *place_find(
	const struct place *place, const char *name, const struct place_domain *after);
