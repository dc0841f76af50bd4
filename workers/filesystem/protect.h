/* What the writing tools leave alone, by its name. tools.md section 7.4. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Whether a file system may take this name for ".git": in any case; with characters in it that have no
 * width and that file systems without regard to case skip; with dots and blanks behind, or as
 * "git~1", which those of Windows skip and know. */
bool protect_is_git(const char *name, size_t len);

/* Whether one of a path's components is such a name. */
bool protect_has_git(const char *path);
