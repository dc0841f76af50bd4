/* Cancelling libgit2 where it has no callback to ask: following a revision like HEAD~100000, looking for a
 * common ancestor. Each of these reads objects, so the repository is given one more object database, that
 * has no object and is asked first: it fails once the call is to stop.
 *
 * Only for tools that read. What writes must not be left halfway. */
#pragma once

#include "workers/git/repo.h"

struct call; /* workers/common/call.h */

/* repo_open() with the settings of the call, for a tool that only reads. Until the repository is closed,
 * reading an object fails when `call` is to stop; refusal_answer() then says so. */
int repo_open_to_read(struct call *call, const char *path, struct repo *ret, struct refusal *why)
	must_check;
