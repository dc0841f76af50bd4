/* HTTP requests of the daemon, made by a process of its own: mcp-fleet-courier.
 *
 * Nothing here waits: a request is an order to that process (ops/aide), its answer comes by a callback. The process
 * runs while the settings have a use for it, and is let only into the files that they name, so a secret that it
 * sends is never read by us.
 *
 * Source: doc/adr/0014; workers/courier/courier.h has the protocol. */
#pragma once

#include "shared/fail.h"
#include "shared/jspan.h"
#include "supervisor/conf.h"
#include "supervisor/fleet/launch.h"

enum {
	COURIER_MAX_ORDERS = 16,
	COURIER_MAX_BYTES = 4 * 1024 * 1024, /* of a body, in either direction */
};

struct courier;

struct courier *courier_new(struct loop *loop, struct launcher *launcher, const char *libexec);

/* What is under way is told so. */
void courier_free(struct courier *courier);

/* At the start, and at each reload: starts the process, ends it, or replaces it when it is to read other files.
 * `conf` is not kept. */
void courier_set_conf(struct courier *courier, const struct conf *conf);

/* Ends it for good; what is under way is told so. `fn` runs when it has ended (maybe at once). */
void courier_stop(struct courier *courier, void (*fn)(void *arg), void *arg);

struct courier_answer {
	int status; /* of HTTP, whatever it is */
	const char *
		body; /* text in UTF-8, which may hold NUL; of a post: that of a status 2xx, "" if it is no text or
	                   * over 64 KiB */
	size_t body_len;
	int64_t max_age_s; /* of a fetch: how long it may be kept; -1: the server does not say */
	int64_t retry_after_s; /* of a post: 0: the server does not say */
};

/* `answer` is borrowed; NULL when there is none: `fail` has the words then, which name the URL (without its query)
 * and the cause, and code: -EREMOTEIO: it could not be done; -EPIPE: the courier has ended meanwhile; -EBUSY: too much
 * is under way; -ESHUTDOWN: the fleet is stopping; -EMSGSIZE: the body is too big. */
typedef void courier_fn(void *arg, const struct courier_answer *answer, const struct fail *fail);

/* All texts are copied; NULL is as "". */
struct courier_fetch {
	const char *url; /* http or https; a few redirects are followed, never from https to http */
	const char *ca_file;
	const char *accept;
	size_t max_bytes;   /* of the answer's body; 0: COURIER_MAX_BYTES */
	int64_t timeout_ms; /* of all of it; 0: 10 s */
};

struct courier_post {
	const char *url;
	const char *ca_file;
	const char *headers_file;
	const char *content_type;
	const char *body; /* UTF-8, may hold NUL; of a post: of a status 2xx, at most 64 KiB */
	size_t body_len;
	int64_t timeout_ms;
};

/* `fn` runs once, maybe at once, and at the latest in courier_free(). */
void courier_fetch(
	struct courier *courier, const struct courier_fetch *ask, courier_fn *fn, void *arg);
void courier_post(
	struct courier *courier, const struct courier_post *ask, courier_fn *fn, void *arg);

/* How often the process was replaced because it had died. */
uint64_t courier_get_restarts(const struct courier *courier);

/* 0: it does not run. */
pid_t courier_get_pid(const struct courier *courier);

/* What the courier has said; `body` holds the answer's. False: it cannot be read. */
bool courier_read_answer(struct jspan result, struct courier_answer *ret, struct strbuf *body)
	must_check;
