/* How a worker of each era is opened, and how its lists are read. */
#include <signal.h>

#include "shared/alloc.h"
#include "tests/unit/fake_process.h"

/* --- the opening */

static void test_refuses_to_initialize(void **unused)
{
	make_worker(true);
	worker_start(world.worker);
	peer_says(ERROR("initialize", "-32000", "not \\u001b[1m today"));
	assert_killed_for("it refused initialize: \"not \\u001b[1m today\"");
}

static void test_what_it_is_told_of_us(void **unused)
{
	start_process_of(false);
	const char *text = peer_hears();

	assert_has(text, "\"protocolVersion\":\"2025-11-25\"");
	assert_has(text, "\"sampling\":{}");
	assert_has(text, "\"elicitation\":{\"form\":{},\"url\":{}}");
	assert_lacks(text, "\"roots\""); /* one client's would be those of all */
	(void)tear_down(NULL);
	(void)set_up(NULL);
	world.is_isolated = true;
	start_process_of(false);
	assert_has(peer_hears(), "\"roots\":{\"listChanged\":true}");
}

static void test_native_gets_no_capabilities(void **unused)
{
	start_process_of(true);
	assert_has(peer_hears(), "\"capabilities\":{}");
	peer_says(NEW(TOOLS));
	assert_lacks(peer_hears(), "server/discover");
}

static void test_known_revisions(void **unused)
{
	static const struct {
		const char *revision;
		const char *trouble; /* NULL: accepted */
	} cases[] = {
		{ "\"2024-11-05\"", NULL },
		{ "\"2025-03-26\"", NULL },
		{ "\"2025-06-18\"", NULL },
		{ "\"2025-11-25\"", NULL },
		{ "\"2026-07-28\"", NULL },
		{ "\"2099-01-01\"",
			"the protocol version \"2099-01-01\", which mcp-fleet does not speak" },
		{ "\"\"", "the protocol version \"\"" },
		{ "7", "without a protocolVersion" },
	};

	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		auto_free char *line =
			alloc_printf("{\"jsonrpc\":\"2.0\",\"id\":\"initialize\",\"result\":{"
				     "\"protocolVersion\":%s,\"capabilities\":{}}}",
				cases[i].revision);

		start_process_of(true);
		peer_says(line);
		if (cases[i].trouble) {
			assert_killed_for(cases[i].trouble);
			(void)tear_down(NULL);
			(void)set_up(NULL);
			continue;
		}
		assert_int_equal(worker_get_state(world.worker), WORKER_LISTING);
		(void)tear_down(NULL);
		(void)set_up(NULL);
	}
}

static void test_answer_to_initialize_is_no_object(void **unused)
{
	start_process_of(false);
	peer_says(RESULT("initialize", "[1]"));
	assert_killed_for("is no object");
}

/* A server of both eras: asked beside its lists, once. */
static void test_takes_both(void **unused)
{
	start_process_of(false);
	(void)peer_hears();
	peer_says(NEW(TOOLS));
	const char *text = peer_hears();

	assert_has(text, "\"method\":\"server/discover\",\"params\":{\"_meta\":{"
			 "\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\"");
	assert_has(text, "io.modelcontextprotocol/clientInfo");
	assert_has(text, "io.modelcontextprotocol/clientCapabilities");
	assert_has(text, "{\"jsonrpc\":\"2.0\",\"id\":\"tools\",\"method\":\"tools/list\"}");
	peer_says(ONE_TOOL);
	assert_int_equal(worker_get_state(world.worker), WORKER_LISTING);
	peer_says(DISCOVERED(""));
	assert_string_equal(story(), "listing ready:1 ready ");
	assert_has(world.offering, "\"takes_legacy\":true,\"takes_modern\":true");
	assert_has(
		world.offering, "protocolVersion"); /* what it says of itself is the older one's */
	peer_says(DISCOVERED(""));
	assert_string_equal(story(), "");
}

