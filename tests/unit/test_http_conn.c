/* HTTP connections over socket pairs: requests in pieces, pipelining, keep-alive, time-outs, slow
 * readers, half-closed peers, streams. The clock is a fake; routes are fakes of this file. */
#include <errno.h>
#include <setjmp.h>
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
#include "supervisor/conf.h"
#include "supervisor/front/door_limits.h"
#include "supervisor/front/httpd.h"

enum { BIG_BYTES = 4 * MIB };

static struct world {
	struct loop *loop;
	struct guard *guard;
	struct http_shared shared;
	int client;           /* our end */
	struct strbuf bodies; /* what the body handler got, each with '|' behind */
	struct http_conn *stream;
	unsigned n_drained;
	unsigned n_closed;
	bool refuse_bodies;
	unsigned n_notes; /* not freed yet */
	struct http_conn *held;
	enum http_fin fin;
	bool answers_at_once;
	char client_ip[CLIENT_ADDR_TEXT_SIZE]; /* of the last GET */
	bool client_is_https;
} world;

static const struct conf_limits limits = {
	.request_bytes = 1000,
	.header_bytes = 500,
	.header_timeout_ms = 10000,
	.body_timeout_ms = 30000,
	.keepalive_timeout_ms = 60000,
	.connections = 2,
};

static const struct conf open_conf = { .auth.mode = CONF_AUTH_NONE };

static const char big[BIG_BYTES];

static bool on_get(void *arg, struct http_conn *conn, struct http_ask *ask)
{
	const struct http_reply reply = { .status = 200, .body = "hello", .body_len = 5 };

	(void)client_addr_format(&ask->origin->addr, world.client_ip);
	world.client_is_https = ask->origin->is_https;
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
	ask->note = alloc_str("note");
	world.n_notes++;
	return !world.refuse_bodies;
}

static void free_note(void *note)
{
	world.n_notes--;
	free(note);
}

static void on_post_body(
	void *arg, struct http_conn *conn, const void *note, char *body, size_t len)
{
	static const struct http_reply accepted = { .status = 202 };

	assert_string_equal(note, "note");
	strbuf_add(&world.bodies, body, len);
	strbuf_addc(&world.bodies, '|');
	http_conn_answer(conn, &accepted);
}

static bool on_hold_head(void *arg, struct http_conn *conn, struct http_ask *ask)
{
	return true;
}

static void on_hold_closed(void *arg)
{
	world.n_closed++;
	world.held = NULL;
}

static const struct http_stream_hooks hold_hooks = { on_drained, on_hold_closed };

static void answer_held(const char *text)
{
	const struct http_reply reply = { .status = 200, .body = text, .body_len = strlen(text) };

	assert_non_null(world.held);
	http_conn_answer(TAKE(world.held), &reply);
}

static void on_hold_body(
	void *arg, struct http_conn *conn, const void *note, char *body, size_t len)
{
	assert_null(world.held);
	world.held = conn;
	http_conn_hold(conn, &hold_hooks, &world, world.fin);
	if (world.answers_at_once)
		answer_held("at once");
}

static void begin_chunked(const char *first)
{
	static const struct http_reply head = {
		.status = 200, .is_stream = true, .is_chunked = true
	};

	http_conn_begin_stream(world.held, &head, first, strlen(first), &hold_hooks, &world);
}

/* In the place of httpd.c. */
const struct http_route *httpd_find_route(
	const struct httpd *httpd, const char *path, size_t *ret_prefix, bool *ret_is_domain)
{
	static const struct http_route routes[] = {
		{ .path = "/get", .methods = HTTPD_GET, .head = on_get },
		{ .path = "/big", .methods = HTTPD_GET, .head = on_get_big },
		{ .path = "/stream", .methods = HTTPD_GET, .head = on_get_stream },
		{ .path = "/post",
			.methods = HTTPD_POST,
			.head = on_post_head,
			.body = on_post_body,
			.free_note = free_note },
		{ .path = "/hold",
			.methods = HTTPD_GET | HTTPD_POST | HTTPD_DELETE,
			.head = on_hold_head,
			.body = on_hold_body },
	};

	*ret_prefix = 0;
	*ret_is_domain = false;
	for (size_t i = 0; i < N_ELEMENTS(routes); i++)
		if (streq(routes[i].path, path))
			return &routes[i];
	return NULL;
}

static const struct client_addr client_addr = { .ip = { [10] = 0xff, 0xff, 10, 0, 0, 1 },
	.port = 4711 };

