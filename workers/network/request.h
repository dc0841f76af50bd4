/* One HTTP request to one URL: look-up, connection, answer. Redirects are not followed here
 * (exchange.h).
 *
 * libcurl is told the one address to connect to (CURLOPT_CONNECT_TO), so it never resolves; whatever
 * socket it opens is checked to lead there. No proxy, cookies, credentials, referrer, kept connection.
 * Several may run at a time in the one thread.
 *
 * Source: tools.md sections 8.2 and 8.3; RFC 9110, 9112. */
#pragma once

#include <curl/curl.h>
#include <stdint.h>

#include "shared/strbuf.h"
#include "workers/common/call.h"
#include "workers/network/resolve.h"
#include "workers/network/response.h"
#include "workers/network/url.h"

enum {
	REQUEST_MAX_HEADER_BYTES = 65536,
	REQUEST_CONNECT_MS = 5000,
	REQUEST_SLOW_BYTES = 1024, /* in so many seconds, else it ends: */
	REQUEST_SLOW_S = 10,
};

struct request_spec {
	const struct url *url;
	const char *method;               /* NULL: GET */
	const struct curl_slist *headers; /* more of them, as "Name: value"; borrowed */
	const char *body;                 /* NULL: none; borrowed */
	size_t body_bytes;
	int64_t max_body_bytes; /* of the answer, decompressed */
	bool cut_body;          /* more than that: the rest is left out, else it is a failure */
	bool skip_redirect_body;
	int64_t deadline_ms; /* clock_now_ms() at which it has failed */
};

/* Once at start and end of the process. */
int request_start(struct fail *fail) must_check;
void request_stop(void);

struct request;

/* Everything in `spec` must stay until request_free(). Never NULL. */
struct request *request_new(const struct request_spec *spec);

/* Closes what is open. */
void request_free(struct request *request);
DEFINE_FREEP(struct request, request_free)

/* Does what can be done now. True: it is over. */
bool request_step(struct request *request);

/* Waits until one of them can take a step, at most a moment. */
void request_wait_any(struct request *const *requests, size_t n);

/* Of the body, so far. */
size_t request_bytes(const struct request *request);

/* After the end: 0 and the response, which is yours; or a failure: address_refused, dns_failed,
 * connect_failed, tls_failed, timeout, response_too_large, unsupported_content. */
int request_finish(struct request *request, struct response *ret, struct failure *fail) must_check;
