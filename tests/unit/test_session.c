/* Sessions: ids, the bounded queue, idle time, the end. Clock and sink are fakes. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "shared/alloc.h"
#include "shared/log.h"
#include "shared/strbuf.h"
#include "shared/utf8.h"
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

static void sink_get_peer(void *arg, struct sink_peer *ret)
{
	*ret = (struct sink_peer){ .pid = 12, .uid = 34, .gid = 56 };
}

static const struct sink_ops sink_ops = { .name = "fake", .send = sink_send, .close = sink_close };
static const struct sink_ops local_ops = {
	.name = "local", .send = sink_send, .close = sink_close, .get_peer = sink_get_peer
};

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

static void test_report(void **unused)
{
	static struct fake_sink sink;
	struct session *session = open_one(&sink);
	struct session_report report;
	char id[SESSION_ID_TEXT];

	session_get_report(session, &report);
	session_get_id(session, id);
	assert_string_equal(report.id, id);
	assert_int_equal(report.number, session_get_number(session));
	assert_null(report.domain);
	assert_string_equal(report.transport, "fake");
	assert_string_equal(report.revision, "");
	assert_string_equal(report.client_name, "");
	assert_int_equal(report.peer.pid, 0);
	session_get_info(session)->initialized = true;
	session_get_info(session)->revision = REV_2025_11_25;
	session_get_info(session)->client_info =
		alloc_str("{\"version\":\"1.2\",\"name\":\"Ed\\u001bit\"}");
	session_get_info(session)->n_calls = 3;
	session_get_info(session)->n_watches = 2;
	sink.busy = true;
	send_text(session, "abc");
	send_text(session, "de");
	loop_fake_advance(world.loop, 700);
	session_touch(session);
	session_get_report(session, &report);
	assert_string_equal(report.revision, "2025-11-25");
	assert_string_equal(report.client_name, "Ed?it");
	assert_string_equal(report.client_version, "1.2");
	assert_int_equal(report.active_ms - report.opened_ms, 700);
	assert_int_equal(report.n_calls, 3);
	assert_int_equal(report.n_subscriptions, 2);
	assert_int_equal(report.n_queued, 2);
	assert_int_equal(report.queued_bytes, 5);
	assert_false(report.is_once);
	session_get_info(session)->n_calls = 0;
	session_get_info(session)->n_watches = 0;
}

static void test_report_of_a_local_client(void **unused)
{
	struct fake_sink sink = { 0 };
	struct session *session = session_open(world.sessions, &local_ops, &sink, NULL);
	struct session_report report;

	session_get_report(session, &report);
	assert_string_equal(report.transport, "local");
	assert_int_equal(report.peer.pid, 12);
	assert_int_equal(report.peer.uid, 34);
	assert_int_equal(report.peer.gid, 56);
	sessions_close_all(world.sessions, "test");
	session_get_report(session, &report); /* it has ended, and is not freed yet */
	assert_string_equal(report.transport, "");
	assert_int_equal(report.peer.pid, 0);
}

static void set_client_info(struct session *session, const char *json)
{
	free(session_get_info(session)->client_info);
	session_get_info(session)->client_info = alloc_str(json);
}

/* What clients call themselves is foreign. */
static void test_report_of_odd_names(void **unused)
{
	static const char *const odd[] = { "", "[]", "{}", "{\"name\":5}", "{\"name\":null}",
		"\"x\"", "{\"name\":\"a\",\"name\":\"b\"}" };
	static struct fake_sink sink;
	struct session *session = open_one(&sink);
	struct session_report report;
	auto_strbuf text = { 0 };

	for (size_t i = 0; i < N_ELEMENTS(odd); i++) {
		set_client_info(session, odd[i]);
		session_get_report(session, &report);
		assert_string_equal(report.client_name, "");
	}
	strbuf_adds(&text, "{\"name\":\"x");
	for (int i = 0; i < 1000; i++)
		strbuf_adds(&text, "\xc3\xa4"); /* never half of it */
	strbuf_adds(&text, "\"}");
	set_client_info(session, strbuf_get(&text));
	session_get_report(session, &report);
	assert_int_equal(strlen(report.client_name), 127);
	set_client_info(session, "{\"name\":\"a\\ud800b\\u0000c\"}");
	session_get_report(session, &report);
	assert_true(utf8_valid(report.client_name, strlen(report.client_name)));
}

static void test_totals(void **unused)
{
	static struct fake_sink sinks[4];
	static const struct sink_ops once = {
		.send = sink_send, .close = sink_close, .is_once = true
	};
	struct sessions_totals totals;
	struct fake_sink sink = { 0 };

	for (int i = 0; i < 3; i++)
		assert_non_null(open_one(&sinks[i]));
	assert_null(open_one(&sinks[3]));
	session_gone(session_open(world.sessions, &once, &sink, NULL));
	session_close(session_find_number(world.sessions, 1), "test");
	sessions_get_totals(world.sessions, &totals);
	assert_int_equal(totals.n_opened, 3);
	assert_int_equal(totals.n_closed, 1);
	assert_int_equal(totals.n_refused, 1);
	assert_int_equal(totals.n_once, 1);
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
		TEST(test_report),
		TEST(test_report_of_a_local_client),
		TEST(test_report_of_odd_names),
		TEST(test_totals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
