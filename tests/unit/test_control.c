/* The control socket: who may what, answers that come late, what is followed, and clients that do not behave. */
#include "tests/unit/control_world.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "shared/fd.h"

/* --- what may be asked --------------------------------------------------------------------------- */

static void test_hello_comes_first(void **unused)
{
	struct user user;

	join(&user, geteuid());
	ask(&user, REQUEST("1", "status", "{}"));
	assert_part(hears(&user), "the first method is hello");
	ask(&user, REQUEST("2", "hello", "{\"protocol\":2}"));
	assert_part(hears(&user), "\"code\":-32602");
	ask(&user, REQUEST("3", "hello", "{\"protocol\":1.0}"));
	assert_part(hears(&user), "\"code\":-32602");
	ask(&user, REQUEST("\"x\"", "hello", "{\"protocol\":1}"));
	assert_part(hears(&user), "\"id\":\"x\",\"result\":{\"version\":");
	ask(&user, REQUEST("4", "status", "{}"));
	assert_part(hears(&user), "\"settings\":\"/\"");
	leave(&user);
}

static void test_reading_is_not_changing(void **unused)
{
	static const char *const changes[] = { "reload", "domain/restart", "domain/enable",
		"domain/disable", "drill", "session/close", "gateway/register",
		"gateway/unregister", "gateway/reconcile" };

	for (size_t i = 0; i < N_ELEMENTS(changes); i++) {
		auto_free char *line = alloc_printf(
			REQUEST("1", "%s", "{\"domain\":\"one\",\"kind\":\"kill\"}"), changes[i]);

		ask(&here.reader, line);
		assert_part(hears(&here.reader), "\"code\":-31010");
	}
	assert_int_equal(here.n_pending, 0);
	assert_int_equal(here.n_reloads, 0);
	ask(&here.admin, REQUEST("1", "reload", "{}"));
	assert_part(hears(&here.admin), "\"result\":{}");
	assert_int_equal(here.n_reloads, 1);
}

/* The log is for people: who is refused a thousand times does not fill it. */
static void test_refusals_are_logged_a_few_times(void **unused)
{
	uint64_t before = log_ring_end(here.log);

	for (int i = 0; i < 1000; i++)
		ask(&here.reader, REQUEST("1", "reload", "{}"));
	assert_int_equal(count_parts(hears(&here.reader), "-31010"), 1000);
	assert_true(log_ring_end(here.log) > before);
	assert_true(log_ring_end(here.log) < before + 20);
}

/* An order with params that cannot be read is not an order without params: that may mean everything. */
static void test_params_that_cannot_be_read(void **unused)
{
	ask(&here.admin, REQUEST("1", "gateway/unregister", "{\"domains\":[\"one\\u0000\"]}"));
	assert_part(hears(&here.admin), "\"code\":-32602");
	ask(&here.admin, REQUEST("2", "tools", "{\"domain\":\"one\\u0000\"}"));
	assert_part(hears(&here.admin), "\"code\":-32602");
	ask(&here.admin, REQUEST("3", "gateway/register", "{\"timeout_ms\":1e999}"));
	assert_part(hears(&here.admin), "\"code\":-32602");
	ask(&here.admin, REQUEST("4", "gateway/register", "[]"));
	assert_part(hears(&here.admin), "\"code\":-32602");
	assert_int_equal(here.n_pending, 0);
	ask(&here.admin, REQUEST("5", "reload\\u0000x", "{}"));
	assert_part(hears(&here.admin), "\"code\":-32601");
	assert_int_equal(here.n_reloads, 0);
}

static void test_params_of_another_type(void **unused)
{
	static const char *const lines[] = { REQUEST("1", "watch", "{\"interval_ms\":\"x\"}"),
		REQUEST("1", "watch", "{\"interval_ms\":99}"),
		REQUEST("1", "watch", "{\"interval_ms\":1e3}"),
		REQUEST("1", "watch", "{\"interval_ms\":9223372036854775807}"),
		REQUEST("1", "tools", "{\"domain\":5}"), REQUEST("1", "logs", "{\"domain\":[]}"),
		REQUEST("1", "logs", "{\"lines\":\"5\"}"), REQUEST("1", "logs", "{\"level\":1}"),
		REQUEST("1", "session/close", "{}"), REQUEST("1", "drill", "{\"kind\":5}"),
		REQUEST("1", "domain/restart", "{\"domain\":null}") };

	for (size_t i = 0; i < N_ELEMENTS(lines); i++) {
		ask(&here.admin, lines[i]);
		assert_part(hears(&here.admin), "\"code\":-32602");
	}
	ask(&here.admin, REQUEST("1", "logs", "{\"lines\":-9223372036854775808,\"level\":null}"));
	assert_part(hears(&here.admin), "\"result\":{\"lines\":[]}");
}

