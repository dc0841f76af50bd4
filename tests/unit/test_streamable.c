/* Streamable HTTP: what the heads and bodies of requests come to, which stream a message goes on, what
 * follows when a connection breaks, and the end from either side. Connections and the meaning of
 * messages are fakes of this file; sessions, streams and envelopes are real. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "shared/alloc.h"
#include "shared/log.h"
#include "shared/rpc.h"
#include "supervisor/front/streamable.h"

struct http_conn {
	int status; /* of the answer; 0: none yet */
	struct strbuf extra;
	struct strbuf body;   /* of an answer */
	struct strbuf events; /* what was sent on the stream */
	const struct http_stream_hooks *hooks;
	void *arg;
	enum http_fin fin;
	unsigned allowed;
	bool is_held;
	bool is_stream;
	bool busy;    /* the next write is kept, and the connection is writing */
	bool writing; /* something is kept */
	bool gone;
	bool ended;
};

enum { N_CONNS = 64, MANY = 12 };
#define HEARTBEAT_MS INT64_C(6400)

static struct world {
	struct loop *loop;
	struct sessions *sessions;
	struct streamable *door;
	struct http_route routes[STREAMABLE_ROUTES];
	struct http_conn conns[N_CONNS];
	size_t n_conns;
	struct conf conf;
	/* The last input, and what becomes of the next one. */
	struct session *session;
	uint64_t via;
	struct strbuf received;
	enum mcp_verdict verdict;
	bool has_token;     /* the caller is a token */
	bool takes_scopes;  /* of the last message: where it could be told of them */
	const char *answer; /* comes at once; NULL: nothing does */
	int code;
	bool refuses;
	bool cannot_serve;
	unsigned n_closed;
} world;

static const struct conf settings = {
	.sse_heartbeat_ms = HEARTBEAT_MS,
	.limits = { .sessions = 5,
		.session_idle_ms = 3600000,
		.sweep_ms = 60000,
		.session_queue_bytes = 400,
		.session_queue_messages = 8,
		.session_replay_bytes = 1000,
		.session_replay_events = 10 },
};

/* --- in the place of http_conn.c ------------------------------------------------------------------ */

static void set_status(struct http_conn *conn, const struct http_reply *reply)
{
	assert_int_equal(conn->status, 0);
	conn->status = reply->status;
	strbuf_adds(&conn->extra, reply->extra ? reply->extra : "");
}

void http_conn_answer(struct http_conn *conn, const struct http_reply *reply)
{
	conn->hooks = NULL;
	conn->is_held = false;
	if (conn->gone)
		return;
	set_status(conn, reply);
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
	static char nobody[] = "";
	static struct principal token = {
		.n_refs = 1, .kind = PRINCIPAL_TOKEN, .name = nobody, .identity = nobody
	};
	static const struct caller anybody;
	static const struct caller with_token = { .principal = &token };

	return world.has_token ? &with_token : &anybody;
}

void http_conn_add_scopes(struct http_conn *conn, struct span host, const char *path,
	const char *scopes, struct strbuf *out)
{
	strbuf_addf(out, "Scopes: %.*s%s %s\r\n", (int)host.len, host.at, path, scopes);
}

void http_conn_refuse(struct http_conn *conn, int status, const char *message)
{
	const struct http_reply reply = { .status = status };

	http_conn_answer(conn, &reply);
}

void http_conn_refuse_method(struct http_conn *conn, unsigned allowed)
{
	conn->allowed = allowed;
	http_conn_refuse(conn, 405, "");
}

void http_conn_hold(
	struct http_conn *conn, const struct http_stream_hooks *hooks, void *arg, enum http_fin fin)
{
	assert_int_equal(conn->status, 0);
	conn->is_held = true;
	conn->fin = fin;
	conn->hooks = hooks;
	conn->arg = arg;
}

void http_conn_begin_stream(struct http_conn *conn, const struct http_reply *reply,
	const char *first, size_t first_len, const struct http_stream_hooks *hooks, void *arg)
{
	set_status(conn, reply);
	assert_true(reply->is_stream);
	assert_string_equal(reply->content_type, "text/event-stream");
	assert_non_null(strstr(reply->extra, "X-Accel-Buffering: no\r\n"));
	strbuf_add(&conn->events, first, first_len);
	conn->is_held = false;
	conn->is_stream = true;
	conn->hooks = hooks;
	conn->arg = arg;
}

int http_conn_stream(struct http_conn *conn, const struct iovec *pieces, int n_pieces)
{
	assert_true(conn->is_stream && !conn->ended && n_pieces <= 5);
	if (conn->gone)
		return -EPIPE;
	if (conn->writing)
		return -EAGAIN;
	for (int i = 0; i < n_pieces; i++)
		strbuf_add(&conn->events, pieces[i].iov_base, pieces[i].iov_len);
	conn->writing = conn->busy;
	return 0;
}

bool http_conn_is_writing(const struct http_conn *conn)
{
	return conn->writing;
}

