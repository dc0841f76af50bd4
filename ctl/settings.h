/* The daemon's settings as a command sees them: where they are, whether the daemon would take them, and
 * which domains stand where. The loader is the daemon's own (mcp-fleetd --check-config); what is read here is only
 * the names. */
#pragma once

#include <stdbool.h>

#include "ctl/verb.h"
#include "shared/fail.h"

struct settings_domain {
	char *name;
	char *file;
	int line;
	bool is_alone; /* nothing else stands in the file */
};

struct settings {
	char *file;                      /* fleet.yaml, absolute */
	char *dir;                       /* conf.d beside it */
	bool is_of_daemon;               /* it runs with these, as it says */
	uid_t daemon_uid;                /* its user, when is_of_daemon */
	struct settings_domain *domains; /* a domain may stand in several files */
	size_t n;
	bool has_domains; /* some file has the key: without it there are the four that are built in */
};

/* Finds the settings: those beside `conf_dir` (NULL: those that the running daemon names, else the default), and
 * reads the names of their domains. -ENOENT: there is no such file. settings_done() afterwards. */
int settings_open(const struct ctl *ctl, const char *conf_dir, struct settings *ret,
	struct fail *fail) must_check;
void settings_done(struct settings *settings);

/* What the daemon's loader says of them: 0, or -EINVAL with its words; other errors: it could not be asked. */
int settings_check(const struct settings *settings, struct fail *fail) must_check;

/* NULL: there is none. `after`: the one behind it, NULL: from the first. */
const struct settings_domain *settings_find(
	const struct settings *settings, const char *name, const struct settings_domain *after);
