/* See page.h: the streams of events.
 *
 * While somebody watches, the status is looked at once a tick. Is it another than the one that was told
 * last (ages do not count), or is that a beat ago, all are told: the event is made once for all of them. A client
 * that has not read the one before is passed over, so what is kept for it is one event at most; when it goes on
 * like that for PAGE_STALL_MS it is dropped. So is one whose key was revoked, or whose credential has expired. */
#include <stdint.h>

#include "shared/alloc.h"
#include "shared/clock.h"
#include "supervisor/ops/page_private.h"

struct page_stream {
	TAILQ_ENTRY(page_stream) next;
	struct page *page;
	struct http_conn *conn;
	int64_t behind_since_ms; /* 0: it has read all */
};

/* --- what is told ------------------------------------------------------------------------------- */

/* A line break in the text would end the line of the event. */
static void add_event(struct strbuf *out, const char *text)
{
	strbuf_adds(out, "event: fleet\n");
	while (true) {
		size_t len = strcspn(text, "\n");

		strbuf_adds(out, "data: ");
		strbuf_add(out, text, len);
		strbuf_addc(out, '\n');
		if (!text[len])
			break;
		text += len + 1;
	}
	strbuf_addc(out, '\n');
}

/* FNV-1a, 64 bits: nobody gains by a collision, and the next beat mends it. */
static int add_to_mark(const char *bytes, size_t len, void *arg)
{
	uint64_t *mark = arg;

	for (size_t i = 0; i < len; i++)
		*mark = (*mark ^ (unsigned char)bytes[i]) * UINT64_C(1099511628211);
	return 0;
}

/* What grows by itself, and what to look costs. */
static void forget_ages(json_t *value)
{
	static const char *const ages[] = { "uptime_ms", "age_ms", "next_try_ms", "memory_bytes",
		"cpu_ms" };
	const char *name;
	json_t *member;
	size_t i;

	for (size_t k = 0; k < N_ELEMENTS(ages) && json_is_object(value); k++)
		(void)json_object_del(value, ages[k]);
	json_object_foreach(value, name, member)
		forget_ages(member);
	json_array_foreach(value, i, member)
		forget_ages(member);
}

static uint64_t mark_of(json_t *status)
{
	uint64_t mark = UINT64_C(14695981039346656037);

	forget_ages(status);
	(void)json_dump_callback(status, add_to_mark, &mark, JSON_COMPACT);
	return mark;
}

/* Appends the event of now, and returns the mark of what is in it. */
static uint64_t add_event_of_now(const struct page *page, struct strbuf *out)
{
	json_auto_t *status = status_make(page->status);
	auto_strbuf html = { 0 };
	char as_of[CLOCK_TEXT_SIZE];

	clock_wall_text(as_of);
	page_render_fleet(&html, status, as_of);
	add_event(out, strbuf_get(&html));
	return mark_of(status);
}

/* --- to whom ------------------------------------------------------------------------------------ */

static void drop(struct page_stream *stream)
{
	struct page *page = stream->page;

	TAILQ_REMOVE(&page->streams, stream, next);
	free(stream);
	if (--page->n_streams == 0)
		timer_stop(page->timer);
}

static void on_drained(void *arg)
{
	struct page_stream *stream = arg;

	stream->behind_since_ms = 0;
}

static void on_closed(void *arg)
{
	drop(arg);
}

static const struct http_stream_hooks hooks = { .drained = on_drained, .closed = on_closed };

static bool has_stalled(const struct page_stream *stream)
{
	return stream->behind_since_ms > 0 &&
	       loop_now_ms(stream->page->loop) - stream->behind_since_ms >= PAGE_STALL_MS;
}

static void note_if_behind(struct page_stream *stream)
{
	if (stream->behind_since_ms == 0 && http_conn_is_writing(stream->conn))
		stream->behind_since_ms = loop_now_ms(stream->page->loop);
}

static void tell(struct page_stream *stream, const struct strbuf *event)
{
	const struct iovec piece = { .iov_base = event->data, .iov_len = event->len };

	if (http_conn_is_writing(stream->conn) || http_conn_stream(stream->conn, &piece, 1) < 0)
		return; /* drained() comes, or closed() */
	note_if_behind(stream);
}

static void drop_unfit(struct page *page)
{
	struct page_stream *stream;
	struct page_stream *after;

	for (stream = TAILQ_FIRST(&page->streams); stream; stream = after) {
		after = TAILQ_NEXT(stream, next);
		if (!has_stalled(stream) && http_conn_is_admitted_still(stream->conn))
			continue;
		http_conn_end_stream(stream->conn);
		drop(stream);
	}
}

static void on_tick(void *arg)
{
	struct page *page = arg;
	int64_t now_ms = loop_now_ms(page->loop);
	struct page_stream *stream;
	auto_strbuf event = { 0 };
	uint64_t mark;

	drop_unfit(page);
	if (page->n_streams == 0)
		return;
	timer_start(page->timer, PAGE_TICK_MS);
	mark = add_event_of_now(page, &event);
	if (mark == page->mark && now_ms - page->told_ms < PAGE_BEAT_MS)
		return;
	page->mark = mark;
	page->told_ms = now_ms;
	TAILQ_FOREACH(stream, &page->streams, next)
		/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): the analyzer loses TAILQ_REMOVE */
		tell(stream, &event);
}

/* Its first event is of now; the others hear of what is new in it with the next tick. */
static void open_stream(struct page *page, struct http_conn *conn)
{
	auto_free char *headers = alloc_printf("%sX-Accel-Buffering: no\r\n", page_headers);
	const struct http_reply head = { .status = 200,
		.content_type = "text/event-stream",
		.extra = headers,
		.is_stream =
			true }; /* it ends with its connection: one that is dropped is closed */
	struct page_stream *stream = alloc_zero(sizeof(*stream));
	auto_strbuf event = { 0 };
	uint64_t mark = add_event_of_now(page, &event);

	stream->page = page;
	stream->conn = conn;
	TAILQ_INSERT_TAIL(&page->streams, stream, next);
	if (page->n_streams++ == 0) {
		page->mark = mark;
		page->told_ms = loop_now_ms(page->loop);
		timer_start(page->timer, PAGE_TICK_MS);
	}
	http_conn_begin_stream(conn, &head, event.data, event.len, &hooks, stream);
	note_if_behind(stream);
}

bool page_on_events(void *arg, struct http_conn *conn, struct http_ask *ask)
{
	static const struct http_reply would_be = { .status = 200,
		.content_type = "text/event-stream",
		.extra = page_headers,
		.is_stream = true };
	struct page *page = arg;

	if (ask->request->method == HTTP1_HEAD)
		http_conn_answer(conn, &would_be);
	else if (page->n_streams >= PAGE_MAX_STREAMS)
		http_conn_refuse(
			conn, 503, "too many watch the status page already; try again later");
	else
		open_stream(page, conn);
	return false;
}

void page_start_live(struct page *page)
{
	TAILQ_INIT(&page->streams);
	page->timer = timer_new(page->loop, on_tick, page);
}

/* Their connections are gone, without a word. */
void page_stop_live(struct page *page)
{
	struct page_stream *stream;

	while ((stream = TAILQ_FIRST(&page->streams)))
		/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): the analyzer loses TAILQ_REMOVE */
		drop(stream);
	timer_free(page->timer);
}
