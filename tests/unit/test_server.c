/* The server of a worker, from bytes to bytes: a socket pair stands for the supervisor. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "shared/alloc.h"
#include "shared/clock.h"
#include "shared/fd.h"
#include "shared/limits.h"
#include "shared/log.h"
#include "tests/probe/probe.h"
#include "workers/common/call.h"
#include "workers/common/call_run.h"
#include "workers/common/server.h"

#define HEAD "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":"
#define CALL(name, args)                                                                           \
	HEAD "\"tools/call\",\"params\":{\"name\":\"" name "\",\"arguments\":" args "}}\n"
#define ANSWER "{\"jsonrpc\":\"2.0\",\"id\":1,"
#define RESULT(text) ANSWER "\"result\":{\"content\":[{\"type\":\"text\",\"text\":\"" text "\"}]"
#define FAILED(text) RESULT(text) ",\"isError\":true}}\n"

/* All that was written to `fd`, which holds a file. */
static char *contents(int fd)
{
	auto_strbuf bytes = { 0 };
	ssize_t n;

	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	do {
		n = read(fd, strbuf_reserve(&bytes, 64 * KIB), 64 * KIB);
		bytes.len += n > 0 ? (size_t)n : 0;
	} while (n > 0);
	bytes.data[bytes.len] = '\0';
	return strbuf_take(&bytes);
}

/* All that the server answers to `bytes`. Files in memory are its input and output: they take any
 * amount. */
static char *converse_with(
	const struct worker_desc *desc, const char *settings_text, const char *bytes, size_t len)
{
	auto_(settings_done) struct settings settings = { 0 };
	auto_(server_freep) struct server *server = NULL;
	auto_close int in_fd = memfd_create("in", MFD_CLOEXEC);
	auto_close int out_fd = memfd_create("out", MFD_CLOEXEC);
	struct fail fail = { 0 };

	assert_int_equal(settings_load(desc, settings_text, &settings, &fail), 0);
	assert_int_equal(fd_write_all(in_fd, bytes, len), 0);
	assert_int_equal(lseek(in_fd, 0, SEEK_SET), 0);
	server = server_new(desc, &settings, in_fd, out_fd);
	server_run(server);
	return contents(out_fd);
}

static char *converse(const char *text)
{
	return converse_with(&probe_worker, NULL, text, strlen(text));
}

