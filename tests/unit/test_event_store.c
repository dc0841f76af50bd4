/* The store of events: order, delivery, what follows an id, and who leaves when room is needed. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "shared/strbuf.h"
#include "supervisor/front/event_store.h"

static struct event_store *store;
static struct event_limits limits;

static const struct event_limits first_limits = {
	.queue_bytes = 100,
	.queue_events = 10,
	.replay_bytes = 50,
	.replay_events = 5,
};

static int set_up(void **unused)
{
	limits = first_limits;
	store = event_store_new(&limits);
	return 0;
}

static int tear_down(void **unused)
{
	event_store_free(store);
	return 0;
}

static void add(struct event_stream *stream, const char *text)
{
	assert_int_equal(event_stream_append(stream, text, strlen(text)), 0);
}

/* Delivers all that waits: "1:a 2:b ". */
static const char *deliver(struct event_stream *stream)
{
	static char text[500];
	const struct event *event;
	size_t len = 0;

	text[0] = '\0';
	while ((event = event_stream_next(stream))) {
		int n = snprintf(text + len, sizeof(text) - len, "%d:%.*s ", (int)event->n,
			(int)event->len, event->bytes);

		len += (size_t)n;
		event_stream_delivered(stream);
	}
	return text;
}

static void test_queue(void **unused)
{
	struct event_stream *a = event_store_open(store, 1);
	struct event_stream *b = event_store_open(store, 2);

	assert_null(event_stream_next(a));
	add(a, "one");
	add(b, "other");
	add(a, "two");
	assert_int_equal(event_stream_next(a)->n, 1);
	assert_string_equal(deliver(a), "1:one 2:two ");
	add(a, "three");
	assert_string_equal(deliver(a), "3:three ");
	assert_string_equal(deliver(b), "1:other ");
	event_stream_delivered(a); /* nothing waits */
	assert_int_equal(event_stream_get_last(a), 3);
	assert_int_equal(event_stream_get_no(b), 2);
}

static void test_replay(void **unused)
{
	struct event_stream *a = event_store_open(store, 1);

	add(a, "one");
	add(a, "two");
	add(a, "three");
	(void)deliver(a);
	add(a, "four");
	event_stream_leave(a);
	add(a, "five");
	event_stream_join(a);
	assert_true(event_stream_rewind(a, 1));
	assert_string_equal(deliver(a), "2:two 3:three 4:four 5:five ");
	assert_true(event_stream_rewind(a, 5));
	assert_string_equal(deliver(a), "");
	assert_true(event_stream_rewind(a, 0));
	assert_string_equal(deliver(a), "1:one 2:two 3:three 4:four 5:five ");
	assert_false(event_stream_rewind(a, 6));
}

/* What was on its way when the connection broke counts as had when the client says so. */
static void test_rewind_forward(void **unused)
{
	struct event_stream *a = event_store_open(store, 1);

	add(a, "one");
	add(a, "two");
	event_stream_leave(a);
	event_stream_join(a);
	assert_true(event_stream_rewind(a, 1));
	assert_string_equal(deliver(a), "2:two ");
}

static void test_oldest_delivered_leave(void **unused)
{
	struct event_stream *a = event_store_open(store, 1);
	struct event_stream *b = event_store_open(store, 2);

	add(b, "old");
	(void)deliver(b);
	for (int i = 0; i < 6; i++)
		add(a, "x");
	(void)deliver(a); /* replay_events is 5 */
	assert_true(event_stream_rewind(b, 0));
	assert_string_equal(deliver(b), "");
	assert_true(event_stream_rewind(a, 0));
	assert_string_equal(deliver(a), "2:x 3:x 4:x 5:x 6:x ");
	add(a, "0123456789012345678901234567890123456789"); /* of 50 bytes */
	(void)deliver(a);
	assert_true(event_stream_rewind(a, 1));
	assert_int_equal(event_stream_next(a)->n, 3);
	(void)deliver(a);
	add(b, "01234567890123456789012345678901234567890123456789!"); /* more than may be kept */
	assert_int_equal(event_stream_next(b)->len, 51);
	(void)deliver(b);
	assert_true(event_stream_rewind(a, 0));
	assert_string_equal(deliver(a), "");
}

static void test_slow_client(void **unused)
{
	struct event_stream *a = event_store_open(store, 1);

	for (int i = 0; i < 5; i++)
		add(a, "x");
	assert_false(event_store_is_slow(store));
	add(a, "x");
	assert_true(event_store_is_slow(store));
	for (int i = 0; i < 4; i++)
		add(a, "x");
	assert_int_equal(event_stream_append(a, "x", 1), -ENOBUFS);
	(void)deliver(a);
	assert_false(event_store_is_slow(store));
	add(a, "0123456789012345678901234567890123456789012345678901234567890");
	assert_true(event_store_is_slow(store));
	assert_int_equal(
		event_stream_append(a, "0123456789012345678901234567890123456789", 40), -ENOBUFS);
	assert_int_equal(event_stream_get_last(a), 11);
}