static int connect_one(void)
{
	int pair[2];

	assert_int_equal(fd_socketpair(pair), 0);
	assert_int_equal(fd_set_nonblock(pair[0], true), 0);
	assert_int_equal(fd_set_nonblock(pair[1], true), 0);
	http_conn_new(
		&world.shared, pair[1], &client_addr, &(struct http_door){ .is_loopback = true });
	return pair[0];
}

static int set_up(void **unused)
{
	world = (struct world){ .loop = loop_new_fake() };
	loop_fake_advance(world.loop, 1000);
	world.guard = guard_new(&(struct guard_parts){ 0 }, &open_conf); /* nobody is asked */
	http_shared_init(&world.shared, world.loop, NULL, world.guard);
	http_shared_set_limits(&world.shared, &limits);
	world.client = connect_one();
	return 0;
}

static int tear_down(void **unused)
{
	(void)fd_close(world.client);
	http_shared_done(&world.shared);
	guard_free(world.guard);
	loop_free(world.loop);
	strbuf_done(&world.bodies);
	assert_int_equal(world.n_notes, 0);
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

/* Many requests in one piece, and then it sends no more: all are answered, but another need not wait for that. */
static void test_many_in_one_piece(void **unused)
{
	const unsigned n = 200;
	auto_close int other = connect_one();
	auto_strbuf all = { 0 };
	const char *answers;

	for (unsigned i = 0; i < n; i++)
		strbuf_adds(&all, POST("1") "a");
	assert_int_equal(send(world.client, all.data, all.len, MSG_NOSIGNAL), (ssize_t)all.len);
	assert_int_equal(shutdown(world.client, SHUT_WR), 0);
	say_to(other, POST("1") "B");
	answers = hear();
	assert_int_equal(count(answers, " 202 "), n);
	assert_non_null(strstr(answers, "<EOF>"));
	assert_int_equal(world.bodies.len, 2 * (n + 1)); /* each with a mark behind it */
	assert_in_range(strcspn(world.bodies.data, "B"), 0, n);
}

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
	say("PUT /hold HTTP/1.1\r\n" HOST "\r\n");
	assert_non_null(strstr(hear(), "Allow: GET, HEAD, POST, DELETE\r\n"));
	say("HEAD /get HTTP/1.1\r\n" HOST "\r\n");
	const char *answer = hear();

	assert_non_null(strstr(answer, "Content-Length: 5\r\n"));
	assert_null(strstr(answer, "hello"));
}

static void test_options(void **unused)
{
	say("OPTIONS /hold HTTP/1.1\r\n" HOST "Origin: http://localhost\r\n"
	    "Access-Control-Request-Method: POST\r\n\r\n");
	const char *answer = hear();

	assert_non_null(strstr(answer, " 204 No Content\r\n"));
	assert_non_null(strstr(answer, "Access-Control-Allow-Origin: http://localhost\r\n"));
	assert_null(strstr(answer, "Content-Length"));
	say("OPTIONS /hold HTTP/1.1\r\n" HOST "\r\n");
	answer = hear();
	assert_non_null(strstr(answer, " 204 No Content\r\n"));
	assert_non_null(strstr(answer, "\r\nAllow: GET, HEAD, POST, DELETE\r\n"));
	assert_null(strstr(answer, "Access-Control"));
	say("OPTIONS /none HTTP/1.1\r\n" HOST "\r\n");
	assert_non_null(strstr(hear(), " 404 "));
	say("OPTIONS /get HTTP/1.1\r\n" HOST "Origin: http://evil.example\r\n\r\n");
	assert_non_null(strstr(hear(), " 403 "));
}

#define PAGE "Origin: http://localhost:3000\r\n"
#define GRANT "Access-Control-Allow-Origin: http://localhost:3000\r\n"

/* What a page may read is said on each answer to it, a stream's head too, and on none of the next request. */
static void test_grants(void **unused)
{
	say("GET /get HTTP/1.1\r\n" HOST PAGE "\r\n");
	assert_non_null(strstr(hear(), GRANT));
	say("GET /get HTTP/1.1\r\n" HOST "\r\n");
	assert_null(strstr(hear(), "Access-Control"));
	say("GET /none HTTP/1.1\r\n" HOST PAGE "\r\n");
	const char *answer = hear();

	assert_non_null(strstr(answer, " 404 "));
	assert_non_null(strstr(answer, GRANT));
	say("POST /hold HTTP/1.1\r\n" HOST PAGE "Content-Length: 1\r\n\r\nx");
	answer_held("later");
	assert_non_null(strstr(hear(), GRANT));
	say("GET /stream HTTP/1.1\r\n" HOST PAGE "\r\n");
	assert_non_null(strstr(hear(), GRANT));
}

