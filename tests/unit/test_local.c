/* The local socket: who is let in, what becomes of connections whose client ends its input, goes, or does
 * not read, and where it listens. What the messages mean is a fake of this file. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cmocka.h>

#include "shared/fd.h"
#include "shared/limits.h"
#include "shared/log.h"
#include "supervisor/front/local.h"

enum { N_CLIENTS = 8 };

static struct world {
	struct loop *loop;
	struct sessions *sessions;
	struct local *local;
	struct session *last; /* that has spoken */
	unsigned n_pending;   /* of each session */
	unsigned n_received;
	unsigned n_closed;
	int clients[N_CLIENTS];
	size_t n_clients;
	char folder[64];
	char path[96];
	char other[96];
} world;

static struct conf_limits limits;

/* --- in the place of mcp.c: each line is sent back, "call" is not, until answer() --------------------- */

struct session *mcp_open(struct mcp *mcp, const struct sink_ops *ops, void *sink,
	struct endpoint *endpoint, const struct caller *caller)
{
	return session_open(world.sessions, ops, sink, endpoint);
}

struct endpoint *mcp_find_endpoint(const struct mcp *mcp, const char *domain)
{
	assert_null(domain);
	return NULL;
}

unsigned mcp_count_pending_of(const struct mcp *mcp, const struct session *session)
{
	return world.n_pending;
}

enum mcp_verdict mcp_receive(struct mcp *mcp, struct session *session,
	const struct mcp_input *input, struct strbuf *reply)
{
	static const char big[400000];

	world.n_received++;
	world.last = session;
	if (input->len == 4 && memcmp(input->text, "call", 4) == 0)
		world.n_pending++;
	else if (input->len == 3 && memcmp(input->text, "big", 3) == 0)
		session_answer(session, 0, big, sizeof(big), 0);
	else
		session_answer(session, 0, input->text, input->len, 0);
	return MCP_ACCEPTED;
}

static void answer(const char *text)
{
	world.n_pending--;
	session_answer(world.last, 0, text, strlen(text), 0);
}

static void on_closed(void *arg, struct session *session)
{
	world.n_closed++;
}

/* --- the world ------------------------------------------------------------------------------------------ */

static int set_up(void **unused)
{
	log_init("test", LOG_TARGET_TEXT, LOG_LEVEL_ERROR);
	(void)signal(SIGPIPE, SIG_IGN);
	limits = (struct conf_limits){
		.sessions = 4,
		.connections = 3,
		.session_idle_ms = 1000,
		.sweep_ms = 100,
		.request_bytes = 100,
		.session_queue_bytes = 1000000,
		.session_queue_messages = 10,
	};
	world = (struct world){ .loop = loop_new_fake() };
	(void)snprintf(world.folder, sizeof(world.folder), "/tmp/test_local.XXXXXX");
	if (!mkdtemp(world.folder))
		return -1;
	(void)snprintf(world.path, sizeof(world.path), "%s/mcp.sock", world.folder);
	(void)snprintf(world.other, sizeof(world.other), "%s/other.sock", world.folder);
	world.sessions = sessions_new(world.loop, &limits, on_closed, NULL);
	world.local = local_new(world.loop, NULL, &limits);
	return 0;
}

static int tear_down(void **unused)
{
	local_free(world.local);
	sessions_free(world.sessions);
	loop_free(world.loop);
	for (size_t i = 0; i < world.n_clients; i++)
		(void)fd_close(world.clients[i]);
	return rmdir(world.folder); /* nothing is left in it */
}

static void turn(void)
{
	for (int i = 0; i < 3; i++)
		loop_fake_turn(world.loop);
}

static void listen_at(const char *path)
{
	struct fail fail = { 0 };

	if (local_prepare(world.local, path, "", &fail) < 0)
		fail_msg("%s", fail.text);
	local_commit(world.local);
}

/* The number of a new client that nobody has looked at yet; -1: nobody listens there. */
static int stand_at(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	(void)snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0) {
		(void)fd_close(fd);
		return -1;
	}
	assert_true(world.n_clients < N_CLIENTS);
	world.clients[world.n_clients] = fd;
	return (int)world.n_clients++;
}

