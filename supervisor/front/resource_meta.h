/* What an OAuth client is told about this server: where tokens for it are had, and why a request was refused.
 *
 * The metadata of an endpoint ("/mcp", "/git/sse") stand at /.well-known/oauth-protected-resource with its path
 * behind; without a path they are those of the server as a whole. The resource that they name is auth.resource; where
 * that has no path of its own, or is not set, each endpoint is a resource: its path behind auth.resource, or behind
 * the scheme and host that the request was sent to.
 *
 * Whether there is a domain of that name is not told: these documents are for everybody.
 *
 * There are none without an issuer, and without an authorization server that a client could be sent to (auth.issuer
 * may be no URL, when tokens are made by hand).
 *
 * Source: RFC 9728 sections 2, 3, 5.1; RFC 6750 section 3; MCP 2025-11-25 basic/authorization, "Protected Resource
 * Metadata Discovery Requirements", "Scope Challenge Handling"; 2026-07-28: offline_access is not offered. */
#pragma once

#include "supervisor/front/httpd.h"
#include "supervisor/mcp/principal.h"

#define RESOURCE_META_PATH "/.well-known/oauth-protected-resource"

/* Where a request was sent, as its client knows it; borrowed. */
struct resource_place {
	bool is_https;
	struct span host; /* "host" or "host:port"; absent: it did not say */
	const char *path; /* decoded, without the query; "": the server as a whole */
};

/* True and the document, appended: JSON. False: there is none for this place. */
bool resource_add_meta(
	const struct conf *conf, const struct resource_place *place, struct strbuf *out);

/* What went wrong, in the words of RFC 6750; all NULL: no credential was shown. */
struct resource_challenge {
	const char *error; /* "invalid_request", "invalid_token", "insufficient_scope" */
	const char *description;
	const char *scope; /* all that the request needs, with blanks between; NULL: not known */
};

/* Appends the value of WWW-Authenticate; plain "Bearer" where there is nothing to say. */
void resource_add_challenge(const struct conf *conf, const struct resource_place *place,
	const struct resource_challenge *challenge, struct strbuf *out);

/* Adds for whom a token may be: auth.audience; where that is empty auth.resource, with the endpoints that are
 * resources of their own. */
void resource_add_audiences(const struct conf *conf, struct conf_strs *ret);

/* The route: `*conf` is borrowed and is read with each request, so that a reload may change it. */
enum { RESOURCE_META_ROUTES = 1 };
void resource_meta_get_routes(
	struct conf *const *conf, struct http_route ret[RESOURCE_META_ROUTES]);
