/* See heartbeat.h. Those whose turn it is stand in a list of their own meanwhile, so that a beat may
 * change the wheel. */
#include "supervisor/front/heartbeat.h"

#include "shared/alloc.h"

enum { DUE = HEARTBEAT_SLOTS }; /* the list of those whose turn it is */

TAILQ_HEAD(slot, heartbeat_entry);

struct heartbeat {
	struct loop *loop;
	heartbeat_fn *fn;
	struct timer *timer;
	int64_t interval_ms;
	int64_t began_ms;
	uint64_t n_ticks; /* since began_ms */
	struct slot slots[HEARTBEAT_SLOTS + 1];
	unsigned now_slot;
	unsigned n_entries;
	unsigned n_joined; /* ever: those who come at the same time get slots in turn */
};

static void put(struct heartbeat *heartbeat, struct heartbeat_entry *entry, unsigned slot)
{
	entry->slot = slot + 1;
	TAILQ_INSERT_TAIL(&heartbeat->slots[slot], entry, next);
}

/* Ticks are counted from the start of the wheel, so that rounding does not add up. */
static void wait_for_tick(struct heartbeat *heartbeat)
{
	int64_t due_ms = heartbeat->began_ms + (int64_t)(heartbeat->n_ticks + 1) *
						       heartbeat->interval_ms / HEARTBEAT_SLOTS;
	int64_t wait_ms = due_ms - loop_now_ms(heartbeat->loop);

	timer_start(heartbeat->timer, wait_ms > 0 ? wait_ms : 0);
}

static void begin(struct heartbeat *heartbeat)
{
	heartbeat->began_ms = loop_now_ms(heartbeat->loop);
	heartbeat->n_ticks = 0;
	wait_for_tick(heartbeat);
}

static void on_tick(void *arg)
{
	struct heartbeat *heartbeat = arg;
	struct slot *due = &heartbeat->slots[DUE];
	struct heartbeat_entry *entry;

	if (heartbeat->n_entries == 0)
		return;
	heartbeat->n_ticks++;
	heartbeat->now_slot = (heartbeat->now_slot + 1) % HEARTBEAT_SLOTS;
	TAILQ_CONCAT(due, &heartbeat->slots[heartbeat->now_slot], next);
	TAILQ_FOREACH(entry, due, next)
		entry->slot = DUE + 1;
	while ((entry = TAILQ_FIRST(due))) {
		TAILQ_REMOVE(due, entry, next);
		put(heartbeat, entry, heartbeat->now_slot);
		heartbeat->fn(entry);
	}
	if (heartbeat->n_entries > 0)
		wait_for_tick(heartbeat);
}

struct heartbeat *heartbeat_new(struct loop *loop, int64_t interval_ms, heartbeat_fn *fn)
{
	struct heartbeat *heartbeat = alloc_zero(sizeof(*heartbeat));

	heartbeat->loop = loop;
	heartbeat->fn = fn;
	heartbeat->interval_ms = interval_ms;
	heartbeat->timer = timer_new(loop, on_tick, heartbeat);
	for (size_t i = 0; i < N_ELEMENTS(heartbeat->slots); i++)
		TAILQ_INIT(&heartbeat->slots[i]);
	return heartbeat;
}

void heartbeat_free(struct heartbeat *heartbeat)
{
	if (!heartbeat)
		return;
	timer_free(heartbeat->timer);
	free(heartbeat);
}

void heartbeat_set_interval(struct heartbeat *heartbeat, int64_t interval_ms)
{
	heartbeat->interval_ms = interval_ms;
	if (heartbeat->n_entries > 0)
		begin(heartbeat);
}

void heartbeat_join(struct heartbeat *heartbeat, struct heartbeat_entry *entry)
{
	unsigned ahead = HEARTBEAT_SLOTS / 2 + heartbeat->n_joined++ % (HEARTBEAT_SLOTS / 2);

	if (heartbeat->n_entries++ == 0)
		begin(heartbeat);
	put(heartbeat, entry, (heartbeat->now_slot + ahead) % HEARTBEAT_SLOTS);
}

void heartbeat_leave(struct heartbeat *heartbeat, struct heartbeat_entry *entry)
{
	if (entry->slot == 0)
		return;
	TAILQ_REMOVE(&heartbeat->slots[entry->slot - 1], entry, next);
	entry->slot = 0;
	if (--heartbeat->n_entries == 0)
		timer_stop(heartbeat->timer);
}
