/* Whose connections there are, by address, and which of them has to go when there is no room for another.
 *
 * A connection may go while it waits: its next request has not come yet, or not in whole. When one more comes than may
 * be, the place is taken from the address that has the most of those, and there from the one that waits longest. So a
 * flood from one address takes the places of its own, and somebody else's newcomer finds one. Of IPv6 the address is
 * the network of 64 bits, which one customer has.
 *
 * A flood makes this question the one that is asked most, so the answer is kept at hand: a heap of the addresses by
 * what they have waiting, for all connections and for those that are not known. A change costs the logarithm of the
 * number of addresses, the question nothing. */
#pragma once

#include <sys/queue.h>

#include "supervisor/client_addr.h"

struct share;
struct shares;

enum shares_set {
	SHARES_ALL,
	SHARES_UNKNOWN, /* only those that are not known */
	SHARES_SETS,
};

/* Embedded in what has a connection. */
struct share_entry {
	TAILQ_ENTRY(share_entry) next[SHARES_SETS]; /* while it waits */
	struct share *share;
	uint64_t turn; /* who waits longer has a lower one */
	bool is_waiting;
	bool is_known; /* it has shown who it is, or nobody is asked */
};

struct shares *shares_new(void);
void shares_free(struct shares *shares); /* after all have left */

/* The entry begins to wait, and is not known. */
void shares_join(struct shares *shares, struct share_entry *entry, const struct client_addr *addr);
void shares_leave(struct shares *shares, struct share_entry *entry);

/* Its request is there; it waits again, from now on. */
void shares_stop_waiting(struct shares *shares, struct share_entry *entry);
void shares_wait(struct shares *shares, struct share_entry *entry);

void shares_note_known(struct shares *shares, struct share_entry *entry);
unsigned shares_count_unknown(const struct shares *shares);

/* Who of the set has to go for `newcomer`, the last that has joined. Of two addresses with as many, it is that where
 * somebody waits longer. NULL: nobody. */
struct share_entry *shares_find_victim(
	const struct shares *shares, const struct share_entry *newcomer, enum shares_set set);

/* "192.0.2.7", or "2001:db8:1:2::/64". Returns `ret`. */
enum { SHARES_KEY_SIZE = CLIENT_ADDR_TEXT_SIZE + 4 };
const char *shares_key_text(const struct client_addr *addr, char ret[SHARES_KEY_SIZE]);
