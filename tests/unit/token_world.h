/* An issuer for tests: keys of its own, tokens that it signs as it is told, its key set. */
#pragma once

#include "supervisor/front/jose.h"

struct evp_pkey_st;

struct token_world {
	struct evp_pkey_st *rsa; /* 2048 bits */
	struct evp_pkey_st *ec;  /* P-256 */
	char secret[48];
};

void token_world_init(struct token_world *world);
void token_world_done(struct token_world *world);

/* A compact JWS of these two texts (any bytes), signed as `alg` is; JOSE_UNKNOWN: with an empty signature. */
char *token_world_sign(const struct token_world *world, enum jose_alg alg, const char *header,
	const char *payload) must_check;

/* The same with HS256 and another secret. */
char *token_world_sign_with(const void *secret, size_t len, const char *header, const char *payload)
	must_check;

/* Appends the public key as a JWK; `more` is put behind its kty, ", "kid": "a"" for example. */
void token_world_add_jwk(
	const struct token_world *world, enum jose_alg alg, const char *more, struct strbuf *out);
