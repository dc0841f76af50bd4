/* The audit log: what is in a record and what is not, how long it may become, and where it goes. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "shared/alloc.h"
#include "shared/jspan.h"
#include "shared/log.h"
#include "supervisor/loop.h"
#include "supervisor/mcp/audit.h"
#include "supervisor/mcp/audit_flood.h"
#include "supervisor/mcp/call_end.h"
#include "supervisor/mcp/principal.h"
#include "supervisor/stats.h"

static struct {
	struct loop *loop;
	struct sessions *sessions;
	struct session *session;
	struct conf conf;
	struct audit *audit;
	struct sink_peer peer;
	char folder[32];
	char path[64];
	char target[64];
} world;

static int drop(void *sink, const struct outgoing *out)
{
	return 0;
}

static void close_sink(void *sink, const char *reason)
{
}

static void get_peer(void *sink, struct sink_peer *ret)
{
	*ret = world.peer;
}

static const struct sink_ops sse_ops = { .name = "sse", .send = drop, .close = close_sink };

static const struct sink_ops socket_ops = {
	.name = "local", .send = drop, .close = close_sink, .get_peer = get_peer, .is_stdio = true
};

static const struct sink_ops once_ops = {
	.name = "http", .send = drop, .close = close_sink, .is_once = true
};

static void on_closed(void *arg, struct session *session)
{
}

static struct session *open_session(const struct sink_ops *ops)
{
	return session_open(world.sessions, ops, NULL, NULL);
}

static int set_up(void **unused)
{
	const struct conf_limits limits = { .sessions = 10, .sweep_ms = 1000 };

	world.loop = loop_new_fake();
	world.sessions = sessions_new(world.loop, &limits, on_closed, NULL);
	world.session = open_session(&sse_ops);
	(void)snprintf(world.folder, sizeof(world.folder), "%s", "/tmp/test-audit-XXXXXX");
	assert_non_null(mkdtemp(world.folder));
	(void)snprintf(world.path, sizeof(world.path), "%s/audit", world.folder);
	world.conf.audit.target = world.path;
	world.conf.audit.values = false;
	world.audit = audit_new(&world.conf);
	stats_reset();
	return 0;
}

static int tear_down(void **unused)
{
	audit_free(world.audit);
	sessions_free(world.sessions);
	loop_free(world.loop);
	(void)unlink(world.path);
	assert_int_equal(rmdir(world.folder), 0);
	return 0;
}

static void set_target(const char *target)
{
	(void)snprintf(world.target, sizeof(world.target), "%s", target);
	world.conf.audit.target = world.target;
	audit_set_conf(world.audit, &world.conf);
}

/* --- a record ------------------------------------------------------------------------------------ */

static const struct log_about nothing = { 0 };

static void record(struct session *session, const char *tool, const char *arguments)
{
	const struct audit_ask ask = { .domain = "git",
		.tool = tool,
		.arguments = { arguments, strlen(arguments) },
		.call = 7 };

	audit_end(world.audit, audit_begin(world.audit, session, &ask), &nothing, "ok", 0);
}

static char *read_file(const char *path)
{
	static char text[1 << 20];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);

	(void)close(fd);
	text[n] = '\0';
	return text;
}

