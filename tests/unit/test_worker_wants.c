/* What a worker is asked to tell of: subscriptions of each era, and the log level. */
#include "shared/alloc.h"
#include "tests/unit/fake_process.h"

#define ALL TOOLS ",\"resources\":{\"subscribe\":true,\"listChanged\":true},\"logging\":{}"
#define RES "\"resources\":{\"subscribe\":true}"

static void want(const char *a, const char *b)
{
	const char *const uris[] = { a, b };

	worker_set_subscriptions(world.worker, uris, !a ? 0 : b ? 2 : 1);
}

/* Opened with resources, and all lists read. */
static void start_with_resources(const char *hello)
{
	start_process_of(false);
	(void)peer_hears();
	peer_says(hello);
	peer_says(ONE_TOOL);
	peer_says(RESULT("resources", "{\"resources\":[]}"));
	peer_says(RESULT("templates", "{\"resourceTemplates\":[]}"));
	assert_int_equal(worker_get_state(world.worker), WORKER_READY);
	(void)story();
}

static void test_subscriptions(void **unused)
{
	start_with_resources(OLD(ALL));
	(void)peer_hears();
	want("b:", "a:");
	const char *text = peer_hears();

	assert_has(text,
		"\"id\":\"subscribe-1\",\"method\":\"resources/subscribe\",\"params\":{\"uri\":\"a:\"}");
	assert_has(text,
		"\"id\":\"subscribe-2\",\"method\":\"resources/subscribe\",\"params\":{\"uri\":\"b:\"}");
	want("c:", NULL);
	want("b:", "c:");
	assert_string_equal(peer_hears(), ""); /* until it has answered */
	peer_says(RESULT("subscribe-1", "{}"));
	assert_string_equal(peer_hears(), "");
	peer_says(ERROR("subscribe-2", "-32002", "no such resource"));
	text = peer_hears();
	assert_has(text, "\"resources/unsubscribe\",\"params\":{\"uri\":\"a:\"}");
	assert_has(text, "\"resources/subscribe\",\"params\":{\"uri\":\"c:\"}");
	assert_lacks(text, "\"b:\"");
	peer_says(RESULT("subscribe-3", "{}"));
	peer_says(RESULT("subscribe-4", "{}"));
	want("c:", "b:");
	assert_string_equal(peer_hears(), "");
	peer_says(TELL("resources/updated", "{\"uri\":\"b:\"}"));
	assert_string_equal(story(), "told:\"notifications/resources/updated\"{\"uri\":\"b:\"} ");
}

static void test_wishes_before_it_is_ready(void **unused)
{
	start_process_of(false);
	(void)peer_hears();
	want("a:", "a:"); /* twice is once */
	worker_set_level(world.worker, "info");
	assert_string_equal(peer_hears(), "");
	peer_says(OLD(ALL));
	peer_says(ONE_TOOL);
	peer_says(RESULT("resources", "{\"resources\":[]}"));
	(void)peer_hears();
	peer_says(RESULT("templates", "{\"resourceTemplates\":[]}"));
	const char *text = peer_hears();

	assert_has(text, "\"resources/subscribe\",\"params\":{\"uri\":\"a:\"}");
	assert_lacks(strstr(text, "\"a:\"") + 1, "\"a:\"");
	assert_has(text, "\"logging/setLevel\",\"params\":{\"level\":\"info\"}");
	end_process(); /* and the next one hears it too */
	loop_fake_advance(world.loop, 1000);
	peer_says(OLD(ALL));
	peer_says(ONE_TOOL);
	peer_says(RESULT("resources", "{\"resources\":[]}"));
	(void)peer_hears();
	peer_says(RESULT("templates", "{\"resourceTemplates\":[]}"));
	text = peer_hears();
	assert_has(text, "\"resources/subscribe\",\"params\":{\"uri\":\"a:\"}");
	assert_has(text, "\"logging/setLevel\"");
}

static void test_level(void **unused)
{
	start_with_resources(OLD(ALL));
	(void)peer_hears();
	worker_set_level(world.worker, "debug");
	assert_has(peer_hears(), "{\"level\":\"debug\"}");
	worker_set_level(world.worker, "error");
	worker_set_level(world.worker, "info");
	assert_string_equal(peer_hears(), "");
	peer_says(RESULT("level", "{}"));
	assert_has(peer_hears(), "{\"level\":\"info\"}");
	peer_says(ERROR("level", "-32602", "unknown"));
	worker_set_level(world.worker, "info");
	worker_set_level(world.worker, NULL);
	assert_string_equal(peer_hears(), "");
}

static void test_nothing_is_wished_of_one_that_cannot(void **unused)
{
	start(false);
	(void)peer_hears();
	want("a:", "b:");
	worker_set_level(world.worker, "debug");
	assert_string_equal(peer_hears(), "");
}

static void acknowledge(int no)
{
	auto_free char *line =
		alloc_printf(TELL("subscriptions/acknowledged",
				     "{\"notifications\":{},\"_meta\":{"
				     "\"io.modelcontextprotocol/subscriptionId\":\"listen-%d\"}}"),
			no);

	peer_says(line);
}

