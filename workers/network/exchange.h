/* From a URL to its final answer: robots.txt where it is to be asked, the request, the redirects, each
 * target parsed, judged and looked up anew.
 *
 * Several run at a time; no two of them ask one host at the same moment.
 *
 * Source: tools.md sections 8.2, 8.3, 8.5; RFC 9110 section 15.4. */
#pragma once

#include <jansson.h>

#include "workers/network/request.h"

enum { EXCHANGE_MAX_REDIRECTS = 5 };

struct exchange_spec {
	const char *method;               /* NULL: GET */
	const struct curl_slist *headers; /* borrowed; NULL: none */
	const char *body;                 /* NULL: none; borrowed */
	size_t body_bytes;
	int64_t max_body_bytes;
	bool cut_body; /* as of request_spec */
	bool follow;   /* redirects */
	bool ask_robots;
	int64_t timeout_ms; /* of the whole, from its start */
};

enum exchange_robots {
	EXCHANGE_ROBOTS_IGNORED, /* was not asked */
	EXCHANGE_ROBOTS_NONE,    /* there is no robots.txt */
	EXCHANGE_ROBOTS_ALLOWED,
};

struct exchange;

/* `spec` must stay until exchange_free(). Never NULL; a wrong URL is a failure at its end. */
struct exchange *exchange_new(const struct exchange_spec *spec, const char *url);

/* Closes what is open. */
void exchange_free(struct exchange *exchange);
DEFINE_FREEP(struct exchange, exchange_free)

/* Until all are over. -ECANCELED: the call was stopped, and they are not to be used any more. */
int exchange_run_all(struct call *call, struct exchange *const *exchanges, size_t n,
	size_t max_at_a_time) must_check;
int exchange_run(struct call *call, struct exchange *exchange) must_check;

/* After the end: NULL, or why it failed: as request_finish(), and invalid_url, scheme_refused,
 * too_many_redirects, robots_refused. */
const struct failure *exchange_failure(const struct exchange *exchange);

/* After the end, without a failure. Borrowed. */
const struct response *exchange_response(const struct exchange *exchange);

/* Where it has got to; NULL: nowhere, the URL was wrong. */
const struct url *exchange_url(const struct exchange *exchange);

/* The URLs of all redirects that were followed: a list of texts; borrowed. */
json_t *exchange_redirects(const struct exchange *exchange);
enum exchange_robots exchange_robots(const struct exchange *exchange);
int64_t exchange_elapsed_ms(const struct exchange *exchange);
