/* Tasks of 2025-11-25: whose they are, where questions about them go, and how they end. */
#include "tests/unit/mcp_world.h"

#include <errno.h>

#define TASK_LISTS                                                                                 \
	"{\"tools\":[{\"name\":\"work\",\"inputSchema\":{\"type\":\"object\"},\"execution\":{"     \
	"\"taskSupport\":\"optional\"}}]}"
#define TASK_CAPABILITIES                                                                          \
	"{\"tools\":{},\"tasks\":{\"list\":{},\"cancel\":{},\"requests\":{\"tools\":{\"call\":{}"  \
	"}}}}"

#define SAY(id, method, params)                                                                    \
	"{\"jsonrpc\":\"2.0\",\"id\":" id ",\"method\":\"" method "\",\"params\":{" params "}}"
#define OPENING(revision)                                                                          \
	SAY("0", "initialize",                                                                     \
		"\"protocolVersion\":\"" revision "\",\"capabilities\":{\"elicitation\":{}}")
#define WORK(more) SAY("5", "tools/call", "\"name\":\"ext_work\"" more)
#define RELATED(id) "\"_meta\":{\"io.modelcontextprotocol/related-task\":{\"taskId\":\"" id "\"}}"
#define STATE(id, status)                                                                          \
	"\"taskId\":\"" id "\",\"status\":\"" status "\",\"createdAt\":\"2025-11-25T10:30:00Z\","  \
	"\"lastUpdatedAt\":\"2025-11-25T10:40:00Z\",\"ttl\":60000,\"pollInterval\":500"

static struct domain *const ext = &world.domains[2];

static int set_up(void **unused)
{
	world_set_up_ext(true, false, TASK_LISTS, TASK_CAPABILITIES);
	(void)say(&world.a, OPENING("2025-11-25"));
	(void)say(&world.b, OPENING("2025-11-25"));
	(void)heard(&world.a);
	(void)heard(&world.b);
	return 0;
}

/* Our id in what the client heard; in turns, so that two can be compared. */
static const char *get_id(const char *text)
{
	static char ids[4][64];
	static unsigned turn;
	const char *at = strstr(text, "\"taskId\":\"");
	char *id = ids[turn++ % 4];

	assert_non_null(at);
	assert_int_equal(sscanf(at + strlen("\"taskId\":\""), "%63[^\"]", id), 1);
	return id;
}

/* A task that the worker calls `id`; ours is given back. */
static const char *begin(struct client *client, const char *id)
{
	auto_free char *result = alloc_printf("{\"task\":{\"taskId\":\"%s\",\"status\":\"working\","
					      "\"createdAt\":\"2025-11-25T10:30:00Z\","
					      "\"lastUpdatedAt\":\"2025-11-25T10:30:00Z\","
					      "\"ttl\":60000}}",
		id);

	(void)say(client, WORK(",\"task\":{\"ttl\":60000}"));
	answer_with(ext->last_no, RPC_RESULT, result);
	return get_id(heard(client));
}

static void ask(struct client *client, const char *method, const char *id)
{
	auto_free char *text = alloc_printf(
		"{\"jsonrpc\":\"2.0\",\"id\":\"q\",\"method\":\"%s\",\"params\":{\"taskId\":\"%s\"}}",
		method, id);

	assert_int_equal(say(client, text), MCP_ACCEPTED);
}

/* tasks/list, of a worker that has nothing new to say about them. */
static const char *list(struct client *client, const char *params)
{
	auto_free char *text = alloc_printf(
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tasks/list\",\"params\":{%s}}", params);

	(void)say(client, text);
	for (int i = 0; i < 100 && client->got.len == 0; i++)
		answer_with(ext->last_no, RPC_ERROR, "{\"code\":-32601,\"message\":\"no\"}");
	return heard(client);
}

static void assert_asked(const char *text)
{
	assert_non_null(strstr(strbuf_get(&ext->line), text));
}

#define assert_task(text, id)                                                                      \
	do {                                                                                       \
		auto_free char *expected_ = alloc_printf("\"taskId\":\"%s\"", id);                 \
		assert_non_null(strstr(text, expected_));                                          \
	} while (0)

/* --- who has them ------------------------------------------------------------------------------------ */

