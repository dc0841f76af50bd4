/* The writer of /metrics: both formats, escaping, histograms; the table's own rules, and that doc/metrics.md has it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "shared/alloc.h"
#include "shared/fd.h"
#include "shared/limits.h"
#include "supervisor/ops/metrics_private.h"

static void test_plain(void **unused)
{
	auto_strbuf out = { 0 };
	struct metrics_text text = { .out = &out };
	const char *version = "1.2";

	metrics_begin(&text, METRIC_BUILD);
	metrics_add(&text, 1, &version);
	metrics_add_one(&text, METRIC_SESSIONS_REFUSED, 7);
	metrics_begin(&text, METRIC_PROCESS_CPU);
	metrics_add_us(&text, 1500000, NULL);
	metrics_end(&text);
	assert_string_equal(out.data,
		"# HELP mcp_fleet_build_info Always 1; the version is a label.\n"
		"# TYPE mcp_fleet_build_info gauge\n"
		"mcp_fleet_build_info{version=\"1.2\"} 1\n"
		"# HELP mcp_fleet_sessions_refused_total Sessions that limits.sessions did not allow.\n"
		"# TYPE mcp_fleet_sessions_refused_total counter\n"
		"mcp_fleet_sessions_refused_total 7\n"
		"# HELP process_cpu_seconds_total Processor time of mcp-fleetd itself.\n"
		"# TYPE process_cpu_seconds_total counter\n"
		"process_cpu_seconds_total 1.5\n");
}

static void test_open(void **unused)
{
	auto_strbuf out = { 0 };
	struct metrics_text text = { .out = &out, .is_open = true };

	metrics_add_one(&text, METRIC_SESSIONS_REFUSED, 7);
	metrics_begin(&text, METRIC_PROCESS_CPU);
	metrics_add_us(&text, 0, NULL);
	metrics_end(&text);
	assert_string_equal(out.data,
		"# HELP mcp_fleet_sessions_refused Sessions that limits.sessions did not allow.\n"
		"# TYPE mcp_fleet_sessions_refused counter\n"
		"mcp_fleet_sessions_refused_total 7\n"
		"# HELP process_cpu_seconds Processor time of mcp-fleetd itself.\n"
		"# TYPE process_cpu_seconds counter\n"
		"# UNIT process_cpu_seconds seconds\n"
		"process_cpu_seconds_total 0\n"
		"# EOF\n");
}

static void test_escapes(void **unused)
{
	static const char *const values[][2] = {
		{ "", "\"\"" },
		{ "plain", "\"plain\"" },
		{ "a\"b", "\"a\\\"b\"" },
		{ "a\\b\\", "\"a\\\\b\\\\\"" },
		{ "\n\n", "\"\\n\\n\"" },
		{ "{a=\"b\"} 1", "\"{a=\\\"b\\\"} 1\"" },
		{ "naïve", "\"naïve\"" },
	};

	for (size_t i = 0; i < N_ELEMENTS(values); i++) {
		auto_strbuf out = { 0 };
		struct metrics_text text = { .out = &out, .m = &metrics_table[METRIC_BUILD] };
		auto_free char *want =
			alloc_printf("mcp_fleet_build_info{version=%s} 5\n", values[i][1]);

		metrics_add(&text, 5, values[i]);
		assert_string_equal(out.data, want);
	}
}

static void test_seconds(void **unused)
{
	static const struct {
		int64_t us;
		const char *want;
	} all[] = {
		{ 0, "process_cpu_seconds_total 0\n" },
		{ 1, "process_cpu_seconds_total 0.000001\n" },
		{ 100000, "process_cpu_seconds_total 0.1\n" },
		{ 3000000, "process_cpu_seconds_total 3\n" },
		{ INT64_MAX, "process_cpu_seconds_total 9223372036854.775807\n" },
		{ -1, "process_cpu_seconds_total 0\n" },
	};

	for (size_t i = 0; i < N_ELEMENTS(all); i++) {
		auto_strbuf out = { 0 };
		struct metrics_text text = { .out = &out, .m = &metrics_table[METRIC_PROCESS_CPU] };

		metrics_add_us(&text, all[i].us, NULL);
		assert_string_equal(out.data, all[i].want);
	}
}

static void test_histogram(void **unused)
{
	auto_strbuf out = { 0 };
	struct metrics_text text = { .out = &out, .m = &metrics_table[METRIC_LOOP_LAG] };
	struct histogram h = { 0 };

	histogram_add(&h, 100);              /* below the first bound, 256 µs */
	histogram_add(&h, 256);              /* not below it */
	histogram_add(&h, 1000);             /* below 1024 µs */
	histogram_add(&h, INT64_C(1) << 40); /* above all */
	h.sum_us = 2500000;
	metrics_add_histogram(&text, &h, NULL);
	assert_non_null(strstr(out.data, "mcp_fleet_loop_lag_seconds_bucket{le=\"0.000256\"} 1\n"
					 "mcp_fleet_loop_lag_seconds_bucket{le=\"0.000512\"} 2\n"
					 "mcp_fleet_loop_lag_seconds_bucket{le=\"0.001024\"} 3\n"));
	assert_non_null(strstr(out.data, "_bucket{le=\"16.777216\"} 3\n"
					 "mcp_fleet_loop_lag_seconds_bucket{le=\"+Inf\"} 4\n"
					 "mcp_fleet_loop_lag_seconds_sum 2.5\n"
					 "mcp_fleet_loop_lag_seconds_count 4\n"));
}

