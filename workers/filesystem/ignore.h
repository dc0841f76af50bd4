/* .gitignore files: what git would not look at. Those between a start and an entry count, the nearest
 * first, and in each the last rule that matches; a directory that is ignored hides all that is in it,
 * so whoever walks must not enter it.
 *
 * Source: gitignore(5); where that is silent, what `git check-ignore` does. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "shared/cleanup.h"

enum {
	IGNORE_FILE_BYTES = 1024 * 1024, /* a larger file is not read */
	IGNORE_TOTAL_BYTES =
		4 * 1024 * 1024,  /* of all that are held at a time; more are not read */
	IGNORE_RULE_BYTES = 4096, /* longer rules match nothing */
};

/* The rules of one file, and of those above. */
struct ignore;

/* Reads the rules of the file's text, which is for the directory whose path is so long ("a/b": 3; the
 * start: 0). `above` is borrowed for as long as the result lives. NULL: it has no rules. */
struct ignore *ignore_parse(
	const struct ignore *above, size_t dir_len, const char *text, size_t len) must_check;
void ignore_free(struct ignore *ignore);
DEFINE_FREEP(struct ignore, ignore_free)

/* The same for the .gitignore in `dir_fd`. NULL: there is none to be had, or it is no regular file.
 * *total_bytes, which begins as 0, rises by what is held now; ignore_bytes() says by how much. */
struct ignore *ignore_read(
	const struct ignore *above, size_t dir_len, int dir_fd, size_t *total_bytes) must_check;
size_t ignore_bytes(const struct ignore *ignore);

/* Whether `path` (from the start, below the innermost file's directory) is ignored; NULL: never. */
bool ignore_has(const struct ignore *ignore, const char *path, bool is_dir);
