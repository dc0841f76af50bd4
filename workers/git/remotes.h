/* Names and URLs of remotes, from the configuration alone.
 *
 * git_remote_list() and git_remote_lookup() look for keys with regular expressions, and release 1.5
 * of libgit2 loses about 20 KiB for every line of the configuration that does not match. */
#pragma once

#include "workers/git/repo.h"

struct remotes {
	char **names; /* sorted */
	size_t n;
};

int remotes_read(const struct repo *repo, struct remotes *ret, struct refusal *why) must_check;
void remotes_done(struct remotes *remotes);

/* The URL of a remote after url.*.insteadOf, for fetching or (pushurl, pushInsteadOf) for pushing, as
 * git would use it. *ret is yours to free, NULL when the remote has none. */
int remotes_url(const struct repo *repo, const char *name, bool for_push, char **ret,
	struct refusal *why) must_check;