static void start_listening(void)
{
	world.protocol = CONF_PROTOCOL_MODERN;
	start_process_of(false);
	(void)peer_hears();
	peer_says(DISCOVERED(ALL));
	const char *text = peer_hears();

	assert_has(text,
		"\"id\":\"listen-1\",\"method\":\"subscriptions/listen\",\"params\":{\"_meta\":{");
	assert_has(text,
		"\"notifications\":{\"toolsListChanged\":true,\"resourcesListChanged\":true}");
	assert_true(strstr(text, "listen-1") < strstr(text, "tools/list")); /* no gap between */
	acknowledge(1);
	peer_says(ONE_TOOL);
	peer_says(RESULT("resources", "{\"resources\":[]}"));
	peer_says(RESULT("templates", "{\"resourceTemplates\":[]}"));
	assert_string_equal(story(), "listing ready:1 ready ");
	loop_fake_advance(world.loop, 200);
	(void)peer_hears();
}

static void test_listen(void **unused)
{
	start_listening();
	want("a:", NULL);
	const char *text = peer_hears();

	assert_has(text, "\"id\":\"listen-2\"");
	assert_has(text, "\"resourceSubscriptions\":[\"a:\"]");
	assert_lacks(text, "cancelled"); /* the old one serves until the new one does */
	want("b:", "a:");
	assert_string_equal(peer_hears(), "");
	acknowledge(7);
	assert_string_equal(peer_hears(), "");
	acknowledge(2);
	text = peer_hears();
	assert_has(text, "\"notifications/cancelled\",\"params\":{\"requestId\":\"listen-1\"}");
	assert_has(text, "\"id\":\"listen-3\"");
	assert_has(text, "[\"a:\",\"b:\"]");
	peer_says(RESULT("listen-1", "{\"resultType\":\"complete\"}"));
	acknowledge(3);
	assert_has(peer_hears(), "\"requestId\":\"listen-2\"");
	loop_fake_advance(world.loop, 10000);
	assert_string_equal(peer_hears(), "");
	peer_says(TELL("resources/updated",
		"{\"uri\":\"a:\",\"_meta\":{\"io.modelcontextprotocol/subscriptionId\":\"listen-3\"}}"));
	assert_string_equal(story(), "told:\"notifications/resources/updated\"{\"uri\":\"a:\"} ");
	peer_says(TELL("resources/updated", "{\"uri\":5}"));
	assert_string_equal(story(), "");
	worker_set_level(world.worker, "debug"); /* is in each request */
	assert_string_equal(peer_hears(), "");
}

static void test_listen_ends(void **unused)
{
	static const char *const ends[] = {
		RESULT("listen-1", "{\"resultType\":\"complete\"}"),
		TELL("cancelled", "{\"requestId\":\"listen-1\"}"),
		ERROR("listen-1", "-32603", "broken"),
	};

	for (size_t i = 0; i < N_ELEMENTS(ends); i++) {
		start_listening();
		peer_says(ends[i]);
		peer_says(ends[i]);
		assert_string_equal(peer_hears(), "");
		loop_fake_advance(world.loop, 5000);
		const char *text = peer_hears();

		assert_has(text, "\"id\":\"listen-2\"");
		assert_has(text, "tools/list"); /* what was missed */
		(void)tear_down(NULL);
		(void)set_up(NULL);
	}
}

static void test_listen_is_refused(void **unused)
{
	world.protocol = CONF_PROTOCOL_MODERN;
	start_process_of(false);
	peer_says(DISCOVERED(TOOLS));
	peer_says(ERROR("listen-1", "-32601", "no such method"));
	peer_says(ONE_TOOL);
	(void)peer_hears();
	loop_fake_advance(world.loop, 20000);
	assert_string_equal(peer_hears(), "");
	assert_int_equal(worker_get_state(world.worker), WORKER_READY);
}

static void test_nothing_to_listen_for(void **unused)
{
	world.protocol = CONF_PROTOCOL_MODERN;
	start_process_of(false);
	peer_says(DISCOVERED("\"tools\":{}," RES));
	assert_lacks(peer_hears(), "listen");
	peer_says(ONE_TOOL);
	peer_says(RESULT("resources", "{\"resources\":[]}"));
	peer_says(RESULT("templates", "{\"resourceTemplates\":[]}"));
	(void)peer_hears();
	want("a:", NULL);
	assert_has(peer_hears(), "\"notifications\":{\"resourceSubscriptions\":[\"a:\"]}");
	acknowledge(1);
	want(NULL, NULL);
	assert_has(peer_hears(),
		"\"notifications/cancelled\",\"params\":{\"requestId\":\"listen-1\"}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_subscriptions),
		TEST(test_wishes_before_it_is_ready),
		TEST(test_level),
		TEST(test_nothing_is_wished_of_one_that_cannot),
		TEST(test_listen),
		TEST(test_listen_ends),
		TEST(test_listen_is_refused),
		TEST(test_nothing_to_listen_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
