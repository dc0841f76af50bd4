/* Real processes: how they end, what they get, and that nothing of them stays behind. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "shared/fd.h"
#include "shared/log.h"
#include "supervisor/fleet/launch.h"

enum { PATIENCE_S = 20 };

static struct world {
	struct loop *loop;
	struct launcher *launcher;
	struct process *process;
	int fd;
	int err_fd;
	struct process_end end;
	unsigned n_ends;
} world;

static int set_up(void **unused)
{
	log_init("test", LOG_TARGET_TEXT, LOG_LEVEL_ERROR);
	(void)alarm(PATIENCE_S);
	world = (struct world){ .loop = loop_new(), .fd = -1, .err_fd = -1 };
	world.launcher = launcher_new(world.loop);
	return 0;
}

static int tear_down(void **unused)
{
	launcher_free(world.launcher);
	loop_free(world.loop);
	(void)fd_close(world.fd);
	(void)fd_close(world.err_fd);
	return 0;
}

static void on_end(void *arg, const struct process_end *end)
{
	world.end = *end;
	world.n_ends++;
	world.process = NULL;
	loop_stop(world.loop);
}

static void start_program(const char *program, const char *script)
{
	static const char *const env[] = { "PATH=/usr/bin:/bin", "ONE=1", NULL };
	const char *const argv[] = { program, "-c", script, NULL };
	const struct process_spec spec = { .argv = argv, .env = env };

	assert_int_equal(process_start(world.launcher, &spec, on_end, NULL, &world.process,
				 &world.fd, &world.err_fd),
		0);
	assert_int_equal(world.n_ends, 0); /* never from inside */
}

static void start(const char *script)
{
	start_program("/bin/sh", script);
}

static void wait_for_end(void)
{
	assert_int_equal(loop_run(world.loop), 0);
	assert_int_equal(world.n_ends, 1);
}

static const char *end_text(void)
{
	static char text[PROCESS_END_TEXT];

	process_end_text(&world.end, text);
	return text;
}

/* All that comes until nobody holds the other end any more. */
static const char *read_all(int fd)
{
	static char text[1000];
	size_t len = 0;
	ssize_t n;

	(void)fd_set_nonblock(fd, false);
	while ((n = read(fd, text + len, sizeof(text) - 1 - len)) > 0)
		len += (size_t)n;
	text[len] = '\0';
	return text;
}

static void test_exit_status(void **unused)
{
	start("exit 3");
	wait_for_end();
	assert_false(world.end.failed_exec);
	assert_string_equal(end_text(), "exit status 3");
}

static void test_signal(void **unused)
{
	start("kill -9 $$");
	wait_for_end();
	assert_string_equal(end_text(), "killed by signal 9 (Killed)");
}

static void test_no_such_program(void **unused)
{
	start_program("/nonexistent/program", "");
	wait_for_end();
	assert_true(world.end.failed_exec);
	assert_int_equal(world.end.report.err, ENOENT);
	assert_non_null(strstr(end_text(), "cannot run it"));
}

static void test_not_executable(void **unused)
{
	start_program("/etc/passwd", "");
	wait_for_end();
	assert_int_equal(world.end.report.err, EACCES);
}

static void test_input_output_environment(void **unused)
{
	start("read x; echo \"got $x\"; env | grep -c '^ONE=1$\\|^HOME='; echo words >&2; "
	      "ls /proc/self/fd | wc -l");
	assert_int_equal(send(world.fd, "hello\n", 6, MSG_NOSIGNAL), 6);
	wait_for_end();
	/* 0, 1, 2, and what ls opens itself: nothing of ours. */
	assert_string_equal(read_all(world.fd), "got hello\n1\n4\n");
	assert_string_equal(read_all(world.err_fd), "words\n");
}

static void test_kill_ends_the_group(void **unused)
{
	start("sleep 1000 & echo ready; wait");
	char byte;

	assert_int_equal(read(world.fd, &byte, 1), 1);
	process_kill(world.process, SIGTERM);
	wait_for_end();
	assert_string_equal(end_text(), "killed by signal 15 (Terminated)");
	assert_string_equal(read_all(world.fd), "eady\n"); /* ends: sleep holds it no more */
}

static void test_what_it_left_in_its_group_ends(void **unused)
{
	start("sleep 1000 & exit 0");
	wait_for_end();
	assert_string_equal(read_all(world.fd), "");
}

static void test_what_left_its_group_ends_with_us(void **unused)
{
	pid_t pid;
	char text[32] = "";

	start("setsid sleep 1000 >/dev/null 2>&1 </dev/null & echo $!; exit 0");
	wait_for_end();
	assert_true(read(world.fd, text, sizeof(text) - 1) > 0);
	pid = (pid_t)strtol(text, NULL, 10);
	assert_true(pid > 1);
	launcher_free(world.launcher);
	world.launcher = NULL;
	assert_int_equal(kill(pid, 0), -1);
	assert_int_equal(errno, ESRCH);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* no child is left */
}