/* The one line of the file. */
static json_t *read_record(void)
{
	char *text = read_file(world.path);
	json_t *json;

	assert_non_null(strchr(text, '\n'));
	assert_ptr_equal(strchr(text, '\n') + 1, text + strlen(text));
	json = json_loads(text, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
	assert_non_null(json);
	return json;
}

static const char *get(const json_t *json, const char *name)
{
	const char *text = json_string_value(json_object_get(json, name));

	return text ? text : "(none)";
}

static void assert_tool(const char *tool)
{
	json_auto_t *json = read_record();

	assert_string_equal(get(json, "tool"), tool);
}

static void test_record(void **unused)
{
	const struct audit_ask ask = { .domain = "git",
		.tool = "git_log",
		.arguments = { "{\"path\":\"/secret\" , \"n\":12}", 26 },
		.trace = "0af7651916cd43dd8448eb211c80319c",
		.call = 7 };
	const struct log_about about = { .worker = "git/2", .duration_us = 1234567 };
	char id[SESSION_ID_TEXT];
	struct audit_call *call = audit_begin(world.audit, world.session, &ask);

	audit_end(world.audit, call, &about, "deadline", -32001);
	json_auto_t *json = read_record();
	session_get_id(world.session, id);
	id[8] = '\0';
	assert_string_equal(get(json, "event"), "tool_call");
	assert_string_equal(get(json, "kind"), "anybody");
	assert_string_equal(get(json, "transport"), "sse");
	assert_string_equal(get(json, "session"), id);
	assert_string_equal(get(json, "domain"), "git");
	assert_string_equal(get(json, "tool"), "git_log");
	assert_string_equal(get(json, "worker"), "git/2");
	assert_string_equal(get(json, "trace_id"), "0af7651916cd43dd8448eb211c80319c");
	assert_string_equal(get(json, "outcome"), "deadline");
	assert_int_equal(json_integer_value(json_object_get(json, "call")), 7);
	assert_int_equal(json_integer_value(json_object_get(json, "code")), -32001);
	assert_true(json_real_value(json_object_get(json, "duration")) == 1.234567);
	assert_int_equal(strlen(get(json, "time")), strlen("2026-01-31T12:00:00.000Z"));
	json_auto_t *arguments = json_loads(
		"[{\"name\":\"path\",\"bytes\":9},{\"name\":\"n\",\"bytes\":2}]", 0, NULL);
	assert_true(json_equal(json_object_get(json, "arguments"), arguments));
	assert_null(json_object_get(json, "values"));
	assert_null(strstr(read_file(world.path), "secret"));
}

static void test_who(void **unused)
{
	struct caller caller = { .principal = principal_new(PRINCIPAL_KEY, "ci", "key:ci"),
		.address = "192.0.2.7" };
	struct session *local = open_session(&socket_ops);
	struct session *once = open_session(&once_ops);

	session_set_caller(world.session, &caller);
	principal_unref(caller.principal);
	world.peer = (struct sink_peer){ .pid = 42, .uid = 1000 };
	record(world.session, "a", "{}");
	json_auto_t *key = read_record();
	assert_string_equal(get(key, "kind"), "key");
	assert_string_equal(get(key, "key"), "ci");
	assert_string_equal(get(key, "client_ip"), "192.0.2.7");
	assert_null(json_object_get(key, "pid"));
	assert_int_equal(truncate(world.path, 0), 0);
	record(local, "a", "{}");
	json_auto_t *socket = read_record();
	assert_string_equal(get(socket, "kind"), "local");
	assert_int_equal(json_integer_value(json_object_get(socket, "pid")), 42);
	assert_int_equal(json_integer_value(json_object_get(socket, "uid")), 1000);
	assert_int_equal(truncate(world.path, 0), 0);
	record(once, "a", "{}");
	json_auto_t *request = read_record();
	assert_string_equal(get(request, "kind"), "anybody");
	assert_null(json_object_get(request, "session"));
}

static void test_no_arguments(void **unused)
{
	static const struct {
		const char *arguments;
		bool is_empty;
	} cases[] = { { "", false }, { "null", false }, { "[1]", false }, { "\"x\"", false },
		{ "{}", true }, { "{ }", true } };

	world.conf.audit.values = true;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		set_target(world.path);
		record(world.session, "a", cases[i].arguments);
		json_auto_t *json = read_record();
		const json_t *list = json_object_get(json, "arguments");

		assert_int_equal(list && json_array_size(list) == 0, cases[i].is_empty);
		assert_int_equal(!!json_object_get(json, "values"), cases[i].is_empty);
		assert_int_equal(truncate(world.path, 0), 0);
	}
}

static void test_many_arguments(void **unused)
{
	auto_strbuf text = { 0 };

	for (int i = 0; i < 1000; i++)
		strbuf_addf(&text, "%s\"a%d\":1", i ? "," : "{", i);
	strbuf_addc(&text, '}');
	record(world.session, "a", text.data);
	json_auto_t *json = read_record();
	assert_int_equal(json_array_size(json_object_get(json, "arguments")), 64);
	assert_int_equal(json_integer_value(json_object_get(json, "arguments_more")), 1000 - 64);
}

