/* Globs on paths, without braces (patterns.h) and without the rules of .gitignore files (ignore.h).
 *
 * `*` any characters but a slash, `?` one character but a slash, `[a-z]` `[!a-z]` `[^a-z]`
 * `[[:alpha:]]` one of a class, `\x` the character x. A whole component `**` is any number of
 * components, also none; at the end of the glob it is all that lies below.
 *
 * There is no recursion, and time is at most that of glob times path: a star tries to end at each
 * place once, because only the last star of a component and the last `**` need to be tried again. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum glob_flags {
	/* As git: characters are bytes; a class without end, an unknown class name and a backslash at
	 * the end match nothing (else they are ordinary characters). */
	GLOB_AS_GIT = 1 << 0,
};

/* More work than any glob of 1024 bytes needs on any path of 4096. */
enum { GLOB_FUEL = 4 * 1024 * 1024 };

/* Whether the whole of `path` ("a/b") matches. Each step takes one from *fuel; without fuel nothing
 * matches. So many globs together have a bound too. */
bool glob_matches_path(const char *glob, const char *path, unsigned flags, size_t *fuel);
