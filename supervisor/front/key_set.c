/* See key_set.h. */
#include "supervisor/front/key_set.h"

#include <stdio.h>

#include "shared/alloc.h"
#include "shared/ascii.h"

enum {
	CREDENTIAL_BYTES = 8, /* of a hash, to tell the texts of one key apart */
	N_BUCKETS = 4096,     /* a power of two */
};

/* One text that is taken; a key whose text was changed has two for a while. */
struct entry {
	struct entry *next; /* in its bucket */
	uint8_t hash[KEY_TEXT_HASH_BYTES];
	size_t key; /* its place in the file */
	struct principal *principal;
	int64_t until_s; /* 0: as long as the key */
};

/* One name of a certificate that is taken. */
struct certificate {
	const char *name;
	size_t key;
	struct principal *principal;
};

struct key_set {
	struct keys_file *file;
	struct entry *entries;
	size_t n_entries;
	struct certificate *certificates;
	size_t n_certificates;
	struct entry *buckets[N_BUCKETS];
};

/* --- making one ----------------------------------------------------------------------------------- */

void key_set_free(struct key_set *set)
{
	if (!set)
		return;
	for (size_t i = 0; i < set->n_entries; i++)
		principal_unref(set->entries[i].principal);
	for (size_t i = 0; i < set->n_certificates; i++)
		principal_unref(set->certificates[i].principal);
	free(set->certificates);
	free(set->entries);
	keys_file_free(set->file);
	free(set);
}

static void copy_list(struct conf_strs *to, const struct keys_file_list *from)
{
	if (from->n)
		to->items = alloc_zero(from->n * sizeof(char *));
	for (size_t i = 0; i < from->n; i++)
		to->items[to->n++] = alloc_str(from->items[i]);
}

/* By its id, which a rotation keeps: a new key of an old name is somebody else. */
static struct principal *make_principal(
	const struct keys_file_key *key, enum principal_kind kind, const char *credential)
{
	auto_free char *identity = alloc_printf("key:%s", key->id);
	struct principal *principal = principal_new(kind, key->name, identity);

	principal->credential = alloc_str(credential);
	copy_list(&principal->domains, &key->domains);
	copy_list(&principal->tools, &key->tools);
	principal->is_admin = key->is_admin;
	principal->expires_s = key->expires_s;
	principal->quota = (struct conf_quota){
		.rate = key->rate,
		.burst = key->burst,
		.sessions = key->sessions,
		.streams = key->streams,
		.calls = key->calls,
		.bytes_rate = (size_t)key->bytes_rate,
	};
	return principal;
}

/* Of the first bytes of a hash. */
static size_t bucket_of(const uint8_t *hash)
{
	uint32_t first;

	memcpy(&first, hash, sizeof(first));
	return first & (N_BUCKETS - 1);
}

static void add_entry(
	struct key_set *set, size_t key, const uint8_t hash[KEY_TEXT_HASH_BYTES], int64_t until_s)
{
	struct entry **bucket = &set->buckets[bucket_of(hash)];
	struct entry *entry = &set->entries[set->n_entries++];
	char credential[2 * CREDENTIAL_BYTES + 1];

	for (size_t i = 0; i < CREDENTIAL_BYTES; i++)
		(void)snprintf(credential + 2 * i, 3, "%02x", hash[i]);
	*entry = (struct entry){ .next = *bucket,
		.key = key,
		.principal = make_principal(&set->file->keys[key], PRINCIPAL_KEY, credential),
		.until_s = until_s };
	memcpy(entry->hash, hash, sizeof(entry->hash));
	*bucket = entry;
}

static int compare_certificates(const void *a, const void *b)
{
	const struct certificate *left = a;
	const struct certificate *right = b;

	return strcmp(left->name, right->name);
}

static void add_certificate(struct key_set *set, size_t key, const char *name)
{
	set->certificates[set->n_certificates++] = (struct certificate){ .name = name,
		.key = key,
		.principal = make_principal(&set->file->keys[key], PRINCIPAL_CERTIFICATE, name) };
}

struct key_set *key_set_new(struct keys_file *file)
{
	struct key_set *set = alloc_zero(sizeof(*set));
	size_t n_certificates = 0;

