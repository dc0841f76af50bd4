/* Which entries of a walk a tool wants: those that match a pattern, less those that match others. */
#pragma once

#include "workers/common/call.h"
#include "workers/filesystem/patterns.h"
#include "workers/filesystem/walk.h"

struct choice {
	struct patterns wanted;
	struct patterns excluded;
};

#define auto_choice auto_(choice_done) struct choice

/* `wanted` is the value of the argument `name`; NULL: all are wanted. `excluded`, NULL: none.
 * False: the call has failed with invalid_argument. choice_done() it in any case. */
bool choice_read(struct call *call, const char *name, const char *wanted,
	const struct str_list *excluded, struct choice *ret) must_check;
void choice_done(struct choice *choice);

/* What is excluded is neither shown nor entered. */
bool choice_excludes(const struct choice *choice, const struct walk_entry *entry);
bool choice_wants(const struct choice *choice, const struct walk_entry *entry);
