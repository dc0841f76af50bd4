/* Names that are left alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "shared/cleanup.h"
#include "workers/filesystem/protect.h"

static const struct {
	const char *path;
	bool has_git;
} paths[] = {
	{ ".git", true },
	{ ".git/config", true },
	{ "/srv/x/.git", true },
	{ "a/.GIT/b", true },
	{ "a/.gIt", true },
	{ ".git.", true },
	{ ".git . ", true },
	{ "GIT~1/config", true },
	{ "git~2", true },
	{ ".g\xe2\x80\x8cit", true },       /* U+200C */
	{ "\xef\xbb\xbf.git", true },       /* U+FEFF */
	{ ".git\xe2\x81\xa0/hooks", true }, /* U+2060 */
	{ ".gi\xcd\x8ft", true },           /* U+034F */
	{ "", false },
	{ ".", false },
	{ "git", false },
	{ ".gitignore", false },
	{ ".github/workflows", false },
	{ "a.git", false },
	{ "x/.gitmodules", false },
	{ "git~", false },
	{ "git~0", false },
	{ "git~10", false },
	{ ".g\xc3\xact", false },
	{ ".git\xff", false },
	{ ". git", false },
};

static void test_git(void **state)
{
	for (size_t i = 0; i < N_ELEMENTS(paths); i++)
		if (protect_has_git(paths[i].path) != paths[i].has_git)
			fail_msg("%s", paths[i].path);
}

static void test_precious(void **state)
{
	assert_true(protect_is_precious(".env"));
	assert_true(protect_is_precious("a/b/package.json"));
	assert_true(protect_is_precious("/x/Dockerfile"));
	assert_false(protect_is_precious("package.json/x"));
	assert_false(protect_is_precious("dockerfile"));
	assert_false(protect_is_precious("my.env"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_git),
		cmocka_unit_test(test_precious),
	};

	return cmocka_run_group_tests_name("protect", tests, NULL, NULL);
}
