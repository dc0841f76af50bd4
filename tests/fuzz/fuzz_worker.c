/* A worker's lines: whatever a process writes, what the supervisor says to it are lines of JSON-RPC, and
 * each call that it was given ends once: answered, or lost with the process.
 *
 * The first byte of the input says which kind of worker it is; the rest is what the process writes. */
#include <sys/socket.h>

#include "shared/fd.h"
#include "shared/limits.h"
#include "shared/log.h"
#include "supervisor/fleet/worker.h"
#include "tests/fuzz/fuzz.h"

enum { N_CALLS = 3, MAX_HEARD = 64 * MIB };

static struct world {
	struct loop *loop;
	struct worker *worker;
	int peer;
	process_ended_fn *ended;
	void *ended_arg;
	bool given;             /* the calls were handed over */
	unsigned ends[N_CALLS]; /* how often each of them has ended */
	struct strbuf heard;
	size_t n_heard;
} world;

/* --- the process: its side of the link is the input ------------------------------------------------- */

int process_start(struct launcher *launcher, const struct process_spec *spec, process_ended_fn *fn,
	void *arg, struct process **ret, int *ret_fd, int *ret_err_fd)
{
	int pair[2], err[2];

	CHECK(fd_socketpair(pair) == 0 && fd_pipe(err) == 0);
	CHECK(fd_set_nonblock(err[0], true) == 0 && fd_set_nonblock(pair[1], true) == 0);
	(void)fd_close(err[1]);
	world.peer = pair[1];
	world.ended = fn;
	world.ended_arg = arg;
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
}

void process_end_text(const struct process_end *end, char ret[PROCESS_END_TEXT])
{
	(void)snprintf(ret, PROCESS_END_TEXT, "it ended");
}

/* --- hooks ------------------------------------------------------------------------------------------- */

static void give_calls(struct worker *w)
{
	static const char *const uris[] = { "file:///b", "file:///a" };

	for (uint64_t no = 0; no < N_CALLS; no++) {
		struct request *request = alloc_zero(sizeof(*request));

		request->no = no;
		request->line = alloc_printf(
			"{\"jsonrpc\":\"2.0\",\"id\":%d,\"method\":\"m\",\"params\":{}}", (int)no);
		request->len = strlen(request->line);
		request->meta_at = request->len - 2;
		request->envelope = alloc_str("\"_meta\":{}");
		request->is_modern = no == 1;
		if (!worker_has_room(w) || worker_call(w, request) < 0) {
			request_free(request);
			world.ends[no]++;
		}
	}
	worker_set_subscriptions(w, uris, N_ELEMENTS(uris));
	worker_set_level(w, "info");
}

static void on_ready(void *arg, struct worker *w, const struct offering *offering)
{
	auto_free char *text = offering_to_text(offering);

	CHECK(offering->takes_legacy || offering->takes_modern);
	CHECK(json_is_object(offering->info));
	CHECK(text);
}

static void on_answered(void *arg, const struct request *request, const struct rpc *rpc)
{
	CHECK(request->no < N_CALLS);
	world.ends[request->no]++;
}

static void on_progress(void *arg, uint64_t no, const struct rpc *rpc)
{
	CHECK(no < N_CALLS && world.ends[no] == 0);
}

static void on_freed(void *arg, struct worker *w)
{
}

static void on_asked(void *arg, struct worker *w, const struct rpc *rpc)
{
	auto_strbuf answer = { 0 };

	CHECK(rpc->id.at && rpc->method.at);
	if (jspan_is(rpc->method, "later"))
		return;
	rpc_add_result(&answer, rpc->id, "{}", 2);
	worker_reply(w, answer.data, answer.len);
}

static void on_told(void *arg, struct worker *w, const struct rpc *rpc)
{
	CHECK(rpc->kind == RPC_NOTIFICATION && rpc->method.at);
}

static void on_lost(void *arg, struct worker *w, struct request_list *calls)
{
	struct request *request;

	while ((request = TAILQ_FIRST(calls))) {
		TAILQ_REMOVE(calls, request, next);
		world.ends[request->no]++;
		request_free(request);
	}
}

static void on_moved(void *arg, struct worker *w)
{
	if (worker_get_state(w) == WORKER_READY && !world.given) {
		world.given = true;
		give_calls(w);
	}
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

/* --- one run ----------------------------------------------------------------------------------------- */

static struct worker *make_worker(uint8_t kind)
{
	struct worker_setup *setup = alloc_zero(sizeof(*setup));
	struct worker *worker;

	setup->n_refs = 1;
	setup->domain = alloc_str("fuzz");
	setup->argv = alloc_zero(2 * sizeof(char *));
	setup->argv[0] = alloc_str("/bin/fake");
	setup->env = alloc_zero(sizeof(char *));
	setup->native = kind % 4 == 3;
	setup->protocol = setup->native ? CONF_PROTOCOL_AUTO : (enum conf_protocol)(kind % 4);
	setup->concurrency = N_CALLS;
	setup->start_timeout_ms = 10000;
	setup->cancel_grace_ms = 2000;
	setup->health_interval_ms = 30000;
	setup->health_timeout_ms = 5000;
	worker = worker_new(world.loop, NULL, setup, 1, &hooks, NULL);
	worker_setup_unref(setup);
	return worker;
}

static void check_lines(void)
{
	const char *end;
	size_t used = 0;

	while (used < world.heard.len &&
		(end = memchr(world.heard.data + used, '\n', world.heard.len - used))) {
		const char *line = world.heard.data + used;
		struct rpc rpc;
		const char *why;

		CHECK(rpc_parse(line, (size_t)(end - line), &rpc, &why) == 0);
		used = (size_t)(end - world.heard.data) + 1;
	}
	memmove(world.heard.data, world.heard.data + used, world.heard.len - used);
	strbuf_cut(&world.heard, world.heard.len - used);
}

static void hear(void)
{
	char bytes[65536];
	ssize_t n;

	for (int i = 0; i < 3; i++)
		loop_fake_turn(world.loop);
	while ((n = recv(world.peer, bytes, sizeof(bytes), 0)) > 0) {
		strbuf_add(&world.heard, bytes, (size_t)n);
		world.n_heard += (size_t)n;
	}
	CHECK(world.n_heard < MAX_HEARD);
	if (world.heard.len > 0)
		check_lines();
}

static void say(const uint8_t *data, size_t size)
{
	while (size > 0) {
		size_t part = size < 4096 ? size : 4096;
		ssize_t n = send(world.peer, data, part, MSG_NOSIGNAL);

		hear();
		if (n <= 0)
			return; /* it was given up */
		data += n;
		size -= (size_t)n;
	}
	loop_fake_advance(world.loop, 250); /* what waits for a moment */
	hear();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct process_end end = { 0 };

	if (size == 0)
		return 0;
	log_init("fuzz", LOG_TARGET_TEXT, LOG_LEVEL_ERROR);
	world = (struct world){ .loop = loop_new_fake(), .peer = -1 };
	world.worker = make_worker(data[0]);
	worker_start(world.worker);
	hear();
	say(data + 1, size - 1);
	worker_stop(world.worker, 0);
	world.peer = fd_close(world.peer);
	world.ended(world.ended_arg, &end);
	loop_settle(world.loop);
	CHECK(worker_get_state(world.worker) == WORKER_DOWN);
	for (int i = 0; i < N_CALLS; i++)
		CHECK(world.ends[i] == (world.given ? 1 : 0));
	worker_free(world.worker);
	loop_free(world.loop);
	strbuf_done(&world.heard);
	return 0;
}
