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
	char text[1280];
};

/* What refusing returns; the words are in the refusal. The functions that fill it are wrapped, so that
 * compilers and analyzers see that a refusal never looks like a success. */
enum { REFUSED = -1 };

/* Fills `why` (code is static) and returns REFUSED, so that it can be returned at once. */
#define refuse(why, ...) (refusal_set((why), __VA_ARGS__), REFUSED)
void refusal_set(struct refusal *why, const char *code, const char *fmt, ...) printf_like(3, 4);

/* The same from a libgit2 return value and its last error; the words are put in front:
 * refuse_git(why, rc, "cannot read '%s'", name). Returns REFUSED. */
#define refuse_git(why, ...) (refusal_set_git((why), __VA_ARGS__), REFUSED)
void refusal_set_git(struct refusal *why, int rc, const char *fmt, ...) printf_like(3, 4);

/* The same from an -errno of the file system (path_error_code() of workers/common/roots.h). */
#define refuse_errno(why, ...) (refusal_set_errno((why), __VA_ARGS__), REFUSED)
void refusal_set_errno(struct refusal *why, int err, const char *fmt, ...) printf_like(3, 4);

/* The call was cancelled or its time is over: refusal_answer() then says so, with how far it got. */
int refuse_stopped(struct refusal *why, const char *how_far);

/* Answers the call with the refusal; returns 0. For `return refusal_answer(call, &why);`. */
int refusal_answer(struct call *call, const struct refusal *why);