	set->file = file;
	for (size_t i = 0; i < file->n; i++)
		n_certificates += file->keys[i].certificates.n;
	set->certificates = alloc_zero((n_certificates + 1) * sizeof(*set->certificates));
	set->entries = alloc_zero((2 * file->n + 1) * sizeof(*set->entries));
	for (size_t i = 0; i < file->n; i++) {
		const struct keys_file_key *key = &file->keys[i];

		if (key->has_hash)
			add_entry(set, i, key->hash, 0);
		if (key->has_rotated)
			add_entry(set, i, key->rotated_hash, key->rotated_until_s);
		for (size_t k = 0; k < key->certificates.n; k++)
			add_certificate(set, i, key->certificates.items[k]);
	}
	qsort(set->certificates, set->n_certificates, sizeof(*set->certificates),
		compare_certificates);
	return set;
}

/* --- looking up ----------------------------------------------------------------------------------- */

static bool has_expired(const struct keys_file_key *key, int64_t now_s)
{
	return key->expires_s != 0 && now_s >= key->expires_s;
}

static enum keys_verdict judge(const struct key_set *set, size_t i, struct principal *principal,
	int64_t now_s, struct principal **ret)
{
	*ret = principal_ref(principal);
	return has_expired(&set->file->keys[i], now_s) ? KEYS_EXPIRED : KEYS_OK;
}

/* As many comparisons as the bucket has entries, each of them whole, and one where it has none. */
static const struct entry *find(
	const struct key_set *set, const uint8_t hash[KEY_TEXT_HASH_BYTES], int64_t now_s)
{
	static const struct entry nobody;
	const struct entry *entry = set->buckets[bucket_of(hash)];
	const struct entry *found = NULL;

	if (!entry)
		entry = &nobody;
	for (; entry; entry = entry->next)
		if (key_text_hash_equal(entry->hash, hash) && entry != &nobody &&
			(entry->until_s == 0 || now_s < entry->until_s))
			found = entry;
	return found;
}

enum keys_verdict key_set_judge(
	const struct key_set *set, struct span text, int64_t now_s, struct principal **ret)
{
	uint8_t hash[KEY_TEXT_HASH_BYTES];
	const struct entry *entry = NULL;

	*ret = NULL;
	if (text.len == KEY_TEXT_CHARS && set && key_text_hash(text.at, text.len, hash) == 0)
		entry = find(set, hash, now_s);
	if (!entry)
		return KEYS_UNKNOWN;
	return judge(set, entry->key, entry->principal, now_s, ret);
}

static const struct certificate *find_certificate(const struct key_set *set, const char *name)
{
	const struct certificate wanted = { .name = name };

	return bsearch(&wanted, set->certificates, set->n_certificates, sizeof(*set->certificates),
		compare_certificates);
}

enum keys_verdict key_set_judge_certificate(
	const struct key_set *set, const char *name, int64_t now_s, struct principal **ret)
{
	const struct certificate *certificate = set ? find_certificate(set, name) : NULL;

	*ret = NULL;
	if (!certificate)
		return KEYS_UNKNOWN;
	return judge(set, certificate->key, certificate->principal, now_s, ret);
}

/* Of the same key, for the same text: one that was replaced because it leaked must not live on in what was opened
 * with it. */
static bool is_same_credential(const struct principal *a, const struct principal *b)
{
	return principal_same(a, b) && streq(a->credential, b->credential);
}

static struct principal *renew_key(
	const struct key_set *set, const struct principal *principal, int64_t now_s)
{
	uint8_t start[CREDENTIAL_BYTES];

	if (!ascii_hex_bytes(principal->credential, CREDENTIAL_BYTES, start))
		return NULL;
	for (const struct entry *entry = set->buckets[bucket_of(start)]; entry; entry = entry->next)
		if (is_same_credential(entry->principal, principal) &&
			!has_expired(&set->file->keys[entry->key], now_s) &&
			(entry->until_s == 0 || now_s < entry->until_s))
			return entry->principal;
	return NULL;
}

static struct principal *renew_certificate(
	const struct key_set *set, const struct principal *principal, int64_t now_s)
{
	const struct certificate *certificate = find_certificate(set, principal->credential);

	return certificate && principal_same(certificate->principal, principal) &&
			       !has_expired(&set->file->keys[certificate->key], now_s)
		       ? certificate->principal
		       : NULL;
}

struct principal *key_set_renew(
	const struct key_set *set, const struct principal *principal, int64_t now_s)
{
	if (!set)
		return NULL;
	return principal->kind == PRINCIPAL_CERTIFICATE ? renew_certificate(set, principal, now_s)
							: renew_key(set, principal, now_s);
}

size_t key_set_count(const struct key_set *set)
{
	return set ? set->file->n : 0;
}
