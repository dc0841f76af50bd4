/* Clients and workers that mean harm, or are careless: what one of them can make us hold, what reaches
 * another one, and what of it would be no message any more. */
#include "supervisor/mcp/batch.h"
#include "tests/unit/mcp_world.h"

static struct domain *const ext = &world.domains[2];

static int set_up_legacy(void **unused)
{
	world_set_up_ext(true, false, LISTS, CAPABILITIES);
	return 0;
}

static int set_up_modern(void **unused)
{
	world_set_up_ext(false, true, LISTS, CAPABILITIES);
	return 0;
}

static char *repeat(char c, size_t n)
{
	char *text = alloc_zero(n + 1);

	memset(text, c, n);
	return text;
}

static unsigned count(const char *text, const char *part)
{
	unsigned n = 0;

	while ((text = strstr(text, part))) {
		text += strlen(part);
		n++;
	}
	return n;
}

/* A modern call on the line transport; `more` begins with a comma, or is "". */
static uint64_t call_modern(const char *id, const char *more)
{
	auto_free char *text = alloc_printf(
		"{\"jsonrpc\":\"2.0\",\"id\":%s,\"method\":\"tools/call\",\"params\":{\"name\":"
		"\"ext_work\",%s%s}}",
		id, META("{\"elicitation\":{},\"sampling\":{},\"roots\":{}}", ""), more);

	assert_int_equal(say(&world.s, text), MCP_ACCEPTED);
	return ext->last_no;
}

static void ask_roots(uint64_t no, const char *id)
{
	auto_free char *text =
		alloc_printf("{\"jsonrpc\":\"2.0\",\"id\":%s,\"method\":\"roots/list\"}", id);

	ext_asks(text, &no, 1);
}

static void get_state(const char *text, char ret[100])
{
	const char *at = strstr(text, "\"requestState\":\"");

	assert_non_null(at);
	(void)sscanf(at + strlen("\"requestState\":\""), "%99[^\"]", ret);
}

/* --- workers: what they ask ---------------------------------------------------------------------- */

static void test_input_requests_that_are_none(void **unused)
{
	static const char *const requests[] = { "[{\"method\":\"roots/list\"}]", "5",
		"{\"k\":{\"method\":\"tools/list\"}}", "{\"k\":5}",
		"{\"k\":{\"method\":\"roots/list\",\"params\":[1]}}" };

	(void)say(&world.a, INITIALIZE("{\"roots\":{}}"));
	for (size_t i = 0; i < N_ELEMENTS(requests); i++) {
		auto_free char *result = alloc_printf(
			"{\"resultType\":\"input_required\",\"inputRequests\":%s}", requests[i]);
		uint64_t no;

		(void)heard(&world.a);
		call_tool(&world.a, "5", "ext_work");
		no = ext->last_no;
		answer_with(no, RPC_RESULT, result);
		assert_int_equal(ext->last_no, no); /* it was not sent again */
		assert_has(&world.a, "\"id\":5,\"error\":{\"code\":-32603");
		assert_int_equal(mcp_count_pending(world.mcp), 0);
	}
}

static void test_the_missing_capability_is_named(void **unused)
{
	(void)say(&world.a, INITIALIZE("{}"));
	(void)heard(&world.a);
	call_tool(&world.a, "5", "ext_work");
	answer_with(ext->last_no, RPC_RESULT,
		"{\"resultType\":\"input_required\",\"inputRequests\":{\"k\":{\"method\":"
		"\"roots/list\"}}}");
	assert_has(&world.a, "\"data\":{\"requiredCapabilities\":{\"roots\":{}}}");
}

static void test_a_modern_worker_has_no_requests(void **unused)
{
	uint64_t no = call_modern("7", "");

	ask_roots(no, "3");
	assert_non_null(strstr(strbuf_get(&ext->reply), "\"id\":3,\"error\":{\"code\":-32601"));
	loop_fake_advance(world.loop, 100);
	assert_heard(&world.s, "");
}