/* A name is a JSON text, and stays the one that it was. */
static void test_odd_names(void **unused)
{
	static const char arguments[] =
		"{\"\":1,\"a\\n\\u0000\\\"\":22,\"\x7f\xc3\xa4\":333,\"a\":1,\"a\":1}";
	auto_strbuf huge = { 0 };

	record(world.session, "a", arguments);
	json_auto_t *json = read_record();
	json_t *list = json_object_get(json, "arguments");
	json_t *odd = json_object_get(json_array_get(list, 1), "name");

	assert_int_equal(json_array_size(list), 5);
	assert_string_equal(get(json_array_get(list, 0), "name"), "");
	assert_int_equal(json_string_length(odd), 4);
	assert_memory_equal(json_string_value(odd), "a\n\0\"", 4);
	assert_string_equal(get(json_array_get(list, 2), "name"), "\x7f\xc3\xa4");
	assert_int_equal(truncate(world.path, 0), 0);
	strbuf_adds(&huge, "{\"");
	for (int i = 0; i < 100000; i++)
		strbuf_addc(&huge, 'x');
	strbuf_adds(&huge, "\":4444}");
	record(world.session, "a", huge.data);
	json_auto_t *cut = read_record();
	list = json_object_get(cut, "arguments");
	assert_string_equal(get(json_array_get(list, 0), "name"), "");
	assert_int_equal(json_integer_value(json_object_get(json_array_get(list, 0), "bytes")), 4);
	assert_true(strlen(read_file(world.path)) < 1000);
}

/* What a client made up as a tool's name is bounded, and no line break in it makes a second line. */
static void test_odd_tool(void **unused)
{
	auto_strbuf name = { 0 };

	strbuf_adds(&name, "a\n{\"event\":\"tool_call\"}\x1b[31m\xc2\x9b");
	for (int i = 0; i < 1000000; i++)
		strbuf_adds(&name, "\xc3\xa4");
	record(world.session, name.data, "{}");
	json_auto_t *json = read_record();
	const char *tool = get(json, "tool");

	assert_int_equal(strncmp(tool, "a?{\"event\":\"tool_call\"}?[31m??\xc3\xa4", 32), 0);
	assert_in_range(strlen(tool), 200, 260);
	assert_int_equal(truncate(world.path, 0), 0);
	record(world.session, "", "{}");
	json_auto_t *none = read_record();
	assert_null(json_object_get(none, "tool"));
}

static void test_values(void **unused)
{
	auto_strbuf big = { 0 };

	world.conf.audit.values = true;
	set_target(world.path);
	record(world.session, "a", "{\"a\":\"x\\ny\",\n\t\"b\":\r\n[1,\n2]}");
	json_auto_t *json = read_record();
	json_auto_t *values = json_loads("{\"a\":\"x\\ny\",\"b\":[1,2]}", 0, NULL);
	assert_true(json_equal(json_object_get(json, "values"), values));
	assert_int_equal(truncate(world.path, 0), 0);
	strbuf_adds(&big, "{\"a\":\"");
	for (int i = 0; i < 64 * 1024; i++)
		strbuf_addc(&big, 'x');
	strbuf_adds(&big, "\"}");
	record(world.session, "a", big.data);
	json_auto_t *cut = read_record();
	assert_null(json_object_get(cut, "values"));
	assert_true(json_is_true(json_object_get(cut, "values_left_out")));
	assert_true(strlen(read_file(world.path)) < 1000);
}

/* --- refusals ------------------------------------------------------------------------------------ */

