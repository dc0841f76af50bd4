/* See token_cache.h. The digest chooses the row: nobody can aim at one of a foreign token without knowing it. */
#include "supervisor/front/token_cache.h"

#include <openssl/sha.h>

_Static_assert(TOKEN_CACHE_DIGEST == SHA256_DIGEST_LENGTH, "a digest is one of SHA-256");

void token_cache_digest(struct span token, unsigned char ret[TOKEN_CACHE_DIGEST])
{
	(void)SHA256((const unsigned char *)token.at, token.len, ret);
}

static struct token_cache_entry *row_of(struct token_cache *cache, const unsigned char *digest)
{
	return cache->rows[digest[0] % TOKEN_CACHE_ROWS];
}

/* The entry at `at` becomes the first of its row. */
static void put_first(struct token_cache_entry *row, size_t at)
{
	struct token_cache_entry entry = row[at];

	memmove(row + 1, row, at * sizeof(*row));
	row[0] = entry;
}

struct principal *token_cache_find(
	struct token_cache *cache, const unsigned char digest[TOKEN_CACHE_DIGEST])
{
	struct token_cache_entry *row = row_of(cache, digest);

	for (size_t i = 0; i < TOKEN_CACHE_WAYS && row[i].principal; i++) {
		if (memcmp(row[i].digest, digest, TOKEN_CACHE_DIGEST) != 0)
			continue;
		put_first(row, i);
		return row[0].principal;
	}
	return NULL;
}

void token_cache_add(struct token_cache *cache, const unsigned char digest[TOKEN_CACHE_DIGEST],
	struct principal *principal)
{
	struct token_cache_entry *row = row_of(cache, digest);
	size_t i = 0;

	while (i < TOKEN_CACHE_WAYS - 1 && row[i].principal &&
		memcmp(row[i].digest, digest, TOKEN_CACHE_DIGEST) != 0)
		i++;
	principal_ref(principal);
	principal_unref(row[i].principal);
	row[i].principal = principal;
	memcpy(row[i].digest, digest, TOKEN_CACHE_DIGEST);
	put_first(row, i);
}

void token_cache_clear(struct token_cache *cache)
{
	for (size_t i = 0; i < TOKEN_CACHE_ROWS; i++)
		for (size_t k = 0; k < TOKEN_CACHE_WAYS; k++)
			principal_unref(TAKE(cache->rows[i][k].principal));
}
