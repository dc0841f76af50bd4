/* See event_store.h.
 *
 * Each event is in two lists: its stream's, in order, and one of the store's: those that wait, and
 * those that were delivered, in the order of delivery. A stream is freed when it has ended, nobody
 * carries it, and its last event has left. */
#include "supervisor/front/event_store.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "shared/alloc.h"
#include "shared/ascii.h"

TAILQ_HEAD(event_list, event);

struct event_stream {
	TAILQ_ENTRY(event_stream) next;
	struct event_store *store;
	struct event_list events;
	struct event *waiting; /* the first that waits */
	uint64_t no;
	uint64_t last;
	bool is_live;
	bool has_ended;
};

/* One of the two lists, and how much is in it. */
struct shelf {
	struct event_list events;
	size_t bytes;
	unsigned n;
};

struct event_store {
	const struct event_limits *limits;
	TAILQ_HEAD(, event_stream) streams; /* the newest first */
	struct shelf waiting;
	struct shelf delivered;
};

/* --- lists ------------------------------------------------------------------------------------- */

static void put_on(struct shelf *shelf, struct event *event)
{
	TAILQ_INSERT_TAIL(&shelf->events, event, in_list);
	shelf->bytes += event->len;
	shelf->n++;
}

static void take_off(struct shelf *shelf, struct event *event)
{
	TAILQ_REMOVE(&shelf->events, event, in_list);
	shelf->bytes -= event->len;
	shelf->n--;
}

static struct shelf *shelf_of(struct event_store *store, const struct event *event)
{
	return event->is_delivered ? &store->delivered : &store->waiting;
}

static void set_delivered(struct event *event, bool is_delivered)
{
	struct event_store *store = event->stream->store;

	take_off(shelf_of(store, event), event);
	event->is_delivered = is_delivered;
	put_on(shelf_of(store, event), event);
}

static void free_if_over(struct event_stream *stream)
{
	if (stream->is_live || !stream->has_ended || !TAILQ_EMPTY(&stream->events))
		return;
	TAILQ_REMOVE(&stream->store->streams, stream, next);
	free(stream);
}

/* The event leaves; its stream too when it was the last of one that is over. */
static void forget(struct event *event)
{
	struct event_stream *stream = event->stream;

	take_off(shelf_of(stream->store, event), event);
	if (stream->waiting == event)
		stream->waiting = TAILQ_NEXT(event, in_stream);
	TAILQ_REMOVE(&stream->events, event, in_stream);
	free(event);
	free_if_over(stream);
}

/* --- bounds ------------------------------------------------------------------------------------ */

static void trim_delivered(struct event_store *store)
{
	while (store->delivered.bytes > store->limits->replay_bytes ||
		store->delivered.n > store->limits->replay_events)
		/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): the analyzer loses TAILQ_REMOVE */
		forget(TAILQ_FIRST(&store->delivered.events));
}

static bool has_room(const struct event_store *store, size_t len)
{
	return store->waiting.bytes <= store->limits->queue_bytes &&
	       len <= store->limits->queue_bytes - store->waiting.bytes &&
	       store->waiting.n < store->limits->queue_events;
}

/* Gives up what waits for nobody, the oldest first. */
static bool make_room(struct event_store *store, size_t len)
{
	struct event *event;
	struct event *after;

	for (event = TAILQ_FIRST(&store->waiting.events); event && !has_room(store, len);
		event = after) {
		after = TAILQ_NEXT(event, in_list);
		if (!event->stream->is_live)
			forget(event);
	}
	return has_room(store, len);
}

bool event_store_is_slow(const struct event_store *store)
{
	const struct event *event;
	size_t bytes = 0;
	unsigned n = 0;

	if (store->waiting.bytes <= store->limits->queue_bytes / 2 &&
		store->waiting.n <= store->limits->queue_events / 2)
		return false;
	TAILQ_FOREACH(event, &store->waiting.events, in_list)
		if (event->stream->is_live) {
			bytes += event->len;
			n++;
		}
	return bytes > store->limits->queue_bytes / 2 || n > store->limits->queue_events / 2;
}

/* --- streams ----------------------------------------------------------------------------------- */

struct event_stream *event_store_open(struct event_store *store, uint64_t no)
{
	struct event_stream *stream = alloc_zero(sizeof(*stream));

	stream->store = store;
	stream->no = no;
	stream->is_live = true;
	TAILQ_INIT(&stream->events);
	TAILQ_INSERT_HEAD(&store->streams, stream, next);
	return stream;
}

struct event_stream *event_store_find(const struct event_store *store, uint64_t no)
{
	struct event_stream *stream;

	TAILQ_FOREACH(stream, &store->streams, next)
		if (stream->no == no)
			return stream;
	return NULL;
}