static void test_takes_no_other(void **unused)
{
	start_process_of(false);
	peer_says(NEW(TOOLS));
	peer_says(ERROR("discover", "-32601", "unknown"));
	peer_says(ONE_TOOL);
	assert_string_equal(story(), "listing ready:1 ready ");
	assert_has(world.offering, "\"takes_legacy\":true,\"takes_modern\":false");
}

/* The next process is the same program. */
static void test_is_asked_for_discover_once(void **unused)
{
	test_takes_no_other(NULL);
	call(1);
	answer(1);
	end_process();
	loop_fake_advance(world.loop, 2000);
	(void)peer_hears();
	peer_says(NEW(TOOLS));
	const char *text = peer_hears();

	assert_has(text, "tools/list");
	assert_lacks(text, "server/discover");
}

static void test_says_nothing_of_discover(void **unused)
{
	start_process_of(false);
	peer_says(NEW(TOOLS));
	peer_says(ONE_TOOL);
	loop_fake_advance(world.loop, 1999);
	assert_int_equal(worker_get_state(world.worker), WORKER_LISTING);
	loop_fake_advance(world.loop, 1);
	assert_string_equal(story(), "listing ready:1 ready ");
	peer_says(DISCOVERED("")); /* too late */
	assert_has(world.offering, "\"takes_modern\":false");
}

static void test_older_is_not_asked(void **unused)
{
	start_process_of(false);
	peer_says(OLD(TOOLS));
	assert_lacks(peer_hears(), "server/discover");
}

static void test_protocol_legacy(void **unused)
{
	world.protocol = CONF_PROTOCOL_LEGACY;
	start_process_of(false);
	peer_says(NEW(TOOLS));
	assert_lacks(peer_hears(), "server/discover");
	peer_says(ONE_TOOL);
	assert_int_equal(worker_get_state(world.worker), WORKER_READY);
}

static void test_protocol_legacy_is_refused(void **unused)
{
	world.protocol = CONF_PROTOCOL_LEGACY;
	start_process_of(false);
	peer_says(ERROR("initialize", "-32022", "only modern"));
	assert_killed_for("it refused initialize: \"only modern\"");
}

static void test_modern_after_a_refusal(void **unused)
{
	start_process_of(false);
	peer_says(ERROR("initialize", "-32601", "what?"));
	assert_has(peer_hears(), "server/discover");
	assert_int_equal(worker_get_state(world.worker), WORKER_STARTING);
	peer_says(DISCOVERED(TOOLS));
	const char *text = peer_hears();

	assert_lacks(text, "notifications/initialized");
	assert_has(text, "\"id\":\"tools\",\"method\":\"tools/list\",\"params\":{\"_meta\":{");
	peer_says(ONE_TOOL);
	assert_string_equal(story(), "listing ready:1 ready ");
	assert_has(world.offering, "\"takes_legacy\":false,\"takes_modern\":true");
}

/* The Python SDK's servers settle on an era with the first request, even when they refuse it. */
static void test_refuses_both(void **unused)
{
	start_process_of(false);
	peer_says(ERROR("initialize", "-32022", "what?"));
	peer_says(ERROR("discover", "-32600", "too late"));
	assert_killed_for("it refused server/discover: \"too late\"; before that, it refused "
			  "initialize: \"what?\"");
	loop_fake_advance(world.loop, 2000);
	const char *text = peer_hears();

	assert_has(text, "server/discover");
	assert_lacks(text, "\"initialize\"");
	peer_says(DISCOVERED(TOOLS));
	peer_says(ONE_TOOL);
	assert_int_equal(worker_get_state(world.worker), WORKER_READY);
}

