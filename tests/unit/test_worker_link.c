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
	json_t *tools;
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
	json_decref(world.tools);
	world.tools = json_incref(offering->tools);
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

	rpc_add_error(&answer, rpc->id, RPC_METHOD_NOT_FOUND, "no such method");
	worker_reply(w, answer.data, answer.len);
}

static void on_told(void *arg, struct worker *w, const struct rpc *rpc)
{
	strbuf_adds(&world.story, "told ");
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
	static char text[500];

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
	json_decref(world.tools);
	return 0;
}

static void say_hello(void)
{
	assert_non_null(strstr(peer_hears(), "\"method\":\"initialize\""));
	peer_says("{\"jsonrpc\":\"2.0\",\"id\":\"initialize\",\"result\":{\"x\":1}}");
	const char *text = peer_hears();

	assert_non_null(strstr(text, "notifications/initialized"));
	assert_non_null(strstr(text, "tools/list"));
}

static void become_ready(void)
{
	say_hello();
	peer_says(
		"{\"jsonrpc\":\"2.0\",\"id\":\"tools\",\"result\":{\"tools\":[{\"name\":\"a\"}]}}");
	assert_int_equal(worker_get_state(world.worker), WORKER_READY);
}

static void start(bool native)
{
	make_worker(native);
	worker_start(world.worker);
	become_ready();
	assert_string_equal(story(), "starting listing ready:1 ready ");
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
	for (int i = 0; i < 100; i++)
		peer_says(
			"{\"jsonrpc\":\"2.0\",\"id\":\"tools\",\"result\":{\"tools\":[],\"nextCursor\":\"c\"}}");
	assert_int_equal(worker_get_state(world.worker), WORKER_KILLED);
	assert_int_equal(world.last_signal, SIGKILL);
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
	peer_says("{\"jsonrpc\":\"2.0\",\"id\":\"initialize\",\"error\":{}}");
	assert_int_equal(worker_get_state(world.worker), WORKER_KILLED);
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
	for (int i = 0; i < 5; i++)
		peer_says("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/tools/list_changed\"}");
	const char *text = peer_hears();
	assert_non_null(strstr(text, "tools/list"));
	assert_null(strstr(strstr(text, "tools/list") + 1, "tools/list")); /* asked once */
	peer_says("{\"jsonrpc\":\"2.0\",\"id\":\"tools\",\"result\":{\"tools\":[{},{}]}}");
	assert_non_null(strstr(peer_hears(), "tools/list")); /* this list may be an old one */
	peer_says("{\"jsonrpc\":\"2.0\",\"id\":\"tools\",\"result\":{\"tools\":[{},{},{}]}}");
	assert_string_equal(peer_hears(), "");
	assert_string_equal(story(), "ready:2 ready:3 ");
}

static void test_asks_and_does_not_read(void **unused)
{
	static const char ask[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"sampling/x\"}\n";

	start(false);
	for (int i = 0; i < 100000 && worker_get_state(world.worker) == WORKER_READY; i++)
		if (send(world.peer, ask, sizeof(ask) - 1, MSG_NOSIGNAL) < 0)
			turn();
	turn();
	assert_int_equal(worker_get_state(world.worker), WORKER_KILLED);
}

static void test_asks(void **unused)
{
	start(false);
	(void)peer_hears();
	peer_says("{\"jsonrpc\":\"2.0\",\"id\":\"q\",\"method\":\"ping\"}");
	assert_string_equal(peer_hears(), "{\"jsonrpc\":\"2.0\",\"id\":\"q\",\"result\":{}}\n");
	peer_says("{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"roots/list\"}");
	assert_non_null(strstr(peer_hears(), "\"id\":5,\"error\":{\"code\":-32601"));
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
		TEST(test_asks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
