/* Limits as a child has them: each test sets them in a process of its own, for they cannot be raised again. */
#include "workers/exec/limits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "shared/limits.h"

#include "config.h"

enum { NOT_SET = 100, DIFFERENT = 1, MEMORY = 256 };

static int64_t limit_of(int resource)
{
	struct rlimit limit;

	if (getrlimit(resource, &limit) < 0 || limit.rlim_cur != limit.rlim_max)
		return -1;
	return limit.rlim_cur == RLIM_INFINITY ? INT64_MAX : (int64_t)limit.rlim_cur;
}

/* Runs `check` in a child that has the limits; its result is the child's exit status. */
static int in_child(const struct plan *plan, int (*check)(void))
{
	const struct profile *profile = profile_find(plan->profile);
	struct fail fail = { 0 };
	int status = 0;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0)
		_exit(limits_set(plan, profile, &fail) < 0 ? NOT_SET : check());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int check_native(void)
{
#ifndef WITH_SANITIZERS
	if (limit_of(RLIMIT_DATA) != MEMORY * MIB ||
		limit_of(RLIMIT_AS) != INT64_C(4) * MEMORY * MIB + GIB)
		return DIFFERENT;
#endif
	if (limit_of(RLIMIT_NOFILE) != 64 || limit_of(RLIMIT_NPROC) != 32)
		return DIFFERENT + 1;
	if (limit_of(RLIMIT_CORE) != 0 || umask(0) != 022)
		return DIFFERENT + 2;
	return 0;
}

static void test_native(void **unused)
{
	const struct plan plan = {
		.profile = "utils", .memory = MEMORY * MIB, .files = 64, .processes = 32
	};

	assert_int_equal(in_child(&plan, check_native), 0);
}

static struct rlimit addresses; /* of the parent */

static int check_node(void)
{
	struct rlimit limit;

#ifndef WITH_SANITIZERS
	if (limit_of(RLIMIT_DATA) != MEMORY * MIB)
		return DIFFERENT;
#endif
	if (getrlimit(RLIMIT_AS, &limit) < 0 || limit.rlim_max != addresses.rlim_max)
		return DIFFERENT + 1;
	return limit_of(RLIMIT_CORE) == 0 ? 0 : DIFFERENT + 2;
}

/* Run-times reserve more addresses than any machine has memory. */
static void test_addresses_of_a_run_time(void **unused)
{
	const struct plan plan = { .profile = "node", .memory = MEMORY * MIB };

	assert_int_equal(getrlimit(RLIMIT_AS, &addresses), 0);
	assert_int_equal(in_child(&plan, check_node), 0);
}

static int check_core_allowed(void)
{
	struct rlimit limit;

	return getrlimit(RLIMIT_CORE, &limit) == 0 && limit.rlim_max > 0 ? 0 : DIFFERENT;
}

static void test_none_keeps_core_files(void **unused)
{
	const struct plan plan = { .profile = "none" };
	struct rlimit limit;

	assert_int_equal(getrlimit(RLIMIT_CORE, &limit), 0);
	if (limit.rlim_max == 0)
		skip();
	assert_int_equal(in_child(&plan, check_core_allowed), 0);
}

static int check_lower_stays(void)
{
	return limit_of(RLIMIT_NOFILE) == 50 ? 0 : DIFFERENT;
}

/* A limit that we have ourselves is never raised, which root could. */
static void test_never_raised(void **unused)
{
	const struct rlimit low = { 50, 50 };
	const struct plan plan = { .profile = "none", .files = 1000 };
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		if (setrlimit(RLIMIT_NOFILE, &low) < 0)
			_exit(NOT_SET);
		_exit(in_child(&plan, check_lower_stays));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_native),
		cmocka_unit_test(test_addresses_of_a_run_time),
		cmocka_unit_test(test_none_keeps_core_files),
		cmocka_unit_test(test_never_raised),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