static void test_initialize_after_a_refusal(void **unused)
{
	test_refuses_both(NULL);
	call(1);
	answer(1);
	end_process(); /* what follows is another program, say */
	loop_fake_advance(world.loop, 2000);
	assert_has(peer_hears(), "server/discover");
	peer_says(ERROR("discover", "-32602", "Invalid request parameters"));
	assert_has(peer_hears(), "\"method\":\"initialize\"");
	peer_says(NEW(TOOLS));
	const char *text = peer_hears();

	assert_has(text, "notifications/initialized");
	assert_lacks(text, "server/discover");
	peer_says(ONE_TOOL);
	assert_int_equal(worker_get_state(world.worker), WORKER_READY);
	assert_has(world.offering, "\"takes_legacy\":true,\"takes_modern\":false");
}

static void test_protocol_modern(void **unused)
{
	world.protocol = CONF_PROTOCOL_MODERN;
	start_process_of(false);
	const char *text = peer_hears();

	assert_lacks(text, "\"initialize\"");
	assert_has(text, "server/discover");
	peer_says(RESULT("discover", "{\"supportedVersions\":[\"2031-01-01\",5]}"));
	assert_killed_for("it refused server/discover: its supportedVersions have no 2026-07-28");
}

/* --- the lists */

static void test_tools_in_pages(void **unused)
{
	make_worker(true);
	worker_start(world.worker);
	say_hello();
	peer_says(
		"{\"jsonrpc\":\"2.0\",\"id\":\"tools\",\"result\":{\"tools\":[{}],\"nextCursor\":\"c\"}}");
	assert_non_null(strstr(peer_hears(), "{\"cursor\":\"c\"}"));
	peer_says("{\"jsonrpc\":\"2.0\",\"id\":\"tools\",\"result\":{\"tools\":[{},{}]}}");
	assert_string_equal(story(), "starting listing ready:3 ready ");
}

static void test_pages_without_end(void **unused)
{
	make_worker(true);
	worker_start(world.worker);
	say_hello();
	for (int i = 0; i < 1000; i++) {
		assert_int_equal(worker_get_state(world.worker), WORKER_LISTING);
		peer_says(RESULT("tools", "{\"tools\":[],\"nextCursor\":\"c\"}"));
		(void)peer_hears();
	}
	assert_int_equal(world.last_signal, SIGKILL);
	assert_killed_for("its list of tools does not end");
}

static void test_all_lists(void **unused)
{
	start_process_of(false);
	(void)peer_hears();
	peer_says(OLD("\"tools\":{},\"resources\":{},\"prompts\":{}"));
	assert_has(peer_hears(), "\"tools/list\"");
	peer_says(RESULT("resources", "{\"resources\":[]}")); /* not asked yet */
	peer_says(RESULT("tools", "{\"tools\":[{\"name\":\"t\"}]}"));
	assert_has(peer_hears(), "\"resources/list\"");
	peer_says(RESULT("resources", "{\"resources\":[{\"uri\":\"a:\"}],\"nextCursor\":\"\"}"));
	assert_has(peer_hears(), "\"resources/list\",\"params\":{\"cursor\":\"\"}");
	peer_says(RESULT("resources", "{\"resources\":[{\"uri\":\"b:\"}]}"));
	assert_has(peer_hears(), "\"resources/templates/list\"");
	peer_says(RESULT("templates", "{\"resourceTemplates\":[{\"uriTemplate\":\"c:\"}]}"));
	assert_has(peer_hears(), "\"prompts/list\"");
	peer_says(RESULT("prompts", "{\"prompts\":[{\"name\":\"p\"}]}"));
	assert_string_equal(story(), "listing ready:1 ready ");
	assert_has(world.offering, "\"tools\":[{\"name\":\"t\"}]");
	assert_has(world.offering, "\"resources\":[{\"uri\":\"a:\"},{\"uri\":\"b:\"}]");
	assert_has(world.offering, "\"templates\":[{\"uriTemplate\":\"c:\"}]");
	assert_has(world.offering, "\"prompts\":[{\"name\":\"p\"}]");
}

