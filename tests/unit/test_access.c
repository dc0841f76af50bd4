/* What another user may do: by the mode bits, and as the kernel says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>

#include "ctl/access.h"
#include "shared/alloc.h"

static bool may(unsigned mode, int wanted, uid_t uid, gid_t gid)
{
	const struct stat st = { .st_mode = mode, .st_uid = 100, .st_gid = 200 };
	const struct access_user user = {
		.uid = uid, .gid = gid, .groups = { 7, gid }, .n_groups = 2
	};

	return access_by_mode(&st, wanted, &user);
}

static void test_modes(void **unused)
{
	assert_true(may(S_IFREG | 0600, R_OK | W_OK, 100, 1));
	assert_false(may(S_IFREG | 0600, X_OK, 100, 1));
	assert_false(may(S_IFREG | 0600, R_OK, 101, 200));
	assert_true(may(S_IFREG | 0640, R_OK, 101, 200));
	assert_false(may(S_IFREG | 0640, W_OK, 101, 200));
	assert_true(may(S_IFREG | 0604, R_OK, 101, 1));
	assert_false(
		may(S_IFREG | 0604, R_OK, 101, 200)); /* of the group, and so not of the others */
	assert_false(may(S_IFREG | 0077, R_OK, 100, 1));
}

static void test_supplementary_group(void **unused)
{
	const struct stat st = { .st_mode = S_IFDIR | 0750, .st_uid = 1, .st_gid = 7 };
	const struct access_user user = { .uid = 9, .gid = 9, .groups = { 6, 7 }, .n_groups = 2 };

	assert_true(access_by_mode(&st, R_OK | X_OK, &user));
	assert_false(access_by_mode(&st, W_OK, &user));
}

static void test_root_may(void **unused)
{
	assert_true(may(S_IFREG | 0000, R_OK | W_OK, 0, 0));
	assert_false(may(S_IFREG | 0600, X_OK, 0, 0));
	assert_true(may(S_IFREG | 0601, X_OK, 0, 0));
	assert_true(may(S_IFDIR | 0000, R_OK | W_OK | X_OK, 0, 0));
}

static void test_own(void **unused)
{
	auto_close int root = open("/", O_PATH | O_CLOEXEC);
	struct access_user user;

	assert_int_equal(access_user_of_process(getpid(), &user), 0);
	assert_int_equal(user.uid, geteuid());
	assert_int_equal(user.gid, getegid());
	assert_int_equal(access_check(root, "/", R_OK, &user), 0);
	assert_int_equal(access_check(root, "//proc/self/stat", R_OK, &user), 0);
	assert_int_equal(access_check(root, "/nonexistent/x", R_OK, &user), -ENOENT);
	assert_int_equal(access_user_of_process(-1, &user), -ENOENT);
}

/* As root the other user is asked for, else the bits are read: both know this. */
static void test_other(void **unused)
{
	char folder[] = "/tmp/test_access.XXXXXX";
	auto_close int root = open("/", O_PATH | O_CLOEXEC);
	const struct access_user nobody = { .uid = 64999, .gid = 64999 };

	assert_non_null(mkdtemp(folder)); /* 0700 */
	auto_free char *inner = alloc_printf("%s/inner", folder);

	assert_int_equal(mkdir(inner, 0755), 0);
	assert_int_equal(access_check(root, folder, R_OK, &nobody), -EACCES);
	assert_int_equal(access_check(root, inner, R_OK, &nobody), -EACCES);
	assert_int_equal(chmod(folder, 0755), 0);
	assert_int_equal(access_check(root, inner, R_OK | X_OK, &nobody), 0);
	assert_int_equal(access_check(root, inner, W_OK, &nobody), -EACCES);
	assert_int_equal(rmdir(inner), 0);
	assert_int_equal(rmdir(folder), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_modes),
		cmocka_unit_test(test_supplementary_group),
		cmocka_unit_test(test_root_may),
		cmocka_unit_test(test_own),
		cmocka_unit_test(test_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
