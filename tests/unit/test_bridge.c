/* Two eras and what lies between them: requests of the stateless revision, what workers ask of clients,
 * and what clients hear without having asked. */
#include "tests/unit/mcp_world.h"

#define ELICIT                                                                                     \
	"{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"elicitation/create\",\"params\":{"             \
	"\"message\":\"who?\",\"requestedSchema\":{}}}"
#define SAMPLE                                                                                     \
	"{\"jsonrpc\":\"2.0\",\"id\":\"q\",\"method\":\"sampling/createMessage\",\"params\":{"     \
	"\"messages\":[]}}"

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

/* Copies the requestState of what the client heard. */
static void get_state(const char *text, char ret[100])
{
	const char *at = strstr(text, "\"requestState\":\"");

	assert_non_null(at);
	(void)sscanf(at + strlen("\"requestState\":\""), "%99[^\"]", ret);
}

/* --- the stateless revision ------------------------------------------------------------------------- */

static void test_discover(void **unused)
{
	const char *text;

	assert_int_equal(
		say(&world.s, MODERN("1", "server/discover", META("{}", ""))), MCP_ACCEPTED);
	text = heard(&world.s);
	assert_non_null(strstr(text, "\"supportedVersions\":[\"2026-07-28\"]"));
	assert_non_null(strstr(text, "\"resultType\":\"complete\""));
	assert_non_null(strstr(text, "\"ttlMs\":"));
	assert_non_null(strstr(text, "\"cacheScope\":"));
	assert_non_null(strstr(text, "io.modelcontextprotocol/serverInfo"));
	assert_non_null(strstr(text, "\"completions\":{}"));
	assert_non_null(strstr(text, "\"logging\":{}"));
}

/* The six results that say how long they hold, and none that is only a step on the way to one. */
static void test_cacheable_results(void **unused)
{
	static const char *const methods[] = { "tools/list", "resources/list",
		"resources/templates/list", "prompts/list", "server/discover" };
	const char *text;

	for (size_t i = 0; i < N_ELEMENTS(methods); i++) {
		auto_free char *ask = alloc_printf(
			"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"%s\",\"params\":{%s}}",
			methods[i], META("{}", ""));

		(void)say(&world.s, ask);
		text = heard(&world.s);
		assert_non_null(strstr(text, "\"resultType\":\"complete\""));
		assert_non_null(strstr(text, "\"ttlMs\":0"));
		assert_non_null(strstr(text, "\"cacheScope\":\"private\""));
	}
	for (int i = 0; i < 2; i++) {
		(void)say(&world.s,
			MODERN("2", "resources/read", "\"uri\":\"ext+x://a\"," META("{}", "")));
		answer_with(ext->last_no, RPC_RESULT,
			i ? "{\"resultType\":\"input_required\",\"requestState\":\"s\"}"
			  : "{\"contents\":[]}");
		text = heard(&world.s);
		assert_int_equal(strstr(text, "\"ttlMs\":") == NULL, i);
		assert_int_equal(strstr(text, "\"cacheScope\":") == NULL, i);
	}
}

/* Nothing of a session reaches modern clients, nothing modern a legacy one. */
static void test_what_a_session_has(void **unused)
{
	(void)say(&world.s, MODERN("1", "tools/list", META("{}", "")));
	(void)heard(&world.s);
	offer(&world.domains[0], "[{\"name\":\"one_new\",\"inputSchema\":{}}]");
	assert_heard(&world.s, ""); /* it has not said initialize */
	(void)say(&world.s, INITIALIZE("{}"));
	(void)heard(&world.s);
	offer(&world.domains[0], "[{\"name\":\"one_newer\",\"inputSchema\":{}}]");
	assert_heard(&world.s,
		"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/tools/list_changed\"}\n");
	(void)say(&world.s, "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"tools/list\"}");
	assert_null(strstr(heard(&world.s), "resultType"));
	(void)say(&world.s, "{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"server/discover\"}");
	assert_has(&world.s, "\"id\":3,\"error\":{\"code\":-32601");
	(void)say(&world.s, "{\"jsonrpc\":\"2.0\",\"id\":4,\"method\":\"subscriptions/listen\","
			    "\"params\":{\"notifications\":{}}}");
	assert_has(&world.s, "\"id\":4,\"error\":{\"code\":-32601");
}

/* The second one counts from then on; what is under way goes on. */
static void test_initialize_twice(void **unused)
{
	uint64_t no;

	(void)say(&world.a, INITIALIZE("{}"));
	call_tool(&world.a, "5", "ext_work");
	no = ext->last_no;
	(void)say(&world.a, INITIALIZE("{\"roots\":{}}"));
	(void)heard(&world.a);
	answer(no);
	assert_has(&world.a, "\"id\":5,\"result\"");
	call_tool(&world.a, "6", "ext_work");
	no = ext->last_no;
	ext_asks("{\"jsonrpc\":\"2.0\",\"id\":4,\"method\":\"roots/list\"}", &no, 1);
	assert_has(&world.a, "roots/list");
}

