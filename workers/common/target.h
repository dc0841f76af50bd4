/* Where requests go: the URL of a server, and what it may lead to.
 *
 * Only http and https, no user name, no fragment; what libcurl understood must be what is written. Where requests
 * carry headers of the operator, a redirect and the endpoint of an HTTP+SSE server must have the origin of the URL:
 * they go there, and nowhere else.
 *
 * Source: RFC 3986; RFC 6454 section 5; MCP 2024-11-05 basic/transports, "HTTP with SSE". */
#pragma once

#include <stdbool.h>

#include "shared/fail.h"

enum { TARGET_MAX_BYTES = 8192 };

struct target {
	char *url;    /* normal, with its query */
	char *scheme; /* lower case */
	char *host;
	char *port;
	char *shown; /* without its query, which may hold a secret: for messages */
};

#define auto_target auto_(target_done) struct target

/* -EINVAL with words, which do not repeat the text: it may hold secrets. */
int target_parse(const char *text, struct target *ret, struct fail *fail) must_check;

/* What `reference` (a Location, the data of an endpoint event) means at `base`. -EINVAL: it cannot be
 * read; -EPERM: it has another origin. */
int target_resolve(const struct target *base, const char *reference, struct target *ret,
	struct fail *fail) must_check;

/* The same where any origin will do, but for http when `base` is https. */
int target_resolve_any(const struct target *base, const char *reference, struct target *ret,
	struct fail *fail) must_check;

void target_copy(const struct target *from, struct target *ret);
bool target_same_origin(const struct target *a, const struct target *b);
void target_done(struct target *target);