void http_conn_end_stream(struct http_conn *conn)
{
	assert_false(conn->ended);
	conn->hooks = NULL;
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
	world.session = session;
	world.via = input->via;
	strbuf_cut(&world.received, 0);
	strbuf_add(&world.received, input->text, input->len);
	world.takes_scopes = input->scopes != NULL;
	if (world.verdict == MCP_FORBIDDEN)
		strbuf_adds(input->scopes, "a b");
	if (world.verdict != MCP_ACCEPTED) {
		strbuf_adds(reply, "an error");
		return world.verdict;
	}
	if (world.answer && input->via)
		session_answer(session, input->via, world.answer, strlen(world.answer), world.code);
	return MCP_ACCEPTED;
}

/* -------------------------------------------------------------------------------------------------- */

static void on_closed(void *arg, struct session *session)
{
	world.n_closed++;
	if (session == world.session)
		world.session = NULL;
}

static int set_up(void **unused)
{
	log_init("test", LOG_TARGET_TEXT, LOG_LEVEL_ERROR);
	world = (struct world){ .loop = loop_new_fake(), .conf = settings };
	loop_fake_advance(world.loop, 1000);
	world.sessions = sessions_new(world.loop, &settings.limits, on_closed, NULL);
	world.door = streamable_new(world.loop, NULL, &world.conf);
	streamable_get_routes(world.door, world.routes);
	return 0;
}

static int tear_down(void **unused)
{
	sessions_free(world.sessions);
	loop_settle(world.loop);
	streamable_free(world.door);
	loop_free(world.loop);
	for (size_t i = 0; i < N_CONNS; i++) {
		strbuf_done(&world.conns[i].extra);
		strbuf_done(&world.conns[i].body);
		strbuf_done(&world.conns[i].events);
	}
	strbuf_done(&world.received);
	return 0;
}

static struct span span_of(const char *text)
{
	return (struct span){ .at = text, .len = text ? strlen(text) : 0 };
}

/* A request to "/mcp", or to "/git/mcp" for the domain git. `headers`: name, value, …, NULL. */
static struct http_conn *ask_at(
	const char *domain, enum http1_method method, const char *const *headers, const char *body)
{
	struct http1_request request = { .method = method, .host = span_of("host") };
	struct http_ask ask = {
		.request = &request, .domain = domain, .prefix = domain ? "/git" : ""
	};
	const struct http_route *route = &world.routes[0];
	struct http_conn *conn = &world.conns[world.n_conns++];
	auto_free char *copy = alloc_str(body);

	assert_true(world.n_conns <= N_CONNS);
	for (; headers && *headers; headers += 2)
		if (headers[1])
			request.fields[request.n_fields++] =
				(struct http1_field){ .name = span_of(headers[0]),
					.value = span_of(headers[1]) };
	if (route->head(route->arg, conn, &ask)) {
		memset(&request, 0xff, sizeof(request)); /* the head is gone */
		route->body(route->arg, conn, ask.note, copy, strlen(copy));
	}
	if (ask.note)
		route->free_note(ask.note);
	loop_settle(world.loop);
	assert_true(conn->status > 0 || conn->is_held);
	return conn;
}

#define BOTH "application/json, text/event-stream"

static struct http_conn *post(const char *session, const char *body)
{
	const char *const headers[] = { "Accept", BOTH, "Content-Type", "application/json",
		"Mcp-Session-Id", session, NULL };

	return ask_at(NULL, HTTP1_POST, headers, body);
}

static struct http_conn *get(const char *session, const char *last_event_id)
{
	const char *const headers[] = { "Mcp-Session-Id", session, "Last-Event-ID", last_event_id,
		"Accept", "text/event-stream", NULL };

	return ask_at(NULL, HTTP1_GET, headers, NULL);
}

#define INITIALIZE "{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"initialize\",\"params\":{}}"
#define REQUEST "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\"}"
#define NOTIFICATION "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/x\"}"

/* Opens a session; its id is borrowed until the next one. */
static const char *open_session_as(enum revision revision)
{
	static char id[SESSION_ID_TEXT];
	struct http_conn *conn;

	world.answer = "opened";
	conn = post(NULL, INITIALIZE);
	world.answer = NULL;
	assert_int_equal(conn->status, 200);
	assert_string_equal(strbuf_get(&conn->body), "opened");
	assert_int_equal(sscanf(strbuf_get(&conn->extra), "Mcp-Session-Id: %36s", id), 1);
	session_get_info(world.session)->revision = revision;
	return id;
}

static const char *open_session(void)
{
	return open_session_as(REV_2025_06_18);
}

static void answer(uint64_t via, const char *text)
{
	session_answer(world.session, via, text, strlen(text), 0);
	loop_settle(world.loop);
}

static void tell(uint64_t via, const char *text)
{
	session_tell(world.session, via, text, strlen(text));
	loop_settle(world.loop);
}

/* What came on the stream since the last time. */
static const char *events(struct http_conn *conn)
{
	static char text[2000];

	(void)snprintf(text, sizeof(text), "%s", strbuf_get(&conn->events));
	strbuf_cut(&conn->events, 0);
	return text;
}

static void break_conn(struct http_conn *conn)
{
	conn->gone = true;
	assert_non_null(conn->hooks);
	conn->hooks->closed(conn->arg);
	loop_settle(world.loop);
}

static void drain(struct http_conn *conn)
{
	conn->busy = false;
	conn->writing = false;
	conn->hooks->drained(conn->arg);
	loop_settle(world.loop);
}

/* --- heads ---------------------------------------------------------------------------------------- */

