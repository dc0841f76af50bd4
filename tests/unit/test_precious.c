/* Files that the writing tools do not lose by mistake. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "workers/common/precious.h"

static void test_names(void **state)
{
	assert_true(precious_file(".env"));
	assert_true(precious_file(".env.local"));
	assert_true(precious_file("a/.gitignore"));
	assert_true(precious_file("a/b/package.json"));
	assert_true(precious_file("/x/Dockerfile"));
	assert_false(precious_file("package.json/x"));
	assert_false(precious_file("package.json/"));
	assert_false(precious_file("dockerfile"));
	assert_false(precious_file("my.env"));
	assert_false(precious_file(""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests_name("precious", tests, NULL, NULL);
}