static void test_questions_are_bounded(void **unused)
{
	uint64_t no = call_modern("7", "");
	auto_free char *words = repeat('x', 600);
	auto_free char *large =
		alloc_printf("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":"
			     "\"elicitation/create\",\"params\":{\"message\":\"%s\"}}",
			words);

	ext_asks(large, &no, 1); /* tools.max_result_bytes is 1000 */
	assert_string_equal(strbuf_get(&ext->reply), "");
	ext_asks(large, &no, 1);
	assert_non_null(strstr(strbuf_get(&ext->reply), "\"code\":-31003"));
	for (int i = 0; i < 15; i++) {
		ask_roots(no, "2");
		assert_string_equal(strbuf_get(&ext->reply), "");
	}
	ask_roots(no, "2");
	assert_non_null(strstr(strbuf_get(&ext->reply), "\"code\":-31003"));
}

static void test_a_slow_client_is_not_asked(void **unused)
{
	uint64_t no;

	(void)say(&world.a, INITIALIZE("{\"roots\":{}}"));
	call_tool(&world.a, "5", "ext_work");
	no = ext->last_no;
	world.a.busy = true;
	for (int i = 0; i < 20; i++)
		ask_roots(no, "2");
	assert_false(world.a.closed);
	assert_non_null(strstr(strbuf_get(&ext->reply), "\"code\":-31003"));
}

static void test_a_question_is_withdrawn_once(void **unused)
{
	uint64_t no;

	(void)say(&world.a, INITIALIZE("{\"roots\":{}}"));
	call_tool(&world.a, "5", "ext_work");
	no = ext->last_no;
	ask_roots(no, "2");
	(void)heard(&world.a);
	loop_fake_advance(world.loop, 61000);
	assert_int_equal(count(heard(&world.a), "notifications/cancelled"), 1);
}

/* --- parked calls -------------------------------------------------------------------------------- */

static void test_a_parked_call_without_questions_ends(void **unused)
{
	uint64_t no = call_modern("7", "");

	ask_roots(no, "2");
	loop_fake_advance(world.loop, 50);
	assert_has(&world.s, "input_required");
	ext_tells("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{"
		  "\"requestId\":2}}",
		&no, 1);
	assert_int_equal(mcp_count_pending(world.mcp), 1);
	loop_fake_advance(world.loop, 6000); /* call_timeout is 5 s */
	assert_int_equal(mcp_count_pending(world.mcp), 0);
	assert_string_equal(strbuf_get(&ext->cancelled), "1 ");
}

static void test_one_domain_does_not_fill_the_parking(void **unused)
{
	unsigned n_parked = 0;

	for (int i = 0; i < 600; i++) {
		uint64_t no = call_modern("7", "");

		ask_roots(no, "2");
		if (strbuf_get(&ext->reply)[0]) {
			assert_non_null(strstr(strbuf_get(&ext->reply), "\"code\":-31003"));
			answer(no);
		}
		loop_fake_advance(world.loop, 50);
		n_parked += strstr(heard(&world.s), "input_required") != NULL;
	}
	assert_int_equal(n_parked, 512); /* as many as are still free */
}

/* All ask within the time in which each says what it wants: none knows yet of the others. */
static void test_too_many_at_once(void **unused)
{
	static struct client clients[600];
	static uint64_t calls[600];
	unsigned n_parked = 0;
	unsigned n_refused = 0;

	for (size_t i = 0; i < N_ELEMENTS(clients); i++) {
		open_once(&clients[i]);
		(void)say(
			&clients[i], MODERN("7", "tools/call",
					     "\"name\":\"ext_work\"," META("{\"roots\":{}}", "")));
		calls[i] = ext->last_no;
		ask_roots(calls[i], "2");
	}
	loop_fake_advance(world.loop, 50);
	for (size_t i = 0; i < N_ELEMENTS(clients); i++) {
		const char *text = heard(&clients[i]);

		n_parked += strstr(text, "input_required") != NULL;
		n_refused += strstr(text, "\"code\":-31003") != NULL;
		session_gone(clients[i].session);
		strbuf_done(&clients[i].got);
	}
	assert_int_equal(n_parked, 512);
	assert_int_equal(n_refused, 88);
	loop_fake_advance(world.loop, 70000);
	assert_int_equal(mcp_count_pending(world.mcp), 0);
}

