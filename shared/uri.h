/* URIs as the front end meets them: the target of a request, and the authority in Host and Origin.
 *
 * Strict, and without any mending: dot segments and double slashes stay as they are (such a path is
 * simply not one of ours), so there is no second reading of a path that a proxy could disagree with.
 * Nothing here builds a URI.
 *
 * Source: RFC 3986; RFC 9112 section 3.2 (origin-form, absolute-form). */
#pragma once

#include <stdint.h>

#include "shared/span.h"
#include "shared/strbuf.h"

struct uri_target {
	struct span authority; /* absolute-form only: "host" or "host:port" */
	struct span path;      /* begins with '/'; still percent-encoded */
	struct span query;     /* behind the '?'; absent without one */
};

struct uri_authority {
	struct span host; /* a name, an IPv4 address, or an IPv6 address in brackets */
	int port;         /* -1: none */
};

/* Splits a request target in origin-form ("/path?query") or absolute-form ("http://host/path?query",
 * also https). -EINVAL: any other form, a fragment, a byte that is no visible ASCII, a '%' without two
 * hex digits; in the path also what RFC 3986 does not allow there. (A query may have those, browsers
 * send them.) */
int uri_split(const char *target, size_t len, struct uri_target *ret) must_check;

/* Splits "host", "host:port" or "[v6]:port". -EINVAL: empty or strange host, user name, port above
 * 65535. A colon without a port behind is as no port. */
int uri_split_authority(const char *text, size_t len, struct uri_authority *ret) must_check;

/* Appends the path without its percent-encoding. -EINVAL: the result would not tell apart what was
 * different ("%2F"), or would be unfit as text (control characters, NUL among them, invalid UTF-8). */
int uri_decode_path(struct span path, struct strbuf *ret) must_check;

/* Appends the value of the parameter `name` ('+' is a blank, as forms write it).
 * -ENOENT: there is none. -EINVAL: it comes twice, or its value is unfit as text as above. */
int uri_query_get(struct span query, const char *name, struct strbuf *ret) must_check;
