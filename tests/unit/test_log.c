/* The log: one line is one line, whatever is in it, on every target. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include <cmocka.h>

#include "shared/clock.h"
#include "shared/fd.h"
#include "shared/log.h"

static const struct log_about about = { .domain = "git",
	.worker = "git/2",
	.tool = "git_log",
	.trace = "0af7651916cd43dd8448eb211c80319c",
	.call = 7,
	.pid = 42 };

/* What a call has, and its record. */
static const struct log_about call = { .session = "0af76519",
	.client = "192.0.2.7",
	.key = "ci",
	.audit = "{\"tool\":\"git_log\"}",
	.duration_us = 1500 };

/* Standard error is a file in memory while a test logs. */
static int file = -1;
static int real_stderr = -1;
static char text[4096];

static void begin(void)
{
	file = memfd_create("log", MFD_CLOEXEC);
	real_stderr = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
	assert_true(file >= 0 && real_stderr >= 0);
	assert_int_equal(dup2(file, STDERR_FILENO), STDERR_FILENO);
}

static const char *end(void)
{
	ssize_t n = pread(file, text, sizeof(text) - 1, 0);

	(void)dup2(real_stderr, STDERR_FILENO);
	real_stderr = fd_close(real_stderr);
	file = fd_close(file);
	text[n < 0 ? 0 : n] = '\0';
	return text;
}

/* What follows the time, "2026-01-31T12:00:00.000Z ". */
static const char *behind_time(const char *line)
{
	return strlen(line) > 25 ? line + 25 : "";
}

static int n_sent;
static char sent[16][64];

static void keep_fields(const struct iovec *fields, int n)
{
	n_sent = n;
	for (int i = 0; i < n; i++)
		(void)snprintf(sent[i], sizeof(sent[i]), "%.*s", (int)fields[i].iov_len,
			(const char *)fields[i].iov_base);
}

static void test_text(void **state)
{
	log_init("prog", LOG_TARGET_TEXT, LOG_LEVEL_INFO);
	begin();
	log_write(LOG_LEVEL_WARNING, &about, -ENOENT, "cannot open '%s'", "a\nb\x1b[31m");
	log_debug("not shown");
	assert_string_equal(behind_time(end()),
		"prog warning: cannot open 'a?b?[31m': No such file or directory domain=git "
		"worker=git/2 tool=git_log trace_id=0af7651916cd43dd8448eb211c80319c call=7 "
		"worker_pid=42\n");
}

static void test_json(void **state)
{
	log_init("prog", LOG_TARGET_JSON, LOG_LEVEL_DEBUG);
	begin();
	log_debug_about(&about, "say \"%s\"\n", "x");
	assert_string_equal(end() + strlen("{\"time\":\"2026-01-31T12:00:00.000Z\","),
		"\"level\":\"debug\",\"message\":\"say \\\"x\\\"\\n\",\"domain\":\"git\","
		"\"worker\":\"git/2\",\"tool\":\"git_log\","
		"\"trace_id\":\"0af7651916cd43dd8448eb211c80319c\",\"call\":7,\"worker_pid\":42}\n");
}

/* The same on each target; a record of the audit at every level. */
static void test_call(void **state)
{
	static const char *const fields[] = { "MESSAGE=done", "PRIORITY=6",
		"SYSLOG_IDENTIFIER=prog", "SESSION_ID=0af76519", "CLIENT_IP=192.0.2.7", "KEY=ci",
		"AUDIT={\"tool\":\"git_log\"}", "DURATION=0.001500" };

	log_init("prog", LOG_TARGET_TEXT, LOG_LEVEL_ERROR);
	begin();
	log_info("not shown");
	log_info_about(&call, "done");
	assert_string_equal(behind_time(end()),
		"prog info: done session_id=0af76519 client_ip=192.0.2.7 key=ci "
		"audit={\"tool\":\"git_log\"} duration=0.001500\n");
	log_init("prog", LOG_TARGET_JSON, LOG_LEVEL_ERROR);
	begin();
	log_info_about(&call, "done");
	assert_string_equal(end() + strlen("{\"time\":\"2026-01-31T12:00:00.000Z\","),
		"\"level\":\"info\",\"message\":\"done\",\"session_id\":\"0af76519\","
		"\"client_ip\":\"192.0.2.7\",\"key\":\"ci\",\"audit\":{\"tool\":\"git_log\"},"
		"\"duration\":0.001500}\n");
	log_set_journal(keep_fields);
	log_init("prog", LOG_TARGET_JOURNAL, LOG_LEVEL_ERROR);
	log_info_about(&call, "done");
	assert_int_equal(n_sent, N_ELEMENTS(fields));
	for (int i = 0; i < n_sent; i++)
		assert_string_equal(sent[i], fields[i]);
	log_set_journal(NULL);
}

