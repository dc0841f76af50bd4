/* Tokens that were found to be valid, with whom they stand for: a client shows the same one with each request, and a
 * signature costs more than all else that is done for a small call.
 *
 * Bounded: a new token takes the place of the one of its row that was not shown for the longest time. A token is
 * known by its SHA-256, so none is kept. Nothing is forgotten by time: who asks looks at the principal's expiry, and
 * whoever changes rules or keys clears it. */
#pragma once

#include "shared/span.h"
#include "supervisor/mcp/principal.h"

enum {
	TOKEN_CACHE_ROWS = 256,
	TOKEN_CACHE_WAYS = 4,
	TOKEN_CACHE_DIGEST = 32,
};

struct token_cache_entry {
	unsigned char digest[TOKEN_CACHE_DIGEST];
	struct principal *principal; /* NULL: free */
};

/* Zeroed is empty. */
struct token_cache {
	struct token_cache_entry rows[TOKEN_CACHE_ROWS][TOKEN_CACHE_WAYS]; /* the newest first */
};

/* The digest of a token, by which it is found. */
void token_cache_digest(struct span token, unsigned char ret[TOKEN_CACHE_DIGEST]);

/* Borrowed; NULL: it is not known. */
struct principal *token_cache_find(
	struct token_cache *cache, const unsigned char digest[TOKEN_CACHE_DIGEST]);

/* Takes a reference of its own. */
void token_cache_add(struct token_cache *cache, const unsigned char digest[TOKEN_CACHE_DIGEST],
	struct principal *principal);

void token_cache_clear(struct token_cache *cache);
