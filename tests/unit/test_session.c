/* Sessions: ids, the bounded queue, idle time, the end. Clock and sink are fakes. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "shared/log.h"
#include "shared/strbuf.h"
#include "supervisor/mcp/session.h"

struct fake_sink {
	struct strbuf got; /* messages, each with a line break */
	bool busy;
	const char *closed; /* the reason */
};

static struct world {
	struct loop *loop;
	struct sessions *sessions;
	unsigned n_ended;
	struct session *last_ended;
} world;

static const struct conf_limits limits = {
	.sessions = 3,
	.session_idle_ms = 3600000,
	.sweep_ms = 300000,
	.session_queue_bytes = 100,
	.session_queue_messages = 4,
	.calls_per_session = 2,
};

static int sink_send(void *arg, const struct outgoing *out)
{
	struct fake_sink *sink = arg;

	if (sink->busy)
		return -EAGAIN;
	strbuf_add(&sink->got, out->json, out->len);
	strbuf_addc(&sink->got, '\n');
	return 0;
}

static void sink_close(void *arg, const char *reason)
{
	struct fake_sink *sink = arg;

	assert_null(sink->closed); /* once */
	sink->closed = reason;
}

static const struct sink_ops sink_ops = { .send = sink_send, .close = sink_close };

static void on_closed(void *arg, struct session *session)
{
	assert_ptr_equal(arg, &world);
	world.n_ended++;
	world.last_ended = session;
}

static int set_up(void **unused)
{
	world = (struct world){ .loop = loop_new_fake() };
	world.sessions = sessions_new(world.loop, &limits, on_closed, &world);
	log_init("test", LOG_TARGET_TEXT, LOG_LEVEL_ERROR);
	return 0;
}

static int tear_down(void **unused)
{
	sessions_free(world.sessions);
	loop_free(world.loop);
	return 0;
}

static struct session *open_one(struct fake_sink *sink)
{
	*sink = (struct fake_sink){ 0 };
	return session_open(world.sessions, &sink_ops, sink, NULL);
}

static void send_text(struct session *session, const char *text)
{
	session_tell(session, 0, text, strlen(text));
}

static void test_ids(void **unused)
{
	static struct fake_sink sinks[2];
	struct session *a = open_one(&sinks[0]);
	struct session *b = open_one(&sinks[1]);
	char id[SESSION_ID_TEXT];
	char other[SESSION_ID_TEXT];

	session_get_id(a, id);
	session_get_id(b, other);
	assert_string_not_equal(id, other);
	assert_int_equal(strlen(id), 36);
	assert_int_equal(id[14], '4'); /* version */
	assert_non_null(strchr("89ab", id[19]));
	assert_ptr_equal(session_find(world.sessions, id, 36), a);
	assert_ptr_equal(session_find(world.sessions, other, 36), b);
	id[0] = (char)(id[0] == 'a' ? 'A' : id[0] >= 'b' && id[0] <= 'f' ? id[0] - 32 : id[0]);
	assert_ptr_equal(session_find(world.sessions, id, 36), a);
	assert_null(session_find(world.sessions, id, 35));
	assert_null(session_find(world.sessions, "", 0));
	assert_null(session_find(world.sessions, "00000000-0000-4000-8000-000000000000", 36));
	id[8] = '0';
	assert_null(session_find(world.sessions, id, 36));
	id[8] = '-';
	id[3] = 'g';
	assert_null(session_find(world.sessions, id, 36));
}

static void test_limit(void **unused)
{
	static struct fake_sink sinks[4];

	for (int i = 0; i < 3; i++)
		assert_non_null(open_one(&sinks[i]));
	assert_null(open_one(&sinks[3]));
	assert_int_equal(sessions_count(world.sessions), 3);
	sessions_close_all(world.sessions, "test");
	assert_int_equal(sessions_count(world.sessions), 0);
	assert_non_null(open_one(&sinks[3]));
}

static void test_many(void **unused)
{
	enum { MANY = 1000 };
	static struct fake_sink sinks[MANY];
	static struct session *sessions[MANY];
	struct conf_limits many = limits;

	many.sessions = MANY;
	sessions_set_limits(world.sessions, &many);
	for (int i = 0; i < MANY; i++)
		sessions[i] = open_one(&sinks[i]);
	for (int i = 0; i < MANY; i++) {
		char id[SESSION_ID_TEXT];

		session_get_id(sessions[i], id);
		assert_ptr_equal(session_find(world.sessions, id, 36), sessions[i]);
	}
}

/* Those for one request are in no map of ids and count for no limit, but have a number like all. */
static void test_numbers(void **unused)
{
	enum { MANY = 300 };
	static const struct sink_ops once_ops = {
		.send = sink_send, .close = sink_close, .is_once = true
	};
	static struct fake_sink sinks[MANY];
	uint64_t numbers[MANY];
	struct session *sessions[MANY];

	for (int i = 0; i < MANY; i++) {
		sinks[i] = (struct fake_sink){ 0 };
		sessions[i] = session_open(
			world.sessions, i < 3 ? &sink_ops : &once_ops, &sinks[i], NULL);
		assert_non_null(sessions[i]);
		numbers[i] = session_get_number(sessions[i]);
	}
	assert_int_equal(sessions_count(world.sessions), 3);
	for (int i = 0; i < MANY; i += 2)
		session_gone(sessions[i]);
	for (int i = 0; i < MANY; i++)
		assert_ptr_equal(session_find_number(world.sessions, numbers[i]),
			i % 2 ? sessions[i] : NULL);
	assert_null(session_find_number(world.sessions, 0));
}

