/* Landlock: each case in a process of its own, because there is no way back. Skipped without it. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "shared/alloc.h"
#include "shared/fd.h"
#include "shared/landlock.h"

static char folder[] = "/tmp/test_landlock.XXXXXX";

static char *path_of(const char *name)
{
	return alloc_printf("%s/%s", folder, name);
}

/* 0 or the errno of opening a file below the folder; a file that is created goes again. */
static int try_open(const char *name, int flags)
{
	auto_free char *path = path_of(name);
	auto_close int fd = open(path, flags | O_CLOEXEC, 0600);

	return fd < 0 ? errno : 0;
}

static int try_rename(const char *from, const char *to)
{
	auto_free char *old = path_of(from);
	auto_free char *new = path_of(to);

	return rename(old, new) < 0 ? errno : 0;
}

static int try_fifo(const char *name)
{
	auto_free char *path = path_of(name);

	return mkfifo(path, 0600) < 0 ? errno : 0;
}

static int try_run(void)
{
	char *const argv[] = { (char[]){ "true" }, NULL };

	(void)execv("/bin/true", argv);
	return errno;
}

/* "read" may be read, "write" written as well, the rest of the folder nothing. */
static int enter(void)
{
	auto_free char *may_read = path_of("read");
	auto_free char *may_write = path_of("write");
	auto_close int rules = -1;

	if (landlock_new(0, &rules) < 0 || landlock_allow(rules, may_read, LANDLOCK_READ) < 0 ||
		landlock_allow(rules, may_write, LANDLOCK_READ | LANDLOCK_WRITE) < 0 ||
		landlock_allow(rules, "/nonexistent/x", LANDLOCK_READ) != -ENOENT)
		return -1;

	return landlock_enter(rules);
}

static int first_wrong(void)
{
	const struct {
		int got;
		int expected;
	} cases[] = {
		{ enter(), 0 },
		{ try_open("read/f", O_RDONLY), 0 },
		{ try_open("read/f", O_WRONLY), EACCES },
		{ try_open("read/new", O_WRONLY | O_CREAT), EACCES },
		{ try_open("write/f", O_RDWR | O_TRUNC), 0 },
		{ try_open("write/new", O_WRONLY | O_CREAT), 0 },
		{ try_rename("write/new", "write/d/new"), 0 },
		{ try_rename("write/f", "read/g"), EACCES },
		{ try_fifo("write/fifo"), EACCES },
		{ try_open("none/f", O_RDONLY), EACCES },
		{ try_open("none", O_RDONLY | O_DIRECTORY), EACCES },
		{ try_open("read/out", O_RDONLY), EACCES },
		{ try_open("write/out", O_WRONLY | O_TRUNC), EACCES },
		{ try_open("none/f", O_PATH), 0 },
		{ try_run(), EACCES },
	};

	for (size_t i = 0; i < N_ELEMENTS(cases); i++)
		if (cases[i].got != cases[i].expected) {
			(void)fprintf(stderr, "case %zu: %d, not %d\n", i, cases[i].got,
				cases[i].expected);
			return 1;
		}

	return 0;
}

static void test_rules(void **unused)
{
	auto_close int rules = -1;
	int status = -1;
	pid_t pid;

	if (landlock_new(0, &rules) == -EOPNOTSUPP)
		skip();
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(first_wrong());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* A single file may be allowed; what makes sense only for directories is left out. */
static void test_file(void **unused)
{
	auto_free char *path = path_of("none/f");
	auto_close int rules = -1;

	if (landlock_new(0, &rules) == -EOPNOTSUPP)
		skip();
	assert_int_equal(landlock_allow(rules, path, LANDLOCK_READ | LANDLOCK_WRITE), 0);
	assert_int_equal(landlock_allow_fd(rules, -1, LANDLOCK_READ), -EBADF);
}

static int make_scene(void **unused)
{
	static const char *const names[] = { "read", "write", "none" };

	if (!mkdtemp(folder))
		return -1;
	for (size_t i = 0; i < N_ELEMENTS(names); i++) {
		auto_free char *dir = path_of(names[i]);
		auto_free char *file = alloc_printf("%s/f", dir);
		auto_free char *link = alloc_printf("%s/out", dir);
		auto_free char *deeper = alloc_printf("%s/d", dir);
		auto_close int fd = -1;

		if (mkdir(dir, 0700) < 0 || mkdir(deeper, 0700) < 0 ||
			symlink("../none/f", link) < 0)
			return -1;
		fd = open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
		if (fd < 0)
			return -1;
	}
	return 0;
}

static int remove_scene(void **unused)
{
	static const char *const files[] = { "read/f", "read/out", "write/f", "write/out",
		"write/d/new", "none/f", "none/out", "read/d", "write/d", "none/d", "read", "write",
		"none", "" };

	for (size_t i = 0; i < N_ELEMENTS(files); i++) {
		auto_free char *path = path_of(files[i]);

		(void)remove(path);
	}
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rules),
		cmocka_unit_test(test_file),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, make_scene, remove_scene);
}
