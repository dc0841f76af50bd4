/* See fake_process.h. */
#include "tests/unit/fake_process.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>

#include "shared/alloc.h"
#include "shared/fd.h"
#include "shared/log.h"

struct world world;

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

void turn(void)
{
	for (int i = 0; i < 3; i++)
		loop_fake_turn(world.loop);
}

void end_process(void)
{
	const struct process_end end = { 0 };

	world.peer = fd_close(world.peer);
	world.peer_err = fd_close(world.peer_err);
	world.ended(world.ended_arg, &end);
	loop_settle(world.loop);
}

void peer_says(const char *line)
{
	auto_free char *text = alloc_printf("%s\n", line);

	assert_int_equal(send(world.peer, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
	turn();
}

/* What the supervisor has said since the last time. */
const char *peer_hears(void)
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
	strbuf_addf(&world.story, "ready:%d ", (int)offering_count(offering->tools));
}

static void on_answered(void *arg, const struct request *request, const struct rpc *rpc)
{
	strbuf_addf(&world.story, "answered:%d ", (int)request->no);
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

const char *story(void)
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
	setup->is_isolated = world.is_isolated;
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

void make_worker(bool native)
{
	struct worker_setup *setup = make_setup(native);

	world.worker = worker_new(world.loop, NULL, setup, 1, &hooks, &world);
	worker_setup_unref(setup);
}

int set_up(void **unused)
{
	log_init("test", LOG_TARGET_TEXT, LOG_LEVEL_ERROR);
	world = (struct world){ .loop = loop_new_fake(), .peer = -1, .peer_err = -1 };
	loop_fake_advance(world.loop, 1000);
	return 0;
}

int tear_down(void **unused)
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

void start_process_of(bool native)
{
	make_worker(native);
	worker_start(world.worker);
	assert_string_equal(story(), "starting ");
}

void say_hello(void)
{
	assert_has(peer_hears(), "\"method\":\"initialize\"");
	peer_says(OLD(TOOLS));
	const char *text = peer_hears();

	assert_has(text, "notifications/initialized");
	assert_has(text, "tools/list");
}

void become_ready(void)
{
	say_hello();
	peer_says(ONE_TOOL);
	assert_int_equal(worker_get_state(world.worker), WORKER_READY);
}

void start(bool native)
{
	start_process_of(native);
	become_ready();
	assert_string_equal(story(), "listing ready:1 ready ");
}

/* An external one that answers `hello` and lists one tool. */
void start_as(const char *hello)
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
void start_modern(const char *capabilities)
{
	auto_free char *hello =
		alloc_printf("{\"jsonrpc\":\"2.0\",\"id\":\"discover\",\"result\":{"
			     "\"supportedVersions\":[\"2026-07-28\"],\"capabilities\":{%s}}}",
			capabilities);

	world.protocol = CONF_PROTOCOL_MODERN;
	start_as(hello);
}

void assert_killed_for(const char *words)
{
	assert_int_equal(worker_get_state(world.worker), WORKER_KILLED);
	end_process();
	assert_has(worker_get_last_end(world.worker), words);
}

void call(uint64_t no)
{
	call_of(no, 0);
}

void call_of(uint64_t no, uint64_t session)
{
	struct request *request = alloc_zero(sizeof(*request));

	request->no = no;
	request->session = session;
	request->line = alloc_printf("{\"call\":%d}", (int)no);
	request->len = strlen(request->line);
	assert_int_equal(worker_call(world.worker, request), 0);
}

void answer(int no)
{
	auto_free char *text = alloc_printf("{\"jsonrpc\":\"2.0\",\"id\":%d,\"result\":{}}", no);

	peer_says(text);
}