static int come_to(const char *path)
{
	int client = stand_at(path);

	if (client >= 0)
		turn();
	return client;
}

static int come(void)
{
	int client = come_to(world.path);

	assert_true(client >= 0);
	return client;
}

static void say(int client, const char *text)
{
	assert_int_equal(send(world.clients[client], text, strlen(text), 0), strlen(text));
	turn();
}

#define THE_END "<end>"

static const char *hear(int client)
{
	static char text[8192];
	ssize_t n = recv(world.clients[client], text, sizeof(text) - 1, 0);

	if (n == 0)
		return THE_END;
	text[n > 0 ? n : 0] = '\0';
	turn();
	return text;
}

static void end_input(int client)
{
	assert_int_equal(shutdown(world.clients[client], SHUT_WR), 0);
	turn();
}

static void go(int client)
{
	world.clients[client] = fd_close(world.clients[client]);
	turn();
}

/* --- what is said ----------------------------------------------------------------------------------------- */

static void test_two_clients(void **unused)
{
	listen_at(world.path);
	int one = come();
	int two = come();
	say(one, "one\nsame");
	say(two, "two\nsame\n");
	say(one, "\n");
	assert_string_equal(hear(one), "one\nsame\n");
	assert_string_equal(hear(two), "two\nsame\n");
	assert_int_equal(sessions_count(world.sessions), 2);
}

static void test_report(void **unused)
{
	struct session_report report;

	listen_at(world.path);
	say(come(), "one\n");
	session_get_report(world.last, &report);
	assert_string_equal(report.transport, "local");
	assert_int_equal(report.peer.pid, getpid());
	assert_int_equal(report.peer.uid, getuid());
	assert_int_equal(report.peer.gid, getgid());
}

static void test_idle_for_long(void **unused)
{
	listen_at(world.path);
	int client = come();
	loop_fake_advance(world.loop, 1000 * limits.session_idle_ms);
	say(client, "still here\n");
	assert_string_equal(hear(client), "still here\n");
}

static void test_another_limit(void **unused)
{
	listen_at(world.path);
	int client = come();
	limits.request_bytes = 5;
	local_set_limits(world.local, &limits);
	say(client, "12345\n123456\n");
	assert_memory_equal(hear(client), "12345\n{", 7);
	assert_int_equal(world.n_received, 1);
}

/* --- the end ------------------------------------------------------------------------------------------------ */

static void test_end_of_input(void **unused)
{
	listen_at(world.path);
	int client = come();
	say(client, "one\nlast without an end");
	end_input(client);
	assert_string_equal(hear(client), "one\nlast without an end\n");
	assert_string_equal(hear(client), THE_END);
	assert_int_equal(world.n_closed, 1);
}

static void test_end_of_input_with_calls(void **unused)
{
	listen_at(world.path);
	int client = come();
	say(client, "call\ncall\n");
	end_input(client);
	loop_fake_advance(world.loop, 100000);
	assert_int_equal(world.n_closed, 0);
	answer("first");
	turn();
	assert_string_equal(hear(client), "first\n");
	assert_int_equal(world.n_closed, 0);
	answer("second"); /* the last one: at once */
	turn();
	assert_int_equal(world.n_closed, 1);
	assert_string_equal(hear(client), "second\n");
	assert_string_equal(hear(client), THE_END);
}

/* A call that is cancelled leaves without an answer, and nobody says so. */
static void test_end_of_input_and_no_answer(void **unused)
{
	listen_at(world.path);
	int client = come();
	say(client, "call\n");
	end_input(client);
	world.n_pending = 0;
	loop_fake_advance(world.loop, 1000);
	assert_int_equal(world.n_closed, 1);
	assert_string_equal(hear(client), THE_END);
}

static void test_client_goes(void **unused)
{
	listen_at(world.path);
	int client = come();
	say(client, "call\n");
	go(client);
	assert_int_equal(world.n_closed, 1); /* at once */
}

static void test_client_goes_later(void **unused)
{
	listen_at(world.path);
	int client = come();
	int other = come();
	say(client, "call\n");
	end_input(client);
	loop_fake_advance(world.loop, 100000);
	assert_int_equal(world.n_closed, 0);
	go(client);
	loop_fake_advance(world.loop, 1000);
	assert_int_equal(world.n_closed, 1);
	say(other, "still here\n");
	assert_string_equal(hear(other), "still here\n");
}

