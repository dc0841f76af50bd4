/* Programs without a shell: how they end, what they may say, and that nothing of them is left. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "shared/alloc.h"
#include "shared/limits.h"
#include "workers/common/proc.h"

static int root_fd;

static struct proc_spec spec_of(const char *const *argv)
{
	return (struct proc_spec){ .argv = argv,
		.dir_fd = root_fd,
		.max_out_bytes = MIB,
		.max_err_bytes = KIB,
		.timeout_ms = 20000 };
}

static void assert_run(const struct proc_spec *spec, enum proc_end end, int code, const char *out)
{
	auto_(proc_result_done) struct proc_result result = { 0 };

	assert_int_equal(proc_run(spec, &result), 0);
	assert_int_equal(result.end, end);
	assert_int_equal(result.code, code);
	if (out)
		assert_string_equal(strbuf_get(&result.out), out);
	/* Nothing is left: no child, alive or dead. */
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
}

static void assert_script(const char *script, enum proc_end end, int code, const char *out)
{
	const char *const argv[] = { "/bin/sh", "-c", script, NULL };
	struct proc_spec spec = spec_of(argv);

	assert_run(&spec, end, code, out);
}

static void test_ends(void **state)
{
	assert_script("echo hello", PROC_EXITED, 0, "hello\n");
	assert_script("exit 7", PROC_EXITED, 7, "");
	assert_script("kill -9 $$", PROC_SIGNALLED, SIGKILL, "");
	assert_script("exec >&- 2>&-; exit 3", PROC_EXITED, 3, "");
}

static void test_cannot_start(void **state)
{
	static const struct {
		const char *path;
		int r;
	} cases[] = { { "/nonexistent", -ENOENT }, { "/etc/passwd", -EACCES }, { "sh", -EINVAL },
		{ "", -EINVAL }, { "/bin", -EACCES } };

	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		const char *const argv[] = { cases[i].path, NULL };
		struct proc_spec spec = spec_of(argv);
		auto_(proc_result_done) struct proc_result result = { 0 };

		assert_int_equal(proc_run(&spec, &result), cases[i].r);
		assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	}
}

static void test_arguments_are_not_a_shell_s(void **state)
{
	const char *const argv[] = { "/bin/echo", "-n", "$HOME; `id` *", "", "b c", NULL };
	struct proc_spec spec = spec_of(argv);

	assert_run(&spec, PROC_EXITED, 0, "$HOME; `id` *  b c");
}

static void test_environment(void **state)
{
	const char *const argv[] = { "/usr/bin/env", NULL };
	const char *const env[] = { "ONLY=this", NULL };
	struct proc_spec spec = spec_of(argv);

	assert_int_equal(setenv("SECRET", "x", 1), 0);
	assert_run(&spec, PROC_EXITED, 0, "PATH=/usr/local/bin:/usr/bin:/bin\nLANG=C.UTF-8\n");
	spec.env = env;
	assert_run(&spec, PROC_EXITED, 0, "ONLY=this\n");
}

static void test_working_directory(void **state)
{
	const char *const argv[] = { "/bin/pwd", NULL };
	struct proc_spec spec = spec_of(argv);
	auto_close int dir = open("/usr/bin", O_PATH | O_DIRECTORY | O_CLOEXEC);
	auto_close int file = open("/etc/passwd", O_RDONLY | O_CLOEXEC);
	auto_(proc_result_done) struct proc_result result = { 0 };

	assert_run(&spec, PROC_EXITED, 0, "/\n");
	spec.dir_fd = dir;
	assert_run(&spec, PROC_EXITED, 0, "/usr/bin\n");
	spec.dir_fd = file;
	assert_int_equal(proc_run(&spec, &result), -ENOTDIR);
}

/* A descriptor that is not close-on-exec does not get through. */
static void test_descriptors(void **state)
{
	auto_close int leaky = open("/etc/passwd", O_RDONLY); /* NOLINT(android-cloexec-open) */

	assert_true(leaky > 2);
	assert_script(
		"cd /proc/self/fd && for f in *; do [ -e /proc/self/fd/$f ] && [ $f -gt 2 ] && [ $f -lt 10 ] "
		"&& readlink $f; done; true",
		PROC_EXITED, 0, "");
}

/* Of the ignored signals only those up to 28 count: glibc's posix_spawn(), by which make starts us,
 * leaves its own two (32, 33) ignored, and no program can change that. */
static void test_group_and_signals(void **state)
{
	(void)signal(SIGPIPE, SIG_IGN);
	assert_script(
		"[ $(cut -d' ' -f5 /proc/$$/stat) = $$ ] && grep -q 'NoNewPrivs:.1' /proc/$$/status && "
		"sed -n 's/^SigIgn:.*\\(.......\\)$/\\1/p' /proc/$$/status",
		PROC_EXITED, 0, "0000000\n");
}

