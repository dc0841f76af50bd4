/* What mcp-fleetctl prints: foreign texts made harmless, widths, tables, durations, JSON. */
#include "ctl/output.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "ctl/latency.h"
#include "ctl/load.h"
#include "ctl/usage.h"

static const struct ctl plain = { 0 };
static const struct ctl colored = { .is_terminal = true, .has_colors = true };

static void expect_clean(const char *text, const char *wanted)
{
	auto_strbuf out = { 0 };

	out_clean(&out, text);
	assert_string_equal(strbuf_get(&out), wanted);
}

static void test_clean(void **state)
{
	/* Byte by byte, so that no tool takes this file for one that deceives. */
	static const char rlo[] = { (char)0xe2, (char)0x80, (char)0xae, 'c', 'o', 'd', 0 };

	expect_clean("", "");
	expect_clean("git: größer 日本 🙂", "git: größer 日本 🙂");
	expect_clean("\033[31mred\033]0;title\007", "\\x1B[31mred\\x1B]0;title\\x07");
	expect_clean("a\nb\tc\rd", "a b c\\x0Dd");
	expect_clean("a\r\nb", "a b");
	expect_clean("\x7f", "\\x7F");
	expect_clean("\xc2\x9b"
		     "31m",
		"\\u{009B}31m");           /* C1: CSI as one character */
	expect_clean(rlo, "\\u{202E}cod"); /* right-to-left override */
	expect_clean("\xe2\x81\xa6\xe2\x81\xa9\xd8\x9c", "\\u{2066}\\u{2069}\\u{061C}");
	expect_clean("\xe2\x80\xa8", "\\u{2028}");
	expect_clean("\xf3\xa0\x80\xa0", "\\u{E0020}");             /* a tag */
	expect_clean("\xff\xc3(\xe2\x82", "\\xFF\\xC3(\\xE2\\x82"); /* not UTF-8 */
	expect_clean("\xed\xa0\x80", "\\xED\\xA0\\x80");            /* a surrogate */
}

static void test_clean_lines(void **state)
{
	auto_strbuf out = { 0 };

	out_clean_lines(&out, "a\n\tb\0c\033", 7);
	assert_string_equal(strbuf_get(&out), "a\n\tb\\x00c\\x1B");
}

static void test_width(void **state)
{
	assert_int_equal(out_width(""), 0);
	assert_int_equal(out_width("abc"), 3);
	assert_int_equal(out_width("größer"), 6);
	assert_int_equal(out_width("日本"), 4);
	assert_int_equal(out_width("e\xcc\x81"), 1); /* a combining accent */
	assert_int_equal(out_width("\xff"), 1);
	assert_int_equal(out_cut("abc", 2), 2);
	assert_int_equal(out_cut("日本", 3), 3); /* no half character */
	assert_int_equal(out_cut("日本", 1), 0);
	assert_int_equal(out_cut("ab", 9), 2);
	assert_int_equal(out_cut("e\xcc\x81x", 1), 3);
}

static const struct column columns[] = { { "NAME", false }, { "N", true }, { "TEXT", false } };

static struct table *make_table(void)
{
	struct table *table = table_new(columns, N_ELEMENTS(columns));

	table_add(table, COLOR_GOOD, "日本");
	table_addf(table, COLOR_NONE, "%d", 5);
	table_add(table, COLOR_NONE, "x\ny");
	table_add(table, COLOR_NONE, "a");
	table_add(table, COLOR_NONE, "1234");
	table_add(table, COLOR_NONE, NULL);
	return table;
}

static void expect_table(const struct ctl *ctl, size_t max_width, const char *wanted)
{
	auto_(table_freep) struct table *table = make_table();
	auto_strbuf out = { 0 };

	table_render(ctl, table, max_width, &out);
	assert_string_equal(strbuf_get(&out), wanted);
}

static void test_table(void **state)
{
	expect_table(&plain, 0,
		"NAME     N  TEXT\n"
		"日本     5  x y\n"
		"a     1234\n");
	expect_table(&plain, 12,
		"NAME     N …\n"
		"日本     5 …\n"
		"a     1234\n");
	expect_table(&plain, 3,
		"NA…\n"
		"日…\n"
		"a …\n");
	expect_table(&colored, 0,
		"\033[1mNAME\033[0m     \033[1mN\033[0m  \033[1mTEXT\033[0m\n"
		"\033[32m日本\033[0m     5  x y\n"
		"a     1234\n");
}

