/* One fetched page as an answer, for fetch_url and net_fetch_many. */
#pragma once

#include <jansson.h>

#include "workers/network/content.h"

/* Which part of the content: in code points. */
struct fetch_window {
	int64_t start;
	int64_t max;
	size_t n; /* of such parts in the answer, which all must fit */
};

struct fetch_part {
	const char *text; /* borrowed from the content */
	size_t len;
	size_t from; /* in code points */
	size_t to;
	size_t total;
};

/* Less than the window when the answer would be too large. -EINVAL: a failure invalid_argument, the start
 * is behind the end. */
int fetch_cut(const struct call *call, const struct content *content,
	const struct fetch_window *window, struct fetch_part *ret, struct failure *fail) must_check;

/* The content of an exchange that is over. As content_read(), and http_status (4xx, 5xx, and 3xx that
 * lead nowhere), with an excerpt of what the server says. */
int fetch_content(struct call *call, const struct exchange *exchange, enum content_format format,
	struct content *ret, struct failure *fail) must_check;

/* The structured result of fetch_url. */
json_t *fetch_result(const char *url, const struct exchange *exchange,
	const struct content *content, const struct fetch_part *part) must_check;

/* The exchange that fetches; borrowed settings. */
struct exchange_spec fetch_spec(struct call *call, double timeout_seconds);
