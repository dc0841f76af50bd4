/* See shares.h. */
#include "supervisor/front/shares.h"

#include <stdio.h>
#include <string.h>

#include "shared/alloc.h"

enum { N_BUCKETS = 1024 };

TAILQ_HEAD(entry_list, share_entry);

struct share {
	LIST_ENTRY(share) in_bucket;
	LIST_ENTRY(share) in_all;
	struct client_addr addr;
	unsigned n; /* connections */
	unsigned n_waiting;
	struct entry_list waiting; /* the longest first */
};

LIST_HEAD(share_list, share);

struct shares {
	struct share_list buckets[N_BUCKETS];
	struct share_list all;
	unsigned n_unknown;
};

/* An IPv6 address of a network whose addresses all belong to one customer. */
static bool is_networked(const struct client_addr *addr)
{
	static const uint8_t v4_prefix[12] = { [10] = 0xff, [11] = 0xff };

	return memcmp(addr->ip, v4_prefix, sizeof(v4_prefix)) != 0 &&
	       !client_addr_is_loopback(addr) && !client_addr_is_none(addr);
}

/* What counts as one: without the port, and of IPv6 without the lower half. */
static struct client_addr key_of(const struct client_addr *addr)
{
	struct client_addr key = *addr;

	key.port = 0;
	if (is_networked(addr))
		memset(key.ip + 8, 0, 8);
	return key;
}

const char *shares_key_text(const struct client_addr *addr, char ret[SHARES_KEY_SIZE])
{
	const struct client_addr key = key_of(addr);
	char text[CLIENT_ADDR_TEXT_SIZE];

	(void)snprintf(ret, SHARES_KEY_SIZE, "%s%s", client_addr_format(&key, text),
		is_networked(addr) ? "/64" : "");
	return ret;
}

static struct share_list *bucket_of(struct shares *shares, const struct client_addr *key)
{
	uint32_t hash = 2166136261U;

	for (size_t i = 0; i < sizeof(key->ip); i++)
		hash = (hash ^ key->ip[i]) * 16777619U;
	return &shares->buckets[hash % N_BUCKETS];
}

static struct share *get_share(struct shares *shares, const struct client_addr *addr)
{
	const struct client_addr key = key_of(addr);
	struct share_list *bucket = bucket_of(shares, &key);
	struct share *share;

	LIST_FOREACH(share, bucket, in_bucket)
		if (client_addr_same_ip(&share->addr, &key))
			return share;
	share = alloc_zero(sizeof(*share));
	share->addr = key;
	TAILQ_INIT(&share->waiting);
	LIST_INSERT_HEAD(bucket, share, in_bucket);
	LIST_INSERT_HEAD(&shares->all, share, in_all);
	return share;
}

struct shares *shares_new(void)
{
	return alloc_zero(sizeof(struct shares));
}

void shares_free(struct shares *shares)
{
	free(shares);
}

void shares_join(struct shares *shares, struct share_entry *entry, const struct client_addr *addr)
{
	*entry = (struct share_entry){ .share = get_share(shares, addr) };
	entry->share->n++;
	shares->n_unknown++;
	shares_wait(shares, entry);
}

void shares_leave(struct shares *shares, struct share_entry *entry)
{
	struct share *share = entry->share;

	if (!share)
		return;
	shares_stop_waiting(shares, entry);
	shares_note_known(shares, entry);
	entry->share = NULL;
	if (--share->n > 0)
		return;
	LIST_REMOVE(share, in_bucket);
	LIST_REMOVE(share, in_all);
	free(share);
}

void shares_stop_waiting(struct shares *shares, struct share_entry *entry)
{
	if (!entry->share || !entry->is_waiting)
		return;
	entry->is_waiting = false;
	entry->share->n_waiting--;
	TAILQ_REMOVE(&entry->share->waiting, entry, next);
}

void shares_wait(struct shares *shares, struct share_entry *entry)
{
	if (!entry->share || entry->is_waiting)
		return;
	entry->is_waiting = true;
	entry->share->n_waiting++;
	TAILQ_INSERT_TAIL(&entry->share->waiting, entry, next);
}

void shares_note_known(struct shares *shares, struct share_entry *entry)
{
	if (!entry->share || entry->is_known)
		return;
	entry->is_known = true;
	shares->n_unknown--;
}

unsigned shares_count_unknown(const struct shares *shares)
{
	return shares->n_unknown;
}

static struct share_entry *find_in(
	const struct share *share, const struct share_entry *newcomer, bool only_unknown)
{
	struct share_entry *entry;

	TAILQ_FOREACH(entry, &share->waiting, next)
		if (entry != newcomer && !(only_unknown && entry->is_known))
			return entry;
	return NULL;
}

struct share_entry *shares_find_victim(
	struct shares *shares, const struct share_entry *newcomer, bool only_unknown)
{
	struct share_entry *victim = NULL;
	struct share *share;
	unsigned most = 0;

	LIST_FOREACH(share, &shares->all, in_all) {
		struct share_entry *entry;

		if (share->n_waiting <= most)
			continue;
		entry = find_in(share, newcomer, only_unknown);
		if (!entry)
			continue;
		most = share->n_waiting;
		victim = entry;
	}
	return victim;
}
