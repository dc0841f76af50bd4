/* See errlog.h. Foreign bytes: a line is cut at ERRLOG_LINE bytes, what is not UTF-8 is replaced (the
 * last words become part of JSON texts), and lines are rate-limited. */
#include "supervisor/fleet/errlog.h"

#include <errno.h>

#include "shared/alloc.h"
#include "shared/fd.h"
#include "shared/utf8.h"

enum {
	ERRLOG_LINE = 2048,
	ERRLOG_TAIL = 5,
	ERRLOG_BURST = 200,
	READS_PER_TURN = 4,
};

struct errlog {
	struct event *readable;
	const struct log_about *about;
	struct strbuf line;
	char *tail[ERRLOG_TAIL]; /* a ring: tail[n % ERRLOG_TAIL] is the oldest */
	unsigned n_lines;
	struct log_limit limit;
	int fd;
};

/* "<4>" at the beginning of a line is its level, as services say it (sd-daemon(3)); it is taken away. */
static enum log_level take_level(const struct strbuf *line, size_t *ret_skip)
{
	int level;

	*ret_skip = 0;
	if (line->len < 3 || line->data[0] != '<' || line->data[2] != '>' || line->data[1] < '0' ||
		line->data[1] > '7')
		return LOG_LEVEL_INFO;
	*ret_skip = 3;
	level = line->data[1] - '0';
	return level < LOG_LEVEL_ERROR ? LOG_LEVEL_ERROR : (enum log_level)level;
}

static void end_line(struct errlog *log)
{
	char **slot = &log->tail[log->n_lines % ERRLOG_TAIL];
	auto_strbuf text = { 0 };
	enum log_level level;
	size_t skip;

	if (log->line.len == 0)
		return;
	level = take_level(&log->line, &skip);
	utf8_repair(&text, log->line.data + skip, log->line.len - skip);
	if (log_limit_ok(&log->limit, ERRLOG_BURST, log->about->worker))
		log_write(level, log->about, 0, "%s: %s", log->about->worker, strbuf_get(&text));
	free(*slot);
	*slot = strbuf_take(&text);
	log->n_lines++;
	strbuf_cut(&log->line, 0);
}

static void take(struct errlog *log, const char *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (bytes[i] == '\n')
			end_line(log);
		else if (log->line.len < ERRLOG_LINE)
			strbuf_addc(&log->line, (char)(bytes[i] ? bytes[i] : '?'));
	}
}

static ssize_t read_some(struct errlog *log)
{
	char bytes[4096];
	ssize_t n = read(log->fd, bytes, sizeof(bytes));

	if (n > 0)
		take(log, bytes, (size_t)n);
	return n;
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct errlog *log = arg;
	ssize_t n = 1;

	for (int i = 0; i < READS_PER_TURN && n > 0; i++)
		n = read_some(log);
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		(void)event_del(log->readable);
}

struct errlog *errlog_new(struct loop *loop, int fd, const struct log_about *about)
{
	struct errlog *log = alloc_zero(sizeof(*log));

	log->fd = fd;
	log->about = about;
	log->readable = loop_watch(loop, fd, EV_READ | EV_PERSIST, on_readable, log);
	(void)event_add(log->readable, NULL);
	return log;
}

void errlog_free(struct errlog *log)
{
	if (!log)
		return;
	ev_free(log->readable);
	(void)fd_close(log->fd);
	strbuf_done(&log->line);
	for (int i = 0; i < ERRLOG_TAIL; i++)
		free(log->tail[i]);
	free(log);
}

void errlog_drain(struct errlog *log)
{
	/* A grandchild may hold the pipe and go on writing: bounded. */
	for (int i = 0; i < 64; i++)
		if (read_some(log) <= 0)
			break;
	end_line(log);
}

void errlog_add_tail(const struct errlog *log, struct strbuf *out)
{
	const char *separator = "";

	for (unsigned i = 0; i < ERRLOG_TAIL; i++) {
		const char *line = log->tail[(log->n_lines + i) % ERRLOG_TAIL];

		if (!line)
			continue;
		strbuf_adds(out, separator);
		strbuf_adds(out, line);
		separator = " | ";
	}
}
