/* See fairq.h. */
#include "supervisor/fleet/fairq.h"

#include <assert.h>

#include "shared/alloc.h"

enum {
	BUCKETS = 256,
	NOWHERE = -1, /* not in the heap */
};

/* There is one while its session has calls waiting or running, or is held. */
struct fairq_lane {
	LIST_ENTRY(fairq_lane) in_bucket;
	struct fairq *queue;
	uint64_t session;
	struct request_list waiting;
	unsigned n_running;
	uint64_t turn; /* among lanes with as many running: the smaller one first */
	int at;        /* in the heap */
	bool is_held;
	bool is_left; /* its session is another now: it only counts what still runs */
};

struct fairq {
	LIST_HEAD(, fairq_lane) buckets[BUCKETS];
	struct fairq_lane **heap; /* of lanes that wait and are not held */
	int n_heap;
	int max_heap;
	TAILQ_HEAD(, request) all; /* as they came */
	unsigned n_waiting;
	size_t n_bytes;
	uint64_t last_turn;
};

/* --- the heap ---------------------------------------------------------------------------------- */

static bool is_before(const struct fairq_lane *a, const struct fairq_lane *b)
{
	return a->n_running != b->n_running ? a->n_running < b->n_running : a->turn < b->turn;
}

static void put(struct fairq *q, int at, struct fairq_lane *lane)
{
	q->heap[at] = lane;
	lane->at = at;
}

static void sift_up(struct fairq *q, struct fairq_lane *lane)
{
	int at = lane->at;

	while (at > 0 && is_before(lane, q->heap[(at - 1) / 2])) {
		put(q, at, q->heap[(at - 1) / 2]);
		at = (at - 1) / 2;
	}
	put(q, at, lane);
}

static void sift_down(struct fairq *q, struct fairq_lane *lane)
{
	int at = lane->at;

	for (;;) {
		int child = 2 * at + 1;

		if (child + 1 < q->n_heap && is_before(q->heap[child + 1], q->heap[child]))
			child++;
		if (child >= q->n_heap || !is_before(q->heap[child], lane))
			break;
		put(q, at, q->heap[child]);
		at = child;
	}
	put(q, at, lane);
}

static void heap_add(struct fairq *q, struct fairq_lane *lane)
{
	if (q->n_heap == q->max_heap) {
		q->max_heap = q->max_heap ? 2 * q->max_heap : 16;
		q->heap = alloc_resize(q->heap, (size_t)q->max_heap, sizeof(struct fairq_lane *));
	}
	put(q, q->n_heap++, lane);
	sift_up(q, lane);
}

static void heap_remove(struct fairq *q, struct fairq_lane *lane)
{
	struct fairq_lane *last = q->heap[--q->n_heap];
	int at = lane->at;

	lane->at = NOWHERE;
	if (last == lane)
		return;
	put(q, at, last);
	sift_up(q, last);
	sift_down(q, last);
}

/* --- lanes ------------------------------------------------------------------------------------- */

static unsigned bucket_of(uint64_t session)
{
	return (unsigned)(session % BUCKETS);
}

static struct fairq_lane *find_lane(const struct fairq *q, uint64_t session)
{
	struct fairq_lane *lane;

	LIST_FOREACH(lane, &q->buckets[bucket_of(session)], in_bucket)
		if (lane->session == session && !lane->is_left)
			return lane;
	return NULL;
}

static struct fairq_lane *need_lane(struct fairq *q, uint64_t session)
{
	struct fairq_lane *lane = find_lane(q, session);

	if (lane)
		return lane;
	lane = alloc_zero(sizeof(*lane));
	lane->queue = q;
	lane->session = session;
	lane->at = NOWHERE;
	TAILQ_INIT(&lane->waiting);
	LIST_INSERT_HEAD(&q->buckets[bucket_of(session)], lane, in_bucket);
	return lane;
}

/* After anything about it changed: the heap is brought in line, and a lane of no use is freed. */
static void settle(struct fairq_lane *lane)
{
	struct fairq *q = lane->queue;
	bool belongs = !lane->is_held && !TAILQ_EMPTY(&lane->waiting);

	if (lane->at != NOWHERE && !belongs) {
		heap_remove(q, lane);
	} else if (lane->at == NOWHERE && belongs) {
		heap_add(q, lane);
	} else if (belongs) {
		sift_up(q, lane);
		sift_down(q, lane);
	}
	if (TAILQ_EMPTY(&lane->waiting) && lane->n_running == 0 && !lane->is_held) {
		LIST_REMOVE(lane, in_bucket);
		free(lane);
	}
}

static void stop_counting(struct request *request)
{
	struct fairq_lane *lane = request->running_in;

	if (!lane)
		return;
	request->running_in = NULL;
	lane->n_running--;
	settle(lane);
}

static void take_out(struct fairq *q, struct fairq_lane *lane, struct request *request)
{
	TAILQ_REMOVE(&lane->waiting, request, next);
	TAILQ_REMOVE(&q->all, request, in_all);
	q->n_waiting--;
	q->n_bytes -= request->len;
}

/* --- public ------------------------------------------------------------------------------------ */

struct fairq *fairq_new(void)
{
	struct fairq *q = alloc_zero(sizeof(*q));

	TAILQ_INIT(&q->all);
	return q;
}