static void test_tools(void **unused)
{
	const char *text;

	ask(&here.reader, REQUEST("1", "tools", "{}"));
	text = hears(&here.reader);
	assert_part(text, "\"name\":\"one_read\"");
	assert_int_equal(count_parts(text, "\"domain\":\"one\"}"), 4);
	assert_int_equal(count_parts(text, "\"domain\":\"two\"}"), 1);
	ask(&here.reader, REQUEST("1", "tools", "{\"domain\":\"two\"}"));
	text = hears(&here.reader);
	assert_int_equal(count_parts(text, "\"domain\":"), 1);
	/* The name of one that is not there is cut, but not within a character. */
	ask(&here.reader,
		REQUEST("1", "tools",
			"{\"domain\":\"x\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4"
			"\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3"
			"\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4"
			"\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\"}"));
	text = hears(&here.reader);
	json_auto_t *answer = json_loads(text, 0, NULL);
	assert_non_null(answer);
	assert_part(text, "\"code\":-31012");
}

/* A tool whose text has a NUL escape is legal JSON: it and its neighbours are listed. */
static void test_a_tool_with_nul(void **unused)
{
	offer(&world.domains[1], "[{\"name\":\"two_a\",\"inputSchema\":{},\"title\":\"\\u0000\"},"
				 "{\"name\":\"two_b\",\"inputSchema\":{}}]");
	loop_settle(world.loop);
	ask(&here.reader, REQUEST("1", "tools", "{\"domain\":\"two\"}"));
	assert_int_equal(count_parts(hears(&here.reader), "\"domain\":\"two\"}"), 2);
}

/* --- the status ---------------------------------------------------------------------------------- */

static json_t *get_status(void)
{
	json_auto_t *answer = NULL;

	ask(&here.reader, REQUEST("1", "status", "{}"));
	answer = json_loads(hears(&here.reader), 0, NULL);
	return json_incref(json_object_get(answer, "result"));
}

static void assert_remedy(enum domain_state state, const char *part)
{
	json_auto_t *status = NULL;
	json_t *domain;

	change(&world.domains[0], state);
	status = get_status();
	domain = json_array_get(json_object_get(status, "domains"), 0);
	assert_part(
		json_string_value(json_object_get(json_object_get(domain, "last_error"), "remedy")),
		part);
}

/* What there is to do follows from how it is now, not from what was wrong. */
static void test_remedies(void **unused)
{
	assert_remedy(DOMAIN_UP, "none is needed: it was replaced");
	assert_remedy(DOMAIN_ASLEEP, "none is needed: it starts with the next call");
	assert_remedy(DOMAIN_DOWN, "it is being started again");
	assert_remedy(DOMAIN_PARKED, "mend the cause");
	assert_remedy(DOMAIN_DISABLED, "mcp-fleetctl enable");
	assert_remedy(DOMAIN_STOPPED, "the fleet is stopping");
	here.stats.n_waiting = 1; /* one of several is in a loop of crashes */
	assert_remedy(DOMAIN_UP, "a process of it is being started again");
	here.stats.n_parked = 1; /* or parked: that of a session, with isolation */
	assert_remedy(DOMAIN_UP, "a process of it is parked");
}

/* The same reasons as /ready has, for the same domains. */
static void test_ready(void **unused)
{
	static const struct {
		enum domain_state state;
		bool is_ready;
	} cases[] = { { DOMAIN_UP, true }, { DOMAIN_ASLEEP, true }, { DOMAIN_DISABLED, true },
		{ DOMAIN_STARTING, false }, { DOMAIN_DOWN, false }, { DOMAIN_PARKED, false },
		{ DOMAIN_STOPPED, false } };

	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		json_auto_t *status = NULL;
		json_auto_t *reasons = NULL;

		change(&world.domains[0], cases[i].state);
		change(&world.domains[1], DOMAIN_PARKED); /* it is not required */
		status = get_status();
		reasons = health_make_reasons(here.health);
		assert_int_equal(json_is_true(json_object_get(status, "ready")), cases[i].is_ready);
		assert_true(json_equal(json_object_get(status, "reasons"), reasons));
	}
}

