/* The settings as the daemon's own loader sees them: mcp-fleetd is run and asked, so that there is no second
 * reading of a settings file. */
#pragma once

#include <jansson.h>
#include <sys/types.h>

#include "ctl/verb.h"
#include "shared/strbuf.h"

struct settings_verdict {
	bool is_ok;
	char *text; /* what mcp-fleetd said, without its name in front */
	char *file; /* where it is wrong; NULL: at no place of a file */
	int line, column;
};

/* Has `path` checked (NULL: what the daemon takes by itself). With `root` this directory takes the place of all
 * roots: the default is where we are, which may not be fit to be one (NULL: as it is). 0 with *ret (settings_verdict_done()); -errno
 * with words when mcp-fleetd could not be run. */
int settings_check(const char *path, const char *root, struct settings_verdict *ret,
	struct fail *fail) must_check;
void settings_verdict_done(struct settings_verdict *verdict);

/* All of them, as `mcp-fleetd --dump-config` prints them; NULL with words: they are wrong (-EINVAL), or
 * mcp-fleetd could not be run. */
json_t *settings_dump(const char *path, struct fail *fail) must_check;

/* The file that the running daemon uses, and that daemon's user (may be NULL): *ret is the caller's; NULL:
 * there is no daemon, or it uses none, and the default holds. 0; -errno with words when there is one that
 * cannot be asked: then the default may be of no use to anybody. */
int settings_find_file(const struct ctl *ctl, char **ret, uid_t *ret_uid, struct fail *fail)
	must_check;

/* A path that the daemon names, as we have to name it: from where the daemon runs. The caller's; NULL stays. */
char *settings_resolve(const char *path, pid_t daemon) must_check;

/* "FILE:LINE:COLUMN: words": the place in front of the words. False: there is none. */
bool settings_split_place(const char *text, struct settings_verdict *ret);

/* The path of mcp-fleetd: beside this program in a build tree, else where it is installed. */
void settings_add_program(struct strbuf *out);