static const struct {
	const char *request;
	const char *answer;
} exchanges[] = {
	/* The envelope. */
	{ "", "" },
	{ "\n \r\n\t\n", "" },
	{ "{bad\n",
		"{\"jsonrpc\":\"2.0\",\"error\":{\"code\":-32700,\"message\":\"not valid JSON\"}}\n" },
	{ "42\n", NULL },
	{ "[]\n", NULL },
	{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\n", "" },
	{ "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/unknown\"}\n", "" },
	{ "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\",\"params\":[]}\n", "" },
	{ "{\"jsonrpc\":\"2.0\",\"method\":\"ping\"}\n", "" },
	{ HEAD "\"ping\"}\n", ANSWER "\"result\":{}}\n" },
	{ HEAD "\"ping\"}", ANSWER "\"result\":{}}\n" },
	{ HEAD "\"ping\"}\r\n", ANSWER "\"result\":{}}\n" },
	{ "{\"jsonrpc\":\"2.0\",\"id\":\"\\u00e9/9007199254740993\",\"method\":\"ping\"}\n",
		"{\"jsonrpc\":\"2.0\",\"id\":\"\\u00e9/9007199254740993\",\"result\":{}}\n" },
	{ HEAD "\"server/discover\"}\n",
		ANSWER "\"error\":{\"code\":-32601,\"message\":\"Method not found\"}}\n" },
	{ HEAD "\"notifications/initialized\"}\n",
		ANSWER "\"error\":{\"code\":-32601,\"message\":\"Method not found\"}}\n" },
	{ HEAD "\"ping\",\"params\":[]}\n",
		ANSWER "\"error\":{\"code\":-32602,\"message\":\"params must be an object\"}}\n" },
	{ HEAD "\"initialize\",\"params\":{\"protocolVersion\":7}}\n", ANSWER
		"\"error\":{\"code\":-32602,\"message\":\"protocolVersion must be a string\"}}\n" },
	{ HEAD "\"tools/list\",\"params\":{\"cursor\":\"\"}}\n", ANSWER
		"\"error\":{\"code\":-32602,\"message\":\"cursor is not one of this server\"}}\n" },
	/* Which tool. */
	{ HEAD "\"tools/call\"}\n",
		ANSWER "\"error\":{\"code\":-32602,\"message\":\"name must be a string\"}}\n" },
	{ HEAD "\"tools/call\",\"params\":{\"name\":7}}\n",
		ANSWER "\"error\":{\"code\":-32602,\"message\":\"name must be a string\"}}\n" },
	{ CALL("nope", "{}"),
		ANSWER "\"error\":{\"code\":-32602,\"message\":\"Unknown tool: nope\"}}\n" },
	{ CALL("probe_echo\\u0000", "{}"), ANSWER
		"\"error\":{\"code\":-32602,\"message\":\"Unknown tool: \\\"probe_echo\\\\u0000\\\"\"}}\n" },
	{ CALL("a\\nb", "{}"), ANSWER
		"\"error\":{\"code\":-32602,\"message\":\"Unknown tool: \\\"a\\\\nb\\\"\"}}\n" },
	{ CALL("probe_echo", "[]"), ANSWER
		"\"error\":{\"code\":-32602,\"message\":\"arguments must be an object\"}}\n" },
	/* Arguments. */
	{ CALL("probe_echo", "null"), FAILED("invalid_argument: text is missing: a string") },
	{ CALL("probe_echo", "{\"text\":5}"),
		FAILED("invalid_argument: text must be a string, not 5") },
	{ CALL("probe_echo", "{\"text\":99999999999999999999}"),
		FAILED("invalid_argument: the arguments cannot be read: too big integer near "
		       "'99999999999999999999'. Give integers of at most 64 bits, and each member once.") },
	{ CALL("probe_echo", "{\"text\":\"a\\u0000b\"}"),
		FAILED("invalid_argument: text must not hold the character U+0000") },
	{ CALL("probe_echo", "{\"text\":\"a\",\"text\":\"b\"}"), NULL },
	{ CALL("probe_echo", "{\"a\\u0000b\":1}"), NULL },
	{ CALL("probe_echo", "{\"text\":\"\xc3\xa4\\n\",\"times\":2.0}"),
		RESULT("\xc3\xa4\\n\xc3\xa4\\n") ",\"structuredContent\":{\"text\":\"\xc3\xa4\\n\xc3\xa4\\n\","
						 "\"keys\":[]}}}\n" },
	/* Names. */
	{ CALL("probe.echo", "{\"text\":\"x\"}"),
		RESULT("x") ",\"structuredContent\":{\"text\":\"x\",\"keys\":[]}}}\n" },
	{ CALL("probe-echo", "{\"text\":\"x\"}"),
		RESULT("x") ",\"structuredContent\":{\"text\":\"x\",\"keys\":[]}}}\n" },
	{ CALL("say", "{\"message\":\"x\",\"items\":[{\"keyName\":\"k\"}]}"),
		RESULT("x") ",\"structuredContent\":{\"text\":\"x\",\"keys\":[\"k\"]}}}\n" },
	{ CALL("say", "{\"items\":[{\"keyName\":\"k\"}]}"),
		FAILED("invalid_argument: message is missing: a string") },
	{ CALL("say", "{\"message\":\"x\",\"items\":[{\"key_name\":\"k\"}]}"),
		FAILED("invalid_argument: unknown argument items[0]: \\\"key_name\\\"; did you mean keyName?") },
	{ CALL("say_twice", "{\"text\":\"x\",\"times\":9}"),
		RESULT("xx") ",\"structuredContent\":{\"text\":\"xx\",\"keys\":[]}}}\n" },
	{ CALL("say_often", "{\"text\":\"x\"}"),
		FAILED("invalid_argument: times is missing: an integer from 1 to 10000000") },
	{ CALL("say_often", "{\"text\":\"x\",\"times\":3}"),
		RESULT("xxx") ",\"structuredContent\":{\"text\":\"xxx\",\"keys\":[]}}}\n" },
	/* Results. */
	{ CALL("probe_wait", "{\"ms\":0}"),
		RESULT("{\\\"ms\\\":0}") ",\"structuredContent\":{\"ms\":0}}}\n" },
	{ CALL("probe_fail", "{\"how\":\"fail\"}"),
		FAILED("not_found: nothing is there. Look elsewhere.") },
	{ CALL("probe_fail", "{\"how\":\"garbage\"}"),
		FAILED("internal: \xef\xbf\xbd\xef\xbf\xbd\\n\\u0001") },
	{ CALL("probe_fail", "{\"how\":\"bad_text\"}"),
		RESULT("a\\u0000\xef\xbf\xbdz") ",\"structuredContent\":{}}}\n" },
	{ CALL("probe_fail", "{\"how\":\"errno\"}"), ANSWER
		"\"error\":{\"code\":-32603,\"message\":\"internal: the tool failed for a reason that is "
		"not the caller's; the server's log has it.\"}}\n" },
	{ CALL("probe_fail", "{\"how\":\"no_json\"}"), ANSWER
		"\"error\":{\"code\":-32603,\"message\":\"internal: the tool failed for a reason that is "
		"not the caller's; the server's log has it.\"}}\n" },
	{ CALL("probe_fail", "{\"how\":\"silent\"}"), ANSWER
		"\"error\":{\"code\":-32603,\"message\":\"internal: the tool failed for a reason that is "
		"not the caller's; the server's log has it.\"}}\n" },
};

/* NULL: some error, whose words are jansson's or jspan's. */
static void test_exchanges(void **state)
{
	for (size_t i = 0; i < N_ELEMENTS(exchanges); i++) {
		auto_free char *got = converse(exchanges[i].request);

		if (exchanges[i].answer)
			assert_string_equal(got, exchanges[i].answer);
		else
			assert_true(strstr(got, "-32600") || strstr(got, "invalid_argument: "));
		assert_true(!*got || strchr(got, '\n') == got + strlen(got) - 1);
	}
}

static void test_initialize_negotiates(void **state)
{
	static const char *const asked[][2] = { { "2024-11-05", "2024-11-05" },
		{ "2025-03-26", "2025-03-26" }, { "2025-06-18", "2025-06-18" },
		{ "2025-11-25", "2025-11-25" }, { "2026-07-28", "2025-11-25" },
		{ "", "2025-11-25" } };

	for (size_t i = 0; i < N_ELEMENTS(asked); i++) {
		auto_free char *request = alloc_printf(HEAD
			"\"initialize\",\"params\":{\"protocolVersion\":\"%s\"}}\n",
			asked[i][0]);
		auto_free char *got = converse(request);
		json_auto_t *json = json_loads(got, 0, NULL);
		json_t *result = json_object_get(json, "result");
		json_t *more = json_object_get(
			json_object_get(json_object_get(result, "capabilities"), "experimental"),
			"mcp-fleet");

		assert_string_equal(
			json_string_value(json_object_get(result, "protocolVersion")), asked[i][1]);
		assert_string_equal(json_string_value(json_object_get(
					    json_object_get(result, "serverInfo"), "name")),
			"mcp-fleet-probe");
		assert_string_equal(
			json_string_value(json_object_get(json_object_get(more, "aliases"), "say")),
			"probe_echo");
		assert_int_equal(json_integer_value(json_object_get(
					 json_object_get(more, "timeouts_ms"), "probe_wait")),
			3000);
		assert_int_equal(json_object_size(json_object_get(more, "timeouts_ms")), 1);
	}
}

static json_t *list_with(const char *settings_text)
{
	const char *request = HEAD "\"tools/list\"}\n";
	auto_free char *got = converse_with(&probe_worker, settings_text, request, strlen(request));
	json_auto_t *json = json_loads(got, 0, NULL);

	return json_incref(json_object_get(json_object_get(json, "result"), "tools"));
}

static void test_list(void **state)
{
	static const char *const names[] = { "probe_echo", "probe_wait", "probe_fail",
		"probe_told" };
	json_auto_t *tools = list_with(NULL);
	json_t *hints = json_object_get(json_array_get(tools, 2), "annotations");

	assert_int_equal(json_array_size(tools), N_ELEMENTS(names));
	for (size_t i = 0; i < N_ELEMENTS(names); i++) {
		json_t *tool = json_array_get(tools, i);

		assert_string_equal(json_string_value(json_object_get(tool, "name")), names[i]);
		assert_non_null(json_object_get(tool, "title"));
		assert_non_null(json_object_get(tool, "description"));
		assert_non_null(json_object_get(tool, "inputSchema"));
		assert_non_null(json_object_get(tool, "outputSchema"));
		assert_int_equal(json_object_size(json_object_get(tool, "annotations")), 5);
	}
	assert_true(json_is_false(json_object_get(hints, "readOnlyHint")));
	assert_true(json_is_true(json_object_get(hints, "destructiveHint")));
	assert_true(json_is_false(json_object_get(hints, "idempotentHint")));
	assert_true(json_is_true(json_object_get(hints, "openWorldHint")));
}

static void test_list_with_aliases(void **state)
{
	json_auto_t *tools = list_with("{\"aliases\":\"listed\"}");
	json_t *say = json_object_get(json_array_get(tools, 4), "inputSchema");
	json_t *twice = json_object_get(json_array_get(tools, 5), "inputSchema");
	json_t *often = json_object_get(json_array_get(tools, 6), "inputSchema");
	json_t *times = json_object_get(json_object_get(often, "properties"), "times");
	json_t *nested = json_object_get(
		json_object_get(json_object_get(say, "properties"), "items"), "items");

	assert_int_equal(json_array_size(tools), 7);
	assert_non_null(json_object_get(json_object_get(say, "properties"), "message"));
	assert_null(json_object_get(json_object_get(say, "properties"), "text"));
	assert_string_equal(
		json_string_value(json_array_get(json_object_get(say, "required"), 0)), "message");
	assert_non_null(json_object_get(json_object_get(nested, "properties"), "keyName"));
	assert_null(json_object_get(json_object_get(twice, "properties"), "times"));
	assert_non_null(json_object_get(json_object_get(twice, "properties"), "text"));
	assert_int_equal(json_array_size(json_object_get(often, "required")), 2);
	assert_null(json_object_get(times, "default"));
}

static void test_aliases_off(void **state)
{
	const char *request = CALL("say", "{\"message\":\"x\"}");
	auto_free char *got =
		converse_with(&probe_worker, "{\"aliases\":\"off\"}", request, strlen(request));

	assert_non_null(strstr(got, "Unknown tool: say"));
}

static void test_federation(void **state)
{
	static const struct {
		const char *name;
		bool known;
	} names[] = { { "sanctuary.probe.echo", true }, { "sanctuary.probe.probe_echo", true },
		{ "sanctuary.probe.say", false }, { "sanctuary.git.echo", false },
		{ "sanctuary.probe.", false }, { "sanctuary.probe", false },
		{ "sanctuary.", false }, { "other.probe.echo", false }, { "probe_echo", true } };

	for (size_t i = 0; i < N_ELEMENTS(names); i++) {
		auto_free char *request =
			alloc_printf(CALL("%s", "{\"text\":\"x\"}"), names[i].name);
		auto_free char *got = converse_with(&probe_worker,
			"{\"federation_prefix\":\"sanctuary\"}", request, strlen(request));

		assert_int_equal(strstr(got, "Unknown tool") == NULL, names[i].known);
	}
}

static struct strbuf around;

static void note_begin(const void *settings, struct jspan meta)
{
	strbuf_addf(&around, "(%.*s", (int)meta.len, meta.at ? meta.at : "");
}

static void note_end(void)
{
	strbuf_addc(&around, ')');
}

/* Around each call that is run, whatever becomes of it. */
static void test_begin_and_end_of_calls(void **state)
{
	static const char text[] = CALL("probe_echo", "{\"text\":\"a\"}")
		CALL("probe_echo", "{\"text\":5}") CALL("nope", "{}") HEAD
		"\"tools/call\",\"params\":{\"_meta\":{\"x\":1},\"name\":\"probe_echo\"}}\n" HEAD
		"\"ping\",\"params\":{\"_meta\":{}}}\n";
	struct worker_desc desc = probe_worker;
	auto_free char *got = NULL;

	desc.begin_call = note_begin;
	desc.end_call = note_end;
	got = converse_with(&desc, NULL, text, strlen(text));
	assert_string_equal(around.data, "()()({\"x\":1})");
	strbuf_done(&around);
}

static void test_failures_as_json(void **state)
{
	struct worker_desc desc = probe_worker;
	const char *request = CALL("probe_fail", "{\"how\":\"garbage\"}");
	auto_free char *got = NULL;

	desc.fails_as_json = true;
	got = converse_with(&desc, NULL, request, strlen(request));
	assert_string_equal(
		got, FAILED("{\\\"success\\\":false,\\\"code\\\":\\\"internal\\\",\\\"error\\\":"
			    "\\\"internal: \xef\xbf\xbd\xef\xbf\xbd\\\\n\\\\u0001\\\"}"));
}

static void test_result_too_large(void **state)
{
	static const char *const big[] = { CALL("probe_echo",
						   "{\"text\":\"0123456789\",\"times\":6554}"),
		CALL("probe_echo", "{\"text\":\"0123456789\",\"times\":4000}") };

	for (size_t i = 0; i < N_ELEMENTS(big); i++) {
		auto_free char *got = converse_with(
			&probe_worker, "{\"max_result_bytes\":65536}", big[i], strlen(big[i]));

		assert_non_null(strstr(got, "too_large: the answer would have "));
		assert_non_null(strstr(got, "\"isError\":true"));
	}
}

/* Bytes of a message that the limit for a line refuses, then one that is in order. */
static void test_line_too_long(void **state)
{
	auto_strbuf bytes = { 0 };
	auto_free char *got = NULL;

	memset(strbuf_reserve(&bytes, LIMIT_LINE_BYTES + 100), ' ', LIMIT_LINE_BYTES + 100);
	bytes.len = LIMIT_LINE_BYTES + 100;
	bytes.data[bytes.len] = '\0';
	strbuf_adds(&bytes, "\n" HEAD "\"ping\"}\n");
	got = converse_with(&probe_worker, NULL, bytes.data, bytes.len);
	assert_string_equal(got,
		"{\"jsonrpc\":\"2.0\",\"error\":{\"code\":-32600,\"message\":\"the message is "
		"longer than this server takes\"}}\n" ANSWER "\"result\":{}}\n");
}

static void test_many_in_one_write(void **state)
{
	auto_strbuf request = { 0 };
	auto_free char *got = NULL;
	char *at;

	for (int i = 0; i < 500; i++)
		strbuf_addf(&request, "{\"jsonrpc\":\"2.0\",\"id\":%d,\"method\":\"ping\"}\n", i);
	got = converse(request.data);
	at = got;
	for (int i = 0; i < 500; i++) {
		auto_free char *expected =
			alloc_printf("{\"jsonrpc\":\"2.0\",\"id\":%d,\"result\":{}}\n", i);

		assert_memory_equal(at, expected, strlen(expected));
		at += strlen(expected);
	}
	assert_int_equal(*at, '\0');
}

static void test_settings_and_fleet(void **state)
{
	const char *request =
		"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/mcp-fleet/state\",\"params\":"
		"{\"clusters\":{\"git\":{\"healthy\":true}}}}\n"
		"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/mcp-fleet/state\",\"params\":"
		"{\"clusters\":7}}\n" CALL("probe_told", "{}");
	auto_free char *got = converse_with(&probe_worker,
		"{\"greeting\":\"moin\",\"names\":[\"a\",\"b\"]}", request, strlen(request));

	assert_non_null(strstr(got,
		"\"structuredContent\":{\"greeting\":\"moin\",\"n_names\":2,\"fleet\":{\"git\":{\"healthy\":true}}}"));
	assert_null(worker_get_fleet());
}

static const struct {
	const char *settings;
	const char *words;
} bad_settings[] = {
	{ "{", "settings, column " },
	{ "[]", "settings: the arguments must be an object" },
	{ "{\"greting\":\"x\"}", "settings: unknown argument \"greting\"; did you mean greeting?" },
	{ "{\"call_timeout\":1}", "settings: unknown argument \"call_timeout\"; did you mean" },
	{ "{\"aliases\":\"yes\"}",
		"settings: aliases must be one of \"off\", \"hidden\", \"listed\"" },
	{ "{\"max_result_bytes\":1}", "settings: max_result_bytes must be an integer from 65536" },
	{ "{\"roots\":[\"/\"]}", "settings: unknown argument \"roots\"" },
	{ "{\"names\":[1]}", "settings: names[0] must be a string, not 1" },
};

static void test_bad_settings(void **state)
{
	for (size_t i = 0; i < N_ELEMENTS(bad_settings); i++) {
		auto_(settings_done) struct settings settings = { 0 };
		struct fail fail = { 0 };

		assert_true(settings_load(
				    &probe_worker, bad_settings[i].settings, &settings, &fail) < 0);
		assert_memory_equal(
			fail.text, bad_settings[i].words, strlen(bad_settings[i].words));
	}
}

/* Tools that talk to their own server from the other end of its socket, so that the order of things
 * is certain. */

static int peer_fd;

static void tell(const char *text)
{
	assert_int_equal(fd_write_all(peer_fd, text, strlen(text)), 0);
}

/* Until the server has looked for news; true: the call was stopped. */
static bool turn_until_looked(struct call *call)
{
	const int64_t looked = call->looked_ms;

	while (call->looked_ms == looked)
		if (call_stopped(call))
			return true;
	return false;
}

static int cancelled_itself(struct call *call, const void *args)
{
	tell("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":7}}\n"
	     "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{}}\n"
	     "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\"}\n");
	assert_false(turn_until_looked(call));
	tell("{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"ping\"}\n"
	     "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":1}}\n");
	assert_true(turn_until_looked(call));
	call->started_ms -= 1000;
	call_progress(call, 1, 2, NULL); /* nothing more is sent */
	return call_fail_stopped(call, "nothing");
}