/* What a worker has said last need not be text; all the rest is told. */
static void test_words_that_are_no_text(void **unused)
{
	static const struct histogram no_calls;
	char id[SESSION_ID_TEXT];
	json_auto_t *status = NULL;
	json_t *process;

	session_get_id(world.a.session, id);
	id[CONTROL_SHOWN_ID] = '\0'; /* whoever may look must not be able to speak for it */
	here.stats.last_error = "\xff\xfe";
	here.process = (struct domain_process){ .name = "one/1",
		.pid = 7,
		.state = "draining",
		.last_end = "\xff",
		.retiring = true,
		.n_answered = UINT64_MAX,
		.latency = &no_calls,
		.session = session_get_number(world.a.session) };
	status = get_status();
	process = json_array_get(
		json_object_get(json_array_get(json_object_get(status, "domains"), 0), "processes"),
		0);
	assert_string_equal(json_string_value(json_object_get(process, "state")), "draining");
	assert_true(json_is_true(json_object_get(process, "retiring")));
	assert_true(json_is_null(json_object_get(process, "last_end")));
	assert_string_equal(json_string_value(json_object_get(process, "session")), id);
}

/* --- answers that come later --------------------------------------------------------------------- */

static void test_answer_after_the_client_has_gone(void **unused)
{
	struct user user;
	const struct fail fail = { .text = "no" };

	join(&user, geteuid());
	ask(&user, HELLO);
	ask(&user, REQUEST("1", "domain/restart", "{\"domain\":\"one\"}"));
	ask(&user, REQUEST("2", "gateway/register", "{\"gateway\":\"http://x\"}"));
	assert_int_equal(here.n_pending, 2);
	assert_string_equal(here.pending[1].params, "{\"gateway\":\"http://x\"}");
	leave(&user);
	loop_fake_turn(world.loop);
	here.pending[0].restarted(here.pending[0].arg, true, "done");
	here.pending[1].answered(here.pending[1].arg, NULL, &fail);
	ask(&here.admin, REQUEST("9", "status", "{}"));
	assert_part(hears(&here.admin), "\"id\":9,\"result\"");
}

static void test_answers_come_late_and_in_any_order(void **unused)
{
	json_auto_t *result = json_pack("{s:s}", "x", "y");

	ask(&here.admin, REQUEST("1", "domain/restart", "{\"domain\":\"one\"}"));
	ask(&here.admin, REQUEST("\"b\"", "gateway/unregister", "{}"));
	assert_string_equal(hears(&here.admin), "");
	here.pending[1].answered(here.pending[1].arg, result, NULL);
	assert_string_equal(hears(&here.admin),
		"{\"jsonrpc\":\"2.0\",\"id\":\"b\",\"result\":{\"x\":\"y\"}}\n");
	here.pending[0].restarted(here.pending[0].arg, false, "it did not come up");
	assert_part(hears(&here.admin), "\"id\":1,\"error\":{\"code\":-31011");
}

/* A second SIGTERM: the control goes first, those who have orders of its clients go later and end them then. */
static void test_the_end_with_orders_under_way(void **unused)
{
	const struct fail fail = { .text = "the fleet is stopping" };

	ask(&here.admin, REQUEST("1", "domain/restart", "{\"domain\":\"one\"}"));
	ask(&here.reader, REQUEST("1", "gateway/check", "{}"));
	assert_int_equal(here.n_pending, 2);
	free_control();
	here.pending[0].restarted(here.pending[0].arg, false, "it was stopped");
	here.pending[1].answered(here.pending[1].arg, NULL, &fail);
	assert_true(is_closed(&here.admin));
}

