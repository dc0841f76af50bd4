/* What an answer of the gateway means: what to do next, and words for a person. Pure.
 *
 * Foreign: the gateway may repeat what it was sent, so its words are cleaned of our secrets, and the parts of a
 * validation error that hold the input are never read.
 *
 * Source: ContextForge 1.0.0 to 1.0.7, as observed. */
#pragma once

#include <jansson.h>
#include <stdint.h>

#include "workers/registrar/http.h"

enum answer_kind {
	ANSWER_OK,
	ANSWER_PENDING,   /* 202: it works on it by itself */
	ANSWER_MISSING,   /* 404 */
	ANSWER_CONFLICT,  /* 409 */
	ANSWER_REFUSED,   /* 400, 422 and their like: the same again would be refused again */
	ANSWER_AUTH,      /* 401, 403 */
	ANSWER_LIMITED,   /* 429 */
	ANSWER_BUSY,      /* 503 that says how long */
	ANSWER_PEER,      /* 502: it could not reach us, or did not like our tools */
	ANSWER_TROUBLE,   /* 5xx, or no answer of a gateway: try again later */
	ANSWER_LATE,      /* no answer in time: it may have been done all the same */
	ANSWER_UNREACHED, /* no connection */
	ANSWER_STOPPED,   /* we are to end */
};

struct answer {
	enum answer_kind kind;
	int status; /* of HTTP; 0: none */
	json_t *json;
	char *error;        /* NULL with ANSWER_OK and ANSWER_PENDING */
	const char *remedy; /* static; NULL: none is known */
	int64_t retry_after_ms;
};

/* The secrets are those that may have been sent. answer_done() in any case. */
void answer_read(const struct http_answer *from, const char *const *secrets, size_t n_secrets,
	struct answer *ret);
void answer_done(struct answer *answer);

/* It concerns the gateway as a whole, not what was asked about. */
bool answer_is_global(const struct answer *answer);