/* A state is of the stateless revision: for others it is a member of params like any other. */
static void test_a_legacy_request_resumes_nothing(void **unused)
{
	uint64_t no = call_modern("7", "");
	char state[100];
	auto_free char *text = NULL;

	ask_roots(no, "2");
	loop_fake_advance(world.loop, 50);
	get_state(heard(&world.s), state);
	text = alloc_printf("{\"jsonrpc\":\"2.0\",\"id\":8,\"method\":\"tools/call\",\"params\":{"
			    "\"name\":\"ext_work\",\"requestState\":\"%s\",\"inputResponses\":{"
			    "\"input-1\":{}}}}",
		state);
	(void)say(&world.s, text);
	assert_int_not_equal(ext->last_no, no);
	assert_non_null(strstr(strbuf_get(&ext->line), "\"requestState\":\"mcp-fleet:"));
}

static void test_what_an_adopted_session_had_elsewhere(void **unused)
{
	static struct client once;
	static struct client twice;
	char state[100];
	auto_free char *again = NULL;
	uint64_t no;

	open_once(&once);
	(void)say(&once,
		MODERN("7", "tools/call", "\"name\":\"ext_work\"," META("{\"roots\":{}}", "")));
	no = ext->last_no;
	ask_roots(no, "2");
	loop_fake_advance(world.loop, 50);
	get_state(heard(&once), state);
	session_gone(once.session);
	loop_settle(world.loop);
	open_once(&twice);
	again = alloc_printf(MODERN("8", "tools/call",
				     "\"name\":\"ext_work\",%s,\"inputResponses\":{\"input-1\":{}},"
				     "\"requestState\":\"%s\""),
		META("{}", ""), state);
	(void)say(&twice, again);
	assert_non_null(strstr(strbuf_get(&ext->wishes), "adopt:4>5 forget:4"));
	assert_string_equal(strbuf_get(&world.domains[0].wishes), "forget:4 ");
	answer(no);
	session_gone(twice.session);
	strbuf_done(&once.got);
	strbuf_done(&twice.got);
}

/* The sanitizers' part of this test is world_tear_down(). */
static void test_the_end_finds_parked_calls(void **unused)
{
	static struct client once;
	uint64_t no;

	open_once(&once);
	(void)say(&once,
		MODERN("7", "tools/call", "\"name\":\"ext_work\"," META("{\"roots\":{}}", "")));
	no = ext->last_no;
	ask_roots(no, "2");
	loop_fake_advance(world.loop, 50);
	session_gone(once.session);
	strbuf_done(&once.got);
	assert_int_equal(mcp_count_pending(world.mcp), 1);
}

/* --- what is kept -------------------------------------------------------------------------------- */

static char *huge_call(const char *meta)
{
	auto_free char *words = repeat('x', 5 << 20);

	return alloc_printf("{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"tools/call\",\"params\":{"
			    "\"name\":\"ext_work\",\"arguments\":{\"a\":\"%s\"}%s}}",
		words, meta);
}

static void test_large_params_are_not_kept_for_a_modern_worker(void **unused)
{
	auto_free char *text = huge_call("");

	(void)say(&world.a, INITIALIZE("{\"roots\":{}}"));
	(void)heard(&world.a);
	assert_int_equal(say(&world.a, text), MCP_ACCEPTED);
	answer_with(ext->last_no, RPC_RESULT,
		"{\"resultType\":\"input_required\",\"inputRequests\":{\"k\":{\"method\":"
		"\"roots/list\"}}}");
	assert_has(&world.a, "\"id\":5,\"error\":{\"code\":-31003");
}

static void test_large_params_are_not_kept_for_a_legacy_worker(void **unused)
{
	auto_free char *text = huge_call("," META("{\"roots\":{}}", ""));
	uint64_t no;

	assert_int_equal(say(&world.s, text), MCP_ACCEPTED);
	no = ext->last_no;
	ask_roots(no, "2");
	assert_non_null(strstr(strbuf_get(&ext->reply), "\"code\":-31003"));
	answer(no); /* the call itself goes on */
	assert_has(&world.s, "\"id\":5,\"result\"");
}

/* Sixteen times what one call leaves free: with small requests there is always room. */
static void test_room_comes_back(void **unused)
{
	for (int i = 0; i < 100; i++) {
		auto_free char *words = repeat('x', 3 << 20);
		auto_free char *more = alloc_printf(",\"arguments\":{\"a\":\"%s\"}", words);
		uint64_t no = call_modern("7", more);

		ask_roots(no, "2");
		assert_string_equal(strbuf_get(&ext->reply), "");
		answer(no);
		(void)heard(&world.s);
	}
}

/* --- results ------------------------------------------------------------------------------------- */

