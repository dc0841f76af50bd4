/* The bridge of mcp-fleetctl stdio: what is in flight, what is lost, what is said again. Lines go in at two
 * sides, lines come out at two sides; nothing else happens. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>

#include "ctl/bridge.h"
#include "shared/alloc.h"
#include "shared/strbuf.h"

#define INIT "{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"initialize\",\"params\":{\"x\":1}}"
#define INITED "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}"
#define OUR(n) "\"mcp-fleetctl-tag-" #n "\""
#define REINIT(n)                                                                                  \
	"{\"jsonrpc\":\"2.0\",\"id\":" OUR(n) ",\"method\":\"initialize\",\"params\":{\"x\":1}}"
#define REQUEST(id, method) "{\"jsonrpc\":\"2.0\",\"id\":" id ",\"method\":\"" method "\"}"
#define WITH(id, method, params)                                                                   \
	"{\"jsonrpc\":\"2.0\",\"id\":" id ",\"method\":\"" method "\",\"params\":" params "}"
#define NOTE(method, params) "{\"jsonrpc\":\"2.0\",\"method\":\"" method "\",\"params\":" params "}"
#define CALL(id) REQUEST(id, "tools/call")
#define RESULT(id, result) "{\"jsonrpc\":\"2.0\",\"id\":" id ",\"result\":" result "}"
#define ERROR(id, code)                                                                            \
	"{\"jsonrpc\":\"2.0\",\"id\":" id ",\"error\":{\"code\":" code ",\"message\":\"m\"}}"
#define STOPPING(id)                                                                               \
	"{\"jsonrpc\":\"2.0\",\"id\":" id ",\"error\":{\"code\":-31004,\"message\":\"m\","         \
	"\"data\":{\"stopping\":true}}}"
#define SERVER(version)                                                                            \
	"{\"protocolVersion\":\"" version "\",\"capabilities\":{\"tools\":{\"listChanged\":true}," \
	"\"prompts\":{}}}"
#define V "2025-11-25"
#define CHANGED NOTE_BARE("notifications/tools/list_changed")
#define REINIT_BARE(n) "{\"jsonrpc\":\"2.0\",\"id\":" OUR(n) ",\"method\":\"initialize\"}"
#define OLDER "{\"protocolVersion\":\"2024-11-05\"}"
#define NOTE_BARE(method) "{\"jsonrpc\":\"2.0\",\"method\":\"" method "\"}"

enum { WAIT_MS = 1000, BEGIN_MS = 100 };

struct world {
	struct bridge *bridge;
	struct strbuf said; /* to the client */
	int64_t now_ms;
};

static void say(void *arg, const char *line, size_t len)
{
	struct world *w = arg;

	assert_null(memchr(line, '\n', len));
	strbuf_add(&w->said, line, len);
	strbuf_addc(&w->said, '\n');
}

static void begin(struct world *w)
{
	const struct bridge_settings settings = {
		.place = "/s", .tag = "tag", .wait_ms = WAIT_MS, .say = say, .arg = w
	};

	*w = (struct world){ .now_ms = BEGIN_MS };
	w->bridge = bridge_new(&settings);
}

static void end(struct world *w)
{
	assert_string_equal(strbuf_get(&w->said), "");
	bridge_free(w->bridge);
	strbuf_done(&w->said);
}

static void client(struct world *w, const char *line)
{
	bridge_hear_client(w->bridge, line, strlen(line), w->now_ms);
}

static int hear(struct world *w, const char *line)
{
	return bridge_hear_daemon(w->bridge, line, strlen(line));
}

static void daemon_says(struct world *w, const char *line)
{
	assert_int_equal(hear(w, line), 0);
}

static void next_line(struct strbuf *buf, const char *expected)
{
	char *end = buf->len > 0 ? strchr(buf->data, '\n') : NULL;

	if (!end) {
		fail_msg("nothing was said, but expected: %s", expected);
		return;
	}
	*end = '\0';
	assert_string_equal(buf->data, expected);
	memmove(buf->data, end + 1, buf->len - (size_t)(end + 1 - buf->data));
	strbuf_cut(buf, buf->len - (size_t)(end + 1 - buf->data));
}

static void client_gets(struct world *w, const char *expected)
{
	next_line(&w->said, expected);
}

/* An error with this id and code, and words that hold `words`. */
static void client_gets_error(struct world *w, const char *id, int code, const char *words)
{
	auto_free char *head = alloc_printf("{\"jsonrpc\":\"2.0\",%s%s%s\"error\":{\"code\":%d,",
		id ? "\"id\":" : "", id ? id : "", id ? "," : "", code);
	char *line_end = w->said.len > 0 ? strchr(w->said.data, '\n') : NULL;

	assert_non_null(line_end);
	auto_free char *line = alloc_mem(w->said.data, (size_t)(line_end - w->said.data));

	assert_memory_equal(line, head, strlen(head));
	if (!strstr(line, words))
		fail_msg("%s is not in: %s", words, line);
	client_gets(w, line);
}

static void client_gets_nothing(const struct world *w)
{
	assert_string_equal(strbuf_get(&w->said), "");
}

/* The daemon reads up to so many bytes. */
static void read_bytes(struct world *w, size_t n, struct strbuf *ret)
{
	const char *bytes;
	size_t len;

	while (n > 0 && bridge_peek(w->bridge, &bytes, &len)) {
		size_t part = len < n ? len : n;

		strbuf_add(ret, bytes, part);
		bridge_wrote(w->bridge, part);
		n -= part;
	}
}

/* It gets exactly these lines. */
static void daemon_gets(struct world *w, const char *const *lines)
{
	auto_strbuf got = { 0 };
	auto_strbuf expected = { 0 };

	for (; *lines; lines++)
		strbuf_addf(&expected, "%s\n", *lines);
	read_bytes(w, SIZE_MAX, &got);
	assert_string_equal(strbuf_get(&got), strbuf_get(&expected));
}

