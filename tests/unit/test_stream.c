/* The stdio transport over socket pairs and files: lines in pieces, long lines, end of input, a client
 * that does not read, output that breaks. What the messages mean is a fake of this file. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "shared/fd.h"
#include "shared/limits.h"
#include "shared/log.h"
#include "supervisor/front/stream.h"
#include "supervisor/stats_door.h"

static struct world {
	struct loop *loop;
	struct sessions *sessions;
	struct stream *stream;
	int in;  /* we write here what it reads */
	int out; /* we read here what it writes */
	unsigned n_received;
	unsigned n_ended, n_drained, n_broken, n_closed;
} world;

static const struct conf_limits limits = {
	.sessions = 1,
	.session_idle_ms = 1000,
	.sweep_ms = 100,
	.session_queue_bytes = 1000000,
	.session_queue_messages = 10,
};

/* In the place of mcp.c: "refuse…" is refused, "big" has a big answer, the rest is sent back. */
struct session *mcp_open(struct mcp *mcp, const struct sink_ops *ops, void *sink,
	struct endpoint *endpoint, const struct caller *caller)
{
	return session_open(world.sessions, ops, sink, endpoint);
}

enum mcp_verdict mcp_receive(struct mcp *mcp, struct session *session,
	const struct mcp_input *input, struct strbuf *reply)
{
	static const char big[400000];
	const char *text = input->text;
	size_t len = input->len;

	world.n_received++;
	if (len >= 6 && memcmp(text, "refuse", 6) == 0) {
		strbuf_adds(reply, "refused");
		return MCP_INVALID;
	}
	if (len == 3 && memcmp(text, "big", 3) == 0)
		session_answer(session, input->via, big, sizeof(big), 0);
	else
		session_answer(session, input->via, text, len, 0);
	return MCP_ACCEPTED;
}

static void on_closed(void *arg, struct session *session)
{
	world.n_closed++;
}

static void on_ended(void *arg)
{
	world.n_ended++;
}

static void on_drained(void *arg)
{
	world.n_drained++;
}

static void on_broken(void *arg)
{
	world.n_broken++;
}

static const struct stream_hooks hooks = {
	.ended = on_ended, .drained = on_drained, .broken = on_broken
};

static int set_up(void **unused)
{
	log_init("test", LOG_TARGET_TEXT, LOG_LEVEL_ERROR);
	stats_door_reset();
	world = (struct world){ .loop = loop_new_fake(), .in = -1, .out = -1 };
	world.sessions = sessions_new(world.loop, &limits, on_closed, NULL);
	return 0;
}

static int their_in, their_out;

static int tear_down(void **unused)
{
	stream_free(world.stream);
	sessions_free(world.sessions);
	loop_free(world.loop);
	(void)fd_close(world.in);
	(void)fd_close(world.out);
	(void)fd_close(their_in);
	(void)fd_close(their_out);
	return 0;
}

static void open_stream(int in, int out)
{
	their_in = in;
	their_out = out;
	world.stream = stream_new(world.loop, NULL, in, out, 100, NULL, &hooks, &world);
}

static void open_pipes(void)
{
	int in[2], out[2];

	assert_int_equal(fd_pipe(in), 0);
	assert_int_equal(fd_socketpair(out), 0);
	world.in = in[1];
	world.out = out[0];
	assert_int_equal(fd_set_nonblock(world.out, true), 0);
	assert_int_equal(fd_set_nonblock(world.in, true), 0);
	open_stream(in[0], out[1]);
}

static void turn(void)
{
	for (int i = 0; i < 3; i++)
		loop_fake_turn(world.loop);
}

static void say(const char *text)
{
	assert_int_equal(write(world.in, text, strlen(text)), (ssize_t)strlen(text));
	turn();
}

static const char *hear(void)
{
	static char text[8192];
	ssize_t n = recv(world.out, text, sizeof(text) - 1, 0);

	text[n > 0 ? n : 0] = '\0';
	turn();
	return text;
}

static void test_lines_in_pieces(void **unused)
{
	open_pipes();
	say("o");
	say("ne");
	assert_string_equal(hear(), "");
	say("\r\ntwo\n\n\nthr");
	assert_string_equal(hear(), "one\ntwo\n");
	say("ee\n");
	assert_string_equal(hear(), "three\n");
	say("refuse this\n");
	assert_string_equal(hear(), "refused\n");
}

