/* HTTP exchanges with a server: several at a time, in one thread, by libcurl.
 *
 * An exchange is one request and its answer, redirects included. Events of an answer
 * that is an event stream are given out as they come; any other body is collected. Hooks run from
 * http_turn() only, where everything may be done, but for freeing the struct http.
 *
 * No cookie, netrc or compression; a proxy and foreign origins only where it is said. A request that may not be sent
 * twice is not sent again by libcurl when a kept connection turns out to be dead.
 *
 * Source: RFC 9110 sections 8.4, 9.2.2 and 15.4; MCP 2025-11-25 and 2026-07-28 basic/transports. */
#pragma once

#include <curl/curl.h>
#include <stdbool.h>
#include <stdint.h>

#include "workers/common/events.h"
#include "workers/common/target.h"

enum {
	HTTP_MAX_REDIRECTS = 3,
	HTTP_MAX_ERROR_BYTES = 65536, /* of the body of an error; what follows is not waited for */
	HTTP_CONNECT_MS = 4000,
	HTTP_HELD_MESSAGES = 4, /* of the largest size, in all answers under way together */
};

struct http;
struct exchange;

enum http_end {
	HTTP_ANSWERED,  /* there is a whole answer; for an event stream: it ended in order */
	HTTP_UNREACHED, /* nothing was sent */
	HTTP_BROKEN,    /* the connection broke when the request was on its way, or in the answer */
	HTTP_REFUSED,   /* there was an answer, which is not taken */
};

/* Where a redirect may lead. */
enum http_redirects {
	HTTP_SAME_ORIGIN,  /* RFC 6454: secrets among the headers go nowhere else */
	HTTP_SAME_SCHEME,  /* anywhere, but not from https to http */
	HTTP_NO_REDIRECTS, /* nowhere: it is an answer like others */
};

struct exchange_spec {
	const char *method;
	const struct target *target; /* copied */
	struct curl_slist *headers;  /* taken over; further ones */
	const char *body;            /* must stay until the end; NULL: none */
	size_t body_bytes;
	bool may_resend;     /* it does no harm when it comes twice */
	int64_t timeout_ms;  /* of the whole; 0: none */
	size_t max_bytes;    /* of its answer, or of an event; 0: as the settings have it */
	bool may_cut;        /* what is over max_bytes is not waited for, instead of refused */
	const char *ca_file; /* must stay until the end; NULL: as the settings have it */
	enum http_redirects redirects;
	/* A message of an event stream. */
	void (*event)(void *arg, struct exchange *x, struct event *event);
	/* Once, unless it was dropped before. The exchange is freed after it. */
	void (*ended)(void *arg, struct exchange *x);
	void *arg;
};

struct http_settings {
	const char *ca_file; /* NULL or "": those of the system */
	size_t max_bytes;    /* of an answer, or of an event */
	bool uses_proxy;     /* that of the environment (http_proxy, https_proxy, no_proxy) */
};

/* `settings` stays in use. NULL: libcurl cannot be used. */
struct http *http_new(const struct http_settings *settings);
void http_free(struct http *http);

/* Never NULL. Nothing is called from inside. */
struct exchange *http_start(struct http *http, const struct exchange_spec *spec);

/* Closes it; its hooks are not called any more. NULL is fine. */
void http_drop(struct http *http, struct exchange *x);

/* Does what can be done now. */
void http_turn(struct http *http);

/* Waits for something to do, on `fds` too, at most so long. */
void http_wait(struct http *http, struct curl_waitfd *fds, unsigned n, int64_t timeout_ms);

/* What is known of the answer. */
enum http_end exchange_end(const struct exchange *x);
const char *exchange_cause(const struct exchange *x); /* words, unless HTTP_ANSWERED */
int exchange_status(const struct exchange *x);        /* 0: there is none yet */
bool exchange_is_ok(const struct exchange *x);        /* 2xx */
bool exchange_is_events(const struct exchange *x);
struct strbuf *exchange_body(struct exchange *x);
const char *exchange_session(const struct exchange *x); /* Mcp-Session-Id; NULL: none */
const struct events *exchange_events(const struct exchange *x);
int64_t exchange_retry_after_ms(const struct exchange *x); /* 0: none */
int64_t exchange_max_age_s(const struct exchange *x);      /* -1: it does not say */