static void test_capability_is_told_in_its_revision_only(void **unused)
{
	(void)say(&world.s, OPENING("2025-11-25"));
	assert_has(&world.s, "\"tasks\":{\"list\":{},\"cancel\":{},\"requests\":{\"tools\":{"
			     "\"call\":{}}}}");
	(void)say(&world.s, OPENING("2025-06-18"));
	assert_null(strstr(heard(&world.s), "\"tasks\""));
	(void)say(&world.s, SAY("1", "tasks/list", ""));
	assert_has(&world.s, "\"code\":-32601");
	(void)say(&world.s, WORK(",\"task\":{\"ttl\":1}"));
	assert_null(strstr(strbuf_get(&ext->line), "\"task\""));
}

static void test_a_worker_without_tasks(void **unused)
{
	world_set_up_ext(true, false, TASK_LISTS, "{\"tools\":{}}");
	(void)say(&world.a, OPENING("2025-11-25"));
	assert_null(strstr(heard(&world.a), "\"tasks\""));
	(void)say(&world.a, SAY("1", "tasks/get", "\"taskId\":\"x\""));
	assert_has(&world.a, "\"code\":-32601");
	(void)say(&world.a, WORK(",\"task\":{\"ttl\":1}"));
	assert_string_equal(strbuf_get(&ext->line) + strcspn(strbuf_get(&ext->line), "p"),
		"pc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"work\"}}");
	answer_with(ext->last_no, RPC_RESULT, "{\"task\":{\"taskId\":\"t\"},\"content\":[]}");
	assert_has(&world.a, "\"taskId\":\"t\""); /* whatever that may be: no task of ours */
}

static void test_the_member_is_left_out_wherever_it_stands(void **unused)
{
	(void)say(&world.s, OPENING("2025-06-18"));
	(void)say(&world.s,
		SAY("1", "tools/call",
			"\"task\":{\"ttl\":1},\"name\":\"ext_work\",\"_meta\":{\"progressToken\":1}"));
	assert_asked("\"params\":{\"name\":\"work\",\"_meta\":{");
	(void)say(
		&world.s, SAY("2", "tools/call",
				  "\"task\":{},\"name\":\"ext_work\",\"arguments\":{\"task\":1}"));
	assert_asked("\"params\":{\"name\":\"work\",\"arguments\":{\"task\":1}}");
	(void)say(&world.s,
		SAY("3", "tools/call", "\"name\":\"ext_work\" , \"task\":7 , \"arguments\":{}"));
	assert_asked("\"params\":{\"name\":\"work\" , \"arguments\":{}}");
}

static void test_a_modern_client_has_none(void **unused)
{
	static const char meta[] =
		"\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":"
		"\"2026-07-28\",\"io.modelcontextprotocol/clientCapabilities\":{}}";
	auto_free char *get = alloc_printf(
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tasks/get\",\"params\":{%s}}", meta);
	auto_free char *discover = alloc_printf(
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"server/discover\",\"params\":{%s}}",
		meta);
	auto_free char *call =
		alloc_printf("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{"
			     "\"name\":\"ext_work\",\"task\":{},%s}}",
			meta);

	assert_int_equal(say(&world.s, get), MCP_UNKNOWN);
	assert_int_equal(say(&world.s, discover), MCP_ACCEPTED);
	assert_null(strstr(heard(&world.s), "\"tasks\""));
	(void)say(&world.s, call);
	assert_null(strstr(strbuf_get(&ext->line), "\"task\""));
}

/* --- one task --------------------------------------------------------------------------------------------- */

static void test_ids_are_ours(void **unused)
{
	const char *id = begin(&world.a, "w");

	assert_asked("\"task\":{\"ttl\":60000}");
	assert_string_not_equal(id, "w");
	assert_int_equal(ext->n_holds, 1);
	ask(&world.a, "tasks/get", id);
	assert_asked("\"method\":\"tasks/get\",\"params\":{\"taskId\":\"w\"}");
	assert_int_equal(ext->worker, EXT_WORKER);
	answer_with(ext->last_no, RPC_RESULT, "{" STATE("w", "completed") "}");
	assert_task(heard(&world.a), id);
	assert_int_equal(ext->n_holds, 0);
	ask(&world.a, "tasks/result", id);
	assert_asked("\"method\":\"tasks/result\",\"params\":{\"taskId\":\"w\"}");
	answer_with(ext->last_no, RPC_RESULT, "{\"content\":[]," RELATED("w") "}");
	assert_task(heard(&world.a), id);
	ask(&world.a, "tasks/cancel", id);
	answer_with(ext->last_no, RPC_ERROR, "{\"code\":-32602,\"message\":\"over\"}");
	assert_has(&world.a, "\"error\":{\"code\":-32602,\"message\":\"over\"}");
}