#define DAEMON_GETS(w, ...) daemon_gets(w, (const char *const[]){ __VA_ARGS__, NULL })

static void daemon_gets_nothing(struct world *w)
{
	daemon_gets(w, (const char *const[]){ NULL });
}

static void connect_to(struct world *w)
{
	bridge_connected(w->bridge, w->now_ms);
}

static void lose(struct world *w)
{
	bridge_lost(w->bridge, "it died", w->now_ms);
}

static void at(struct world *w, int64_t ms)
{
	w->now_ms = BEGIN_MS + ms;
	assert_int_equal(bridge_turn(w->bridge, w->now_ms), 0);
}

/* A session as every client opens it. */
static void open_session(struct world *w)
{
	begin(w);
	connect_to(w);
	client(w, INIT);
	DAEMON_GETS(w, INIT);
	daemon_says(w, RESULT("0", SERVER(V)));
	client_gets(w, RESULT("0", SERVER(V)));
	client(w, INITED);
	DAEMON_GETS(w, INITED);
}

/* --- what passes -------------------------------------------------------------------------------- */

static void test_bytes_pass_untouched(void **unused)
{
	struct world w;

	open_session(&w);
	client(&w,
		" {\"id\" : \"\\u00e9\" ,\"jsonrpc\":\"2.0\",\"method\":\"x/y\", \"z\":1.0e0}\r");
	DAEMON_GETS(&w,
		" {\"id\" : \"\\u00e9\" ,\"jsonrpc\":\"2.0\",\"method\":\"x/y\", \"z\":1.0e0}\r");
	daemon_says(&w, "{ \"jsonrpc\":\"2.0\",\"result\":{} ,\"id\":\"é\"} ");
	client_gets(&w, "{ \"jsonrpc\":\"2.0\",\"result\":{} ,\"id\":\"é\"} ");
	daemon_says(&w, NOTE("notifications/progress", "{\"progressToken\":1}"));
	client_gets(&w, NOTE("notifications/progress", "{\"progressToken\":1}"));
	assert_true(bridge_is_idle(w.bridge));
	end(&w);
}

static void test_answers_to_nobody(void **unused)
{
	struct world w;

	open_session(&w);
	daemon_says(&w, RESULT("99", "{}"));
	client_gets_nothing(&w);
	client(&w, CALL("1"));
	DAEMON_GETS(&w, CALL("1"));
	daemon_says(&w, RESULT("1", "{}"));
	client_gets(&w, RESULT("1", "{}"));
	daemon_says(&w, RESULT("1", "{}")); /* twice */
	client_gets_nothing(&w);
	end(&w);
}

static void test_an_id_that_is_used_twice(void **unused)
{
	struct world w;

	open_session(&w);
	client(&w, CALL("1"));
	client(&w, REQUEST("1", "ping"));
	DAEMON_GETS(&w, CALL("1"), REQUEST("1", "ping"));
	daemon_says(&w, RESULT("1", "{}"));
	daemon_says(&w, ERROR("1", "-32600"));
	client_gets(&w, RESULT("1", "{}"));
	client_gets(&w, ERROR("1", "-32600"));
	end(&w);
}

static void too_long(struct world *w, const char *head)
{
	bridge_hear_too_long(w->bridge, head, strlen(head));
}

