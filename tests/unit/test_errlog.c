/* What a worker says on its standard error: lines, their bounds, and bytes that are no text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

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

static enum log_level heard_level;

static void hear(void *arg, enum log_level level, const struct log_about *who, const char *text,
	int64_t wall_ms)
{
	heard_level = level;
	assert_ptr_equal(who, &about);
	assert_string_equal(text, (const char *)arg);
}

static void test_levels(void **unused)
{
	static const struct {
		const char *line;
		const char *text;
		enum log_level level;
	} cases[] = {
		{ "<4>careful\n", "test/1: careful", LOG_LEVEL_WARNING },
		{ "<0>burning\n", "test/1: burning", LOG_LEVEL_ERROR },
		{ "<7>\n", "test/1: ", LOG_LEVEL_DEBUG },
		{ "<8>x\n", "test/1: <8>x", LOG_LEVEL_INFO },
		{ "<4\n", "test/1: <4", LOG_LEVEL_INFO },
		{ "a <4>b\n", "test/1: a <4>b", LOG_LEVEL_INFO },
	};

	log_init("test", LOG_TARGET_TEXT, LOG_LEVEL_DEBUG);
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		char text[64];

		(void)snprintf(text, sizeof(text), "%s", cases[i].text);
		log_set_tap(hear, text);
		heard_level = 0;
		say(cases[i].line, strlen(cases[i].line));
		assert_int_equal(heard_level, cases[i].level);
	}
	log_set_tap(NULL, NULL);
	assert_string_equal(tail(), "burning |  | <8>x | <4 | a <4>b");
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
		TEST(test_levels),
		TEST(test_only_the_last),
		TEST(test_no_text),
		TEST(test_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