static void test_nothing_is_changed_while_stopping(void **unused)
{
	ask(&here.admin, REQUEST("1", "watch", "{\"interval_ms\":3600000}"));
	(void)hears(&here.admin);
	health_set_stopping(here.health);
	control_set_stopping(here.control);
	loop_fake_advance(world.loop, 100);
	assert_part(hears(&here.admin), "the fleet is stopping"); /* who follows is told */
	ask(&here.admin, REQUEST("1", "domain/restart", "{\"domain\":\"one\"}"));
	assert_part(hears(&here.admin), "\"message\":\"the fleet is stopping\"");
	ask(&here.admin, REQUEST("1", "gateway/register", "{}"));
	assert_part(hears(&here.admin), "\"message\":\"the fleet is stopping\"");
	assert_int_equal(here.n_pending, 0);
	ask(&here.admin, REQUEST("1", "status", "{}"));
	assert_part(hears(&here.admin), "\"ready\":false");
}

static void test_orders_hear_reports(void **unused)
{
	here.report = json_pack("{s:i}", "round", 1);
	control_note_report(here.control);
	assert_string_equal(hears(&here.admin), "");
	ask(&here.admin, REQUEST("1", "gateway/register", "{}"));
	control_note_report(here.control);
	assert_string_equal(hears(&here.admin),
		"{\"jsonrpc\":\"2.0\",\"method\":\"gateway\",\"params\":{\"round\":1}}\n");
	assert_string_equal(hears(&here.reader), "");
	here.pending[0].answered(here.pending[0].arg, here.report, NULL);
	(void)hears(&here.admin);
	control_note_report(here.control);
	assert_string_equal(hears(&here.admin), "");
}

/* Who may only look chooses nothing of a check, and leaves room for orders. */
static void test_checks_of_readers(void **unused)
{
	for (int i = 0; i < 10; i++)
		ask(&here.reader, REQUEST("1", "gateway/check",
					  "{\"gateway\":\"http://evil\",\"token_file\":\"/x\"}"));
	assert_int_equal(count_parts(hears(&here.reader), "-31013"), 6);
	assert_int_equal(here.n_pending, 4);
	assert_string_equal(here.pending[0].params, "{}");
	for (unsigned i = 0; i < 4; i++)
		here.pending[i].answered(here.pending[i].arg, json_null(), NULL);
	ask(&here.reader, REQUEST("1", "gateway/check", "{}"));
	assert_int_equal(here.n_pending, 5);
	here.pending[4].answered(here.pending[4].arg, json_null(), NULL);
}

/* The codes of doc/control.md, whoever it is that cannot do it. */
static void test_codes(void **unused)
{
	static const struct {
		int err;
		const char *code;
	} cases[] = { { -ENOENT, "\"code\":-31012" }, { -EBUSY, "\"code\":-31013" },
		{ -EALREADY, "\"code\":-31013" }, { -ESHUTDOWN, "\"code\":-31011" },
		{ -ENXIO, "\"code\":-31011" } };

	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		const struct fail fail = { .code = cases[i].err, .text = "no" };

		here.result = cases[i].err;
		ask(&here.admin, REQUEST("1", "domain/restart", "{\"domain\":\"one\"}"));
		assert_part(hears(&here.admin), cases[i].code);
		ask(&here.admin, REQUEST("2", "domain/enable", "{\"domain\":\"one\"}"));
		assert_part(hears(&here.admin), cases[i].code);
		ask(&here.admin, REQUEST("3", "drill", "{\"domain\":\"one\",\"kind\":\"stop\"}"));
		assert_part(hears(&here.admin), cases[i].code);
		ask(&here.admin, REQUEST("4", "gateway/reconcile", "{}"));
		here.pending[i].answered(here.pending[i].arg, NULL, &fail);
		assert_part(hears(&here.admin), cases[i].code);
	}
}

static void end_all_pending(void)
{
	for (unsigned i = 0; i < here.n_pending; i++)
		here.pending[i].restarted(here.pending[i].arg, true, "done");
	for (unsigned i = 0; i < here.n_pending; i++)
		free(TAKE(here.pending[i].params));
	here.n_pending = 0;
}