static void test_session_is_closed(void **unused)
{
	listen_at(world.path);
	int client = come();
	sessions_close_all(world.sessions, "test");
	turn();
	assert_string_equal(hear(client), THE_END);
}

/* All that was answered before the end of input is written, however late it is read. */
static void test_end_of_input_of_a_late_reader(void **unused)
{
	size_t n_heard = 0;

	listen_at(world.path);
	int client = come();
	say(client, "big\nbig\n");
	assert_true(local_is_writing(world.local));
	end_input(client);
	loop_fake_advance(world.loop, 100000);
	assert_int_equal(world.n_closed, 0);
	for (int i = 0; i < 10000 && n_heard < 800002; i++) {
		char text[8192];
		ssize_t n = recv(world.clients[client], text, sizeof(text), 0);

		n_heard += n > 0 ? (size_t)n : 0;
		turn();
	}
	assert_int_equal(n_heard, 800002);
	assert_string_equal(hear(client), THE_END);
	assert_false(local_is_writing(world.local));
	assert_int_equal(world.n_closed, 1);
}

static void test_all_end_with_it(void **unused)
{
	listen_at(world.path);
	int client = come();
	int ended = come();
	say(client, "call\n");
	end_input(ended);
	local_free(world.local);
	world.local = NULL;
	assert_string_equal(hear(client), THE_END);
	assert_string_equal(hear(ended), THE_END);
	assert_int_equal(world.n_closed, 2);
}

/* --- who is not let in ---------------------------------------------------------------------------------------- */

static void check_refused(const char *words)
{
	int client = come();
	const char *line;

	line = hear(client);
	assert_memory_equal(line, "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":", 35);
	assert_non_null(strstr(line, words));
	assert_int_equal(line[strlen(line) - 1], '\n');
	assert_string_equal(hear(client), THE_END);
}

static void test_too_many_connections(void **unused)
{
	listen_at(world.path);
	int first = come();
	(void)come();
	(void)come();
	check_refused("limits.connections");
	go(first);
	say(come(), "room again\n");
	assert_string_equal(hear(4), "room again\n");
}

static void test_too_many_sessions(void **unused)
{
	limits.sessions = 1;
	sessions_set_limits(world.sessions, &limits);
	listen_at(world.path);
	(void)come();
	check_refused("limits.sessions");
	assert_int_equal(sessions_count(world.sessions), 1);
}

/* What it said before it was heard does not cost it the line that says why. */
static void test_refused_while_it_speaks(void **unused)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	char text[512];

	limits.connections = 0;
	local_set_limits(world.local, &limits);
	listen_at(world.path);
	(void)snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", world.path);
	assert_int_equal(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(send(fd, "hello\n", 6, 0), 6);
	turn();
	assert_true(recv(fd, text, sizeof(text), 0) > 0);
	assert_int_equal(recv(fd, text, sizeof(text), 0), 0); /* and no reset */
	(void)fd_close(fd);
}

/* --- where it listens ------------------------------------------------------------------------------------------ */

static void test_nowhere(void **unused)
{
	assert_null(local_get_path(world.local));
	listen_at(NULL);
	assert_null(local_get_path(world.local));
	assert_int_equal(come_to(world.path), -1);
}

static void test_another_path(void **unused)
{
	listen_at(world.path);
	int old = come();
	listen_at(world.other);
	assert_string_equal(local_get_path(world.local), world.other);
	assert_int_equal(come_to(world.path), -1);
	assert_int_equal(access(world.path, F_OK), -1);
	int new = come_to(world.other);
	say(new, "new\n");
	assert_string_equal(hear(new), "new\n");
	say(old, "old\n");
	assert_string_equal(hear(old), "old\n");
}

static void test_same_path(void **unused)
{
	listen_at(world.path);
	int waiting = come();
	listen_at(world.path);
	say(waiting, "one\n");
	assert_string_equal(hear(waiting), "one\n");
	say(come(), "two\n");
}

/* Somebody has removed the file: a reload brings it back. */
static void test_same_path_without_its_file(void **unused)
{
	listen_at(world.path);
	assert_int_equal(unlink(world.path), 0);
	listen_at(world.path);
	say(come(), "back\n");
	assert_string_equal(hear(0), "back\n");
}

static void test_a_change_that_is_given_up(void **unused)
{
	struct fail fail = { 0 };

	listen_at(world.path);
	assert_int_equal(local_prepare(world.local, world.other, "", &fail), 0);
	local_abandon(world.local);
	assert_int_equal(access(world.other, F_OK), -1);
	assert_int_equal(local_prepare(world.local, world.other, "no-such-group", &fail), -ENOENT);
	local_abandon(world.local);
	assert_int_equal(local_prepare(world.local, "/nowhere/mcp.sock", "", &fail), -ENOENT);
	local_abandon(world.local);
	say(come(), "as before\n");
	assert_string_equal(hear(0), "as before\n");
}

static void test_adopted(void **unused)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	(void)snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", world.path);
	assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(listen(fd, 1), 0);
	local_adopt(world.local, dup(fd));
	listen_at(world.other); /* has no effect */
	listen_at(NULL);
	assert_string_equal(local_get_path(world.local), world.path);
	say(come(), "hello\n");
	assert_string_equal(hear(0), "hello\n");
	int late = stand_at(world.path);
	local_stop_listening(world.local);
	say(late, "is anybody there?\n");
	assert_int_equal(world.n_received, 1); /* it waits for the next daemon */
	assert_int_equal(fd_close(accept(fd, NULL, NULL)), -1);
	(void)fd_close(fd);
	assert_int_equal(unlink(world.path), 0); /* was not removed */
}