/* What peers say may be anything: no terminal obeys it, and the JSON is some. */
static void test_foreign_bytes(void **state)
{
	static const struct log_about odd = { .key = "\xff\xc2\x9b\"" };
	static const char *const fields[] = { "MESSAGE=\xef\xbf\xbd?[31m?", "PRIORITY=6",
		"SYSLOG_IDENTIFIER=prog", "KEY=\xef\xbf\xbd??\"" };

	log_init("prog", LOG_TARGET_TEXT, LOG_LEVEL_INFO);
	begin();
	log_info_about(&odd, "%s", "\xfe\xc2\x9b\x7f\xc2\xa0");
	assert_string_equal(
		behind_time(end()), "prog info: \xef\xbf\xbd???\xc2\xa0 key=\xef\xbf\xbd??\"\n");
	log_init("prog", LOG_TARGET_JSON, LOG_LEVEL_INFO);
	begin();
	log_info_about(&odd, "%s", "\xfe\n");
	assert_string_equal(end() + strlen("{\"time\":\"2026-01-31T12:00:00.000Z\","),
		"\"level\":\"info\",\"message\":\"\xef\xbf\xbd\\n\","
		"\"key\":\"\xef\xbf\xbd\xc2\x9b\\\"\"}\n");
	log_set_journal(keep_fields);
	log_init("prog", LOG_TARGET_JOURNAL, LOG_LEVEL_INFO);
	log_info_about(&odd, "%s", "\xfe\x1b[31m\n");
	assert_int_equal(n_sent, N_ELEMENTS(fields));
	for (int i = 0; i < n_sent; i++)
		assert_string_equal(sent[i], fields[i]);
	log_set_journal(NULL);
}

static void test_returns(void **state)
{
	log_init("prog", LOG_TARGET_TEXT, LOG_LEVEL_INFO);
	begin();
	assert_int_equal(log_err(-EIO, "broken"), -EIO);
	assert_string_equal(behind_time(end()), "prog error: broken: Input/output error\n");
}

static void test_journal(void **state)
{
	static const char *const fields[] = { "MESSAGE=two?lines", "PRIORITY=4",
		"SYSLOG_IDENTIFIER=prog", "DOMAIN=git", "WORKER=git/2", "TOOL=git_log",
		"TRACE_ID=0af7651916cd43dd8448eb211c80319c", "CALL=7", "WORKER_PID=42" };

	log_set_journal(keep_fields);
	log_init("prog", LOG_TARGET_JOURNAL, LOG_LEVEL_INFO);
	begin();
	log_warn_about(&about, "two\nlines");
	assert_string_equal(end(), "");
	assert_int_equal(n_sent, N_ELEMENTS(fields));
	for (int i = 0; i < n_sent; i++)
		assert_string_equal(sent[i], fields[i]);
	log_set_journal(NULL);
}

