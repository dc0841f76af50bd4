/* Lines over a socket pair: in pieces, many at once, too long, the end, what the peer does not read. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "shared/fd.h"
#include "shared/limits.h"
#include "supervisor/fleet/link.h"

enum { MAX_LINE = 100000 };

static struct world {
	struct loop *loop;
	struct link *link;
	int peer;
	struct strbuf lines; /* each with '|' behind */
	unsigned n_lines;
	size_t last_len;
	int broken; /* what the hook said */
	unsigned n_broken;
} world;

static void on_line(void *arg, char *line, size_t len)
{
	if (len < 1000) {
		strbuf_add(&world.lines, line, len);
		strbuf_addc(&world.lines, '|');
	}
	world.n_lines++;
	world.last_len = len;
}

static void on_broken(void *arg, int err)
{
	world.broken = err;
	world.n_broken++;
}

static const struct link_hooks hooks = { .line = on_line, .broken = on_broken };

static int set_up(void **unused)
{
	int pair[2];

	assert_int_equal(fd_socketpair(pair), 0);
	world = (struct world){ .loop = loop_new_fake(), .peer = pair[0] };
	assert_int_equal(fd_set_nonblock(world.peer, true), 0);
	world.link = link_new(world.loop, pair[1], MAX_LINE, &hooks, &world);
	return 0;
}

static int tear_down(void **unused)
{
	link_free(world.link);
	loop_free(world.loop);
	(void)fd_close(world.peer);
	strbuf_done(&world.lines);
	return 0;
}

static void turn(void)
{
	for (int i = 0; i < 3; i++)
		loop_fake_turn(world.loop);
}

static void say_bytes(const char *bytes, size_t len)
{
	while (len > 0) {
		ssize_t n = send(world.peer, bytes, len, MSG_NOSIGNAL);

		turn();
		assert_true(n > 0 || errno == EAGAIN);
		bytes += n > 0 ? n : 0;
		len -= n > 0 ? (size_t)n : 0;
	}
}

static void say(const char *text)
{
	say_bytes(text, strlen(text));
}

static int send_text(const char *text, size_t len)
{
	const struct iovec piece = { .iov_base = (void *)(uintptr_t)text, .iov_len = len };

	return link_send(world.link, &piece, 1);
}

static void test_pieces(void **unused)
{
	say("on");
	say("e\ntwo\r\n\n\r\nthr");
	assert_string_equal(strbuf_get(&world.lines), "one|two|");
	say("ee");
	say("\n");
	assert_string_equal(strbuf_get(&world.lines), "one|two|three|");
}

static void test_many_at_once(void **unused)
{
	auto_strbuf text = { 0 };

	for (int i = 0; i < 100000; i++)
		strbuf_adds(&text, "line\n");
	say_bytes(text.data, text.len);
	turn();
	assert_int_equal(world.n_lines, 100000);
	assert_int_equal(world.n_broken, 0);
}

static void test_longest(void **unused)
{
	static char text[MAX_LINE + 2];

	memset(text, 'x', sizeof(text));
	text[MAX_LINE] = '\n';
	say_bytes(text, MAX_LINE + 1);
	assert_int_equal(world.last_len, MAX_LINE);
	say("short\n");
	assert_int_equal(world.n_lines, 2);
	text[MAX_LINE] = 'x';
	text[MAX_LINE + 1] = '\n';
	say_bytes(text, MAX_LINE + 2);
	assert_int_equal(world.n_lines, 2);
	assert_int_equal(world.broken, -EMSGSIZE);
	(void)send(world.peer, "a\n", 2, MSG_NOSIGNAL); /* nothing more is read */
	turn();
	assert_int_equal(world.n_lines, 2);
	assert_int_equal(world.n_broken, 1);
	assert_int_equal(send_text("x", 1), -EPIPE);
}

static void test_too_long_without_end(void **unused)
{
	static char text[MAX_LINE + 1];

	memset(text, 'x', sizeof(text));
	say_bytes(text, sizeof(text));
	assert_int_equal(world.broken, -EMSGSIZE);
	assert_int_equal(world.n_lines, 0);
}