static void test_a_result_that_is_none(void **unused)
{
	call_tool(&world.a, "5", "ext_work");
	answer_with(ext->last_no, RPC_RESULT, "[1]");
	assert_has(&world.a, "\"id\":5,\"error\":{\"code\":-32603");
	call_tool(&world.a, "6", "ext_work");
	answer_with(ext->last_no, RPC_ERROR, "{\"code\":\"x\",\"message\":\"m\"}");
	assert_has(&world.a, "\"id\":6,\"error\":{\"code\":-32603");
	call_tool(&world.a, "7", "ext_work");
	answer_with(ext->last_no, RPC_ERROR, "{\"code\":-1}");
	assert_has(&world.a, "\"id\":7,\"error\":{\"code\":-32603");
}

/* Each URI grows by "ext+": the whole is above tools.max_result_bytes only then. */
static void test_a_result_that_grows(void **unused)
{
	auto_strbuf result = { 0 };

	strbuf_adds(&result, "{\"contents\":[{}");
	while (result.len < 960)
		strbuf_adds(&result, ",{\"uri\":\"x://a\"}");
	strbuf_adds(&result, "]}");
	(void)say(&world.a,
		"{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"resources/read\",\"params\":{"
		"\"uri\":\"ext+x://a\"}}");
	answer_with(ext->last_no, RPC_RESULT, result.data);
	assert_has(&world.a, "\"id\":5,\"error\":{\"code\":-32603");
}

/* --- news ---------------------------------------------------------------------------------------- */

static void test_large_news_cost_nobody_the_session(void **unused)
{
	auto_free char *words = repeat('x', 5000); /* limits.session_queue_bytes is 4000 */
	auto_free char *message = alloc_printf("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/"
					       "message\",\"params\":{\"level\":\"error\",\"data\":"
					       "\"%s\"}}",
		words);
	auto_free char *updated = alloc_printf("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/"
					       "resources/updated\",\"params\":{\"uri\":\"x://a\","
					       "\"more\":\"%s\"}}",
		words);
	uint64_t no;

	(void)say(&world.a, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"resources/subscribe\","
			    "\"params\":{\"uri\":\"ext+x://a\"}}");
	call_tool(&world.a, "5", "ext_work");
	no = ext->last_no;
	(void)heard(&world.a);
	world.a.busy = true;
	ext_tells(message, &no, 1);
	ext_tells(updated, &no, 1);
	assert_false(world.a.closed);
	world.a.busy = false;
	session_drained(world.a.session);
	assert_heard(&world.a, "");
	answer(no);
	assert_has(&world.a, "\"id\":5,\"result\"");
}

#define LOG(level)                                                                                 \
	"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{\"level\":\"" level \
	"\",\"data\":1}}"

/* One of the two has asked for messages; they could be the other's. */
static void test_messages_of_two_modern_calls(void **unused)
{
	uint64_t calls[2];

	calls[0] = call_modern("7", "");
	(void)say(&world.s, MODERN("8", "tools/call",
				    "\"name\":\"ext_work\"," META("{}",
					    ",\"io.modelcontextprotocol/logLevel\":\"debug\"")));
	calls[1] = ext->last_no;
	ext_tells(LOG("emergency"), calls, 2);
	assert_heard(&world.s, "");
	ext_tells(LOG("emergency"), calls + 1, 1);
	assert_has(&world.s, "notifications/message");
}

static void test_a_level_that_is_set_during_a_call(void **unused)
{
	uint64_t no;

	(void)say(&world.a, INITIALIZE("{}"));
	call_tool(&world.a, "5", "ext_work");
	no = ext->last_no;
	(void)say(&world.a, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"logging/setLevel\","
			    "\"params\":{\"level\":\"error\"}}");
	(void)heard(&world.a);
	ext_tells(LOG("info"), &no, 1);
	assert_heard(&world.a, "");
}

/* Only the domain that has the call, and not less than the session wants otherwise. */
static void test_the_level_of_one_request(void **unused)
{
	(void)say(&world.s, INITIALIZE("{}"));
	(void)say(&world.s, MODERN("8", "tools/call",
				    "\"name\":\"ext_work\"," META("{}",
					    ",\"io.modelcontextprotocol/logLevel\":\"error\"")));
	assert_string_equal(strbuf_get(&ext->wishes), "info ");
	assert_string_equal(strbuf_get(&world.domains[0].wishes), "");
}