static void test_refusal(void **unused)
{
	auto_(principal_unrefp) struct principal *principal =
		principal_new(PRINCIPAL_KEY, "ci\n", "key:ci");
	const struct audit_refusal all = { .reason = "expired",
		.why = "this key has expired",
		.detail = "x",
		.status = 401,
		.method = "PO\x1b\"ST",
		.endpoint = "/mcp",
		.domain = "git",
		.address = "192.0.2.7",
		.principal = principal,
		.owner = "ann" };
	const struct audit_refusal least = { .reason = "local_peer", .pid = 7, .uid = 8 };
	const char *text;

	audit_refused(&all);
	audit_refused(&least);
	text = read_file(world.path);
	assert_non_null(strstr(text,
		"\",\"event\":\"refused\",\"reason\":\"expired\",\"status\":401,\"why\":\"this key has "
		"expired\",\"detail\":\"x\",\"kind\":\"key\",\"key\":\"ci?\",\"owner\":\"ann\",\"client_ip\":"
		"\"192.0.2.7\",\"method\":\"PO?\\\"ST\",\"endpoint\":\"/mcp\",\"domain\":\"git\"}\n{"));
	assert_non_null(strstr(
		text, "\"event\":\"refused\",\"reason\":\"local_peer\",\"pid\":7,\"uid\":8}\n"));
	set_target("");
	audit_refused(&all); /* nobody wants it */
	audit_free(world.audit);
	audit_refused(&all); /* nobody is there */
	world.audit = audit_new(&world.conf);
}

/* One client does not take the place of another, all together not the disk; nothing is lost from the sum. */
static void test_flood_of_refusals(void **unused)
{
	struct audit_flood flood = { 0 };
	char address[64];
	uint64_t left_out = 99;
	uint64_t told = 0;
	unsigned n = 0;

	for (unsigned i = 0; i < 1000; i++)
		n += audit_flood_admit(&flood, "2001:db8::1", "expired", 1, &left_out);
	assert_int_equal(n, AUDIT_FLOOD_EACH);
	assert_int_equal(left_out, 0);
	/* The same customer's network, and the same for another reason. */
	assert_false(audit_flood_admit(&flood, "2001:db8::ffff:2", "expired", 1, &left_out));
	assert_true(audit_flood_admit(&flood, "2001:db8::1", "forbidden", 1, &left_out));
	assert_int_equal(left_out, 1000 - AUDIT_FLOOD_EACH + 1);
	assert_true(audit_flood_admit(&flood, "2001:db8:0:1::1", "expired", 1, &left_out));
	assert_int_equal(left_out, 0);
	for (unsigned i = n = 0; i < 100000; i++) {
		(void)snprintf(
			address, sizeof(address), "10.%u.%u.%u", i >> 16, i >> 8 & 255, i & 255);
		if (!audit_flood_admit(
			    &flood, address, "expired", AUDIT_FLOOD_WINDOW_MS + 2, &left_out))
			continue;
		n++;
		told += left_out;
	}
	assert_int_equal(n, AUDIT_FLOOD_ALL);
	assert_true(audit_flood_admit(
		&flood, "192.0.2.1", "expired", 2 * AUDIT_FLOOD_WINDOW_MS + 2, &left_out));
	assert_int_equal(n + told + left_out, 100000);
}

/* --- where it goes ------------------------------------------------------------------------------- */

static struct {
	unsigned n;
	enum log_level level;
	char text[256];
	char audit[1024];
	char tool[32];
	unsigned n_errors;
} heard;

static void hear(void *arg, enum log_level level, const struct log_about *about, const char *text,
	int64_t wall_ms)
{
	heard.n++;
	heard.n_errors += level == LOG_LEVEL_ERROR;
	heard.level = level;
	(void)snprintf(heard.text, sizeof(heard.text), "%s", text);
	(void)snprintf(
		heard.audit, sizeof(heard.audit), "%s", about && about->audit ? about->audit : "");
	(void)snprintf(
		heard.tool, sizeof(heard.tool), "%s", about && about->tool ? about->tool : "");
}

static void listen_to_log(bool on)
{
	memset(&heard, 0, sizeof(heard));
	log_init("test", LOG_TARGET_TEXT, LOG_LEVEL_ERROR);
	log_set_tap(on ? hear : NULL, NULL);
}

