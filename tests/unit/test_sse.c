/* HTTP+SSE: the endpoint event, messages and pings on the stream, what a POST is told, and the end of a
 * stream from either side. Connections and the meaning of messages are fakes of this file. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "shared/alloc.h"
#include "shared/log.h"
#include "supervisor/front/sse.h"

struct http_conn {
	int status; /* of the answer; 0: none yet */
	struct strbuf body;
	struct strbuf events; /* what was sent on the stream */
	const struct http_stream_hooks *hooks;
	void *arg;
	bool busy;
	bool gone;
	bool ended;
	const char *extra;
};

enum { N_CONNS = 40 };
#define HEARTBEAT_MS INT64_C(6400)

static struct world {
	struct loop *loop;
	struct sessions *sessions;
	struct sse *sse;
	struct http_route routes[SSE_ROUTES];
	struct http_conn conns[N_CONNS];
	enum mcp_verdict verdict;
	struct strbuf received;
	bool refuses;
	bool cannot_serve;
	unsigned n_closed;
} world;

static const struct conf_limits limits = {
	.sessions = N_CONNS - 1,
	.session_idle_ms = 3600000,
	.sweep_ms = 3600000,
	.session_queue_bytes = 100,
	.session_queue_messages = 4,
};

/* --- in the place of http_conn.c ------------------------------------------------------------------ */

void http_conn_answer(struct http_conn *conn, const struct http_reply *reply)
{
	assert_int_equal(conn->status, 0);
	conn->status = reply->status;
	conn->extra = reply->extra;
	strbuf_add(&conn->body, reply->body, reply->body_len);
}

struct door_refusal http_conn_check(const struct http_conn *conn, enum usage_thing thing)
{
	return (struct door_refusal){ 0 };
}

void http_conn_refuse_limit(struct http_conn *conn, const struct door_refusal *refusal)
{
	fail_msg("nothing is limited here");
}

const struct caller *http_conn_get_caller(const struct http_conn *conn)
{
	static const struct caller anybody;

	return &anybody;
}

void http_conn_refuse(struct http_conn *conn, int status, const char *message)
{
	const struct http_reply reply = { .status = status };

	http_conn_answer(conn, &reply);
}

void http_conn_begin_stream(struct http_conn *conn, const struct http_reply *reply,
	const char *first, size_t first_len, const struct http_stream_hooks *hooks, void *arg)
{
	http_conn_answer(conn, reply);
	assert_true(reply->is_stream);
	assert_string_equal(reply->content_type, "text/event-stream");
	strbuf_add(&conn->events, first, first_len);
	conn->hooks = hooks;
	conn->arg = arg;
}

int http_conn_stream(struct http_conn *conn, const struct iovec *pieces, int n_pieces)
{
	assert_false(conn->ended);
	if (conn->gone)
		return -EPIPE;
	if (conn->busy)
		return -EAGAIN;
	for (int i = 0; i < n_pieces; i++)
		strbuf_add(&conn->events, pieces[i].iov_base, pieces[i].iov_len);
	return 0;
}

void http_conn_end_stream(struct http_conn *conn)
{
	assert_false(conn->ended);
	conn->ended = true;
}

/* --- in the place of mcp.c ------------------------------------------------------------------------ */

static char whole, git; /* two endpoints */

struct endpoint *mcp_find_endpoint(const struct mcp *mcp, const char *domain)
{
	if (domain && !streq(domain, "git"))
		return NULL;
	return (struct endpoint *)(void *)(domain ? &git : &whole);
}

const char *endpoint_get_domain(const struct endpoint *endpoint)
{
	return (const void *)endpoint == &git ? "git" : NULL;
}

bool mcp_can_serve(const struct mcp *mcp, const struct endpoint *endpoint)
{
	return !world.cannot_serve;
}

struct sessions *mcp_get_sessions(const struct mcp *mcp)
{
	return world.sessions;
}

struct session *mcp_open(struct mcp *mcp, const struct sink_ops *ops, void *sink,
	struct endpoint *endpoint, const struct caller *caller)
{
	return world.refuses ? NULL : session_open(world.sessions, ops, sink, endpoint);
}

enum mcp_verdict mcp_receive(struct mcp *mcp, struct session *session,
	const struct mcp_input *input, struct strbuf *reply)
{
	strbuf_add(&world.received, input->text, input->len);
	if (world.verdict != MCP_ACCEPTED)
		strbuf_adds(reply, "an error");
	else
		session_answer(session, input->via, "answer", 6, 0);
	return world.verdict;
}

/* -------------------------------------------------------------------------------------------------- */

static void on_closed(void *arg, struct session *session)
{
	world.n_closed++;
}

static int set_up(void **unused)
{
	log_init("test", LOG_TARGET_TEXT, LOG_LEVEL_ERROR);
	world = (struct world){ .loop = loop_new_fake() };
	loop_fake_advance(world.loop, 1000);
	world.sessions = sessions_new(world.loop, &limits, on_closed, NULL);
	world.sse = sse_new(world.loop, NULL, HEARTBEAT_MS);
	sse_get_routes(world.sse, world.routes);
	return 0;
}

