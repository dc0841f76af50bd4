/* What is in a directory, before anything is done with it: a tool that would fail in the middle, or that
 * must not touch what is in there, fails before it begins. */
#pragma once

#include "workers/common/call.h"
#include "workers/filesystem/target.h"

struct survey_limits {
	size_t max_entries;
	int64_t max_bytes; /* of all files; 0: they are not counted */
	bool refuses_git; /* a name that is closed to writing: protected; else what is in it is left out */
	bool refuses_mounts;
};

struct survey {
	size_t entries; /* without the directory itself */
	int64_t bytes;
};

/* Looks through the directory `target`, which the asker knows as `path`. False: the call has failed
 * (protected, too_large, busy, permission_denied, or it was stopped). */
bool survey_make(struct call *call, const char *path, const struct target *target,
	const struct survey_limits *limits, struct survey *ret) must_check;