/* At each level: who wants an audit has it. */
static void test_log(void **unused)
{
	const struct audit_ask ask = { .domain = "git", .tool = "git_log" };
	const struct log_about about = { .tool = "git_log", .duration_us = 5 };

	set_target("log");
	listen_to_log(true);
	audit_end(world.audit, audit_begin(world.audit, world.session, &ask), &about, "ok", 0);
	assert_int_equal(heard.n, 1);
	assert_int_equal(heard.level, LOG_LEVEL_INFO);
	assert_string_equal(heard.text, "audit: git_log: ok");
	assert_string_equal(heard.tool, "git_log");
	json_auto_t *json = json_loads(heard.audit, 0, NULL);
	assert_string_equal(get(json, "tool"), "git_log");
	assert_string_equal(get(json, "outcome"), "ok");
	listen_to_log(false);
	assert_string_equal(read_file(world.path), "");
}

static void test_nowhere(void **unused)
{
	const struct audit_ask ask = { .tool = "a" };

	set_target("");
	assert_null(audit_begin(world.audit, world.session, &ask));
	audit_end(world.audit, NULL, &nothing, "ok", 0);
	assert_string_equal(read_file(world.path), "");
}

/* A reload in the middle of a call: the record goes where records go when it ends. */
static void test_target_changes(void **unused)
{
	const struct audit_ask ask = { .tool = "a" };
	struct audit_call *call = audit_begin(world.audit, world.session, &ask);

	set_target("");
	audit_end(world.audit, call, &nothing, "ok", 0);
	set_target(world.path);
	call = audit_begin(world.audit, world.session, &ask);
	set_target("log");
	listen_to_log(true);
	audit_end(world.audit, call, &nothing, "ok", 0);
	assert_true(*heard.audit);
	listen_to_log(false);
	assert_string_equal(read_file(world.path), "");
}

static void test_file(void **unused)
{
	char moved[80];
	struct stat st;
	unsigned n = 0;

	assert_int_equal(stat(world.path, &st), 0);
	assert_int_equal(st.st_mode & 07137, 0);
	assert_true(st.st_mode & 0200);
	record(world.session, "first", "{}");
	record(world.session, "second", "{}");
	for (const char *at = read_file(world.path); (at = strchr(at, '\n')); at++)
		n++;
	assert_int_equal(n, 2);
	(void)snprintf(moved, sizeof(moved), "%s.1", world.path);
	assert_int_equal(rename(world.path, moved), 0);
	record(world.session, "third", "{}");
	assert_non_null(strstr(read_file(moved), "third"));
	audit_set_conf(world.audit, &world.conf);
	record(world.session, "fourth", "{}");
	assert_null(strstr(read_file(moved), "fourth"));
	assert_tool("fourth");
	audit_set_conf(world.audit, &world.conf); /* what is there stays */
	assert_tool("fourth");
	assert_int_equal(unlink(moved), 0);
	assert_int_equal(stats_get_audit_lost(), 0);
}

static void test_file_that_cannot_be(void **unused)
{
	listen_to_log(true);
	set_target("/dev/null/audit");
	assert_int_equal(heard.n_errors, 1);
	assert_non_null(strstr(heard.text, "/dev/null/audit"));
	assert_non_null(strstr(heard.text, "Not a directory"));
	for (int i = 0; i < 100; i++)
		record(world.session, "a", "{}");
	assert_int_equal(stats_get_audit_lost(), 100);
	assert_int_equal(heard.n_errors, 2); /* is said, not a hundred times */
	assert_non_null(strstr(heard.text, "Not a directory"));
	listen_to_log(false);
	set_target(world.path);
	record(world.session, "a", "{}");
	assert_tool("a");
	assert_int_equal(stats_get_audit_lost(), 100);
}

static void test_full_disk(void **unused)
{
	set_target("/dev/full");
	listen_to_log(true);
	record(world.session, "a", "{}");
	record(world.session, "a", "{}");
	assert_int_equal(stats_get_audit_lost(), 2);
	assert_int_equal(heard.n_errors, 1);
	assert_non_null(strstr(heard.text, "'/dev/full' (audit.target): No space left on device"));
	listen_to_log(false);
}