static void test_a_level_that_is_none(void **unused)
{
	assert_int_equal(say(&world.s, MODERN("8", "tools/list",
					       META("{}", ",\"io.modelcontextprotocol/"
							  "logLevel\":\"loud\""))),
		MCP_ACCEPTED);
	assert_has(&world.s, "\"id\":8,\"error\":{\"code\":-32602");
	assert_int_equal(say(&world.s, MODERN("9", "ping",
					       META("{}", ",\"io.modelcontextprotocol/"
							  "logLevel\":1"))),
		MCP_UNKNOWN);
}

#define ELICIT_URL                                                                                 \
	"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"elicitation/create\",\"params\":{\"mode\":"    \
	"\"url\",\"url\":\"https://x\",\"elicitationId\":\"e\"}}"
#define COMPLETE                                                                                   \
	"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/elicitation/complete\",\"params\":{"      \
	"\"elicitationId\":\"e\"}}"

/* Two processes of one domain count their pages alike. */
static void test_pages_of_two_processes(void **unused)
{
	struct domain_speaker first = { .worker = 1, .n_calls = 1 };
	struct domain_speaker second = { .worker = 2, .n_calls = 1 };
	struct domain_speaker third = { .worker = 3 };
	uint64_t calls[2];

	(void)say(&world.a, INITIALIZE("{\"elicitation\":{\"url\":{}}}"));
	(void)say(&world.b, INITIALIZE("{\"elicitation\":{\"url\":{}}}"));
	call_tool(&world.a, "5", "ext_work");
	calls[0] = ext->last_no;
	call_tool(&world.b, "5", "ext_work");
	calls[1] = ext->last_no;
	first.calls = &calls[0];
	second.calls = &calls[1];
	ext_speaks(&first, ELICIT_URL, true);
	ext_speaks(&second, ELICIT_URL, true);
	assert_has(&world.a, "elicitation/create");
	assert_has(&world.b, "elicitation/create");
	ext_speaks(&third, COMPLETE, false);
	ext_speaks(&(struct domain_speaker){ .worker = 1, .session = 77 }, COMPLETE, false);
	assert_heard(&world.a, "");
	ext_speaks(&first, COMPLETE, false);
	assert_heard(&world.b, "");
	assert_has(&world.a, "notifications/elicitation/complete");
	ext_speaks(&second, COMPLETE, false);
	assert_has(&world.b, "notifications/elicitation/complete");
}

/* --- subscriptions ------------------------------------------------------------------------------- */

static void subscribe(struct client *client, const char *uri)
{
	auto_free char *text = alloc_printf("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"resources/"
					    "subscribe\",\"params\":{\"uri\":\"ext+x://%s\"}}",
		uri);

	(void)say(client, text);
}

static void test_subscriptions_are_bounded(void **unused)
{
	auto_free char *large = repeat('u', 200000);
	unsigned n = 0;

	subscribe(&world.b, large);
	assert_has(&world.b, "\"code\":-31003");
	for (int i = 0; i < 1100; i++) {
		char uri[20];

		(void)snprintf(uri, sizeof(uri), "%d", i);
		subscribe(&world.a, uri);
		n += strstr(heard(&world.a), "\"result\":{}") != NULL;
	}
	assert_int_equal(n, 1024);
	subscribe(&world.b, "3");
	(void)heard(&world.b);
	ext_tells("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/resources/updated\",\"params\":{"
		  "\"uri\":\"x://3\"}}",
		NULL, 0);
	assert_has(&world.a, "ext+x://3");
	assert_has(&world.b, "ext+x://3");
	subscribe(&world.b, "3"); /* twice is once */
	assert_has(&world.b, "\"result\":{}");
	ext_tells("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/resources/updated\",\"params\":{"
		  "\"uri\":\"x://3\"}}",
		NULL, 0);
	assert_int_equal(count(heard(&world.b), "updated"), 1);
}

static void listen_to(const char *id)
{
	auto_free char *text =
		alloc_printf("{\"jsonrpc\":\"2.0\",\"id\":%s,\"method\":\"subscriptions/listen\","
			     "\"params\":{\"notifications\":{\"resourceSubscriptions\":["
			     "\"ext+x://a\"]},%s}}",
			id, META("{}", ""));

	(void)say(&world.s, text);
}