static void test_stop_listening(void **unused)
{
	listen_at(world.path);
	int client = come();
	local_stop_listening(world.local);
	assert_int_equal(come_to(world.path), -1);
	say(client, "still here\n");
	assert_string_equal(hear(client), "still here\n");
}

/* Connected, and not accepted before the end: neither is left without an answer. */
static void test_who_stands_in_the_door(void **unused)
{
	listen_at(world.path);
	int early = stand_at(world.path);
	listen_at(world.other);
	say(early, "one\n");
	assert_string_equal(hear(early), "one\n");
	int late = stand_at(world.other);
	local_stop_listening(world.local);
	say(late, "two\n");
	assert_string_equal(hear(late), "two\n");
	assert_int_equal(come_to(world.other), -1);
}

static void test_too_many_in_the_door(void **unused)
{
	listen_at(world.path);
	for (unsigned i = 0; i <= limits.connections; i++)
		(void)stand_at(world.path);
	local_stop_listening(world.local);
	turn();
	say(0, "hello\n");
	assert_string_equal(hear(0), "hello\n");
	assert_non_null(strstr(hear((int)limits.connections), "limits.connections"));
}

static void test_awaiting(void **unused)
{
	assert_false(local_is_awaiting(world.local));
	listen_at(world.path);
	int client = come();
	int silent = come();
	assert_true(local_is_awaiting(world.local));
	say(client, "h");
	assert_true(local_is_awaiting(world.local));
	end_input(silent);
	assert_false(local_is_awaiting(world.local));
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_two_clients),
		TEST(test_report),
		TEST(test_idle_for_long),
		TEST(test_another_limit),
		TEST(test_end_of_input),
		TEST(test_end_of_input_with_calls),
		TEST(test_end_of_input_and_no_answer),
		TEST(test_client_goes),
		TEST(test_client_goes_later),
		TEST(test_session_is_closed),
		TEST(test_end_of_input_of_a_late_reader),
		TEST(test_all_end_with_it),
		TEST(test_too_many_connections),
		TEST(test_too_many_sessions),
		TEST(test_refused_while_it_speaks),
		TEST(test_nowhere),
		TEST(test_another_path),
		TEST(test_same_path),
		TEST(test_same_path_without_its_file),
		TEST(test_a_change_that_is_given_up),
		TEST(test_adopted),
		TEST(test_stop_listening),
		TEST(test_who_stands_in_the_door),
		TEST(test_too_many_in_the_door),
		TEST(test_awaiting),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