static int post_typed(const char *accept, const char *type)
{
	const char *const headers[] = { type ? "Content-Type" : "X", type ? type : "", "Accept",
		accept, NULL };

	return ask_at(NULL, HTTP1_POST, headers, INITIALIZE)->status;
}

static void test_media_types(void **unused)
{
	world.refuses = true; /* 503 is for those that get so far */
	assert_int_equal(post_typed(BOTH, "application/json"), 503);
	assert_int_equal(post_typed("*/*", "Application/JSON; charset=utf-8"), 503);
	assert_int_equal(post_typed(NULL, "application/json"), 503);
	assert_int_equal(post_typed("application/json", "application/json"), 503);
	assert_int_equal(post_typed("text/event-stream;q=0.1", "application/json"), 503);
	assert_int_equal(post_typed("text/html", "application/json"), 406);
	assert_int_equal(post_typed("*/*;q=0", "application/json"), 406);
	assert_int_equal(post_typed(BOTH, "text/plain"), 415);
	assert_int_equal(post_typed(BOTH, NULL), 415);
}

static void test_sessions_of_this_endpoint_only(void **unused)
{
	const char *id = open_session();
	const char *const headers[] = { "Accept", BOTH, "Content-Type", "application/json",
		"Mcp-Session-Id", id, NULL };

	assert_int_equal(ask_at(NULL, HTTP1_POST, headers, NOTIFICATION)->status, 202);
	assert_int_equal(ask_at("git", HTTP1_POST, headers, NOTIFICATION)->status, 404);
	assert_int_equal(ask_at("git", HTTP1_GET, headers, NULL)->status, 404);
	assert_int_equal(ask_at("git", HTTP1_DELETE, headers, NULL)->status, 404);
	assert_int_equal(ask_at("none", HTTP1_POST, headers, NOTIFICATION)->status, 404);
	assert_int_equal(ask_at("none", HTTP1_GET, headers, NULL)->status, 404);
	assert_int_equal(ask_at(NULL, HTTP1_GET, headers, NULL)->status, 200);
}

/* A session of another door: what its sink is, is not for us to use. */
static void test_sessions_of_another_door(void **unused)
{
	static const struct sink_ops other = { 0 };
	char id[SESSION_ID_TEXT];
	struct session *session =
		session_open(world.sessions, &other, NULL, mcp_find_endpoint(NULL, NULL));

	session_get_id(session, id);
	assert_int_equal(post(id, NOTIFICATION)->status, 404);
	assert_int_equal(get(id, NULL)->status, 404);
	session_gone(session);
}

static void test_session_ids(void **unused)
{
	static const char unknown[] = "00000000-0000-4000-8000-000000000000";
	const enum http1_method methods[] = { HTTP1_POST, HTTP1_GET, HTTP1_HEAD, HTTP1_DELETE };
	const char *ids[] = { NULL, unknown, "", "x" };
	const int statuses[] = { 400, 404, 404, 404 };

	for (size_t m = 0; m < N_ELEMENTS(methods); m++)
		for (size_t i = 0; i < N_ELEMENTS(ids); i++) {
			const char *const headers[] = { "Content-Type", "application/json",
				"mcp-session-id", ids[i], NULL };

			assert_int_equal(
				ask_at(NULL, methods[m], headers, REQUEST)->status, statuses[i]);
		}
	assert_int_equal(post(NULL, NOTIFICATION)->status, 400);
	assert_int_equal(post(unknown, NOTIFICATION)->status, 404);
	/* The request's id is in the error. */
	struct http_conn *conn = post(unknown, REQUEST);

	assert_non_null(strstr(strbuf_get(&conn->body), "\"id\":1,"));
}

static void test_get_and_its_headers(void **unused)
{
	const char *id = open_session();
	static const struct {
		const char *version;
		const char *accept;
		int status;
	} cases[] = { { NULL, "text/event-stream", 200 }, { "2025-06-18", "*/*", 200 },
		{ "2025-03-26", NULL, 200 }, { "2026-07-28", "text/event-stream", 405 },
		{ "1999-01-01", "text/event-stream", 400 }, { NULL, "application/json", 406 },
		{ "2026-07-28", "application/json", 405 } };
	const enum http1_method methods[] = { HTTP1_GET, HTTP1_HEAD };

	for (size_t m = 0; m < N_ELEMENTS(methods); m++)
		for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
			const char *const headers[] = { "MCP-Protocol-Version", cases[i].version,
				"Accept", cases[i].accept, "Mcp-Session-Id", id, NULL };
			struct http_conn *conn = ask_at(NULL, methods[m], headers, NULL);

			assert_int_equal(conn->status, cases[i].status);
			assert_int_equal(conn->allowed, conn->status == 405 ? HTTPD_POST : 0);
			assert_int_equal(
				conn->is_stream, conn->status == 200 && methods[m] == HTTP1_GET);
		}
}