static void test_too_many_requests_of_one(void **unused)
{
	for (int i = 0; i < 20; i++)
		ask(&here.admin, REQUEST("1", "domain/restart", "{\"domain\":\"one\"}"));
	assert_int_equal(here.n_pending, CONTROL_MAX_ASKS);
	assert_int_equal(count_parts(hears(&here.admin), "-31013"), 4);
	end_all_pending();
	assert_int_equal(count_parts(hears(&here.admin), "\"result\""), CONTROL_MAX_ASKS);
	ask(&here.admin, REQUEST("1", "status", "{}"));
	assert_part(hears(&here.admin), "\"result\"");
}

/* --- one turn ------------------------------------------------------------------------------------ */

static void send_many(struct user *user, unsigned n)
{
	auto_strbuf text = { 0 };

	for (unsigned i = 0; i < n; i++)
		strbuf_addf(&text, "{\"jsonrpc\":\"2.0\",\"id\":%u,\"method\":\"status\"}\n", i);
	send_bytes(user, text.data, text.len);
}

/* A status takes its time: however many are asked for at once, one turn of the loop makes a few. */
static void test_a_turn_answers_a_few(void **unused)
{
	unsigned n_before = here.n_stats;
	const char *text;

	send_many(&here.reader, 1000);
	loop_fake_turn(world.loop);
	assert_in_range(here.n_stats - n_before, 1, 10 * 2 * 2);
	for (int i = 0; i < 10; i++)
		loop_fake_advance(world.loop, 0);
	text = hears(&here.reader);
	assert_int_equal(count_parts(text, "\"result\""), 8 + CONTROL_MAX_ASKS);
	assert_int_equal(count_parts(text, "-31013"), 1000 - 8 - CONTROL_MAX_ASKS);
	assert_part(text, "\"id\":0,\"result\"");
	assert_part(text, "\"id\":23,\"result\"");
	assert_int_equal(count_parts(text, "\"id\":999,"), 1);
}

/* Who asks for one thing does not stand behind all that another one has asked for. */
static void test_turns_are_fair(void **unused)
{
	send_many(&here.reader, 24);
	loop_fake_turn(world.loop); /* 8 are answered, 16 wait */
	send_many(&here.admin, 1);
	loop_fake_turn(world.loop);
	loop_fake_advance(world.loop, 0);
	assert_part(hears(&here.admin), "\"id\":0,\"result\"");
	(void)hears(&here.reader);
}

static void test_gone_while_waiting(void **unused)
{
	struct user user;

	join(&user, geteuid());
	ask(&user, HELLO);
	send_many(&user, 24);
	loop_fake_turn(world.loop);
	leave(&user);
	loop_fake_turn(world.loop);
	loop_fake_advance(world.loop, 1000);
	ask(&here.admin, REQUEST("1", "status", "{}"));
	assert_part(hears(&here.admin), "\"result\"");
}

static void test_waiting_lines_are_bounded(void **unused)
{
	auto_strbuf line = { 0 };
	const char *text;

	strbuf_adds(
		&line, "{\"jsonrpc\":\"2.0\",\"id\":77,\"method\":\"tools\",\"params\":{\"x\":\"");
	for (int i = 0; i < 600 * 1024; i++)
		strbuf_addc(&line, 'x');
	strbuf_adds(&line, "\"}}\n");
	send_many(&here.admin, 24);
	loop_fake_turn(world.loop); /* while one waits, all others wait with it */
	for (int i = 0; i < 3; i++) {
		send_many(&here.reader, 9); /* none is left in this turn */
		send_bytes(&here.reader, line.data, line.len);
		send_bytes(&here.reader, line.data, line.len);
		loop_fake_turn(world.loop);
	}
	for (int i = 0; i < 100; i++)
		loop_fake_advance(world.loop, 0);
	text = hears(&here.reader);
	assert_int_equal(count_parts(text, "\"id\":77,"), 6);
	assert_in_range(count_parts(text, "\"id\":77,\"error\""), 1, 5);
	assert_false(is_closed(&here.reader));
}

/* --- what is followed ---------------------------------------------------------------------------- */