static int cancels_next(struct call *call, const void *args)
{
	tell("{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"tools/list\"}\n"
	     "{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"unknown\"}\n{bad\n");
	assert_false(turn_until_looked(call));
	tell("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":2}}\n"
	     "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/canc");
	assert_false(turn_until_looked(call));
	tell("elled\",\"params\":{\"requestId\":9}}\n");
	return call_resultf(call, json_object(), "%s", "done");
}

static int peer_vanishes(struct call *call, const void *args)
{
	(void)close(peer_fd);
	peer_fd = -1;
	assert_true(turn_until_looked(call));
	return call_fail_stopped(call, "nothing");
}

static int too_slow(struct call *call, const void *args)
{
	assert_true(call_time_left_ms(call) > 0);
	call->started_ms -= 58000; /* of 60000 */
	assert_int_equal(call_time_left_ms(call), 0);
	assert_true(call_stopped(call));
	return call_fail_stopped(call, "3 of 10 files");
}

static int tells_progress(struct call *call, const void *args)
{
	call_progress(call, 1, 0, NULL); /* too early */
	call->started_ms -= 600;
	call_progress(call, 1, 0, NULL);
	call_progress(call, 2, 0, NULL); /* too soon after */
	call->progress_ms -= 200;
	call_progress(call, 1, 0, NULL); /* has not risen */
	call_progress(call, 0.0 / 0.0, 0, NULL);
	call_progress(call, 2.5, 10, "a\xff\"");
	return call_resultf(call, json_object(), "%s", "done");
}