static void test_free_ends_what_runs(void **unused)
{
	start("trap '' TERM; sleep 1000; sleep 1000");
	launcher_free(world.launcher);
	world.launcher = NULL;
	assert_int_equal(world.n_ends, 0); /* who frees knows */
	assert_string_equal(read_all(world.fd), "");
}

/* One that is in its session stays, even without an environment; what another one leaves behind does not
 * change that. Each `gone` is reaped by us, and each time we look for strays. */
static void test_orphans_of_a_living_process_stay(void **unused)
{
	start("kept=$(env -i sleep 1000 >/dev/null 2>&1 & echo $!)\n"
	      "for i in 1 2 3; do\n"
	      "gone=$(true >/dev/null 2>&1 & echo $!)\n"
	      "while kill -0 $gone 2>/dev/null; do sleep 0.01; done\n"
	      "done\n"
	      "kill -0 $kept && echo $kept");
	pid_t kept;

	wait_for_end();
	kept = (pid_t)strtol(read_all(world.fd), NULL, 10);
	assert_true(kept > 1);
	launcher_free(world.launcher);
	world.launcher = NULL;
	assert_int_equal(kill(kept, 0), -1);
}

/* The C library keeps two signals for itself: those stay as whoever started this program left them. */
static void test_no_signal_is_blocked_or_ignored(void **unused)
{
	const unsigned long long of_libc = 3ULL << 31;
	unsigned long long blocked, ignored;
	const char *text;
	char *end;

	(void)signal(SIGPIPE, SIG_IGN);
	start("sed -n 's/^Sig\\(Blk\\|Ign\\)://p' /proc/self/status");
	wait_for_end();
	(void)signal(SIGPIPE, SIG_DFL);
	text = read_all(world.fd);
	blocked = strtoull(text, &end, 16);
	assert_ptr_not_equal(end, text);
	text = end;
	ignored = strtoull(text, &end, 16);
	assert_ptr_not_equal(end, text);
	assert_true(blocked == 0);
	assert_true((ignored & ~of_libc) == 0);
}

static void test_missing_wrapper(void **unused)
{
	static const char *const env[] = { NULL };
	static const char *const argv[] = { "/bin/true", NULL };
	const struct process_spec spec = {
		.argv = argv, .env = env, .wrapper = "/nonexistent/mcp-fleet-exec", .plan = "{}"
	};

	assert_int_equal(process_start(world.launcher, &spec, on_end, NULL, &world.process,
				 &world.fd, &world.err_fd),
		0);
	wait_for_end();
	assert_true(world.end.failed_exec);
	assert_non_null(strstr(end_text(), "mcp-fleet-exec"));
}

/* What the task of a fork sees: the data, and no descriptor that could keep a client's socket open. */
static int look_around(const void *data)
{
	const int *fd = data;

	return fcntl(*fd, F_GETFD) < 0 && getpid() == getsid(0) ? 42 : 1;
}

static void test_fork(void **unused)
{
	auto_close int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(process_fork(world.launcher, look_around, &fd, on_end, NULL), 0);
	assert_int_equal(world.n_ends, 0);
	wait_for_end();
	assert_string_equal(end_text(), "exit status 42");
}

static int sleep_long(const void *data)
{
	(void)sleep(600);
	return 0;
}

static void stop_waiting(void *arg)
{
	loop_stop(arg);
}

/* Other ends are the time to look for strays: a fork is none of them. At our own end it is killed. */
static void test_a_fork_lives_on(void **unused)
{
	struct timer *timer = timer_new(world.loop, stop_waiting, world.loop);

	assert_int_equal(process_fork(world.launcher, sleep_long, NULL, on_end, NULL), 0);
	start("exit 0");
	wait_for_end();
	timer_start(timer, 50);
	assert_int_equal(loop_run(world.loop), 0);
	assert_int_equal(world.n_ends, 1);
	timer_free(timer);
	launcher_free(TAKE(world.launcher));
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* no child is left */
	assert_int_equal(errno, ECHILD);
	world.launcher = launcher_new(world.loop);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_fork),
		TEST(test_a_fork_lives_on),
		TEST(test_exit_status),
		TEST(test_signal),
		TEST(test_no_such_program),
		TEST(test_not_executable),
		TEST(test_input_output_environment),
		TEST(test_kill_ends_the_group),
		TEST(test_what_it_left_in_its_group_ends),
		TEST(test_what_left_its_group_ends_with_us),
		TEST(test_free_ends_what_runs),
		TEST(test_orphans_of_a_living_process_stay),
		TEST(test_no_signal_is_blocked_or_ignored),
		TEST(test_missing_wrapper),
	};

	/* What this program inherited is not what is tested. */
	for (int fd = STDERR_FILENO + 1; fd < 256; fd++)
		(void)fcntl(fd, F_SETFD, FD_CLOEXEC);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