static void test_table_without_titles(void **state)
{
	static const struct column bare[] = { { "", false }, { "", false } };
	auto_(table_freep) struct table *table = table_new(bare, 2);
	auto_strbuf out = { 0 };

	table_add(table, COLOR_NONE, "a");
	table_add(table, COLOR_NONE, "b");
	table_add(table, COLOR_NONE, "half a row is not shown");
	table_render(&plain, table, 0, &out);
	assert_non_null(strstr(strbuf_get(&out), "a"));
	assert_null(strstr(strbuf_get(&out), "half"));
}

static void expect_duration(int64_t ms, const char *wanted)
{
	auto_strbuf out = { 0 };

	out_duration(&out, ms);
	assert_string_equal(strbuf_get(&out), wanted);
}

static void test_duration(void **state)
{
	expect_duration(-5, "0 ms");
	expect_duration(999, "999 ms");
	expect_duration(3999, "3 s");
	expect_duration(119999, "119 s");
	expect_duration(300000, "5 min");
	expect_duration(7800000, "2 h 10 min");
	expect_duration(7200000, "2 h");
	expect_duration(INT64_C(4) * 86400000, "4 d");
	expect_duration(INT64_MAX, "106751991167 d");
}

static void expect_bytes(uint64_t bytes, const char *wanted)
{
	auto_strbuf out = { 0 };

	out_bytes(&out, bytes);
	assert_string_equal(strbuf_get(&out), wanted);
}

static void test_bytes(void **state)
{
	expect_bytes(0, "0 B");
	expect_bytes(1023, "1023 B");
	expect_bytes(1024, "1.0 KiB");
	expect_bytes(1229, "1.2 KiB");
	expect_bytes(1048575, "1.0 MiB");
	expect_bytes(UINT64_MAX, "16.0 EiB");
}

static void expect_percentile(const char *now, const char *before, double share, const char *wanted)
{
	json_auto_t *a = json_loads(now, 0, NULL);
	json_auto_t *b = before ? json_loads(before, 0, NULL) : NULL;
	struct latency latency = latency_get(a, b, share);
	auto_strbuf out = { 0 };

	latency_add(&out, &latency);
	assert_string_equal(strbuf_get(&out), wanted);
}

static void test_latency(void **state)
{
	expect_percentile("[[0.5, 50], [2, 99], [8, 100]]", NULL, 0.5, "0.5");
	expect_percentile("[[0.5, 50], [2, 99], [8, 100]]", NULL, 0.99, "2");
	expect_percentile("[[0.5, 50], [2, 99], [8, 100]]", NULL, 1, "8");
	expect_percentile("[[1000, 1]]", NULL, 0.5, "1000");
	expect_percentile("[[64, 1], [null, 9]]", NULL, 0.5, ">64");
	/* What came between: three calls, in a bucket that was empty before. */
	expect_percentile("[[0.5, 50], [2, 53], [8, 54]]", "[[0.5, 50], [8, 51]]", 0.99, "2");
	expect_percentile("[[0.5, 50]]", "[[0.5, 50]]", 0.5, "");
	/* The daemon began anew, or it is no histogram. */
	expect_percentile("[[0.5, 2]]", "[[0.5, 50]]", 0.5, "");
	expect_percentile("[]", NULL, 0.5, "");
	expect_percentile("[1, \"x\", [1], [2, -5], {}]", NULL, 0.5, "");
	expect_percentile("{}", NULL, 0.5, "");
}

static void test_usage(void **state)
{
	static const char stat[] =
		"42 (a) b) c) S 1 42 42 0 -1 4194560 100 0 0 0 70 30 0 0 20 0 1 0 "
		"123456 1000 200 18446744073709551615\n";
	struct usage usage = { 0 };
	struct usage before = { .began = 123456, .cpu_ms = 500, .read_us = 1000000 };
	struct usage own;
	long tick = sysconf(_SC_CLK_TCK);

	assert_true(usage_parse(stat, "300 25 10 1 0 50 0\n", &usage));
	assert_int_equal(usage.began, 123456);
	assert_int_equal(usage.cpu_ms, 100000 / tick);
	assert_int_equal(usage.rss_bytes, 25 * sysconf(_SC_PAGESIZE));
	assert_false(usage_parse("42 (a S 1", "300 25", &usage));
	assert_false(usage_parse("42 (a) S 1 2", "300 25", &usage));
	assert_false(usage_parse(stat, "", &usage));
	assert_false(usage_parse(stat, "1 x", &usage));
	assert_true(usage_read(getpid(), &own));
	assert_true(own.rss_bytes > 0);
	assert_false(usage_read(0, &own));
	assert_false(usage_read(-5, &own));
	usage = (struct usage){ .began = 123456, .cpu_ms = 750, .read_us = 2000000 };
	assert_true(usage_cpu_percent(&usage, &before) > 24.9 &&
		    usage_cpu_percent(&usage, &before) < 25.1);
	before.began = 1;
	assert_true(usage_cpu_percent(&usage, &before) < 0); /* another process of that number */
	assert_true(usage_cpu_percent(&usage, &usage) < 0);
}