static void test_notifications_are_never_answered(void **unused)
{
	static const char *const texts[] = { "{\"jsonrpc\":\"2.0\",\"method\":\"own/thing\"}",
		"{\"jsonrpc\":\"2.0\",\"method\":\"tools/list\"}",
		"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\"}",
		"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{"
		"\"requestId\":77}}",
		"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\",\"params\":[1]}",
		"{\"jsonrpc\":\"2.0\",\"id\":99,\"result\":{}}",
		"{\"jsonrpc\":\"2.0\",\"error\":{\"code\":1,\"message\":\"m\"}}" };

	for (size_t i = 0; i < N_ELEMENTS(texts); i++) {
		assert_int_equal(say(&world.a, texts[i]), MCP_ACCEPTED);
		assert_int_equal(say(&world.s, texts[i]), MCP_ACCEPTED);
		assert_heard(&world.a, "");
		assert_heard(&world.s, "");
	}
}

static void test_removed_methods_are_unknown(void **unused)
{
	static const char *const removed[] = { "initialize", "ping", "logging/setLevel",
		"resources/subscribe", "resources/unsubscribe", "unknown/method" };

	for (size_t i = 0; i < N_ELEMENTS(removed); i++) {
		auto_free char *text = alloc_printf(
			"{\"jsonrpc\":\"2.0\",\"id\":\"r\",\"method\":\"%s\",\"params\":{%s}}",
			removed[i], META("{}", ""));

		assert_int_equal(say(&world.s, text), MCP_UNKNOWN);
		assert_non_null(strstr(last_refusal(), "\"id\":\"r\""));
		assert_non_null(strstr(last_refusal(), "\"code\":-32601"));
	}
}

static void test_a_version_that_is_not_served(void **unused)
{
	assert_int_equal(say(&world.s, MODERN("1", "tools/list",
					       "\"_meta\":{\"io.modelcontextprotocol/"
					       "protocolVersion\":\"2099-01-01\",\"io."
					       "modelcontextprotocol/clientCapabilities\":{}}")),
		MCP_INVALID);
	assert_non_null(strstr(last_refusal(), "\"code\":-32022"));
	assert_non_null(strstr(last_refusal(), "\"supported\":[\"2026-07-28\"]"));
}

