/* A worker from start to end: what is said on its link, what becomes of its calls, and when it is
 * killed. The process is a fake of this file, in the place of fleet/launch.c: its side of the socket is
 * written and read here. The clock is a fake, but for the age of a running call. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "shared/alloc.h"
#include "shared/fd.h"
#include "shared/limits.h"
#include "shared/log.h"
#include "supervisor/fleet/worker.h"

static struct world {
	struct loop *loop;
	struct worker *worker;
	int peer; /* the process' side; -1: none */
	int peer_err;
	process_ended_fn *ended;
	void *ended_arg;
	int start_result;
	unsigned n_starts;
	int last_signal;
	struct strbuf story; /* of the hooks */
	char *offering;      /* what was told last, as text */
	bool replies;        /* what it asks is answered at once */
	enum conf_protocol protocol;
	size_t max_line;
} world;

/* --- the fake process ---------------------------------------------------------------------------- */

int process_start(struct launcher *launcher, const struct process_spec *spec, process_ended_fn *fn,
	void *arg, struct process **ret, int *ret_fd, int *ret_err_fd)
{
	int pair[2], err[2];

	if (world.start_result < 0)
		return world.start_result;
	assert_int_equal(fd_socketpair(pair), 0);
	assert_int_equal(fd_pipe(err), 0);
	assert_int_equal(fd_set_nonblock(err[0], true), 0);
	assert_int_equal(fd_set_nonblock(pair[1], true), 0);
	world.peer = pair[1];
	world.peer_err = err[1];
	world.ended = fn;
	world.ended_arg = arg;
	world.last_signal = 0;
	world.n_starts++;
	*ret = (struct process *)(void *)&world;
	*ret_fd = pair[0];
	*ret_err_fd = err[0];
	return 0;
}

pid_t process_pid(const struct process *process)
{
	return 4711;
}

void process_kill(struct process *process, int signo)
{
	world.last_signal = signo;
}

void process_end_text(const struct process_end *end, char ret[PROCESS_END_TEXT])
{
	(void)snprintf(ret, PROCESS_END_TEXT, end->failed_exec ? "cannot run it" : "it ended");
}

static void turn(void)
{
	for (int i = 0; i < 3; i++)
		loop_fake_turn(world.loop);
}

static void end_process(void)
{
	const struct process_end end = { 0 };

	world.peer = fd_close(world.peer);
	world.peer_err = fd_close(world.peer_err);
	world.ended(world.ended_arg, &end);
	loop_settle(world.loop);
}

