/* HTTP connections over socket pairs: requests in pieces, pipelining, keep-alive, time-outs, slow
 * readers, half-closed peers, streams. The clock is a fake; routes are fakes of this file. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "shared/fd.h"
#include "shared/limits.h"
#include "supervisor/conf.h"
#include "supervisor/front/httpd.h"

enum { BIG_BYTES = 4 * MIB };

static struct world {
	struct loop *loop;
	struct http_shared shared;
	int client;           /* our end */
	struct strbuf bodies; /* what the body handler got, each with '|' behind */
	struct http_conn *stream;
	unsigned n_drained;
	unsigned n_closed;
	bool refuse_bodies;
} world;

static const struct conf_limits limits = {
	.request_bytes = 1000,
	.header_bytes = 500,
	.header_timeout_ms = 10000,
	.body_timeout_ms = 30000,
	.keepalive_timeout_ms = 60000,
	.connections = 2,
};

static const char big[BIG_BYTES];

static bool on_get(void *arg, struct http_conn *conn, struct http_ask *ask)
{
	const struct http_reply reply = { .status = 200, .body = "hello", .body_len = 5 };

	http_conn_answer(conn, &reply);
	return false;
}

static bool on_get_big(void *arg, struct http_conn *conn, struct http_ask *ask)
{
	const struct http_reply reply = { .status = 200, .body = big, .body_len = sizeof(big) };

	http_conn_answer(conn, &reply);
	return false;
}

static void on_drained(void *arg)
{
	world.n_drained++;
}

static void on_closed(void *arg)
{
	world.n_closed++;
	world.stream = NULL;
}

static bool on_get_stream(void *arg, struct http_conn *conn, struct http_ask *ask)
{
	static const struct http_reply head = { .status = 200, .is_stream = true };
	static const struct http_stream_hooks hooks = { on_drained, on_closed };

	world.stream = conn;
	http_conn_begin_stream(conn, &head, "first", 5, &hooks, &world);
	return false;
}

static bool on_post_head(void *arg, struct http_conn *conn, struct http_ask *ask)
{
	if (world.refuse_bodies)
		http_conn_refuse(conn, 415, "not this");
	memcpy(ask->note, "note", 5);
	return !world.refuse_bodies;
}

static void on_post_body(
	void *arg, struct http_conn *conn, const char *note, char *body, size_t len)
{
	static const struct http_reply accepted = { .status = 202 };

	assert_string_equal(note, "note");
	strbuf_add(&world.bodies, body, len);
	strbuf_addc(&world.bodies, '|');
	http_conn_answer(conn, &accepted);
}

/* In the place of httpd.c. */
const struct http_route *httpd_find_route(
	const struct httpd *httpd, const char *path, size_t *ret_prefix)
{
	static const struct http_route routes[] = {
		{ .path = "/get", .methods = HTTPD_GET, .head = on_get },
		{ .path = "/big", .methods = HTTPD_GET, .head = on_get_big },
		{ .path = "/stream", .methods = HTTPD_GET, .head = on_get_stream },
		{ .path = "/post",
			.methods = HTTPD_POST,
			.head = on_post_head,
			.body = on_post_body },
	};

	*ret_prefix = 0;
	for (size_t i = 0; i < N_ELEMENTS(routes); i++)
		if (streq(routes[i].path, path))
			return &routes[i];
	return NULL;
}

static int connect_one(void)
{
	int pair[2];

	assert_int_equal(fd_socketpair(pair), 0);
	assert_int_equal(fd_set_nonblock(pair[0], true), 0);
	assert_int_equal(fd_set_nonblock(pair[1], true), 0);
	http_conn_new(&world.shared, pair[1], true, NULL);
	return pair[0];
}

static int set_up(void **unused)
{
	world = (struct world){ .loop = loop_new_fake() };
	loop_fake_advance(world.loop, 1000);
	http_shared_init(&world.shared, world.loop, NULL);
	http_shared_set_limits(&world.shared, &limits);
	world.client = connect_one();
	return 0;
}

static int tear_down(void **unused)
{
	(void)fd_close(world.client);
	http_shared_done(&world.shared);
	loop_free(world.loop);
	strbuf_done(&world.bodies);
	return 0;
}

static void turn(void)
{
	for (int i = 0; i < 4; i++)
		loop_fake_turn(world.loop);
}

