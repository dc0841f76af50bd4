/* The credential that a request shows, as text: a key or a token. Where it stands, not whether it is right.
 *
 * It comes in Authorization: Bearer, or in X-API-Key; never in the query, whose parameters mean nothing here. Two
 * that differ are refused: a proxy in front of us could have judged the other one.
 *
 * Pure. Source: RFC 6750 2.1, 3.1 (invalid_request); RFC 9110 11.6.2; MCP 2025-11-25 basic/authorization, "Token
 * Requirements". */
#pragma once

#include "supervisor/front/http1.h"

enum credential_kind {
	CREDENTIAL_NONE,
	CREDENTIAL_SHOWN,
	CREDENTIAL_FOREIGN,   /* another scheme than Bearer */
	CREDENTIAL_MALFORMED, /* to be answered with 400 */
};

struct credential {
	enum credential_kind kind;
	struct span text;
	bool is_bearer;  /* it came in Authorization, and may be a token */
	const char *why; /* of the two bad ones, a static text */
};

struct credential credential_find(const struct http1_request *req);
