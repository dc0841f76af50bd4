/* Globs on names of references, as git tag --list has them: * and ? match any character (the slash
 * too), [a-z] and [!a-z] one of a class, \x the character x. In time of pattern times name, always. */
#pragma once

#include <stdbool.h>

bool glob_matches(const char *pattern, const char *name);