static void test_a_result_names_its_task(void **unused)
{
	const char *id = begin(&world.a, "w");

	ask(&world.a, "tasks/result", id);
	answer_with(ext->last_no, RPC_RESULT, "{\"content\":[]}");
	assert_task(heard(&world.a), id);
	ask(&world.a, "tasks/result", id);
	answer_with(ext->last_no, RPC_RESULT, "{\"_meta\":{\"x\":1}}");
	assert_task(heard(&world.a), id);
}

static void test_a_call_may_be_done_at_once(void **unused)
{
	(void)say(&world.a, WORK(",\"task\":{}"));
	answer_with(ext->last_no, RPC_RESULT, "{\"content\":[]}");
	assert_heard(&world.a, "{\"jsonrpc\":\"2.0\",\"id\":5,\"result\":{\"content\":[]}}\n");
	(void)say(&world.a, WORK(",\"task\":{}"));
	answer_with(ext->last_no, RPC_ERROR, "{\"code\":-32601,\"message\":\"not as a task\"}");
	assert_has(&world.a, "not as a task");
	(void)say(&world.a, WORK(",\"task\":7"));
	assert_has(&world.a, "params.task must be an object");
}

static void test_a_worker_that_gives_no_id(void **unused)
{
	static const char *const bad[] = { "{\"task\":{}}", "{\"task\":7}",
		"{\"task\":{\"taskId\":7}}", "{\"task\":{\"taskId\":\"\"}}",
		"{\"task\":{\"taskId\":\"a\\u0000b\"}}" };

	for (size_t i = 0; i < N_ELEMENTS(bad); i++) {
		(void)say(&world.a, WORK(",\"task\":{}"));
		answer_with(ext->last_no, RPC_RESULT, bad[i]);
		assert_has(&world.a, "gave it no id that can be used");
	}
	(void)begin(&world.a, "w");
	(void)say(&world.b, WORK(",\"task\":{}"));
	answer_with(ext->last_no, RPC_RESULT, "{\"task\":{\"taskId\":\"w\"}}");
	assert_has(&world.b, "gave it no id that can be used");
}

static void test_questions_that_are_wrong(void **unused)
{
	(void)begin(&world.a, "w");
	ask(&world.a, "tasks/get", "w"); /* the worker's name for it */
	assert_has(&world.a, "\"code\":-32602");
	(void)say(&world.a, SAY("1", "tasks/get", ""));
	assert_has(&world.a, "params.taskId must be there");
	(void)say(&world.a, SAY("1", "tasks/cancel", "\"taskId\":7"));
	assert_has(&world.a, "params.taskId must be there");
}

static void test_a_task_is_of_its_session(void **unused)
{
	static const char *const methods[] = { "tasks/get", "tasks/result", "tasks/cancel" };
	const char *id = begin(&world.a, "w");

	for (size_t i = 0; i < N_ELEMENTS(methods); i++) {
		strbuf_cut(&ext->line, 0);
		ask(&world.b, methods[i], id);
		assert_has(&world.b, "\"code\":-32602");
		assert_int_equal(ext->line.len, 0);
	}
	(void)say(&world.b, SAY("1", "tasks/list", ""));
	assert_heard(&world.b, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"tasks\":[]}}\n");
	assert_task(list(&world.a, ""), id);
}

static void test_the_worker_has_forgotten_it(void **unused)
{
	const char *id = begin(&world.a, "w");

	ask(&world.a, "tasks/get", id);
	answer_with(ext->last_no, RPC_ERROR, "{\"code\":-32602,\"message\":\"expired\"}");
	assert_has(&world.a, "expired");
	assert_int_equal(ext->n_holds, 0);
	(void)say(&world.a, SAY("1", "tasks/list", ""));
	assert_has(&world.a, "\"tasks\":[]");
}

static void test_waiting_for_a_result_takes_as_long_as_the_task(void **unused)
{
	const char *id = begin(&world.a, "w");

	ask(&world.a, "tasks/result", id);
	loop_fake_advance(world.loop, 59000);
	assert_heard(&world.a, "");
	loop_fake_advance(world.loop, 60000);
	assert_has(&world.a, "did not answer within");
}