static void say_to(int client, const char *text)
{
	assert_int_equal(send(client, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
	turn();
}

static void say(const char *text)
{
	say_to(world.client, text);
}

/* What has come since the last time; ends with "<EOF>" when the connection has ended. */
static const char *hear_from(int client)
{
	static struct strbuf text;
	ssize_t n;

	strbuf_cut(&text, 0);
	do {
		turn();
		n = recv(client, strbuf_reserve(&text, 65536), 65536, 0);
		if (n > 0) {
			text.len += (size_t)n;
			text.data[text.len] = '\0';
		}
	} while (n > 0);
	if (n == 0 || errno != EAGAIN)
		strbuf_adds(&text, "<EOF>");
	return strbuf_get(&text);
}

static const char *hear(void)
{
	return hear_from(world.client);
}

static unsigned count(const char *text, const char *word)
{
	unsigned n = 0;

	for (; (text = strstr(text, word)); text += strlen(word))
		n++;
	return n;
}

#define HOST "Host: localhost\r\n"
#define POST(length) "POST /post HTTP/1.1\r\n" HOST "Content-Length: " length "\r\n\r\n"

static void test_keeps_the_connection(void **unused)
{
	for (int i = 0; i < 3; i++) {
		say("GET /get HTTP/1.1\r\n" HOST "\r\n");
		const char *answer = hear();

		assert_non_null(strstr(answer, "HTTP/1.1 200 OK\r\n"));
		assert_non_null(strstr(answer, "\r\n\r\nhello"));
		assert_null(strstr(answer, "<EOF>"));
		assert_null(strstr(answer, "Connection:"));
	}
}

static void test_close_in_one_piece(void **unused)
{
	say("GET /get HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n");
	const char *answer = hear();

	assert_non_null(strstr(answer, "Connection: close\r\n"));
	assert_non_null(strstr(answer, "hello<EOF>"));
}

/* The end of the connection gave the buffer back in which the request still lay. */
static void test_close_in_two_pieces(void **unused)
{
	say("GET /get HTTP/1.1\r\n" HOST "Connec");
	say("tion: close\r\n\r\n");
	assert_non_null(strstr(hear(), "hello<EOF>"));
}

static void test_refusal_in_two_pieces(void **unused)
{
	say("GET /get HTTP/1.1\r\n" HOST "a");
	say("\x01\r\n\r\nGET /get HTTP/1.1\r\n" HOST "\r\n");
	const char *answer = hear();

	assert_non_null(strstr(answer, " 400 "));
	assert_null(strstr(answer, "hello"));
	assert_non_null(strstr(answer, "<EOF>"));
}

static void test_byte_by_byte(void **unused)
{
	static const char text[] =
		POST("5") "abcdeGET /get HTTP/1.1\r\n" HOST "\r\n"
			  "POST /post HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n"
			  "Connection: close\r\n\r\n3\r\nxyz\r\n0\r\n\r\n";

	for (size_t i = 0; i < sizeof(text) - 1; i++) {
		assert_int_equal(send(world.client, text + i, 1, MSG_NOSIGNAL), 1);
		turn();
	}
	const char *answer = hear();

	assert_int_equal(count(answer, " 202 Accepted"), 2);
	assert_int_equal(count(answer, "hello"), 1);
	assert_non_null(strstr(answer, "<EOF>"));
	assert_string_equal(strbuf_get(&world.bodies), "abcde|xyz|");
}

static void test_every_cut_comes_to_the_same(void **unused)
{
	static const char text[] = POST("3") "abcGET /get HTTP/1.1\r\n" HOST "\r\n" POST(
		"0") "GET /none HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n";

	for (size_t cut = 1; cut < sizeof(text) - 1; cut++) {
		int client = connect_one();

		assert_true(send(client, text, cut, MSG_NOSIGNAL) > 0);
		turn();
		say_to(client, text + cut);
		const char *answer = hear_from(client);

		assert_int_equal(count(answer, "HTTP/1.1 "), 4);
		assert_int_equal(count(answer, " 202 "), 2);
		assert_int_equal(count(answer, " 404 "), 1);
		assert_non_null(strstr(answer, "<EOF>"));
		(void)fd_close(client);
		turn();
	}
}

static void test_refused_body_ends_the_connection(void **unused)
{
	world.refuse_bodies = true;
	say(POST("5") "abcde"); /* all there: the connection can go on */
	assert_null(strstr(hear(), "<EOF>"));
	say(POST("5") "abc");
	const char *answer = hear();

	assert_non_null(strstr(answer, " 415 "));
	assert_non_null(strstr(answer, "<EOF>"));
	say("de");
	assert_int_equal(world.bodies.len, 0);
}

static void test_expect(void **unused)
{
	say("POST /post HTTP/1.1\r\n" HOST "Content-Length: 3\r\nExpect: 100-continue\r\n\r\n");
	assert_string_equal(hear(), "HTTP/1.1 100 Continue\r\n\r\n");
	say("abc");
	assert_int_equal(count(hear(), " 202 "), 1);
	assert_string_equal(strbuf_get(&world.bodies), "abc|");
	world.refuse_bodies = true;
	say("POST /post HTTP/1.1\r\n" HOST "Content-Length: 3\r\nExpect: 100-continue\r\n\r\n");
	const char *answer = hear();

	assert_null(strstr(answer, "100 Continue"));
	assert_non_null(strstr(answer, " 415 "));
}

static void test_too_large(void **unused)
{
	say(POST("1001"));
	assert_non_null(strstr(hear(), " 413 "));
	int client = connect_one();

	say_to(client, "POST /post HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n3e9\r\n");
	assert_non_null(strstr(hear_from(client), " 413 "));
	(void)fd_close(client);
	assert_int_equal(world.bodies.len, 0);
}

static void test_methods(void **unused)
{
	say("DELETE /get HTTP/1.1\r\n" HOST "\r\n");
	assert_non_null(strstr(hear(), "Allow: GET, HEAD\r\n"));
	say("GET /post HTTP/1.1\r\n" HOST "\r\n");
	assert_non_null(strstr(hear(), "Allow: POST\r\n"));
	say("HEAD /get HTTP/1.1\r\n" HOST "\r\n");
	const char *answer = hear();

	assert_non_null(strstr(answer, "Content-Length: 5\r\n"));
	assert_null(strstr(answer, "hello"));
}

static void test_slow_head(void **unused)
{
	say("HEAD /get HTTP/1.1\r\n" HOST "\r\n");
	(void)hear();
	say("GET /get HT");
	loop_fake_advance(world.loop, limits.header_timeout_ms - 1);
	assert_string_equal(hear(), "");
	loop_fake_advance(world.loop, 1);
	const char *answer = hear();

	assert_non_null(strstr(answer, " 408 "));
	assert_non_null(strstr(answer, "\"error\"")); /* although a HEAD went before */
	assert_non_null(strstr(answer, "<EOF>"));
}

static void test_slow_body(void **unused)
{
	say(POST("5") "abc");
	loop_fake_advance(world.loop, limits.body_timeout_ms - 1);
	say("d"); /* a byte now and then does not help */
	loop_fake_advance(world.loop, 1);
	assert_non_null(strstr(hear(), " 408 "));
	assert_int_equal(world.bodies.len, 0);
}

static void test_idle(void **unused)
{
	say("GET /get HTTP/1.1\r\n" HOST "\r\n");
	assert_null(strstr(hear(), "<EOF>"));
	loop_fake_advance(world.loop, limits.keepalive_timeout_ms);
	assert_string_equal(hear(), "<EOF>");
	assert_int_equal(world.shared.n_conns, 0);
}

static void test_mute_client(void **unused)
{
	loop_fake_advance(world.loop, limits.header_timeout_ms);
	assert_string_equal(hear(), "<EOF>");
	assert_int_equal(world.shared.n_conns, 0);
}

static void test_lingering_ends(void **unused)
{
	say("BAD\r\n\r\n");
	assert_non_null(strstr(hear(), "<EOF>"));
	assert_int_equal(world.shared.n_conns, 1); /* for the client to read the answer */
	say("more");
	loop_fake_advance(world.loop, 2000);
	assert_int_equal(world.shared.n_conns, 0);
}

static void test_slow_reader_pipelines(void **unused)
{
	say("GET /big HTTP/1.1\r\n" HOST "\r\n" POST("3") "abc"
							  "GET /get HTTP/1.1\r\n" HOST
							  "Connection: close\r\n\r\n");
	assert_true(http_shared_is_writing(&world.shared));
	assert_int_equal(world.bodies.len, 0); /* nothing more is read meanwhile */
	size_t len = 0;

	for (int i = 0; i < 1000; i++) {
		char bytes[65536];
		ssize_t n = recv(world.client, bytes, sizeof(bytes), 0);

		turn();
		if (n == 0)
			break;
		len += n > 0 ? (size_t)n : 0;
	}
	assert_true(len > sizeof(big));
	assert_string_equal(strbuf_get(&world.bodies), "abc|");
	assert_false(http_shared_is_writing(&world.shared));
}

static void test_slow_reader_is_dropped(void **unused)
{
	say("GET /big HTTP/1.1\r\n" HOST "\r\n");
	loop_fake_advance(world.loop, limits.keepalive_timeout_ms);
	assert_int_equal(world.shared.n_conns, 0);
}

static void test_half_closed(void **unused)
{
	assert_true(send(world.client, POST("3") "abc", strlen(POST("3") "abc"), 0) > 0);
	assert_int_equal(shutdown(world.client, SHUT_WR), 0);
	assert_non_null(strstr(hear(), " 202 "));
	assert_int_equal(world.shared.n_conns, 0);
}

static void test_limit_of_connections(void **unused)
{
	int second = connect_one();
	int third = connect_one();
	const char *answer = hear_from(third);

	assert_non_null(strstr(answer, " 503 "));
	assert_non_null(strstr(answer, "Retry-After: 1\r\n"));
	assert_non_null(strstr(answer, "<EOF>"));
	say_to(second, "GET /get HTTP/1.1\r\n" HOST "\r\n");
	assert_non_null(strstr(hear_from(second), "hello"));
	(void)fd_close(second);
	(void)fd_close(third);
	turn();
	assert_int_equal(world.shared.n_conns, 1);
}

static int stream_text(const char *text, size_t len)
{
	const struct iovec iov = { .iov_base = (void *)(uintptr_t)text, .iov_len = len };

	return http_conn_stream(world.stream, &iov, 1);
}

static void test_stream(void **unused)
{
	say("GET /str");
	say("eam HTTP/1.1\r\n" HOST "\r\n");
	assert_non_null(strstr(hear(), "\r\n\r\nfirst"));
	assert_int_equal(stream_text("second", 6), 0);
	assert_string_equal(hear(), "second");
	loop_fake_advance(world.loop, 10 * limits.keepalive_timeout_ms);
	say("GET /get HTTP/1.1\r\n" HOST "\r\n"); /* nobody listens to that */
	assert_string_equal(hear(), "");
	http_conn_end_stream(world.stream);
	assert_string_equal(hear(), "<EOF>");
	assert_int_equal(world.n_closed, 0); /* we ended it */
}

static void test_stream_backlog(void **unused)
{
	say("GET /stream HTTP/1.1\r\n" HOST "\r\n");
	(void)hear();
	assert_int_equal(stream_text(big, sizeof(big)), 0);
	assert_int_equal(stream_text("x", 1), -EAGAIN);
	assert_int_equal(world.n_drained, 0);
	for (int i = 0; i < 1000 && world.n_drained == 0; i++) {
		char bytes[65536];

		(void)!recv(world.client, bytes, sizeof(bytes), 0);
		turn();
	}
	assert_int_equal(world.n_drained, 1);
	assert_int_equal(stream_text("x", 1), 0);
}

static void test_stream_ends_with_backlog(void **unused)
{
	say("GET /stream HTTP/1.1\r\n" HOST "\r\n");
	assert_int_equal(stream_text(big, sizeof(big)), 0);
	http_conn_end_stream(world.stream);
	loop_fake_advance(world.loop, 2000); /* it does not read: it has had its time */
	assert_int_equal(world.shared.n_conns, 0);
	assert_int_equal(world.n_drained + world.n_closed, 0);
}

static void test_stream_client_gone(void **unused)
{
	say("GET /stream HTTP/1.1\r\n" HOST "\r\n");
	(void)fd_close(world.client);
	world.client = -1;
	/* The first to notice may be who writes: closed() comes once, later. */
	assert_int_equal(stream_text("x", 1), -EPIPE);
	assert_int_equal(stream_text("x", 1), -EPIPE);
	assert_int_equal(world.n_closed, 0);
	turn();
	assert_int_equal(world.n_closed, 1);
	assert_int_equal(world.shared.n_conns, 0);
}

static void test_stopping(void **unused)
{
	int busy = connect_one();

	say_to(busy, "GET /get HT");
	http_shared_close_idle(&world.shared);
	assert_string_equal(hear(), "<EOF>");
	say_to(busy, "TP/1.1\r\n" HOST "\r\n");
	assert_non_null(strstr(hear_from(busy), "hello<EOF>"));
	(void)fd_close(busy);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_keeps_the_connection),
		TEST(test_close_in_one_piece),
		TEST(test_close_in_two_pieces),
		TEST(test_refusal_in_two_pieces),
		TEST(test_byte_by_byte),
		TEST(test_every_cut_comes_to_the_same),
		TEST(test_refused_body_ends_the_connection),
		TEST(test_expect),
		TEST(test_too_large),
		TEST(test_methods),
		TEST(test_slow_head),
		TEST(test_slow_body),
		TEST(test_idle),
		TEST(test_mute_client),
		TEST(test_lingering_ends),
		TEST(test_slow_reader_pipelines),
		TEST(test_slow_reader_is_dropped),
		TEST(test_half_closed),
		TEST(test_limit_of_connections),
		TEST(test_stream),
		TEST(test_stream_backlog),
		TEST(test_stream_ends_with_backlog),
		TEST(test_stream_client_gone),
		TEST(test_stopping),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