static void test_end(void **unused)
{
	say("one\nhalf");
	world.peer = fd_close(world.peer);
	turn();
	assert_string_equal(strbuf_get(&world.lines), "one|");
	assert_int_equal(world.broken, -EPIPE);
	assert_int_equal(world.n_broken, 1);
	assert_int_equal(send_text("x", 1), -EPIPE);
}

static void test_send(void **unused)
{
	char bytes[100];
	struct iovec pieces[2] = { { .iov_base = (void *)(uintptr_t) "ab", .iov_len = 2 },
		{ .iov_base = (void *)(uintptr_t) "cd", .iov_len = 2 } };

	assert_int_equal(link_send(world.link, pieces, 2), 0);
	assert_int_equal(recv(world.peer, bytes, sizeof(bytes), 0), 5);
	assert_memory_equal(bytes, "abcd\n", 5);
	assert_int_equal(link_get_unsent(world.link), 0);
}

/* What the peer does not take is kept, in order, and the end of file comes behind it. */
static void test_backlog(void **unused)
{
	static char big[MIB];
	size_t got = 0;
	char last = 0;
	ssize_t n = -1;

	memset(big, 'b', sizeof(big));
	assert_int_equal(send_text(big, sizeof(big)), 0);
	assert_true(link_get_unsent(world.link) > 0);
	assert_int_equal(send_text("last", 4), 0);
	link_shut(world.link);
	assert_int_equal(send_text("x", 1), -EPIPE);
	for (int i = 0; i < 10000 && n != 0; i++) {
		static char bytes[65536];

		n = recv(world.peer, bytes, sizeof(bytes), 0);
		if (n > 0) {
			got += (size_t)n;
			last = bytes[n - 1];
		}
		turn();
	}
	assert_int_equal(got, sizeof(big) + 1 + 5);
	assert_int_equal(last, '\n');
	assert_int_equal(link_get_unsent(world.link), 0);
	say("it still talks\n"); /* reading goes on */
	assert_string_equal(strbuf_get(&world.lines), "it still talks|");
}

/* More than the socket takes at the end of the turn: the rest follows by itself. */
static void test_send_soon(void **unused)
{
	static char big[MIB];
	const struct iovec piece = { .iov_base = big, .iov_len = sizeof(big) };
	size_t got = 0;

	memset(big, 'b', sizeof(big));
	assert_int_equal(link_send_soon(world.link, &piece, 1), 0);
	assert_int_equal(link_get_unsent(world.link), sizeof(big) + 1);
	turn();
	assert_true(link_get_unsent(world.link) < sizeof(big));
	for (int i = 0; i < 1000 && got < sizeof(big) + 1; i++) {
		static char bytes[65536];
		ssize_t n = recv(world.peer, bytes, sizeof(bytes), 0);

		got += n > 0 ? (size_t)n : 0;
		turn();
	}
	assert_int_equal(got, sizeof(big) + 1);
}

static void test_read_rest(void **unused)
{
	assert_true(send(world.peer, "one\ntwo\nhalf", 12, 0) == 12);
	world.peer = fd_close(world.peer);
	link_read_rest(world.link);
	assert_string_equal(strbuf_get(&world.lines), "one|two|");
	link_read_rest(world.link);
	turn();
	assert_int_equal(world.n_broken, 0); /* its owner knows already */
	assert_int_equal(send_text("x", 1), -EPIPE);
}

static void test_inject(void **unused)
{
	assert_int_equal(send(world.peer, "half", 4, MSG_NOSIGNAL), 4);
	loop_fake_turn(world.loop);
	link_inject(world.link, " a line\nanother\nhalf ", 21);
	assert_int_equal(send(world.peer, "one\n", 4, MSG_NOSIGNAL), 4);
	loop_fake_turn(world.loop);
	assert_string_equal(strbuf_get(&world.lines), "half a line|another|half one|");
	(void)shutdown(world.peer, SHUT_WR);
	loop_fake_turn(world.loop);
	assert_int_equal(world.n_broken, 1);
	link_inject(world.link, "x\n", 2); /* nobody would hear it */
	assert_int_equal(world.n_lines, 3);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_pieces),
		TEST(test_many_at_once),
		TEST(test_longest),
		TEST(test_too_long_without_end),
		TEST(test_end),
		TEST(test_send),
		TEST(test_backlog),
		TEST(test_send_soon),
		TEST(test_read_rest),
		TEST(test_inject),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
