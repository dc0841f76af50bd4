/* Host and Origin: a browser must not be led to our address under somebody else's name (DNS rebinding), nor may a
 * page of somebody else ask us. Judged by parsing, never by prefix.
 *
 * Host: on a loopback listener a loopback address or localhost, with any port, or what http.allowed_hosts names; on
 * others what http.allowed_hosts names, or anything while that is empty. Origin may be absent; where it comes it is
 * the Host that was asked, on a loopback listener also a loopback address, or what http.allowed_origins names; "null"
 * never is. Where Host may be anything and nobody is asked who they are, an Origin that is the Host has to be an
 * address or localhost: every other name can be led here by whoever owns it.
 *
 * Source: MCP 2025-11-25 basic/transports, "Security Warning"; RFC 6454; RFC 9110 7.2, 15.5.20. */
#pragma once

#include "supervisor/conf.h"
#include "supervisor/front/http1.h"

/* Who reaches the listener. */
enum hosts_reach {
	HOSTS_LOOPBACK,
	HOSTS_GUARDED, /* others, who have to show who they are */
	HOSTS_OPEN,    /* others, and nobody is asked */
};

bool hosts_allow(
	const struct conf_http *conf, const struct http1_request *req, enum hosts_reach reach);

/* *ret_origin is the one that is allowed, as it was sent; absent without one. */
bool hosts_allow_origin(const struct conf_http *conf, const struct http1_request *req,
	enum hosts_reach reach, struct span *ret_origin);