static void test_listen_requests_are_bounded(void **unused)
{
	listen_to("1");
	assert_has(&world.s, "acknowledged");
	listen_to("1"); /* in flight */
	assert_non_null(strstr(last_refusal(), "\"code\":-32600"));
	listen_to("2");
	listen_to("3");
	(void)heard(&world.s);
	listen_to("4"); /* limits.calls_per_session is 3 */
	assert_has(&world.s, "\"id\":4,\"error\":{\"code\":-31003");
	(void)say(&world.s, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\","
			    "\"params\":{\"requestId\":2}}");
	assert_null(strstr(strbuf_get(&ext->wishes), "-x://a")); /* two others want it */
	listen_to("4");
	assert_has(&world.s, "acknowledged");
}

/* A worker chooses how long its tools may take: what is kept for one length is used again for another. */
static void test_deadlines_of_many_lengths(void **unused)
{
	call_tool(&world.a, "1", "one_slow"); /* 60 s */
	answer(world.domains[0].last_no);
	(void)heard(&world.a);
	call_tool(&world.a, "2", "one_read"); /* 5 s */
	loop_fake_advance(world.loop, 4999);
	assert_heard(&world.a, "");
	loop_fake_advance(world.loop, 1);
	assert_has(&world.a, "\"id\":2,\"error\":{\"code\":-31002");
}

/* --- framing ------------------------------------------------------------------------------------- */

static void test_no_batch_of_the_stateless_revision(void **unused)
{
	(void)say(&world.s, "{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"initialize\",\"params\":{"
			    "\"protocolVersion\":\"2025-03-26\",\"capabilities\":{}}}");
	(void)heard(&world.s);
	assert_int_equal(
		say(&world.s, "[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}," MODERN(
				      "2", "tools/list", META("{}", "")) "]"),
		MCP_INVALID);
	assert_non_null(strstr(last_refusal(), "\"code\":-32600"));
	assert_heard(&world.s, "");
	assert_int_equal(say(&world.s, "[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}]"),
		MCP_ACCEPTED);
	assert_has(&world.s, "\"id\":1,\"result\":{}");
}

/* A door that waits for as many answers as were counted waits for ever, or not long enough, where more or
 * fewer come. */
static void test_batches_are_answered_as_often_as_is_counted(void **unused)
{
#define V "\"jsonrpc\":\"2.0\","
	static const char *const items[] = { "{" V "\"id\":1,\"method\":\"ping\"}",
		"{" V "\"id\":1,\"method\":\"no_such\"}", "{" V "\"method\":\"no_such\"}",
		"{" V "\"id\":1,\"method\":\"ping\",\"params\":[]}",
		"{" V "\"method\":\"no_such\",\"params\":[]}",
		"{" V "\"method\":\"no_such\",\"params\":7}",
		"{" V "\"id\":null,\"method\":\"ping\"}", "{" V "\"id\":1.5,\"method\":\"ping\"}",
		"{" V "\"id\":{},\"method\":\"ping\",\"params\":[]}",
		"{" V "\"id\":1,\"result\":{}}", "{" V "\"id\":1,\"error\":{}}",
		"{" V "\"id\":1,\"error\":{\"code\":1,\"message\":\"x\"}}", "{" V "\"result\":{}}",
		"{" V "\"id\":1,\"method\":\"initialize\"}", "{" V "\"method\":\"initialize\"}",
		"{" V "\"method\":\"initialize\",\"params\":[]}",
		"{" V "\"id\":1,\"method\":\"initialize\",\"result\":{}}",
		"{" V "\"id\":1,\"method\":7}", "{" V "\"method\":7,\"params\":[]}",
		"{\"id\":1,\"method\":\"ping\"}", "{\"method\":\"ping\"}",
		"{\"jsonrpc\":\"1.0\",\"method\":\"ping\",\"params\":[]}", "{}", "[]", "[[]]", "42",
		"null", "\"ping\"", "{" V "\"method\":\"no_such\",\"method\":\"ping\",\"id\":1}",
		"{" V "\"id\":1,\"method\":\"ping\",\"id\":2}",
		"{" V "\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":1}}",
		"{" V "\"id\":1,\"method\":\"tools/call\"}" };