static void test_nonsense_of_the_client(void **unused)
{
	struct world w;

	open_session(&w);
	client(&w, "nonsense");
	client_gets_error(&w, NULL, -32700, "JSON");
	client(&w, "{\"jsonrpc\":\"1.0\",\"id\":5,\"method\":\"x\"}");
	client_gets_error(&w, "5", -32600, "2.0");
	client(&w, "{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"x\",\"params\":[]}");
	client_gets_error(&w, "5", -32602, "params");
	client(&w, "{\"jsonrpc\":\"2.0\",\"method\":\"x\",\"params\":[]}");
	client(&w, "[" CALL("1") "," NOTE("x", "{}") "]"); /* not in this revision */
	client_gets_error(&w, "1", -32600, "batch");
	client(&w, "[" NOTE("x", "{}") "]");
	client_gets_error(&w, NULL, -32600, "batch");
	too_long(&w, "{");
	client_gets_error(&w, NULL, -32600, "16 MiB");
	too_long(&w,
		" {\"jsonrpc\":\"2.0\",\"i\\u0064\":\"a\",\"method\":\"x\",\"params\":{\"id\":2");
	client_gets_error(&w, "\"a\"", -32600, "16 MiB");
	too_long(&w, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{"); /* an answer to a question */
	client_gets_error(&w, NULL, -32600, "16 MiB");
	daemon_gets_nothing(&w);
	end(&w);
}

static void test_nonsense_before_the_revision_is_known(void **unused)
{
	struct world w;

	begin(&w);
	client(&w, "nonsense");
	client_gets_error(&w, "null", -32700, "JSON");
	end(&w);
}

static void test_nonsense_of_the_daemon(void **unused)
{
	struct world w;

	open_session(&w);
	assert_int_equal(hear(&w, "Server is ready!"), -EPROTO);
	assert_string_equal(bridge_get_cause(w.bridge), "it does not speak MCP");
	bridge_lost(w.bridge, NULL, w.now_ms);
	assert_string_equal(bridge_get_cause(w.bridge), "it does not speak MCP");
	end(&w);
}

static void test_batches(void **unused)
{
	struct world w;

	begin(&w);
	connect_to(&w);
	client(&w, "[" CALL("1") " , " NOTE("x", "{}") "," INIT ",7]");
	client_gets_error(&w, "0", -32600, "initialize");
	client_gets_error(&w, "null", -32600, "object");
	client(&w, "[]");
	client_gets_error(&w, "null", -32600, "empty");
	DAEMON_GETS(&w, CALL("1"), NOTE("x", "{}"));
	lose(&w);
	client_gets_error(&w, "1", -31001, "may have taken effect");
	end(&w);
}

/* --- what is lost ------------------------------------------------------------------------------- */

static void test_calls_are_lost_and_lists_are_not(void **unused)
{
	struct world w;

	open_session(&w);
	client(&w, CALL("1"));
	client(&w, REQUEST("2", "tools/list"));
	client(&w, REQUEST("\"3\"", "who/knows"));
	DAEMON_GETS(&w, CALL("1"), REQUEST("2", "tools/list"), REQUEST("\"3\"", "who/knows"));
	client(&w, CALL("4")); /* not written */
	lose(&w);
	client_gets_error(&w, "1", -31001, "it died; it may have taken effect");
	client_gets_error(&w, "\"3\"", -31001, "lost");
	client(&w, CALL("5"));
	daemon_gets_nothing(&w);
	connect_to(&w);
	DAEMON_GETS(&w, REINIT(1));
	client(&w, CALL("6"));
	daemon_says(&w, RESULT(OUR(1), SERVER(V)));
	client_gets(&w, CHANGED);
	DAEMON_GETS(&w, INITED, REQUEST("2", "tools/list"), CALL("4"), CALL("5"), CALL("6"));
	assert_false(bridge_is_idle(w.bridge));
	lose(&w);
	client_gets_error(&w, "4", -31001, "lost");
	client_gets_error(&w, "5", -31001, "lost");
	client_gets_error(&w, "6", -31001, "lost");
	bridge_give_up(w.bridge, "bye");
	client_gets_error(&w, "2", -31004, "bye");
	assert_true(bridge_is_idle(w.bridge));
	end(&w);
}

/* Of which the daemon may have read all but the line break. */
static void test_half_a_call_is_lost(void **unused)
{
	auto_strbuf part = { 0 };
	struct world w;

	open_session(&w);
	client(&w, CALL("1"));
	read_bytes(&w, 1, &part);
	lose(&w);
	client_gets_error(&w, "1", -31001, "lost");
	connect_to(&w);
	DAEMON_GETS(&w, REINIT(1));
	end(&w);
}

/* Our own lines wait until the client's was written to its end. */
static void test_lines_are_not_mixed(void **unused)
{
	auto_strbuf part = { 0 };
	struct world w;

	open_session(&w);
	client(&w, CALL("1"));
	read_bytes(&w, 5, &part);
	for (int i = 0; i <= BRIDGE_MAX_QUESTIONS; i++) {
		auto_free char *line = alloc_printf(
			"{\"jsonrpc\":\"2.0\",\"id\":%d,\"method\":\"roots/list\"}", i);

		daemon_says(&w, line);
		if (i < BRIDGE_MAX_QUESTIONS)
			client_gets(&w, line);
	}
	read_bytes(&w, SIZE_MAX, &part);
	assert_memory_equal(part.data, CALL("1") "\n", strlen(CALL("1") "\n"));
	assert_non_null(
		strstr(part.data, "{\"jsonrpc\":\"2.0\",\"id\":1024,\"error\":{\"code\":-31003"));
	end(&w);
}

static void test_attempts_are_counted(void **unused)
{
	struct world w;

	begin(&w);
	client(&w, REQUEST("1", "tools/list"));
	for (int i = 0; i < BRIDGE_MAX_ATTEMPTS; i++) {
		client_gets_nothing(&w);
		connect_to(&w);
		DAEMON_GETS(&w, REQUEST("1", "tools/list"));
		lose(&w);
	}
	client_gets_error(&w, "1", -31001, "lost");
	end(&w);
}

static void test_a_daemon_that_is_stopping(void **unused)
{
	struct world w;

	open_session(&w);
	client(&w, CALL("1"));
	client(&w, CALL("2"));
	DAEMON_GETS(&w, CALL("1"), CALL("2"));
	daemon_says(&w, STOPPING("2"));
	daemon_says(&w, RESULT("1", "{}"));
	client_gets(&w, RESULT("1", "{}"));
	lose(&w);
	connect_to(&w);
	DAEMON_GETS(&w, REINIT(1));
	daemon_says(&w, RESULT(OUR(1), SERVER(V)));
	client_gets(&w, CHANGED);
	DAEMON_GETS(&w, INITED, CALL("2"));
	daemon_says(&w, ERROR("2", "-31004")); /* another reason: the client hears it */
	client_gets(&w, ERROR("2", "-31004"));
	end(&w);
}

/* It refuses, but does not end; and the next ones only refuse: there is a time for all of it. */
static void test_daemons_that_are_stopping_for_ever(void **unused)
{
	struct world w;

	open_session(&w);
	client(&w, CALL("1"));
	DAEMON_GETS(&w, CALL("1"));
	daemon_says(&w, STOPPING("1"));
	at(&w, 0);
	assert_int_equal(bridge_next_ms(w.bridge), BEGIN_MS + WAIT_MS);
	at(&w, WAIT_MS - 1);
	client_gets_nothing(&w);
	lose(&w);
	connect_to(&w);
	DAEMON_GETS(&w, REINIT(1));
	daemon_says(&w, RESULT(OUR(1), SERVER(V)));
	client_gets(&w, CHANGED);
	DAEMON_GETS(&w, INITED, CALL("1"));
	at(&w, WAIT_MS); /* now it is asked, and that may take its time */
	client_gets_nothing(&w);
	assert_int_equal(bridge_next_ms(w.bridge), INT64_MAX);
	daemon_says(&w, STOPPING("1"));
	at(&w, WAIT_MS);
	client_gets_error(&w, "1", -31004, "is stopping");
	assert_true(bridge_is_idle(w.bridge));
	end(&w);
}

static void test_cancelled_calls(void **unused)
{
#define CANCEL(id) NOTE("notifications/cancelled", "{\"requestId\":" id "}")
	struct world w;

	open_session(&w);
	client(&w, CALL("1"));
	DAEMON_GETS(&w, CALL("1"));
	client(&w, CANCEL("1"));
	DAEMON_GETS(&w, CANCEL("1"));
	client(&w, CALL("2"));
	client(&w, CANCEL("2"));            /* neither left */
	daemon_says(&w, RESULT("1", "{}")); /* on its way when it was cancelled */
	client_gets_nothing(&w);
	client(&w, CANCEL("7")); /* nobody knows it: the daemon may (a task) */
	DAEMON_GETS(&w, CANCEL("7"));
	assert_true(bridge_is_idle(w.bridge));
	lose(&w);
	client(&w, CALL("3"));
	client(&w, CANCEL("3"));
	client(&w, CANCEL("1"));
	assert_int_equal(bridge_next_ms(w.bridge), INT64_MAX);
	end(&w);
}

static void test_a_call_that_is_cancelled_half_written(void **unused)
{
	auto_strbuf part = { 0 };
	struct world w;

	open_session(&w);
	client(&w, CALL("1"));
	read_bytes(&w, 5, &part);
	client(&w, CANCEL("1"));
	read_bytes(&w, SIZE_MAX, &part);
	assert_string_equal(part.data, CALL("1") "\n" CANCEL("1") "\n");
	lose(&w);
	end(&w);
}

/* As one that is too long is. */
static void test_a_call_that_is_answered_half_written(void **unused)
{
	auto_strbuf part = { 0 };
	struct world w;

	open_session(&w);
	client(&w, CALL("1"));
	read_bytes(&w, 5, &part);
	daemon_says(&w, ERROR("2", "-32600"));
	client_gets_nothing(&w);
	daemon_says(&w, ERROR("1", "-32600"));
	client_gets(&w, ERROR("1", "-32600"));
	daemon_says(&w, ERROR("1", "-32600"));
	client_gets_nothing(&w);
	assert_false(bridge_is_idle(w.bridge));
	client(&w, CALL("2"));
	read_bytes(&w, SIZE_MAX, &part);
	assert_string_equal(part.data, CALL("1") "\n" CALL("2") "\n");
	daemon_says(&w, RESULT("2", "{}"));
	client_gets(&w, RESULT("2", "{}"));
	assert_true(bridge_is_idle(w.bridge));
	lose(&w);
	end(&w);
}

/* However many there are: nothing of them stays. */
static void test_many_cancelled_calls(void **unused)
{
	struct world w;

	open_session(&w);
	for (int i = 0; i < 2 * BRIDGE_MAX_REQUESTS; i++) {
		client(&w, CALL("1"));
		DAEMON_GETS(&w, CALL("1"));
		client(&w, CANCEL("1"));
		DAEMON_GETS(&w, CANCEL("1"));
	}
	client_gets_nothing(&w);
	end(&w);
}

/* --- time --------------------------------------------------------------------------------------- */

static void test_waiting(void **unused)
{
	struct world w;

	begin(&w);
	client(&w, INIT);
	assert_int_equal(bridge_next_ms(w.bridge), BEGIN_MS + WAIT_MS);
	bridge_unreachable(w.bridge, "nobody listens there", false);
	at(&w, 500);
	client(&w, CALL("1"));
	at(&w, WAIT_MS);
	client_gets_error(
		&w, "0", -31004, "not reachable at /s: nobody listens there: is it running?");
	assert_int_equal(bridge_next_ms(w.bridge), BEGIN_MS + 500 + WAIT_MS);
	bridge_unreachable(w.bridge, "its mode", true);
	client_gets_error(&w, "1", -31004, "its mode");
	assert_int_equal(bridge_next_ms(w.bridge), INT64_MAX);
	end(&w);
}

static void test_a_daemon_that_does_not_answer(void **unused)
{
	struct world w;

	open_session(&w);
	lose(&w);
	client(&w, CALL("1"));
	connect_to(&w);
	at(&w, WAIT_MS);
	client_gets_error(&w, "1", -31004, "not reachable");
	assert_int_equal(bridge_next_ms(w.bridge), BEGIN_MS + BRIDGE_OPENING_MS);
	assert_int_equal(bridge_turn(w.bridge, BEGIN_MS + BRIDGE_OPENING_MS), -ETIMEDOUT);
	bridge_lost(w.bridge, NULL, w.now_ms);
	assert_string_equal(bridge_get_cause(w.bridge), "it does not answer initialize");
	end(&w);
}

/* --- opening again ------------------------------------------------------------------------------ */

static void test_initialize_is_sent_again(void **unused)
{
	struct world w;

	begin(&w);
	connect_to(&w);
	client(&w, INIT);
	client(&w, INITED);
	client(&w, CALL("1"));
	DAEMON_GETS(&w, INIT, INITED, CALL("1"));
	lose(&w);
	client_gets_error(&w, "1", -31001, "lost");
	connect_to(&w);
	DAEMON_GETS(&w, INIT, INITED);
	daemon_says(&w, RESULT("0", SERVER(V)));
	client_gets(&w, RESULT("0", SERVER(V)));
	end(&w);
}

static void test_a_session_that_is_not_confirmed(void **unused)
{
	struct world w;

	begin(&w);
	connect_to(&w);
	client(&w, INIT);
	DAEMON_GETS(&w, INIT);
	daemon_says(&w, RESULT("0", SERVER(V)));
	client_gets(&w, RESULT("0", SERVER(V)));
	lose(&w);
	connect_to(&w);
	DAEMON_GETS(&w, REINIT(1));
	daemon_says(&w, RESULT(OUR(1), SERVER(V)));
	daemon_gets_nothing(&w);
	client(&w, INITED);
	DAEMON_GETS(&w, INITED);
	end(&w);
}

static void test_a_client_that_initialises_anew(void **unused)
{
	struct world w;

	open_session(&w);
	client(&w, WITH("9", "logging/setLevel", "{}"));
	DAEMON_GETS(&w, WITH("9", "logging/setLevel", "{}"));
	daemon_says(&w, RESULT("9", "{}"));
	client_gets(&w, RESULT("9", "{}"));
	client(&w, REQUEST("8", "initialize"));
	DAEMON_GETS(&w, REQUEST("8", "initialize"));
	lose(&w); /* on the next connection it is the first, and what was set is set again */
	connect_to(&w);
	DAEMON_GETS(&w, REQUEST("8", "initialize"));
	daemon_says(&w, RESULT("8", OLDER));
	client_gets(&w, RESULT("8", OLDER));
	DAEMON_GETS(&w, WITH(OUR(1), "logging/setLevel", "{}"));
	client(&w, INITED);
	DAEMON_GETS(&w, INITED);
	client(&w, REQUEST("7", "initialize"));
	DAEMON_GETS(&w, REQUEST("7", "initialize"));
	daemon_says(&w, ERROR("7", "-32600")); /* what was holds */
	client_gets(&w, ERROR("7", "-32600"));
	lose(&w);
	connect_to(&w);
	DAEMON_GETS(&w, REINIT_BARE(2));
	daemon_says(&w, RESULT(OUR(2), OLDER));
	DAEMON_GETS(&w, INITED, WITH(OUR(3), "logging/setLevel", "{}"));
	end(&w);
}

/* What it asked before goes behind, so that there is a session for it; what it says before the answer counts. */
static void test_anew_while_there_is_no_daemon(void **unused)
{
	struct world w;

	open_session(&w);
	client(&w, REQUEST("1", "tools/list"));
	DAEMON_GETS(&w, REQUEST("1", "tools/list"));
	lose(&w);
	client(&w, REQUEST("8", "initialize"));
	client(&w, INITED);
	connect_to(&w);
	DAEMON_GETS(&w, REQUEST("8", "initialize"), REQUEST("1", "tools/list"), INITED);
	daemon_says(&w, RESULT("8", OLDER));
	client_gets(&w, RESULT("8", OLDER));
	daemon_says(&w, RESULT("1", "{}"));
	client_gets(&w, RESULT("1", "{}"));
	lose(&w);
	connect_to(&w);
	DAEMON_GETS(&w, REINIT_BARE(1));
	daemon_says(&w, RESULT(OUR(1), OLDER));
	DAEMON_GETS(&w, INITED);
	end(&w);
}

/* Then there is no session on this connection, and the one of before needs another. */
static void test_anew_is_refused_on_a_new_connection(void **unused)
{
	struct world w;

	open_session(&w);
	lose(&w);
	client(&w, REQUEST("8", "initialize"));
	connect_to(&w);
	DAEMON_GETS(&w, REQUEST("8", "initialize"));
	assert_int_equal(hear(&w, ERROR("8", "-32602")), -EPROTO);
	client_gets(&w, ERROR("8", "-32602"));
	bridge_lost(w.bridge, NULL, w.now_ms);
	connect_to(&w);
	DAEMON_GETS(&w, REINIT(1));
	daemon_says(&w, RESULT(OUR(1), SERVER(V)));
	client_gets(&w, CHANGED);
	DAEMON_GETS(&w, INITED);
	end(&w);
}

static void test_another_revision(void **unused)
{
	struct world w;

	open_session(&w);
	lose(&w);
	client(&w, CALL("1"));
	connect_to(&w);
	DAEMON_GETS(&w, REINIT(1));
	assert_int_equal(hear(&w, RESULT(OUR(1), SERVER("2025-06-18"))), -ECONNABORTED);
	assert_non_null(strstr(bridge_get_cause(w.bridge), V));
	bridge_give_up(w.bridge, bridge_get_cause(w.bridge));
	client_gets_error(&w, "1", -31004, V);
	end(&w);
}

static void test_refused_initialize(void **unused)
{
	struct world w;

	open_session(&w);
	lose(&w);
	connect_to(&w);
	DAEMON_GETS(&w, REINIT(1));
	assert_int_equal(hear(&w, ERROR(OUR(1), "-31003")), -EPROTO); /* later */
	bridge_lost(w.bridge, NULL, w.now_ms);
	connect_to(&w);
	DAEMON_GETS(&w, REINIT(2));
	assert_int_equal(hear(&w, ERROR(OUR(2), "-32602")), -ECONNABORTED);
	assert_string_equal(bridge_get_cause(w.bridge), "it does not take initialize: m");
	end(&w);
}

static void test_level_and_subscriptions(void **unused)
{
#define SUB(id, uri) WITH(id, "resources/subscribe", "{\"uri\":\"" uri "\"}")
#define SUB_RESULT RESULT("1", "{}")
#define DO(line)                                                                                   \
	do {                                                                                       \
		client(&w, line);                                                                  \
		DAEMON_GETS(&w, line);                                                             \
		daemon_says(&w, SUB_RESULT);                                                       \
		client_gets(&w, SUB_RESULT);                                                       \
	} while (0)
	struct world w;

	open_session(&w);
	DO(WITH("1", "logging/setLevel", "{\"level\":\"info\"}"));
	DO(WITH("1", "logging/setLevel", "{\"level\":\"debug\"}"));
	DO(SUB("1", "x://a"));
	DO(SUB("1", "x://b"));
	DO(SUB("1", "x://a")); /* once is enough */
	DO(SUB("1", "x://c"));
	DO(WITH("1", "resources/unsubscribe", "{\"uri\":\"x://c\"}"));
	client(&w, SUB("1", "x://d"));
	DAEMON_GETS(&w, SUB("1", "x://d"));
	daemon_says(&w, ERROR("1", "-32002")); /* none */
	client_gets(&w, ERROR("1", "-32002"));
	lose(&w);
	connect_to(&w);
	DAEMON_GETS(&w, REINIT(1));
	daemon_says(&w, RESULT(OUR(1), SERVER(V)));
	client_gets(&w, CHANGED);
	DAEMON_GETS(&w, INITED, WITH(OUR(2), "logging/setLevel", "{\"level\":\"debug\"}"),
		SUB(OUR(3), "x://b"), SUB(OUR(4), "x://a"));
	daemon_says(&w, ERROR(OUR(2), "-32601")); /* nothing can be done */
	daemon_says(&w, RESULT(OUR(3), "{}"));
	client_gets(&w, NOTE("notifications/resources/updated", "{\"uri\":\"x://b\"}"));
	daemon_says(&w, ERROR(OUR(4), "-32002")); /* not there yet */
	client_gets_nothing(&w);
	daemon_says(&w, NOTE_BARE("notifications/resources/list_changed"));
	client_gets(&w, NOTE_BARE("notifications/resources/list_changed"));
	DAEMON_GETS(&w, SUB(OUR(5), "x://a"));
	daemon_says(&w, RESULT(OUR(5), "{}"));
	client_gets(&w, NOTE("notifications/resources/updated", "{\"uri\":\"x://a\"}"));
	end(&w);
}

/* --- whom the daemon does not serve ------------------------------------------------------------- */

static void test_refused_connections(void **unused)
{
	struct world w;

	begin(&w);
	client(&w, INIT);
	for (int i = 0; i < 2 * BRIDGE_MAX_ATTEMPTS; i++) {
		connect_to(&w);
		DAEMON_GETS(&w, INIT);
		daemon_says(&w, "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-31003,"
				"\"message\":\"too many\"}}");
		bridge_lost(w.bridge, "it ended the connection", w.now_ms);
		assert_string_equal(bridge_get_cause(w.bridge), "too many");
		client_gets_nothing(&w);
	}
	connect_to(&w);
	daemon_says(&w, ERROR("null", "-32600"));
	bridge_lost(w.bridge, "it ended the connection", w.now_ms);
	client_gets_error(&w, "0", -31004, "/s: m: is it");
	end(&w);
}

/* Each refusal is no new beginning. */
static void test_refused_for_ever(void **unused)
{
	struct world w;

	begin(&w);
	client(&w, INIT);
	for (int ms = 0; ms < WAIT_MS; ms += WAIT_MS / 4) {
		at(&w, ms);
		connect_to(&w);
		DAEMON_GETS(&w, INIT);
		daemon_says(&w, ERROR("null", "-31003"));
		lose(&w);
	}
	client_gets_nothing(&w);
	at(&w, WAIT_MS);
	client_gets_error(&w, "0", -31004, "m: is it running?");
	end(&w);
}

static void test_an_error_that_is_no_refusal(void **unused)
{
	struct world w;

	begin(&w);
	connect_to(&w);
	daemon_says(&w, ERROR("null", "-32600"));
	client_gets_nothing(&w);
	daemon_says(&w, NOTE_BARE("x"));
	client_gets(&w, ERROR("null", "-32600"));
	client_gets(&w, NOTE_BARE("x"));
	daemon_says(&w, ERROR("null", "-32700"));
	client_gets(&w, ERROR("null", "-32700"));
	end(&w);
}

/* --- questions ---------------------------------------------------------------------------------- */

static void test_questions(void **unused)
{
#define ASK(id) REQUEST(id, "roots/list")
	struct world w;

	open_session(&w);
	daemon_says(&w, ASK("1"));
	client_gets(&w, ASK("1"));
	client(&w, RESULT("1", "{\"roots\":[]}"));
	DAEMON_GETS(&w, RESULT("1", "{\"roots\":[]}"));
	client(&w, RESULT("1", "{}")); /* twice */
	client(&w, ERROR("null", "-32700"));
	daemon_gets_nothing(&w);
	daemon_says(&w, ASK("2"));
	client_gets(&w, ASK("2"));
	daemon_says(&w, NOTE("notifications/cancelled", "{\"requestId\":2}"));
	client_gets(&w, NOTE("notifications/cancelled", "{\"requestId\":2}"));
	client(&w, RESULT("2", "{}")); /* too late */
	daemon_gets_nothing(&w);
	end(&w);
}

static void test_questions_of_an_earlier_connection(void **unused)
{
	struct world w;

	open_session(&w);
	daemon_says(&w, ASK("1"));
	client_gets(&w, ASK("1"));
	client(&w, ERROR("1", "-1")); /* not written */
	daemon_says(&w, ASK("2"));
	client_gets(&w, ASK("2"));
	lose(&w);
	client_gets(&w,
		NOTE("notifications/cancelled",
			"{\"requestId\":2,\"reason\":\"the connection to mcp-fleetd was lost\"}"));
	connect_to(&w);
	DAEMON_GETS(&w, REINIT(1));
	daemon_says(&w, RESULT(OUR(1), SERVER(V)));
	client_gets(&w, CHANGED);
	DAEMON_GETS(&w, INITED);
	daemon_says(&w, ASK("2"));
	client_gets(&w, ASK(OUR(2)));
	daemon_says(&w, NOTE("notifications/cancelled", "{\"requestId\":2}"));
	client_gets(&w, NOTE("notifications/cancelled", "{\"requestId\":" OUR(2) "}"));
	daemon_says(&w, ASK("2"));
	client_gets(&w, ASK(OUR(3)));
	client(&w, RESULT("2", "{\"old\":1}"));
	client(&w, RESULT(OUR(2), "{\"cancelled\":1}"));
	client(&w, RESULT(OUR(3), "{\"new\":1}"));
	DAEMON_GETS(&w, RESULT("2", "{\"new\":1}"));
	end(&w);
}

/* One that the client thinks about for long does not keep those in their places that were taken back. */
static void test_cancelled_questions_make_room(void **unused)
{
	struct world w;

	open_session(&w);
	daemon_says(&w, ASK("0"));
	client_gets(&w, ASK("0"));
	for (int i = 1; i < 2 * BRIDGE_MAX_QUESTIONS; i++) {
		auto_free char *ask = alloc_printf(
			"{\"jsonrpc\":\"2.0\",\"id\":%d,\"method\":\"roots/list\"}", i);
		auto_free char *cancel = alloc_printf("{\"jsonrpc\":\"2.0\",\"method\":"
						      "\"notifications/cancelled\",\"params\":"
						      "{\"requestId\":%d}}",
			i);

		daemon_says(&w, ask);
		client_gets(&w, ask);
		daemon_says(&w, cancel);
		client_gets(&w, cancel);
	}
	client(&w, RESULT("0", "{}"));
	DAEMON_GETS(&w, RESULT("0", "{}"));
	end(&w);
}

/* Our refusals wait until they are read, but not all. */
static void test_a_daemon_that_only_asks(void **unused)
{
	struct world w;
	int r = 0;

	open_session(&w);
	for (int i = 0; i < 1000000 && r == 0; i++) {
		r = hear(&w, ASK("1"));
		strbuf_cut(&w.said, 0);
	}
	assert_int_equal(r, -EPROTO);
	bridge_lost(w.bridge, NULL, w.now_ms);
	assert_non_null(strstr(bridge_get_cause(w.bridge), "does not read"));
	strbuf_cut(&w.said, 0);
	end(&w);
}

/* --- the stateless revision --------------------------------------------------------------------- */

static void test_stateless(void **unused)
{
#define META "\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\"}"
#define LISTEN WITH("5", "subscriptions/listen", "{" META "}")
#define DISCOVER WITH("6", "server/discover", "{" META "}")
#define STRANGE WITH("7", "initialize", "{" META "}")
	struct world w;

	begin(&w);
	client(&w, LISTEN);
	client(&w, DISCOVER);
	client(&w, STRANGE);
	connect_to(&w);
	DAEMON_GETS(&w, LISTEN, DISCOVER, STRANGE);
	daemon_says(&w, ERROR("7", "-32601"));
	client_gets(&w, ERROR("7", "-32601"));
	lose(&w);
	client_gets(&w,
		NOTE("notifications/cancelled",
			"{\"requestId\":5,\"reason\":\"the connection to mcp-fleetd was lost\"}"));
	client_gets(&w, RESULT("5", "{\"resultType\":\"complete\",\"_meta\":{"
				    "\"io.modelcontextprotocol/subscriptionId\":5}}"));
	connect_to(&w);
	DAEMON_GETS(&w, DISCOVER); /* nothing else is said again */
	daemon_says(&w, RESULT("6", "{}"));
	client_gets(&w, RESULT("6", "{}"));
	client(&w, LISTEN);
	DAEMON_GETS(&w, LISTEN);
	assert_true(bridge_is_idle(w.bridge)); /* it would never end */
	daemon_says(&w, RESULT("5", "{}"));
	client_gets(&w, RESULT("5", "{}"));
	end(&w);
}

/* --- bounds ------------------------------------------------------------------------------------- */

static void test_too_many_requests(void **unused)
{
	struct world w;

	begin(&w);
	for (int i = 0; i < BRIDGE_MAX_REQUESTS; i++)
		client(&w, CALL("1"));
	client_gets_nothing(&w);
	client(&w, CALL("2"));
	client_gets_error(&w, "2", -31003, "too many");
	bridge_give_up(w.bridge, "bye");
	strbuf_cut(&w.said, 0);
	client(&w, CALL("3"));
	client_gets_nothing(&w);
	end(&w);
}

static char *big_line(const char *head, size_t size)
{
	char *line = alloc_resize(NULL, size, 1);

	memset(line, 'x', size);
	for (size_t n = 0; head[n]; n++)
		line[n] = head[n];
	line[size - 2] = '"';
	line[size - 1] = '}';
	return line;
}

static void write_all(struct world *w)
{
	const char *bytes;
	size_t len;

	while (bridge_peek(w->bridge, &bytes, &len))
		bridge_wrote(w->bridge, len);
}

static void test_too_many_bytes(void **unused)
{
	static const size_t size = 10 << 20;
	auto_free char *line =
		big_line("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"x\":\"", size);
	struct world w;

	begin(&w);
	for (int i = 0; i < 4; i++) {
		assert_true(bridge_takes_more(w.bridge));
		bridge_hear_client(w.bridge, line, size, w.now_ms);
	}
	client_gets_error(&w, "1", -31003, "not reachable");
	connect_to(&w);
	assert_false(bridge_takes_more(w.bridge)); /* the daemon is slow */
	write_all(&w);
	assert_true(bridge_takes_more(w.bridge));
	lose(&w);
	for (int i = 0; i < 3; i++)
		client_gets_error(&w, "1", -31001, "lost");
	end(&w);
}

/* What is asked again may be more already than may wait. */
static void test_too_many_bytes_to_say_again(void **unused)
{
	static const size_t size = 10 << 20;
	auto_free char *line =
		big_line("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\",\"x\":\"", size);
	struct world w;

	begin(&w);
	connect_to(&w);
	for (int i = 0; i < 3; i++)
		bridge_hear_client(w.bridge, line, size, w.now_ms);
	write_all(&w);
	bridge_hear_client(w.bridge, line, size, w.now_ms);
	lose(&w);
	client_gets_nothing(&w);
	client(&w, CALL("2"));
	client_gets_error(&w, "2", -31003, "not reachable");
	bridge_give_up(w.bridge, "bye");
	for (int i = 0; i < 4; i++)
		client_gets_error(&w, "1", -31004, "bye");
	end(&w);
}

/* Answers to questions are not refused: the client waits with them until the session is open. */
static void test_too_many_answers(void **unused)
{
	static const size_t size = 12 << 20;
	auto_free char *line =
		big_line("{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{},\"x\":\"", size);
	struct world w;

	open_session(&w);
	lose(&w);
	connect_to(&w);
	for (int i = 0; i < 3; i++) {
		assert_true(bridge_takes_more(w.bridge));
		daemon_says(&w, ASK("1"));
		client_gets(&w, ASK("1"));
		bridge_hear_client(w.bridge, line, size, w.now_ms);
	}
	assert_false(bridge_takes_more(w.bridge));
	lose(&w);
	assert_true(bridge_takes_more(w.bridge));
	end(&w);
}

static void test_too_many_subscriptions(void **unused)
{
	auto_strbuf got = { 0 };
	struct world w;

	open_session(&w);
	for (int i = 0; i <= BRIDGE_MAX_WATCHES; i++) {
		auto_free char *line =
			alloc_printf("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":"
				     "\"resources/subscribe\",\"params\":{\"uri\":\"x:%d\"}}",
				i);

		client(&w, line);
		DAEMON_GETS(&w, line);
		daemon_says(&w, RESULT("1", "{}"));
		client_gets(&w, RESULT("1", "{}"));
	}
	lose(&w);
	connect_to(&w);
	daemon_says(&w, RESULT(OUR(1), SERVER(V)));
	client_gets(&w, CHANGED);
	read_bytes(&w, SIZE_MAX, &got);
	assert_null(strstr(got.data, "\"x:0\"")); /* the oldest is forgotten */
	assert_non_null(strstr(got.data, "\"x:1\""));
	assert_non_null(strstr(got.data, "\"x:4096\""));
	end(&w);
}

static void test_big_subscriptions(void **unused)
{
	static const size_t size = 3 << 20;
	auto_free char *line = alloc_resize(NULL, size + 1, 1);
	auto_strbuf got = { 0 };
	struct world w;

	open_session(&w);
	memset(line, ' ', size);
	line[size] = '\0';
	for (int c = 'a'; c < 'd'; c++) {
		auto_free char *text =
			alloc_printf("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":"
				     "\"resources/subscribe\",\"params\":{\"uri\":\"%c\"}}",
				c);

		memcpy(line, text, strlen(text));
		client(&w, line);
		DAEMON_GETS(&w, line);
		daemon_says(&w, RESULT("1", "{}"));
		client_gets(&w, RESULT("1", "{}"));
	}
	lose(&w);
	connect_to(&w);
	daemon_says(&w, RESULT(OUR(1), SERVER(V)));
	client_gets(&w, CHANGED);
	read_bytes(&w, SIZE_MAX, &got);
	assert_null(strstr(got.data, "\"b\""));
	assert_non_null(strstr(got.data, "\"c\""));
	end(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bytes_pass_untouched),
		cmocka_unit_test(test_answers_to_nobody),
		cmocka_unit_test(test_an_id_that_is_used_twice),
		cmocka_unit_test(test_nonsense_of_the_client),
		cmocka_unit_test(test_nonsense_before_the_revision_is_known),
		cmocka_unit_test(test_nonsense_of_the_daemon),
		cmocka_unit_test(test_batches),
		cmocka_unit_test(test_calls_are_lost_and_lists_are_not),
		cmocka_unit_test(test_half_a_call_is_lost),
		cmocka_unit_test(test_lines_are_not_mixed),
		cmocka_unit_test(test_attempts_are_counted),
		cmocka_unit_test(test_a_daemon_that_is_stopping),
		cmocka_unit_test(test_daemons_that_are_stopping_for_ever),
		cmocka_unit_test(test_cancelled_calls),
		cmocka_unit_test(test_a_call_that_is_cancelled_half_written),
		cmocka_unit_test(test_a_call_that_is_answered_half_written),
		cmocka_unit_test(test_many_cancelled_calls),
		cmocka_unit_test(test_waiting),
		cmocka_unit_test(test_a_daemon_that_does_not_answer),
		cmocka_unit_test(test_initialize_is_sent_again),
		cmocka_unit_test(test_a_session_that_is_not_confirmed),
		cmocka_unit_test(test_a_client_that_initialises_anew),
		cmocka_unit_test(test_anew_while_there_is_no_daemon),
		cmocka_unit_test(test_anew_is_refused_on_a_new_connection),
		cmocka_unit_test(test_another_revision),
		cmocka_unit_test(test_refused_initialize),
		cmocka_unit_test(test_level_and_subscriptions),
		cmocka_unit_test(test_refused_connections),
		cmocka_unit_test(test_refused_for_ever),
		cmocka_unit_test(test_an_error_that_is_no_refusal),
		cmocka_unit_test(test_questions),
		cmocka_unit_test(test_questions_of_an_earlier_connection),
		cmocka_unit_test(test_cancelled_questions_make_room),
		cmocka_unit_test(test_a_daemon_that_only_asks),
		cmocka_unit_test(test_stateless),
		cmocka_unit_test(test_too_many_requests),
		cmocka_unit_test(test_too_many_bytes),
		cmocka_unit_test(test_too_many_bytes_to_say_again),
		cmocka_unit_test(test_too_many_answers),
		cmocka_unit_test(test_too_many_subscriptions),
		cmocka_unit_test(test_big_subscriptions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