static void test_watch(void **unused)
{
	ask(&here.reader, REQUEST("1", "watch", "{\"interval_ms\":5000}"));
	assert_int_equal(count_parts(hears(&here.reader), "\"method\":\"status\""), 1);
	loop_fake_advance(world.loop, 4999);
	assert_string_equal(hears(&here.reader), "");
	loop_fake_advance(world.loop, 1);
	assert_int_equal(count_parts(hears(&here.reader), "\"method\":\"status\""), 1);
	/* Many changes make one, soon. */
	loop_fake_advance(world.loop, 1000);
	for (int i = 0; i < 100; i++)
		control_note_change(here.control);
	loop_fake_advance(world.loop, 0);
	assert_int_equal(count_parts(hears(&here.reader), "\"method\":\"status\""), 1);
	for (int i = 0; i < 100; i++)
		control_note_change(here.control);
	loop_fake_advance(world.loop, 99);
	assert_string_equal(hears(&here.reader), "");
	loop_fake_advance(world.loop, 1);
	assert_int_equal(count_parts(hears(&here.reader), "\"method\":\"status\""), 1);
	loop_fake_advance(world.loop, 4999);
	assert_string_equal(hears(&here.reader), "");
}

/* The second `watch` takes the place of the first, and what was ordered before it is seen in it. */
static void test_watch_again(void **unused)
{
	const char *text;

	ask(&here.admin, REQUEST("1", "watch", "{\"interval_ms\":3600000}"));
	(void)hears(&here.admin);
	ask(&here.admin, REQUEST("2", "domain/disable", "{\"domain\":\"one\"}"));
	ask(&here.admin, REQUEST("3", "watch", "{\"interval_ms\":200}"));
	text = hears(&here.admin);
	assert_int_equal(count_parts(text, "\"method\":\"status\""), 1);
	assert_part(text, "mcp-fleetctl enable");
	loop_fake_advance(world.loop, 600);
	assert_in_range(count_parts(hears(&here.admin), "\"method\":\"status\""), 3, 4);
}

/* All who follow get the same text: what it costs does not grow with them. */
static void test_many_who_watch(void **unused)
{
	struct user users[40];
	unsigned n_before;

	for (size_t i = 0; i < N_ELEMENTS(users); i++) {
		join(&users[i], READER_UID);
		ask(&users[i], HELLO);
		ask(&users[i], REQUEST("1", "watch", "{\"interval_ms\":100}"));
		loop_fake_advance(world.loop, 7);
		(void)hears(&users[i]);
	}
	n_before = here.n_stats;
	for (int i = 0; i < 100; i++) {
		loop_fake_advance(world.loop, 10);
		control_note_change(here.control);
	}
	/* Twice 10 in a second, each asks two domains twice. */
	assert_in_range(here.n_stats - n_before, 10 * 4, 22 * 4);
	for (size_t i = 0; i < N_ELEMENTS(users); i++) {
		assert_in_range(count_parts(hears(&users[i]), "\"method\":\"status\""), 9, 22);
		leave(&users[i]);
	}
}

/* Fills the way to the client, so that there is something that it has not read. */
static void clog_up(struct user *user)
{
	for (int i = 0; i < 6000; i++)
		ask(user, REQUEST("1", "tools", "{}"));
}

/* Who was slow when something changed is told when he reads, not at the end of his interval. */
static void test_watch_of_a_slow_one(void **unused)
{
	ask(&here.reader, REQUEST("1", "watch", "{\"interval_ms\":3600000}"));
	(void)hears(&here.reader);
	clog_up(&here.reader);
	change(&world.domains[0], DOMAIN_PARKED);
	control_note_change(here.control);
	loop_fake_advance(world.loop, 1000);
	assert_no_part(hears(&here.reader), "\"method\":\"status\"");
	loop_fake_advance(world.loop, 100);
	assert_int_equal(count_parts(hears(&here.reader), "\"method\":\"status\""), 1);
}

static void test_log(void **unused)
{
	const struct log_about about = { .domain = "one" };
	const char *text;

	ask(&here.reader, REQUEST("1", "logs", "{\"follow\":true,\"lines\":0,\"domain\":\"one\"}"));
	assert_string_equal(
		hears(&here.reader), "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"lines\":[]}}\n");
	log_warn_about(&about, "for it");
	log_warn("not for it");
	loop_fake_advance(world.loop, 50);
	text = hears(&here.reader);
	assert_int_equal(count_parts(text, "\"method\":\"log\""), 1);
	assert_part(text, "\"text\":\"for it\"");
	ask(&here.reader, REQUEST("2", "logs", "{\"lines\":1}")); /* no longer */
	assert_part(hears(&here.reader), "not for it");
	log_warn_about(&about, "for it");
	loop_fake_advance(world.loop, 50);
	assert_string_equal(hears(&here.reader), "");
}