/* --- news ---------------------------------------------------------------------------------------------- */

static void test_status_goes_to_the_owner(void **unused)
{
	const char *id = begin(&world.a, "w");
	const char *text;

	ext_tells(
		"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/tasks/status\",\"params\":{" STATE(
			"w", "completed") ",\"statusMessage\":\"so\"}}",
		NULL, 0);
	text = heard(&world.a);
	assert_non_null(strstr(text, "notifications/tasks/status"));
	assert_task(text, id);
	assert_heard(&world.b, "");
	assert_int_equal(ext->n_holds, 0);
	(void)say(&world.a, SAY("1", "tasks/list", ""));
	text = heard(&world.a);
	assert_task(text, id);
	assert_non_null(strstr(text, "\"status\":\"completed\",\"statusMessage\":\"so\","
				     "\"createdAt\":\"2025-11-25T10:30:00Z\""));
	ext_tells(
		"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/tasks/status\",\"params\":{" STATE(
			"other", "completed") "}}",
		NULL, 0);
	assert_heard(&world.a, "");
}

static void test_progress_goes_on(void **unused)
{
	auto_free char *text = NULL;

	(void)say(&world.a, WORK(",\"task\":{},\"_meta\":{\"progressToken\":\"tok\"}"));
	text = alloc_printf(
		"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{"
		"\"progressToken\":%d,\"progress\":1}}",
		(int)ext->last_no);
	ext_tells(text, NULL, 0);
	assert_heard(&world.a, "");
	answer_with(ext->last_no, RPC_RESULT, "{\"task\":{" STATE("w", "working") "}}");
	(void)heard(&world.a);
	ext_tells(text, NULL, 0);
	assert_heard(&world.a, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\","
			       "\"params\":{\"progressToken\":\"tok\",\"progress\":1}}\n");
}

static void test_a_log_message_of_a_task(void **unused)
{
	const char *id = begin(&world.a, "w");

	ext_tells("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{\"level\":"
		  "\"info\",\"data\":1," RELATED("w") "}}",
		NULL, 0);
	assert_task(heard(&world.a), id);
	assert_heard(&world.b, "");
}

/* --- what a worker asks ----------------------------------------------------------------------------------- */

#define ELICIT(id)                                                                                 \
	SAY("9", "elicitation/create", "\"message\":\"who?\",\"requestedSchema\":{}," RELATED(id))

static void test_a_question_goes_to_the_owner(void **unused)
{
	const char *id = begin(&world.a, "w");
	auto_free char *answer = NULL;
	int no = 0;
	const char *text;
	uint64_t other;

	call_tool(&world.b, "1", "ext_work");
	other = ext->last_no;
	ext_asks(ELICIT("w"), &other, 1);
	assert_heard(&world.b, "");
	text = heard(&world.a);
	assert_task(text, id);
	assert_int_equal(sscanf(text, "{\"jsonrpc\":\"2.0\",\"id\":%d,", &no), 1);
	answer = alloc_printf("{\"jsonrpc\":\"2.0\",\"id\":%d,\"result\":{\"action\":\"accept\","
			      "\"_meta\":{\"io.modelcontextprotocol/related-task\":{\"taskId\":"
			      "\"%s\"}}}}",
		no, id);
	(void)say(&world.b, answer); /* who was not asked */
	assert_string_equal(strbuf_get(&ext->reply), "");
	(void)say(&world.a, answer);
	assert_string_equal(strbuf_get(&ext->reply),
		"{\"jsonrpc\":\"2.0\",\"id\":9,\"result\":{\"action\":\"accept\"," RELATED(
			"w") "}}");
}

static void test_a_question_about_no_task(void **unused)
{
	(void)begin(&world.a, "w");
	ext_asks(ELICIT("gone"), NULL, 0);
	assert_non_null(strstr(strbuf_get(&ext->reply), "\"code\":-31004"));
	assert_heard(&world.a, "");
}

/* Who only waits for a result is not who caused another question. */
static void test_waiting_is_no_work(void **unused)
{
	const char *id = begin(&world.a, "w");
	uint64_t calls[2];

	ask(&world.a, "tasks/result", id);
	calls[0] = ext->last_no;
	call_tool(&world.b, "1", "ext_work");
	calls[1] = ext->last_no;
	ext_asks(SAY("9", "elicitation/create", "\"message\":\"who?\",\"requestedSchema\":{}"),
		calls, 2);
	assert_heard(&world.a, "");
	assert_has(&world.b, "who?");
}

