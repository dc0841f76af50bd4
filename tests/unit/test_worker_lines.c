/* What a worker asks and tells, and its lines that are no message. */
#include <signal.h>
#include <sys/socket.h>

#include "shared/alloc.h"
#include "tests/unit/fake_process.h"

/* --- what it asks and tells */

static void test_asks_and_does_not_read(void **unused)
{
	static const char ask[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"sampling/x\"}\n";

	start(false);
	world.replies = true;
	for (int i = 0; i < 300000 && worker_get_state(world.worker) == WORKER_READY; i++)
		if (send(world.peer, ask, sizeof(ask) - 1, MSG_NOSIGNAL) < 0)
			turn();
	turn();
	assert_int_equal(worker_get_state(world.worker), WORKER_KILLED);
}

static void reply(const char *id)
{
	auto_free char *line =
		alloc_printf("{\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":{\"r\":1}}", id);

	worker_reply(world.worker, line, strlen(line));
}

static void test_asks(void **unused)
{
	start(false);
	(void)peer_hears();
	peer_says("{\"jsonrpc\":\"2.0\",\"id\":\"q\",\"method\":\"ping\"}");
	assert_string_equal(peer_hears(), "{\"jsonrpc\":\"2.0\",\"id\":\"q\",\"result\":{}}\n");
	peer_says("{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"roots/list\"}");
	assert_string_equal(story(), "asked:5 ");
	reply("6");
	reply("\"5\"");
	assert_string_equal(peer_hears(), "");
	reply("5");
	assert_string_equal(peer_hears(), "{\"jsonrpc\":\"2.0\",\"id\":5,\"result\":{\"r\":1}}\n");
	reply("5");
	assert_string_equal(peer_hears(), "");
}

/* server-filesystem does so right after initialized. */
static void test_asks_before_it_is_ready(void **unused)
{
	start_process_of(false);
	(void)peer_hears();
	peer_says("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"roots/list\"}");
	assert_has(peer_hears(), "\"id\":1,\"error\":{\"code\":-32601");
	peer_says(OLD(TOOLS));
	(void)peer_hears();
	peer_says("{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"roots/list\",\"params\":null}");
	assert_string_equal(story(), "listing asked:2 ");
	reply("2");
	assert_has(peer_hears(), "\"id\":2,\"result\"");
}

static void test_may_not_ask(void **unused)
{
	static const char ask[] =
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"sampling/createMessage\"}";

	start(true);
	(void)peer_hears();
	peer_says(ask);
	assert_has(peer_hears(), "\"id\":1,\"error\":{\"code\":-32601");
	(void)tear_down(NULL);
	(void)set_up(NULL);
	start_modern(TOOLS);
	(void)peer_hears();
	peer_says(ask);
	assert_has(peer_hears(), "\"id\":1,\"error\":{\"code\":-32601");
	assert_string_equal(story(), "");
}

static void test_asks_without_end(void **unused)
{
	start(false);
	(void)peer_hears();
	for (int i = 0; i < 65; i++) {
		auto_free char *line = alloc_printf(
			"{\"jsonrpc\":\"2.0\",\"id\":%d,\"method\":\"roots/list\"}", i);

		assert_string_equal(peer_hears(), "");
		peer_says(line);
	}
	assert_has(peer_hears(), "\"id\":64,\"error\":{\"code\":-31003");
	peer_says("{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"roots/list\"}");
	assert_has(peer_hears(), "\"id\":3,\"error\":{\"code\":-32600");
	reply("3");
	(void)peer_hears();
	(void)story();
	peer_says("{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"roots/list\"}");
	assert_string_equal(story(), "asked:3 ");
}

static void test_withdraws_what_it_asked(void **unused)
{
	start(false);
	(void)peer_hears();
	peer_says("{\"jsonrpc\":\"2.0\",\"id\":\"x\",\"method\":\"sampling/createMessage\"}");
	peer_says(TELL("cancelled", "{\"requestId\":\"y\"}"));
	peer_says(TELL("cancelled", "{\"requestId\":1}"));
	peer_says(TELL("cancelled", "{}"));
	assert_string_equal(story(), "asked:\"x\" ");
	peer_says(TELL("cancelled", "{\"requestId\":\"x\"}"));
	assert_string_equal(story(), "told:\"notifications/cancelled\"{\"requestId\":\"x\"} ");
	reply("\"x\"");
	assert_string_equal(peer_hears(), "");
}

/* The next process has not asked. */
static void test_reply_to_a_dead_one(void **unused)
{
	start(false);
	peer_says("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"roots/list\"}");
	call(1);
	answer(1);
	end_process();
	reply("1");
	loop_fake_advance(world.loop, 300);
	(void)peer_hears();
	reply("1");
	assert_string_equal(peer_hears(), "");
}

static void test_tells(void **unused)
{
	static const char changed[] = TELL("roots/list_changed", "{}");

	start_process_of(false);
	(void)peer_hears();
	peer_says(OLD(TOOLS));
	peer_says(TELL("message", "{\"level\":\"info\",\"data\":\"early\"}"));
	worker_tell(world.worker, changed, strlen(changed));
	assert_lacks(peer_hears(), "roots");
	peer_says(ONE_TOOL);
	assert_string_equal(story(), "listing ready:1 ready ");
	peer_says(TELL("message", "{\"level\":\"info\"}"));
	assert_string_equal(story(), "told:\"notifications/message\"{\"level\":\"info\"} ");
	worker_tell(world.worker, changed, strlen(changed));
	assert_has(peer_hears(), "roots/list_changed");
}

static void test_only_external_legacy_ones_are_told(void **unused)
{
	static const char changed[] = TELL("roots/list_changed", "{}");

	start(true);
	(void)peer_hears();
	worker_tell(world.worker, changed, strlen(changed));
	assert_string_equal(peer_hears(), "");
	(void)tear_down(NULL);
	(void)set_up(NULL);
	start_modern("\"tools\":{}");
	(void)peer_hears();
	worker_tell(world.worker, changed, strlen(changed));
	assert_string_equal(peer_hears(), "");
}

/* --- lines that are no message */

static void test_garbage(void **unused)
{
	start(true);
	call(1);
	/* What follows it is not believed any more. */
	peer_says("no JSON at all\n{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}");
	assert_int_equal(worker_get_state(world.worker), WORKER_KILLED);
	end_process();
	assert_string_equal(story(), "killed backoff lost call:1 ");
}

static void test_noise_of_others(void **unused)
{
	start(false);
	peer_says("Server started!");
	assert_int_equal(worker_get_state(world.worker), WORKER_READY);
	peer_says("{\"jsonrpc\"");
	assert_int_equal(worker_get_state(world.worker), WORKER_KILLED);
}

static void test_noise(void **unused)
{
	static const char *const lines[] = { "Server started!", "[INFO] listening", "{'a': 1}",
		"{ a: 1 }", "{", "  \"b\": 2", "[1,2,3]", "\"text\"", "42", "null", "{}", "[]",
		"{\"level\":30,\"msg\":\"started\"}", "Received: {\"jsonrpc\":\"2.0\",\"id\":1}",
		"\033[32mready\033[0m", "50%\r100%", "\xff\xfe", "\xef\xbb\xbf{\"x\":1}",
		"{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32700,\"message\":\"m\"}}" };

	start(false);
	call(1);
	(void)peer_hears();
	for (size_t i = 0; i < N_ELEMENTS(lines); i++) {
		peer_says(lines[i]);
		assert_int_equal(worker_get_state(world.worker), WORKER_READY);
	}
	assert_string_equal(peer_hears(), "");
	answer(1);
	assert_string_equal(story(), "answered:1 freed ");
}

static void test_no_noise(void **unused)
{
	static const char *const lines[] = { "{\"jsonrpc\":\"2.0\",\"id\":1,\"resu",
		" {\"jsonrpc\"", "[{\"jsonrpc\":\"2.0\"", "{\"jsonrpc\":\"2.0\",\"id\":1}",
		"{\"jsonrpc\":\"1.0\",\"id\":1,\"result\":{}}",
		"{\"jsonrpc\":\"2.0\",\"id\":[],\"result\":{}}",
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{},\"error\":{}}",
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":null,\"error\":null}",
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"m\",\"params\":[]}",
		"[{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}},5]", "\001\002" };

	for (size_t i = 0; i < N_ELEMENTS(lines); i++) {
		start(false);
		peer_says(lines[i]);
		assert_killed_for("garbage on its link");
		(void)tear_down(NULL);
		(void)set_up(NULL);
	}
}

static void test_sloppy_answers(void **unused)
{
	static const char *const lines[] = {
		"{\"jsonrpc\":\"2.0\",\"id\":\"1\",\"result\":{}}",
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{},\"error\":null}",
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":null,\"error\":{\"code\":1,\"message\":\"\"}}",
		"[{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}]",
		"  [ {\"jsonrpc\":\"2.0\",\"id\":7,\"result\":{}} , {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}} ] ",
	};

	for (size_t i = 0; i < N_ELEMENTS(lines); i++) {
		start(false);
		call(1);
		peer_says(lines[i]);
		assert_string_equal(story(), "answered:1 freed ");
		(void)tear_down(NULL);
		(void)set_up(NULL);
	}
}

static void test_sloppy_progress(void **unused)
{
	start(false);
	call(12);
	peer_says(TELL("progress", "{\"progressToken\":\"12\",\"progress\":1}"));
	peer_says(TELL("progress", "{\"progressToken\":\"\",\"progress\":1}"));
	peer_says(TELL("progress", "{\"progressToken\":\"12x\",\"progress\":1}"));
	peer_says(TELL("progress", "{\"progress\":1}"));
	peer_says(TELL("cancelled", "null"));
	assert_string_equal(story(), "progress:12 ");
	answer(12);
	peer_says(TELL("progress", "{\"progressToken\":12}")); /* of a task that it made, maybe */
	assert_string_equal(story(),
		"answered:12 freed told:\"notifications/progress\"{\"progressToken\":12} ");
}

/* What is about a task takes no place. */
static void test_calls_beside(void **unused)
{
	struct request *request = alloc_zero(sizeof(*request));

	start(true);
	call(1);
	request->no = 2;
	request->is_beside = true;
	request->line = alloc_str("{}");
	request->len = 2;
	assert_false(worker_has_room(world.worker));
	assert_int_equal(worker_call(world.worker, request), 0);
	assert_false(worker_has_ahead(world.worker));
	assert_int_equal(worker_count_calls(world.worker), 2);
	assert_int_equal(worker_count_places(world.worker), 1);
	answer(1);
	assert_true(worker_has_room(world.worker));
	answer(2);
	assert_int_equal(worker_count_places(world.worker), 0);
	assert_string_equal(story(), "answered:1 freed answered:2 freed ");
}

/* The batch stops where the worker is given up. */
static void test_batch_that_breaks(void **unused)
{
	start(false);
	call(1);
	peer_says("[{\"jsonrpc\":\"2.0\",\"id\":9},{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}]");
	assert_string_equal(story(), "killed ");
	assert_killed_for("garbage on its link");
}

static void test_no_batches_from_others(void **unused)
{
	start(true);
	peer_says("[{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}]");
	assert_killed_for("garbage on its link");
	(void)tear_down(NULL);
	(void)set_up(NULL);
	start_modern(TOOLS);
	peer_says("[{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}]");
	assert_killed_for("garbage on its link");
}

static void test_native_is_not_forgiven(void **unused)
{
	start(true);
	call(1);
	peer_says("{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{},\"error\":null}");
	assert_killed_for("garbage on its link");
}

static void test_line_over_the_limit(void **unused)
{
	auto_strbuf line = { 0 };

	world.max_line = 2000;
	start(false);
	memset(strbuf_reserve(&line, 1990), 'x', 1990);
	line.len = 1990;
	strbuf_addc(&line, 'x');
	peer_says(line.data);
	assert_int_equal(worker_get_state(world.worker), WORKER_READY);
	strbuf_adds(&line, "and so on to the end");
	peer_says(line.data);
	assert_killed_for("a line over the limit on its link (max_line)");
}

/* Also behind half a line, and for servers whose stray lines are skipped. */
static void test_drills(void **unused)
{
	static const bool is_native[] = { true, false };

	for (size_t i = 0; i < 2; i++) {
		start(is_native[i]);
		call(1);
		assert_int_equal(worker_drill(world.worker, DRILL_STOP), 0);
		assert_int_equal(world.last_signal, SIGSTOP);
		assert_int_equal(worker_drill(world.worker, DRILL_KILL), 0);
		assert_int_equal(world.last_signal, SIGKILL);
		assert_int_equal(worker_get_state(world.worker), WORKER_READY);
		if (i > 0)
			assert_int_equal(send(world.peer, "half a", 6, MSG_NOSIGNAL), 6);
		turn();
		assert_int_equal(worker_drill(world.worker, DRILL_GARBAGE), 0);
		assert_killed_for("garbage on its link");
		assert_has(story(), "call:1");
		assert_int_equal(worker_drill(world.worker, DRILL_GARBAGE), -ESRCH);
		if (i == 0) {
			(void)tear_down(NULL);
			(void)set_up(NULL);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_asks_and_does_not_read),
		TEST(test_asks),
		TEST(test_asks_before_it_is_ready),
		TEST(test_may_not_ask),
		TEST(test_asks_without_end),
		TEST(test_withdraws_what_it_asked),
		TEST(test_reply_to_a_dead_one),
		TEST(test_tells),
		TEST(test_only_external_legacy_ones_are_told),
		TEST(test_garbage),
		TEST(test_drills),
		TEST(test_noise_of_others),
		TEST(test_noise),
		TEST(test_no_noise),
		TEST(test_sloppy_answers),
		TEST(test_sloppy_progress),
		TEST(test_calls_beside),
		TEST(test_batch_that_breaks),
		TEST(test_no_batches_from_others),
		TEST(test_native_is_not_forgiven),
		TEST(test_line_over_the_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