/* Lines are left out for one that does not read. He is told so when he does, also when no more lines come. */
static void test_log_of_a_slow_one(void **unused)
{
	const char *text;

	ask(&here.reader, REQUEST("1", "logs", "{\"follow\":true,\"lines\":0}"));
	(void)hears(&here.reader);
	clog_up(&here.reader);
	for (int i = 0; i < 10; i++)
		log_warn("a line");
	loop_fake_advance(world.loop, 50);
	text = hears(&here.reader);
	assert_no_part(text, "a line");
	assert_no_part(text, "dropped");
	loop_fake_advance(world.loop, 1000);
	assert_string_equal(hears(&here.reader),
		"{\"jsonrpc\":\"2.0\",\"method\":\"log\",\"params\":{\"dropped\":10}}\n");
	log_warn("the next");
	loop_fake_advance(world.loop, 1000);
	text = hears(&here.reader);
	assert_part(text, "the next");
	assert_no_part(text, "dropped");
}

/* Lines about clients that are closed must not make lines without end. */
static void test_no_echo(void **unused)
{
	auto_free char *big = NULL;
	uint64_t before;

	ask(&here.reader, REQUEST("1", "logs", "{\"follow\":true,\"lines\":0}"));
	(void)hears(&here.reader);
	before = log_ring_end(here.log);
	big = alloc_zero(8000);
	memset(big, '"', 7999);
	for (int i = 0; i < 10000; i++) {
		log_warn("%s", big);
		if (i % 50 == 0)
			loop_fake_advance(world.loop, 50);
	}
	assert_true(log_ring_end(here.log) <= before + 10000 + 2);
	assert_false(is_closed(&here.reader)); /* lines were left out instead */
}

/* --- those who do not read ----------------------------------------------------------------------- */

static void test_too_much_unsent(void **unused)
{
	auto_strbuf tools = { 0 };
	struct user users[4];

	strbuf_adds(&tools, "[");
	for (int i = 0; i < 20; i++) {
		strbuf_addf(&tools, "%s{\"name\":\"two_%d\",\"inputSchema\":{},\"x\":\"",
			i ? "," : "", i);
		for (int k = 0; k < 50000; k++)
			strbuf_addc(&tools, 'x');
		strbuf_adds(&tools, "\"}");
	}
	strbuf_adds(&tools, "]");
	offer(&world.domains[1], tools.data);
	loop_settle(world.loop);
	for (size_t i = 0; i < N_ELEMENTS(users); i++) {
		join(&users[i], READER_UID);
		ask(&users[i], HELLO);
		for (size_t k = 0; k < 24 + i; k++) /* 1 MB each */
			ask(&users[i], REQUEST("1", "tools", "{}"));
	}
	/* Together too much: the worst of them was closed, the others have all of theirs. */
	assert_int_equal(count_parts(hears(&users[0]), "\"result\""), 1 + 24);
	assert_int_equal(count_parts(hears(&users[3]), "\"result\""), 1 + 27);
	assert_true(is_closed(&users[1]) || is_closed(&users[2]));
	for (int k = 0; k < 40; k++) /* alone too much */
		ask(&here.reader, REQUEST("1", "tools", "{}"));
	assert_true(is_closed(&here.reader));
	ask(&here.admin, REQUEST("1", "status", "{}"));
	assert_part(hears(&here.admin), "\"result\"");
	for (size_t i = 0; i < N_ELEMENTS(users); i++)
		leave(&users[i]);
}

/* --- who comes in -------------------------------------------------------------------------------- */

static int connect_to(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	(void)snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	assert_int_equal(connect(fd, (const struct sockaddr *)&addr, sizeof(addr)), 0);
	return fd;
}