/* In that of sessions one is a ms. */
static void test_scaled_histogram(void **unused)
{
	auto_strbuf out = { 0 };
	struct metrics_text text = { .out = &out, .m = &metrics_table[METRIC_SESSION_DURATION] };
	struct histogram h = { 0 };
	const char *transport = "sse";

	histogram_add(&h, 1500);
	metrics_add_histogram(&text, &h, &transport);
	assert_non_null(strstr(out.data,
		"session_duration_seconds_bucket{transport=\"sse\",le=\"1.024\"} 0\n"
		"session_duration_seconds_bucket{transport=\"sse\",le=\"4.096\"} 1\n"));
	assert_non_null(strstr(out.data, "session_duration_seconds_sum{transport=\"sse\"} 1.5\n"));
}

static bool ends_with(const char *text, const char *end)
{
	size_t len = strlen(text);

	return len > strlen(end) && streq(text + len - strlen(end), end);
}

static void test_table(void **unused)
{
	for (unsigned i = 0; i < METRICS; i++) {
		const struct metric *m = &metrics_table[i];
		auto_free char *unit = alloc_printf(
			"_%s%s", m->unit ? m->unit : "", m->type == METRIC_COUNTER ? "_total" : "");

		assert_non_null(m->name);
		assert_true(ends_with(m->help, "."));
		assert_null(strchr(m->help, '\n'));
		assert_int_equal(m->type == METRIC_COUNTER, ends_with(m->name, "_total"));
		if (m->unit)
			assert_true(ends_with(m->name, unit));
		if (m->type == METRIC_HISTOGRAM)
			assert_true(m->first >= HISTOGRAM_FIRST_BITS &&
				    m->last < HISTOGRAM_LAST_BITS && m->step > 0 && m->scale > 0);
		for (unsigned j = 0; j < i; j++)
			assert_string_not_equal(m->name, metrics_table[j].name);
	}
}

/* "| `name{a,b}` | type | help |" */
static char *make_row(const struct metric *m)
{
	auto_strbuf row = { 0 };

	strbuf_addf(&row, "| `%s", m->name);
	for (size_t i = 0; i < METRIC_LABELS && m->labels[i]; i++)
		strbuf_addf(&row, "%s%s", i ? "," : "{", m->labels[i]);
	strbuf_addf(&row, "%s` | %s | %s |\n", m->labels[0] ? "}" : "", metric_type_name(m->type),
		m->help);
	return strbuf_take(&row);
}

