/* strbuf: a text at every moment. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "shared/fd.h"

static void test_empty(void **state)
{
	auto_strbuf buf = { 0 };
	auto_free char *taken = strbuf_take(&buf);

	assert_string_equal(strbuf_get(&buf), "");
	assert_string_equal(taken, "");
	strbuf_cut(&buf, 0);
	strbuf_done(&buf);
}

static void test_growth(void **state)
{
	auto_strbuf buf = { 0 };

	for (int i = 0; i < 1000; i++) {
		strbuf_addf(&buf, "%d,", i % 10);
		assert_true(buf.len < buf.size);
		assert_int_equal(buf.data[buf.len], '\0');
	}
	assert_int_equal(buf.len, 2000);
	strbuf_cut(&buf, 3);
	assert_string_equal(buf.data, "0,1");
	strbuf_cut(&buf, 4);
	assert_int_equal(buf.len, 3);
}

/* Room that was not used leaves what was there. */
static void test_reserve_leaves_a_text(void **state)
{
	auto_strbuf buf = { 0 };

	assert_int_equal(strbuf_reserve(&buf, 5)[0], '\0');
	assert_string_equal(strbuf_get(&buf), "");
	strbuf_adds(&buf, "abc");
	(void)strbuf_reserve(&buf, 10000);
	assert_string_equal(strbuf_get(&buf), "abc");
}

static void test_empty_file(void **state)
{
	auto_strbuf buf = { 0 };
	char path[] = "/tmp/test_strbuf.XXXXXX";
	auto_close int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(fd_read_file(path, 10, &buf), 0);
	assert_int_equal(unlink(path), 0);
	assert_string_equal(strbuf_get(&buf), "");
}

static void test_json(void **state)
{
	auto_strbuf buf = { 0 };

	strbuf_add_json(&buf, "a\0\"\\\n\x1f\x7f\xc3\xa4", 9);
	assert_string_equal(buf.data, "\"a\\u0000\\\"\\\\\\n\\u001f\\u007f\xc3\xa4\"");
	strbuf_cut(&buf, 0);
	strbuf_add_json(&buf, "", 0);
	assert_string_equal(buf.data, "\"\"");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_growth),
		cmocka_unit_test(test_reserve_leaves_a_text),
		cmocka_unit_test(test_empty_file),
		cmocka_unit_test(test_json),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
