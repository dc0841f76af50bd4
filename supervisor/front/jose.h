/* What tokens and key sets have in common: base64url without padding, JSON objects that two readers cannot
 * understand differently, the algorithms that we know.
 *
 * Pure. Strict on purpose: one value has one text, so that a token that was checked is the token that was signed.
 *
 * Source: RFC 7515 section 2 and appendix C; RFC 7518 section 3.1; RFC 7519 section 4 (no claim twice);
 * RFC 8725 section 3.1 (few algorithms, and each belongs to a key). */
#pragma once

#include <jansson.h>

#include "shared/span.h"
#include "shared/strbuf.h"

enum jose_alg {
	JOSE_UNKNOWN, /* also "none" */
	JOSE_HS256,
	JOSE_RS256,
	JOSE_ES256,
};

/* Of a name as headers and keys have it; JOSE_UNKNOWN for any other. Names differ by case. */
enum jose_alg jose_alg_find(const char *name);
const char *jose_alg_name(enum jose_alg alg); /* "unknown" for JOSE_UNKNOWN */

/* Appends the bytes that base64url stands for; -EBADMSG: foreign characters, padding, or bits at the end that
 * mean nothing. */
int jose_decode(struct span text, struct strbuf *ret) must_check;

/* Parses one JSON object: strict, no member twice (at any depth), no NUL in texts, nesting as everywhere
 * (LIMIT_JSON_DEPTH). A new reference, NULL when it is not that. */
json_t *jose_object(const char *text, size_t len) must_check;

/* A member that is a text, borrowed; NULL: it is not there, or something else. */
const char *jose_text(const json_t *object, const char *name);
