/* The last lines of the log: numbers, bounds, what fits, and that a reader knows what it has missed. */
#include "supervisor/ops/log_ring.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "shared/alloc.h"
#include "shared/clock.h"
#include "shared/fd.h"
#include "shared/utf8.h"

static struct loop *loop;
static struct log_ring *ring;
static int real_stderr = -1;
static unsigned n_told;

static const struct log_filter all = { .max_level = LOG_LEVEL_DEBUG };
static const struct log_about git = { .domain = "git",
	.worker = "git/2",
	.session = "s",
	.tool = "t",
	.client = "c",
	.trace = "f",
	.call = 7,
	.pid = 42 };

static int set_up(void **unused)
{
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	real_stderr = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
	if (null < 0 || real_stderr < 0 || dup2(null, STDERR_FILENO) < 0)
		return -1;
	(void)fd_close(null);
	log_init("test", LOG_TARGET_TEXT, LOG_LEVEL_INFO);
	loop = loop_new_fake();
	ring = log_ring_new(loop);
	n_told = 0;
	return 0;
}

static int tear_down(void **unused)
{
	log_ring_free(TAKE(ring));
	loop_free(loop);
	(void)dup2(real_stderr, STDERR_FILENO);
	real_stderr = fd_close(real_stderr);
	return 0;
}

static const char *read_all(const struct log_filter *filter, uint64_t cursor)
{
	static char text[1000];
	struct strbuf out = { 0 };
	struct log_line line;

	while (log_ring_next(ring, filter, &cursor, &line))
		strbuf_addf(&out, "%d:%s ", (int)line.no, line.text);
	assert_int_equal(cursor, log_ring_end(ring));
	(void)snprintf(text, sizeof(text), "%s", strbuf_get(&out));
	strbuf_done(&out);
	return text;
}

static void test_lines(void **unused)
{
	struct log_line line;
	uint64_t cursor = 0;
	int64_t before_ms = clock_wall_ms();

	assert_int_equal(log_ring_first(ring), log_ring_end(ring));
	assert_false(log_ring_next(ring, &all, &cursor, &line));
	assert_int_equal(cursor, 1);
	log_warn_about(&git, "one\n%s", "\x1b[31m\xff");
	log_debug("not written");
	log_info("two");
	assert_true(log_ring_next(ring, &all, &cursor, &line));
	assert_int_equal(line.no, 1);
	assert_int_equal(line.level, LOG_LEVEL_WARNING);
	assert_in_range(line.wall_ms, before_ms, clock_wall_ms());
	assert_string_equal(line.text, "one??[31m\xef\xbf\xbd");
	assert_string_equal(line.about.domain, "git");
	assert_ptr_not_equal(line.about.domain, git.domain); /* its own */
	assert_string_equal(line.about.worker, "git/2");
	assert_string_equal(line.about.session, "s");
	assert_string_equal(line.about.tool, "t");
	assert_string_equal(line.about.client, "c");
	assert_string_equal(line.about.trace, "f");
	assert_int_equal(line.about.call, 7);
	assert_int_equal(line.about.pid, 42);
	assert_true(log_ring_next(ring, &all, &cursor, &line));
	assert_string_equal(line.text, "two");
	assert_null(line.about.domain);
	assert_false(log_ring_next(ring, &all, &cursor, &line));
	assert_string_equal(read_all(&all, 2), "2:two ");
	assert_string_equal(read_all(&all, 99), "");
}

static void test_filter(void **unused)
{
	static const struct log_about utils = { .domain = "utils" };
	const struct log_filter of_git = { .domain = "git", .max_level = LOG_LEVEL_DEBUG };
	const struct log_filter grave = { .max_level = LOG_LEVEL_WARNING };

	log_info_about(&git, "a");
	log_info_about(&utils, "b");
	log_info("c");
	log_warn_about(&git, "d");
	(void)log_err(0, "e");
	assert_string_equal(read_all(&of_git, 0), "1:a 4:d ");
	assert_string_equal(read_all(&grave, 0), "4:d 5:e ");
	assert_int_equal(log_ring_find_last(ring, &of_git, 1), 4);
	assert_int_equal(log_ring_find_last(ring, &of_git, 2), 1);
	assert_int_equal(log_ring_find_last(ring, &of_git, 9), 1);
	assert_int_equal(log_ring_find_last(ring, &all, 2), 4);
	assert_int_equal(log_ring_find_last(ring, &all, 0), log_ring_end(ring));
}

static void test_bounded_in_lines(void **unused)
{
	struct log_line line;
	uint64_t cursor = 1;

	for (int i = 1; i <= LOG_RING_LINES + 5; i++)
		log_info("%d", i);
	assert_int_equal(log_ring_first(ring), 6);
	assert_int_equal(log_ring_end(ring), LOG_RING_LINES + 6);
	assert_true(log_ring_next(ring, &all, &cursor, &line)); /* it sees by the number */
	assert_int_equal(line.no, 6);
	assert_string_equal(line.text, "6");
}

static void test_bounded_in_bytes(void **unused)
{
	auto_strbuf text = { 0 };
	struct log_line line;
	uint64_t cursor = 1;

	for (int i = 0; i < 20000; i++)
		strbuf_adds(&text, "\xc3\xa4");
	for (int i = 0; i < 300; i++)
		log_info("x%s", strbuf_get(&text));
	assert_int_equal(log_ring_end(ring), 301);
	assert_true(log_ring_first(ring) > 301 - LOG_RING_BYTES / LOG_RING_LINE_BYTES);
	assert_true(log_ring_first(ring) < 200);
	assert_true(log_ring_next(ring, &all, &cursor, &line));
	assert_int_equal(strlen(line.text), LOG_RING_LINE_BYTES - 1); /* no half character */
	assert_true(utf8_valid(line.text, strlen(line.text)));
}

static void on_news(void *arg)
{
	assert_ptr_equal(arg, &n_told);
	n_told++;
	log_info("said by the hook");
}

static void test_hook(void **unused)
{
	log_ring_set_hook(ring, on_news, &n_told);
	log_info("a");
	log_info("b");
	assert_int_equal(n_told, 0); /* not from inside */
	loop_fake_advance(loop, 50);
	assert_int_equal(n_told, 1);
	loop_fake_advance(loop, 1000); /* what it says itself is news, too, but never at once */
	assert_in_range(n_told, 2, 21);
	log_ring_set_hook(ring, NULL, NULL);
	loop_fake_advance(loop, 1000);
	assert_in_range(n_told, 2, 21);
}

static void test_freed(void **unused)
{
	log_ring_free(TAKE(ring));
	log_info("nobody hears it");
	log_ring_free(NULL);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_lines),
		TEST(test_filter),
		TEST(test_bounded_in_lines),
		TEST(test_bounded_in_bytes),
		TEST(test_hook),
		TEST(test_freed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
