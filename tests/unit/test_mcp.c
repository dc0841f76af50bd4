/* What messages mean: from the client's text to the domain's queue and back, and every way in which a
 * call can end. */
#include <errno.h>

#include "tests/unit/mcp_world.h"

/* --- tests --------------------------------------------------------------------------------------- */

#define INITIALIZE_AS(version)                                                                     \
	"{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"initialize\",\"params\":{"                     \
	"\"protocolVersion\":" version "}}"

static void test_initialize(void **unused)
{
	static const char *const known[] = { "2024-11-05", "2025-03-26", "2025-06-18",
		"2025-11-25" };

	for (size_t i = 0; i < N_ELEMENTS(known); i++) {
		auto_free char *text = alloc_printf(INITIALIZE_AS("\"%s\""), known[i]);
		auto_free char *wanted = alloc_printf("\"protocolVersion\":\"%s\"", known[i]);

		assert_int_equal(say(&world.a, text), MCP_ACCEPTED);
		assert_has(&world.a, wanted);
	}
	(void)say(&world.a, INITIALIZE_AS("\"2026-07-28\""));
	assert_has(&world.a, "\"protocolVersion\":\"2025-11-25\"");
	(void)say(&world.a, INITIALIZE_AS("5"));
	assert_has(&world.a, "\"code\":-32602");
}

