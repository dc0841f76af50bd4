/* How much of one file is in another: the percentage that git prints as similarity index, and by
 * which it finds renames. libgit2's own measure gives other numbers, and so other renames.
 *
 * A file is cut into lines (longer ones at 64 bytes); what both have of the same pieces, in bytes, is
 * compared with the larger file. Source: gitdiffcore(7), "Detecting Renames". */
#pragma once

#include <git2.h>

#include "shared/cleanup.h"

struct call; /* workers/common/call.h */
struct similar;

/* Never NULL; similar_free() it. */
struct similar *similar_new(const char *bytes, size_t len) must_check;
void similar_free(struct similar *similar);
DEFINE_FREEP(struct similar, similar_free)

/* 0 to 100; also 0 when the sizes alone say that it is below 50. */
int similar_score(const struct similar *a, const struct similar *b);

/* The measure for git_diff_find_options.metric, for that long. A comparison ends with GIT_EUSER when
 * `call` (may be NULL) is stopped. */
void similar_metric(struct call *call, git_diff_similarity_metric *ret);