static int tear_down(void **unused)
{
	sessions_free(world.sessions);
	loop_settle(world.loop);
	sse_free(world.sse);
	loop_free(world.loop);
	for (size_t i = 0; i < N_CONNS; i++) {
		strbuf_done(&world.conns[i].body);
		strbuf_done(&world.conns[i].events);
	}
	strbuf_done(&world.received);
	return 0;
}

static struct http_conn *get(size_t i, const char *domain, const char *prefix)
{
	const struct http1_request request = { .method = HTTP1_GET };
	struct http_ask ask = { .request = &request, .domain = domain, .prefix = prefix };

	assert_false(world.routes[0].head(world.routes[0].arg, &world.conns[i], &ask));
	return &world.conns[i];
}

/* What came on the stream since the last time. */
static const char *events(struct http_conn *conn)
{
	static char text[1000];

	(void)snprintf(text, sizeof(text), "%s", strbuf_get(&conn->events));
	strbuf_cut(&conn->events, 0);
	return text;
}

/* The query of the endpoint that a stream was given. */
static void read_endpoint(struct http_conn *conn, const char *start, char ret[60])
{
	const char *text = events(conn);

	assert_memory_equal(text, start, strlen(start));
	(void)snprintf(ret, 60, "%.47s", text + strlen(start));
	assert_memory_equal(ret, "session_id=", 11);
	assert_string_equal(text + strlen(start) + 47, "\n\n");
}

static struct http_conn *post_typed(
	size_t i, const char *domain, const char *query, const char *type, const char *body)
{
	static const char type_name[] = "Content-Type";
	struct http1_request request = { .method = HTTP1_POST,
		.uri.query = { .at = query, .len = query ? strlen(query) : 0 } };
	struct http_ask ask = { .request = &request, .domain = domain, .prefix = "" };
	const struct http_route *route = &world.routes[1];
	auto_free char *copy = alloc_str(body);

	if (type) {
		request.fields[0].name = (struct span){ type_name, sizeof(type_name) - 1 };
		request.fields[0].value = (struct span){ type, strlen(type) };
		request.n_fields = 1;
	}
	if (route->head(route->arg, &world.conns[i], &ask))
		route->body(route->arg, &world.conns[i], ask.note, copy, strlen(copy));
	if (ask.note)
		route->free_note(ask.note);
	assert_true(world.conns[i].status > 0);
	return &world.conns[i];
}

static int post(size_t i, const char *domain, const char *query)
{
	return post_typed(i, domain, query, "application/json", "text")->status;
}

static void test_endpoint_and_answer(void **unused)
{
	struct http_conn *stream = get(0, NULL, "");
	char query[60];

	read_endpoint(stream, "event: endpoint\ndata: /messages?", query);
	assert_int_equal(post(1, NULL, query), 202);
	assert_string_equal(events(stream), "event: message\ndata: answer\n\n");
	assert_string_equal(strbuf_get(&world.received), "text");
	assert_int_equal(world.conns[1].body.len, 0);
}

static void test_a_domain_of_its_own(void **unused)
{
	struct http_conn *stream = get(0, "git", "/git");
	char query[60];

	read_endpoint(stream, "event: endpoint\ndata: /git/messages?", query);
	assert_int_equal(post(1, "git", query), 202);
	assert_int_equal(post(2, NULL, query), 202);
	read_endpoint(get(3, NULL, ""), "event: endpoint\ndata: /messages?", query);
	assert_int_equal(post(4, "git", query), 404); /* of the whole fleet: not known there */
	assert_int_equal(get(5, "none", "/none")->status, 404);
}

static void test_posts_that_are_refused(void **unused)
{
	struct http_conn *stream = get(0, NULL, "");
	char query[60];
	auto_free char *twice = NULL;

	read_endpoint(stream, "event: endpoint\ndata: /messages?", query);
	twice = alloc_printf("%s&%s", query, query);
	assert_int_equal(post(1, NULL, NULL), 400);
	assert_int_equal(post(2, NULL, "a=b"), 400);
	assert_int_equal(post(3, NULL, twice), 400);
	assert_int_equal(post(4, NULL, "session_id=x"), 404);
	assert_int_equal(
		post(5, NULL, "session_id=00000000-0000-4000-8000-000000000000000000000"), 404);
	assert_int_equal(post_typed(6, NULL, query, NULL, "x")->status, 415);
	assert_int_equal(post_typed(7, NULL, query, "text/plain", "x")->status, 415);
	assert_int_equal(post_typed(8, NULL, query, "application/jsonx", "x")->status, 415);
	assert_int_equal(
		post_typed(9, NULL, query, "Application/JSON; charset=utf-8", "x")->status, 202);
	world.verdict = MCP_INVALID;
	assert_int_equal(post(10, NULL, query), 400);
	assert_string_equal(strbuf_get(&world.conns[10].body), "an error");
	world.verdict = MCP_BUSY;
	assert_int_equal(post(11, NULL, query), 503);
	assert_string_equal(world.conns[11].extra, "Retry-After: 1\r\n");
	assert_string_equal(events(stream), "event: message\ndata: answer\n\n");
}

