/* What sessions want to hear: limits, unions, levels, moving. */
#include "supervisor/fleet/wants.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "shared/alloc.h"
#include "shared/cleanup.h"

static struct wants *wants;
static const uint64_t one = 1;
static const uint64_t other = 65; /* in the same bucket */

static int set_up(void **unused)
{
	wants = wants_new();
	return 0;
}

static int tear_down(void **unused)
{
	wants_free(wants);
	return 0;
}

/* "a b c" */
static const char *list(const uint64_t *session)
{
	static char text[100];
	auto_free const char **uris = NULL;
	size_t n = wants_list(wants, session, &uris);
	size_t len = 0;

	text[0] = '\0';
	for (size_t i = 0; i < n; i++)
		len += (size_t)snprintf(
			text + len, sizeof(text) - len, "%s%s", i ? " " : "", uris[i]);
	return text;
}

static void test_union(void **unused)
{
	assert_false(wants_has_uris(wants));
	assert_int_equal(wants_add(wants, one, "b"), 0);
	assert_int_equal(wants_add(wants, one, "a"), 0);
	assert_int_equal(wants_add(wants, one, "a"), -EEXIST);
	assert_int_equal(wants_add(wants, other, "b"), 0);
	assert_int_equal(wants_add(wants, other, "c"), 0);
	assert_string_equal(list(NULL), "a b c");
	assert_string_equal(list(&one), "a b");
	assert_string_equal(list(&other), "b c");
	assert_true(wants_remove(wants, one, "b"));
	assert_false(wants_remove(wants, one, "b"));
	assert_false(wants_remove(wants, 3, "b"));
	assert_string_equal(list(NULL), "a b c");
	assert_true(wants_forget(wants, other));
	assert_false(wants_forget(wants, other));
	assert_string_equal(list(NULL), "a");
	assert_true(wants_remove(wants, one, "a"));
	assert_false(wants_has_uris(wants));
	assert_false(wants_forget(wants, one));
}

static void test_levels(void **unused)
{
	assert_null(wants_get_level(wants, NULL));
	assert_false(wants_set_level(wants, one, "loud"));
	assert_true(wants_set_level(wants, one, "error"));
	assert_false(wants_set_level(wants, one, "error"));
	assert_true(wants_set_level(wants, other, "debug"));
	assert_string_equal(wants_get_level(wants, NULL), "debug");
	assert_string_equal(wants_get_level(wants, &one), "error");
	assert_true(wants_forget(wants, other));
	assert_string_equal(wants_get_level(wants, NULL), "error");
	assert_null(wants_get_level(wants, &other));
	assert_true(wants_set_level(wants, one, "emergency"));
	assert_string_equal(wants_get_level(wants, NULL), "emergency");
}

static void test_a_session_has_a_limit(void **unused)
{
	for (int i = 0; i < WANTS_MAX_URIS; i++) {
		auto_free char *uri = alloc_printf("x:%d", i);

		assert_int_equal(wants_add(wants, one, uri), 0);
	}
	assert_int_equal(wants_add(wants, one, "y:"), -ENOBUFS);
	assert_int_equal(wants_add(wants, one, "x:5"), -EEXIST);
	assert_int_equal(wants_add(wants, other, "y:"), 0);
	assert_true(wants_remove(wants, one, "x:5"));
	assert_int_equal(wants_add(wants, one, "y:"), 0);
}

static void test_all_have_a_limit_in_bytes(void **unused)
{
	auto_free char *large = alloc_zero(WANTS_MAX_BYTES);

	memset(large, 'u', WANTS_MAX_BYTES - 1);
	assert_int_equal(wants_add(wants, one, large), 0);
	assert_int_equal(wants_add(wants, other, "y:"), -ENOBUFS);
	assert_false(wants_forget(wants, other)); /* nothing of it was kept */
	assert_true(wants_forget(wants, one));
	assert_int_equal(wants_add(wants, other, "y:"), 0);
}

static void test_move(void **unused)
{
	assert_false(wants_move(wants, one, other));
	assert_int_equal(wants_add(wants, one, "a"), 0);
	assert_int_equal(wants_add(wants, one, "b"), 0);
	assert_int_equal(wants_add(wants, other, "b"), 0);
	assert_true(wants_set_level(wants, one, "info"));
	assert_false(wants_move(wants, one, one));
	assert_true(wants_move(wants, one, other));
	assert_string_equal(list(&one), "");
	assert_string_equal(list(&other), "a b");
	assert_string_equal(wants_get_level(wants, &other), "info");
	assert_true(wants_set_level(wants, one, "debug"));
	assert_true(wants_move(wants, one, 3));
	assert_string_equal(wants_get_level(wants, NULL), "debug");
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_union),
		TEST(test_levels),
		TEST(test_a_session_has_a_limit),
		TEST(test_all_have_a_limit_in_bytes),
		TEST(test_move),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
