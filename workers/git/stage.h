/* Staging: bringing the index in step with the working tree. Used by git_add and git_commit. */
#pragma once

#include "workers/git/write.h"

struct stage_what {
	struct str_list files; /* none: every change */
	bool tracked_only;
	bool also_ignored;
};

struct staged {
	json_t *changes; /* of {path, status}; the first STAGE_SHOWN of them */
	size_t n;
	size_t n_nested; /* repositories inside of this one, left out */
};

enum { STAGE_SHOWN = 2000 };

#define auto_staged auto_(stage_done) struct staged

/* Stages and writes the index. Nothing is staged when it fails. */
int stage(struct writer *w, const struct stage_what *what, struct staged *ret) must_check;
void stage_done(struct staged *staged);