/* --- ends ------------------------------------------------------------------------------------------------- */

static void test_the_process_ends(void **unused)
{
	const char *id = begin(&world.a, "w");
	const char *text;

	mcp_domain_hooks.worker_ended(world.mcp, ext, EXT_WORKER);
	text = heard(&world.a);
	assert_task(text, id);
	assert_non_null(strstr(text, "\"status\":\"failed\""));
	strbuf_cut(&ext->line, 0);
	ask(&world.a, "tasks/get", id);
	assert_has(&world.a, "\"status\":\"failed\",\"statusMessage\":\"the process");
	ask(&world.a, "tasks/result", id);
	assert_has(&world.a, "\"code\":-31001");
	ask(&world.a, "tasks/cancel", id);
	assert_has(&world.a, "\"code\":-32602");
	assert_int_equal(ext->line.len, 0);
	assert_string_not_equal(begin(&world.a, "w"), id); /* the next process may count anew */
}

static void test_the_process_cannot_be_asked(void **unused)
{
	const char *id = begin(&world.a, "w");

	ext->refusal = -ESRCH;
	ask(&world.a, "tasks/get", id);
	assert_has(&world.a, "the process that has the task cannot be asked now");
}

static void test_the_session_ends(void **unused)
{
	const char *id = begin(&world.a, "w");

	(void)begin(&world.a, "done");
	ext_tells(
		"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/tasks/status\",\"params\":{" STATE(
			"done", "failed") "}}",
		NULL, 0);
	session_close(world.a.session, "test");
	loop_settle(world.loop);
	assert_string_equal(strbuf_get(&ext->told),
		"{\"jsonrpc\":\"2.0\",\"id\":\"task-cancel\",\"method\":\"tasks/cancel\","
		"\"params\":{\"taskId\":\"w\"}}");
	assert_int_equal(ext->n_holds, 0);
	ask(&world.b, "tasks/get", id);
	assert_has(&world.b, "\"code\":-32602");
}

static void test_its_time_is_over(void **unused)
{
	const char *id = begin(&world.a, "w");

	loop_fake_advance(world.loop, 110000); /* ttl 60 s; a grace */
	assert_task(list(&world.a, ""), id);
	loop_fake_advance(world.loop, 60000);
	ask(&world.a, "tasks/get", id);
	assert_has(&world.a, "\"code\":-32602");
	assert_int_equal(ext->n_holds, 0);
	(void)say(&world.a, SAY("1", "tasks/list", ""));
	assert_has(&world.a, "\"tasks\":[]");
}

static void test_so_many_and_no_more(void **unused)
{
	for (int i = 0; i < 256; i++) {
		auto_free char *name = alloc_printf("w%d", i);

		(void)begin(&world.a, name);
	}
	(void)say(&world.a, WORK(",\"task\":{}"));
	assert_has(&world.a, "\"code\":-31003");
	(void)begin(&world.b, "w"); /* others have as many */
	assert_int_equal(ext->n_holds, 257);
}

static void test_the_last_place_is_lost_on_the_way(void **unused)
{
	uint64_t no;

	for (int i = 0; i < 255; i++) {
		auto_free char *name = alloc_printf("w%d", i);

		(void)begin(&world.a, name);
	}
	(void)say(&world.a, SAY("6", "tools/call", "\"name\":\"ext_work\",\"task\":{}"));
	no = ext->last_no;
	(void)begin(&world.a, "last");
	answer_with(no, RPC_RESULT, "{\"task\":{\"taskId\":\"over\"}}");
	assert_has(&world.a, "\"code\":-31003");
	assert_non_null(strstr(strbuf_get(&ext->told), "\"taskId\":\"over\""));
}

static unsigned count(const char *text, const char *what)
{
	unsigned n = 0;

	while ((text = strstr(text, what))) {
		text++;
		n++;
	}
	return n;
}

