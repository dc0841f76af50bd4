/* A URL, parsed once by libcurl's parser: what is judged, looked up and sent are the parts of one and
 * the same handle.
 *
 * libcurl mends more than is good here (127.1 becomes 127.0.0.1, http:/x becomes http://x, %2e in a
 * host a dot), so what it understood must be what is written. User names and passwords are dropped and
 * appear nowhere again, not in errors either. Fragments are never sent.
 *
 * Source: tools.md section 8.2; RFC 3986; libcurl's URL API. */
#pragma once

#include <curl/curl.h>
#include <stdbool.h>

#include "workers/common/failure.h"
#include "workers/network/host.h"

enum { URL_MAX_BYTES = 8192 };

struct url {
	CURLU *curl;  /* without user and fragment */
	char *scheme; /* lower case */
	char host[HOST_MAX +
		  2];  /* normal (host.h), without brackets; an odd one as it is written */
	int port;      /* of the scheme when none is written; 0: unknown */
	bool has_port; /* another than the scheme's own */
	bool has_user;
	char *text;     /* the whole, normal */
	char *fragment; /* NULL: none */
	struct failure
		odd; /* why the host is refused whatever the rules are; code NULL: it is not */
};

#define auto_url auto_(url_done) struct url

/* `ret` is zeroed by the caller, and needs url_done() whatever comes back. A failure is invalid_url, or
 * scheme_refused for what is no URL of a host (mailto:, data:). */
int url_parse(const char *text, struct url *ret, struct failure *fail) must_check;
void url_done(struct url *url);

/* What a Location header of `from` leads to. As url_parse(). */
int url_resolve(const struct url *from, const char *location, struct url *ret, struct failure *fail)
	must_check;

/* Whether it may be fetched, as far as that is known without a look-up. A failure is scheme_refused or
 * address_refused. */
int url_check(const struct url *url, struct failure *fail) must_check;

/* A part by libcurl's name, decoded or not; NULL: there is none. curl_free() it. */
char *url_part(const struct url *url, CURLUPart part, unsigned flags) must_check;

/* Same scheme, host and port. */
bool url_same_origin(const struct url *a, const struct url *b);
