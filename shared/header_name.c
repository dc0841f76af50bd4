/* See header_name.h. */
#include "shared/header_name.h"

#include "shared/ascii.h"

/* A * stands for any ending. */
static const char *const reserved[] = { "Host", "Content-*", "Accept", "Accept-Encoding", "Mcp-*",
	"Transfer-Encoding", "TE", "Trailer", "Connection", "Keep-Alive", "Upgrade", "Expect",
	"Proxy-*", "Last-Event-ID" };

bool header_name_is_reserved(struct span name)
{
	for (size_t i = 0; i < N_ELEMENTS(reserved); i++) {
		size_t len = strlen(reserved[i]) - 1;

		if (reserved[i][len] != '*') {
			if (span_is_nocase(name, reserved[i]))
				return true;
		} else if (name.len >= len && strncasecmp(name.at, reserved[i], len) == 0) {
			return true;
		}
	}
	return false;
}

bool header_name_is_token(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (!ascii_is_token(text[i]))
			return false;
	}
	return len > 0;
}
