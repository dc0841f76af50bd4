/* Lines without waiting: what is one, what is too long, what happens when nobody reads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <signal.h>

#include "shared/fd.h"
#include "shared/lines.h"

enum { MAX_BYTES = 16 };

struct pair {
	int fds[2]; /* 0: ours */
	struct lines lines;
};

static void open_pair(struct pair *pair, bool is_pipe)
{
	if (is_pipe)
		assert_int_equal(fd_pipe(pair->fds), 0);
	else
		assert_int_equal(fd_socketpair(pair->fds), 0);
	pair->lines = (struct lines){
		.in_fd = pair->fds[0], .out_fd = pair->fds[is_pipe ? 1 : 0], .max_bytes = MAX_BYTES
	};
}

static void close_pair(struct pair *pair)
{
	lines_done(&pair->lines);
	pair->fds[0] = fd_close(pair->fds[0]);
	pair->fds[1] = fd_close(pair->fds[1]);
}

static void feed(struct pair *pair, const char *text)
{
	assert_int_equal(fd_write_all(pair->fds[1], text, strlen(text)), 0);
	lines_read(&pair->lines);
}

static void expect(struct pair *pair, const char *text)
{
	struct span line;

	assert_int_equal(lines_next(&pair->lines, &line), 1);
	assert_true(span_is(line, text));
}

static void expect_none(struct pair *pair)
{
	struct span line;

	assert_int_equal(lines_next(&pair->lines, &line), 0);
}

static void test_lines(void **unused)
{
	struct pair pair;

	open_pair(&pair, false);
	feed(&pair, "one\n\n  \r\ntwo\r\nthr");
	expect(&pair, "one");
	expect(&pair, "two\r");
	expect_none(&pair);
	feed(&pair, "ee");
	expect_none(&pair);
	feed(&pair, "\nfour");
	expect(&pair, "three");
	pair.fds[1] = fd_close(pair.fds[1]);
	lines_read(&pair.lines);
	assert_true(pair.lines.eof);
	expect_none(&pair); /* what has no end is no line */
	close_pair(&pair);
}

/* For a peer whose last line may lack its end. */
static void test_rest(void **unused)
{
	struct pair pair;

	open_pair(&pair, false);
	pair.lines.takes_rest = true;
	feed(&pair, "one\ntwo");
	expect(&pair, "one");
	expect_none(&pair);
	pair.fds[1] = fd_close(pair.fds[1]);
	lines_read(&pair.lines);
	expect(&pair, "two");
	expect_none(&pair);
	close_pair(&pair);
}

static void test_too_long(void **unused)
{
	struct pair pair;
	struct span line;

	open_pair(&pair, false);
	feed(&pair, "0123456789abcdef\n0123456789abcdefX\nnext\n");
	expect(&pair, "0123456789abcdef");
	assert_int_equal(lines_next(&pair.lines, &line), -EMSGSIZE);
	expect(&pair, "next");
	assert_int_equal(line.len, 17);
	assert_memory_equal(line.at, "0123456789abcdefX", 17); /* its beginning can be looked at */
	feed(&pair, "0123456789abcdefX");
	assert_true(lines_has_untaken(&pair.lines));
	assert_int_equal(lines_next(&pair.lines, &line), -EMSGSIZE); /* told once */
	assert_int_equal(line.len, 17);
	assert_memory_equal(line.at, "0123456789abcdefX", 17);
	assert_false(lines_has_untaken(&pair.lines));
	for (int i = 0; i < 3; i++) {
		feed(&pair, "more and more and more");
		assert_int_equal(pair.lines.in.len, strlen("more and more and more"));
		expect_none(&pair);
	}
	feed(&pair, "end\nnext\n");
	expect(&pair, "next");
	close_pair(&pair);
}

static void fill(struct pair *pair)
{
	static char block[65536];

	memset(block, 'x', sizeof(block));
	while (!lines_is_full(&pair->lines)) {
		lines_write(&pair->lines, block, sizeof(block));
		lines_flush(&pair->lines);
	}
}

static void test_nobody_reads(void **unused)
{
	for (int is_pipe = 0; is_pipe < 2; is_pipe++) {
		struct pair pair;
		char room[65536];
		size_t unsent;

		open_pair(&pair, is_pipe);
		fill(&pair); /* and does not wait */
		unsent = pair.lines.out.len - pair.lines.out_at;
		assert_true(read(is_pipe ? pair.fds[0] : pair.fds[1], room, sizeof(room)) > 0);
		lines_flush(&pair.lines);
		assert_true(pair.lines.out.len - pair.lines.out_at < unsent);
		close_pair(&pair);
	}
}

static void test_gone(void **unused)
{
	struct pair pair;

	open_pair(&pair, false);
	pair.fds[1] = fd_close(pair.fds[1]);
	lines_write(&pair.lines, "x", 1);
	lines_flush(&pair.lines);
	assert_true(pair.lines.gone);
	lines_write(&pair.lines, "x", 1);
	close_pair(&pair);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_rest),
		cmocka_unit_test(test_too_long),
		cmocka_unit_test(test_nobody_reads),
		cmocka_unit_test(test_gone),
	};

	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