/* Without a credential where one is wanted: each path and method alike, and what is malformed as ever. */
static void test_refused_by_the_guard(void **unused)
{
	static char nothing[] = "";
	static const struct conf wanting = { .auth = { .mode = CONF_AUTH_REQUIRED,
						     .issuer = nothing } };
	static const char *const starts[] = { "GET /get", "HEAD /get", "GET /none", "POST /get",
		"DELETE /hold", "OPTIONS /hold", "PUT /none", "GET /%2f", "OPTIONS *" };

	guard_set_conf(world.guard, &wanting);
	for (size_t i = 0; i < N_ELEMENTS(starts); i++) {
		char text[200];

		(void)snprintf(text, sizeof(text), "%s HTTP/1.1\r\n" HOST "\r\n", starts[i]);
		say(text);
		const char *answer = hear();

		assert_non_null(strstr(answer, " 401 Unauthorized\r\n"));
		assert_non_null(strstr(answer, "\r\nWWW-Authenticate: Bearer"));
		assert_null(strstr(answer, "Allow:"));
		assert_int_equal(strstr(answer, "{\"error\":") != NULL, starts[i][0] != 'H');
	}
	assert_null(http_conn_get_caller(TAILQ_FIRST(&world.shared.conns))->principal);
	say("GET /get HTTP/9.9\r\n\r\n");
	assert_non_null(strstr(hear(), " 505 "));
}

/* A credential may come to be wanted while a body is under way. */
static void test_refused_after_the_body(void **unused)
{
	static char nothing[] = "";
	static const struct conf wanting = { .auth = { .mode = CONF_AUTH_REQUIRED,
						     .issuer = nothing } };

	say("POST /post HTTP/1.1\r\n" HOST "Content-Length: 4\r\n\r\nab");
	guard_set_conf(world.guard, &wanting);
	say("cd");
	assert_non_null(strstr(hear(), " 401 Unauthorized\r\n"));
	assert_int_equal(world.bodies.len, 0);
	assert_int_equal(world.n_notes, 0);
}