/* The input ends when the tool is done: only then does the server read again. */
static int hang_up_after(struct call *call, const void *args)
{
	tool_fn *const *run = call_settings(call);
	int r = (*run)(call, args);

	if (peer_fd >= 0)
		assert_int_equal(shutdown(peer_fd, SHUT_WR), 0);
	return r;
}

static void assert_peer(tool_fn *run, const char *params, const char *answers)
{
	const struct tool tools[] = { { .name = "act", .run = hang_up_after, .out = "" }, { 0 } };
	const struct tool *const tables[] = { tools, NULL };
	const struct worker_desc desc = { .name = "peer", .tools = tables };
	const struct settings settings = {
		.max_result_bytes = MIB, .call_timeout_ms = 60000, .aliases = "off", .own = &run
	};
	auto_(server_freep) struct server *server = NULL;
	auto_free char *request =
		alloc_printf(HEAD "\"tools/call\",\"params\":{\"name\":\"act\"%s}}\n", params);
	auto_strbuf got = { 0 };
	int fds[2];
	ssize_t n = 0;

	assert_int_equal(fd_socketpair(fds), 0);
	peer_fd = fds[0];
	server = server_new(&desc, &settings, fds[1], fds[1]);
	tell(request);
	server_run(server);
	(void)close(fds[1]);
	if (peer_fd >= 0)
		n = read(peer_fd, strbuf_reserve(&got, 64 * KIB), 64 * KIB);
	assert_true(n >= 0);
	got.len = (size_t)n;
	assert_memory_equal(strbuf_get(&got), answers, strlen(answers));
	assert_int_equal(n, strlen(answers));
	peer_fd = fd_close(peer_fd);
}

