/* Host and Origin: a browser must not be led to our loopback address under somebody else's name (DNS
 * rebinding). Judged by parsing, never by prefix.
 *
 * On a loopback listener Host is a loopback address or localhost, with any port. Origin may be absent;
 * where it comes it is such an address, or on other listeners the Host that was asked; "null" is not.
 *
 * Source: MCP 2025-11-25 basic/transports, "Security Warning"; RFC 6454; RFC 9110 7.2, 15.5.20. */
#pragma once

#include "supervisor/front/http1.h"

/* 0, or the status to refuse with (403, 421) and a static text. */
int guard_check(const struct http1_request *req, bool is_loopback, const char **ret_why);
