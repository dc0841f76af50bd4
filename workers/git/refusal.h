/* Why a tool could not do it: a code of the tools' error table and words for the asker.
 *
 * Helpers below the handlers fill a refusal and return a negative number; the handler turns it into
 * its answer with refusal_answer(). libgit2's own words pass through refuse_git() only, which never
 * repeats what the configuration parser says (its texts quote the file that it read). */
#pragma once

#include "shared/cleanup.h"

struct call; /* workers/common/call.h */

struct refusal {
	const char *code; /* static: "bad_revision"; NULL: none yet */
	char text[768];
};

/* Fills `why` (code is static) and returns a negative number, so that it can be returned at once. */
int refuse(struct refusal *why, const char *code, const char *fmt, ...) printf_like(3, 4);

/* The same from a libgit2 return value and its last error; the words are put in front:
 * refuse_git(why, rc, "cannot read '%s'", name). Returns a negative number. */
int refuse_git(struct refusal *why, int rc, const char *fmt, ...) printf_like(3, 4);

/* The same from an -errno of the file system (path_error_code() of workers/common/roots.h). */
int refuse_errno(struct refusal *why, int err, const char *fmt, ...) printf_like(3, 4);

/* The call was cancelled or its time is over: refusal_answer() then says so, with how far it got. */
int refuse_stopped(struct refusal *why, const char *how_far);

/* Answers the call with the refusal; returns 0. For `return refusal_answer(call, &why);`. */
int refusal_answer(struct call *call, const struct refusal *why);
