/* The keys that tokens are checked with: a set from a JSON Web Key Set, or one shared secret.
 *
 * Pure: bytes in, a set that never changes out. An algorithm belongs to a key: jwks_verify() uses the key's own,
 * whatever a token says, so a public key is never taken for a secret. Of a key set only what can check tokens is
 * kept: RSA from 2048 bits as RS256, EC on P-256 as ES256. The rest is no error (a set may have keys for others),
 * but counted, with the reason for the first.
 *
 * Source: RFC 7517 (sections 4, 5); RFC 7518 sections 3.2 to 3.4, 6.2, 6.3; RFC 8725 sections 3.1, 3.5. */
#pragma once

#include <stdbool.h>

#include "shared/fail.h"
#include "supervisor/front/jose.h"

enum {
	JWKS_MAX_BYTES = 262144, /* of the text of a set */
	JWKS_MAX_KEYS = 32,      /* of those that are kept */
	JWKS_MAX_LISTED = 256,   /* of those that stand in a set */
	JWKS_MAX_KID = 256,      /* bytes of a key's name */
	JWKS_MIN_SECRET = 32,    /* bytes: as long as the hash of HS256 (RFC 7518 section 3.2) */
	JWKS_MAX_SECRET = 4096,
	JWKS_MIN_RSA_BITS = 2048,
	JWKS_MAX_RSA_BITS = 8192, /* a check costs about 0.3 ms then */
};

struct jwks;
struct jwks_key;

/* Reads a key set. 0, also for a set without any key of use: then no token is valid. -EINVAL with words:
 * it is no key set. */
int jwks_parse(const char *text, size_t len, struct jwks **ret, struct fail *fail) must_check;

/* The set of one secret, for HS256; copies it. -EINVAL with words: it is too short or too long. */
int jwks_from_secret(const void *secret, size_t len, struct jwks **ret, struct fail *fail)
	must_check;

void jwks_free(struct jwks *set);
DEFINE_FREEP(struct jwks, jwks_free)

size_t jwks_count(const struct jwks *set);

/* How many keys of the set are not used, and (NULL when it is 0) why the first of them is not; borrowed. */
size_t jwks_get_ignored(const struct jwks *set, const char **ret_why);

/* The key for a token with this algorithm and key id (NULL: it names none). Keys are told apart by their ids; where
 * a token or a key has none it must be the only key of its algorithm. NULL: there is none. */
const struct jwks_key *jwks_find(const struct jwks *set, enum jose_alg alg, const char *kid);

/* Whether `signature` (as it stands in a token, decoded) is this key's for `text`. In constant time for a secret. */
bool jwks_verify(const struct jwks_key *key, struct span text, struct span signature);
