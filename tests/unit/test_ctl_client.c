/* The client of the control socket against daemons by a script: what it takes, what it says, and that nothing
 * makes it wait or grow without end. */
#include "ctl/client.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "ctl/wire.h"
#include "shared/alloc.h"
#include "shared/fd.h"
#include "shared/limits.h"

#define HELLO                                                                                        \
	"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"version\":\"9.8.7\",\"protocol\":1,\"pid\":42," \
	"\"may_change\":true}}\n"

/* One step of a daemon: waits for a line, then sends this. */
struct step {
	const char *send;
	size_t repeat;   /* so many times; 0: once */
	bool is_slow;    /* byte by byte */
	bool then_close; /* then the connection is closed */
	bool then_hang;  /* then nothing more is read or said */
};

struct fake {
	char folder[32];
	char path[64];
	pid_t pid;
	struct ctl ctl;
};

/* --- the daemon, a process of its own --- */

static void read_line(int fd)
{
	char c = 0;

	while (c != '\n')
		if (read(fd, &c, 1) != 1)
			_exit(0);
}

static void take_step(int fd, const struct step *step)
{
	size_t len = step->send ? strlen(step->send) : 0;

	read_line(fd);
	for (size_t i = 0; i < (step->repeat ? step->repeat : 1); i++)
		for (size_t at = 0; at < len; at += step->is_slow ? 1 : len)
			if (send(fd, step->send + at, step->is_slow ? 1 : len, MSG_NOSIGNAL) < 0)
				_exit(0);
	if (step->then_close)
		_exit(0);
	if (step->then_hang)
		for (;;)
			(void)pause();
}

static void serve(int listener, const struct step *steps)
{
	int fd = accept(listener, NULL, NULL);

	if (fd < 0)
		_exit(1);
	for (const struct step *step = steps; step->send || step->then_hang || step->then_close;
		step++)
		take_step(fd, step);
	for (;;)
		read_line(fd);
}

static void fake_start(struct fake *fake, const struct step *steps)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	auto_close int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	*fake = (struct fake){ .folder = "/tmp/test_ctl.XXXXXX" };
	assert_non_null(mkdtemp(fake->folder));
	(void)snprintf(fake->path, sizeof(fake->path), "%s/s", fake->folder);
	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", fake->path);
	assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(listener, 4), 0);
	fake->ctl = (struct ctl){ .socket = fake->path, .timeout_ms = 5000 };
	if (!steps)
		return;
	fake->pid = fork();
	assert_true(fake->pid >= 0);
	if (fake->pid == 0)
		serve(listener, steps);
}

static void fake_done(struct fake *fake)
{
	if (fake->pid > 0) {
		(void)kill(fake->pid, SIGKILL);
		(void)waitpid(fake->pid, NULL, 0);
	}
	(void)unlink(fake->path);
	(void)rmdir(fake->folder);
}

static struct client *open_client(const struct fake *fake)
{
	struct client *client = NULL;
	struct fail fail = { 0 };

	if (client_open(&fake->ctl, &client, &fail) < 0)
		fail_msg("%s", fail.text);
	return client;
}

static void expect_open_fails(const struct fake *fake, int r, const char *said)
{
	auto_(client_freep) struct client *client = NULL;
	struct fail fail = { 0 };

	assert_int_equal(client_open(&fake->ctl, &client, &fail), r);
	assert_null(client);
	assert_int_equal(fail.code, -ENOTCONN); /* whatever it is: exit 3 */
	if (!strstr(fail.text, said))
		fail_msg("'%s' is not in: %s", said, fail.text);
}

/* --- opening --- */

static void test_hello(void **state)
{
	static const struct step steps[] = { { .send = HELLO }, { 0 } };
	auto_(fake_done) struct fake fake;
	auto_(client_freep) struct client *client = NULL;

	fake_start(&fake, steps);
	client = open_client(&fake);
	assert_string_equal(client_get_version(client), "9.8.7");
	assert_int_equal(client_get_daemon(client), 42);
	assert_int_equal(client_get_uid(client), getuid());
	assert_string_equal(client_get_path(client), fake.path);
	assert_true(client_may_change(client));
	assert_false(client_has_notice(client));
	assert_true(client_get_fd(client) >= 0);
}