/* What waits for a connection that is gone makes room for what waits for one that is there. */
static void test_broken_streams_give_way(void **unused)
{
	struct event_stream *broken = event_store_open(store, 1);
	struct event_stream *live = event_store_open(store, 2);

	event_stream_leave(broken);
	for (int i = 0; i < 12; i++)
		add(broken, "x"); /* its own oldest give way too */
	assert_false(event_store_is_slow(store));
	for (int i = 0; i < 6; i++)
		add(live, "y");
	assert_true(event_store_is_slow(store));
	event_stream_join(broken);
	assert_true(event_stream_rewind(broken, 0));
	assert_string_equal(deliver(broken), "9:x 10:x 11:x 12:x ");
	assert_string_equal(deliver(live), "1:y 2:y 3:y 4:y 5:y 6:y ");
}

static void test_too_big_for_a_broken_stream(void **unused)
{
	struct event_stream *broken = event_store_open(store, 1);
	char big[200] = { 0 };

	assert_int_equal(event_stream_append(broken, big, sizeof(big)), -ENOBUFS);
	event_stream_leave(broken);
	assert_int_equal(event_stream_append(broken, big, sizeof(big)), 0); /* lost */
	assert_null(event_stream_next(broken));
	add(broken, "x");
	assert_int_equal(event_stream_next(broken)->n, 2);
}

static void test_streams_that_are_over(void **unused)
{
	struct event_stream *a = event_store_open(store, 1);
	struct event_stream *b = event_store_open(store, 2);

	add(a, "one");
	event_stream_end(a);
	assert_true(event_stream_has_ended(a));
	(void)deliver(a);
	event_stream_leave(a);
	assert_ptr_equal(event_store_find(store, 1), a); /* it may be asked for again */
	for (int i = 0; i < 5; i++)
		add(b, "x");
	(void)deliver(b);
	assert_null(event_store_find(store, 1)); /* nothing of it is left */
	event_stream_leave(b);
	assert_ptr_equal(event_store_find(store, 2), b);
	a = event_store_open(store, 3);
	event_stream_leave(a);
	event_stream_end(a);
	assert_null(event_store_find(store, 3)); /* there never was anything */
}

static void test_nothing_is_kept(void **unused)
{
	struct event_stream *a = event_store_open(store, 1);

	add(a, "one");
	(void)deliver(a);
	limits.replay_bytes = 0;
	add(a, "two");
	(void)deliver(a);
	assert_true(event_stream_rewind(a, 0));
	assert_null(event_stream_next(a));
}

static void test_clearing(void **unused)
{
	struct event_stream *a = event_store_open(store, 1);

	assert_int_equal(event_stream_position(a), 0);
	add(a, "one");
	assert_int_equal(event_stream_position(a), 0);
	(void)deliver(a);
	assert_int_equal(event_stream_position(a), 1);
	add(a, "two");
	add(a, "three");
	event_stream_clear(a);
	assert_null(event_stream_next(a));
	assert_int_equal(event_stream_position(a), 3);
	add(a, "four");
	assert_true(event_stream_rewind(a, 0));
	assert_string_equal(deliver(a), "4:four ");
	add(a, "five");
	event_stream_end(a);
	event_stream_leave(a);
	event_stream_clear(a); /* the stream goes with its last event */
	assert_null(event_store_find(store, 1));
}

static void test_ids(void **unused)
{
	static const char *const bad[] = { "", "-", "1", "1-", "-1", "01-1", "1-01", "1-1 ", " 1-1",
		"1--1", "1-1-1", "+1-1", "1-18446744073709551616", "99999999999999999999-1", "a-1",
		"1-0x1" };
	char text[EVENT_ID_TEXT];
	uint64_t stream = 0;
	uint64_t n = 0;

	event_id_format(UINT64_MAX, UINT64_MAX, text);
	assert_string_equal(text, "18446744073709551615-18446744073709551615");
	assert_true(event_id_parse((struct span){ text, strlen(text) }, &stream, &n));
	assert_true(stream == UINT64_MAX && n == UINT64_MAX);
	assert_true(event_id_parse((struct span){ "7-0 ", 3 }, &stream, &n));
	assert_true(stream == 7 && n == 0);
	assert_false(event_id_parse((struct span){ 0 }, &stream, &n));
	assert_false(event_id_parse((struct span){ "1-1\0", 4 }, &stream, &n));
	for (size_t i = 0; i < N_ELEMENTS(bad); i++)
		assert_false(event_id_parse((struct span){ bad[i], strlen(bad[i]) }, &stream, &n));
	assert_true(stream == 7 && n == 0);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_queue),
		TEST(test_replay),
		TEST(test_rewind_forward),
		TEST(test_oldest_delivered_leave),
		TEST(test_slow_client),
		TEST(test_broken_streams_give_way),
		TEST(test_too_big_for_a_broken_stream),
		TEST(test_streams_that_are_over),
		TEST(test_nothing_is_kept),
		TEST(test_clearing),
		TEST(test_ids),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