static void peer_says(const char *line)
{
	auto_free char *text = alloc_printf("%s\n", line);

	assert_int_equal(send(world.peer, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
	turn();
}

/* What the supervisor has said since the last time. */
static const char *peer_hears(void)
{
	static char text[65536];
	ssize_t n;

	turn();
	n = recv(world.peer, text, sizeof(text) - 1, 0);
	text[n > 0 ? n : 0] = '\0';
	return text;
}

/* --- hooks --------------------------------------------------------------------------------------- */

static void on_ready(void *arg, struct worker *w, const struct offering *offering)
{
	free(world.offering);
	world.offering = offering_to_text(offering);
	strbuf_addf(&world.story, "ready:%d ", (int)json_array_size(offering->tools));
}

static void on_answered(void *arg, uint64_t no, const struct rpc *rpc)
{
	strbuf_addf(&world.story, "answered:%d ", (int)no);
}

static void on_freed(void *arg, struct worker *w)
{
	strbuf_adds(&world.story, "freed ");
}

static void on_progress(void *arg, uint64_t no, const struct rpc *rpc)
{
	strbuf_addf(&world.story, "progress:%d ", (int)no);
}

static void on_asked(void *arg, struct worker *w, const struct rpc *rpc)
{
	auto_strbuf answer = { 0 };

	strbuf_addf(&world.story, "asked:%.*s ", (int)rpc->id.len, rpc->id.at);
	if (!world.replies)
		return;
	strbuf_cut(&world.story, 0); /* one of many */
	rpc_add_error(&answer, rpc->id, RPC_METHOD_NOT_FOUND, "no such method");
	worker_reply(w, answer.data, answer.len);
}

static void on_told(void *arg, struct worker *w, const struct rpc *rpc)
{
	strbuf_addf(&world.story, "told:%.*s%.*s ", (int)rpc->method.len, rpc->method.at,
		(int)rpc->params.len, rpc->params.len ? rpc->params.at : "");
}

static void on_lost(void *arg, struct worker *w, struct request_list *calls)
{
	struct request *request;

	strbuf_adds(&world.story, "lost ");
	while ((request = TAILQ_FIRST(calls))) {
		strbuf_addf(&world.story, "%s%d ",
			request->ahead ? "ahead:" : "call:", (int)request->no);
		TAILQ_REMOVE(calls, request, next);
		request_free(request);
	}
}

static void on_moved(void *arg, struct worker *w)
{
	strbuf_addf(&world.story, "%s ", worker_state_name(worker_get_state(w)));
}

static const struct worker_hooks hooks = {
	.ready = on_ready,
	.answered = on_answered,
	.freed = on_freed,
	.progress = on_progress,
	.asked = on_asked,
	.told = on_told,
	.lost = on_lost,
	.moved = on_moved,
};

static const char *story(void)
{
	static char text[1000];

	loop_settle(world.loop);
	(void)snprintf(text, sizeof(text), "%s", strbuf_get(&world.story));
	strbuf_cut(&world.story, 0);
	return text;
}

static struct worker_setup *make_setup(bool native)
{
	struct worker_setup *setup = alloc_zero(sizeof(*setup));

	setup->n_refs = 1;
	setup->domain = alloc_str("test");
	setup->argv = alloc_zero(2 * sizeof(char *));
	setup->argv[0] = alloc_str("/bin/fake");
	setup->env = alloc_zero(sizeof(char *));
	setup->native = native;
	setup->protocol = world.protocol;
	setup->max_line = world.max_line;
	setup->concurrency = native ? 1 : 4;
	setup->start_timeout_ms = 10000;
	setup->cancel_grace_ms = 2000;
	setup->health_interval_ms = 30000;
	setup->health_timeout_ms = 5000;
	setup->restart = (struct backoff_rules){ .first_ms = 100,
		.cap_ms = 1000,
		.park_ms = 60000,
		.stable_ms = 60000,
		.park_after = 3 };
	return setup;
}

static void make_worker(bool native)
{
	struct worker_setup *setup = make_setup(native);

	world.worker = worker_new(world.loop, NULL, setup, 1, &hooks, &world);
	worker_setup_unref(setup);
}

static int set_up(void **unused)
{
	log_init("test", LOG_TARGET_TEXT, LOG_LEVEL_ERROR);
	world = (struct world){ .loop = loop_new_fake(), .peer = -1, .peer_err = -1 };
	loop_fake_advance(world.loop, 1000);
	return 0;
}

static int tear_down(void **unused)
{
	loop_settle(world.loop);
	worker_free(world.worker);
	loop_free(world.loop);
	(void)fd_close(world.peer);
	(void)fd_close(world.peer_err);
	strbuf_done(&world.story);
	free(world.offering);
	return 0;
}

#define RESULT(id, result) "{\"jsonrpc\":\"2.0\",\"id\":\"" id "\",\"result\":" result "}"
#define ERROR(id, code, text)                                                                      \
	"{\"jsonrpc\":\"2.0\",\"id\":\"" id "\",\"error\":{\"code\":" code ",\"message\":\"" text  \
	"\"}}"
#define OLD(capabilities)                                                                          \
	RESULT("initialize",                                                                       \
		"{\"protocolVersion\":\"2025-06-18\",\"capabilities\":{" capabilities "}}")
#define NEW(capabilities)                                                                          \
	RESULT("initialize",                                                                       \
		"{\"protocolVersion\":\"2025-11-25\",\"capabilities\":{" capabilities "}}")
#define DISCOVERED(capabilities)                                                                   \
	RESULT("discover",                                                                         \
		"{\"supportedVersions\":[\"2026-07-28\"],\"capabilities\":{" capabilities          \
		"},\"resultType\":\"complete\"}")
#define TOOLS "\"tools\":{\"listChanged\":true}"
#define ONE_TOOL RESULT("tools", "{\"tools\":[{\"name\":\"a\"}]}")
#define TELL(method, params)                                                                       \
	"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/" method "\",\"params\":" params "}"

#define assert_has(text, part) assert_non_null(strstr(text, part))
#define assert_lacks(text, part) assert_null(strstr(text, part))

static void start_process_of(bool native)
{
	make_worker(native);
	worker_start(world.worker);
	assert_string_equal(story(), "starting ");
}

static void say_hello(void)
{
	assert_has(peer_hears(), "\"method\":\"initialize\"");
	peer_says(OLD(TOOLS));
	const char *text = peer_hears();

	assert_has(text, "notifications/initialized");
	assert_has(text, "tools/list");
}

static void become_ready(void)
{
	say_hello();
	peer_says(ONE_TOOL);
	assert_int_equal(worker_get_state(world.worker), WORKER_READY);
}

static void start(bool native)
{
	start_process_of(native);
	become_ready();
	assert_string_equal(story(), "listing ready:1 ready ");
}

/* An external one that answers `hello` and lists one tool. */
static void start_as(const char *hello)
{
	start_process_of(false);
	(void)peer_hears();
	peer_says(hello);
	(void)peer_hears();
	peer_says(ONE_TOOL);
	assert_int_equal(worker_get_state(world.worker), WORKER_READY);
	assert_string_equal(story(), "listing ready:1 ready ");
}

/* One that takes 2026-07-28 only. */
static void start_modern(const char *capabilities)
{
	auto_free char *hello =
		alloc_printf("{\"jsonrpc\":\"2.0\",\"id\":\"discover\",\"result\":{"
			     "\"supportedVersions\":[\"2026-07-28\"],\"capabilities\":{%s}}}",
			capabilities);

	world.protocol = CONF_PROTOCOL_MODERN;
	start_as(hello);
}

static void assert_killed_for(const char *words)
{
	assert_int_equal(worker_get_state(world.worker), WORKER_KILLED);
	end_process();
	assert_has(worker_get_last_end(world.worker), words);
}

static void call(uint64_t no)
{
	struct request *request = alloc_zero(sizeof(*request));

	request->no = no;
	request->line = alloc_printf("{\"call\":%d}", (int)no);
	request->len = strlen(request->line);
	assert_int_equal(worker_call(world.worker, request), 0);
}

static void answer(int no)
{
	auto_free char *text = alloc_printf("{\"jsonrpc\":\"2.0\",\"id\":%d,\"result\":{}}", no);

	peer_says(text);
}

/* --- tests --------------------------------------------------------------------------------------- */

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

static void test_calls(void **unused)
{
	start(true);
	assert_true(worker_has_room(world.worker));
	call(1);
	assert_false(worker_has_room(world.worker));
	assert_string_equal(peer_hears(), "{\"call\":1}\n");
	peer_says(
		"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{\"progressToken\":1}}");
	peer_says(
		"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{\"progressToken\":2}}");
	answer(1);
	answer(1);
	answer(7);
	assert_string_equal(story(), "progress:1 answered:1 freed ");
	assert_true(worker_is_idle(world.worker));
}

static void test_cancelled_call_that_ends(void **unused)
{
	start(true);
	call(1);
	(void)peer_hears();
	assert_true(worker_cancel(world.worker, 1, "why \"so\""));
	assert_false(worker_cancel(world.worker, 2, "none"));
	const char *text = peer_hears();

	assert_non_null(strstr(text, "\"requestId\":1,\"reason\":\"why \\\"so\\\"\""));
	assert_non_null(strstr(text, "\"id\":\"probe-1\",\"method\":\"ping\""));
	assert_false(worker_has_room(world.worker));
	peer_says("{\"jsonrpc\":\"2.0\",\"id\":\"probe-1\",\"result\":{}}");
	assert_string_equal(story(), "freed ");
	loop_fake_advance(world.loop, 10000);
	assert_int_equal(worker_get_state(world.worker), WORKER_READY);
}

static void test_cancelled_call_that_goes_on(void **unused)
{
	start(true);
	call(1);
	(void)worker_cancel(world.worker, 1, "test");
	loop_fake_advance(world.loop, 1999);
	assert_int_equal(world.last_signal, 0);
	loop_fake_advance(world.loop, 1);
	assert_int_equal(world.last_signal, SIGKILL);
	loop_fake_advance(world.loop, 10000); /* nothing more while it is not reaped */
	assert_string_equal(story(), "killed ");
	end_process();
	assert_non_null(strstr(worker_get_last_end(world.worker), "cancel_grace"));
	(void)story();
	loop_fake_advance(world.loop, 2000);
	assert_int_equal(world.n_starts, 2);
}

static void test_health(void **unused)
{
	start(true);
	(void)peer_hears();
	loop_fake_advance(world.loop, 30000);
	assert_non_null(strstr(peer_hears(), "\"id\":\"ping\""));
	peer_says("{\"jsonrpc\":\"2.0\",\"id\":\"ping\",\"result\":{}}");
	loop_fake_advance(world.loop, 20000);
	assert_int_equal(worker_get_state(world.worker), WORKER_READY);
	loop_fake_advance(world.loop, 30000);
	assert_int_equal(worker_get_state(world.worker), WORKER_KILLED);
}

static void test_busy_is_not_pinged(void **unused)
{
	start(true);
	call(1);
	(void)peer_hears();
	loop_fake_advance(world.loop, 200000);
	assert_string_equal(peer_hears(), "");
	assert_int_equal(worker_get_state(world.worker), WORKER_READY);
}

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

static void test_last_answers_count(void **unused)
{
	start(false);
	call(1);
	call(2);
	assert_true(send(world.peer, "{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{}}\n", 38, 0) > 0);
	end_process(); /* before the loop has read it */
	assert_string_equal(story(), "answered:2 freed backoff lost call:1 ");
}

static void test_dies_while_it_serves(void **unused)
{
	start(true);
	call(1);
	answer(1);
	end_process();
	(void)story();
	loop_fake_advance(world.loop, 0); /* replaced at once */
	assert_string_equal(story(), "starting ");
	become_ready();
}

static void test_dies_before_it_is_ready(void **unused)
{
	make_worker(true);
	worker_start(world.worker);
	for (int i = 0; i < 2; i++) {
		end_process();
		assert_int_equal(worker_get_state(world.worker), WORKER_BACKOFF);
		loop_fake_advance(world.loop, 2000);
		assert_int_equal(worker_get_state(world.worker), WORKER_STARTING);
	}
	assert_int_equal(fd_write_all(world.peer_err, "bad luck\n", 9), 0);
	end_process();
	assert_int_equal(worker_get_state(world.worker), WORKER_PARKED);
	assert_string_equal(
		worker_get_last_end(world.worker), "it ended; its last words: bad luck");
	loop_fake_advance(world.loop, 120000);
	assert_int_equal(worker_get_state(world.worker), WORKER_KILLED); /* start_timeout */
}

static void test_cannot_start(void **unused)
{
	make_worker(true);
	world.start_result = -ENOENT;
	worker_start(world.worker);
	loop_settle(world.loop);
	assert_int_equal(worker_get_state(world.worker), WORKER_PARKED);
	assert_non_null(strstr(worker_get_last_end(world.worker), "/bin/fake"));
	world.start_result = -EMFILE; /* passes: tried again soon */
	worker_start(world.worker);
	loop_settle(world.loop);
	assert_int_equal(worker_get_state(world.worker), WORKER_BACKOFF);
	world.start_result = 0;
	loop_fake_advance(world.loop, 2000);
	become_ready();
}

static void test_stop_while_the_start_fails(void **unused)
{
	make_worker(true);
	world.start_result = -ENOENT;
	worker_start(world.worker);
	worker_stop(world.worker, 0);
	loop_settle(world.loop);
	assert_int_equal(worker_get_state(world.worker), WORKER_DOWN);
}

static void test_start_takes_too_long(void **unused)
{
	make_worker(true);
	worker_start(world.worker);
	loop_fake_advance(world.loop, 10000);
	assert_int_equal(world.last_signal, SIGKILL);
	end_process();
	assert_non_null(strstr(worker_get_last_end(world.worker), "start_timeout"));
}

static void test_refuses_to_initialize(void **unused)
{
	make_worker(true);
	worker_start(world.worker);
	peer_says(ERROR("initialize", "-32000", "not \\u001b[1m today"));
	assert_killed_for("it refused initialize: \"not \\u001b[1m today\"");
}

static void test_stop_lets_calls_end(void **unused)
{
	char byte;

	start(true);
	call(1);
	(void)peer_hears();
	worker_stop(world.worker, 5000);
	assert_false(worker_has_room(world.worker));
	answer(1);
	assert_string_equal(story(), "draining answered:1 stopping ");
	assert_int_equal(recv(world.peer, &byte, 1, 0), 0); /* its input has ended */
	end_process();
	assert_string_equal(story(), "down lost ");
}

static void test_stop_goes_further_each_time(void **unused)
{
	start(true);
	call(1);
	worker_stop(world.worker, 5000);
	loop_fake_advance(world.loop, 5000);
	assert_int_equal(world.last_signal, SIGKILL);
	end_process();
	assert_string_equal(story(), "draining ending down lost call:1 ");
	worker_start(world.worker);
	become_ready();
	worker_stop(world.worker, 0);
	loop_fake_advance(world.loop, 1000);
	assert_int_equal(world.last_signal, SIGTERM);
	loop_fake_advance(world.loop, 1000);
	assert_int_equal(world.last_signal, SIGKILL);
	end_process();
	assert_int_equal(worker_get_state(world.worker), WORKER_DOWN);
}

static void test_ahead(void **unused)
{
	struct request_list back = TAILQ_HEAD_INITIALIZER(back);

	start(true);
	for (int no = 1; no < 100 && !worker_takes_ahead(world.worker); no++) {
		call((uint64_t)no); /* it has to show that it is fast */
		answer(no);
		call(1000);
		if (worker_takes_ahead(world.worker))
			break;
		answer(1000);
	}
	assert_true(worker_takes_ahead(world.worker));
	call(1001);
	call(1002);
	assert_true(worker_has_ahead(world.worker));
	assert_int_equal(worker_take_back(world.worker, 1000000, &back), 0);
	(void)usleep(6000); /* the age of a running call is real time */
	assert_false(worker_takes_ahead(world.worker));
	(void)worker_cancel(world.worker, 1002, "test");
	assert_int_equal(worker_take_back(world.worker, 1, &back), 1); /* the other is forgotten */
	struct request *request = TAILQ_FIRST(&back);
	assert_int_equal(request->no, 1001);
	assert_false(request->ahead);
	request_free(request);
	assert_false(worker_has_ahead(world.worker));
	assert_int_equal(worker_count_calls(world.worker), 1);
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

/* --- the opening ----------------------------------------------------------------------------------- */

static void test_what_it_is_told_of_us(void **unused)
{
	start_process_of(false);
	const char *text = peer_hears();

	assert_has(text, "\"protocolVersion\":\"2025-11-25\"");
	assert_has(text, "\"sampling\":{}");
	assert_has(text, "\"elicitation\":{\"form\":{},\"url\":{}}");
	assert_has(text, "\"roots\":{\"listChanged\":true}");
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

/* --- the lists ------------------------------------------------------------------------------------- */

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

/* --- requests of the stateless revision -------------------------------------------------------------- */

static void call_with(const char *envelope, bool is_modern)
{
	struct request *request = alloc_zero(sizeof(*request));

	request->no = 1;
	request->line = alloc_str("{\"params\":{}}");
	request->len = strlen(request->line);
	request->meta_at = 11;
	request->envelope = envelope ? alloc_str(envelope) : NULL;
	request->is_modern = is_modern;
	(void)peer_hears();
	assert_int_equal(worker_call(world.worker, request), 0);
}

static void test_envelope(void **unused)
{
	static const struct {
		bool takes_legacy, takes_modern, is_modern;
		const char *line;
	} cases[] = {
		{ true, false, false, "{\"params\":{}}\n" },
		{ true, false, true, "{\"params\":{}}\n" },
		{ true, true, false, "{\"params\":{}}\n" },
		{ true, true, true, "{\"params\":{E}}\n" },
		{ false, true, false, "{\"params\":{E}}\n" },
		{ false, true, true, "{\"params\":{E}}\n" },
	};

	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		if (!cases[i].takes_legacy)
			start_modern(TOOLS);
		else if (cases[i].takes_modern)
			test_takes_both(NULL);
		else
			start(false);
		call_with("E", cases[i].is_modern);
		assert_string_equal(peer_hears(), cases[i].line);
		(void)tear_down(NULL);
		(void)set_up(NULL);
	}
}

static void test_modern_health_and_cancellation(void **unused)
{
	start_modern(TOOLS);
	(void)peer_hears();
	loop_fake_advance(world.loop, 30000);
	const char *text = peer_hears();

	assert_has(text, "\"id\":\"ping\",\"method\":\"server/discover\",\"params\":{\"_meta\":{");
	peer_says(RESULT("ping", "{}"));
	call(1);
	(void)peer_hears();
	assert_true(worker_cancel(world.worker, 1, "why"));
	text = peer_hears();
	assert_has(text, "\"notifications/cancelled\",\"params\":{\"requestId\":1,");
	assert_has(text, "\"id\":\"probe-1\",\"method\":\"server/discover\"");
	peer_says(RESULT("probe-1", "{}"));
	assert_string_equal(story(), "freed ");
	loop_fake_advance(world.loop, 10000);
	assert_int_equal(worker_get_state(world.worker), WORKER_READY);
}

static void test_modern_does_not_answer_for_its_health(void **unused)
{
	start_modern(TOOLS);
	loop_fake_advance(world.loop, 35000);
	assert_killed_for("it did not answer a health ping");
}

/* --- subscriptions and log level --------------------------------------------------------------------- */

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

/* --- what it asks and tells ---------------------------------------------------------------------------- */

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

/* --- lines that are no message ------------------------------------------------------------------------- */

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
int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_tools_in_pages),
		TEST(test_pages_without_end),
		TEST(test_calls),
		TEST(test_cancelled_call_that_ends),
		TEST(test_cancelled_call_that_goes_on),
		TEST(test_health),
		TEST(test_busy_is_not_pinged),
		TEST(test_garbage),
		TEST(test_noise_of_others),
		TEST(test_last_answers_count),
		TEST(test_dies_while_it_serves),
		TEST(test_dies_before_it_is_ready),
		TEST(test_cannot_start),
		TEST(test_stop_while_the_start_fails),
		TEST(test_start_takes_too_long),
		TEST(test_refuses_to_initialize),
		TEST(test_stop_lets_calls_end),
		TEST(test_stop_goes_further_each_time),
		TEST(test_ahead),
		TEST(test_list_changes_while_it_is_read),
		TEST(test_asks_and_does_not_read),
		TEST(test_what_it_is_told_of_us),
		TEST(test_native_gets_no_capabilities),
		TEST(test_known_revisions),
		TEST(test_answer_to_initialize_is_no_object),
		TEST(test_takes_both),
		TEST(test_takes_no_other),
		TEST(test_says_nothing_of_discover),
		TEST(test_older_is_not_asked),
		TEST(test_protocol_legacy),
		TEST(test_protocol_legacy_is_refused),
		TEST(test_modern_after_a_refusal),
		TEST(test_refuses_both),
		TEST(test_initialize_after_a_refusal),
		TEST(test_protocol_modern),
		TEST(test_all_lists),
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
		TEST(test_envelope),
		TEST(test_modern_health_and_cancellation),
		TEST(test_modern_does_not_answer_for_its_health),
		TEST(test_subscriptions),
		TEST(test_wishes_before_it_is_ready),
		TEST(test_level),
		TEST(test_nothing_is_wished_of_one_that_cannot),
		TEST(test_listen),
		TEST(test_listen_ends),
		TEST(test_listen_is_refused),
		TEST(test_nothing_to_listen_for),
		TEST(test_asks),
		TEST(test_asks_before_it_is_ready),
		TEST(test_may_not_ask),
		TEST(test_asks_without_end),
		TEST(test_withdraws_what_it_asked),
		TEST(test_reply_to_a_dead_one),
		TEST(test_tells),
		TEST(test_only_external_legacy_ones_are_told),
		TEST(test_noise),
		TEST(test_no_noise),
		TEST(test_sloppy_answers),
		TEST(test_sloppy_progress),
		TEST(test_batch_that_breaks),
		TEST(test_no_batches_from_others),
		TEST(test_native_is_not_forgiven),
		TEST(test_line_over_the_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
