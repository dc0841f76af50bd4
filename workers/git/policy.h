/* Decisions of the workflow tools that need no repository: what a feature branch is called, how
 * much a file may lose unnoticed. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/cleanup.h"

/* The characters of a slug, at most. */
enum { POLICY_SLUG_MAX = 60 };

/* Lower case; each run of other characters than a-z and 0-9 is one '-'; none at the ends; at most
 * POLICY_SLUG_MAX. "" when nothing is left. Yours to free. */
char *policy_slug(const char *text) must_check;

/* "<prefix>task-<id>-<slug>", or without "-<slug>" when the description has no letter or digit. */
char *policy_feature_branch(const char *feature_prefix, int64_t task_id, const char *description)
	must_check;

/* Whether a file that had `n_before` lines lost more than two thirds of them. */
bool policy_lost_most(size_t n_before, size_t n_after);