/* A pipe takes what fits: a record that was cut off must not take the next one with it. */
static void test_torn(void **unused)
{
	char *text = read_file(world.path);
	auto_strbuf arguments = { 0 };
	size_t n_whole = 0;
	ssize_t n;
	int fd;

	set_target("");
	assert_int_equal(unlink(world.path), 0);
	assert_int_equal(mkfifo(world.path, 0600), 0);
	fd = open(world.path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	assert_int_equal(fcntl(fd, F_SETPIPE_SZ, 4096), 4096);
	world.conf.audit.values = true;
	set_target(world.path);
	listen_to_log(true);
	strbuf_adds(&arguments, "{\"a\":\"");
	for (int i = 0; i < 6000; i++)
		strbuf_addc(&arguments, 'x');
	strbuf_adds(&arguments, "\"}");
	record(world.session, "cut", arguments.data);
	assert_int_equal(stats_get_audit_lost(), 1);
	record(world.session, "lost", "{}"); /* nothing of it fits */
	assert_int_equal(stats_get_audit_lost(), 2);
	n = read(fd, text, 65536);
	assert_true(n > 1000);
	record(world.session, "whole", "{}");
	n += read(fd, text + n, 65536);
	text[n] = '\0';
	listen_to_log(false);
	for (char *save = NULL, *line = strtok_r(text, "\n", &save); line;
		line = strtok_r(NULL, "\n", &save)) {
		json_auto_t *json = json_loads(line, 0, NULL);

		if (json) {
			assert_string_equal(get(json, "tool"), "whole");
			n_whole++;
		}
	}
	assert_int_equal(n_whole, 1);
	assert_int_equal(stats_get_audit_lost(), 2);
	(void)close(fd);
}

/* A record that was cut off before the file was opened anew, or before the start, does not spoil the next one either. */
static void test_torn_before(void **unused)
{
	static const char part[] = "{\"time\":\"2026-01-31T12:00:00.123Z\",\"event\":\"tool";
	int fd = open(world.path, O_WRONLY | O_CLOEXEC | O_TRUNC);
	char *text;

	assert_int_equal(write(fd, part, sizeof(part) - 1), sizeof(part) - 1);
	(void)close(fd);
	audit_set_conf(world.audit, &world.conf);
	record(world.session, "whole", "{}");
	audit_set_conf(world.audit, &world.conf);
	record(world.session, "next", "{}");
	text = read_file(world.path);
	assert_memory_equal(text, part, sizeof(part) - 1);
	assert_int_equal(text[sizeof(part) - 1], '\n');
	assert_memory_equal(text + sizeof(part), "{\"time\"", 7);
	assert_null(strstr(text, "\n\n"));
	assert_non_null(strstr(text, "}\n{\"time\""));
}

/* --- how calls end ------------------------------------------------------------------------------- */

static void test_outcomes(void **unused)
{
	static const struct {
		bool is_answered, is_tool_error;
		int code;
		const char *name;
	} cases[] = { { true, false, 0, "ok" }, { true, true, 0, "tool_error" },
		{ false, false, 0, "cancelled" }, { true, false, RPC_CANCELLED, "cancelled" },
		{ true, false, RPC_DEADLINE, "deadline" },
		{ true, false, RPC_WORKER_DIED, "worker_died" },
		{ true, false, RPC_OVERLOADED, "overloaded" },
		{ true, false, RPC_UNAVAILABLE, "unavailable" },
		{ true, false, RPC_INVALID_PARAMS, "error" }, { true, true, -1, "error" } };

	for (size_t i = 0; i < N_ELEMENTS(cases); i++)
		assert_string_equal(call_outcome_name(cases[i].is_answered, cases[i].is_tool_error,
					    cases[i].code),
			cases[i].name);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_record),
		TEST(test_who),
		TEST(test_no_arguments),
		TEST(test_many_arguments),
		TEST(test_odd_names),
		TEST(test_odd_tool),
		TEST(test_values),
		TEST(test_log),
		TEST(test_nowhere),
		TEST(test_refusal),
		TEST(test_flood_of_refusals),
		TEST(test_target_changes),
		TEST(test_file),
		TEST(test_file_that_cannot_be),
		TEST(test_full_disk),
		TEST(test_torn),
		TEST(test_torn_before),
		TEST(test_outcomes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