static void test_streams_that_are_refused(void **unused)
{
	const struct http1_request head = { .method = HTTP1_HEAD };
	struct http_ask ask = { .request = &head, .prefix = "" };

	world.refuses = true;
	assert_int_equal(get(0, NULL, "")->status, 503);
	assert_null(world.conns[0].hooks);
	world.refuses = false;
	world.cannot_serve = true;
	assert_int_equal(get(1, "git", "/git")->status, 503);
	world.cannot_serve = false;
	(void)world.routes[0].head(world.routes[0].arg, &world.conns[2], &ask);
	assert_int_equal(world.conns[2].status, 200);
	assert_int_equal(sessions_count(world.sessions), 0); /* HEAD opens none */
}

static unsigned count_pings(struct http_conn *conn)
{
	const char *at = strbuf_get(&conn->events);
	unsigned n = 0;

	for (; (at = strstr(at, "event: ping\ndata: {}\n\n")); at++)
		n++;
	return n;
}

static void test_each_stream_is_pinged(void **unused)
{
	unsigned first = 0;

	for (size_t i = 0; i < 30; i++)
		(void)get(i, NULL, "");
	loop_fake_advance(world.loop, HEARTBEAT_MS / 2 - 200);
	for (size_t i = 0; i < 30; i++)
		assert_int_equal(count_pings(&world.conns[i]), 0);
	loop_fake_advance(world.loop, HEARTBEAT_MS / 4);
	for (size_t i = 0; i < 30; i++)
		first += count_pings(&world.conns[i]);
	assert_true(first > 0 && first < 30); /* spread */
	loop_fake_advance(world.loop, HEARTBEAT_MS / 4 + 200);
	for (size_t i = 0; i < 30; i++)
		assert_int_equal(count_pings(&world.conns[i]), 1);
	loop_fake_advance(world.loop, 10 * HEARTBEAT_MS);
	for (size_t i = 0; i < 30; i++)
		assert_int_equal(count_pings(&world.conns[i]), 11);
}

static void test_another_rhythm(void **unused)
{
	struct http_conn *stream = get(0, NULL, "");

	sse_set_heartbeat(world.sse, 640);
	loop_fake_advance(world.loop, 6400);
	assert_in_range(count_pings(stream), 9, 11);
}

static void test_messages_wait_for_a_slow_reader(void **unused)
{
	struct http_conn *stream = get(0, NULL, "");
	char query[60];

	read_endpoint(stream, "event: endpoint\ndata: /messages?", query);
	stream->busy = true;
	assert_int_equal(post(1, NULL, query), 202);
	loop_fake_advance(world.loop, 3 * HEARTBEAT_MS); /* no pings in between */
	stream->busy = false;
	stream->hooks->drained(stream->arg);
	assert_string_equal(events(stream), "event: message\ndata: answer\n\n");
	stream->busy = true;
	for (size_t i = 2; i < 8; i++)
		(void)post(i, NULL, query);
	loop_settle(world.loop);
	assert_true(stream->ended); /* its queue was full */
	assert_int_equal(world.n_closed, 1);
	assert_int_equal(post(8, NULL, query), 404);
	loop_fake_advance(world.loop, 3 * HEARTBEAT_MS);
}

static void test_client_gone(void **unused)
{
	struct http_conn *stream = get(0, NULL, "");
	char query[60];

	read_endpoint(stream, "event: endpoint\ndata: /messages?", query);
	stream->gone = true;
	assert_int_equal(post(1, NULL, query), 202);
	stream->hooks->closed(stream->arg);
	assert_int_equal(world.n_closed, 1);
	assert_false(stream->ended); /* it is not touched any more */
	loop_fake_advance(world.loop, 3 * HEARTBEAT_MS);
	assert_int_equal(post(2, NULL, query), 404);
}

static void test_we_end_it(void **unused)
{
	struct http_conn *stream = get(0, NULL, "");

	sessions_close_all(world.sessions, "test");
	assert_true(stream->ended);
	loop_fake_advance(world.loop, 3 * HEARTBEAT_MS);
	assert_int_equal(count_pings(stream), 0);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_endpoint_and_answer),
		TEST(test_a_domain_of_its_own),
		TEST(test_posts_that_are_refused),
		TEST(test_streams_that_are_refused),
		TEST(test_each_stream_is_pinged),
		TEST(test_another_rhythm),
		TEST(test_messages_wait_for_a_slow_reader),
		TEST(test_client_gone),
		TEST(test_we_end_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