/* The rows of doc/metrics.md are those of the table, and no others. */
static void test_doc(void **unused)
{
	const char *srcdir = getenv("srcdir");
	auto_free char *path = alloc_printf("%s/doc/metrics.md", srcdir ? srcdir : ".");
	auto_strbuf doc = { 0 };
	unsigned n = 0;

	assert_int_equal(fd_read_file(path, MIB, &doc), 0);
	for (unsigned i = 0; i < METRICS; i++) {
		auto_free char *row = make_row(&metrics_table[i]);

		if (!strstr(doc.data, row))
			fail_msg("doc/metrics.md lacks: %s", row);
	}
	for (const char *at = doc.data; (at = strstr(at, "\n| `")); at++)
		n++;
	assert_int_equal(n, METRICS);
}

static void test_stat(void **unused)
{
	struct process_usage usage = { 0 };
	int64_t tick_us = 1000000 / sysconf(_SC_CLK_TCK);
	static const char *const bad[] = { "", "1", "1 (x)", "1 (x) ", "1 (x) S 1 1 1",
		"1 (x S 1 1 1 0 -1 0 0 0 0 0 1 2 3 4 20 0 1 0 500 8192 2", ") ", ")  " };

	assert_int_equal(
		process_usage_parse("7 (a) b (c) S 1 1 1 0 -1 0 0 0 0 0 1 2 30 40 20 0 1 0 "
				    "500 8192 2 18446744073709551615 1\n",
			&usage),
		0);
	assert_int_equal(usage.own_cpu_us, 3 * tick_us);
	assert_int_equal(usage.cpu_us, 73 * tick_us);
	assert_int_equal(usage.start_ticks, 500);
	assert_int_equal(usage.virtual_bytes, 8192);
	assert_int_equal(usage.resident_bytes, 2 * sysconf(_SC_PAGESIZE));
	for (size_t i = 0; i < N_ELEMENTS(bad); i++)
		assert_true(process_usage_parse(bad[i], &usage) < 0);
	assert_int_equal(process_usage_read(0, &usage), 0);
	assert_true(usage.resident_bytes > 0);
	assert_true(process_usage_read(INT32_MAX, &usage) < 0);
}

static void test_sums_of_processes(void **unused)
{
	struct process_usage_sum sum = { .cpu_us = 1000 };
	struct process_usage_sum other = { 0 };
	struct process_usage usage = { 0 };
	unsigned n_read = 0;

	assert_false(process_usage_add(&sum, 0, &n_read, 3, &usage)); /* not started yet */
	assert_int_equal(n_read, 0);
	assert_true(process_usage_add(&sum, getpid(), &n_read, 3, &usage));
	assert_int_equal(sum.resident_bytes, usage.resident_bytes);
	assert_int_equal(sum.cpu_us, 1000 + usage.cpu_us);
	assert_false(process_usage_add(&sum, INT32_MAX, &n_read, 3, &usage)); /* has ended */
	assert_true(process_usage_add(&other, getpid(), &n_read, 3, &usage));
	assert_false(sum.is_partial || other.is_partial);
	assert_false(process_usage_add(&other, getpid(), &n_read, 3, &usage)); /* one too many */
	assert_int_equal(n_read, 3);
	assert_true(other.is_partial);
	assert_false(sum.is_partial);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain),
		cmocka_unit_test(test_open),
		cmocka_unit_test(test_escapes),
		cmocka_unit_test(test_seconds),
		cmocka_unit_test(test_histogram),
		cmocka_unit_test(test_scaled_histogram),
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_doc),
		cmocka_unit_test(test_stat),
		cmocka_unit_test(test_sums_of_processes),
	};

	if (argc == 2 && streq(argv[1], "--rows")) { /* for doc/metrics.md */
		for (unsigned i = 0; i < METRICS; i++) {
			auto_free char *row = make_row(&metrics_table[i]);

			(void)fputs(row, stdout);
		}
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
