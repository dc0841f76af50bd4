/* See log.h.
 *
 * A line is one write(2) or one journal datagram, so lines of several processes do not mix. */
#include "shared/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include "shared/alloc.h"
#include "shared/clock.h"
#include "shared/fd.h"
#include "shared/utf8.h"

enum { LIMIT_WINDOW_MS = 10000, MAX_FIELDS = 24 };

static struct {
	const char *ident;
	enum log_target target;
	enum log_level max_level;
	log_journal_fn *journal; /* NULL: this program has none */
	log_tap_fn *tap;         /* NULL: none */
	void *tap_arg;
	bool is_tapping; /* the tap is running */
	uint64_t counts[LOG_LEVEL_DEBUG + 1];
} state = { .ident = "mcp-fleet", .target = LOG_TARGET_TEXT, .max_level = LOG_LEVEL_INFO };

/* systemd sets JOURNAL_STREAM to device:inode of the socket it gave us as standard error. */
static bool stderr_is_journal(void)
{
	const char *text = getenv("JOURNAL_STREAM");
	unsigned long long device;
	unsigned long long inode;
	struct stat st;
	char *rest;

	if (!text)
		return false;
	device = strtoull(text, &rest, 10);
	if (*rest != ':')
		return false;
	inode = strtoull(rest + 1, &rest, 10);
	if (*rest)
		return false;
	return fstat(STDERR_FILENO, &st) == 0 && st.st_dev == device && st.st_ino == inode;
}

void log_set_journal(log_journal_fn *journal)
{
	state.journal = journal;
}

void log_init(const char *ident, enum log_target target, enum log_level max_level)
{
	if (target == LOG_TARGET_AUTO)
		target = stderr_is_journal() ? LOG_TARGET_JOURNAL : LOG_TARGET_TEXT;
	if (target == LOG_TARGET_JOURNAL && !state.journal)
		target = LOG_TARGET_TEXT;
	if (target == LOG_TARGET_WORKER && !getenv(LOG_WORKER_MARK))
		target = LOG_TARGET_TEXT;
	state.ident = ident;
	state.target = target;
	state.max_level = max_level;
}

bool log_is_on(enum log_level level)
{
	return level <= state.max_level;
}

uint64_t log_get_count(enum log_level level)
{
	return state.counts[level];
}

const char *log_level_name(enum log_level level)
{
	switch (level) {
	case LOG_LEVEL_ERROR:
		return "error";
	case LOG_LEVEL_WARNING:
		return "warning";
	case LOG_LEVEL_NOTICE:
		return "notice";
	case LOG_LEVEL_INFO:
		return "info";
	case LOG_LEVEL_DEBUG:
		return "debug";
	}
	return "info";
}

enum form {
	TEXT, /* for JSON it has to be quoted */
	JSON, /* it is JSON already */
};

typedef void add_field_fn(struct strbuf *out, const char *name, const char *value, enum form form);

/* Calls `add` for each field that is set. */
static void each_field(const struct log_about *about, add_field_fn *add, struct strbuf *out)
{
	char number[24];

	if (!about)
		return;
	const struct {
		const char *name;
		const char *value;
		enum form form;
	} texts[] = { { "domain", about->domain, TEXT }, { "worker", about->worker, TEXT },
		{ "session_id", about->session, TEXT }, { "tool", about->tool, TEXT },
		{ "client_ip", about->client, TEXT }, { "key", about->key, TEXT },
		{ "trace_id", about->trace, TEXT }, { "audit", about->audit, JSON } };

	for (size_t i = 0; i < N_ELEMENTS(texts); i++)
		if (texts[i].value && *texts[i].value)
			add(out, texts[i].name, texts[i].value, texts[i].form);
	if (about->call) {
		(void)snprintf(number, sizeof(number), "%llu", (unsigned long long)about->call);
		add(out, "call", number, JSON);
	}
	if (about->pid) {
		(void)snprintf(number, sizeof(number), "%lld", (long long)about->pid);
		add(out, "worker_pid", number, JSON);
	}
	if (about->duration_us) {
		(void)snprintf(number, sizeof(number), "%.6f", (double)about->duration_us / 1e6);
		add(out, "duration", number, JSON);
	}
}

static void add_text_field(struct strbuf *out, const char *name, const char *value, enum form form)
{
	strbuf_addf(out, " %s=", name);
	log_add_clean(out, value);
}

/* What came from a peer may be no UTF-8. */
static void add_json_text(struct strbuf *out, const char *text)
{
	auto_strbuf clean = { 0 };

	utf8_repair(&clean, text, strlen(text));
	strbuf_add_json(out, strbuf_get(&clean), clean.len);
}

static void add_json_field(struct strbuf *out, const char *name, const char *value, enum form form)
{
	strbuf_addf(out, ",\"%s\":", name);
	if (form == JSON)
		strbuf_adds(out, value);
	else
		add_json_text(out, value);
}

