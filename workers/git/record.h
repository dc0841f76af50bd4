/* Recording the index as a commit. Used by git_commit and git_smart_commit. */
#pragma once

#include "workers/git/write.h"

struct record_what {
	const char *message;
	const char *
		author_name; /* NULL: the identity's, or that of the commit that is amended or picked */
	const char *author_email;
	bool amend;
	bool allow_empty;
};

struct recorded {
	git_oid id;
	size_t n_files;
	size_t n_added;
	size_t n_deleted;
};

/* Refuses a blank message, unmerged paths, an index without changes, no identity. Concludes a merge,
 * cherry-pick or revert. Never runs a hook and never signs. */
int record(struct writer *w, const struct record_what *what, struct recorded *ret) must_check;

/* hash, short_hash, subject, files_changed, branch?. */
json_t *record_json(struct writer *w, const struct recorded *done) must_check;