static void test_long_lines(void **unused)
{
	char line[202];

	open_pipes();
	memset(line, 'x', sizeof(line));
	line[201] = '\0';
	line[100] = '\n'; /* 100 bytes may be */
	line[101] = '\0';
	say(line);
	assert_int_equal(strlen(hear()), 101);
	line[100] = 'x';
	line[101] = '\n';
	line[102] = '\0';
	say(line);
	assert_non_null(strstr(hear(), "limits.request_bytes"));
	line[101] = 'x'; /* in pieces: refused once, and skipped to its end */
	line[102] = 'x';
	say(line);
	say(line);
	say("end\nnext\n");
	const char *answer = hear();
	assert_non_null(strstr(answer, "limits.request_bytes"));
	assert_non_null(strstr(answer, "}\nnext\n"));
	assert_null(strstr(strstr(answer, "limits") + 1, "limits"));
	assert_int_equal(world.n_received, 2);
}

static void test_another_limit(void **unused)
{
	open_pipes();
	stream_set_max_line(world.stream, 5);
	say("12345\n123456\n");
	const char *answer = hear();
	assert_memory_equal(answer, "12345\n{", 7);
	assert_int_equal(world.n_received, 1);
}

static void test_end_of_input(void **unused)
{
	open_pipes();
	say("one\nlast without an end");
	world.in = fd_close(world.in);
	turn();
	assert_int_equal(world.n_ended, 1);
	assert_string_equal(hear(), "one\nlast without an end\n");
	assert_int_equal(world.n_closed, 0); /* answers may still come */
	assert_int_equal(world.n_broken, 0);
}

/* Each answer that is written behind it is told, for it may be the last that somebody waits for. */
static void test_answers_after_the_end_of_input(void **unused)
{
	open_pipes();
	say("one\n");
	assert_int_equal(world.n_drained, 0);
	world.in = fd_close(world.in);
	turn();
	for (unsigned i = 1; i <= 2; i++) {
		session_answer(stream_get_session(world.stream), 0, "late", 4, 0);
		turn();
		assert_int_equal(world.n_drained, i);
	}
	assert_string_equal(hear(), "one\nlate\nlate\n");
}

static void test_no_session(void **unused)
{
	struct stream *second;

	open_pipes(); /* the only one that limits.sessions allows */
	assert_non_null(stream_get_session(world.stream));
	second = stream_new(world.loop, NULL, their_in, their_out, 100, NULL, &hooks, &world);
	assert_null(second);
	say("one\n");
	assert_string_equal(hear(), "one\n");
}

static void test_idle_for_long(void **unused)
{
	open_pipes();
	loop_fake_advance(world.loop, 1000 * limits.session_idle_ms);
	say("still here\n");
	assert_string_equal(hear(), "still here\n");
}

/* It reads nothing: then it is not read either, and nothing of what it said is lost. */
static void test_client_does_not_read(void **unused)
{
	char number[16];
	unsigned n_sent = 0;
	unsigned n_heard = 0;

	open_pipes();
	say("big\nbig\n");
	for (; n_sent < 5000; n_sent++) {
		(void)snprintf(number, sizeof(number), "n%u\n", n_sent);
		if (write(world.in, number, strlen(number)) < 0)
			break;
		turn();
	}
	assert_true(world.n_received < 100);
	assert_int_equal(world.n_closed, 0);
	assert_true(stream_is_writing(world.stream));
	for (int i = 0; i < 20000 && n_heard < n_sent; i++) {
		char text[4096];
		ssize_t n = recv(world.out, text, sizeof(text), 0);

		turn();
		for (ssize_t k = 0; k < n; k++)
			n_heard += text[k] == 'n';
	}
	assert_int_equal(n_heard, n_sent);
	assert_int_equal(world.n_received, n_sent + 2);
	assert_true(world.n_drained > 0);
	say("more\n");
	assert_string_equal(hear(), "more\n");
}