/* Standard error is the journal when it is the very socket that JOURNAL_STREAM names. */
static void test_auto(void **state)
{
	static const struct {
		const char *between, *behind;
		bool is_journal;
	} cases[] = { { ":", "", true }, { ":1", "", false }, { " ", "", false },
		{ ":", "x", false } };

	log_set_journal(keep_fields);
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		char stream[64];
		struct stat st;

		begin();
		assert_int_equal(fstat(STDERR_FILENO, &st), 0);
		(void)snprintf(stream, sizeof(stream), "%llu%s%llu%s",
			(unsigned long long)st.st_dev, cases[i].between,
			(unsigned long long)st.st_ino, cases[i].behind);
		assert_int_equal(setenv("JOURNAL_STREAM", stream, 1), 0);
		log_init("prog", LOG_TARGET_AUTO, LOG_LEVEL_INFO);
		log_info("hello");
		assert_int_equal(*end() == '\0', cases[i].is_journal);
	}
	assert_int_equal(unsetenv("JOURNAL_STREAM"), 0);
	log_set_journal(NULL);
}

/* A program that has no journal logs as text. */
static void test_no_journal(void **state)
{
	log_init("prog", LOG_TARGET_JOURNAL, LOG_LEVEL_INFO);
	begin();
	log_info("hello");
	assert_string_equal(behind_time(end()), "prog info: hello\n");
}

static void test_limit(void **state)
{
	struct log_limit limit = { 0 };
	int n = 0;

	for (int i = 0; i < 10; i++)
		n += log_limit_ok(&limit, 3, "things");
	assert_int_equal(n, 3);
	assert_int_equal(limit.n_dropped, 7);
	limit.since_ms -= 20000;
	log_init("prog", LOG_TARGET_TEXT, LOG_LEVEL_INFO);
	begin();
	assert_true(log_limit_ok(&limit, 3, "things"));
	assert_string_equal(
		behind_time(end()), "prog warning: things: 7 more lines were left out\n");
}

static struct {
	int n;
	enum log_level level;
	const struct log_about *about;
	char text[64];
	int64_t wall_ms;
} tapped;

static void on_tap(void *arg, enum log_level level, const struct log_about *of, const char *line,
	int64_t wall_ms)
{
	assert_ptr_equal(arg, &tapped);
	tapped.n++;
	tapped.level = level;
	tapped.about = of;
	tapped.wall_ms = wall_ms;
	(void)snprintf(tapped.text, sizeof(tapped.text), "%s", line);
	log_warn("said by the tap"); /* is not told to it again */
}

/* For each target; the line itself is what it would be without. */
static void test_tap(void **state)
{
	static const enum log_target targets[] = { LOG_TARGET_TEXT, LOG_TARGET_JSON,
		LOG_TARGET_JOURNAL };

	log_set_journal(keep_fields);
	log_set_tap(on_tap, &tapped);
	for (size_t i = 0; i < N_ELEMENTS(targets); i++) {
		int64_t before_ms = clock_wall_ms();

		tapped.n = 0;
		log_init("prog", targets[i], LOG_LEVEL_INFO);
		begin();
		(void)log_err_about(&about, -EIO, "a\nb\xff");
		log_debug("not shown");
		const char *written = end();
		if (targets[i] != LOG_TARGET_JOURNAL)
			assert_non_null(strstr(written, "said by the tap"));
		assert_int_equal(tapped.n, 1);
		assert_int_equal(tapped.level, LOG_LEVEL_ERROR);
		assert_ptr_equal(tapped.about, &about);
		assert_string_equal(tapped.text, "a?b\xef\xbf\xbd: Input/output error");
		assert_in_range(tapped.wall_ms, before_ms, clock_wall_ms());
	}
	log_set_tap(NULL, NULL);
	log_info("hello");
	assert_int_equal(tapped.n, 1);
	log_set_journal(NULL);
}

static void test_wall_time(void **state)
{
	char words[CLOCK_TEXT_SIZE];

	clock_ms_text(INT64_C(1769860800123), words);
	assert_string_equal(words, "2026-01-31T12:00:00.123Z");
	assert_string_equal(log_level_name(LOG_LEVEL_NOTICE), "notice");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_call),
		cmocka_unit_test(test_foreign_bytes),
		cmocka_unit_test(test_returns),
		cmocka_unit_test(test_journal),
		cmocka_unit_test(test_auto),
		cmocka_unit_test(test_no_journal),
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_tap),
		cmocka_unit_test(test_wall_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
