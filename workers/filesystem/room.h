/* The room that is left in an answer: lists are cut, and say so, before the whole answer would be
 * refused for its size. What is counted is never less than what is used. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "workers/common/call.h"

struct room {
	size_t left;
};

struct room room_of(const struct call *call);

/* Takes what an entry needs: `text` (a path, a line) both in the text and in the structured content,
 * and `fixed` bytes for all else. False: there is not so much room, and none is left from now on. */
bool room_take(struct room *room, const char *text, size_t fixed);
