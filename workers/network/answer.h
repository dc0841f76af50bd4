/* What the answers of network tools have in common. */
#pragma once

#include <jansson.h>

#include "workers/common/call.h"
#include "workers/common/failure.h"

/* A JSON text of foreign bytes: what is not UTF-8 becomes U+FFFD. A new reference. */
json_t *answer_text(const char *bytes, size_t len) must_check;

/* The call fails as `failure` says. */
int answer_failure(struct call *call, const struct failure *failure);

/* The same for a tool that takes a host, not a URL: invalid_url is invalid_argument. */
int answer_refusal(struct call *call, const struct failure *failure);

/* How many bytes of valid UTF-8 `text`, from its start, fit into an answer as one of `n` texts that stand
 * in it twice each, in the content and in the structured content. Whole characters; never none, if there
 * are any. */
size_t answer_fit(const struct call *call, const char *text, size_t len, size_t n);

/* Sets a key when there is something to set; NULL: nothing. */
void answer_set_text(json_t *object, const char *key, const char *text);
