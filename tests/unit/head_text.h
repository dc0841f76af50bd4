/* A request's head from text, for tests of what judges it. */
#pragma once

#include "supervisor/front/http1.h"

/* `text` is the whole head, which must be right; it stays where it is while *ret is used. */
static inline bool parse_head(const char *text, struct http1_request *ret)
{
	static const struct http1_limits limits = {
		.request_line = 1000, .header_bytes = 8000, .headers = 40
	};
	struct http1_scan scan = { 0 };

	return http1_parse_head(&scan, text, strlen(text), &limits, ret) > 0;
}
