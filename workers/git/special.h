/* Files in the working tree that libgit2 would open without a look at what they are: opening a FIFO
 * can wait for ever, and a device can answer without an end. */
#pragma once

#include "workers/git/names.h"
#include "workers/git/repo.h"

struct call; /* workers/common/call.h */

/* Looks through the whole working tree, without opening a file and without following a link.
 *
 * repo_refused: a .gitignore or .gitattributes in any directory is no file, or a link to something
 * that is no file or lies outside of the roots. Other FIFOs, sockets and devices are added to `ret`
 * (NULL: not wanted). A bare repository has none. */
int special_find(const struct repo *repo, struct call *call, struct names *ret, struct refusal *why)
	must_check;
