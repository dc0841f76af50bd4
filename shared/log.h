/* The log: journald with fields, or text or JSON lines on standard error.
 *
 * Who handles an error logs it, once; shared/ itself never logs above debug. Every line that has a
 * domain, worker, session, tool or call says so in fields. Secrets and file contents never. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "shared/cleanup.h"

/* The levels of syslog(3), so that journald needs no table. */
enum log_level {
	LOG_LEVEL_ERROR = 3,
	LOG_LEVEL_WARNING = 4,
	LOG_LEVEL_NOTICE = 5,
	LOG_LEVEL_INFO = 6,
	LOG_LEVEL_DEBUG = 7,
};

enum log_target {
	LOG_TARGET_AUTO, /* journal when standard error is connected to it, else text */
	LOG_TARGET_TEXT,
	LOG_TARGET_JSON,
	LOG_TARGET_JOURNAL,
	/* Of a program that mcp-fleetd starts: a line is "<4>text", which it puts into its own log at that
	 * level (sd-daemon(3)); started by somebody else: text. */
	LOG_TARGET_WORKER,
};

/* In the environment of whatever mcp-fleetd has started. */
#define LOG_WORKER_MARK "MCP_FLEET_WORKER"

/* What a line is about; NULL and 0 are left out. */
struct log_about {
	const char *domain;
	const char *worker; /* "git/2" */
	const char *session;
	const char *tool;
	const char *client; /* its address */
	const char *key;    /* the name of the key, or of a token's subject, that it has shown */
	const char *trace;  /* the trace id of W3C Trace Context, 32 hexadecimal digits */
	const char *
		audit; /* a record of the audit, a JSON object: such a line is written at any level */
	uint64_t call;
	int64_t pid;
	int64_t duration_us; /* told in seconds */
};

/* Lets LOG_TARGET_JOURNAL work (without this it is text): call it before log_init(). It stands in
 * log_journal.c, so that only programs that call it load libsystemd: in a worker that would be
 * half a megabyte for nothing. Does nothing where the build has no libsystemd. */
void log_use_journal(void);

/* What it sets; also for tests. The fields are texts of the form NAME=value. */
struct iovec;
typedef void log_journal_fn(const struct iovec *fields, int n);
void log_set_journal(log_journal_fn *journal);

/* `ident` is the program's name, borrowed for good. May be called again (reload). */
void log_init(const char *ident, enum log_target target, enum log_level max_level);

bool log_is_on(enum log_level level);

/* One line. `err` is 0 or an errno value of either sign, whose text is put behind. */
void log_write(enum log_level level, const struct log_about *about, int err, const char *fmt, ...)
	printf_like(4, 5);

/* Lines of this level that were written since the start. */
uint64_t log_get_count(enum log_level level);

/* "warning" */
const char *log_level_name(enum log_level level);

/* Appends `text` as it may stand in a line: control characters become ?, what is not UTF-8 becomes U+FFFD. */
struct strbuf; /* shared/strbuf.h */
void log_add_clean(struct strbuf *out, const char *text);

/* Hears each line that is written, whatever the target: its text (clean, without the fields), what it is about
 * (as it was given; may be NULL) and when (clock_wall_ms()); borrowed. What is logged inside of it is written, but
 * not heard. */
typedef void log_tap_fn(void *arg, enum log_level level, const struct log_about *about,
	const char *text, int64_t wall_ms);
void log_set_tap(log_tap_fn *tap, void *arg); /* NULL: nobody hears */

/* These return `r`, so that `return log_err(r, "cannot …");` works. */
#define log_err(r, ...) log_write_and(LOG_LEVEL_ERROR, NULL, (r), __VA_ARGS__)
#define log_err_about(about, r, ...) log_write_and(LOG_LEVEL_ERROR, (about), (r), __VA_ARGS__)
#define log_warn(...) log_write(LOG_LEVEL_WARNING, NULL, 0, __VA_ARGS__)
#define log_warn_about(about, ...) log_write(LOG_LEVEL_WARNING, (about), 0, __VA_ARGS__)
#define log_notice(...) log_write(LOG_LEVEL_NOTICE, NULL, 0, __VA_ARGS__)
#define log_notice_about(about, ...) log_write(LOG_LEVEL_NOTICE, (about), 0, __VA_ARGS__)
#define log_info(...) log_write(LOG_LEVEL_INFO, NULL, 0, __VA_ARGS__)
#define log_info_about(about, ...) log_write(LOG_LEVEL_INFO, (about), 0, __VA_ARGS__)
#define log_debug_about(about, ...)                                                                \
	(log_is_on(LOG_LEVEL_DEBUG) ? log_write(LOG_LEVEL_DEBUG, (about), 0, __VA_ARGS__) : (void)0)
#define log_debug(...) log_debug_about(NULL, __VA_ARGS__)

#define log_write_and(level, about, r, ...)                                                        \
	__extension__({                                                                            \
		int log_r_ = (r);                                                                  \
		log_write((level), (about), log_r_, __VA_ARGS__);                                  \
		log_r_;                                                                            \
	})

/* At most `burst` lines in 10 s from one place; true: log it. Says how many were left out. */
struct log_limit {
	int64_t since_ms;
	unsigned n_lines;
	unsigned n_dropped;
};

bool log_limit_ok(struct log_limit *limit, unsigned burst, const char *what);
