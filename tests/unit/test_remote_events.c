/* Event streams: what the standard says, in pieces of any size, and the bounds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>

#include "workers/common/events.h"

enum { MAX_BYTES = 64 };

struct stream {
	const char *text;
	const char *events; /* "name=data;" of each, a line feed as | */
	const char *id;
	int64_t retry_ms;
};

static const struct stream streams[] = {
	{ "data: a\n\n", "message=a;", "", 0 },
	{ "data:a\r\rdata:  b\r\n\r\n", "message=a;message= b;", "", 0 },
	{ "\xef\xbb\xbf"
	  "data: a\n\n",
		"message=a;", "", 0 },
	{ "\xef\xbb"
	  "data: a\n\ndata: b\n\n",
		"message=b;", "", 0 }, /* no BOM but a strange field */
	{ "\xef\xbb\xbf\xef\xbb\xbf"
	  "data: a\n\ndata: b\n\n",
		"message=b;", "", 0 }, /* only one */
	{ ": comment\n:\n\ndata: a\n: c\ndata: b\n\n", "message=a|b;", "", 0 },
	{ "data\n\n", "", "", 0 },
	{ "data\ndata\n\n", "message=|;", "", 0 },
	{ "event: endpoint\ndata: /m?x=1\n\n", "endpoint=/m?x=1;", "", 0 },
	{ "event: one\n\ndata: two\n\n", "message=two;", "", 0 },
	{ "id: 7\ndata: a\n\n", "message=a;", "7", 0 },
	{ "id: 7\ndata:\n\n", "", "7", 0 }, /* a priming event */
	{ "id: 7\n\n", "", "7", 0 },
	{ "id: 7\ndata: a\n\nid: 8\ndata: b\n", "message=a;", "7", 0 }, /* cut off */
	{ "id: 7\n\nid\n\n", "", "", 0 },
	{ "id: a\001b\ndata: a\n\n", "message=a;", "", 0 },
	{ "retry: 250\n", "", "", 250 },
	{ "retry: 250\nretry: 1x\nretry:\nretry: -1\n\n", "", "", 250 },
	{ "retry: 99999999999999999999999\n", "", "", 0 },
	{ "Data: a\nunknown: b\ndata : c\n\n", "", "", 0 },
	{ "data: a", "", "", 0 },
	{ "data: a\n", "", "", 0 },
	{ "\n\n\r\r\n\n", "", "", 0 },
};

static bool note(void *arg, struct event *event)
{
	struct strbuf *seen = arg;

	assert_int_equal(strlen(event->data), event->len);
	for (char *at = event->data; *at; at++)
		if (*at == '\n')
			*at = '|';
	strbuf_addf(seen, "%s=%s;", event->name, event->data);
	return true;
}

static void check_stream(const struct stream *stream, size_t piece)
{
	struct events events = { .max_bytes = MAX_BYTES };
	auto_strbuf seen = { 0 };
	size_t len = strlen(stream->text);

	for (size_t at = 0; at < len; at += piece) {
		size_t n = len - at < piece ? len - at : piece;

		assert_int_equal(events_feed(&events, stream->text + at, n, note, &seen), 0);
	}
	if (!streq(strbuf_get(&seen), stream->events))
		fail_msg("'%s' in pieces of %zu: %s", stream->text, piece, strbuf_get(&seen));
	assert_string_equal(strbuf_get(&events.id), stream->id);
	assert_int_equal(events.retry_ms, stream->retry_ms);
	events_done(&events);
}

static void test_streams(void **unused)
{
	for (size_t i = 0; i < N_ELEMENTS(streams); i++)
		for (size_t piece = 1; piece < 20; piece++)
			check_stream(&streams[i], piece);
}

/* The id counts when the event is given out, so that whoever takes it knows where it stands. */
static bool check_id(void *arg, struct event *event)
{
	const struct events *events = arg;

	assert_string_equal(strbuf_get(&events->id), event->data);
	return true;
}

static void test_id_of_the_event_at_hand(void **unused)
{
	static const char text[] = "id: 1\ndata: 1\n\ndata: 1\n\nid: 2\ndata: 2\n\n";
	struct events events = { .max_bytes = MAX_BYTES };

	assert_int_equal(events_feed(&events, text, sizeof(text) - 1, check_id, &events), 0);
	events_done(&events);
}

static bool stop(void *arg, struct event *event)
{
	++*(int *)arg;
	return false;
}

static void test_no_more_is_wanted(void **unused)
{
	static const char text[] = "data: a\n\ndata: b\n\n";
	struct events events = { .max_bytes = MAX_BYTES };
	int n = 0;

	assert_int_equal(events_feed(&events, text, sizeof(text) - 1, stop, &n), 0);
	assert_int_equal(n, 1);
	events_done(&events);
}

static int feed_often(const char *text, unsigned times)
{
	struct events events = { .max_bytes = MAX_BYTES };
	auto_strbuf seen = { 0 };
	int r = 0;

	for (unsigned i = 0; r == 0 && i < times; i++) {
		r = events_feed(&events, text, strlen(text), note, &seen);
		assert_true(events.line.len <= MAX_BYTES && events.data.len <= MAX_BYTES);
	}
	events_done(&events);
	return r;
}

static void test_bounds(void **unused)
{
	assert_int_equal(feed_often("x", MAX_BYTES), 0);
	assert_int_equal(feed_often("x", MAX_BYTES + 1), -EMSGSIZE);
	assert_int_equal(feed_often("data: x\n", MAX_BYTES / 2), 0);
	assert_int_equal(feed_often("data: x\n", MAX_BYTES), -EMSGSIZE);
	assert_int_equal(feed_often("data\n", MAX_BYTES * 2), -EMSGSIZE);
	assert_int_equal(feed_often("data: x\n\n", MAX_BYTES * 10), 0);
	assert_int_equal(feed_often(": x\n", MAX_BYTES * 10), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_streams),
		cmocka_unit_test(test_id_of_the_event_at_hand),
		cmocka_unit_test(test_no_more_is_wanted),
		cmocka_unit_test(test_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