/* A status of two domains; the first has one process, this one. */
static struct load_sample *make_sample(int uptime_ms, int total, int answered, int queued)
{
	json_auto_t *status = json_pack(
		"{s:i, s:i, s:[{s:s, s:s, s:{s:i, s:i, s:i}, s:[[f, i]], s:[{s:s, s:i, s:s, s:i, "
		"s:i}]}, {s:s, s:s, s:{s:i, s:i}}]}",
		"pid", 1, "uptime_ms", uptime_ms, "domains", "name", "a", "state", "up", "calls",
		"total", total, "in_flight", 2, "queued", 0, "latency", 5.0, total, "processes",
		"name", "a/1", "pid", (int)getpid(), "state", "ready", "calls", 2, "answered",
		answered, "name", "b", "state", "down", "calls", "total", 0, "queued", queued);

	assert_non_null(status);
	return load_sample_new(status);
}

static void test_load(void **state)
{
	auto_(load_sample_freep) struct load_sample *before = make_sample(1000, 100, 90, 7);
	auto_(load_sample_freep) struct load_sample *now = make_sample(3000, 120, 110, 7);
	struct load_view view;

	load_view_make(now, before, LOAD_BY_NAME, &view);
	assert_int_equal(view.n_domains, 2);
	assert_int_equal(view.n_processes, 1);
	assert_string_equal(view.domains[0].name, "a");
	assert_true(view.domains[0].calls_per_second > 9.99 &&
		    view.domains[0].calls_per_second < 10.01);
	assert_int_equal(view.domains[0].p99.n_calls, 20);
	assert_int_equal(view.domains[0].n, 1);
	assert_true(view.domains[0].has_usage);
	assert_false(view.domains[1].has_usage);
	assert_int_equal(view.domains[1].queued, 7);
	assert_true(view.processes[0].calls_per_second > 9.99);
	assert_true(view.processes[0].cpu_percent >= 0);
	load_view_done(&view);
	load_view_make(now, before, LOAD_BY_QUEUE, &view);
	assert_string_equal(view.domains[0].name, "b");
	load_view_done(&view);
}

static void test_load_without_a_window(void **state)
{
	auto_(load_sample_freep) struct load_sample *before = make_sample(3000, 120, 110, 0);
	auto_(load_sample_freep) struct load_sample *now = make_sample(1000, 5, 5, 0);
	struct load_view view;

	load_view_make(now, NULL, LOAD_BY_CPU, &view);
	assert_true(view.domains[0].calls_per_second < 0);
	load_view_done(&view);
	/* The daemon began anew: its counters are smaller. */
	load_view_make(now, before, LOAD_BY_CALLS, &view);
	assert_true(view.domains[0].calls_per_second < 0);
	assert_int_equal(view.domains[0].p99.n_calls, 0);
	load_view_done(&view);
}

static void test_load_of_nonsense(void **state)
{
	json_auto_t *status = json_pack("{s:s, s:[i, s, {s:i, s:[s, {}]}]}", "pid", "x", "domains",
		5, "x", "name", 7, "processes", "y");
	auto_(load_sample_freep) struct load_sample *now = load_sample_new(status);
	struct load_view view;

	load_view_make(now, now, LOAD_BY_LATENCY, &view);
	assert_int_equal(view.n_domains, 3);
	assert_int_equal(view.n_processes, 2);
	load_view_done(&view);
}

static void test_exit_status(void **state)
{
	struct fail fail = { 0 };

	(void)fail_set(&fail, -ENOTCONN, "gone");
	assert_int_equal(ctl_fail(&plain, &fail), CTL_UNREACHABLE);
	(void)fail_set(&fail, -EREMOTEIO, "no");
	assert_int_equal(ctl_fail(&plain, &fail), CTL_FAILED);
}

static void test_state_colors(void **state)
{
	assert_int_equal(out_state_color("up"), COLOR_GOOD);
	assert_int_equal(out_state_color("parked"), COLOR_BAD);
	assert_int_equal(out_state_color("what"), COLOR_NONE);
	assert_int_equal(out_state_color(""), COLOR_NONE);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_clean),
		cmocka_unit_test(test_clean_lines),
		cmocka_unit_test(test_width),
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_table_without_titles),
		cmocka_unit_test(test_duration),
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_latency),
		cmocka_unit_test(test_usage),
		cmocka_unit_test(test_load),
		cmocka_unit_test(test_load_without_a_window),
		cmocka_unit_test(test_load_of_nonsense),
		cmocka_unit_test(test_exit_status),
		cmocka_unit_test(test_state_colors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
