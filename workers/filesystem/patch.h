/* Unified diffs as text: reading them, and applying a file's part to its content.
 *
 * Reading is strict: a hunk has as many lines as its header says, and what cannot be applied (binary
 * patches, symlinks, submodules, copies) is refused. Applying is exact: every line of context and every
 * removed line must be there. A hunk may be found on other lines than its header says, the nearest
 * place at first, but never with a line less of context. One leniency: where the file has CRLF and the
 * patch LF, lines are equal, and added lines get CRLF.
 *
 * Work and memory are bounded. Source: POSIX.1-2017 diff, "Diff -u Output Format"; git-diff(1),
 * "Generating patch text with -p". */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "shared/strbuf.h"
#include "workers/common/failure.h"

enum {
	PATCH_MAX_FILES = 200,
	PATCH_MAX_FILE_BYTES = 16 * 1024 * 1024, /* of a file before and after */
};

struct patch_hunk {
	size_t old_start, old_lines; /* as in its header */
	size_t new_start, new_lines;
	size_t body; /* in the patch's text: where its lines begin … */
	size_t end;  /* … and end */
};

struct patch_file {
	char *old_name; /* NULL: it is created */
	char *new_name; /* NULL: it is deleted */
	bool is_rename; /* the two differ, and the patch says so */
	bool has_mode;
	bool is_executable; /* with has_mode: as it shall be afterwards */
	struct patch_hunk *hunks;
	size_t n_hunks;
	size_t line; /* of the patch, where this file's part begins */
};

struct patch {
	const char *text; /* borrowed */
	size_t len;
	struct patch_file *files;
	size_t n_files;
};

/* Names lose their first `strip` components. patch_done() also after a failure. 0, or a failure
 * invalid_argument that names the line. */
int patch_parse(const char *text, size_t len, unsigned strip, struct patch *ret,
	struct failure *fail) must_check;
void patch_done(struct patch *patch);

/* The content after the patch of one file (`old`: before; empty for one that is created) is appended to
 * `out`; *ret_moved hunks were found on other lines than they say. 0, or a failure: no_match (with the
 * hunk and the line that differs), too_large. */
int patch_apply(const struct patch *patch, const struct patch_file *file, const char *old,
	size_t old_len, struct strbuf *out, size_t *ret_moved, struct failure *fail) must_check;