static void test_an_event_stream_is_legacy(void **unused)
{
	(void)say(&world.a, MODERN("1", "ping", META("{}", "")));
	assert_heard(&world.a, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\n");
}

static void test_modern_client_of_legacy_worker(void **unused)
{
	const char *line;

	(void)say(&world.s, MODERN("7", "tools/call",
				    "\"name\":\"ext_work\",\"arguments\":{\"a\":1}," META(
					    "{}", ",\"progressToken\":\"t\",\"own\":2")));
	line = strbuf_get(&ext->line);
	assert_non_null(strstr(line, "\"name\":\"work\""));
	assert_null(strstr(line, "protocolVersion"));
	assert_null(strstr(line, "clientCapabilities"));
	assert_non_null(strstr(line, "\"own\":2"));
	assert_null(strstr(line, "\"t\""));
	answer_with(ext->last_no, RPC_RESULT, "{\"content\":[]}");
	line = heard(&world.s);
	assert_non_null(strstr(line, "\"id\":7"));
	assert_non_null(strstr(line, "\"resultType\":\"complete\""));
	assert_null(strstr(line, "ttlMs"));
}

static void test_old_codes_are_not_emitted(void **unused)
{
	(void)say(&world.s, MODERN("7", "resources/read", "\"uri\":\"ext+x://a\"," META("{}", "")));
	answer_with(ext->last_no, RPC_ERROR, "{\"code\":-32002,\"message\":\"gone\"}");
	assert_has(&world.s, "\"code\":-32602,\"message\":\"gone\"");
	(void)say(
		&world.s, MODERN("7", "resources/read", "\"uri\":\"nobody://a\"," META("{}", "")));
	assert_has(
		&world.s, "\"code\":-32602,\"message\":\"Resource not found\",\"data\":{\"uri\"");
	(void)say(&world.s,
		"{\"jsonrpc\":\"2.0\",\"id\":8,\"method\":\"resources/read\",\"params\":{"
		"\"uri\":\"nobody://a\"}}");
	assert_has(&world.s, "\"code\":-32002");
}

static void test_uris_are_told_apart(void **unused)
{
	const char *text;

	(void)say(&world.a, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"resources/list\"}");
	assert_has(&world.a, "\"uri\":\"ext+x://a\"");
	(void)say(
		&world.a, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"resources/templates/list\"}");
	assert_has(&world.a, "\"uriTemplate\":\"ext+x://t/{id}\"");
	(void)say(&world.a,
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"resources/read\",\"params\":{"
		"\"uri\":\"ext+x://t/5\"}}");
	assert_non_null(strstr(strbuf_get(&ext->line), "\"uri\":\"x://t/5\""));
	answer_with(ext->last_no, RPC_RESULT,
		"{\"contents\":[{\"uri\":\"x://t/5\",\"text\":\"x://t/5\"}]}");
	assert_has(&world.a, "{\"uri\":\"ext+x://t/5\",\"text\":\"x://t/5\"}");
	call_tool(&world.a, "2", "ext_work");
	answer_with(ext->last_no, RPC_RESULT,
		"{\"content\":[{\"type\":\"text\",\"uri\":\"x://a\"},{\"uri\":\"x://b\",\"type\":"
		"\"resource_link\"},{\"type\":\"resource\",\"resource\":{\"uri\":\"x://c\"}}]}");
	text = heard(&world.a);
	assert_non_null(strstr(text, "\"uri\":\"x://a\""));
	assert_non_null(strstr(text, "\"uri\":\"ext+x://b\""));
	assert_non_null(strstr(text, "\"uri\":\"ext+x://c\""));
}

static void test_prompts_and_completion(void **unused)
{
	(void)say(&world.a, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"prompts/get\",\"params\":{"
			    "\"name\":\"ext-ask\"}}");
	assert_non_null(strstr(strbuf_get(&ext->line), "\"name\":\"ask\""));
	answer_with(ext->last_no, RPC_RESULT,
		"{\"messages\":[{\"role\":\"user\",\"content\":{\"type\":\"resource\",\"resource\":{"
		"\"uri\":\"x://a\"}}}]}");
	assert_has(&world.a, "ext+x://a");
	(void)say(&world.a,
		"{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"completion/complete\","
		"\"params\":{\"ref\":{\"type\":\"ref/resource\",\"uri\":\"ext+x://t/{id}\"}}}");
	assert_non_null(strstr(strbuf_get(&ext->line), "\"uri\":\"x://t/{id}\""));
	answer(ext->last_no);
	assert_has(&world.a, "\"id\":2,\"result\"");
	(void)say(&world.a, "{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"completion/complete\","
			    "\"params\":{\"ref\":{\"type\":\"ref/prompt\",\"name\":\"none\"}}}");
	assert_has(&world.a, "\"code\":-32602");
}

/* --- a worker asks a legacy client -------------------------------------------------------------------- */

static void test_asks_a_legacy_client(void **unused)
{
	uint64_t no;
	const char *text;

	(void)say(&world.a, INITIALIZE("{\"elicitation\":{}}"));
	(void)heard(&world.a);
	call_tool(&world.a, "5", "ext_work");
	no = ext->last_no;
	ext_asks(ELICIT, &no, 1);
	text = heard(&world.a);
	assert_non_null(strstr(text, "\"id\":1,\"method\":\"elicitation/create\""));
	loop_fake_advance(world.loop, 30000); /* the user's time is not the call's */
	assert_heard(&world.a, "");
	(void)say(&world.b, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"action\":\"decline\"}}");
	assert_string_equal(strbuf_get(&ext->reply), ""); /* of another session */
	(void)say(&world.a, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"action\":\"accept\"}}");
	assert_string_equal(strbuf_get(&ext->reply),
		"{\"jsonrpc\":\"2.0\",\"id\":0,\"result\":{\"action\":\"accept\"}}");
	answer(no);
	assert_has(&world.a, "\"id\":5,\"result\"");
}

static void test_what_was_not_declared_is_not_asked(void **unused)
{
	uint64_t no;

	(void)say(&world.a, INITIALIZE("{\"sampling\":{}}"));
	(void)heard(&world.a);
	call_tool(&world.a, "5", "ext_work");
	no = ext->last_no;
	ext_asks(ELICIT, &no, 1);
	assert_heard(&world.a, "");
	assert_non_null(strstr(strbuf_get(&ext->reply), "\"id\":0,\"error\":{\"code\":-32601"));
}

/* Elicitation came with 2025-06-18, whatever the client says. */
static void test_what_the_revision_lacks_is_not_asked(void **unused)
{
	uint64_t no;

	(void)say(&world.a,
		"{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"initialize\",\"params\":{\"protocolVersion\":"
		"\"2025-03-26\",\"capabilities\":{\"elicitation\":{},\"sampling\":{}}}}");
	(void)heard(&world.a);
	call_tool(&world.a, "5", "ext_work");
	no = ext->last_no;
	ext_asks(ELICIT, &no, 1);
	assert_heard(&world.a, "");
	assert_non_null(strstr(strbuf_get(&ext->reply), "\"id\":0,\"error\":{\"code\":-32601"));
	ext_asks(SAMPLE, &no, 1);
	assert_has(&world.a, "sampling/createMessage");
}

static void test_what_cannot_be_attributed(void **unused)
{
	uint64_t calls[2];

	(void)say(&world.a, INITIALIZE("{\"elicitation\":{}}"));
	(void)say(&world.b, INITIALIZE("{\"elicitation\":{}}"));
	(void)heard(&world.a);
	(void)heard(&world.b);
	call_tool(&world.a, "5", "ext_work");
	calls[0] = ext->last_no;
	call_tool(&world.b, "5", "ext_work");
	calls[1] = ext->last_no;
	ext_asks(ELICIT, calls, 2);
	assert_heard(&world.a, "");
	assert_heard(&world.b, "");
	assert_non_null(strstr(strbuf_get(&ext->reply), "isolation: session"));
	ext_asks(ELICIT, NULL, 0);
	assert_non_null(strstr(strbuf_get(&ext->reply), "isolation: session"));
	ext_asks("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}", calls, 1);
	assert_non_null(strstr(strbuf_get(&ext->reply), "\"code\":-32601"));
}

static void test_the_client_does_not_answer(void **unused)
{
	uint64_t no;
	const char *text;

	(void)say(&world.a, INITIALIZE("{\"elicitation\":{}}"));
	(void)heard(&world.a);
	call_tool(&world.a, "5", "ext_work");
	no = ext->last_no;
	ext_asks(ELICIT, &no, 1);
	(void)heard(&world.a);
	loop_fake_advance(world.loop, 61000);
	text = heard(&world.a);
	assert_non_null(strstr(text, "notifications/cancelled\",\"params\":{\"requestId\":1"));
	assert_non_null(strstr(text, "\"id\":5,\"error\""));
	assert_non_null(strstr(strbuf_get(&ext->reply), "\"id\":0,\"error\""));
}

static void test_the_worker_withdraws_or_ends(void **unused)
{
	uint64_t no;

	(void)say(&world.a, INITIALIZE("{\"elicitation\":{}}"));
	call_tool(&world.a, "5", "ext_work");
	no = ext->last_no;
	ext_asks(ELICIT, &no, 1);
	(void)heard(&world.a);
	ext_tells("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{"
		  "\"requestId\":0}}",
		&no, 1);
	assert_has(&world.a, "\"requestId\":1");
	ext_asks(ELICIT, &no, 1);
	(void)heard(&world.a);
	mcp_domain_hooks.worker_ended(world.mcp, ext, 1);
	assert_has(&world.a, "\"requestId\":2");
	(void)say(&world.a, "{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{}}");
	assert_string_equal(strbuf_get(&ext->reply), "");
}

/* --- a legacy worker asks a modern client --------------------------------------------------------------- */

static uint64_t call_modern(const char *more)
{
	auto_free char *text = alloc_printf(
		MODERN("7", "tools/call", "\"name\":\"ext_work\",\"arguments\":{\"a\":1},%s%s"),
		META("{\"elicitation\":{},\"sampling\":{}}", ""), more);

	assert_int_equal(say(&world.s, text), MCP_ACCEPTED);
	return ext->last_no;
}

static void test_input_required(void **unused)
{
	uint64_t no = call_modern("");
	const char *text;
	char state[100];
	auto_free char *again = NULL;

	ext_asks("{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"elicitation/create\",\"params\":{"
		 "\"message\":\"who?\",\"_meta\":{\"mcp-fleet/inputKey\":\"user_name\"}}}",
		&no, 1);
	ext_asks(SAMPLE, &no, 1);
	assert_heard(&world.s, ""); /* it is given time to say all */
	loop_fake_advance(world.loop, 50);
	text = heard(&world.s);
	assert_non_null(strstr(text, "\"id\":7,\"result\":{"));
	assert_non_null(strstr(text, "\"resultType\":\"input_required\""));
	assert_non_null(strstr(text, "\"user_name\":{\"method\":\"elicitation/create\""));
	assert_non_null(strstr(text, "\"input-2\":{\"method\":\"sampling/createMessage\""));
	get_state(text, state);
	loop_fake_advance(world.loop, 30000);
	again = alloc_printf(MODERN("8", "tools/call",
				     "\"name\":\"ext_work\",\"arguments\":{\"a\":1},%s,"
				     "\"inputResponses\":{\"user_name\":{\"action\":\"accept\"},"
				     "\"other\":{}},\"requestState\":\"%s\""),
		META("{}", ""), state);
	(void)say(&world.s, again);
	assert_string_equal(strbuf_get(&ext->reply),
		"{\"jsonrpc\":\"2.0\",\"id\":0,\"result\":{\"action\":\"accept\"}}");
	text = heard(&world.s); /* the other one is still wanted, under another state */
	assert_non_null(strstr(text, "\"id\":8,\"result\":{"));
	assert_null(strstr(text, "user_name"));
	assert_null(strstr(text, state));
	get_state(text, state);
	free(TAKE(again));
	again = alloc_printf(MODERN("9", "tools/call",
				     "\"name\":\"ext_work\",\"arguments\":{\"a\":1},%s,"
				     "\"inputResponses\":{\"input-2\":{}},\"requestState\":\"%s\""),
		META("{}", ""), state);
	(void)say(&world.s, again);
	assert_heard(&world.s, "");
	answer(no);
	assert_has(&world.s, "\"id\":9,\"result\":{\"resultType\":\"complete\"");
}

static void test_state_of_another_request(void **unused)
{
	uint64_t no = call_modern("");
	char state[100];

	ext_asks(ELICIT, &no, 1);
	loop_fake_advance(world.loop, 50);
	get_state(heard(&world.s), state);
	for (int i = 0; i < 2; i++) {
		auto_free char *params =
			i ? alloc_printf("\"name\":\"ext_work\",\"arguments\":{\"a\":1},%s,"
					 "\"requestState\":\"%s-X\"",
				    META("{}", ""), state)
			  : alloc_printf("\"name\":\"ext_work\",\"arguments\":{\"a\":2},%s,"
					 "\"requestState\":\"%s\"",
				    META("{}", ""), state);
		auto_free char *text = alloc_printf(MODERN("8", "tools/call", "%s"), params);

		(void)say(&world.s, text);
		assert_has(&world.s, "\"id\":8,\"error\":{\"code\":-32602");
	}
	loop_fake_advance(world.loop, 61000); /* nobody comes back */
	assert_non_null(strstr(strbuf_get(&ext->cancelled), "1 "));
	assert_non_null(strstr(strbuf_get(&ext->reply), "\"id\":0,\"error\""));
	assert_int_equal(mcp_count_pending(world.mcp), 0);
}

static void test_answers_that_came_with_the_request(void **unused)
{
	uint64_t no =
		call_modern(",\"inputResponses\":{\"user_name\":{\"action\":\"accept\"},\"x\":1}");

	ext_asks("{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"elicitation/create\",\"params\":{"
		 "\"_meta\":{\"mcp-fleet/inputKey\":\"user_name\"}}}",
		&no, 1);
	assert_string_equal(strbuf_get(&ext->reply),
		"{\"jsonrpc\":\"2.0\",\"id\":0,\"result\":{\"action\":\"accept\"}}");
	loop_fake_advance(world.loop, 50);
	answer(no);
	assert_has(&world.s, "\"id\":7,\"result\":{\"resultType\":\"complete\"");
}

/* Its client may never come back; others are asked all the same. */
static void test_a_parked_call_asks_no_more(void **unused)
{
	uint64_t calls[3] = { call_modern("") };

	ext_asks(ELICIT, calls, 1);
	(void)say(&world.a, INITIALIZE("{\"elicitation\":{}}"));
	(void)say(&world.b, INITIALIZE("{\"elicitation\":{}}"));
	(void)heard(&world.a);
	(void)heard(&world.b);
	call_tool(&world.a, "5", "ext_work");
	calls[1] = ext->last_no;
	ext_asks(ELICIT, calls, 2); /* it may not have said all yet */
	assert_non_null(strstr(strbuf_get(&ext->reply), "isolation: session"));
	assert_heard(&world.a, "");
	loop_fake_advance(world.loop, 50);
	assert_has(&world.s, "input_required");
	ext_asks(ELICIT, calls, 2);
	assert_has(&world.a, "elicitation/create");
	strbuf_cut(&ext->reply, 0);
	call_tool(&world.b, "5", "ext_work");
	calls[2] = ext->last_no;
	ext_asks(ELICIT, calls, 3);
	assert_non_null(strstr(strbuf_get(&ext->reply), "isolation: session"));
	assert_heard(&world.a, "");
	assert_heard(&world.b, "");
	assert_heard(&world.s, "");
}

static void test_parked_calls_do_not_hold_a_stop(void **unused)
{
	uint64_t no = call_modern("");
	auto_free char *number = alloc_printf("%llu", (unsigned long long)no);

	ext_asks(ELICIT, &no, 1);
	loop_fake_advance(world.loop, 50);
	assert_has(&world.s, "input_required");
	assert_int_equal(mcp_count_pending(world.mcp), 1);
	mcp_refuse_new(world.mcp);
	assert_int_equal(mcp_count_pending(world.mcp), 0);
	assert_non_null(strstr(strbuf_get(&ext->cancelled), number));
	assert_non_null(strstr(strbuf_get(&ext->reply), "\"id\":0,\"error\""));
}

static void test_modern_client_without_the_capability(void **unused)
{
	uint64_t no = call_modern("");

	ext_asks("{\"jsonrpc\":\"2.0\",\"id\":4,\"method\":\"roots/list\"}", &no, 1);
	assert_non_null(strstr(strbuf_get(&ext->reply), "\"id\":4,\"error\":{\"code\":-32021"));
	assert_non_null(strstr(strbuf_get(&ext->reply), "\"requiredCapabilities\":{\"roots\":{}}"));
	answer_with(no, RPC_ERROR, "{\"code\":-32021,\"message\":\"m\",\"data\":{}}");
	assert_has(&world.s, "\"id\":7,\"error\":{\"code\":-32021");
}

static void test_the_process_of_a_parked_call_stays(void **unused)
{
	static struct client once;
	static struct client twice;
	uint64_t no;
	char state[100];
	auto_free char *again = NULL;

	open_once(&once);
	assert_int_equal(
		say(&once, MODERN("7", "tools/call",
				   "\"name\":\"ext_work\"," META("{\"elicitation\":{}}", ""))),
		MCP_ACCEPTED);
	no = ext->last_no;
	ext_asks(ELICIT, &no, 1);
	loop_fake_advance(world.loop, 50);
	get_state(heard(&once), state);
	session_gone(once.session);
	loop_settle(world.loop);
	assert_null(strstr(strbuf_get(&ext->wishes), "forget"));
	assert_string_equal(strbuf_get(&ext->cancelled), "");
	open_once(&twice);
	again = alloc_printf(MODERN("8", "tools/call",
				     "\"name\":\"ext_work\",%s,\"inputResponses\":{\"input-1\":{}},"
				     "\"requestState\":\"%s\""),
		META("{}", ""), state);
	assert_int_equal(say(&twice, again), MCP_ACCEPTED);
	assert_non_null(strstr(strbuf_get(&ext->wishes), "adopt:4>5"));
	answer(no);
	assert_has(&twice, "\"id\":8,\"result\"");
	session_gone(twice.session);
	loop_settle(world.loop);
	assert_non_null(strstr(strbuf_get(&ext->wishes), "forget:5"));
	strbuf_done(&once.got);
	strbuf_done(&twice.got);
}

/* --- a modern worker wants input of a legacy client ------------------------------------------------------- */

static void test_legacy_client_of_modern_worker(void **unused)
{
	const char *text;
	uint64_t first;

	(void)say(&world.a, INITIALIZE("{\"elicitation\":{},\"sampling\":{}}"));
	(void)heard(&world.a);
	call_tool(&world.a, "5", "ext_work");
	first = ext->last_no;
	assert_non_null(strstr(strbuf_get(&ext->envelope),
		"\"io.modelcontextprotocol/clientCapabilities\":{\"elicitation\":{},"));
	answer_with(first, RPC_RESULT,
		"{\"resultType\":\"input_required\",\"inputRequests\":{\"k\":{\"method\":"
		"\"elicitation/create\",\"params\":{\"message\":\"m\"}},\"s\":{\"method\":"
		"\"sampling/createMessage\",\"params\":{}}},\"requestState\":\"st\"}");
	text = heard(&world.a);
	assert_non_null(strstr(text, "\"id\":1,\"method\":\"elicitation/create\",\"params\":{"));
	assert_non_null(strstr(text, "\"id\":2,\"method\":\"sampling/createMessage\""));
	(void)say(&world.a, "{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{\"role\":\"x\"}}");
	assert_int_equal(ext->last_no, first);
	(void)say(&world.a, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"action\":\"accept\"}}");
	assert_int_not_equal(ext->last_no, first);
	text = strbuf_get(&ext->line);
	assert_non_null(strstr(text, "\"k\":{\"action\":\"accept\"}"));
	assert_non_null(strstr(text, "\"s\":{\"role\":\"x\"}"));
	assert_non_null(strstr(text, "\"requestState\":\"st\""));
	assert_non_null(strstr(text, "\"name\":\"work\""));
	answer(ext->last_no);
	assert_has(&world.a, "\"id\":5,\"result\":{\"ok\":1}");
}

static void test_legacy_client_refuses(void **unused)
{
	const char *text;

	(void)say(&world.a, INITIALIZE("{\"elicitation\":{}}"));
	(void)heard(&world.a);
	call_tool(&world.a, "5", "ext_work");
	answer_with(ext->last_no, RPC_RESULT,
		"{\"resultType\":\"input_required\",\"inputRequests\":{\"k\":{\"method\":"
		"\"elicitation/create\",\"params\":{}}}}");
	(void)heard(&world.a);
	(void)say(&world.a, "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-1,\"message\":"
			    "\"not now\"}}");
	text = heard(&world.a);
	assert_non_null(strstr(
		text, "\"id\":5,\"error\":{\"code\":-32603,\"message\":\"the client refused"));
	assert_null(strstr(text, "cancelled")); /* it has answered */
	call_tool(&world.a, "6", "ext_work");
	answer_with(ext->last_no, RPC_RESULT,
		"{\"resultType\":\"input_required\",\"inputRequests\":{\"k\":{\"method\":"
		"\"roots/list\"}}}");
	assert_has(&world.a, "\"id\":6,\"error\"");
	assert_int_equal(mcp_count_pending(world.mcp), 0);
}

static void test_input_required_without_end(void **unused)
{
	(void)say(&world.a, INITIALIZE("{}"));
	(void)heard(&world.a);
	call_tool(&world.a, "5", "ext_work");
	for (int i = 0; i < 40 && mcp_count_pending(world.mcp); i++)
		answer_with(ext->last_no, RPC_RESULT,
			"{\"resultType\":\"input_required\",\"requestState\":\"s\"}");
	assert_has(&world.a, "\"id\":5,\"error\":{\"code\":-32603");
}

static void test_both_modern(void **unused)
{
	(void)say(&world.s, MODERN("7", "tools/call",
				    "\"name\":\"ext_work\",\"requestState\":\"theirs\","
				    "\"inputResponses\":{\"k\":{}}," META("{\"roots\":{}}",
					    ",\"io.modelcontextprotocol/logLevel\":\"error\"")));
	assert_non_null(strstr(strbuf_get(&ext->line), "\"requestState\":\"theirs\""));
	assert_non_null(strstr(strbuf_get(&ext->envelope), "logLevel\":\"error\""));
	assert_non_null(strstr(strbuf_get(&ext->envelope), "{\"roots\":{}}"));
	answer_with(ext->last_no, RPC_RESULT,
		"{\"resultType\":\"input_required\",\"requestState\":\"more\",\"inputRequests\":{}}");
	assert_has(&world.s, "\"requestState\":\"more\"");
}

/* The envelope goes in where it makes a valid request of the line. */
static void test_where_the_envelope_goes_in(void **unused)
{
	static const char *const params[] = {
		"\"name\":\"ext_work\"",
		"\"name\":\"ext_work\",\"_meta\":{}",
		"\"_meta\":{\"own\":1},\"name\":\"ext_work\"",
		"\"name\":\"ext_work\",\"_meta\":{\"progressToken\":1}",
	};

	for (size_t i = 0; i < N_ELEMENTS(params); i++) {
		auto_free char *text = alloc_printf(MODERN("5", "tools/call", "%s"), params[i]);
		auto_free char *whole = NULL;
		json_auto_t *json = NULL;
		json_t *meta;

		(void)say(&world.a, text);
		whole = alloc_printf("%.*s%s%s", (int)ext->meta_at, strbuf_get(&ext->line),
			strbuf_get(&ext->envelope), strbuf_get(&ext->line) + ext->meta_at);
		json = json_loads(whole, JSON_REJECT_DUPLICATES, NULL);
		assert_non_null(json);
		meta = json_object_get(json_object_get(json, "params"), "_meta");
		assert_string_equal(json_string_value(json_object_get(
					    meta, "io.modelcontextprotocol/protocolVersion")),
			"2026-07-28");
		assert_int_equal(json_integer_value(json_object_get(meta, "own")), i == 2);
		answer(ext->last_no);
		(void)heard(&world.a);
	}
}

/* --- news --------------------------------------------------------------------------------------------------- */

static void test_log_messages(void **unused)
{
	uint64_t calls[2];

	(void)say(&world.a, INITIALIZE("{}"));
	(void)say(&world.a,
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"logging/setLevel\",\"params\":{"
		"\"level\":\"warning\"}}");
	assert_non_null(strstr(strbuf_get(&ext->wishes), "warning"));
	call_tool(&world.a, "5", "ext_work");
	calls[0] = ext->last_no;
	(void)heard(&world.a);
	ext_tells("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{\"level\":"
		  "\"notice\",\"data\":1}}",
		calls, 1);
	assert_heard(&world.a, "");
	ext_tells("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{\"level\":"
		  "\"error\",\"data\":1}}",
		calls, 1);
	assert_has(
		&world.a, "\"method\":\"notifications/message\",\"params\":{\"level\":\"error\"");
	call_tool(&world.b, "5", "ext_work");
	calls[1] = ext->last_no;
	ext_tells("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{\"level\":"
		  "\"error\",\"data\":1}}",
		calls, 2);
	assert_heard(&world.a, ""); /* it could be about the other one */
	assert_heard(&world.b, "");
	(void)say(&world.a,
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"logging/setLevel\",\"params\":{"
		"\"level\":\"loud\"}}");
	assert_has(&world.a, "\"code\":-32602");
}

static void test_modern_clients_hear_messages_only_if_asked(void **unused)
{
	uint64_t no = call_modern("");

	ext_tells("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{\"level\":"
		  "\"emergency\",\"data\":1}}",
		&no, 1);
	assert_heard(&world.s, "");
	(void)say(&world.s, MODERN("8", "tools/call",
				    "\"name\":\"ext_work\"," META("{}",
					    ",\"io.modelcontextprotocol/logLevel\":\"info\"")));
	no = ext->last_no;
	ext_tells("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{\"level\":"
		  "\"info\",\"data\":1}}",
		&no, 1);
	assert_has(&world.s, "notifications/message");
}

#define UPDATED                                                                                    \
	"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/resources/updated\",\"params\":{\"uri\":" \
	"\"x://a\"}}"

static void test_subscriptions(void **unused)
{
	(void)say(&world.a,
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"resources/subscribe\",\"params\":"
		"{\"uri\":\"ext+x://a\"}}");
	assert_has(&world.a, "\"id\":1,\"result\":{}");
	assert_string_equal(strbuf_get(&ext->wishes), "+x://a ");
	ext_tells(UPDATED, NULL, 0);
	assert_has(&world.a, "\"params\":{\"uri\":\"ext+x://a\"}");
	assert_heard(&world.b, "");
	(void)say(&world.a,
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"resources/unsubscribe\",\"params\":"
		"{\"uri\":\"ext+x://a\"}}");
	(void)heard(&world.a);
	assert_string_equal(strbuf_get(&ext->wishes), "+x://a -x://a ");
	ext_tells(UPDATED, NULL, 0);
	assert_heard(&world.a, "");
}

static void test_listen(void **unused)
{
	const char *text;

	(void)say(&world.s, MODERN("\"L\"", "subscriptions/listen",
				    "\"notifications\":{\"toolsListChanged\":true,"
				    "\"promptsListChanged\":false,\"resourceSubscriptions\":["
				    "\"ext+x://a\",\"nobody://x\",5]}," META("{}", "")));
	text = heard(&world.s);
	assert_non_null(strstr(text, "\"method\":\"notifications/subscriptions/acknowledged\""));
	assert_non_null(strstr(text, "\"notifications\":{\"toolsListChanged\":true,"
				     "\"resourceSubscriptions\":[\"ext+x://a\"]}"));
	assert_non_null(strstr(text, "\"io.modelcontextprotocol/subscriptionId\":\"L\""));
	ext_tells(UPDATED, NULL, 0);
	text = heard(&world.s);
	assert_non_null(strstr(text, "\"uri\":\"ext+x://a\""));
	assert_non_null(strstr(text, "subscriptionId\":\"L\""));
	offer(&world.domains[0], "[{\"name\":\"one_new\",\"inputSchema\":{}}]");
	text = heard(&world.s);
	assert_non_null(strstr(text, "notifications/tools/list_changed"));
	assert_non_null(strstr(text, "subscriptionId\":\"L\""));
	(void)say(&world.s,
		"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{"
		"\"requestId\":\"L\"}}");
	offer(&world.domains[0], "[{\"name\":\"one_newer\",\"inputSchema\":{}}]");
	assert_heard(&world.s, "");
	assert_non_null(strstr(strbuf_get(&ext->wishes), "-x://a"));
}

static void test_listen_ends_with_the_fleet(void **unused)
{
	const char *text;

	(void)say(
		&world.s, MODERN("3", "subscriptions/listen",
				  "\"notifications\":{\"toolsListChanged\":true}," META("{}", "")));
	(void)heard(&world.s);
	mcp_refuse_new(world.mcp);
	text = heard(&world.s);
	assert_non_null(strstr(text, "\"requestId\":3"));
	assert_non_null(strstr(text, "\"id\":3,\"result\":{\"resultType\":\"complete\""));
}

/* The other calls of the worker must not be asked what this one wants. */
static void test_a_part_of_what_is_wanted(void **unused)
{
	uint64_t calls[2] = { call_modern("") };
	char state[100];
	auto_free char *again = NULL;

	ext_asks(ELICIT, calls, 1);
	ext_asks(SAMPLE, calls, 1);
	loop_fake_advance(world.loop, 50);
	get_state(heard(&world.s), state);
	again = alloc_printf(MODERN("8", "tools/call",
				     "\"name\":\"ext_work\",\"arguments\":{\"a\":1},%s,"
				     "\"inputResponses\":{\"input-1\":{}},\"requestState\":\"%s\""),
		META("{}", ""), state);
	(void)say(&world.s, again);
	(void)say(&world.a, INITIALIZE("{\"elicitation\":{}}"));
	(void)heard(&world.a);
	call_tool(&world.a, "5", "ext_work");
	calls[1] = ext->last_no;
	ext_asks("{\"jsonrpc\":\"2.0\",\"id\":9,\"method\":\"elicitation/create\"}", calls, 2);
	assert_heard(&world.a, "");
	assert_non_null(strstr(strbuf_get(&ext->reply), "isolation: session"));
}

#define MESSAGE                                                                                    \
	"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{\"level\":\"error\"}}"

/* A call that was given up may still run in the process: what is asked may be about that one. */
static void test_given_up_calls_may_still_ask(void **unused)
{
	uint64_t no;

	(void)say(&world.a, INITIALIZE("{\"elicitation\":{}}"));
	(void)heard(&world.a);
	call_tool(&world.a, "5", "ext_work");
	no = ext->last_no;
	world.n_unsure = 1;
	world.unsure_session = session_get_number(world.b.session);
	ext_asks(ELICIT, &no, 1);
	assert_heard(&world.a, "");
	assert_non_null(strstr(strbuf_get(&ext->reply), "isolation: session"));
	world.n_unsure = 2;
	world.unsure_session = 0;
	ext_asks(ELICIT, &no, 1);
	assert_heard(&world.a, "");
	world.unsure_session = session_get_number(world.a.session); /* all its own */
	ext_asks(ELICIT, &no, 1);
	assert_has(&world.a, "elicitation/create");
	answer(no); /* the question is not of this call, as far as is known */
	(void)heard(&world.a);
	(void)say(&world.a, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"action\":\"accept\"}}");
	assert_non_null(strstr(strbuf_get(&ext->reply), "accept"));
}

/* The answer to each is of one request: there is no session beside it that could be asked. */
static void test_given_up_calls_of_a_modern_client(void **unused)
{
	uint64_t no = call_modern("");

	world.n_unsure = 1;
	world.unsure_session = session_get_number(world.s.session);
	ext_asks(ELICIT, &no, 1);
	assert_non_null(strstr(strbuf_get(&ext->reply), "isolation: session"));
	answer(no);
	(void)heard(&world.s);
	(void)say(&world.s, MODERN("8", "tools/call",
				    "\"name\":\"ext_work\"," META("{}",
					    ",\"io.modelcontextprotocol/logLevel\":\"debug\"")));
	no = ext->last_no;
	ext_tells(MESSAGE, &no, 1);
	assert_heard(&world.s, "");
	world.n_unsure = 0;
	ext_tells(MESSAGE, &no, 1);
	assert_has(&world.s, "notifications/message");
}

static void test_messages_of_given_up_calls(void **unused)
{
	uint64_t no;

	(void)say(&world.a, INITIALIZE("{}"));
	(void)heard(&world.a);
	call_tool(&world.a, "5", "ext_work");
	no = ext->last_no;
	world.n_unsure = 1;
	world.unsure_session = session_get_number(world.b.session);
	ext_tells(MESSAGE, &no, 1);
	assert_heard(&world.a, "");
	world.unsure_session = session_get_number(world.a.session);
	ext_tells(MESSAGE, &no, 1);
	assert_has(&world.a, "notifications/message");
}

int main(void)
{
#define LEGACY(fn) cmocka_unit_test_setup_teardown(fn, set_up_legacy, world_tear_down)
#define WITH_MODERN(fn) cmocka_unit_test_setup_teardown(fn, set_up_modern, world_tear_down)
	const struct CMUnitTest tests[] = {
		LEGACY(test_discover),
		WITH_MODERN(test_cacheable_results),
		LEGACY(test_what_a_session_has),
		LEGACY(test_initialize_twice),
		LEGACY(test_notifications_are_never_answered),
		LEGACY(test_removed_methods_are_unknown),
		LEGACY(test_a_version_that_is_not_served),
		LEGACY(test_an_event_stream_is_legacy),
		LEGACY(test_modern_client_of_legacy_worker),
		LEGACY(test_old_codes_are_not_emitted),
		LEGACY(test_uris_are_told_apart),
		LEGACY(test_prompts_and_completion),
		LEGACY(test_asks_a_legacy_client),
		LEGACY(test_what_was_not_declared_is_not_asked),
		LEGACY(test_what_the_revision_lacks_is_not_asked),
		LEGACY(test_what_cannot_be_attributed),
		LEGACY(test_given_up_calls_may_still_ask),
		LEGACY(test_given_up_calls_of_a_modern_client),
		LEGACY(test_messages_of_given_up_calls),
		LEGACY(test_the_client_does_not_answer),
		LEGACY(test_the_worker_withdraws_or_ends),
		LEGACY(test_input_required),
		LEGACY(test_state_of_another_request),
		LEGACY(test_answers_that_came_with_the_request),
		LEGACY(test_a_parked_call_asks_no_more),
		LEGACY(test_parked_calls_do_not_hold_a_stop),
		LEGACY(test_modern_client_without_the_capability),
		LEGACY(test_the_process_of_a_parked_call_stays),
		LEGACY(test_a_part_of_what_is_wanted),
		WITH_MODERN(test_legacy_client_of_modern_worker),
		WITH_MODERN(test_legacy_client_refuses),
		WITH_MODERN(test_input_required_without_end),
		WITH_MODERN(test_both_modern),
		WITH_MODERN(test_where_the_envelope_goes_in),
		LEGACY(test_log_messages),
		LEGACY(test_modern_clients_hear_messages_only_if_asked),
		LEGACY(test_subscriptions),
		LEGACY(test_listen),
		LEGACY(test_listen_ends_with_the_fleet),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