static void test_list_has_pages(void **unused)
{
	char cursor[32] = "";
	unsigned n = 0;
	const char *text;
	const char *at;

	for (int i = 0; i < 70; i++) {
		auto_free char *name = alloc_printf("w%d", i);

		(void)begin(&world.a, name);
	}
	for (int page = 0; page < 3; page++) {
		text = list(&world.a, cursor);
		n += count(text, "\"taskId\"");
		at = strstr(text, "\"nextCursor\":\"");
		assert_int_equal(at != NULL, page < 2);
		if (at)
			(void)snprintf(cursor, sizeof(cursor), "\"cursor\":%.*s",
				(int)strcspn(at + 13, "}"), at + 13);
	}
	assert_int_equal(n, 70);
	(void)say(&world.a, SAY("1", "tasks/list", "\"cursor\":\"x\""));
	assert_has(&world.a, "\"code\":-32602");
	(void)say(&world.a, SAY("1", "tasks/list", "\"cursor\":\"999999\""));
	assert_has(&world.a, "\"code\":-32602");
	(void)say(&world.a, SAY("1", "tasks/list", "\"cursor\":7"));
	assert_has(&world.a, "\"code\":-32602");
}

/* A worker need not tell that a task has ended. */
static void test_list_asks_about_those_that_may_have_ended(void **unused)
{
	const char *first = begin(&world.a, "one");
	const char *second = begin(&world.a, "two");
	const char *third = begin(&world.a, "three");
	const char *text;

	(void)say(&world.a, SAY("1", "tasks/list", ""));
	assert_asked("\"method\":\"tasks/get\",\"params\":{\"taskId\":\"three\"}");
	assert_int_equal(ext->worker, EXT_WORKER);
	answer_with(ext->last_no, RPC_RESULT, "{" STATE("three", "completed") "}");
	assert_asked("\"taskId\":\"two\"");
	answer_with(ext->last_no, RPC_ERROR, "{\"code\":-32602,\"message\":\"expired\"}");
	assert_asked("\"taskId\":\"one\"");
	assert_heard(&world.a, "");
	mcp_domain_hooks.lost(world.mcp, ext->last_no, DOMAIN_LOST_DIED, "so");
	text = heard(&world.a);
	assert_non_null(strstr(text, "\"id\":1,\"result\":{\"tasks\":[{"));
	assert_task(text, first);
	assert_task(text, third);
	assert_null(strstr(text, second));
	assert_int_equal(count(text, "\"status\":\"completed\""), 1);
	assert_int_equal(count(text, "\"status\":\"working\""), 1);
	assert_int_equal(ext->n_holds, 1);
	assert_int_equal(mcp_count_pending(world.mcp), 0);
}

static void test_list_of_a_worker_that_does_not_answer(void **unused)
{
	const char *id = begin(&world.a, "w");

	(void)say(&world.a, SAY("1", "tasks/list", ""));
	loop_fake_advance(world.loop, 5000);
	assert_task(heard(&world.a), id);
	assert_true(ext->cancelled.len > 0);
	(void)say(&world.a, SAY("1", "tasks/list", ""));
	(void)say(&world.a,
		"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{"
		"\"requestId\":1}}");
	assert_int_equal(mcp_count_pending(world.mcp), 0);
	ext->refusal = -ESRCH;
	(void)say(&world.a, SAY("1", "tasks/list", ""));
	assert_task(heard(&world.a), id);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, world_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_capability_is_told_in_its_revision_only),
		cmocka_unit_test_teardown(test_a_worker_without_tasks, world_tear_down),
		TEST(test_the_member_is_left_out_wherever_it_stands),
		TEST(test_a_modern_client_has_none),
		TEST(test_ids_are_ours),
		TEST(test_a_result_names_its_task),
		TEST(test_a_call_may_be_done_at_once),
		TEST(test_a_worker_that_gives_no_id),
		TEST(test_questions_that_are_wrong),
		TEST(test_a_task_is_of_its_session),
		TEST(test_the_worker_has_forgotten_it),
		TEST(test_waiting_for_a_result_takes_as_long_as_the_task),
		TEST(test_status_goes_to_the_owner),
		TEST(test_progress_goes_on),
		TEST(test_a_log_message_of_a_task),
		TEST(test_a_question_goes_to_the_owner),
		TEST(test_a_question_about_no_task),
		TEST(test_waiting_is_no_work),
		TEST(test_the_process_ends),
		TEST(test_the_process_cannot_be_asked),
		TEST(test_the_session_ends),
		TEST(test_its_time_is_over),
		TEST(test_so_many_and_no_more),
		TEST(test_the_last_place_is_lost_on_the_way),
		TEST(test_list_has_pages),
		TEST(test_list_asks_about_those_that_may_have_ended),
		TEST(test_list_of_a_worker_that_does_not_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