/* What we could not count, or would write otherwise, is not ours to change. */
static void test_items_stay_as_written(void **unused)
{
	static const char items[] = "{\"name\":\"t\",\"z\":123456789012345678901234567890,"
				    "\"a\":1.10,\"e\":1E400,\"u\":\"\\u00e9\"}";
	auto_free char *page = alloc_printf(RESULT("tools", "{\"tools\":[%s]}"), items);

	start_process_of(false);
	peer_says(OLD("\"tools\":{}"));
	peer_says(page);
	assert_string_equal(story(), "listing ready:1 ready ");
	assert_has(world.offering, items);
}

static void test_only_what_is_declared(void **unused)
{
	start_process_of(false);
	(void)peer_hears();
	peer_says(OLD("\"prompts\":{}"));
	const char *text = peer_hears();

	assert_lacks(text, "tools/list");
	assert_lacks(text, "resources");
	assert_has(text, "prompts/list");
	peer_says(RESULT("prompts", "{\"prompts\":[]}"));
	assert_string_equal(story(), "listing ready:0 ready ");
	assert_lacks(world.offering, "\"tools\":[");
	assert_has(world.offering, "\"prompts\":[]");
}

static void test_forgot_to_declare(void **unused)
{
	start_as(OLD(""));
	assert_lacks(world.offering, "\"prompts\":[");
}

static void test_has_nothing_at_all(void **unused)
{
	start_process_of(false);
	peer_says(OLD(""));
	peer_says(ERROR("tools", "-32601", "no such method"));
	assert_string_equal(story(), "listing ready:0 ready ");
	assert_lacks(world.offering, "\"tools\":[");
}

static void test_lists_that_are_missing(void **unused)
{
	start_process_of(false);
	peer_says(OLD("\"tools\":{},\"resources\":{},\"prompts\":{}"));
	peer_says(ONE_TOOL);
	peer_says(ERROR("resources", "-32601", "no such method"));
	peer_says(RESULT("templates", "{\"resourceTemplates\":[{}]}"));
	peer_says(ERROR("prompts", "-32603", "the disk is full"));
	assert_string_equal(story(), "listing ready:1 ready ");
	assert_has(world.offering, "\"resources\":[]");
	assert_has(world.offering, "\"prompts\":[]");
}

static void test_refuses_its_tools(void **unused)
{
	start_process_of(false);
	peer_says(OLD(TOOLS));
	peer_says(ERROR("tools", "-32603", "not today"));
	assert_killed_for("it refused tools/list: \"not today\"");
}

static void test_list_that_is_none(void **unused)
{
	start_process_of(false);
	peer_says(OLD("\"prompts\":{}"));
	peer_says(RESULT("prompts", "{\"tools\":[]}"));
	assert_killed_for("it answered prompts/list without a list of prompts");
}

static void test_list_too_large(void **unused)
{
	auto_strbuf line = { 0 };

	start_process_of(false);
	peer_says(OLD(TOOLS));
	strbuf_adds(&line, "{\"jsonrpc\":\"2.0\",\"id\":\"tools\",\"result\":{\"tools\":[\"");
	memset(strbuf_reserve(&line, 100000), 'x', 100000);
	line.len += 100000;
	strbuf_adds(&line, "\"],\"nextCursor\":\"c\"}}");
	for (int i = 0; i < 50 && worker_get_state(world.worker) == WORKER_LISTING; i++)
		peer_says(line.data);
	assert_killed_for("its list of tools is over 4 MiB");
}

static void test_any_list_changes(void **unused)
{
	static const char *const changes[] = { TELL("tools/list_changed", "{}"),
		TELL("resources/list_changed", "{}"), TELL("prompts/list_changed", "{}") };

	start(false);
	for (size_t i = 0; i < N_ELEMENTS(changes); i++) {
		loop_fake_advance(world.loop, 200);
		(void)peer_hears();
		peer_says(changes[i]);
		assert_has(peer_hears(), "tools/list");
		peer_says(ONE_TOOL);
		assert_string_equal(story(), "ready:1 ");
	}
}