void fairq_free(struct fairq *q)
{
	if (!q)
		return;
	for (unsigned i = 0; i < BUCKETS; i++) {
		struct fairq_lane *lane;

		while ((lane = LIST_FIRST(&q->buckets[i]))) {
			/* The analyzer loses LIST_REMOVE. NOLINTNEXTLINE(clang-analyzer-unix.Malloc) */
			assert(TAILQ_EMPTY(&lane->waiting) && lane->n_running == 0);
			LIST_REMOVE(lane, in_bucket);
			free(lane);
		}
	}
	free(q->heap);
	free(q);
}

/* A lane that begins to wait goes behind those that wait already. */
static struct fairq_lane *join(struct fairq *q, struct request *request)
{
	struct fairq_lane *lane;

	if (request->running_in) /* it may have been moved meanwhile */
		request->session = request->running_in->session;
	stop_counting(request);
	lane = need_lane(q, request->session);
	if (TAILQ_EMPTY(&lane->waiting))
		lane->turn = ++q->last_turn;
	q->n_waiting++;
	q->n_bytes += request->len;
	return lane;
}

void fairq_add(struct fairq *q, struct request *request)
{
	struct fairq_lane *lane = join(q, request);

	TAILQ_INSERT_TAIL(&lane->waiting, request, next);
	TAILQ_INSERT_TAIL(&q->all, request, in_all);
	settle(lane);
}

void fairq_add_first(struct fairq *q, struct request *request)
{
	struct fairq_lane *lane = join(q, request);

	TAILQ_INSERT_HEAD(&lane->waiting, request, next);
	TAILQ_INSERT_HEAD(&q->all, request, in_all);
	settle(lane);
}

struct request *fairq_first(const struct fairq *q)
{
	return q->n_heap > 0 ? TAILQ_FIRST(&q->heap[0]->waiting) : NULL;
}

struct request *fairq_first_of(const struct fairq *q, uint64_t session)
{
	const struct fairq_lane *lane = find_lane(q, session);

	return lane ? TAILQ_FIRST(&lane->waiting) : NULL;
}

void fairq_take(struct fairq *q, struct request *request)
{
	struct fairq_lane *lane = find_lane(q, request->session);

	assert(lane); /* what waits has one */
	take_out(q, lane, request);
	request->running_in = lane;
	lane->n_running++;
	lane->turn = ++q->last_turn;
	settle(lane);
}

void fairq_remove(struct fairq *q, struct request *request)
{
	struct fairq_lane *lane = find_lane(q, request->session);

	assert(lane); /* what waits has one */
	take_out(q, lane, request);
	settle(lane);
}

struct request *fairq_oldest(const struct fairq *q)
{
	return TAILQ_FIRST(&q->all);
}

struct request *fairq_after(struct request *request)
{
	return TAILQ_NEXT(request, in_all);
}

struct request *fairq_find(const struct fairq *q, uint64_t no)
{
	struct request *request;

	TAILQ_FOREACH(request, &q->all, in_all)
		if (request->no == no)
			return request;
	return NULL;
}

void fairq_hold(struct fairq *q, uint64_t session, bool hold)
{
	struct fairq_lane *lane = hold ? need_lane(q, session) : find_lane(q, session);

	if (!lane)
		return;
	lane->is_held = hold;
	settle(lane);
}

/* What waits in `lane` goes behind what waits in `other`. */
static void merge(struct fairq *q, struct fairq_lane *lane, struct fairq_lane *other)
{
	if (TAILQ_EMPTY(&other->waiting))
		other->turn = ++q->last_turn;
	TAILQ_CONCAT(&other->waiting, &lane->waiting, next);
	lane->is_left = true;
	lane->session = other->session;
	settle(other);
}

/* What still runs of lanes that were left earlier goes with the session. They are few, and so are moves. */
static void move_left(struct fairq *q, uint64_t from, uint64_t to)
{
	struct fairq_lane *lane;

	for (unsigned i = 0; i < BUCKETS; i++)
		LIST_FOREACH(lane, &q->buckets[i], in_bucket)
			if (lane->is_left && lane->session == from)
				lane->session = to;
}

/* Requests that run point to their lane: it becomes that of the new session, or ends with them. */
void fairq_move(struct fairq *q, uint64_t from, uint64_t to)
{
	struct fairq_lane *lane = find_lane(q, from);
	struct fairq_lane *other = find_lane(q, to);
	struct request *request;

	if (from == to)
		return;
	move_left(q, from, to);
	if (!lane)
		return;
	TAILQ_FOREACH(request, &lane->waiting, next)
		request->session = to;
	lane->is_held = false;
	if (other) {
		merge(q, lane, other);
	} else {
		LIST_REMOVE(lane, in_bucket);
		lane->session = to;
		LIST_INSERT_HEAD(&q->buckets[bucket_of(to)], lane, in_bucket);
	}
	settle(lane);
}

unsigned fairq_count(const struct fairq *q)
{
	return q->n_waiting;
}

size_t fairq_bytes(const struct fairq *q)
{
	return q->n_bytes;
}

unsigned fairq_count_running(const struct fairq *q, uint64_t session)
{
	const struct fairq_lane *lane = find_lane(q, session);

	return lane ? lane->n_running : 0;
}

void fairq_forget(struct request *request)
{
	stop_counting(request);
}