static void test_cancelled_call_sends_nothing(void **state)
{
	assert_peer(cancelled_itself, ",\"_meta\":{\"progressToken\":1}",
		"{\"jsonrpc\":\"2.0\",\"id\":5,\"result\":{}}\n");
}

static void test_waiting_request_is_cancelled(void **state)
{
	assert_peer(cancels_next, "",
		RESULT("done") ",\"structuredContent\":{}}}\n"
			       "{\"jsonrpc\":\"2.0\",\"id\":3,\"error\":{\"code\":-32601,\"message\":\"Method not "
			       "found\"}}\n"
			       "{\"jsonrpc\":\"2.0\",\"error\":{\"code\":-32700,\"message\":\"not valid JSON\"}}\n");
}

static void test_peer_vanishes(void **state)
{
	assert_peer(peer_vanishes, "", "");
}

static void test_timeout(void **state)
{
	assert_peer(too_slow, "",
		FAILED("timeout: stopped at its limit of 58 s: 3 of 10 files. Ask for less at a time."));
}

static void test_progress(void **state)
{
	static const char *const tokens[] = { "7", "\"\xc3\xa4\\n\"" };

	for (size_t i = 0; i < N_ELEMENTS(tokens); i++) {
		auto_free char *params =
			alloc_printf(",\"_meta\":{\"progressToken\":%s}", tokens[i]);
		auto_free char *answers = alloc_printf(
			"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{\"progressToken\":%s,"
			"\"progress\":1}}\n"
			"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{\"progressToken\":%s,"
			"\"progress\":2.5,\"total\":10,\"message\":\"a\xef\xbf\xbd\\\"\"}}\n" RESULT(
				"done") ",\"structuredContent\":{}}}\n",
			tokens[i], tokens[i]);

		assert_peer(tells_progress, params, answers);
	}
	assert_peer(tells_progress, "", RESULT("done") ",\"structuredContent\":{}}}\n");
	assert_peer(tells_progress, ",\"_meta\":{\"progressToken\":{}}",
		RESULT("done") ",\"structuredContent\":{}}}\n");
}