/* Version 1 of the Python SDK knows no other words for a method that it does not have. */
static void test_lists_that_are_missing_later(void **unused)
{
	start_process_of(false);
	for (int i = 0; i < 2; i++) {
		if (i == 0)
			peer_says(OLD("\"tools\":{},\"resources\":{}"));
		else
			peer_says(TELL("resources/list_changed", "{}"));
		peer_says(ONE_TOOL);
		peer_says(RESULT("resources", "{\"resources\":[{}]}"));
		peer_says(ERROR("templates", "-32602", "Invalid request parameters"));
		assert_string_equal(story(), i == 0 ? "listing ready:1 ready " : "ready:1 ");
		loop_fake_advance(world.loop, 200);
	}
	assert_has(world.offering, "\"resources\":[{}]");
}

/* A list that cannot be read for once does not cost the worker, or what was offered before. */
static void test_list_fails_later(void **unused)
{
	start(false);
	loop_fake_advance(world.loop, 200);
	peer_says(TELL("tools/list_changed", "{}"));
	peer_says(ERROR("tools", "-32603", "busy"));
	assert_int_equal(worker_get_state(world.worker), WORKER_READY);
	loop_fake_advance(world.loop, 200);
	peer_says(TELL("tools/list_changed", "{}"));
	peer_says(ONE_TOOL);
	assert_string_equal(story(), "ready:1 ");
}

static void test_dies_while_it_lists(void **unused)
{
	start(false);
	loop_fake_advance(world.loop, 200);
	peer_says(TELL("tools/list_changed", "{}"));
	peer_says(TELL("tools/list_changed", "{}"));
	call(1);
	answer(1);
	end_process();
	loop_fake_advance(world.loop, 300);
	assert_int_equal(world.n_starts, 2);
	(void)story();
	become_ready();
	assert_string_equal(story(), "listing ready:1 ready ");
}

static void test_list_changes_while_it_is_read(void **unused)
{
	start(false);
	loop_fake_advance(world.loop, 200);
	for (int i = 0; i < 5; i++)
		peer_says("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/tools/list_changed\"}");
	const char *text = peer_hears();
	assert_has(text, "tools/list");
	assert_lacks(strstr(text, "tools/list") + 1, "tools/list"); /* asked once */
	peer_says(RESULT("tools", "{\"tools\":[{},{}]}"));
	assert_string_equal(peer_hears(), ""); /* not without end, */
	loop_fake_advance(world.loop, 200);
	assert_has(peer_hears(), "tools/list"); /* but this list may be an old one */
	peer_says(RESULT("tools", "{\"tools\":[{},{},{}]}"));
	loop_fake_advance(world.loop, 1000);
	assert_string_equal(peer_hears(), "");
	assert_string_equal(story(), "ready:2 ready:3 ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_refuses_to_initialize),
		TEST(test_what_it_is_told_of_us),
		TEST(test_native_gets_no_capabilities),
		TEST(test_known_revisions),
		TEST(test_answer_to_initialize_is_no_object),
		TEST(test_takes_both),
		TEST(test_takes_no_other),
		TEST(test_is_asked_for_discover_once),
		TEST(test_says_nothing_of_discover),
		TEST(test_older_is_not_asked),
		TEST(test_protocol_legacy),
		TEST(test_protocol_legacy_is_refused),
		TEST(test_modern_after_a_refusal),
		TEST(test_refuses_both),
		TEST(test_initialize_after_a_refusal),
		TEST(test_protocol_modern),
		TEST(test_tools_in_pages),
		TEST(test_pages_without_end),
		TEST(test_all_lists),
		TEST(test_items_stay_as_written),
		TEST(test_only_what_is_declared),
		TEST(test_forgot_to_declare),
		TEST(test_has_nothing_at_all),
		TEST(test_lists_that_are_missing),
		TEST(test_refuses_its_tools),
		TEST(test_list_that_is_none),
		TEST(test_list_too_large),
		TEST(test_any_list_changes),
		TEST(test_lists_that_are_missing_later),
		TEST(test_list_fails_later),
		TEST(test_dies_while_it_lists),
		TEST(test_list_changes_while_it_is_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
