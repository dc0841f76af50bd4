/* Bearer tokens: a JWT is checked, and what it says about whom it was made for is read.
 *
 * Pure: rules, text and time in, claims out. A token is a compact JWS of three parts; its signature is checked with a
 * key of the rules, in that key's algorithm, before any claim is believed. What a header says about where a key is to
 * be found (jku, x5u, jwk, x5c) is never looked at; "crit" is refused, because we understand none of it.
 *
 * Source: RFC 7515; RFC 7519; RFC 8725; RFC 9068 (at+jwt, client_id, scope); MCP 2025-11-25 basic/authorization,
 * "Token Handling" (the audience). */
#pragma once

#include <stdint.h>

#include "shared/fail.h"
#include "supervisor/conf.h"
#include "supervisor/front/jwks.h"

enum {
	TOKEN_MAX_BYTES = 8192, /* longer ones are not looked at */
	TOKEN_MAX_AUDIENCES = 64,
	TOKEN_MAX_SCOPES = 256,
};

/* What is asked of a token; borrowed. */
struct token_rules {
	const char *issuer;
	const struct conf_strs *audience; /* one of them, as it is written */
	const struct jwks *keys;
	int64_t leeway_s; /* clocks may differ by this */
};

enum token_verdict {
	TOKEN_OK,
	TOKEN_MALFORMED,     /* no JWT, or one with what nobody may rely on */
	TOKEN_UNKNOWN_KEY,   /* no key for its algorithm and key id: newer keys may help */
	TOKEN_BAD_SIGNATURE, /* somebody else made it, or changed it */
	TOKEN_WRONG_ISSUER,
	TOKEN_WRONG_AUDIENCE, /* made for somebody else */
	TOKEN_EXPIRED,
	TOKEN_NOT_YET, /* valid later, or made in the future */
	TOKEN_NO_KEYS, /* newer keys are on their way: it may be shown again (503); of token_door.h only */
};

struct token_claims {
	char *subject;           /* sub; NULL: none */
	char *client;            /* client_id or azp; NULL: neither. One of the two is there */
	struct conf_strs scopes; /* of scope or scp, no text twice */
	int64_t expires_s;       /* wall time: the token is valid before that, leeway included */
};

/* Checks `text` as it is at the wall time `now_s`. TOKEN_OK: *ret is filled, token_claims_done() frees it. Else *ret
 * is as before and `fail` says why, for the log: a client that shows a wrong token gets to know no more than
 * token_verdict_words(). */
enum token_verdict token_check(const struct token_rules *rules, const char *text, size_t len,
	int64_t now_s, struct token_claims *ret, struct fail *fail) must_check;

void token_claims_done(struct token_claims *claims);

/* "the token has expired": for the error_description of RFC 6750, hence without quotes and backslashes. */
const char *token_verdict_words(enum token_verdict verdict);

/* Whether a text looks like a JWT rather than like a key of another kind: three parts with points between. */
bool token_is_jwt(const char *text, size_t len);
