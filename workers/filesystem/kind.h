/* What kind of content a file has: its media type by its first bytes, then by its name, and the
 * language of a source file by its name. */
#pragma once

#include <stddef.h>

enum { KIND_LOOK_BYTES = 512 };

/* The media type of a file called `name` (a path is fine) whose content begins with these bytes
 * (KIND_LOOK_BYTES, or all). A type that has a magic number is never told by the name alone.
 * "application/octet-stream" when nothing is known, "text/plain" when there is no NUL. */
const char *kind_mime_type(const char *name, const void *first, size_t len);

/* "C", "Python" …; NULL: not known. */
const char *kind_language(const char *name);
