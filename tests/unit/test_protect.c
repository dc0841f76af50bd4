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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_git),
	};

	return cmocka_run_group_tests_name("protect", tests, NULL, NULL);
}