static void test_caller(void **unused)
{
	const struct caller *caller;

	say("GET /get HTTP/1.1\r\n" HOST "\r\n");
	(void)hear();
	caller = http_conn_get_caller(TAILQ_FIRST(&world.shared.conns));
	assert_int_equal(caller->principal->kind, PRINCIPAL_ANYBODY);
	assert_string_equal(caller->address, "10.0.0.1");
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

static unsigned n_lines;

static void count_line(void *arg, enum log_level level, const struct log_about *about,
	const char *text, int64_t wall_ms)
{
	assert_string_equal(about->client, "10.0.0.1");
	n_lines += strstr(text, arg) != NULL;
}

/* Each kind has its own bound, so that a flood of one does not hide the others. */
static void test_refusals_are_in_the_log(void **unused)
{
	n_lines = 0;
	log_set_tap(count_line, (void *)(uintptr_t) "refused with 431");
	for (int i = 0; i < 50; i++) {
		char long_head[700];

		(void)snprintf(long_head, sizeof(long_head), "GET /get HTTP/1.1\r\nX: %0600d", i);
		say(long_head);
		(void)fd_close(world.client);
		turn();
		world.client = connect_one();
	}
	assert_in_range(n_lines, 1, 10);
	n_lines = 0;
	log_set_tap(count_line, (void *)(uintptr_t) "refused with 408");
	say("GET /get HT");
	loop_fake_advance(world.loop, limits.header_timeout_ms);
	turn();
	log_set_tap(NULL, NULL);
	assert_int_equal(n_lines, 1);
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

/* Reads all there is, with a pause after each piece; returns how much it was. */
static size_t read_slowly(int64_t pause_ms, struct strbuf *last)
{
	size_t len = 0;
	ssize_t n = 1;

	for (int i = 0; i < 1000 && n != 0; i++) {
		char bytes[65536];

		n = recv(world.client, bytes, sizeof(bytes), 0);
		if (n < 0 && len > sizeof(big) && world.shared.n_conns > 0)
			break; /* all is there, and the connection stays */
		if (n > 0) {
			strbuf_cut(last, 0);
			strbuf_add(last, bytes, (size_t)n);
			len += (size_t)n;
			loop_fake_advance(world.loop, pause_ms);
		}
		turn();
	}
	return len;
}

/* Time is for a client that reads nothing, and not for an answer that is large. */
static void test_large_answer_is_read_slowly(void **unused)
{
	auto_strbuf last = { 0 };

	say("GET /big HTTP/1.1\r\n" HOST "\r\n");
	assert_true(read_slowly(limits.keepalive_timeout_ms / 8, &last) > sizeof(big));
	assert_int_equal(world.shared.n_conns, 1);
	say("GET /big HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n");
	assert_true(read_slowly(limits.keepalive_timeout_ms / 8, &last) > sizeof(big));
	loop_fake_advance(world.loop, 2000);
	assert_int_equal(world.shared.n_conns, 0);
}

/* Whoever reads slowly did not ask slowly. */
static void test_head_behind_a_large_answer(void **unused)
{
	auto_strbuf last = { 0 };

	say("GET /big HTTP/1.1\r\n" HOST "\r\nGET /get HTTP/1.1\r\n" HOST "\r\n");
	loop_fake_advance(world.loop, limits.header_timeout_ms + 1);
	assert_true(read_slowly(1, &last) > sizeof(big));
	assert_non_null(memmem(last.data, last.len, "hello", 5));
	assert_null(memmem(last.data, last.len, " 408 ", 5));
	assert_int_equal(world.shared.n_conns, 1);
}

static void test_half_closed(void **unused)
{
	assert_true(send(world.client, POST("3") "abc", strlen(POST("3") "abc"), 0) > 0);
	assert_int_equal(shutdown(world.client, SHUT_WR), 0);
	assert_non_null(strstr(hear(), " 202 "));
	assert_int_equal(world.shared.n_conns, 0);
}

static int stream_text(const char *text, size_t len)
{
	const struct iovec iov = { .iov_base = (void *)(uintptr_t)text, .iov_len = len };

	return http_conn_stream(world.stream, &iov, 1);
}

static void test_limit_of_connections(void **unused)
{
	int second = connect_one();
	int third;
	const char *answer;

	say("GET /stream HTTP/1.1\r\n" HOST "\r\n");
	assert_non_null(strstr(hear(), "first"));
	say_to(second, "GET /stream HTTP/1.1\r\n" HOST "\r\n");
	assert_non_null(strstr(hear_from(second), "first"));
	third = connect_one();
	answer = hear_from(third);
	assert_non_null(strstr(answer, " 503 "));
	assert_non_null(strstr(answer, "Retry-After: 1\r\n"));
	assert_non_null(strstr(answer, "<EOF>"));
	assert_int_equal(stream_text("more", 4), 0);
	assert_non_null(strstr(hear_from(second), "more"));
	(void)fd_close(second);
	(void)fd_close(third);
	turn();
	assert_int_equal(world.shared.n_conns, 1);
}

/* What only waits makes room; the one with a request in work never does. */
static void test_the_newcomer_takes_the_place_of_who_waits(void **unused)
{
	int second = connect_one();
	int third;

	say("GET /get HTTP/1.1\r\n" HOST "\r\n");
	assert_non_null(
		strstr(hear(), "hello")); /* it waits again, and is younger than the second */
	third = connect_one();
	turn();
	assert_string_equal(hear_from(second), "<EOF>");
	say_to(third, "GET /get HTTP/1.1\r\n" HOST "\r\n");
	assert_non_null(strstr(hear_from(third), "hello"));
	say("GET /get HTTP/1.1\r\n" HOST "\r\n");
	assert_non_null(strstr(hear(), "hello"));
	(void)fd_close(second);
	(void)fd_close(third);
	turn();
	assert_int_equal(world.shared.n_conns, 1);
}

/* Who holds its place by a body that does not come is not in work either. */
static void test_a_body_that_does_not_come_makes_room(void **unused)
{
	int second = connect_one();
	int third;

	say(POST("5") "abc");
	say_to(second, "GET /stream HTTP/1.1\r\n" HOST "\r\n");
	assert_non_null(strstr(hear_from(second), "first"));
	third = connect_one();
	turn();
	assert_string_equal(hear(), "<EOF>");
	assert_int_equal(world.bodies.len, 0);
	say_to(third, "GET /get HTTP/1.1\r\n" HOST "\r\n");
	assert_non_null(strstr(hear_from(third), "hello"));
	(void)fd_close(second);
	(void)fd_close(third);
	turn();
	assert_int_equal(world.shared.n_conns, 0);
}

static void test_a_held_request_keeps_its_place(void **unused)
{
	int second = connect_one();
	int third;

	say("POST /hold HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\na");
	say("b");
	assert_non_null(world.held);
	say_to(second, "GET /stream HTTP/1.1\r\n" HOST "\r\n");
	assert_non_null(strstr(hear_from(second), "first"));
	third = connect_one();
	assert_non_null(strstr(hear_from(third), " 503 "));
	answer_held("late");
	assert_non_null(strstr(hear(), "late"));
	(void)fd_close(second);
	(void)fd_close(third);
	turn();
	assert_int_equal(world.shared.n_conns, 1);
}

static const char *ask_with_quota(const struct conf_quota *quota, const char *request)
{
	struct conf_limits own = limits;

	own.per_address = *quota;
	http_shared_set_limits(&world.shared, &own);
	say(request);
	return hear();
}

static const char *hear_after_get(void)
{
	say("GET /get HTTP/1.1\r\n" HOST "\r\n");
	return hear();
}

static void test_rate_of_an_address(void **unused)
{
	static const struct conf_quota quota = { .rate = 1, .burst = 2 };
	static const char get[] = "GET /get HTTP/1.1\r\n" HOST "\r\n";
	const char *answer;

	assert_non_null(strstr(ask_with_quota(&quota, get), "hello"));
	assert_non_null(strstr(ask_with_quota(&quota, get), "hello"));
	answer = ask_with_quota(&quota, get);
	assert_non_null(strstr(answer, " 429 "));
	assert_non_null(strstr(answer, "Retry-After: 1\r\n"));
	assert_non_null(strstr(answer, "limits.per_address.rate"));
	assert_null(strstr(answer, "<EOF>")); /* the connection goes on */
	assert_non_null(
		strstr(ask_with_quota(&quota, "OPTIONS /get HTTP/1.1\r\n" HOST "\r\n"), " 429 "));
	assert_null(strstr(ask_with_quota(&quota,
				   "OPTIONS /get HTTP/1.1\r\n" HOST "Origin: http://localhost\r\n"
				   "Access-Control-Request-Method: POST\r\n\r\n"),
		" 429 ")); /* a page asks whether it may ask */
	loop_fake_advance(world.loop, 1000);
	assert_non_null(strstr(ask_with_quota(&quota, get), "hello"));
}

/* What the guard refuses counts, too: guessing is slowed down. */
static void test_rate_of_an_address_before_the_guard(void **unused)
{
	static char nothing[] = "";
	static const struct conf wanting = { .auth = { .mode = CONF_AUTH_REQUIRED,
						     .issuer = nothing } };
	static const struct conf_quota quota = { .rate = 1, .burst = 2 };
	static const char get[] = "GET /get HTTP/1.1\r\n" HOST "\r\n";

	guard_set_conf(world.guard, &wanting);
	assert_non_null(strstr(ask_with_quota(&quota, get), " 401 "));
	assert_non_null(strstr(ask_with_quota(&quota, get), " 401 "));
	assert_non_null(strstr(ask_with_quota(&quota, get), " 429 "));
}

/* A chunked body tells its length only when it is there: it is paid for then. */
static void test_bytes_of_a_chunked_body(void **unused)
{
	static const struct conf_quota quota = { .bytes_rate = 10 };

	assert_non_null(
		strstr(ask_with_quota(&quota,
			       "POST /post HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"
			       "1e\r\n123456789012345678901234567890\r\n0\r\n\r\n"),
			" 202 "));
	assert_non_null(strstr(hear_after_get(), "Retry-After: 2\r\n"));
	loop_fake_advance(world.loop, 2000);
	assert_non_null(strstr(hear_after_get(), "hello"));
}

/* All that a connection counts is given back, however it ends. */
static void test_counts_are_given_back(void **unused)
{
	struct conf_limits own = limits;
	struct usage *usage;

	own.per_address.connections = 9;
	http_shared_set_limits(&world.shared, &own);
	usage = door_limits_of_address(world.shared.door_limits, &client_addr);
	for (int how = 0; how < 4; how++) {
		int fd = connect_one();

		assert_int_equal(usage_count(usage, USAGE_CONNECTIONS), 1);
		say_to(fd, "GET /stream HTTP/1.1\r\n" HOST "\r\n");
		assert_int_equal(usage_count(usage, USAGE_STREAMS), 1);
		if (how == 1)
			http_conn_end_stream(world.stream);
		else if (how == 2)
			(void)shutdown(fd, SHUT_WR);
		else if (how == 3)
			assert_true(http_conn_check(world.stream, USAGE_STREAMS).status == 0);
		(void)fd_close(fd);
		turn();
		assert_int_equal(usage_count(usage, USAGE_CONNECTIONS), 0);
		assert_int_equal(usage_count(usage, USAGE_STREAMS), 0);
	}
	usage_unref(usage);
}

static void test_min_rate(void **unused)
{
	struct conf_limits own = limits;

	own.min_rate = 10;
	http_shared_set_limits(&world.shared, &own);
	say(POST("900") "x");
	loop_fake_advance(world.loop, 4000);
	say("x"); /* the first seconds are free */
	assert_string_equal(hear(), "");
	for (int i = 0; i < 5; i++)
		say("12345678901");
	loop_fake_advance(world.loop, 1500);
	say("x"); /* 58 bytes in 5.5 s */
	assert_string_equal(hear(), "");
	loop_fake_advance(world.loop, 1000);
	say("x");
	assert_non_null(strstr(hear(), " 408 "));
	assert_int_equal(world.bodies.len, 0);
	loop_fake_advance(world.loop, 2000);
	turn();
	assert_int_equal(world.shared.n_conns, 0);
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

#define HOLD "POST /hold HTTP/1.1\r\n" HOST "Content-Length: 1\r\n\r\nx"
#define GET "GET /get HTTP/1.1\r\n" HOST "\r\n"

static void test_held(void **unused)
{
	say(HOLD);
	loop_fake_advance(world.loop, 10 * limits.keepalive_timeout_ms); /* it takes its time */
	assert_string_equal(hear(), "");
	answer_held("late");
	assert_non_null(strstr(hear(), "\r\n\r\nlate"));
	say(GET);
	assert_non_null(strstr(hear(), "hello"));
	loop_fake_advance(world.loop, limits.keepalive_timeout_ms); /* idle again */
	assert_string_equal(hear(), "<EOF>");
	assert_int_equal(world.n_closed, 0);
}

/* What was sent ahead is handled after the answer, in order, also when it came in pieces. */
static void test_held_in_a_pipeline(void **unused)
{
	say(GET HOLD GET HOLD "GET /g");
	assert_int_equal(count(hear(), "hello"), 1);
	say("et HTTP/1.1\r\n" HOST);
	assert_string_equal(hear(), "");
	answer_held("one");
	const char *answer = hear();

	assert_non_null(strstr(answer, "\r\n\r\none"));
	assert_true(strstr(answer, "hello") > strstr(answer, "one"));
	answer_held("two");
	assert_int_equal(count(hear(), "HTTP/1.1 200"), 1);
	say("\r\n");
	assert_non_null(strstr(hear(), "hello"));
}

static void test_held_with_its_body_in_pieces(void **unused)
{
	say("POST /hold HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nx");
	assert_null(world.held);
	say("yz" GET);
	answer_held("late");
	assert_int_equal(count(hear(), "HTTP/1.1 200"), 2);
}

static void test_held_and_answered_at_once(void **unused)
{
	world.answers_at_once = true;
	say(HOLD HOLD GET);
	const char *answer = hear();

	assert_int_equal(count(answer, "at once"), 2);
	assert_int_equal(count(answer, "hello"), 1);
	say("POST /hold HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n");
	assert_non_null(strstr(hear(), "at once<EOF>"));
}

static void test_held_on_a_connection_that_closes(void **unused)
{
	say("POST /hold HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n" GET);
	answer_held("last");
	assert_non_null(strstr(hear(), "last<EOF>"));
}

static void test_held_client_leaves(void **unused)
{
	say(HOLD GET);
	(void)fd_close(TAKE_FD(world.client));
	turn();
	assert_int_equal(world.n_closed, 1);
	assert_null(world.held);
	assert_int_equal(world.shared.n_conns, 0);
}

/* FIN and answer in one turn: the answer goes to nobody, and nobody is told twice. */
static void test_held_answered_when_dead(void **unused)
{
	static const struct http_reply reply = { .status = 200, .body = big, .body_len = 10 };

	say(HOLD);
	(void)fd_close(TAKE_FD(world.client));
	http_conn_answer(TAKE(world.held), &reply); /* EPIPE */
	turn();
	assert_int_equal(world.n_closed, 0);
	assert_int_equal(world.shared.n_conns, 0);
}

static void test_held_half_closed(void **unused)
{
	world.fin = HTTP_FIN_WAITS;
	say(HOLD HOLD GET "GET /g");
	assert_int_equal(shutdown(world.client, SHUT_WR), 0);
	turn();
	assert_int_equal(world.n_closed, 0);
	answer_held("one");
	assert_non_null(strstr(hear(), "one"));
	answer_held("two");
	const char *answer = hear();

	assert_non_null(strstr(answer, "two"));
	assert_non_null(strstr(answer, "hello<EOF>"));
	assert_int_equal(world.shared.n_conns, 0);
}

static void test_held_half_closed_stream(void **unused)
{
	world.fin = HTTP_FIN_WAITS;
	say(HOLD);
	assert_int_equal(shutdown(world.client, SHUT_WR), 0);
	turn();
	begin_chunked("first");
	http_conn_end_stream(world.held);
	const char *answer = hear();

	assert_non_null(strstr(answer, "5\r\nfirst\r\n0\r\n\r\n<EOF>"));
	assert_int_equal(world.n_closed, 0);
}

static void test_held_half_close_is_leaving(void **unused)
{
	world.fin = HTTP_FIN_LEAVES;
	say(HOLD);
	begin_chunked("first");
	assert_int_equal(shutdown(world.client, SHUT_WR), 0);
	turn();
	assert_int_equal(world.n_closed, 1);
}

/* A client cannot make us keep what it sends ahead of an answer. */
static void test_held_bounds_what_is_ahead(void **unused)
{
	size_t sent = 0;

	say(HOLD);
	for (int i = 0; i < 1000; i++) {
		ssize_t n = send(world.client, big, 10000, MSG_NOSIGNAL);

		sent += n > 0 ? (size_t)n : 0;
		turn();
	}
	assert_true(sent < 1 * MIB);
	answer_held("late");
	const char *answer = hear();

	assert_non_null(strstr(answer, "late"));
	assert_non_null(strstr(answer, " 400 ")); /* zeros are no request */
	assert_non_null(strstr(answer, "<EOF>"));
}

static void test_chunked_stream_and_on(void **unused)
{
	const struct iovec iov[] = { { (void *)(uintptr_t) "abc", 3 },
		{ (void *)(uintptr_t) "0123456789abcdef", 16 } };

	say(HOLD GET);
	begin_chunked("first");
	assert_non_null(strstr(hear(), "Transfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n"));
	assert_int_equal(http_conn_stream(world.held, iov, 2), 0);
	assert_string_equal(hear(), "13\r\nabc0123456789abcdef\r\n");
	assert_false(http_conn_is_writing(world.held));
	http_conn_end_stream(TAKE(world.held));
	const char *answer = hear();

	assert_memory_equal(answer, "0\r\n\r\nHTTP/1.1 200 OK", 20);
	assert_non_null(strstr(answer, "hello"));
	say(HOLD);
	begin_chunked(""); /* no chunk: an empty one would be the end */
	assert_null(strstr(hear(), "\r\n0\r\n"));
	http_conn_end_stream(TAKE(world.held));
	assert_string_equal(hear(), "0\r\n\r\n");
}

static void test_stream_for_http10(void **unused)
{
	say("POST /hold HTTP/1.0\r\n" HOST "Connection: keep-alive\r\n\r\n");
	begin_chunked("first");
	const char *answer = hear();

	assert_null(strstr(answer, "chunked"));
	assert_non_null(strstr(answer, "Connection: close\r\n\r\nfirst"));
	http_conn_end_stream(TAKE(world.held));
	assert_string_equal(hear(), "<EOF>");
}

static void test_chunked_backlog(void **unused)
{
	const struct iovec iov = { (void *)(uintptr_t)big, sizeof(big) };
	auto_strbuf got = { 0 };

	say(HOLD GET);
	begin_chunked("first");
	assert_int_equal(http_conn_stream(world.held, &iov, 1), 0);
	assert_true(http_conn_is_writing(world.held));
	assert_int_equal(http_conn_stream(world.held, &iov, 1), -EAGAIN);
	http_conn_end_stream(TAKE(world.held));
	for (int i = 0; i < 1000; i++) {
		ssize_t n = recv(world.client, strbuf_reserve(&got, 65536), 65536, 0);

		turn();
		got.len += n > 0 ? (size_t)n : 0;
	}
	assert_true(got.len > sizeof(big));
	assert_memory_equal(got.data + got.len - 5, "hello", 5);
	assert_int_equal(world.n_drained + world.n_closed, 0);
}

/* A stream that ended with a backlog for a client that never reads. */
static void test_chunked_backlog_is_bounded_in_time(void **unused)
{
	const struct iovec iov = { (void *)(uintptr_t)big, sizeof(big) };

	say(HOLD);
	begin_chunked("first");
	assert_int_equal(http_conn_stream(world.held, &iov, 1), 0);
	http_conn_end_stream(TAKE(world.held));
	loop_fake_advance(world.loop, limits.keepalive_timeout_ms);
	assert_int_equal(world.shared.n_conns, 0);
}

static void test_stopping_with_a_stream(void **unused)
{
	say(HOLD);
	begin_chunked("first");
	http_shared_close_idle(&world.shared);
	http_conn_end_stream(TAKE(world.held));
	assert_non_null(strstr(hear(), "first\r\n0\r\n\r\n<EOF>"));
}

/* Whatever way a body ends, what the head handler left is freed (tear_down counts). */
static void test_notes_are_freed(void **unused)
{
	say(POST("5") "abcde");
	say(POST("5") "ab");
	assert_int_equal(world.n_notes, 1);
	loop_fake_advance(world.loop, limits.body_timeout_ms); /* 408 */
	assert_int_equal(world.n_notes, 0);
	int client = connect_one();

	say_to(client, POST("5") "ab");
	(void)fd_close(client);
	turn();
	assert_int_equal(world.n_notes, 0);
	client = connect_one();
	world.refuse_bodies = true;
	say_to(client, POST("5") "ab");
	assert_int_equal(world.n_notes, 0);
	(void)fd_close(client);
	world.refuse_bodies = false;
	client = connect_one();
	say_to(client, POST("5") "ab"); /* open until tear_down */
	(void)fd_close(client);
}

/* Each request of a connection has its own client when a trusted proxy carries it. */
static void test_origin(void **unused)
{
	static const char get[] = "GET /get HTTP/1.1\r\n" HOST
				  "X-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: https\r\n\r\n";
	char block[] = "10.0.0.0/8";
	char *const blocks[] = { block };

	say(get);
	(void)hear();
	assert_string_equal(world.client_ip, "10.0.0.1");
	assert_false(world.client_is_https);

	http_shared_set_trusted(&world.shared, blocks, 1);
	say(get);
	(void)hear();
	assert_string_equal(world.client_ip, "192.0.2.7");
	assert_true(world.client_is_https);
	say("GET /get HTTP/1.1\r\n" HOST "\r\n");
	(void)hear();
	assert_string_equal(world.client_ip, "10.0.0.1");
	assert_false(world.client_is_https);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_keeps_the_connection),
		TEST(test_many_in_one_piece),
		TEST(test_close_in_one_piece),
		TEST(test_close_in_two_pieces),
		TEST(test_refusal_in_two_pieces),
		TEST(test_byte_by_byte),
		TEST(test_every_cut_comes_to_the_same),
		TEST(test_refused_body_ends_the_connection),
		TEST(test_expect),
		TEST(test_too_large),
		TEST(test_methods),
		TEST(test_options),
		TEST(test_grants),
		TEST(test_refused_by_the_guard),
		TEST(test_refused_after_the_body),
		TEST(test_caller),
		TEST(test_slow_head),
		TEST(test_refusals_are_in_the_log),
		TEST(test_slow_body),
		TEST(test_idle),
		TEST(test_mute_client),
		TEST(test_lingering_ends),
		TEST(test_slow_reader_pipelines),
		TEST(test_slow_reader_is_dropped),
		TEST(test_large_answer_is_read_slowly),
		TEST(test_head_behind_a_large_answer),
		TEST(test_half_closed),
		TEST(test_limit_of_connections),
		TEST(test_the_newcomer_takes_the_place_of_who_waits),
		TEST(test_a_body_that_does_not_come_makes_room),
		TEST(test_a_held_request_keeps_its_place),
		TEST(test_rate_of_an_address),
		TEST(test_rate_of_an_address_before_the_guard),
		TEST(test_bytes_of_a_chunked_body),
		TEST(test_counts_are_given_back),
		TEST(test_min_rate),
		TEST(test_stream),
		TEST(test_stream_backlog),
		TEST(test_stream_ends_with_backlog),
		TEST(test_stream_client_gone),
		TEST(test_stopping),
		TEST(test_held),
		TEST(test_held_in_a_pipeline),
		TEST(test_held_with_its_body_in_pieces),
		TEST(test_held_and_answered_at_once),
		TEST(test_held_on_a_connection_that_closes),
		TEST(test_held_client_leaves),
		TEST(test_held_answered_when_dead),
		TEST(test_held_half_closed),
		TEST(test_held_half_closed_stream),
		TEST(test_held_half_close_is_leaving),
		TEST(test_held_bounds_what_is_ahead),
		TEST(test_chunked_stream_and_on),
		TEST(test_stream_for_http10),
		TEST(test_chunked_backlog),
		TEST(test_chunked_backlog_is_bounded_in_time),
		TEST(test_stopping_with_a_stream),
		TEST(test_notes_are_freed),
		TEST(test_origin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