static void test_socket(void **unused)
{
	char folder[] = "/tmp/test_control.XXXXXX";
	struct user users[CONTROL_MAX_CONNS] = { { 0 } };
	auto_free char *path = NULL;
	struct fail fail = { 0 };

	assert_non_null(mkdtemp(folder));
	path = alloc_printf("%s/control.sock", folder);
	assert_int_equal(control_listen(here.control, NULL, "", &fail), 0);
	assert_null(control_get_path(here.control));
	assert_int_equal(control_listen(here.control, path, "", &fail), 0);
	assert_string_equal(control_get_path(here.control), path);
	for (size_t i = 0; i < N_ELEMENTS(users); i++) {
		users[i].fd = connect_to(path);
		loop_fake_turn(world.loop);
	}
	for (size_t i = 0; i < N_ELEMENTS(users); i++) { /* two are here already */
		if (i < N_ELEMENTS(users) - 2)
			ask(&users[i], HELLO);
		assert_part(hears(&users[i]),
			i < N_ELEMENTS(users) - 2 ? "\"may_change\":true" : "\"code\":-31013");
	}
	control_stop_listening(here.control);
	assert_int_equal(access(path, F_OK), -1);
	for (size_t i = 0; i < N_ELEMENTS(users); i++)
		leave(&users[i]);
	assert_int_equal(rmdir(folder), 0);
}

static void test_admins_change_with_the_settings(void **unused)
{
	static char number[] = "no-such-user";
	static char root[] = "root";
	static char group[] = "%root";
	static char no_group[] = "%no-such-group";
	static char *names[] = { number, no_group, group };
	static char *others[] = { root };
	const struct conf *old = here.control->parts.conf;
	struct conf conf = *old;
	struct peer peer = { .pid = 1, .uid = READER_UID, .gid = 0 };
	struct user user = { 0 };
	int pair[2];

	assert_int_equal(fd_socketpair(pair), 0);
	assert_int_equal(fd_set_nonblock(pair[1], true), 0);
	user.fd = pair[1];
	control_conn_open(here.control, pair[0], &peer);
	ask(&user, HELLO);
	assert_part(hears(&user), "\"may_change\":false");
	conf.control.admins = (struct conf_strs){ .items = names, .n = 3 };
	control_set_conf(here.control, &conf);
	ask(&user, REQUEST("1", "reload", "{}"));
	assert_part(hears(&user), "\"result\"");
	conf.control.admins = (struct conf_strs){ .items = others, .n = 1 };
	control_set_conf(here.control, &conf);
	ask(&user, REQUEST("1", "reload", "{}"));
	assert_part(hears(&user), "\"code\":-31010");
	control_set_conf(here.control, old);
	leave(&user);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CONTROL_TEST(test_hello_comes_first),
		CONTROL_TEST(test_reading_is_not_changing),
		CONTROL_TEST(test_refusals_are_logged_a_few_times),
		CONTROL_TEST(test_params_that_cannot_be_read),
		CONTROL_TEST(test_params_of_another_type),
		CONTROL_TEST(test_tools),
		CONTROL_TEST(test_a_tool_with_nul),
		CONTROL_TEST(test_remedies),
		CONTROL_TEST(test_ready),
		CONTROL_TEST(test_words_that_are_no_text),
		CONTROL_TEST(test_answer_after_the_client_has_gone),
		CONTROL_TEST(test_answers_come_late_and_in_any_order),
		CONTROL_TEST(test_the_end_with_orders_under_way),
		CONTROL_TEST(test_nothing_is_changed_while_stopping),
		CONTROL_TEST(test_orders_hear_reports),
		CONTROL_TEST(test_checks_of_readers),
		CONTROL_TEST(test_codes),
		CONTROL_TEST(test_too_many_requests_of_one),
		CONTROL_TEST(test_a_turn_answers_a_few),
		CONTROL_TEST(test_turns_are_fair),
		CONTROL_TEST(test_gone_while_waiting),
		CONTROL_TEST(test_waiting_lines_are_bounded),
		CONTROL_TEST(test_watch),
		CONTROL_TEST(test_watch_again),
		CONTROL_TEST(test_many_who_watch),
		CONTROL_TEST(test_watch_of_a_slow_one),
		CONTROL_TEST(test_log),
		CONTROL_TEST(test_log_of_a_slow_one),
		CONTROL_TEST(test_no_echo),
		CONTROL_TEST(test_too_much_unsent),
		CONTROL_TEST(test_socket),
		CONTROL_TEST(test_admins_change_with_the_settings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
