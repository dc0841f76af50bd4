/* One HTTP request at a time to the gateway, by libcurl. While it is under way the link is served.
 *
 * No redirect, cookie, netrc, compression; http and https only; a proxy as the environment has it
 * (http_proxy, https_proxy, no_proxy). An answer is bounded, in bytes and in time. */
#pragma once

#include "workers/common/aide_link.h"

enum {
	HTTP_CONNECT_MS = 10000,
	HTTP_READ_MS = 10000,  /* GET, DELETE */
	HTTP_WRITE_MS = 45000, /* POST, PUT: the gateway connects to the peer and lists its tools */
	HTTP_MAX_BYTES = 16 * 1024 * 1024,
};

enum http_end {
	HTTP_ANSWERED,  /* there is a status */
	HTTP_UNREACHED, /* nothing was sent */
	HTTP_BROKEN,    /* it may have been taken, or not */
	HTTP_LATE,      /* no answer in time; as HTTP_BROKEN */
	HTTP_REFUSED,   /* an answer that is not taken: too big */
	HTTP_STOPPED,   /* we are to end */
};

/* Borrowed by http_ask() for its time. Empty texts are as absent. */
struct http_request {
	const char *method;
	const char *url;
	const char *auth_header;
	const char *token;
	const char *body; /* JSON; NULL: none */
	const char *ca_file;
	const char *client_cert;
	const char *client_key;
	bool verify;
	int64_t timeout_ms;
};

struct http_answer {
	enum http_end end;
	int status;
	struct strbuf body;
	int64_t retry_after_ms; /* 0: it does not say */
	char cause[CURL_ERROR_SIZE + 64];
};

struct http;

/* NULL: libcurl cannot be used. */
struct http *http_new(struct aide_link *link) must_check;
void http_free(struct http *http);

/* http_answer_done() in any case. */
void http_ask(struct http *http, const struct http_request *request, struct http_answer *ret);
void http_answer_done(struct http_answer *answer);

/* Serve the link until `until_ms`; http_idle() also until it has something for us. False: we are to end. */
bool http_idle(struct http *http, int64_t until_ms);
bool http_sleep(struct http *http, int64_t until_ms);