static void test_nobody_reads(void **unused)
{
	open_pipes();
	world.out = fd_close(world.out);
	(void)signal(SIGPIPE, SIG_IGN);
	say("one\ntwo\n");
	assert_int_equal(world.n_broken, 1);
	assert_false(stream_is_writing(world.stream));
}

static void test_session_is_closed(void **unused)
{
	open_pipes();
	sessions_close_all(world.sessions, "test");
	turn();
	assert_int_equal(world.n_broken, 1);
	say("to nobody\n");
	assert_int_equal(world.n_received, 0);
}

static void test_input_is_a_file(void **unused)
{
	FILE *file = tmpfile();
	int out[2];

	assert_non_null(file);
	for (int i = 0; i < 3; i++)
		(void)fprintf(file, "line %d\n", i);
	(void)fflush(file);
	rewind(file);
	assert_int_equal(fd_socketpair(out), 0);
	world.out = out[0];
	assert_int_equal(fd_set_nonblock(world.out, true), 0);
	open_stream(dup(fileno(file)), out[1]);
	(void)fclose(file);
	loop_fake_advance(world.loop, 10);
	assert_int_equal(world.n_ended, 1);
	assert_string_equal(hear(), "line 0\nline 1\nline 2\n");
}

static void test_dev_null(void **unused)
{
	open_stream(open("/dev/null", O_RDONLY | O_CLOEXEC), open("/dev/null", O_WRONLY));
	turn();
	loop_fake_advance(world.loop, 10);
	assert_int_equal(world.n_ended, 1);
	assert_int_equal(world.n_broken, 0);
}

static void test_closed_descriptors(void **unused)
{
	/* As fd_hold_standard() leaves them. */
	open_stream(open("/dev/null", O_WRONLY | O_CLOEXEC), open("/dev/null", O_RDONLY));
	turn();
	loop_fake_advance(world.loop, 10);
	assert_int_equal(world.n_ended, 1);
}

static void free_stream(void)
{
	stream_free(world.stream);
	world.stream = NULL;
	assert_int_equal(world.n_closed, 1);
}

static void test_whose_end_it_is(void **unused)
{
	open_pipes();
	free_stream();
	assert_int_equal(stats_get_closed(STATS_STDIO, STATS_END_STOPPING), 1);
	assert_int_equal(stats_get_closed(STATS_STDIO, STATS_END_CLIENT), 0);
}

static void test_client_that_has_ended_its_input(void **unused)
{
	open_pipes();
	world.in = fd_close(world.in);
	turn();
	free_stream();
	assert_int_equal(stats_get_closed(STATS_STDIO, STATS_END_CLIENT), 1);
}

static void test_client_that_reads_no_more(void **unused)
{
	open_pipes();
	world.out = fd_close(world.out);
	(void)signal(SIGPIPE, SIG_IGN);
	say("one\n");
	free_stream();
	assert_int_equal(stats_get_closed(STATS_STDIO, STATS_END_CLIENT), 1);
}

/* The reason was there before its client left. */
static void test_operator_was_first(void **unused)
{
	open_pipes();
	world.in = fd_close(world.in);
	session_close_later(stream_get_session(world.stream), "closed by an operator");
	turn();
	free_stream();
	assert_int_equal(stats_get_closed(STATS_STDIO, STATS_END_OPERATOR), 1);
}

static void test_output_mode_is_restored(void **unused)
{
	open_pipes();
	assert_true(fcntl(their_out, F_GETFL) & O_NONBLOCK);
	stream_free(world.stream);
	world.stream = NULL;
	assert_false(fcntl(their_out, F_GETFL) & O_NONBLOCK);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_lines_in_pieces),
		TEST(test_long_lines),
		TEST(test_another_limit),
		TEST(test_end_of_input),
		TEST(test_answers_after_the_end_of_input),
		TEST(test_no_session),
		TEST(test_idle_for_long),
		TEST(test_client_does_not_read),
		TEST(test_nobody_reads),
		TEST(test_session_is_closed),
		TEST(test_input_is_a_file),
		TEST(test_dev_null),
		TEST(test_closed_descriptors),
		TEST(test_whose_end_it_is),
		TEST(test_client_that_has_ended_its_input),
		TEST(test_client_that_reads_no_more),
		TEST(test_operator_was_first),
		TEST(test_output_mode_is_restored),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
