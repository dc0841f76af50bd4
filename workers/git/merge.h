/* Merging a commit into the current branch. Used by git_merge and git_pull. */
#pragma once

#include "workers/git/write.h"

struct merge_what {
	const char *spec;    /* the revision */
	const char *name;    /* how messages and answers call it */
	const char *kind;    /* "remote-tracking branch"; NULL: found out from spec */
	const char *message; /* of the merge commit; NULL: the usual one */
	bool no_ff;
	bool ff_only;
	bool squash;
};

struct merged {
	const char *result; /* static: "up_to_date", "fast_forward", "merged", "squashed" */
	char *text;         /* a line for a reader; yours to free */
};

/* bad_revision, merge_conflict, not_fast_forward, dirty_tree. After merge_conflict the merge is left to
 * be resolved; after any other failure all is as it was. */
int merge(struct writer *w, const struct merge_what *what, struct merged *ret) must_check;
