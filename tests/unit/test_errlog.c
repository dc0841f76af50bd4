/* What a worker says on its standard error: lines, their bounds, and bytes that are no text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "shared/fd.h"
#include "shared/utf8.h"
#include "supervisor/fleet/errlog.h"

static struct world {
	struct loop *loop;
	struct errlog *log;
	int pipe;
	struct strbuf tail;
} world;

static const struct log_about about = { .worker = "test/1" };

static int set_up(void **unused)
{
	int ends[2];

	log_init("test", LOG_TARGET_TEXT, LOG_LEVEL_ERROR);
	assert_int_equal(fd_pipe(ends), 0);
	assert_int_equal(fd_set_nonblock(ends[0], true), 0);
	world = (struct world){ .loop = loop_new_fake(), .pipe = ends[1] };
	world.log = errlog_new(world.loop, ends[0], &about);
	return 0;
}

static int tear_down(void **unused)
{
	errlog_free(world.log);
	loop_free(world.loop);
	(void)fd_close(world.pipe);
	strbuf_done(&world.tail);
	return 0;
}

static void say(const char *text, size_t len)
{
	assert_int_equal(fd_write_all(world.pipe, text, len), 0);
	loop_fake_turn(world.loop);
}

static const char *tail(void)
{
	strbuf_cut(&world.tail, 0);
	errlog_add_tail(world.log, &world.tail);
	return strbuf_get(&world.tail);
}

static void test_lines(void **unused)
{
	assert_string_equal(tail(), "");
	say("one\n\ntw", 7);
	assert_string_equal(tail(), "one");
	say("o\nthree", 7);
	assert_string_equal(tail(), "one | two");
	errlog_drain(world.log); /* the last line has no end */
	assert_string_equal(tail(), "one | two | three");
}

static void test_only_the_last(void **unused)
{
	say("1\n2\n3\n4\n5\n6\n7\n", 14);
	assert_string_equal(tail(), "3 | 4 | 5 | 6 | 7");
}

/* These words become part of answers and of /ready, which are JSON. */
static void test_no_text(void **unused)
{
	char longer[2100];

	say("caf\xe9 \xff\xfe\n", 8);
	assert_string_equal(tail(), "caf\xef\xbf\xbd \xef\xbf\xbd\xef\xbf\xbd");
	say("a\0b\n", 4);
	assert_non_null(strstr(tail(), "a?b"));
	memset(longer, 'x', sizeof(longer));
	longer[2047] = (char)0xc3; /* cut in the middle of a letter */
	longer[2048] = (char)0xa4;
	longer[sizeof(longer) - 1] = '\n';
	say(longer, sizeof(longer));
	(void)tail();
	assert_true(utf8_valid(world.tail.data, world.tail.len));
	assert_true(world.tail.len < 2100);
}

static void test_end(void **unused)
{
	say("last", 4);
	world.pipe = fd_close(world.pipe);
	loop_fake_turn(world.loop);
	loop_fake_turn(world.loop);
	errlog_drain(world.log);
	assert_string_equal(tail(), "last");
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_lines),
		TEST(test_only_the_last),
		TEST(test_no_text),
		TEST(test_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