static void test_no_daemon(void **state)
{
	auto_(fake_done) struct fake fake;
	char endless[200];

	fake_start(&fake, NULL); /* its socket is closed again: refused */
	expect_open_fails(&fake, -ECONNREFUSED, "no daemon listens at /tmp/test_ctl.");
	assert_int_equal(unlink(fake.path), 0);
	expect_open_fails(&fake, -ECONNREFUSED, "is mcp-fleetd running? Try 'systemctl status");
	memset(endless, 'x', sizeof(endless) - 1);
	endless[sizeof(endless) - 1] = '\0';
	fake.ctl.socket = endless;
	expect_open_fails(&fake, -ENOTCONN, "longer than a socket's address");
	fake.ctl.socket = "/";
	expect_open_fails(&fake, -ECONNREFUSED, "/");
}

static void test_permission(void **state)
{
	static const struct step steps[] = { { .send = HELLO }, { 0 } };
	auto_(fake_done) struct fake fake;
	pid_t child;
	int status;

	fake_start(&fake, steps);
	assert_int_equal(chmod(fake.folder, 0755), 0);
	assert_int_equal(chmod(fake.path, 0600), 0);
	if (getuid() != 0)
		skip();
	child = fork(); /* as somebody whom the mode does not let in */
	assert_true(child >= 0);
	if (child == 0) {
		struct client *client = NULL;
		struct fail fail = { 0 };
		int r = setuid(65534) == 0 ? client_open(&fake.ctl, &client, &fail) : 0;

		_exit(r == -EACCES && fail.code == -ENOTCONN &&
					strstr(fail.text, "no permission") &&
					strstr(fail.text, "group 'root'")
				? 0
				: 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static void expect_hello_fails(const struct step *steps, int r, const char *said)
{
	auto_(fake_done) struct fake fake;

	fake_start(&fake, steps);
	fake.ctl.timeout_ms = 300;
	expect_open_fails(&fake, r, said);
}

static void test_hellos_that_are_none(void **state)
{
	static const struct {
		struct step steps[2];
		int r;
		const char *said;
	} cases[] = {
		{ { { .then_hang = true } }, -ENOTCONN, "does not answer 'hello' within 0.3 s" },
		{ { { .send = "{\"jsonrpc\":\"2.0\",\"id\":1", .then_hang = true } }, -ENOTCONN,
			"does not answer 'hello'" },
		{ { { .then_close = true } }, -ENOTCONN, "has closed the connection" },
		{ { { .send = "{\"jsonrpc\":\"2.0\",\"id\":1,\"re", .then_close = true } },
			-ENOTCONN, "has closed the connection" },
		{ { { .send = "HTTP/1.1 400 Bad Request\r\n\r\n" } }, -ENOTCONN,
			"does not speak the control protocol of mcp-fleetd; it sent \"HTTP/1.1 400" },
		{ { { .send = "[1]\n" } }, -ENOTCONN, "does not speak the control protocol" },
		{ { { .send = "\xff\x1b[2J\n" } }, -ENOTCONN,
			"does not speak the control protocol" },
		{ { { .send = "{\"id\":1}\n" } }, -ENOTCONN, "neither a result nor an error" },
		{ { { .send = "{\"id\":1,\"result\":5}\n" } }, -EPROTO,
			"names no version and no protocol" },
		{ { { .send = "{\"id\":1,\"result\":{\"version\":\"2\",\"protocol\":2}}\n" } },
			-EPROTO, "is mcp-fleetd 2 and speaks version 2 of the control protocol" },
		{ { { .send = "{\"id\":1,\"error\":{\"code\":-32602,\"message\":\"other protocol\","
			      "\"data\":{\"remedy\":\"use that of the daemon\"}}}\n" } },
			-EPROTO, "refuses: other protocol; use that of the daemon" },
		{ { { .send = "{\"error\":{\"code\":-31010,\"message\":\"full\"}}\n",
			  .then_close = true } },
			-EPROTO, "refuses: full" },
	};

	for (size_t i = 0; i < N_ELEMENTS(cases); i++)
		expect_hello_fails(cases[i].steps, cases[i].r, cases[i].said);
}

static void test_nobody_takes_the_connection(void **state)
{
	auto_(fake_done) struct fake fake;
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	auto_close int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	auto_close int first = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	fake_start(&fake, NULL);
	assert_int_equal(unlink(fake.path), 0);
	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", fake.path);
	assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(listener, 0), 0);
	assert_int_equal(connect(first, (struct sockaddr *)&address, sizeof(address)), 0);
	fake.ctl.timeout_ms = 100;
	expect_open_fails(&fake, -ENOTCONN, "has not taken the connection within 100 ms");
}

/* --- asking --- */

#define ANSWER(id, result) "{\"jsonrpc\":\"2.0\",\"id\":" #id ",\"result\":" result "}\n"
#define NOTICE "{\"jsonrpc\":\"2.0\",\"method\":\"log\",\"params\":{\"n\":1}}\n"

static void test_answers_in_pieces(void **state)
{
	static const struct step steps[] = { { .send = "\n \r\n" HELLO, .is_slow = true },
		{ .send = NOTICE "{\"id\":77,\"result\":{\"of\":\"another\"}}\n"
				 "{\"id\":5,\"method\":\"ask\"}\n" ANSWER(2, "{\"a\":1}") NOTICE,
			.is_slow = true },
		{ 0 } };
	auto_(fake_done) struct fake fake;
	auto_(client_freep) struct client *client = NULL;
	json_auto_t *result = NULL;
	struct fail fail = { 0 };
	const char *method;
	json_t *params = NULL;

	fake_start(&fake, steps);
	client = open_client(&fake);
	result = client_call(client, "x", json_pack("{s:s}", "a", "b"), &fail);
	assert_int_equal(json_integer_value(json_object_get(result, "a")), 1);
	assert_true(client_has_notice(client)); /* what was told meanwhile */
	for (int i = 0; i < 2; i++) {
		assert_int_equal(client_next(client, 5000, &method, &params, &fail), 0);
		assert_string_equal(method, "log");
		assert_int_equal(json_integer_value(json_object_get(params, "n")), 1);
		json_decref(params);
	}
	assert_false(client_has_notice(client));
	assert_int_equal(client_next(client, 0, &method, &params, &fail), -ETIMEDOUT);
}

static void note(void *arg, const char *method, json_t *params)
{
	assert_string_equal(method, "log");
	*(int *)arg += (int)json_integer_value(json_object_get(params, "n"));
}

static void test_a_long_call(void **state)
{
	static const struct step steps[] = { { .send = HELLO },
		{ .send = NOTICE NOTICE ANSWER(2, "{}") }, { 0 } };
	auto_(fake_done) struct fake fake;
	auto_(client_freep) struct client *client = NULL;
	json_auto_t *result = NULL;
	struct fail fail = { 0 };
	int n = 0;

	fake_start(&fake, steps);
	client = open_client(&fake);
	result = client_call_long(client, "x", NULL, -1, note, &n, &fail);
	assert_non_null(result);
	assert_int_equal(n, 2);
	assert_false(client_has_notice(client));
}

/* A sign of life is asked for at 100 ms, the answer is the second that comes. */
static void test_a_long_call_of_a_daemon_that_lives(void **state)
{
	static const struct step steps[] = { { .send = HELLO }, { .send = NOTICE },
		{ .send = ANSWER(0, "{}") }, { .send = ANSWER(2, "{}") }, { 0 } };
	auto_(fake_done) struct fake fake;
	auto_(client_freep) struct client *client = NULL;
	json_auto_t *result = NULL;
	struct fail fail = { 0 };

	fake_start(&fake, steps);
	fake.ctl.timeout_ms = 100;
	client = open_client(&fake);
	result = client_call_long(client, "x", NULL, -1, NULL, NULL, &fail);
	assert_non_null(result);
}

static void expect_silence(int64_t limit_ms, const char *answer, int code, const char *said)
{
	const struct step steps[] = { { .send = HELLO }, { .send = NOTICE },
		{ .send = answer, .then_hang = true }, { 0 } };
	auto_(fake_done) struct fake fake;
	auto_(client_freep) struct client *client = NULL;
	struct fail fail = { 0 };

	fake_start(&fake, steps);
	fake.ctl.timeout_ms = 200;
	client = open_client(&fake);
	assert_null(client_call_long(client, "x", NULL, limit_ms, NULL, NULL, &fail));
	assert_int_equal(fail.code, code);
	if (!strstr(fail.text, said))
		fail_msg("'%s' does not say '%s'", fail.text, said);
}

static void test_long_calls_that_do_not_end(void **state)
{
	expect_silence(-1, NULL, -ENOTCONN, "does not answer when it is asked whether it lives");
	expect_silence(-1, ANSWER(0, "{}"), -ENOTCONN, "does not answer when it is asked");
	expect_silence(200, NULL, -ENOTCONN, "does not answer 'x' within 0.2 s");
}

static void test_a_long_call_that_is_not_done_in_time(void **state)
{
	static const struct step alive = { .send = ANSWER(0, "{}") };
	const struct step steps[] = { { .send = HELLO }, { .send = NOTICE }, alive, alive, alive,
		alive, alive, alive, alive, alive, { 0 } };
	auto_(fake_done) struct fake fake;
	auto_(client_freep) struct client *client = NULL;
	struct fail fail = { 0 };

	fake_start(&fake, steps);
	fake.ctl.timeout_ms = 1000;
	client = open_client(&fake);
	assert_null(client_call_long(client, "x", NULL, 1000, NULL, NULL, &fail));
	assert_int_equal(fail.code, -ETIMEDOUT);
	assert_non_null(strstr(fail.text, "the daemon goes on with it"));
}

/* Who waits for what is told does it all the same way. */
static void test_silence(void **state)
{
	static const struct step steps[] = { { .send = HELLO }, { .then_hang = true }, { 0 } };
	auto_(fake_done) struct fake fake;
	auto_(client_freep) struct client *client = NULL;
	struct fail fail = { 0 };
	const char *method;
	json_t *params;
	int n = 0;

	fake_start(&fake, steps);
	fake.ctl.timeout_ms = 100;
	client = open_client(&fake);
	assert_int_equal(client_check_alive(client, &fail), 0);
	while (client_check_alive(client, &fail) == 0 && n++ < 1000)
		assert_int_equal(client_next(client, 20, &method, &params, &fail), -ETIMEDOUT);
	assert_in_range(n, 2, 999);
	assert_int_equal(fail.code, -ENOTCONN);
}

static void expect_call_fails(const struct step *steps, int code, int error, const char *said)
{
	auto_(fake_done) struct fake fake;
	auto_(client_freep) struct client *client = NULL;
	struct fail fail = { 0 };

	fake_start(&fake, steps);
	client = open_client(&fake);
	assert_null(client_call(client, "x", NULL, &fail));
	assert_int_equal(fail.code, code);
	assert_int_equal(client_get_error(client), error);
	if (!strstr(fail.text, said))
		fail_msg("'%s' is not in: %s", said, fail.text);
}

static void test_errors(void **state)
{
	static const struct step refused[] = { { .send = HELLO },
		{ .send = "{\"id\":2,\"error\":{\"code\":-31010,\"message\":\"not allowed\",\"data\":"
			  "{\"remedy\":\"ask root\"}}}\n" },
		{ 0 } };
	static const struct step unknown[] = { { .send = HELLO },
		{ .send = "{\"id\":2,\"error\":{\"code\":-32601,\"message\":\"no such method\"}}\n" },
		{ 0 } };
	static const struct step bare[] = { { .send = HELLO },
		{ .send = "{\"id\":2,\"error\":{}}\n" }, { 0 } };
	static const struct step closed[] = { { .send = HELLO }, { .then_close = true }, { 0 } };

	expect_call_fails(refused, -EREMOTEIO, -31010, "not allowed; ask root");
	expect_call_fails(unknown, -EREMOTEIO, -32601,
		"the daemon, mcp-fleetd 9.8.7, does not know 'x': it is older");
	expect_call_fails(bare, -EREMOTEIO, 0, "gives no reason");
	expect_call_fails(closed, -ENOTCONN, 0, "has closed the connection");
}

#define CHUNK "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

static void test_a_line_without_end(void **state)
{
	static const struct step steps[] = { { .send = HELLO },
		{ .send = CHUNK, .repeat = LIMIT_LINE_BYTES / 64 + 2048 }, { 0 } };

	expect_call_fails(steps, -ENOTCONN, 0, "a line of more than 16777216 bytes");
}

static void test_notices_without_end(void **state)
{
	static const struct step steps[] = { { .send = HELLO }, { .send = NOTICE, .repeat = 5000 },
		{ 0 } };

	expect_call_fails(steps, -ENOTCONN, 0, "tells without end and does not answer");
}

/* A daemon that is stopped in the middle: the limit is one for the whole answer, not for each byte. */
static void test_no_answer_in_time(void **state)
{
	static const struct step steps[] = { { .send = HELLO },
		{ .send = NOTICE, .then_hang = true }, { 0 } };
	auto_(fake_done) struct fake fake;
	auto_(client_freep) struct client *client = NULL;
	struct fail fail = { 0 };

	fake_start(&fake, steps);
	fake.ctl.timeout_ms = 200;
	client = open_client(&fake);
	assert_null(client_call(client, "x", NULL, &fail));
	assert_int_equal(fail.code, -ENOTCONN);
	assert_non_null(strstr(fail.text, "does not answer 'x' within 0.2 s"));
	assert_non_null(strstr(fail.text, "--timeout"));
}

static void test_params_that_are_not_utf8(void **state)
{
	static const struct step steps[] = { { .send = HELLO }, { 0 } };
	auto_(fake_done) struct fake fake;
	auto_(client_freep) struct client *client = NULL;
	struct fail fail = { 0 };

	fake_start(&fake, steps);
	client = open_client(&fake);
	assert_null(client_call(client, "\xff", NULL, &fail));
	assert_int_equal(fail.code, -EINVAL);
}

#define BIG (4 * MIB)

/* A peer that does not read: sending has its limit too. */
static void test_nobody_reads(void **state)
{
	static const struct step steps[] = { { .send = HELLO, .then_hang = true }, { 0 } };
	auto_(fake_done) struct fake fake;
	auto_(client_freep) struct client *client = NULL;
	auto_free char *big = alloc_zero(BIG);
	struct fail fail = { 0 };

	memset(big, 'x', BIG - 1);
	fake_start(&fake, steps);
	fake.ctl.timeout_ms = 200;
	client = open_client(&fake);
	assert_null(client_call(client, "x", json_pack("{s:s}", "big", big), &fail));
	assert_int_equal(fail.code, -ENOTCONN);
	assert_non_null(strstr(fail.text, "does not answer"));
}

/* --- the wire alone --- */

static void test_wire_sizes(void **state)
{
	struct wire wire = { .max_bytes = 4 };
	auto_close int other = -1;
	const char *line;
	size_t len;
	int fds[2];

	assert_int_equal(fd_socketpair(fds), 0);
	wire.fd = fds[0];
	other = fds[1];
	assert_int_equal(fd_write_all(other, "abcd\n\n  \nef", 11), 0);
	assert_false(wire_has_line(&wire)); /* nothing was read yet */
	assert_int_equal(wire_read(&wire, 0, &line, &len), 0);
	assert_int_equal(len, 4);
	assert_memory_equal(line, "abcd", 4);
	assert_false(wire_has_line(&wire));
	assert_int_equal(wire_read(&wire, 0, &line, &len), -ETIMEDOUT);
	assert_int_equal(fd_write_all(other, "\nabcde\n", 7), 0);
	assert_int_equal(wire_read(&wire, 0, &line, &len), 0);
	assert_memory_equal(line, "ef", 2);
	assert_true(wire_has_line(&wire));
	assert_int_equal(wire_read(&wire, 0, &line, &len), -EMSGSIZE);
	(void)fd_close(TAKE_FD(other));
	assert_int_equal(wire_read(&wire, WIRE_NO_DEADLINE, &line, &len), -EPIPE);
	assert_int_equal(wire_send(&wire, "x", 1, 0), -EPIPE);
	wire_done(&wire);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hello),
		cmocka_unit_test(test_no_daemon),
		cmocka_unit_test(test_permission),
		cmocka_unit_test(test_hellos_that_are_none),
		cmocka_unit_test(test_nobody_takes_the_connection),
		cmocka_unit_test(test_answers_in_pieces),
		cmocka_unit_test(test_a_long_call),
		cmocka_unit_test(test_a_long_call_of_a_daemon_that_lives),
		cmocka_unit_test(test_long_calls_that_do_not_end),
		cmocka_unit_test(test_a_long_call_that_is_not_done_in_time),
		cmocka_unit_test(test_silence),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_a_line_without_end),
		cmocka_unit_test(test_notices_without_end),
		cmocka_unit_test(test_no_answer_in_time),
		cmocka_unit_test(test_params_that_are_not_utf8),
		cmocka_unit_test(test_nobody_reads),
		cmocka_unit_test(test_wire_sizes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