static void test_headers_that_come_twice(void **unused)
{
	const char *id = open_session();
	const char *const versions[] = { "MCP-Protocol-Version", "2025-06-18",
		"mcp-protocol-version", "2025-06-18", "Mcp-Session-Id", id, "Content-Type",
		"application/json", NULL };
	const char *const ids[] = { "Mcp-Session-Id", id, "Mcp-Session-Id", id, "Content-Type",
		"application/json", NULL };

	assert_int_equal(ask_at(NULL, HTTP1_GET, versions, NULL)->status, 400);
	assert_int_equal(ask_at(NULL, HTTP1_GET, ids, NULL)->status, 400);
	assert_int_equal(ask_at(NULL, HTTP1_DELETE, ids, NULL)->status, 400);
	assert_int_equal(ask_at(NULL, HTTP1_POST, versions, NOTIFICATION)->status, 400);
	assert_int_equal(ask_at(NULL, HTTP1_POST, ids, NOTIFICATION)->status, 400);
}

/* --- legacy requests ------------------------------------------------------------------------------ */

static void test_initialize_that_fails_opens_nothing(void **unused)
{
	world.answer = "no";
	world.code = RPC_INVALID_PARAMS;
	struct http_conn *conn = post(NULL, INITIALIZE);

	assert_int_equal(conn->status, 200);
	assert_string_equal(strbuf_get(&conn->extra), "");
	assert_int_equal(sessions_count(world.sessions), 0);
	world.verdict = MCP_BUSY;
	conn = post(NULL, INITIALIZE);
	assert_int_equal(conn->status, 503);
	assert_string_equal(strbuf_get(&conn->extra), "Retry-After: 1\r\n");
	assert_int_equal(sessions_count(world.sessions), 0);
	world.verdict = MCP_ACCEPTED;
	world.cannot_serve = true;
	assert_int_equal(post(NULL, INITIALIZE)->status, 503);
}

static void test_initialize_waits_as_json(void **unused)
{
	struct http_conn *conn = post(NULL, INITIALIZE);

	loop_fake_advance(world.loop, 3 * HEARTBEAT_MS);
	assert_true(conn->is_held);
	answer(world.via, "opened");
	assert_non_null(strstr(strbuf_get(&conn->extra), "Mcp-Session-Id: "));
	conn = post(NULL, INITIALIZE);
	break_conn(conn); /* nobody will ever know the session */
	assert_int_equal(sessions_count(world.sessions), 1);
}

static void test_limit_of_sessions(void **unused)
{
	for (unsigned i = 0; i < settings.limits.sessions; i++)
		(void)open_session();
	struct http_conn *conn = post(NULL, INITIALIZE);

	assert_int_equal(conn->status, 503);
	assert_string_equal(strbuf_get(&conn->extra), "Retry-After: 1\r\n");
}

