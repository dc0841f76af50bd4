/* The gateway's token in the environment of mcp-fleetctl, on its way to the registrar: a file. So it is in no
 * message and never in the daemon. */
#pragma once

#include <sys/types.h>

#include "shared/fail.h"

enum { TOKEN_MAX = 16384 };

/* Writes `token` (blanks at its end are cut off) as the file `gateway.token` of the folder, readable for `uid`
 * alone, in one step: the one that was there before is there whole, or this one is. The path, the caller's.
 * NULL with words: it is none (-EINVAL), or the folder is not `uid`'s or cannot be written to. */
char *token_write(const char *folder, uid_t uid, const char *token, struct fail *fail) must_check;
