/* Descriptors, time, words of failure, memory: the smallest modules. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "shared/alloc.h"
#include "shared/clock.h"
#include "shared/fail.h"
#include "shared/fd.h"

static char folder[] = "/tmp/test_fd.XXXXXX";

static char *path_of(const char *name)
{
	return alloc_printf("%s/%s", folder, name);
}

static void write_file(const char *path, const char *text, size_t len)
{
	auto_close int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(fd_write_all(fd, text, len), 0);
}

static void is_close_on_exec(int fd)
{
	assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
}

static void test_pairs(void **unused)
{
	int pair[2];
	char byte = 0;

	assert_int_equal(fd_pipe(pair), 0);
	is_close_on_exec(pair[0]);
	is_close_on_exec(pair[1]);
	assert_int_equal(fd_write_all(pair[1], "x", 1), 0);
	assert_int_equal(read(pair[0], &byte, 1), 1);
	assert_int_equal(byte, 'x');
	assert_int_equal(fd_set_nonblock(pair[0], true), 0);
	assert_int_equal(read(pair[0], &byte, 1), -1);
	assert_int_equal(errno, EAGAIN);
	pair[0] = fd_close(pair[0]);
	assert_int_equal(pair[0], -1);
	assert_int_equal(fd_close(-1), -1);
	(void)fd_close(pair[1]);

	assert_int_equal(fd_socketpair(pair), 0);
	is_close_on_exec(pair[0]);
	assert_int_equal(fd_write_all(pair[0], "y", 1), 0);
	assert_int_equal(read(pair[1], &byte, 1), 1);
	(void)fd_close(pair[0]);
	(void)fd_close(pair[1]);
	assert_int_equal(fd_set_nonblock(-1, true), -EBADF);
	assert_int_equal(fd_write_all(-1, "z", 1), -EBADF);
}

static void test_read_file(void **unused)
{
	auto_free char *path = path_of("file");
	auto_free char *fifo = path_of("fifo");
	auto_free char *missing = path_of("missing");
	auto_free char *big = alloc_zero(40000);
	auto_strbuf text = { 0 };

	write_file(path, big, 40000);
	assert_int_equal(fd_read_file(path, 40000, &text), 0);
	assert_int_equal(text.len, 40000);
	strbuf_cut(&text, 0);
	assert_int_equal(fd_read_file(path, 39999, &text), -EFBIG);
	strbuf_cut(&text, 0);
	write_file(path, "", 0);
	assert_int_equal(fd_read_file(path, 10, &text), 0);
	assert_string_equal(strbuf_get(&text), "");
	assert_int_equal(fd_read_file(missing, 10, &text), -ENOENT);
	assert_int_equal(fd_read_file(folder, 10, &text), -EISDIR);
	/* Nobody writes to it: it must not hold us up. */
	assert_int_equal(mkfifo(fifo, 0600), 0);
	assert_int_equal(fd_read_file(fifo, 10, &text), -EINVAL);
}

static bool is_private(uid_t owner, mode_t mode)
{
	const struct stat st = { .st_uid = owner, .st_mode = S_IFREG | mode };

	return fd_is_private(&st);
}

static void test_private(void **state)
{
	const uid_t we = geteuid();

	(void)state;
	assert_true(is_private(we, 0600) && is_private(we, 0400) && is_private(0, 0600));
	assert_true(is_private(0, 0640));
	assert_false(is_private(0, 0660) || is_private(0, 0644));
	assert_false(is_private(we, 0604) || is_private(we, 0602));
	assert_false(is_private(we + 1, 0400) || is_private(we + 1, 0640));
	fd_judge_for_others();
	assert_int_equal(is_private(we + 1, 0400), we == 0);
	assert_false(is_private(we + 1, 0640) || is_private(we + 1, 0604) || is_private(0, 0644));
}

static void test_fail(void **unused)
{
	struct fail fail = { 0 };
	char long_text[3000];

	assert_int_equal(fail_set(&fail, -ENOENT, "cannot open '%s'", "x"), -ENOENT);
	assert_string_equal(fail.text, "cannot open 'x'");
	assert_int_equal(fail_prefix(&fail, "%s:%d: ", "fleet.yaml", 3), -ENOENT);
	assert_string_equal(fail.text, "fleet.yaml:3: cannot open 'x'");
	assert_int_equal(fail_set(NULL, -EPERM, "nobody listens"), -EPERM);
	memset(long_text, 'a', sizeof(long_text) - 1);
	long_text[sizeof(long_text) - 1] = '\0';
	assert_int_equal(fail_set(&fail, -EINVAL, "%s", long_text), -EINVAL);
	assert_int_equal(strlen(fail.text), sizeof(fail.text) - 1);
	assert_int_equal(fail_prefix(&fail, "%s", long_text), -EINVAL);
	assert_int_equal(strlen(fail.text), sizeof(fail.text) - 1);
}

static void test_clock(void **unused)
{
	char text[CLOCK_TEXT_SIZE];
	int64_t before_us = clock_now_us();
	int64_t ms = clock_now_ms();

	assert_true(ms >= before_us / 1000);
	assert_true(clock_now_us() / 1000 >= ms);
	clock_wall_text(text);
	assert_int_equal(strlen(text), strlen("2026-01-31T12:00:00.000Z"));
	assert_int_equal(text[10], 'T');
	assert_int_equal(text[19], '.');
	assert_int_equal(text[23], 'Z');
}

static void test_alloc(void **unused)
{
	auto_free char *copy = alloc_mem("ab\0cd", 5);
	auto_free char *text = alloc_printf("%d-%s", 7, "x");
	auto_free int *numbers = alloc_resize(NULL, 3, sizeof(int));
	auto_free char *none = alloc_str(NULL);
	auto_free char *empty = alloc_zero(0);

	assert_memory_equal(copy, "ab\0cd", 6);
	assert_string_equal(text, "7-x");
	numbers[2] = 5;
	numbers = alloc_resize(numbers, 300, sizeof(int));
	assert_int_equal(numbers[2], 5);
	assert_null(none);
	assert_non_null(empty);
	char *mine = TAKE(text);
	assert_null(text);
	assert_string_equal(mine, "7-x");
	free(mine);
}

static int make_folder(void **unused)
{
	return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **unused)
{
	static const char *const names[] = { "file", "fifo" };

	for (size_t i = 0; i < N_ELEMENTS(names); i++) {
		auto_free char *path = path_of(names[i]);

		(void)unlink(path);
	}
	return rmdir(folder);
}

/* In a child without descriptors; its exit status tells what was found. */
static _Noreturn void hold_without_any(void)
{
	char byte = 0;
	int wrong = 0;

	for (int fd = 0; fd < 3; fd++)
		(void)close(fd);
	wrong |= fd_hold_standard() != 0;
	wrong |= (read(0, &byte, 1) >= 0) << 1;
	wrong |= (write(1, &byte, 1) >= 0) << 2;
	wrong |= (write(2, &byte, 1) >= 0) << 3;
	wrong |= (open("/dev/null", O_RDWR | O_CLOEXEC) < 3) << 4;
	_exit(wrong);
}

static void test_hold_standard(void **unused)
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		hold_without_any();
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	assert_int_equal(fd_hold_standard(), 0); /* nothing to do here */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hold_standard),
		cmocka_unit_test(test_pairs),
		cmocka_unit_test(test_read_file),
		cmocka_unit_test(test_private),
		cmocka_unit_test(test_fail),
		cmocka_unit_test(test_clock),
		cmocka_unit_test(test_alloc),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
