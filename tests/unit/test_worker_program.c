/* worker_main() as a program: options, exit codes, ends. It runs in a child process with pipes as its
 * standard input and output. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "shared/alloc.h"
#include "shared/fd.h"
#include "shared/limits.h"
#include "tests/probe/probe.h"
#include "workers/common/call.h"
#include "workers/common/roots.h"

#define PING "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}\n"
#define PONG "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\n"

enum { MAX_ARGS = 8 };

struct child {
	pid_t pid;
	int in_fd;
	int out_fd; /* its standard output, and its standard error behind */
};

static struct child start_with(
	const struct worker_desc *desc, const char *const *args, bool is_nonblock)
{
	char *argv[MAX_ARGS + 2] = { alloc_str("worker-test") };
	struct child child;
	int in[2];
	int out[2];
	int argc = 1;

	for (; args && args[argc - 1]; argc++)
		argv[argc] = alloc_str(args[argc - 1]);
	assert_int_equal(fd_pipe(in), 0);
	assert_int_equal(fd_pipe(out), 0);
	assert_int_equal(fd_set_nonblock(in[0], is_nonblock), 0);
	assert_int_equal(fd_set_nonblock(out[1], is_nonblock), 0);
	child.pid = fork();
	assert_true(child.pid >= 0);
	if (child.pid == 0) {
		(void)dup2(in[0], STDIN_FILENO);
		(void)dup2(out[1], STDOUT_FILENO);
		(void)dup2(out[1], STDERR_FILENO);
		(void)close(in[1]);
		_exit(worker_main(desc, argc, argv) | (fflush(stdout) ? 1 : 0));
	}
	for (int i = 0; i < argc; i++)
		free(argv[i]);
	(void)close(in[0]);
	(void)close(out[1]);
	child.in_fd = in[1];
	child.out_fd = out[0];
	return child;
}

static struct child start(const struct worker_desc *desc, const char *const *args)
{
	return start_with(desc, args, false);
}

