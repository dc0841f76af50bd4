/* See expiry.h. Invariant: due_ms never falls from head to tail, but for a shortened after_ms; an
 * entry behind a longer one is then late by at most the difference. */
#include "supervisor/expiry.h"

#include "shared/alloc.h"

/* So many entries a turn: the loop must not stall when a thousand fall due at once. */
enum { EXPIRY_BATCH = 256 };

struct expiry {
	TAILQ_HEAD(expiry_list, expiry_entry) entries;
	struct loop *loop;
	struct timer *timer;
	int64_t after_ms;
	expiry_fn *fn;
	void *arg;
};

static void wait_for_head(struct expiry *expiry)
{
	const struct expiry_entry *head = TAILQ_FIRST(&expiry->entries);
	int64_t wait_ms;

	if (!head)
		return;
	wait_ms = head->due_ms - loop_now_ms(expiry->loop);
	timer_start(expiry->timer, wait_ms > 0 ? wait_ms : 0);
}

static void on_timer(void *arg)
{
	struct expiry *expiry = arg;
	int64_t now_ms = loop_now_ms(expiry->loop);
	struct expiry_entry *head;

	for (int i = 0; i < EXPIRY_BATCH; i++) {
		head = TAILQ_FIRST(&expiry->entries);
		if (!head || head->due_ms > now_ms)
			break;
		expiry_remove(expiry, head);
		expiry->fn(head, expiry->arg);
	}
	wait_for_head(expiry);
}

struct expiry *expiry_new(struct loop *loop, int64_t after_ms, expiry_fn *fn, void *arg)
{
	struct expiry *expiry = alloc_zero(sizeof(*expiry));

	TAILQ_INIT(&expiry->entries);
	expiry->loop = loop;
	expiry->after_ms = after_ms;
	expiry->fn = fn;
	expiry->arg = arg;
	expiry->timer = timer_new(loop, on_timer, expiry);
	return expiry;
}

void expiry_free(struct expiry *expiry)
{
	if (!expiry)
		return;
	timer_free(expiry->timer);
	free(expiry);
}

bool expiry_is_empty(const struct expiry *expiry)
{
	return TAILQ_EMPTY(&expiry->entries);
}

void expiry_set_after(struct expiry *expiry, int64_t after_ms)
{
	expiry->after_ms = after_ms;
	if (expiry_is_empty(expiry))
		timer_stop(expiry->timer); /* it runs for one that has left */
}

void expiry_add(struct expiry *expiry, struct expiry_entry *entry)
{
	expiry_remove(expiry, entry);
	entry->due_ms = loop_now_ms(expiry->loop) + expiry->after_ms;
	TAILQ_INSERT_TAIL(&expiry->entries, entry, next);
	/* A running timer fires for an older entry, or for one that has left: both look again. */
	if (!timer_is_running(expiry->timer))
		wait_for_head(expiry);
}

void expiry_remove(struct expiry *expiry, struct expiry_entry *entry)
{
	if (!expiry_has(entry))
		return;
	TAILQ_REMOVE(&expiry->entries, entry, next);
	entry->due_ms = 0;
}

bool expiry_has(const struct expiry_entry *entry)
{
	return entry->due_ms != 0;
}
