/* The token's file: for the daemon's user alone, in one step, nowhere else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "ctl/token.h"
#include "shared/alloc.h"
#include "shared/fd.h"

static char folder[64];

static int make_folder(void **unused)
{
	(void)snprintf(folder, sizeof(folder), "/tmp/test_token.XXXXXX");
	return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **unused)
{
	auto_free char *path = alloc_printf("%s/gateway.token", folder);
	auto_free char *target = alloc_printf("%s/target", folder);

	(void)unlink(path);
	(void)unlink(target);
	return rmdir(folder); /* nothing else is left there */
}

static char *write_it(const char *token, struct fail *fail)
{
	return token_write(folder, geteuid(), token, fail);
}

static void check_file(const char *path, const char *expected)
{
	auto_strbuf text = { 0 };
	struct stat st;

	assert_int_equal(fd_read_file(path, TOKEN_MAX + 1, &text), 0);
	assert_string_equal(strbuf_get(&text), expected);
	assert_int_equal(lstat(path, &st), 0);
	assert_true(S_ISREG(st.st_mode));
	assert_int_equal(st.st_mode & 07777, 0600);
}

static void test_written(void **unused)
{
	struct fail fail = { 0 };
	auto_free char *path = write_it("eyJ.a-b_c\n", &fail);

	assert_non_null(path);
	assert_string_equal(path + strlen(folder), "/gateway.token");
	check_file(path, "eyJ.a-b_c\n");
	free(write_it("other", &fail));
	check_file(path, "other\n");
}

/* What a link leads to is not touched. */
static void test_link(void **unused)
{
	auto_free char *target = alloc_printf("%s/target", folder);
	auto_free char *path = alloc_printf("%s/gateway.token", folder);
	auto_close int fd = open(target, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	struct fail fail = { 0 };
	struct stat st;

	assert_true(fd >= 0);
	assert_int_equal(symlink(target, path), 0);
	free(write_it("secret", &fail));
	check_file(path, "secret\n");
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_size, 0);
}

static void test_no_token(void **unused)
{
	auto_free char *large = alloc_zero(TOKEN_MAX + 2);
	const char *const wrong[] = { "", " \n", "a b", "a\nb", "\xc3\xa4", "a\x7f", large };

	memset(large, 'a', TOKEN_MAX + 1);
	for (size_t i = 0; i < N_ELEMENTS(wrong); i++) {
		struct fail fail = { 0 };

		assert_null(write_it(wrong[i], &fail));
		assert_int_equal(fail.code, -EINVAL);
		assert_non_null(strstr(fail.text, "MCPGATEWAY_BEARER_TOKEN"));
	}
}

static void test_folder(void **unused)
{
	struct fail fail = { 0 };

	assert_int_equal(chmod(folder, 0770), 0);
	assert_null(write_it("secret", &fail));
	assert_int_equal(fail.code, -EPERM);
	assert_non_null(strstr(fail.text, "--token-file"));
	assert_int_equal(chmod(folder, 0700), 0);
	assert_null(token_write(folder, geteuid() + 1, "secret", &fail));
	assert_int_equal(fail.code, -EPERM);
	assert_null(token_write("/nonexistent/x", geteuid(), "secret", &fail));
	assert_int_equal(fail.code, -ENOENT);
	assert_non_null(strstr(fail.text, "No such file"));
	assert_null(strstr(fail.text, "secret"));
}

/* As root, for a daemon of another user: the file is that user's from the moment when it is there. */
static void test_other_user(void **unused)
{
	const uid_t nobody = 65534;
	struct fail fail = { 0 };
	struct stat st;

	if (geteuid() != 0)
		skip();
	assert_int_equal(chown(folder, nobody, nobody), 0);
	auto_free char *path = token_write(folder, nobody, "secret", &fail);

	assert_non_null(path);
	check_file(path, "secret\n");
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_uid, nobody);
	assert_int_equal(st.st_gid, nobody);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_written, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(test_link, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(test_no_token, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(test_folder, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(test_other_user, make_folder, remove_folder),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
