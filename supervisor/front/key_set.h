/* The keys of one keys file, ready to be looked up: by the digest of a text, by the name of a certificate. It never
 * changes; a file that has changed is another set.
 *
 * A shown key is looked up by the digest of its whole text, and what is found is compared in constant time, so the time
 * that it takes tells nothing of the keys that there are. */
#pragma once

#include "shared/keys_file.h"
#include "shared/span.h"
#include "supervisor/mcp/principal.h"

struct key_set;

/* Takes over the file. */
struct key_set *key_set_new(struct keys_file *file);
void key_set_free(struct key_set *set); /* NULL is fine */

size_t key_set_count(const struct key_set *set);

enum keys_verdict {
	KEYS_OK,
	KEYS_UNKNOWN,
	KEYS_EXPIRED,
};

/* See keys.h: of a text, of the name of a certificate, of a principal. `set` may be NULL: there are no keys. */
enum keys_verdict key_set_judge(const struct key_set *set, struct span text, int64_t now_s,
	struct principal **ret) must_check;
enum keys_verdict key_set_judge_certificate(const struct key_set *set, const char *name,
	int64_t now_s, struct principal **ret) must_check;
struct principal *key_set_renew(
	const struct key_set *set, const struct principal *principal, int64_t now_s);