static void test_input(void **state)
{
	const char *const cat[] = { "/bin/cat", NULL };
	const char *const deaf[] = { "/bin/true", NULL };
	struct proc_spec spec = spec_of(cat);
	auto_strbuf big = { 0 };

	for (int i = 0; i < 40000; i++)
		strbuf_adds(&big, "0123456789\n");
	spec.input = big.data;
	spec.input_bytes = big.len;
	assert_run(&spec, PROC_EXITED, 0, big.data);
	spec.argv = deaf;
	assert_run(&spec, PROC_EXITED, 0, "");
	spec = spec_of(cat);
	assert_run(&spec, PROC_EXITED, 0, "");
}

static void test_too_much_output(void **state)
{
	const char *const argv[] = { "/bin/sh", "-c", "while :; do echo 0123456789; done", NULL };
	struct proc_spec spec = spec_of(argv);
	auto_(proc_result_done) struct proc_result result = { 0 };

	spec.max_out_bytes = 1000;
	assert_int_equal(proc_run(&spec, &result), 0);
	assert_int_equal(result.end, PROC_TOO_MUCH);
	assert_int_equal(result.out.len, 1000);
	spec.max_out_bytes = 0;
	assert_run(&spec, PROC_TOO_MUCH, 0, NULL);
}

static void test_output_that_just_fits(void **state)
{
	const char *const argv[] = { "/bin/echo", "-n", "1234", NULL };
	struct proc_spec spec = spec_of(argv);

	spec.max_out_bytes = 4;
	assert_run(&spec, PROC_EXITED, 0, "1234");
}

static void test_errors_are_cut(void **state)
{
	const char *const argv[] = { "/bin/sh", "-c",
		"i=0; while [ $i -lt 500 ]; do echo 0123456789 >&2; i=$((i+1)); done", NULL };
	struct proc_spec spec = spec_of(argv);
	auto_(proc_result_done) struct proc_result result = { 0 };

	assert_int_equal(proc_run(&spec, &result), 0);
	assert_int_equal(result.end, PROC_EXITED);
	assert_int_equal(result.err.len, KIB);
}

static void test_timeout(void **state)
{
	const char *const argv[] = { "/bin/sh", "-c", "trap '' TERM INT; echo begun; sleep 1000",
		NULL };
	struct proc_spec spec = spec_of(argv);

	spec.timeout_ms = 200;
	assert_run(&spec, PROC_TIMED_OUT, 0, NULL);
}

static bool stop_after_three(void *arg)
{
	int *n = arg;

	return ++*n == 3;
}

static void test_stopped(void **state)
{
	const char *const argv[] = { "/bin/sleep", "1000", NULL };
	struct proc_spec spec = spec_of(argv);
	int n = 0;

	spec.is_stopped = stop_after_three;
	spec.arg = &n;
	assert_run(&spec, PROC_STOPPED, 0, "");
	assert_int_equal(n, 3);
}

/* Children in the background hold the pipes open; one of them has even left the group. */
static void test_nothing_is_left(void **state)
{
	auto_(proc_result_done) struct proc_result result = { 0 };
	const char *const argv[] = { "/bin/sh", "-c",
		"sleep 1000 & echo $!; setsid sh -c 'echo $$; exec sleep 1000' & sleep 0.2; exit 5",
		NULL };
	struct proc_spec spec = spec_of(argv);
	char *at;

	assert_int_equal(proc_run(&spec, &result), 0);
	assert_int_equal(result.end, PROC_EXITED);
	assert_int_equal(result.code, 5);
	at = result.out.data;
	for (int i = 0; i < 2; i++) {
		long pid = strtol(at, &at, 10);

		assert_true(pid > 1);
		assert_int_equal(kill((pid_t)pid, 0), -1);
	}
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

static int set_up(void **state)
{
	root_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	return root_fd < 0;
}

static int tear_down(void **state)
{
	return close(root_fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ends),
		cmocka_unit_test(test_cannot_start),
		cmocka_unit_test(test_arguments_are_not_a_shell_s),
		cmocka_unit_test(test_environment),
		cmocka_unit_test(test_working_directory),
		cmocka_unit_test(test_descriptors),
		cmocka_unit_test(test_group_and_signals),
		cmocka_unit_test(test_input),
		cmocka_unit_test(test_too_much_output),
		cmocka_unit_test(test_output_that_just_fits),
		cmocka_unit_test(test_errors_are_cut),
		cmocka_unit_test(test_timeout),
		cmocka_unit_test(test_stopped),
		cmocka_unit_test(test_nothing_is_left),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
