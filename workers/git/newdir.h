/* Directories that a tool is asked to create below the roots. */
#pragma once

#include "workers/common/roots.h"
#include "workers/git/refusal.h"

/* Finds the place of `path` (argument `what` in words) where something may be written:
 * invalid_argument, outside_roots, read_only, protected (in a .git directory). place_done() it. */
int newdir_find(const char *what, const char *path, struct place *ret, struct refusal *why)
	must_check;

/* Opens the directory at the place, with what is missing above it and itself created. A descriptor,
 * or negative. */
int newdir_make(const struct place *place, struct refusal *why) must_check;

/* The real path that the place will have, when its parent directory exists; yours to free. The
 * place itself must not exist: already_exists. Nothing is created. */
int newdir_target(const struct place *place, char **ret, struct refusal *why) must_check;

/* The place as the caller asked for it: relative or absolute. Borrowed. */
const char *newdir_shown(const struct place *place);

/* The same for a text, where it cannot forge a line: yours to free. */
char *newdir_text(const struct place *place) must_check;