#undef V

	(void)say(&world.s, "{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"initialize\",\"params\":{"
			    "\"protocolVersion\":\"2025-03-26\",\"capabilities\":{}}}");
	for (size_t i = 0; i < N_ELEMENTS(items); i++) {
		const char *next = items[(i + 1) % N_ELEMENTS(items)];
		auto_free char *batch = alloc_printf("[%s, %s]", items[i], next);
		unsigned due = batch_count_answers(batch, strlen(batch));

		(void)heard(&world.s);
		assert_int_equal(say(&world.s, batch), MCP_ACCEPTED);
		assert_int_equal(count(heard(&world.s), "\n"), due);
	}
	assert_int_equal(batch_count_answers("[1,", 3), 0);
	assert_int_equal(batch_count_answers("{}", 2), 0);
}

static void test_nothing_begins_in_a_session_that_ends(void **unused)
{
	uint64_t no = ext->last_no;

	session_close_later(world.a.session, "test");
	call_tool(&world.a, "5", "ext_work");
	assert_int_equal(ext->last_no, no);
	assert_true(world.a.closed);
}

/* Not the same as "try again later" for a client that looks at the status. */
static void test_unknown_methods_before_the_lists(void **unused)
{
	(void)world_set_up(NULL);
	static struct client once;

	open_once(&once);
	assert_int_equal(say(&once, MODERN("1", "prompts/list", META("{}", ""))), MCP_ACCEPTED);
	assert_heard(&once, "");
	come_up();
	assert_has(&once, "\"code\":-32601");
	assert_int_equal(once.code, -32601);
	session_gone(once.session);
	strbuf_done(&once.got);
}

static void test_cancelled_before_the_lists(void **unused)
{
	(void)world_set_up(NULL);
	call_tool(&world.a, "1", "one_write");
	call_tool(&world.a, "2", "one_read");
	call_tool(&world.b, "1", "one_read");
	(void)say(&world.a, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\","
			    "\"params\":{\"requestId\":1}}");
	assert_int_equal(mcp_count_pending_of(world.mcp, world.a.session), 1);
	assert_int_equal(mcp_count_pending_of(world.mcp, world.b.session), 1);
	come_up();
	assert_int_equal(world.domains[0].last_no, 2); /* neither more nor less */
	assert_null(strstr(strbuf_get(&world.domains[0].line), "one_write"));
}

int main(void)
{
#define LEGACY(fn) cmocka_unit_test_setup_teardown(fn, set_up_legacy, world_tear_down)
#define WITH_MODERN(fn) cmocka_unit_test_setup_teardown(fn, set_up_modern, world_tear_down)
	const struct CMUnitTest tests[] = {
		WITH_MODERN(test_input_requests_that_are_none),
		WITH_MODERN(test_the_missing_capability_is_named),
		WITH_MODERN(test_a_modern_worker_has_no_requests),
		LEGACY(test_questions_are_bounded),
		LEGACY(test_a_slow_client_is_not_asked),
		LEGACY(test_a_question_is_withdrawn_once),
		LEGACY(test_a_parked_call_without_questions_ends),
		LEGACY(test_one_domain_does_not_fill_the_parking),
		LEGACY(test_too_many_at_once),
		LEGACY(test_a_legacy_request_resumes_nothing),
		LEGACY(test_what_an_adopted_session_had_elsewhere),
		LEGACY(test_the_end_finds_parked_calls),
		WITH_MODERN(test_large_params_are_not_kept_for_a_modern_worker),
		LEGACY(test_large_params_are_not_kept_for_a_legacy_worker),
		LEGACY(test_room_comes_back),
		LEGACY(test_a_result_that_is_none),
		LEGACY(test_a_result_that_grows),
		LEGACY(test_large_news_cost_nobody_the_session),
		LEGACY(test_messages_of_two_modern_calls),
		LEGACY(test_a_level_that_is_set_during_a_call),
		LEGACY(test_the_level_of_one_request),
		LEGACY(test_a_level_that_is_none),
		LEGACY(test_pages_of_two_processes),
		LEGACY(test_subscriptions_are_bounded),
		LEGACY(test_listen_requests_are_bounded),
		LEGACY(test_deadlines_of_many_lengths),
		LEGACY(test_no_batch_of_the_stateless_revision),
		LEGACY(test_batches_are_answered_as_often_as_is_counted),
		LEGACY(test_nothing_begins_in_a_session_that_ends),
		cmocka_unit_test_teardown(test_cancelled_before_the_lists, world_tear_down),
		cmocka_unit_test_teardown(test_unknown_methods_before_the_lists, world_tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