/* Ends its input, reads all that it says, and returns its exit status; -1: a signal. */
static int end(struct child *child, struct strbuf *said)
{
	int status;
	ssize_t n;

	child->in_fd = fd_close(child->in_fd);
	do {
		n = read(child->out_fd, strbuf_reserve(said, 64 * KIB), 64 * KIB);
		said->len += n > 0 ? (size_t)n : 0;
		said->data[said->len] = '\0';
	} while (n > 0);
	(void)close(child->out_fd);
	assert_int_equal(waitpid(child->pid, &status, 0), child->pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void assert_program(const struct worker_desc *desc, const char *const *args,
	const char *input, int code, const char *words)
{
	struct child child = start(desc, args);
	auto_strbuf said = { 0 };
	int r = fd_write_all(child.in_fd, input, strlen(input));

	assert_true(r == 0 || r == -EPIPE); /* one that ends at once does not read */
	assert_int_equal(end(&child, &said), code);
	if (!strstr(strbuf_get(&said), words))
		fail_msg("'%s' is not in '%s'", words, strbuf_get(&said));
}

static const struct {
	const char *args[4];
	const char *input;
	int code;
	const char *words;
} runs[] = {
	{ { NULL }, "", 0, "" },
	{ { NULL }, PING, 0, PONG },
	{ { "--help" }, "", 0, "Usage: worker-probe [OPTION]...\nTools for tests.\n" },
	{ { "-h" }, "", 0, "--list-tools" },
	{ { "--version" }, "", 0, "worker-probe (mcp-fleet) " },
	{ { "-V" }, "", 0, "worker-probe (mcp-fleet) " },
	{ { "--list-tools" }, "", 0, "{\n  \"tools\": [\n    {\n      \"name\": \"probe_echo\"" },
	{ { "--list-tools", "--settings", "{\"aliases\":\"listed\"}" }, "", 0,
		"\"name\": \"say\"" },
	{ { "--settings", "{\"greeting\":\"moin\"}" }, PING, 0, PONG },
	{ { "--settings", "{\"greeting\":7}" }, PING, 2,
		"settings: greeting must be a string, not 7" },
	{ { "--settings", "{" }, PING, 2, "settings, column " },
	{ { "--settings" }, "", 2, "Try 'worker-probe --help'." },
	{ { "--nonsense" }, "", 2, "Try 'worker-probe --help'." },
	{ { "more" }, "", 2, "Try 'worker-probe --help'." },
	{ { "--root", "/" }, "", 2, "Try 'worker-probe --help'." },
};

static void test_runs(void **state)
{
	for (size_t i = 0; i < N_ELEMENTS(runs); i++)
		assert_program(
			&probe_worker, runs[i].args, runs[i].input, runs[i].code, runs[i].words);
}

static int tell_roots(struct call *call, const void *args)
{
	auto_strbuf text = { 0 };

	for (size_t i = 0; i < roots_count(); i++)
		strbuf_addf(
			&text, "%s:%s ", roots_get(i)->path, roots_get(i)->writable ? "rw" : "r");
	return call_resultf(call, json_object(), "%s", strbuf_get(&text));
}

/* What a library may print must not get between the messages. */
static int chatter(struct call *call, const void *args)
{
	char c;

	printf("chatter on stdout\n");
	assert_int_equal(fflush(stdout), 0);
	return call_resultf(call, json_object(), "stdin gives %zd", read(STDIN_FILENO, &c, 1));
}

static const struct tool rooted_tools[] = {
	TOOL_PLAIN(tell_roots, "R", .doc = "D.", .out = ""),
	TOOL_PLAIN(chatter, "C", .doc = "D.", .out = ""),
	{ 0 },
};

static const struct tool *const rooted_tables[] = { rooted_tools, NULL };

static int refuse(const void *settings, struct fail *fail)
{
	return fail_set(fail, -ENOENT, "there are no zones");
}

#define ASK_ROOTS                                                                                  \
	"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"tell_roots\"}}\n"

static const struct {
	const char *args[6];
	int code;
	const char *words;
} rooted_runs[] = {
	{ { "--root", "/etc", "--root", "/usr" }, 0, "\"/etc:rw /usr:rw \"" },
	{ { "--settings", "{\"roots\":[\"/usr\",{\"path\":\"/etc\",\"access\":\"read\"}]}" }, 0,
		"\"/usr:rw /etc:r \"" },
	{ { "--settings", "{\"roots\":[\"/usr\"]}", "--root", "/etc" }, 0, "\"/usr:rw \"" },
	{ { "--root", "/nonexistent" }, 1,
		"cannot open the root \"/nonexistent\": No such file or directory" },
	{ { "--settings", "{\"roots\":[7]}" }, 1,
		"roots must hold paths, or objects with path and access" },
	{ { "--settings", "{\"roots\":[{\"path\":\"/\",\"acess\":\"read\"}]}" }, 1,
		"roots: unknown argument \"acess\"; did you mean access?" },
	{ { "--settings", "{\"roots\":[\"/\\u0000\"]}" }, 2, "" },
	{ { "--settings", "{\"roots\":[]}" }, 2,
		"roots must be a list of 1 to 256 items; this one has 0" },
	{ { "--help" }, 0, "--root PATH" },
};

/* Valgrind knows no openat2(2). */
static bool has_openat2(void)
{
	return syscall(SYS_openat2, -1, "", NULL, 0) < 0 && errno != ENOSYS;
}

static void run_with_roots(void)
{
	const struct worker_desc desc = {
		.name = "rooted", .title = "R", .tools = rooted_tables, .has_roots = true
	};
	auto_free char *cwd = realpath(".", NULL);
	auto_free char *words = alloc_printf("\"%s:rw \"", cwd);

	assert_program(&desc, NULL, ASK_ROOTS, 0, words);
	for (size_t i = 0; i < N_ELEMENTS(rooted_runs); i++)
		assert_program(&desc, rooted_runs[i].args, ASK_ROOTS, rooted_runs[i].code,
			rooted_runs[i].words);
}

static void test_roots(void **state)
{
	if (!has_openat2())
		skip();
	run_with_roots();
}

static void test_init_fails(void **state)
{
	const struct worker_desc desc = {
		.name = "rooted", .title = "R", .tools = rooted_tables, .init = refuse
	};

	assert_program(&desc, NULL, PING, 1, "there are no zones");
}

static void test_stdout_is_ours(void **state)
{
	const struct worker_desc desc = { .name = "rooted", .title = "R", .tools = rooted_tables };

	assert_program(&desc, NULL,
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"chatter\"}}\n",
		0,
		"chatter on stdout\n{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"content\":[{\"type\":\"text\",\"text\":"
		"\"stdin gives 0\"}]");
}

/* Reads one line. */
static void read_line(struct child *child, struct strbuf *line)
{
	char c = '\0';

	while (c != '\n') {
		assert_int_equal(read(child->out_fd, &c, 1), 1);
		strbuf_addc(line, c);
	}
}

static void test_sigterm_between_calls(void **state)
{
	struct child child = start(&probe_worker, NULL);
	auto_strbuf said = { 0 };

	assert_int_equal(fd_write_all(child.in_fd, PING, strlen(PING)), 0);
	read_line(&child, &said);
	assert_string_equal(said.data, PONG);
	assert_int_equal(kill(child.pid, SIGTERM), 0);
	assert_int_equal(end(&child, &said), 0);
	assert_string_equal(said.data, PONG);
}

/* The call's ping tells that it runs; then it hears that it must stop, and its answer is sent. */
static void test_sigterm_during_a_call(void **state)
{
	const char *request =
		"{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"tools/call\",\"params\":{\"name\":\"probe_wait\","
		"\"arguments\":{\"ms\":3600000}}}\n" PING;
	struct child child = start(&probe_worker, NULL);
	auto_strbuf said = { 0 };

	assert_int_equal(fd_write_all(child.in_fd, request, strlen(request)), 0);
	read_line(&child, &said);
	assert_string_equal(said.data, PONG);
	assert_int_equal(kill(child.pid, SIGTERM), 0);
	strbuf_cut(&said, 0);
	read_line(&child, &said);
	assert_non_null(strstr(said.data, "\"id\":7,"));
	assert_non_null(strstr(said.data, "cancelled: the server is stopping: waited in vain."));
	assert_int_equal(end(&child, &said), 0);
}

/* Somebody else made the pipes non-blocking, and the answer does not fit into one. */
static void test_nonblocking_pipes(void **state)
{
	enum { TIMES = 300000, WORD = 10 };
	const char *request =
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"probe_echo\","
		"\"arguments\":{\"text\":\"0123456789\",\"times\":";
	struct child child = start_with(&probe_worker, NULL, true);
	auto_strbuf said = { 0 };
	auto_free char *rest = alloc_printf("%d}}}\n", TIMES);

	assert_int_equal(fd_write_all(child.in_fd, request, strlen(request)), 0);
	assert_int_equal(fd_write_all(child.in_fd, rest, strlen(rest)), 0);
	assert_int_equal(end(&child, &said), 0);
	assert_true(said.len > (size_t)2 * TIMES * WORD);
	assert_string_equal(said.data + said.len - strlen("\"keys\":[]}}}\n"), "\"keys\":[]}}}\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_runs),
		cmocka_unit_test(test_roots),
		cmocka_unit_test(test_init_fails),
		cmocka_unit_test(test_stdout_is_ours),
		cmocka_unit_test(test_sigterm_between_calls),
		cmocka_unit_test(test_sigterm_during_a_call),
		cmocka_unit_test(test_nonblocking_pipes),
	};

	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
