/* What is written into a cgroup's files. The kernel is a fake: mkdir() of this file fills a new folder as the
 * kernel fills a new cgroup, because a test seldom has controllers. Real cgroups, and that they end
 * what is in them: tests/integration/test_sandbox.py. */
#include "supervisor/fleet/cgroup.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "shared/alloc.h"
#include "shared/fd.h"

static const char *const kernel_files[] = { "cgroup.procs", "cgroup.kill", "cgroup.subtree_control",
	"memory.max", "memory.oom.group", "pids.max", "cpu.max" };

static char folder[64];
static struct loop *loop;
static struct cgroups *cgroups;

int mkdir(const char *path, mode_t mode)
{
	if (syscall(SYS_mkdirat, AT_FDCWD, path, mode) < 0)
		return -1;
	for (size_t i = 0; i < N_ELEMENTS(kernel_files); i++) {
		auto_free char *file = alloc_printf("%s/%s", path, kernel_files[i]);
		auto_close int fd = open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

		assert_true(fd >= 0);
	}
	return 0;
}

static int set_up(void **unused)
{
	const char *why;

	(void)snprintf(folder, sizeof(folder), "/tmp/test_cgroup.XXXXXX");
	assert_non_null(mkdtemp(folder));
	assert_int_equal(rmdir(folder), 0);
	assert_int_equal(mkdir(folder, 0700), 0);
	loop = loop_new_fake();
	cgroups = cgroups_take(loop, folder, &why);
	assert_non_null(cgroups);
	return 0;
}

static void remove_folder(const char *path)
{
	for (size_t i = 0; i < N_ELEMENTS(kernel_files); i++) {
		auto_free char *file = alloc_printf("%s/%s", path, kernel_files[i]);

		(void)unlink(file);
	}
	(void)rmdir(path);
}

static int tear_down(void **unused)
{
	static const char *const names[] = { "supervisor", "worker.git.1", "worker.utils.2" };

	cgroups_free(cgroups);
	loop_free(loop);
	for (size_t i = 0; i < N_ELEMENTS(names); i++) {
		auto_free char *path = alloc_printf("%s/%s", folder, names[i]);

		remove_folder(path);
	}
	remove_folder(folder);
	return 0;
}

static void assert_file(const char *name, const char *expected)
{
	auto_free char *path = alloc_printf("%s/%s", folder, name);
	auto_strbuf text = { 0 };

	assert_int_equal(fd_read_file(path, 4096, &text), 0);
	assert_string_equal(strbuf_get(&text), expected);
}

static void test_taking_over(void **unused)
{
	auto_free char *pid = alloc_printf("%d", (int)getpid());

	assert_file("supervisor/cgroup.procs", pid);
	assert_int_equal(cgroups_controllers(cgroups), CGROUP_MEMORY | CGROUP_PIDS | CGROUP_CPU);
}

static void test_limits(void **unused)
{
	const struct cgroup_limits limits = { .memory = 536870912, .processes = 64, .cpu = 2 };
	struct cgroup *cgroup = NULL;

	assert_int_equal(cgroup_new(cgroups, "git", &limits, &cgroup), 0);
	assert_file("worker.git.1/memory.max", "536870912");
	assert_file("worker.git.1/memory.oom.group", "1");
	assert_file("worker.git.1/pids.max", "64");
	assert_file("worker.git.1/cpu.max", "200000 100000");
	assert_int_equal(cgroup_enter(cgroup), 0);
	assert_file("worker.git.1/cgroup.procs", "0");
	assert_file("worker.git.1/cgroup.kill", "");
	cgroup_kill(cgroup);
	assert_file("worker.git.1/cgroup.kill", "1");
	cgroup_free(cgroup);
}

static void test_no_limits(void **unused)
{
	const struct cgroup_limits limits = { .memory = 0 };
	struct cgroup *first = NULL;
	struct cgroup *cgroup = NULL;

	assert_int_equal(cgroup_new(cgroups, "git", &limits, &first), 0);
	assert_int_equal(cgroup_new(cgroups, "utils", &limits, &cgroup), 0);
	assert_file("worker.utils.2/memory.max", "");
	assert_file("worker.utils.2/pids.max", "");
	assert_file("worker.utils.2/cpu.max", "");
	cgroup_free(first);
	cgroup_free(cgroup);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_taking_over, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_limits, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_no_limits, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
