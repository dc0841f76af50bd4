/* See room.h. */
#include "workers/filesystem/room.h"

#include "shared/utf8.h"

enum {
	/* For what stands around the list. */
	FRAME_BYTES = 16 * 1024,
	/* Each is there twice, in an alias's answer both times as JSON in a JSON string. */
	CONTROL_BYTES = 2 * 7, /* \\u0001 */
	QUOTED_BYTES = 2 * 4,  /* \\\" */
	INVALID_BYTES = 2 * 3, /* U+FFFD */
};

struct room room_of(const struct call *call)
{
	size_t max = call_max_result(call);

	return (struct room){ .left = max > FRAME_BYTES ? max - FRAME_BYTES : 0 };
}

static size_t bytes_of(const char *at, size_t len)
{
	unsigned char c = (unsigned char)*at;

	if (len == 0)
		return INVALID_BYTES;
	if (c < 0x20 || c == 0x7f)
		return CONTROL_BYTES;
	return c == '"' || c == '\\' ? QUOTED_BYTES : 2 * len;
}

bool room_take(struct room *room, const char *text, size_t fixed)
{
	const char *end = text + strlen(text);
	size_t bytes = fixed;

	while (text < end) {
		size_t len = utf8_next(text, (size_t)(end - text));

		bytes += bytes_of(text, len);
		text += len ? len : 1;
	}
	if (bytes > room->left) {
		room->left = 0;
		return false;
	}
	room->left -= bytes;
	return true;
}