static void test_what_wants_no_answer(void **unused)
{
	const char *id = open_session();
	struct http_conn *conn = post(id, NOTIFICATION);

	assert_int_equal(conn->status, 202);
	assert_int_equal(conn->body.len, 0);
	assert_string_equal(strbuf_get(&world.received), NOTIFICATION);
	assert_int_equal(post(id, "{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":{}}")->status, 202);
	world.verdict = MCP_INVALID;
	conn = post(id, NOTIFICATION);
	assert_int_equal(conn->status, 400);
	assert_string_equal(strbuf_get(&conn->body), "an error");
	conn = post(id, REQUEST);
	assert_int_equal(conn->status, 400);
	assert_string_equal(strbuf_get(&conn->body), "an error");
	world.verdict = MCP_BUSY;
	assert_int_equal(post(id, REQUEST)->status, 503);
}

static void test_what_is_no_message(void **unused)
{
	const char *id = open_session();
	static const char *const bodies[] = { "", "x", "42", "null", "{}", "{\"jsonrpc\":\"2.0\"}",
		REQUEST REQUEST, "{\"jsonrpc\":\"2.0\",\"id\":null,\"method\":\"x\"}" };

	for (size_t i = 0; i < N_ELEMENTS(bodies); i++) {
		struct http_conn *conn = post(id, bodies[i]);

		assert_int_equal(conn->status, 400);
		assert_non_null(strstr(strbuf_get(&conn->body), "\"error\""));
	}
}

static void test_answer_as_json(void **unused)
{
	const char *id = open_session();
	struct http_conn *conn = post(id, REQUEST);

	assert_true(conn->is_held);
	assert_int_equal(conn->fin, HTTP_FIN_WAITS);
	answer(world.via, "{}");
	assert_int_equal(conn->status, 200);
	assert_string_equal(strbuf_get(&conn->body), "{}");
	assert_string_equal(strbuf_get(&conn->extra), "");
	world.answer = "at once";
	conn = post(id, REQUEST);
	assert_string_equal(strbuf_get(&conn->body), "at once");
	world.answer = "an error";
	world.code = RPC_METHOD_NOT_FOUND;
	assert_int_equal(post(id, REQUEST)->status, 200); /* of a legacy session */
}

static void test_stream_for_what_precedes_the_answer(void **unused)
{
	const char *id = open_session();
	struct http_conn *conn = post(id, REQUEST);
	uint64_t via = world.via;
	struct http_conn *other = post(id, REQUEST);

	tell(via, "progress");
	assert_int_equal(conn->status, 200);
	assert_string_equal(events(conn), "id: 2-1\nevent: message\ndata: progress\n\n");
	answer(world.via, "{}");
	assert_string_equal(strbuf_get(&other->body), "{}");
	assert_false(conn->ended);
	answer(via, "answer");
	assert_string_equal(events(conn), "id: 2-2\nevent: message\ndata: answer\n\n");
	assert_true(conn->ended);
	tell(via, "too late");
	answer(via, "too late");
}

static void test_client_that_takes_one_kind(void **unused)
{
	const char *id = open_session();
	const char *const json[] = { "Accept", "application/json", "Content-Type",
		"application/json", "Mcp-Session-Id", id, NULL };
	const char *const stream[] = { "Accept", "text/event-stream", "Content-Type",
		"application/json", "Mcp-Session-Id", id, NULL };
	struct http_conn *conn = ask_at(NULL, HTTP1_POST, json, REQUEST);

	tell(world.via, "progress");
	loop_fake_advance(world.loop, 3 * HEARTBEAT_MS);
	assert_true(conn->is_held);
	answer(world.via, "{}");
	assert_string_equal(strbuf_get(&conn->body), "{}");
	conn = ask_at(NULL, HTTP1_POST, stream, REQUEST);
	answer(world.via, "{}");
	assert_string_equal(events(conn), "id: 3-1\nevent: message\ndata: {}\n\n");
	assert_true(conn->ended);
}

static void test_long_silence_becomes_a_stream(void **unused)
{
	const char *id = open_session();
	struct http_conn *conn = post(id, REQUEST);

	loop_fake_advance(world.loop, HEARTBEAT_MS / 2 - 200);
	assert_true(conn->is_held);
	loop_fake_advance(world.loop, HEARTBEAT_MS / 2 + 200);
	assert_string_equal(events(conn), ":\n\n");
	loop_fake_advance(world.loop, HEARTBEAT_MS);
	assert_string_equal(events(conn), ":\n\n");
	answer(world.via, "{}");
	assert_string_equal(events(conn), "id: 2-1\nevent: message\ndata: {}\n\n");
	assert_true(conn->ended);
	loop_fake_advance(world.loop, 3 * HEARTBEAT_MS);
}

static void test_priming(void **unused)
{
	const char *id = open_session_as(REV_2025_11_25);
	struct http_conn *conn = post(id, REQUEST);

	tell(world.via, "x");
	assert_string_equal(events(conn), "id: 2-0\nretry: 1000\ndata: \n\n"
					  "id: 2-1\nevent: message\ndata: x\n\n");
	conn = get(id, NULL);
	assert_string_equal(events(conn), "id: 0-0\nretry: 1000\ndata: \n\n");
	tell(0, "y");
	(void)events(conn);
	conn = get(id, "0-0");
	assert_string_equal(events(conn), "id: 0-0\nretry: 1000\ndata: \n\n"
					  "id: 0-1\nevent: message\ndata: y\n\n");
}

/* --- batches -------------------------------------------------------------------------------------- */

#define BATCH "[" REQUEST "," NOTIFICATION ",42," REQUEST "]"

static void test_batch_as_json(void **unused)
{
	const char *id = open_session_as(REV_2025_03_26);
	struct http_conn *conn = post(id, BATCH);

	answer(world.via, "1");
	answer(world.via, "2");
	assert_true(conn->is_held);
	answer(world.via, "3");
	assert_string_equal(strbuf_get(&conn->body), "[1,2,3]");
	assert_int_equal(post(id, "[" NOTIFICATION "," NOTIFICATION "]")->status, 202);
	assert_int_equal(post(NULL, BATCH)->status, 400);
	world.verdict = MCP_INVALID;
	assert_int_equal(post(id, BATCH)->status, 400);
	assert_int_equal(post(id, "[]")->status, 400);
}

/* Nobody is slow where answers wait for each other: the batch fails, and not its session. */
static void test_batch_too_large_for_one_answer(void **unused)
{
	const char *id = open_session_as(REV_2025_03_26);
	struct http_conn *conn = post(id, BATCH);
	char large[300];

	memset(large, '7', sizeof(large) - 1);
	large[sizeof(large) - 1] = '\0';
	answer(world.via, large);
	answer(world.via, large); /* more than session_queue_bytes */
	assert_int_equal(conn->status, 500);
	assert_non_null(strstr(strbuf_get(&conn->body), "limits.session_queue_bytes"));
	answer(world.via, "late");
	assert_int_equal(world.n_closed, 0);
	assert_false(session_is_slow(world.session)); /* nothing of it waits any more */
	conn = post(id, REQUEST);
	answer(world.via, "{}");
	assert_string_equal(strbuf_get(&conn->body), "{}");
}

static void test_batch_as_stream(void **unused)
{
	const char *id = open_session_as(REV_2025_03_26);
	struct http_conn *conn = post(id, BATCH);

	answer(world.via, "1");
	tell(world.via, "progress");
	answer(world.via, "2");
	answer(world.via, "3");
	assert_string_equal(events(conn), "id: 2-1\nevent: message\ndata: 1\n\n"
					  "id: 2-2\nevent: message\ndata: progress\n\n"
					  "id: 2-3\nevent: message\ndata: 2\n\n"
					  "id: 2-4\nevent: message\ndata: 3\n\n");
	assert_true(conn->ended);
	conn = post(id, BATCH);
	answer(world.via, "1");
	loop_fake_advance(world.loop, HEARTBEAT_MS);
	assert_string_equal(events(conn), "id: 3-1\nevent: message\ndata: 1\n\n:\n\n");
	answer(world.via, "2");
	break_conn(conn);
	answer(world.via, "3");
	conn = get(id, "3-1");
	assert_string_equal(events(conn), "id: 3-2\nevent: message\ndata: 2\n\n"
					  "id: 3-3\nevent: message\ndata: 3\n\n");
	conn = post(id, BATCH);
	answer(world.via, "1");
	break_conn(conn); /* nothing was said yet: nobody can come back */
	answer(world.via, "2");
	answer(world.via, "3");
	conn = get(id, "4-0");
	tell(0, "standalone");
	assert_string_equal(events(conn), "id: 0-1\nevent: message\ndata: standalone\n\n");
}

/* --- streams -------------------------------------------------------------------------------------- */

static void test_standalone_stream(void **unused)
{
	const char *id = open_session();

	tell(0, "nobody listens");
	struct http_conn *conn = get(id, NULL);

	assert_string_equal(events(conn), "");
	tell(0, "one");
	assert_string_equal(events(conn), "id: 0-1\nevent: message\ndata: one\n\n");
	loop_fake_advance(world.loop, HEARTBEAT_MS);
	assert_string_equal(events(conn), ":\n\n");
	struct http_conn *second = get(id, NULL); /* takes over */

	assert_true(conn->ended);
	tell(0, "two");
	assert_string_equal(events(second), "id: 0-2\nevent: message\ndata: two\n\n");
	break_conn(second);
	tell(0, "three");
	second = get(id, "0-1");
	assert_string_equal(events(second), "id: 0-2\nevent: message\ndata: two\n\n"
					    "id: 0-3\nevent: message\ndata: three\n\n");
	assert_false(second->ended);
}

/* The call goes on; what it sends is there for the client that comes back. */
static void test_stream_that_breaks(void **unused)
{
	const char *id = open_session();
	struct http_conn *conn = post(id, REQUEST);
	uint64_t via = world.via;

	tell(via, "one");
	break_conn(conn);
	assert_int_equal(world.n_closed, 0);
	tell(via, "two");
	conn = get(id, "2-1");
	assert_string_equal(events(conn), "id: 2-2\nevent: message\ndata: two\n\n");
	break_conn(conn);
	answer(via, "answer");
	conn = get(id, "2-1");
	assert_string_equal(events(conn), "id: 2-2\nevent: message\ndata: two\n\n"
					  "id: 2-3\nevent: message\ndata: answer\n\n");
	assert_true(conn->ended);
	conn = get(id, "2-2"); /* again: it is kept for a while */
	assert_string_equal(events(conn), "id: 2-3\nevent: message\ndata: answer\n\n");
	assert_true(conn->ended);
	conn = get(id, "2-3"); /* nothing follows */
	assert_true(conn->ended);
}

static void test_stream_that_breaks_within_an_event(void **unused)
{
	const char *id = open_session();
	struct http_conn *conn = post(id, REQUEST);

	tell(world.via, "one");
	conn->busy = true;
	answer(world.via, "answer"); /* of which not all gets through */
	assert_false(conn->ended);
	break_conn(conn);
	conn = get(id, "2-1");
	assert_string_equal(events(conn), "id: 2-2\nevent: message\ndata: answer\n\n");
	assert_true(conn->ended);
}

static void test_stream_taken_over_by_its_own_client(void **unused)
{
	const char *id = open_session();
	struct http_conn *conn = post(id, REQUEST);

	tell(world.via, "one");
	struct http_conn *second = get(id, "2-0"); /* it saw its end before we did */

	assert_true(conn->ended);
	assert_string_equal(events(second), "id: 2-1\nevent: message\ndata: one\n\n");
	answer(world.via, "answer");
	assert_true(second->ended);
}

static void test_unknown_event_ids(void **unused)
{
	static const char *const ids[] = { "", "x", "2-9", "9-1", "0-1", "2-", "-1",
		"18446744073709551616-1", "2-1 " };
	const char *id = open_session();
	struct http_conn *busy = post(id, REQUEST);

	tell(world.via, "one");
	for (size_t i = 0; i < N_ELEMENTS(ids); i++) {
		struct http_conn *conn = get(id, ids[i]);

		assert_int_equal(conn->status, 200);
		assert_string_equal(events(conn), "");
		assert_false(conn->ended);
	}
	assert_false(busy->ended);
}

static void test_slow_reader(void **unused)
{
	const char *id = open_session();
	struct http_conn *conn = post(id, REQUEST);

	conn->busy = true;
	for (int i = 0; i < 3; i++)
		tell(world.via, "x");
	assert_string_equal(events(conn), "id: 2-1\nevent: message\ndata: x\n\n");
	assert_false(session_is_slow(world.session));
	loop_fake_advance(world.loop, 3 * HEARTBEAT_MS); /* no comments within an event */
	drain(conn);
	assert_string_equal(events(conn), "id: 2-2\nevent: message\ndata: x\n\n"
					  "id: 2-3\nevent: message\ndata: x\n\n");
	conn->busy = true;
	for (int i = 0; i < 5; i++)
		tell(world.via, "x");
	assert_true(session_is_slow(world.session));
	for (int i = 0; world.session && i < MANY; i++)
		tell(world.via, "x");
	assert_int_equal(world.n_closed, 1);
	assert_true(conn->ended);
	assert_int_equal(post(id, REQUEST)->status, 404);
}

/* --- the stateless revision ----------------------------------------------------------------------- */

#define MODERN_META                                                                                \
	"\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\","                   \
	"\"io.modelcontextprotocol/clientCapabilities\":{}}"
#define MODERN                                                                                     \
	"{\"jsonrpc\":\"2.0\",\"id\":\"m\",\"method\":\"tools/list\",\"params\":{" MODERN_META "}}"

static struct http_conn *post_modern(const char *session, const char *body)
{
	const char *const headers[] = { "Accept", BOTH, "Content-Type", "application/json",
		"MCP-Protocol-Version", "2026-07-28", "Mcp-Method", "tools/list", "Mcp-Session-Id",
		session, NULL };

	return ask_at(NULL, HTTP1_POST, headers, body);
}

static void test_modern_answer(void **unused)
{
	struct http_conn *conn = post_modern("whatever", MODERN);

	assert_true(conn->is_held);
	assert_int_equal(conn->fin, HTTP_FIN_LEAVES);
	assert_int_equal(sessions_count(world.sessions), 0);
	answer(world.via, "{}");
	assert_int_equal(conn->status, 200);
	assert_string_equal(strbuf_get(&conn->body), "{}");
	assert_string_equal(strbuf_get(&conn->extra), ""); /* no session id */
	assert_int_equal(world.n_closed, 1);
	assert_int_equal(post_modern(NULL, "{\"jsonrpc\":\"2.0\",\"method\":\"x\"}")->status, 202);
}

static void test_modern_statuses(void **unused)
{
	static const struct {
		int code;
		int status;
	} cases[] = { { RPC_METHOD_NOT_FOUND, 404 }, { RPC_MISSING_CAPABILITY, 400 },
		{ RPC_HEADER_MISMATCH, 400 }, { RPC_UNSUPPORTED_VERSION, 400 },
		{ RPC_INVALID_PARAMS, 200 }, { RPC_INTERNAL_ERROR, 200 }, { RPC_OVERLOADED, 200 },
		{ RPC_INVALID_REQUEST, 400 } };

	world.answer = "{}";
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		world.code = cases[i].code;
		assert_int_equal(post_modern(NULL, MODERN)->status, cases[i].status);
	}
	world.verdict = MCP_UNKNOWN;
	struct http_conn *conn = post_modern(NULL, MODERN);

	assert_int_equal(conn->status, 404);
	assert_string_equal(strbuf_get(&conn->body), "an error");
	world.verdict = MCP_INVALID;
	assert_int_equal(post_modern(NULL, MODERN)->status, 400);
	world.verdict = MCP_BUSY;
	assert_int_equal(post_modern(NULL, MODERN)->status, 503);
	world.cannot_serve = true;
	assert_int_equal(post_modern(NULL, MODERN)->status, 503);
	assert_int_equal(post_modern(NULL, "[" MODERN "]")->status, 400);
	assert_int_equal(
		post_modern(NULL, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}")->status, 400);
}

/* A token is told which scopes it lacks; nobody else could use them. */
static void test_scopes(void **unused)
{
	struct http_conn *conn = post_modern(NULL, MODERN);

	assert_false(world.takes_scopes);
	break_conn(conn);
	world.has_token = true;
	world.verdict = MCP_FORBIDDEN;
	conn = post_modern(NULL, MODERN);
	assert_int_equal(conn->status, 403);
	assert_string_equal(strbuf_get(&conn->extra), "Scopes: host/mcp a b\r\n");
	assert_string_equal(strbuf_get(&conn->body), "an error");
	const char *const headers[] = { "Accept", BOTH, "Content-Type", "application/json",
		"MCP-Protocol-Version", "2026-07-28", "Mcp-Method", "tools/list", NULL };

	conn = ask_at("git", HTTP1_POST, headers, MODERN);
	assert_string_equal(strbuf_get(&conn->extra), "Scopes: host/git/mcp a b\r\n");
	assert_int_equal(sessions_count(world.sessions), 0);
}

static void test_modern_stream(void **unused)
{
	struct http_conn *conn = post_modern(NULL, MODERN);

	tell(world.via, "acknowledged");
	assert_string_equal(events(conn), "event: message\ndata: acknowledged\n\n");
	loop_fake_advance(world.loop, HEARTBEAT_MS);
	assert_string_equal(events(conn), ":\n\n");
	conn->busy = true;
	tell(world.via, "one");
	answer(world.via, "end");
	assert_int_equal(world.n_closed, 0);
	drain(conn);
	assert_string_equal(
		events(conn), "event: message\ndata: one\n\nevent: message\ndata: end\n\n");
	assert_true(conn->ended);
	assert_int_equal(world.n_closed, 1);
}

/* A client that never reads its answer does not hold what belongs to the request. */
static void test_modern_answer_that_nobody_reads(void **unused)
{
	struct http_conn *conn = post_modern(NULL, MODERN);

	tell(world.via, "one");
	conn->busy = true;
	answer(world.via, "end");
	assert_string_equal(
		events(conn), "event: message\ndata: one\n\nevent: message\ndata: end\n\n");
	assert_true(conn->ended);
	assert_int_equal(world.n_closed, 1);
	conn = post(open_session(), REQUEST); /* where one may come back, it waits */
	tell(world.via, "one");
	conn->busy = true;
	answer(world.via, "end");
	assert_false(conn->ended);
	break_conn(conn);
	assert_int_equal(world.n_closed, 1);
}

/* Leaving is cancelling, be it held or a stream. */
static void test_modern_client_leaves(void **unused)
{
	struct http_conn *conn = post_modern(NULL, MODERN);

	break_conn(conn);
	assert_int_equal(world.n_closed, 1);
	conn = post_modern(NULL, MODERN);
	tell(world.via, "x");
	break_conn(conn);
	assert_int_equal(world.n_closed, 2);
}

static void test_modern_slow_reader(void **unused)
{
	struct http_conn *conn = post_modern(NULL, MODERN);

	conn->busy = true;
	for (int i = 0; world.session && i < MANY; i++)
		tell(world.via, "x");
	assert_true(conn->ended);
	assert_int_equal(world.n_closed, 1);
}

/* --- the end -------------------------------------------------------------------------------------- */

static void test_delete(void **unused)
{
	const char *id = open_session();
	struct http_conn *held = post(id, REQUEST);
	struct http_conn *stream = post(id, REQUEST);
	struct http_conn *standalone = get(id, NULL);
	const char *const headers[] = { "Mcp-Session-Id", id, NULL };

	tell(world.via, "x");
	assert_int_equal(ask_at(NULL, HTTP1_DELETE, headers, NULL)->status, 204);
	assert_int_equal(held->status, 404);
	assert_true(stream->ended && standalone->ended);
	assert_int_equal(world.n_closed, 1);
	assert_int_equal(ask_at(NULL, HTTP1_DELETE, headers, NULL)->status, 404);
	assert_int_equal(get(id, NULL)->status, 404);
	assert_int_equal(post(id, NOTIFICATION)->status, 404);
	const char *const modern[] = { "Mcp-Session-Id", id, "MCP-Protocol-Version", "2026-07-28",
		NULL };

	assert_int_equal(ask_at(NULL, HTTP1_DELETE, modern, NULL)->status, 405);
}

static void test_idle_session(void **unused)
{
	const char *id = open_session();

	loop_fake_advance(world.loop, settings.limits.session_idle_ms - settings.limits.sweep_ms);
	assert_int_equal(post(id, NOTIFICATION)->status, 202); /* without any connection */
	session_touch(world.session);
	loop_fake_advance(
		world.loop, settings.limits.session_idle_ms + 2 * settings.limits.sweep_ms);
	assert_int_equal(world.n_closed, 1);
	assert_int_equal(post(id, NOTIFICATION)->status, 404);
}

static void test_we_end_all(void **unused)
{
	const char *id = open_session();
	struct http_conn *held = post(id, REQUEST);
	struct http_conn *broken = post(id, REQUEST);
	struct http_conn *standalone = get(id, NULL);
	struct http_conn *modern = post_modern(NULL, MODERN);
	struct http_conn *opening = post(NULL, INITIALIZE);

	break_conn(broken);
	sessions_close_all(world.sessions, "test");
	assert_int_equal(held->status, 404);
	assert_int_equal(modern->status, 503); /* 404 would be: no such method */
	assert_int_equal(opening->status, 503);
	assert_true(standalone->ended);
	assert_int_equal(world.n_closed, 3);
	loop_fake_advance(world.loop, 3 * HEARTBEAT_MS);
}

static void test_other_settings(void **unused)
{
	const char *id = open_session();
	struct http_conn *conn = get(id, NULL);

	world.conf.sse_heartbeat_ms = 640;
	world.conf.limits.session_replay_events = 0;
	streamable_set_conf(world.door, &world.conf);
	loop_fake_advance(world.loop, 6400);
	assert_in_range(strlen(events(conn)), 3 * 9, 3 * 11);
	tell(0, "one");
	break_conn(conn);
	conn = get(id, "0-0");
	assert_string_equal(events(conn), ""); /* it was not kept */
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_media_types),
		TEST(test_scopes),
		TEST(test_sessions_of_this_endpoint_only),
		TEST(test_sessions_of_another_door),
		TEST(test_session_ids),
		TEST(test_get_and_its_headers),
		TEST(test_headers_that_come_twice),
		TEST(test_initialize_that_fails_opens_nothing),
		TEST(test_initialize_waits_as_json),
		TEST(test_limit_of_sessions),
		TEST(test_what_wants_no_answer),
		TEST(test_what_is_no_message),
		TEST(test_answer_as_json),
		TEST(test_stream_for_what_precedes_the_answer),
		TEST(test_client_that_takes_one_kind),
		TEST(test_long_silence_becomes_a_stream),
		TEST(test_priming),
		TEST(test_batch_as_json),
		TEST(test_batch_too_large_for_one_answer),
		TEST(test_batch_as_stream),
		TEST(test_standalone_stream),
		TEST(test_stream_that_breaks),
		TEST(test_stream_that_breaks_within_an_event),
		TEST(test_stream_taken_over_by_its_own_client),
		TEST(test_unknown_event_ids),
		TEST(test_slow_reader),
		TEST(test_modern_answer),
		TEST(test_modern_statuses),
		TEST(test_modern_stream),
		TEST(test_modern_answer_that_nobody_reads),
		TEST(test_modern_client_leaves),
		TEST(test_modern_slow_reader),
		TEST(test_delete),
		TEST(test_idle_session),
		TEST(test_we_end_all),
		TEST(test_other_settings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
