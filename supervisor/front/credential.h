/* The credential that a request shows, as text: a key or a token. Where it stands, not whether it is right.
 *
 * It comes in Authorization: Bearer, or in X-API-Key; never in the query, whose parameters mean nothing here. Two
 * that differ are refused: a proxy in front of us could have judged the other one.
 *
 * A browser can send neither of its own, and asks a person for a name and a password instead: Authorization: Basic is
 * told apart as a login, for the guard to take where people look after the fleet. It is sent with every request to us
 * from then on, whatever page caused it, so it must not stand for more than to look.
 *
 * Pure. Source: RFC 6750 2.1, 3.1 (invalid_request); RFC 7617; RFC 9110 11.6.2; MCP 2025-11-25 basic/authorization,
 * "Token Requirements". */
#pragma once

#include "shared/strbuf.h"
#include "supervisor/front/http1.h"

enum credential_kind {
	CREDENTIAL_NONE,
	CREDENTIAL_SHOWN,
	CREDENTIAL_LOGIN,     /* Basic; `text` is as it was sent, see credential_read_login() */
	CREDENTIAL_FOREIGN,   /* another scheme */
	CREDENTIAL_MALFORMED, /* to be answered with 400 */
};

struct credential {
	enum credential_kind kind;
	struct span text;
	bool is_bearer; /* it came in Authorization, and may be a token */
	const char *
		why; /* why it is not taken, a static text: of a login where none is, and of the two bad ones */
};

struct credential credential_find(const struct http1_request *req);

/* The password of a login, which the name before it says nothing about. It lies in `buf`, which the caller wipes.
 * False: it is no login as RFC 7617 has it. */
bool credential_read_login(struct span text, struct strbuf *buf, struct span *ret) must_check;
