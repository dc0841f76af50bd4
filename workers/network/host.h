/* The host of a URL, and of a tool's argument: its spelling.
 *
 * There are three that mean the same to everybody: a plain name, four decimal numbers, an IPv6 address
 * (in brackets within a URL). Other spellings of addresses (2130706433, 127.1, 0177.0.0.1, 0x7f000001)
 * are refused, because the next program may read them as another address. Nothing is looked up.
 *
 * Source: RFC 3986 section 3.2.2; WHATWG URL, "ends in a number"; UTS 46 for names that are not ASCII. */
#pragma once

#include <stdbool.h>
#include <sys/socket.h>

#include "workers/common/failure.h"

enum { HOST_MAX = 253 };

/* Letters, digits, - and _, in labels of 1 to 63 with dots between, perhaps one at the end; at most
 * HOST_MAX characters without it. */
bool host_is_name(const char *host);

/* Whether some program would take it for an IPv4 address, because its last label is a number. Also
 * true for the plain form of four decimal numbers. */
bool host_is_number(const char *host);

/* An address in one of the two plain forms; brackets around IPv6 may be there. */
bool host_get_address(const char *host, int port, struct sockaddr_storage *ret);

/* The one form in which a host is judged, looked up and connected to, in ASCII and lower case, with
 * brackets neither expected nor made. 0; or a failure: invalid_url, address_refused (an odd number). */
int host_normalize(const char *host, char ret[HOST_MAX + 2], struct failure *fail) must_check;
