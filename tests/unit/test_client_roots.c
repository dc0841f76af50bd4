/* A domain that wants the roots of clients: who is asked when, what waits for the answer, and what the worker is
 * told. "two" is such a domain. */
#include "tests/unit/mcp_world.h"

#include <errno.h>

#include "shared/limits.h"

#define CHANGED "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/roots/list_changed\"}"
#define ROOT(uri) "{\"uri\":\"" uri "\"}"
#define TOLD(uris) "\"mcp-fleet/roots\":[" uris "]"

#define CALL_MODERN(capabilities, more)                                                            \
	MODERN("7", "tools/call", "\"name\":\"two_read\"," META(capabilities, "") more)

static struct domain *const two = &world.domains[1];

static int set_up(void **unused)
{
	world_set_up_ext(true, false, "{}", "{}");
	(void)say(&world.a, INITIALIZE("{\"roots\":{}}"));
	(void)heard(&world.a);
	return 0;
}

/* What was sent to the worker since the last time; "": nothing. */
static const char *sent(void)
{
	static char text[8192];

	(void)snprintf(text, sizeof(text), "%s", strbuf_get(&two->line));
	strbuf_cut(&two->line, 0);
	return text;
}

#define assert_sent(text) assert_non_null(strstr(sent(), text))
#define assert_not_sent() assert_string_equal(sent(), "")

static void assert_asked(struct client *client, int no)
{
	auto_free char *text =
		alloc_printf("{\"jsonrpc\":\"2.0\",\"id\":%d,\"method\":\"roots/list\"}\n", no);

	assert_heard(client, text);
}

static void respond(struct client *client, int no, const char *member)
{
	auto_free char *text = alloc_printf("{\"jsonrpc\":\"2.0\",\"id\":%d,%s}", no, member);

	assert_int_equal(say(client, text), MCP_ACCEPTED);
}

static void tell_roots(struct client *client, int no, const char *roots)
{
	auto_free char *member = alloc_printf("\"result\":{\"roots\":[%s]}", roots);

	respond(client, no, member);
}

/* --- legacy clients ----------------------------------------------------------------------------------- */

static void test_asked_once_in_a_session(void **unused)
{
	call_tool(&world.a, "1", "two_read");
	assert_not_sent();
	assert_asked(&world.a, 1);
	tell_roots(&world.a, 1, ROOT("file:///x") "," ROOT("FILE://localhost/y%20z"));
	assert_sent("\"params\":{\"_meta\":{" TOLD(
		"\"file:///x\",\"FILE://localhost/y%20z\"") "},\"name\":\"two_read\"}}");
	answer(two->last_no);
	assert_heard(&world.a, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"ok\":1}}\n");
	call_tool(&world.a, "2", "two_read");
	assert_sent(TOLD("\"file:///x\",\"FILE://localhost/y%20z\""));
	assert_heard(&world.a, "");
}

static void test_other_domains_do_not_ask(void **unused)
{
	call_tool(&world.a, "1", "one_read");
	assert_heard(&world.a, "");
	assert_null(strstr(strbuf_get(&world.domains[0].line), "roots"));
}

static void test_calls_wait_for_the_answer(void **unused)
{
	uint64_t first;

	call_tool(&world.a, "\"first\"", "two_read");
	call_tool(&world.a, "\"second\"", "two_read");
	assert_asked(&world.a, 1);
	loop_fake_advance(world.loop, 30000); /* the user's time is not the calls' */
	assert_heard(&world.a, "");
	tell_roots(&world.a, 1, ROOT("file:///x"));
	first = two->last_no - 1; /* in the order in which they came */
	answer(first);
	assert_has(&world.a, "\"id\":\"first\"");
	loop_fake_advance(world.loop, 6000); /* the worker's time runs again */
	assert_has(&world.a, "\"id\":\"second\",\"error\":{\"code\":-31002");
}

static void test_a_client_without_the_capability(void **unused)
{
	call_tool(&world.b, "1", "two_read");
	assert_heard(&world.b, "");
	assert_sent("\"params\":{\"name\":\"two_read\"}}");
}