static void test_ids_come_back_as_they_were(void **unused)
{
	static const char *const ids[] = { "0", "-1", "9007199254740993", "\"\"", "\"\\u00e4 \"" };

	come_up();
	for (size_t i = 0; i < N_ELEMENTS(ids); i++) {
		auto_free char *ping =
			alloc_printf("{\"jsonrpc\":\"2.0\",\"id\":%s,\"method\":\"ping\"}", ids[i]);
		auto_free char *pong =
			alloc_printf("{\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":{}}\n", ids[i]);
		auto_free char *done = alloc_printf(
			"{\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":{\"ok\":1}}\n", ids[i]);

		(void)say(&world.a, ping);
		assert_heard(&world.a, pong);
		call_tool(&world.a, ids[i], "one_read");
		answer(world.domains[0].last_no);
		assert_heard(&world.a, done);
	}
}

static void test_lists_wait_until_all_had_their_chance(void **unused)
{
	(void)say(&world.a, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}");
	call_tool(&world.a, "2", "one_read");
	assert_heard(&world.a, "");
	assert_int_equal(mcp_count_pending(world.mcp), 1);
	offer(&world.domains[0], "[{\"name\":\"one_read\",\"inputSchema\":{}}]");
	change(&world.domains[0], DOMAIN_UP);
	assert_heard(&world.a, "");
	change(&world.domains[1], DOMAIN_PARKED);
	assert_has(&world.a, "\"tools\":[{\"name\":\"one_read\"");
	assert_int_equal(world.n_settled, 1);
	answer(world.domains[0].last_no);
	assert_has(&world.a, "\"id\":2,\"result\"");
	change(&world.domains[1], DOMAIN_UP);
	assert_int_equal(world.n_settled, 1); /* once */
}

/* One that hangs at its start must not keep the tools of all others from the clients. */
static void test_a_failed_start_was_its_chance(void **unused)
{
	struct endpoint *two = mcp_find_endpoint(world.mcp, world.domains[1].name);

	offer(&world.domains[0], "[{\"name\":\"one_read\",\"inputSchema\":{}}]");
	change(&world.domains[0], DOMAIN_UP);
	(void)say(&world.a, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}");
	assert_true(mcp_can_serve(world.mcp, two));
	assert_heard(&world.a, "");
	world.domains[1].has_failed = true;
	change(&world.domains[1], DOMAIN_STARTING);
	assert_int_equal(world.n_settled, 1);
	assert_has(&world.a, "\"tools\":[{\"name\":\"one_read\"");
	assert_false(mcp_can_serve(world.mcp, two)); /* it would list no tools */
	change(&world.domains[1], DOMAIN_UP);
	assert_true(mcp_can_serve(world.mcp, two));
}

static void test_the_one_that_was_waited_for_is_removed(void **unused)
{
	change(&world.domains[0], DOMAIN_UP);
	(void)say(&world.a, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}");
	assert_int_equal(world.n_settled, 0);
	world.domains[1].id = 0;
	change(&world.domains[1], DOMAIN_STOPPED);
	assert_int_equal(world.n_settled, 1);
	assert_has(&world.a, "\"tools\":[]");
}

static void test_early_requests_are_bounded_and_forgotten(void **unused)
{
	for (int i = 0; i < 3; i++)
		call_tool(&world.a, i == 0 ? "0" : i == 1 ? "1" : "2", "one_read");
	assert_int_equal(say(&world.a, "{\"jsonrpc\":\"2.0\",\"id\":9,\"method\":\"tools/list\"}"),
		MCP_BUSY);
	session_close(world.a.session, "test");
	assert_int_equal(mcp_count_pending(world.mcp), 0);
	come_up();
	assert_int_equal(world.domains[0].last_no, 0);
}

static void test_early_requests_hear_of_the_end(void **unused)
{
	call_tool(&world.a, "1", "one_read");
	mcp_refuse_new(world.mcp);
	assert_has(&world.a, "\"id\":1,\"error\":{\"code\":-31004");
	assert_int_equal(mcp_count_pending(world.mcp), 0);
}

static void test_call(void **unused)
{
	come_up();
	(void)say(&world.a,
		"{\"jsonrpc\":\"2.0\",\"id\":\"x\",\"method\":\"tools/call\",\"params\":"
		"{\"_meta\":{\"progressToken\":\"t\"},\"name\":\"one.read\",\"arguments\":{\"q\":[1]}}}");
	assert_string_equal(strbuf_get(&world.domains[0].line),
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":"
		"{\"_meta\":{\"progressToken\":1},\"name\":\"one_read\",\"arguments\":{\"q\":[1]}}}");
	assert_true(world.domains[0].may_rerun);
	answer_with(1, RPC_ERROR, "{\"code\":-1,\"message\":\"m\"}");
	assert_heard(&world.a,
		"{\"jsonrpc\":\"2.0\",\"id\":\"x\",\"error\":{\"code\":-1,\"message\":\"m\"}}\n");
	answer(1); /* twice */
	answer(99);
	assert_heard(&world.a, "");
	assert_heard(&world.b, "");
	assert_int_equal(world.n_idle, 1);
	call_tool(&world.a, "2", "one_write");
	assert_false(world.domains[0].may_rerun);
}

/* That the daemon is stopping only the daemon says: a bridge waits for its end then. */
static void test_a_worker_says_that_we_are_stopping(void **unused)
{
	come_up();
	(void)say(&world.a, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":"
			    "{\"name\":\"one.read\",\"arguments\":{}}}");
	answer_with(1, RPC_ERROR,
		"{\"code\":-31004,\"message\":\"it \\\"stops\\\"\",\"data\":{\"stopping\":true}}");
	assert_heard(&world.a, "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-31004,"
			       "\"message\":\"it \\\"stops\\\"\"}}\n");
}

static void progress(uint64_t no, const char *params)
{
	const struct rpc rpc = { .kind = RPC_NOTIFICATION,
		.params = { .at = params, .len = strlen(params) } };

	mcp_domain_hooks.progress(world.mcp, no, &rpc);
}

static void test_progress(void **unused)
{
	come_up();
	call_tool(&world.a, "1", "one_read"); /* wants none */
	progress(1, "{\"progressToken\":1,\"progress\":1}");
	assert_heard(&world.a, "");
	(void)say(&world.b, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":"
			    "{\"name\":\"one_read\",\"_meta\":{\"progressToken\":7}}}");
	progress(2, "{\"progress\":1,\"progressToken\":2,\"total\":3}");
	assert_heard(&world.b,
		"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":"
		"{\"progress\":1,\"progressToken\":7,\"total\":3}}\n");
	world.b.busy = true;
	for (int i = 0; i < 100; i++)
		progress(2, "{\"progress\":1,\"progressToken\":2}");
	assert_false(world.b.closed); /* the answer still fits */
	answer(2);
	world.b.busy = false;
	session_drained(world.b.session);
	assert_has(&world.b, "\"id\":1,\"result\"");
	progress(2, "{\"progress\":2,\"progressToken\":2}"); /* late */
	assert_heard(&world.b, "");
}

static void test_deadline(void **unused)
{
	come_up();
	call_tool(&world.a, "1", "one_read");
	call_tool(&world.a, "2", "one_slow");
	call_tool(&world.a, "3", "one_odd");
	loop_fake_advance(world.loop, 4999);
	assert_heard(&world.a, "");
	loop_fake_advance(world.loop, 1);
	const char *text = heard(&world.a);

	assert_non_null(strstr(text, "\"id\":1,\"error\":{\"code\":-31002"));
	assert_non_null(strstr(text, "\"id\":3,\"error\":{\"code\":-31002")); /* -1 is no time */
	assert_null(strstr(text, "\"id\":2"));
	assert_string_equal(strbuf_get(&world.domains[0].cancelled), "1 3 ");
	answer(1);
	assert_heard(&world.a, "");
	loop_fake_advance(world.loop, 55000);
	assert_has(&world.a, "\"id\":2,\"error\"");
	assert_int_equal(mcp_count_pending(world.mcp), 0);
}

static void test_cancel(void **unused)
{
	come_up();
	call_tool(&world.a, "1", "one_read");
	call_tool(&world.b, "1", "one_read");
	(void)say(&world.a, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\","
			    "\"params\":{\"requestId\":1}}");
	(void)say(&world.a, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\","
			    "\"params\":{\"requestId\":5}}");
	(void)say(&world.a,
		"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{}}");
	assert_string_equal(strbuf_get(&world.domains[0].cancelled), "1 ");
	answer(1);
	assert_heard(&world.a, "");
	answer(2);
	assert_has(&world.b, "\"id\":1,\"result\"");
	call_tool(&world.a, "1", "one_read"); /* the id is free again */
	answer(3);
	assert_has(&world.a, "\"id\":1,\"result\"");
}

/* Where somebody waits for each answer the cancelled call has one. */
static void test_cancel_is_answered(void **unused)
{
	static struct sink_ops each;
	static struct client client;

	come_up();
	each = sink_ops;
	each.answers_each = true;
	client = (struct client){ .session = mcp_open(world.mcp, &each, &client,
					  mcp_find_endpoint(world.mcp, NULL), NULL) };
	call_tool(&client, "\"x\"", "one_read");
	(void)say(&client, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\","
			   "\"params\":{\"requestId\":\"x\"}}");
	assert_has(&client, "\"id\":\"x\",\"error\":{\"code\":-31005,");
	assert_string_equal(strbuf_get(&world.domains[0].cancelled), "1 ");
	answer(1);
	assert_heard(&client, "");
	session_gone(client.session);
	strbuf_done(&client.got);
}

static void test_client_gone(void **unused)
{
	come_up();
	call_tool(&world.a, "1", "one_read");
	call_tool(&world.a, "2", "two_read");
	session_gone(world.a.session);
	assert_string_equal(strbuf_get(&world.domains[0].cancelled), "1 ");
	assert_string_equal(strbuf_get(&world.domains[1].cancelled), "2 ");
	loop_settle(world.loop);
	answer(1);
	answer(2);
	loop_fake_advance(world.loop, 10000); /* no deadline is left either */
	assert_heard(&world.a, "");
	assert_int_equal(world.n_idle, 1);
}

static void test_lost(void **unused)
{
	come_up();
	call_tool(&world.a, "1", "one_read");
	call_tool(&world.a, "2", "one_read");
	mcp_domain_hooks.lost(world.mcp, 1, DOMAIN_LOST_DIED, "killed \"by\" a test");
	assert_has(&world.a, "\"id\":1,\"error\":{\"code\":-31001");
	mcp_domain_hooks.lost(world.mcp, 2, DOMAIN_LOST_DOWN, "parked");
	assert_has(&world.a, "\"id\":2,\"error\":{\"code\":-31004");
	mcp_domain_hooks.lost(world.mcp, 2, DOMAIN_LOST_DOWN, "parked");
	answer(1);
	assert_heard(&world.a, "");
}

static void test_not_taken(void **unused)
{
	come_up();
	world.domains[0].refusal = -ENOBUFS;
	call_tool(&world.a, "1", "one_read");
	assert_has(&world.a, "\"id\":1,\"error\":{\"code\":-31003");
	world.domains[0].refusal = -ENXIO;
	call_tool(&world.a, "1", "one_read");
	assert_has(&world.a, "\"id\":1,\"error\":{\"code\":-31004");
	world.domains[0].id = 0; /* it is just being removed */
	call_tool(&world.a, "1", "one_read");
	assert_has(&world.a, "\"id\":1,\"error\":{\"code\":-31004");
	assert_int_equal(mcp_count_pending(world.mcp), 0);
}

static void test_limits_of_a_session(void **unused)
{
	come_up();
	call_tool(&world.a, "1", "one_read");
	assert_int_equal(
		say(&world.a, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}"), MCP_INVALID);
	call_tool(&world.b, "1", "one_read"); /* another session's ids are its own */
	call_tool(&world.a, "2", "one_read");
	call_tool(&world.a, "3", "one_read");
	assert_heard(&world.a, "");
	call_tool(&world.a, "4", "one_read");
	assert_has(&world.a, "\"id\":4,\"error\":{\"code\":-31003");
	call_tool(&world.b, "2", "one_read");
	assert_heard(&world.b, "");
}

static void test_slow_client(void **unused)
{
	come_up();
	world.a.busy = true;
	for (int i = 0; i < 3; i++)
		assert_int_equal(
			say(&world.a, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}"),
			MCP_ACCEPTED);
	assert_int_equal(
		say(&world.a, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}"), MCP_BUSY);
}

/* Sending an answer closes the session; its other calls go with it, and nobody hears them. */
static void test_session_closes_while_it_is_answered(void **unused)
{
	come_up();
	call_tool(&world.a, "1", "one_read");
	call_tool(&world.a, "2", "one_read");
	call_tool(&world.a, "3", "one_read");
	world.a.busy = true;
	for (int i = 0; i < 4; i++)
		session_tell(world.a.session, 0, "x", 1);
	answer(1);
	assert_true(world.a.closed);
	assert_string_equal(strbuf_get(&world.domains[0].cancelled), "3 2 ");
	answer(2);
	assert_int_equal(mcp_count_pending(world.mcp), 0);
	call_tool(&world.b, "1", "one_read");
	answer(4);
	assert_has(&world.b, "result");
}

static void test_all_fail_at_the_end(void **unused)
{
	come_up();
	call_tool(&world.a, "1", "one_read");
	call_tool(&world.b, "1", "two_read");
	mcp_refuse_new(world.mcp);
	assert_int_equal(mcp_count_pending(world.mcp), 2); /* those go on */
	assert_int_equal(
		say(&world.a, "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"ping\"}"), MCP_BUSY);
	assert_int_equal(
		say(&world.a,
			"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{}}"),
		MCP_ACCEPTED);
	mcp_fail_pending(world.mcp, "the end");
	assert_has(&world.a, "\"id\":1,\"error\":{\"code\":-31004,\"message\":\"the end\"");
	assert_has(&world.b, "the end");
	assert_int_equal(world.n_idle, 1);
	answer(1);
	assert_heard(&world.a, "");
	assert_null(
		mcp_open(world.mcp, &sink_ops, &world.a, mcp_find_endpoint(world.mcp, NULL), NULL));
}

static void test_what_is_refused(void **unused)
{
	come_up();
	assert_int_equal(say(&world.a, "{"), MCP_INVALID);
	assert_int_equal(say(&world.a, "42"), MCP_INVALID);
	assert_int_equal(say(&world.a, "{\"jsonrpc\":\"2.0\",\"id\":null,\"method\":\"ping\"}"),
		MCP_INVALID);
	assert_heard(&world.a, "");
	(void)say(&world.a, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"no/such\"}");
	assert_has(&world.a, "\"code\":-32601");
	(void)say(&world.a, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\",\"params\":[]}");
	assert_has(&world.a, "\"code\":-32602");
	call_tool(&world.a, "1", "no_such_tool");
	assert_has(&world.a, "Unknown tool: no_such_tool");
	call_tool(&world.a, "1", "one_read\\u0000");
	assert_has(&world.a, "\"code\":-32602");
	(void)say(&world.a, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{"
			    "\"name\":\"one_read\",\"arguments\":[]}}");
	assert_has(&world.a, "\"code\":-32602");
	(void)say(&world.a, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{"
			    "\"name\":\"one_read\",\"name\":\"one_write\"}}");
	assert_has(&world.a, "comes twice");
	assert_int_equal(world.domains[0].last_no, 0);
}

static void test_notifications_are_never_answered(void **unused)
{
	static const char *const texts[] = {
		"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}",
		"{\"jsonrpc\":\"2.0\",\"method\":\"no/such\"}",
		"{\"jsonrpc\":\"2.0\",\"method\":\"tools/list\"}",
		"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":[1]}",
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}",
	};

	come_up();
	for (size_t i = 0; i < N_ELEMENTS(texts); i++)
		assert_int_equal(say(&world.a, texts[i]), MCP_ACCEPTED);
	assert_heard(&world.a, "");
}

static void test_large_result(void **unused)
{
	char body[1100];

	come_up();
	memset(body, ' ', sizeof(body));
	body[0] = '{';
	body[1001] = '\0';
	body[1000] = '}';
	call_tool(&world.a, "1", "one_read");
	answer_with(1, RPC_RESULT, body);
	assert_has(&world.a, "tools.max_result_bytes");
	body[999] = '}';
	body[1000] = '\0';
	call_tool(&world.a, "1", "one_read");
	answer_with(2, RPC_RESULT, body);
	assert_has(&world.a, "\"result\"");
}

static void test_list_changed(void **unused)
{
	struct client c = { 0 };

	come_up();
	open_client(&c, "two");
	(void)say(&world.a, INITIALIZE_AS("\"2025-11-25\""));
	(void)say(&c, INITIALIZE_AS("\"2025-11-25\""));
	(void)heard(&world.a);
	(void)heard(&c);
	offer(&world.domains[0], NULL);
	assert_has(&world.a, "notifications/tools/list_changed");
	assert_heard(&world.b, ""); /* has not initialized */
	assert_heard(&c, "");       /* sees the other domain only */
	offer(&world.domains[0], NULL);
	assert_heard(&world.a, ""); /* nothing changed */
	offer(&world.domains[1], NULL);
	assert_has(&c, "list_changed");
	session_close(c.session, "test");
	strbuf_done(&c.got);
}

static void test_endpoints(void **unused)
{
	assert_null(mcp_find_endpoint(world.mcp, "three"));
	struct endpoint *two = mcp_find_endpoint(world.mcp, "two");

	assert_true(mcp_can_serve(world.mcp, two));
	world.domains[1].state = DOMAIN_PARKED;
	assert_false(mcp_can_serve(world.mcp, two));
	assert_true(mcp_can_serve(world.mcp, mcp_find_endpoint(world.mcp, NULL)));
	world.domains[1].id = 0;
	assert_false(mcp_can_serve(world.mcp, two));
	assert_null(mcp_find_endpoint(world.mcp, "two"));
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, world_set_up, world_tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_initialize),
		TEST(test_ids_come_back_as_they_were),
		TEST(test_lists_wait_until_all_had_their_chance),
		TEST(test_a_failed_start_was_its_chance),
		TEST(test_the_one_that_was_waited_for_is_removed),
		TEST(test_early_requests_are_bounded_and_forgotten),
		TEST(test_early_requests_hear_of_the_end),
		TEST(test_call),
		TEST(test_a_worker_says_that_we_are_stopping),
		TEST(test_progress),
		TEST(test_deadline),
		TEST(test_cancel),
		TEST(test_cancel_is_answered),
		TEST(test_client_gone),
		TEST(test_lost),
		TEST(test_not_taken),
		TEST(test_limits_of_a_session),
		TEST(test_slow_client),
		TEST(test_session_closes_while_it_is_answered),
		TEST(test_all_fail_at_the_end),
		TEST(test_what_is_refused),
		TEST(test_notifications_are_never_answered),
		TEST(test_large_result),
		TEST(test_list_changed),
		TEST(test_endpoints),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