static void test_room_for_what_is_not_needed(void **unused)
{
	static struct fake_sink sink;
	struct session *session = open_one(&sink);

	sink = (struct fake_sink){ 0 };
	assert_true(session_has_room(session, 50)); /* of 100 bytes */
	assert_false(session_has_room(session, 51));
	sink.busy = true;
	for (int i = 0; i < 3; i++)
		session_tell(session, 0, "x", 1);
	assert_false(session_has_room(session, 1)); /* it is slow */
}

static void test_order_is_kept(void **unused)
{
	static struct fake_sink sink;
	struct session *session = open_one(&sink);

	send_text(session, "1");
	sink.busy = true;
	send_text(session, "2");
	send_text(session, "3");
	assert_true(session_is_pending(session));
	sink.busy = false;
	send_text(session, "4"); /* behind those that wait */
	assert_string_equal(strbuf_get(&sink.got), "1\n");
	session_drained(session);
	assert_string_equal(strbuf_get(&sink.got), "1\n2\n3\n4\n");
	assert_false(session_is_pending(session));
	strbuf_done(&sink.got);
}

static void test_too_many_messages(void **unused)
{
	static struct fake_sink sink;
	struct session *session = open_one(&sink);

	sink.busy = true;
	for (int i = 0; i < 4; i++) {
		assert_int_equal(session_is_slow(session), i > 2);
		send_text(session, "x");
	}
	assert_null(sink.closed);
	send_text(session, "one more");
	/* Who sends may be at work with what the session's end takes away: that waits. */
	assert_null(sink.closed);
	assert_false(session_is_open(session));
	sink.busy = false;
	send_text(session, "to nobody");
	assert_int_equal(sink.got.len, 0);
	loop_settle(world.loop);
	assert_string_equal(sink.closed, "slow client");
	assert_int_equal(world.n_ended, 1);
	assert_ptr_equal(world.last_ended, session);
}

/* It may end in another way before its time has come. */
static void test_closing_later_what_has_gone(void **unused)
{
	static struct fake_sink sink;
	struct session *session = open_one(&sink);

	session_close_later(session, "first");
	session_close_later(session, "second");
	session_gone(session);
	session_close_later(session, "third");
	loop_settle(world.loop);
	assert_null(sink.closed);
	assert_int_equal(world.n_ended, 1);
}

static void test_too_many_bytes(void **unused)
{
	char text[61];
	static struct fake_sink sink;
	struct session *session = open_one(&sink);

	memset(text, 'x', sizeof(text) - 1);
	text[60] = '\0';
	sink.busy = true;
	send_text(session, text);
	assert_true(session_is_slow(session));
	assert_null(sink.closed);
	send_text(session, text);
	loop_settle(world.loop);
	assert_non_null(sink.closed);
}

static void test_lowered_limit_does_not_wrap(void **unused)
{
	struct conf_limits lower = limits;
	static struct fake_sink sink;
	struct session *session = open_one(&sink);

	sink.busy = true;
	send_text(session, "0123456789012345678901234567890123456789");
	lower.session_queue_bytes = 10;
	sessions_set_limits(world.sessions, &lower);
	send_text(session, "x");
	loop_settle(world.loop);
	assert_non_null(sink.closed);
}

static void test_idle_sessions_end(void **unused)
{
	static struct fake_sink sinks[3];
	struct session *busy = open_one(&sinks[0]);
	struct session *touched = open_one(&sinks[1]);

	(void)open_one(&sinks[2]);
	session_get_info(busy)->n_calls = 1;
	loop_fake_advance(world.loop, limits.session_idle_ms - 1000);
	session_touch(touched);
	assert_int_equal(world.n_ended, 0);
	loop_fake_advance(world.loop, limits.sweep_ms + 1000);
	assert_int_equal(world.n_ended, 1);
	assert_non_null(sinks[2].closed);
	assert_null(sinks[0].closed);
	assert_null(sinks[1].closed);
	session_get_info(busy)->n_calls = 0;
}

static void test_gone_is_not_closed(void **unused)
{
	static struct fake_sink sink;
	struct session *session = open_one(&sink);
	char id[SESSION_ID_TEXT];

	session_get_id(session, id);
	session_gone(session);
	assert_null(sink.closed); /* the sink is not there any more */
	assert_int_equal(world.n_ended, 1);
	assert_null(session_find(world.sessions, id, 36));
	session_gone(session); /* still valid until the end of the turn */
	session_close(session, "late");
	assert_int_equal(world.n_ended, 1);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_ids),
		TEST(test_limit),
		TEST(test_many),
		TEST(test_numbers),
		TEST(test_room_for_what_is_not_needed),
		TEST(test_order_is_kept),
		TEST(test_too_many_messages),
		TEST(test_closing_later_what_has_gone),
		TEST(test_too_many_bytes),
		TEST(test_lowered_limit_does_not_wrap),
		TEST(test_idle_sessions_end),
		TEST(test_gone_is_not_closed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