uint64_t event_stream_get_no(const struct event_stream *stream)
{
	return stream->no;
}

uint64_t event_stream_get_last(const struct event_stream *stream)
{
	return stream->last;
}

int event_stream_append(struct event_stream *stream, const void *bytes, size_t len)
{
	struct event_store *store = stream->store;
	struct event *event;

	if (!has_room(store, len) && !make_room(store, len)) {
		if (stream->is_live)
			return -ENOBUFS;
		stream->last++; /* a gap: nothing else may get its number */
		return 0;
	}
	event = alloc_zero(sizeof(*event) + len);
	event->stream = stream;
	event->n = ++stream->last;
	event->len = len;
	memcpy(event->bytes, bytes, len);
	TAILQ_INSERT_TAIL(&stream->events, event, in_stream);
	put_on(&store->waiting, event);
	if (!stream->waiting)
		stream->waiting = event;
	return 0;
}

const struct event *event_stream_next(const struct event_stream *stream)
{
	return stream->waiting;
}

void event_stream_delivered(struct event_stream *stream)
{
	struct event *event = stream->waiting;

	if (!event)
		return;
	stream->waiting = TAILQ_NEXT(event, in_stream);
	set_delivered(event, true);
	trim_delivered(stream->store);
}

bool event_stream_rewind(struct event_stream *stream, uint64_t n)
{
	struct event *event;

	if (n > stream->last)
		return false;
	stream->waiting = NULL;
	TAILQ_FOREACH(event, &stream->events, in_stream) {
		if (event->is_delivered != (event->n <= n))
			set_delivered(event, event->n <= n);
		if (event->n > n && !stream->waiting)
			stream->waiting = event;
	}
	trim_delivered(stream->store);
	return true;
}

void event_stream_join(struct event_stream *stream)
{
	stream->is_live = true;
}

void event_stream_leave(struct event_stream *stream)
{
	stream->is_live = false;
	free_if_over(stream);
}

uint64_t event_stream_position(const struct event_stream *stream)
{
	return stream->waiting ? stream->waiting->n - 1 : stream->last;
}

void event_stream_clear(struct event_stream *stream)
{
	struct event *event;
	struct event *after;

	for (event = TAILQ_FIRST(&stream->events); event; event = after) {
		after = TAILQ_NEXT(event, in_stream);
		forget(event);
	}
}

void event_stream_end(struct event_stream *stream)
{
	stream->has_ended = true;
	free_if_over(stream);
}

bool event_stream_has_ended(const struct event_stream *stream)
{
	return stream->has_ended;
}

/* --- the store --------------------------------------------------------------------------------- */

struct event_store *event_store_new(const struct event_limits *limits)
{
	struct event_store *store = alloc_zero(sizeof(*store));

	store->limits = limits;
	TAILQ_INIT(&store->streams);
	TAILQ_INIT(&store->waiting.events);
	TAILQ_INIT(&store->delivered.events);
	return store;
}

void event_store_free(struct event_store *store)
{
	struct event_stream *stream;
	struct event *event;

	if (!store)
		return;
	while ((stream = TAILQ_FIRST(&store->streams))) {
		while ((event = TAILQ_FIRST(&stream->events))) {
			TAILQ_REMOVE(&stream->events, event, in_stream);
			free(event);
		}
		TAILQ_REMOVE(&store->streams, stream, next);
		free(stream);
	}
	free(store);
}

/* --- ids --------------------------------------------------------------------------------------- */

void event_id_format(uint64_t stream, uint64_t n, char ret[EVENT_ID_TEXT])
{
	(void)snprintf(ret, EVENT_ID_TEXT, "%" PRIu64 "-%" PRIu64, stream, n);
}

/* Digits up to `stop` (or the end, for 0), without leading zeros. Moves *at behind them. */
static bool read_number(const char **at, const char *end, char stop, uint64_t *ret)
{
	const char *start = *at;
	uint64_t number = 0;

	for (; *at < end && ascii_is_digit(**at); (*at)++) {
		uint64_t digit = (uint64_t)(**at - '0');

		if (number > (UINT64_MAX - digit) / 10)
			return false;
		number = number * 10 + digit;
	}
	*ret = number;
	if (*at == start || (*start == '0' && *at - start > 1))
		return false;
	return stop ? *at < end && *(*at)++ == stop : *at == end;
}

bool event_id_parse(struct span text, uint64_t *ret_stream, uint64_t *ret_n)
{
	const char *at = text.at;
	const char *end = text.at ? text.at + text.len : NULL;
	uint64_t stream;
	uint64_t n;

	if (!at || !read_number(&at, end, '-', &stream) || !read_number(&at, end, '\0', &n))
		return false;
	*ret_stream = stream;
	*ret_n = n;
	return true;
}
