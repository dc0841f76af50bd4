/* A git_diff as text for a reader (patch, stat table, names) and as counts for programs. */
#pragma once

#include <jansson.h>

#include "shared/strbuf.h"
#include "workers/git/repo.h"

struct call; /* workers/common/call.h */

enum patch_form {
	PATCH_FULL,  /* as git diff prints it */
	PATCH_STAT,  /* as git diff --stat */
	PATCH_NAMES, /* as git diff --name-only */
	PATCH_NONE,  /* counts only */
};

struct patch {
	struct strbuf
		text;  /* valid UTF-8, at most max_bytes and PATCH_MAX_BYTES, cut at a line end */
	json_t *files; /* an array of OUT_FILESTAT */
	size_t additions; /* of all files, also of those that were cut */
	size_t deletions;
	size_t n_files;
	bool truncated; /* of the text, or of `files` (at most PATCH_MAX_FILES) */
};

/* The text stands in an answer twice, so it may be less than a third of tools.max_result_bytes. */
enum { PATCH_MAX_FILES = 5000, PATCH_MAX_BYTES = 2 * 1024 * 1024 };

#define auto_patch auto_(patch_done) struct patch
void patch_done(struct patch *patch);

/* Options for every diff made here: what makes libgit2's patch look like git's, submodules not
 * opened, files over a limit treated as binary, call_stopped() asked for each file. Literal paths.
 * `paths` must outlive the diff. */
void patch_options(struct repo *repo, struct call *call, int64_t context_lines,
	const struct repo_paths *paths, git_diff_options *ret);

/* Finds renames as git does by default. `call` may be NULL. */
int patch_find_renames(git_diff *diff, struct call *call, struct refusal *why) must_check;

/* Goes through the diff once. patch_done() it, also after a failure. */
int patch_render(struct call *call, git_diff *diff, enum patch_form form, size_t max_bytes,
	struct patch *ret, struct refusal *why) must_check;

/* A libgit2 return value of a git_diff_* function: 0, or a refusal (stopped, when our callback ended it). */
int patch_result(int rc, struct call *call, struct refusal *why) must_check;

/* The line that ends a text that was cut. */
void patch_add_cut_note(struct strbuf *text, const struct patch *patch);