static void test_own_limit(void **state)
{
	assert_int_equal(call_own_limit_ms(60000), 58000);
	assert_int_equal(call_own_limit_ms(5000), 4500);
	assert_int_equal(call_own_limit_ms(20000), 18000);
	assert_int_equal(call_own_limit_ms(100), 90);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exchanges),
		cmocka_unit_test(test_initialize_negotiates),
		cmocka_unit_test(test_list),
		cmocka_unit_test(test_list_with_aliases),
		cmocka_unit_test(test_aliases_off),
		cmocka_unit_test(test_federation),
		cmocka_unit_test(test_begin_and_end_of_calls),
		cmocka_unit_test(test_failures_as_json),
		cmocka_unit_test(test_result_too_large),
		cmocka_unit_test(test_line_too_long),
		cmocka_unit_test(test_many_in_one_write),
		cmocka_unit_test(test_settings_and_fleet),
		cmocka_unit_test(test_bad_settings),
		cmocka_unit_test(test_cancelled_call_sends_nothing),
		cmocka_unit_test(test_waiting_request_is_cancelled),
		cmocka_unit_test(test_peer_vanishes),
		cmocka_unit_test(test_timeout),
		cmocka_unit_test(test_progress),
		cmocka_unit_test(test_own_limit),
	};

	/* Handlers that fail on purpose would fill the screen. */
	log_init("test_server", LOG_TARGET_TEXT, (enum log_level)2);
	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