static void test_what_a_client_writes_itself(void **unused)
{
	static const char call[] =
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{"
		"\"name\":\"two_read\",\"_meta\":{\"mcp-fleet/roots\":[\"file:///all\"],\"own\":1,"
		"\"mcp-fleet\\/roots\":[\"file:///all\"]}}}";

	(void)say(&world.b, call);
	assert_sent("\"_meta\":{\"own\":1}}}");
	(void)say(&world.a, call);
	tell_roots(&world.a, 1, "");
	assert_sent("\"_meta\":{" TOLD("") ",\"own\":1}}}");
}

static void test_two_clients_have_their_own(void **unused)
{
	(void)say(&world.b, INITIALIZE("{\"roots\":{\"listChanged\":true}}"));
	(void)heard(&world.b);
	call_tool(&world.a, "1", "two_read");
	call_tool(&world.b, "1", "two_read");
	assert_asked(&world.a, 1);
	assert_asked(&world.b, 2);
	tell_roots(&world.a, 2, ROOT("file:///not-asked")); /* another client's number */
	assert_not_sent();
	tell_roots(&world.b, 2, ROOT("file:///b"));
	assert_sent(TOLD("\"file:///b\""));
	tell_roots(&world.a, 1, ROOT("file:///a"));
	assert_sent(TOLD("\"file:///a\""));
	tell_roots(&world.a, 1, ROOT("file:///late"));
	call_tool(&world.a, "2", "two_read");
	assert_sent(TOLD("\"file:///a\""));
}

static void test_they_change(void **unused)
{
	(void)say(&world.a, CHANGED); /* of what nobody asked for */
	call_tool(&world.a, "1", "two_read");
	tell_roots(&world.a, 1, ROOT("file:///old"));
	assert_sent(TOLD("\"file:///old\""));
	(void)heard(&world.a);
	(void)say(&world.a, CHANGED);
	assert_heard(&world.a, "");
	call_tool(&world.a, "2", "two_read");
	assert_asked(&world.a, 2);
	tell_roots(&world.a, 2, ROOT("file:///new"));
	assert_sent(TOLD("\"file:///new\""));
}

static void test_they_change_while_asked(void **unused)
{
	call_tool(&world.a, "1", "two_read");
	assert_asked(&world.a, 1);
	(void)say(&world.a, CHANGED);
	tell_roots(&world.a, 1, ROOT("file:///old"));
	assert_not_sent();
	assert_asked(&world.a, 2);
	tell_roots(&world.a, 2, ROOT("file:///new"));
	assert_sent(TOLD("\"file:///new\""));
}

static void test_changing_does_not_prolong_the_wait(void **unused)
{
	call_tool(&world.a, "1", "two_read");
	for (int i = 1; i <= 6; i++) {
		assert_asked(&world.a, i);
		loop_fake_advance(world.loop, 9000);
		(void)say(&world.a, CHANGED);
		tell_roots(&world.a, i, "");
	}
	(void)heard(&world.a);
	loop_fake_advance(world.loop, 7000);
	assert_has(&world.a, "\"id\":1,\"error\":{\"code\":-31002");
	assert_not_sent();
}

static void test_they_change_and_nobody_waits(void **unused)
{
	call_tool(&world.a, "1", "two_read");
	(void)say(&world.a, CHANGED);
	(void)say(&world.a, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\","
			    "\"params\":{\"requestId\":1}}");
	(void)heard(&world.a);
	tell_roots(&world.a, 1, ROOT("file:///old"));
	assert_heard(&world.a, "");
	call_tool(&world.a, "2", "two_read");
	assert_asked(&world.a, 2);
}

static void test_an_error_refuses_the_calls(void **unused)
{
	const char *text;

	call_tool(&world.a, "1", "two_read");
	call_tool(&world.a, "2", "two_read");
	(void)heard(&world.a);
	respond(&world.a, 1, "\"error\":{\"code\":-32603,\"message\":\"no folder is open\"}");
	text = heard(&world.a);
	assert_non_null(strstr(text, "\"id\":1,\"error\":{\"code\":-32603"));
	assert_non_null(strstr(text, "\"id\":2,\"error\":{\"code\":-32603"));
	assert_non_null(strstr(text, "roots/list with an error: no folder is open"));
	assert_not_sent();
	call_tool(&world.a, "3", "two_read"); /* another time it may know them */
	assert_asked(&world.a, 2);
	tell_roots(&world.a, 2, "");
	assert_sent(TOLD(""));
}

static void test_an_answer_without_roots(void **unused)
{
	static const char *const answers[] = { "{}", "{\"roots\":{}}", "{\"roots\":null}",
		"{\"roots\":[],\"roots\":[]}" };

	for (size_t i = 0; i < N_ELEMENTS(answers); i++) {
		auto_free char *member = alloc_printf("\"result\":%s", answers[i]);

		call_tool(&world.a, "1", "two_read");
		(void)heard(&world.a);
		respond(&world.a, (int)i + 1, member);
		assert_has(&world.a, "has no array `roots`");
		assert_not_sent();
	}
}

static void test_silence_refuses_the_calls(void **unused)
{
	const char *text;

	call_tool(&world.a, "1", "two_read");
	(void)heard(&world.a);
	loop_fake_advance(world.loop, 61000);
	text = heard(&world.a);
	assert_non_null(strstr(text, "notifications/cancelled\",\"params\":{\"requestId\":1}"));
	assert_non_null(strstr(text, "\"id\":1,\"error\":{\"code\":-31002"));
	assert_non_null(strstr(text, "limits.input_timeout"));
	tell_roots(&world.a, 1, ROOT("file:///late"));
	assert_not_sent();
	call_tool(&world.a, "2", "two_read");
	assert_asked(&world.a, 2);
}

static void test_odd_roots_count_for_nothing(void **unused)
{
	auto_strbuf roots = { 0 };
	const char *line;
	const char *at;
	int n = 0;

	strbuf_adds(&roots, ROOT("http://x/y") ",7,{},{\"uri\":7}," ROOT("file:/x") ",");
	strbuf_adds(&roots, ROOT("file:///a\\u0000b") "," ROOT("file:///a\\nb") ",");
	strbuf_adds(&roots, "{\"uri\":\"file:///");
	for (int i = 0; i < 4089; i++)
		strbuf_addc(&roots, 'x');
	strbuf_adds(&roots, "\"}");
	for (int i = 0; i < 70; i++)
		strbuf_addf(&roots, "," ROOT("file:///\\\"%d"), i);
	call_tool(&world.a, "1", "two_read");
	tell_roots(&world.a, 1, strbuf_get(&roots));
	line = sent();
	assert_non_null(strstr(line, "\"mcp-fleet/roots\":[\"file:///\\\"0\",\"file:///\\\"1\","));
	for (at = line; (at = strstr(at, "file:")); at++)
		n++;
	assert_int_equal(n, 64);
}

static void test_the_longest_root(void **unused)
{
	auto_strbuf roots = { 0 };

	strbuf_adds(&roots, "{\"uri\":\"file:///");
	for (int i = 0; i < 4088; i++)
		strbuf_addc(&roots, 'x');
	strbuf_adds(&roots, "\"}");
	call_tool(&world.a, "1", "two_read");
	tell_roots(&world.a, 1, strbuf_get(&roots));
	assert_sent("\"mcp-fleet/roots\":[\"file:///xxx");
}

static void test_a_waiting_call_is_cancelled(void **unused)
{
	call_tool(&world.a, "1", "two_read");
	call_tool(&world.a, "2", "two_read");
	(void)say(&world.a, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\","
			    "\"params\":{\"requestId\":1}}");
	(void)heard(&world.a);
	tell_roots(&world.a, 1, ROOT("file:///x"));
	assert_sent(TOLD("\"file:///x\""));
	answer(two->last_no);
	assert_has(&world.a, "\"id\":2,\"result\"");
	assert_int_equal(mcp_count_pending(world.mcp), 0);
}

static void test_the_session_ends(void **unused)
{
	call_tool(&world.a, "1", "two_read");
	call_tool(&world.a, "2", "two_read");
	session_gone(world.a.session);
	loop_settle(world.loop);
	loop_fake_advance(world.loop, 61000);
	assert_not_sent();
	assert_int_equal(mcp_count_pending(world.mcp), 0);
}

static void test_the_fleet_stops(void **unused)
{
	call_tool(&world.a, "1", "two_read");
	(void)heard(&world.a);
	mcp_fail_pending(world.mcp, "the fleet is stopping");
	assert_has(&world.a, "\"id\":1,\"error\":{\"code\":-31004");
	tell_roots(&world.a, 1, "");
	assert_not_sent();
}

static void test_the_domain_refuses_later(void **unused)
{
	call_tool(&world.a, "1", "two_read");
	call_tool(&world.a, "2", "two_read");
	call_tool(&world.a, "3", "two_read");
	(void)heard(&world.a);
	two->refusal = -ENOBUFS;
	tell_roots(&world.a, 1, "");
	assert_has(&world.a, "\"id\":3,\"error\":{\"code\":-31003");
	two->refusal = 0;
	(void)say(&world.a, CHANGED);
	call_tool(&world.a, "4", "two_read");
	(void)heard(&world.a);
	two->id = 0; /* it has left */
	tell_roots(&world.a, 2, "");
	assert_has(&world.a, "\"id\":4,\"error\":{\"code\":-31004");
}

/* A slow client is closed in the middle of what it is told. */
static void test_the_client_does_not_read(void **unused)
{
	world.a.busy = true;
	for (int i = 1; i <= 3; i++) {
		auto_free char *id = alloc_printf("%d", i);

		call_tool(&world.a, id, "two_read");
	}
	for (int i = 0; i < 3; i++)
		if (world.a.session)
			respond(&world.a, 1 + i, "\"error\":{\"code\":1,\"message\":\"no\"}");
	loop_settle(world.loop);
	loop_fake_advance(world.loop, 61000);
	assert_not_sent();
	assert_int_equal(mcp_count_pending(world.mcp), 0);
}

static void call_with(const char *id, size_t bytes)
{
	auto_strbuf text = { 0 };

	strbuf_addf(&text,
		"{\"jsonrpc\":\"2.0\",\"id\":%s,\"method\":\"tools/call\",\"params\":{"
		"\"name\":\"two_read\",\"arguments\":{\"a\":\"",
		id);
	memset(strbuf_reserve(&text, bytes), 'x', bytes);
	text.len += bytes;
	strbuf_adds(&text, "\"}}}");
	assert_int_equal(say(&world.a, text.data), MCP_ACCEPTED);
}

static void test_what_waits_is_bounded(void **unused)
{
	const char *text;

	/* Too long to be kept: but the client is asked, and the next time it goes through. */
	call_with("1", 5 * MIB);
	text = heard(&world.a);
	assert_non_null(strstr(text, "\"id\":1,\"method\":\"roots/list\""));
	assert_non_null(strstr(text, "\"id\":1,\"error\":{\"code\":-31003"));
	assert_not_sent();
	tell_roots(&world.a, 1, "");
	call_with("2", 5 * MIB);
	assert_true(two->line.len > 5 * MIB);
	answer(two->last_no);
	(void)heard(&world.a);
	(void)say(&world.a, CHANGED);
	call_with("3", 3 * MIB);
	call_with("4", 3 * MIB);
	assert_asked(&world.a, 2);
	call_with("5", 3 * MIB + 700 * KIB); /* a sixteenth of what is left */
	assert_has(&world.a, "\"id\":5,\"error\":{\"code\":-31003");
}

static void test_what_was_cancelled_waits_no_more(void **unused)
{
	for (int i = 0; i < 20; i++) {
		auto_free char *id = alloc_printf("%d", i);
		auto_free char *text =
			alloc_printf("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\","
				     "\"params\":{\"requestId\":%d}}",
				i);

		call_with(id, 3 * MIB + 900 * KIB);
		(void)say(&world.a, text);
	}
	assert_asked(&world.a, 1);
	assert_int_equal(mcp_count_pending(world.mcp), 0);
}

/* --- modern clients ----------------------------------------------------------------------------------- */

static void test_modern_is_asked_with_each_call(void **unused)
{
	for (int i = 0; i < 2; i++) {
		const char *text;

		(void)say(&world.s, CALL_MODERN("{\"roots\":{}}", ""));
		assert_not_sent();
		text = heard(&world.s);
		assert_non_null(strstr(text, "\"resultType\":\"input_required\""));
		assert_non_null(strstr(text, "\"inputRequests\":{\"mcp-fleet-roots\":{\"method\":"
					     "\"roots/list\",\"params\":{}}}"));
		assert_null(strstr(text, "requestState"));
		assert_int_equal(mcp_count_pending(world.mcp), 0);
		(void)say(&world.s,
			CALL_MODERN("{\"roots\":{}}", ",\"inputResponses\":{\"mcp-fleet-roots\":{"
						      "\"roots\":[{\"uri\":\"file:///m\"}]}}"));
		assert_sent(TOLD("\"file:///m\""));
		answer(two->last_no);
		assert_has(&world.s, "\"id\":7,\"result\":{");
	}
}

static void test_modern_without_the_capability(void **unused)
{
	const char *line;

	(void)say(&world.s, CALL_MODERN("{}", ""));
	line = sent();
	assert_non_null(strstr(line, "two_read"));
	assert_null(strstr(line, "mcp-fleet/roots"));
	answer(two->last_no);
	/* Who did not declare it is not narrowed by what it sends all the same. */
	(void)say(&world.s, CALL_MODERN("{}", ",\"inputResponses\":{\"mcp-fleet-roots\":{\"roots\":"
					      "[]}}"));
	line = sent();
	assert_non_null(strstr(line, "two_read"));
	assert_null(strstr(line, "\"mcp-fleet/roots\""));
}

static void test_modern_answers_nonsense(void **unused)
{
	static const char *const answers[] = { "7", "{}", "{\"roots\":7}", "null",
		"{\"action\":\"decline\"}" };

	for (size_t i = 0; i < N_ELEMENTS(answers); i++) {
		auto_free char *text =
			alloc_printf(CALL_MODERN("{\"roots\":{}}",
					     ",\"inputResponses\":{\"mcp-fleet-roots\":%s}"),
				answers[i]);

		(void)say(&world.s, text);
		assert_has(
			&world.s, "\"code\":-32602,\"message\":\"inputResponses.mcp-fleet-roots");
		assert_not_sent();
	}
}

static void test_modern_tells_none(void **unused)
{
	(void)say(&world.s,
		CALL_MODERN("{\"roots\":{}}",
			",\"inputResponses\":{\"mcp-fleet-roots\":{\"roots\":[]},\"other\":{}}"));
	assert_sent(TOLD(""));
}

static void test_modern_over_http(void **unused)
{
	struct client once = { 0 };

	open_once(&once);
	(void)say(&once, CALL_MODERN("{\"roots\":{}}", ""));
	assert_has(&once, "\"inputRequests\":{\"mcp-fleet-roots\"");
	session_gone(once.session);
	loop_settle(world.loop);
	strbuf_done(&once.got);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, world_tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_asked_once_in_a_session),
		TEST(test_other_domains_do_not_ask),
		TEST(test_calls_wait_for_the_answer),
		TEST(test_a_client_without_the_capability),
		TEST(test_what_a_client_writes_itself),
		TEST(test_two_clients_have_their_own),
		TEST(test_they_change),
		TEST(test_they_change_while_asked),
		TEST(test_changing_does_not_prolong_the_wait),
		TEST(test_they_change_and_nobody_waits),
		TEST(test_an_error_refuses_the_calls),
		TEST(test_an_answer_without_roots),
		TEST(test_silence_refuses_the_calls),
		TEST(test_odd_roots_count_for_nothing),
		TEST(test_the_longest_root),
		TEST(test_a_waiting_call_is_cancelled),
		TEST(test_the_session_ends),
		TEST(test_the_fleet_stops),
		TEST(test_the_domain_refuses_later),
		TEST(test_the_client_does_not_read),
		TEST(test_what_waits_is_bounded),
		TEST(test_what_was_cancelled_waits_no_more),
		TEST(test_modern_is_asked_with_each_call),
		TEST(test_modern_without_the_capability),
		TEST(test_modern_answers_nonsense),
		TEST(test_modern_tells_none),
		TEST(test_modern_over_http),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
