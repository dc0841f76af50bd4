/* See shares.h. */
#include "supervisor/front/shares.h"

#include <stdio.h>
#include <string.h>

#include "shared/alloc.h"
#include "shared/keyed_hash.h"

enum {
	N_BUCKETS = 4096, /* one address has one entry, with as many connections as it has */
	FIRST_ROOM = 64,  /* of a heap */
};

TAILQ_HEAD(entry_list, share_entry);

/* What an address has waiting, of one set. */
struct queue {
	struct entry_list entries; /* the longest first */
	unsigned n;
	size_t at; /* in the heap, while n is not 0 */
};

struct share {
	LIST_ENTRY(share) in_bucket;
	struct client_addr addr;
	unsigned n; /* connections */
	struct queue queues[SHARES_SETS];
};

LIST_HEAD(share_list, share);

/* The queues that are not empty; the one that loses next is the first. */
struct heap {
	struct queue **items;
	size_t n;
	size_t room;
};

struct shares {
	struct share_list buckets[N_BUCKETS];
	struct heap heaps[SHARES_SETS];
	unsigned n_unknown;
	uint64_t last_turn;
};

/* --- the heap ------------------------------------------------------------------------------------ */

static bool loses_before(const struct queue *a, const struct queue *b)
{
	if (a->n != b->n)
		return a->n > b->n;
	return TAILQ_FIRST(&a->entries)->turn < TAILQ_FIRST(&b->entries)->turn;
}

static void put(struct heap *heap, size_t at, struct queue *queue)
{
	heap->items[at] = queue;
	queue->at = at;
}

static void move_up(struct heap *heap, struct queue *queue)
{
	size_t at = queue->at;

	while (at > 0 && loses_before(queue, heap->items[(at - 1) / 2])) {
		put(heap, at, heap->items[(at - 1) / 2]);
		at = (at - 1) / 2;
	}
	put(heap, at, queue);
}

static void move_down(struct heap *heap, struct queue *queue)
{
	size_t at = queue->at;

	for (size_t child = 2 * at + 1; child < heap->n; child = 2 * at + 1) {
		if (child + 1 < heap->n && loses_before(heap->items[child + 1], heap->items[child]))
			child++;
		if (!loses_before(heap->items[child], queue))
			break;
		put(heap, at, heap->items[child]);
		at = child;
	}
	put(heap, at, queue);
}

static void heap_add(struct heap *heap, struct queue *queue)
{
	if (heap->n == heap->room) {
		heap->room = heap->room ? 2 * heap->room : FIRST_ROOM;
		heap->items = alloc_resize(heap->items, heap->room, sizeof(struct queue *));
	}
	put(heap, heap->n++, queue);
}

static void heap_remove(struct heap *heap, struct queue *queue)
{
	struct queue *last = heap->items[--heap->n];
	size_t at = queue->at;

	if (last == queue)
		return;
	put(heap, at, last);
	move_up(heap, last);
	move_down(heap, last);
}

/* --- who waits ----------------------------------------------------------------------------------- */

static void queue_add(struct shares *shares, struct share_entry *entry, enum shares_set set)
{
	struct queue *queue = &entry->share->queues[set];
	struct heap *heap = &shares->heaps[set];

	TAILQ_INSERT_TAIL(&queue->entries, entry, next[set]);
	if (queue->n++ == 0)
		heap_add(heap, queue);
	move_up(heap, queue);
}

static void queue_remove(struct shares *shares, struct share_entry *entry, enum shares_set set)
{
	struct queue *queue = &entry->share->queues[set];
	struct heap *heap = &shares->heaps[set];

	TAILQ_REMOVE(&queue->entries, entry, next[set]);
	if (--queue->n == 0)
		heap_remove(heap, queue);
	else
		move_down(heap, queue);
}

/* --- addresses ----------------------------------------------------------------------------------- */

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
	return &shares->buckets[keyed_hash(0, key->ip, sizeof(key->ip)) % N_BUCKETS];
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
	for (int set = 0; set < SHARES_SETS; set++)
		TAILQ_INIT(&share->queues[set].entries);
	LIST_INSERT_HEAD(bucket, share, in_bucket);
	return share;
}

struct shares *shares_new(void)
{
	return alloc_zero(sizeof(struct shares));
}

void shares_free(struct shares *shares)
{
	for (int set = 0; set < SHARES_SETS; set++)
		free(shares->heaps[set].items);
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
	free(share);
}

void shares_stop_waiting(struct shares *shares, struct share_entry *entry)
{
	if (!entry->share || !entry->is_waiting)
		return;
	entry->is_waiting = false;
	queue_remove(shares, entry, SHARES_ALL);
	if (!entry->is_known)
		queue_remove(shares, entry, SHARES_UNKNOWN);
}

void shares_wait(struct shares *shares, struct share_entry *entry)
{
	if (!entry->share || entry->is_waiting)
		return;
	entry->is_waiting = true;
	entry->turn = ++shares->last_turn;
	queue_add(shares, entry, SHARES_ALL);
	if (!entry->is_known)
		queue_add(shares, entry, SHARES_UNKNOWN);
}

void shares_note_known(struct shares *shares, struct share_entry *entry)
{
	if (!entry->share || entry->is_known)
		return;
	if (entry->is_waiting)
		queue_remove(shares, entry, SHARES_UNKNOWN);
	entry->is_known = true;
	shares->n_unknown--;
}

unsigned shares_count_unknown(const struct shares *shares)
{
	return shares->n_unknown;
}

/* The newcomer waits shortest: where it is first it is alone. */
struct share_entry *shares_find_victim(
	const struct shares *shares, const struct share_entry *newcomer, enum shares_set set)
{
	const struct heap *heap = &shares->heaps[set];
	struct share_entry *first = heap->n > 0 ? TAILQ_FIRST(&heap->items[0]->entries) : NULL;

	return first == newcomer ? NULL : first;
}
