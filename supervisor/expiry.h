/* Deadlines that all lie the same time ahead: a FIFO with one timer for its head.
 *
 * Adding and removing are O(1) and cost an idle entry 24 bytes, where a timer each would cost a
 * libevent event and a heap. Used for HTTP time-outs and for the deadlines of calls. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "supervisor/loop.h"

struct expiry;

/* Embedded in what expires; zero is "not in a queue". */
struct expiry_entry {
	TAILQ_ENTRY(expiry_entry) next;
	int64_t due_ms;
};

/* `fn` runs when an entry's time has come; the entry has left the queue by then. */
typedef void expiry_fn(struct expiry_entry *entry, void *arg);

struct expiry *expiry_new(struct loop *loop, int64_t after_ms, expiry_fn *fn, void *arg);
void expiry_free(struct expiry *expiry); /* entries must have left */

bool expiry_is_empty(const struct expiry *expiry);

/* For entries added from now on. */
void expiry_set_after(struct expiry *expiry, int64_t after_ms);

/* An entry that is in the queue already starts anew. */
void expiry_add(struct expiry *expiry, struct expiry_entry *entry);
void expiry_remove(struct expiry *expiry, struct expiry_entry *entry);
bool expiry_has(const struct expiry_entry *entry);
