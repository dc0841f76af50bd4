/* Where a refusal of settings says that they are wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ctl/settings.h"
#include "shared/alloc.h"

static void check(const char *text, const char *file, int line, int column)
{
	auto_(settings_verdict_done) struct settings_verdict verdict = { 0 };

	assert_true(settings_split_place(text, &verdict));
	assert_string_equal(verdict.file, file);
	assert_int_equal(verdict.line, line);
	assert_int_equal(verdict.column, column);
}

static void test_places(void **unused)
{
	check("/etc/fleet.yaml:12:3: limits: no", "/etc/fleet.yaml", 12, 3);
	check("a:b.yaml:1:1: x", "a:b.yaml", 1, 1);
	check("a.yaml:7:9: another is in b.yaml:1:2: y", "a.yaml", 7, 9);
	check("odd:5:name.yaml:1:22: x", "odd:5:name.yaml", 1, 22);
	check("f.yaml:99999999999999999999:1: f.yaml:3:4: x",
		"f.yaml:99999999999999999999:1: f.yaml", 3, 4);
}

static void test_no_place(void **unused)
{
	static const char *const texts[] = { "", ":", "cannot open '/x': No such file or directory",
		"f.yaml:3: x", "f.yaml:3:4", "f.yaml:0:0: x", "f.yaml:-1:2: x", "f.yaml:1:2:x",
		"f.yaml: 1:2: x" };

	for (size_t i = 0; i < N_ELEMENTS(texts); i++) {
		struct settings_verdict verdict = { 0 };

		if (settings_split_place(texts[i], &verdict))
			fail_msg("'%s' has no place", texts[i]);
		assert_null(verdict.file);
	}
}

static void test_resolve(void **unused)
{
	auto_free char *here = realpath(".", NULL);
	auto_free char *expected = alloc_printf("%s/f.yaml", here);
	auto_free char *relative = settings_resolve("f.yaml", getpid());
	auto_free char *absolute = settings_resolve("/f.yaml", getpid());

	assert_string_equal(relative, expected);
	assert_string_equal(absolute, "/f.yaml");
	assert_null(settings_resolve(NULL, getpid()));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_places),
		cmocka_unit_test(test_no_place),
		cmocka_unit_test(test_resolve),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