/* What came from a peer may hold line breaks and escapes for a terminal: one line stays one line. C1 (U+0080 to
 * U+009F) is two bytes in UTF-8. */
static void defuse(char *text)
{
	for (unsigned char *at = (unsigned char *)text; *at; at++) {
		if (*at < 0x20 || *at == 0x7f)
			*at = '?';
		else if (*at == 0xc2 && at[1] >= 0x80 && at[1] < 0xa0)
			at[0] = at[1] = '?';
	}
}

static void write_text(enum log_level level, const struct log_about *about, const char *text)
{
	auto_strbuf line = { 0 };
	char now[CLOCK_TEXT_SIZE];

	clock_wall_text(now);
	if (state.target == LOG_TARGET_WORKER) /* when and who is known to who reads it */
		strbuf_addf(&line, "<%d>", (int)level);
	else
		strbuf_addf(&line, "%s %s %s: ", now, state.ident, log_level_name(level));
	log_add_clean(&line, text);
	each_field(about, add_text_field, &line);
	strbuf_addc(&line, '\n');
	(void)!write(STDERR_FILENO, line.data, line.len);
}

static void write_json(enum log_level level, const struct log_about *about, const char *text)
{
	auto_strbuf line = { 0 };
	char now[CLOCK_TEXT_SIZE];

	clock_wall_text(now);
	strbuf_addf(&line, "{\"time\":\"%s\",\"level\":\"%s\",\"message\":", now,
		log_level_name(level));
	add_json_text(&line, text);
	each_field(about, add_json_field, &line);
	strbuf_adds(&line, "}\n");
	(void)!write(STDERR_FILENO, line.data, line.len);
}

static void add_journal_field(
	struct strbuf *out, const char *name, const char *value, enum form form)
{
	for (; *name; name++)
		strbuf_addc(out, (char)(*name >= 'a' && *name <= 'z' ? *name - 'a' + 'A' : *name));
	strbuf_addc(out, '=');
	log_add_clean(out, value); /* journalctl -o cat prints it as it is */
	strbuf_addc(out, '\0');
}

/* `fields` holds NAME=value texts with a NUL behind each. */
static void write_journal(enum log_level level, const struct log_about *about, const char *text)
{
	auto_strbuf fields = { 0 };
	struct iovec iov[MAX_FIELDS];
	char priority[2] = { (char)('0' + level), '\0' };
	int n = 0;

	add_journal_field(&fields, "message", text, TEXT);
	add_journal_field(&fields, "priority", priority, TEXT);
	add_journal_field(&fields, "syslog_identifier", state.ident, TEXT);
	each_field(about, add_journal_field, &fields);
	for (char *at = fields.data; at < fields.data + fields.len && n < MAX_FIELDS; n++) {
		iov[n].iov_base = at;
		iov[n].iov_len = strlen(at);
		at += iov[n].iov_len + 1;
	}
	state.journal(iov, n);
}

void log_add_clean(struct strbuf *out, const char *text)
{
	size_t start = out->len;

	utf8_repair(out, text, strlen(text));
	if (out->data)
		defuse(out->data + start);
}

void log_set_tap(log_tap_fn *tap, void *arg)
{
	state.tap = tap;
	state.tap_arg = arg;
}

static void tell_tap(enum log_level level, const struct log_about *about, const char *text)
{
	auto_strbuf clean = { 0 };

	if (!state.tap || state.is_tapping)
		return;
	log_add_clean(&clean, text);
	state.is_tapping = true;
	state.tap(state.tap_arg, level, about, strbuf_get(&clean), clock_wall_ms());
	state.is_tapping = false;
}

void log_write(enum log_level level, const struct log_about *about, int err, const char *fmt, ...)
{
	auto_strbuf text = { 0 };
	va_list args;

	if (!log_is_on(level) && !(about && about->audit))
		return;
	state.counts[level]++;
	va_start(args, fmt);
	strbuf_addv(&text, fmt, args);
	va_end(args);
	if (err)
		strbuf_addf(&text, ": %s", strerror(err < 0 ? -err : err));
	if (state.target == LOG_TARGET_JOURNAL)
		write_journal(level, about, strbuf_get(&text));
	else if (state.target == LOG_TARGET_JSON)
		write_json(level, about, strbuf_get(&text));
	else
		write_text(level, about, strbuf_get(&text));
	tell_tap(level, about, strbuf_get(&text));
}

bool log_limit_ok(struct log_limit *limit, unsigned burst, const char *what)
{
	int64_t now = clock_now_ms();

	if (!limit->since_ms || now - limit->since_ms >= LIMIT_WINDOW_MS) {
		if (limit->n_dropped)
			log_warn("%s: %u more lines were left out", what, limit->n_dropped);
		*limit = (struct log_limit){ .since_ms = now };
	}
	if (limit->n_lines >= burst) {
		limit->n_dropped++;
		return false;
	}
	limit->n_lines++;
	return true;
}
