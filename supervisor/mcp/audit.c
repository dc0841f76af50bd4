/* See audit.h. */
#include "supervisor/mcp/audit.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "shared/alloc.h"
#include "shared/clock.h"
#include "shared/fd.h"
#include "shared/jspan.h"
#include "shared/limits.h"
#include "shared/log.h"
#include "supervisor/mcp/catalog.h"

enum {
	MAX_ARGUMENTS = 64,
	MAX_NAME_BYTES = 256,
	MAX_VALUES_BYTES = 64 * KIB,
	SESSION_SHOWN = 8, /* characters of the id: enough to find it, too few to speak for it */
	FILE_MODE = 0640,
};

struct audit {
	bool to_log;
	bool values;
	int fd; /* of the file; -1: none */
	char *path;
	uint64_t n_dropped;
	struct log_limit log;
};

struct audit_call {
	char *tool;
	struct strbuf record; /* all but its end */
};

/* --- the record ---------------------------------------------------------------------------------- */

static void add_text(struct strbuf *out, const char *name, const char *value)
{
	auto_strbuf clean = { 0 };

	if (!value || !*value)
		return;
	log_add_clean(&clean, value);
	strbuf_addf(out, ",\"%s\":", name);
	strbuf_add_json(out, clean.data, clean.len);
}

static void add_who(struct strbuf *out, const struct session *session)
{
	const struct principal *principal = session_get_principal(session);
	enum principal_kind kind = principal ? principal->kind : PRINCIPAL_LOCAL;
	struct session_report report;

	session_get_report(session, &report);
	report.id[SESSION_SHOWN] = '\0';
	add_text(out, "kind", principal_kind_name(kind));
	add_text(out, "key", principal ? principal->name : NULL);
	add_text(out, "client_ip", session_get_address(session));
	add_text(out, "transport", report.transport);
	add_text(out, "session", report.id);
	add_text(out, "client", report.client_name);
	if (report.peer.pid)
		strbuf_addf(out, ",\"pid\":%lld,\"uid\":%lld", (long long)report.peer.pid,
			(long long)report.peer.uid);
}

/* [{"name":"path","bytes":12}, …]: a name is a JSON text already. */
static void add_arguments(struct strbuf *out, struct jspan arguments)
{
	struct jspan name;
	struct jspan value;
	size_t cursor = 0;
	unsigned n = 0;

	if (jspan_type(arguments) != JSPAN_OBJECT)
		return;
	strbuf_adds(out, ",\"arguments\":[");
	while (jspan_next(arguments, &cursor, &name, &value)) {
		if (++n > MAX_ARGUMENTS)
			continue;
		strbuf_addf(out, "%s{\"name\":%.*s,\"bytes\":%zu}", n > 1 ? "," : "",
			name.len > MAX_NAME_BYTES ? 2 : (int)name.len,
			name.len > MAX_NAME_BYTES ? "\"\"" : name.at, value.len);
	}
	strbuf_addc(out, ']');
	if (n > MAX_ARGUMENTS)
		strbuf_addf(out, ",\"arguments_more\":%u", n - MAX_ARGUMENTS);
}

static void add_values(struct strbuf *out, struct jspan arguments)
{
	size_t at;

	if (jspan_type(arguments) != JSPAN_OBJECT)
		return;
	if (arguments.len > MAX_VALUES_BYTES) {
		strbuf_adds(out, ",\"values_left_out\":true");
		return;
	}
	strbuf_adds(out, ",\"values\":");
	at = out->len;
	strbuf_add(out, arguments.at, arguments.len);
	jspan_one_line(out->data + at, arguments.len);
}

struct audit_call *audit_begin(
	const struct audit *audit, const struct session *session, const struct audit_ask *ask)
{
	struct audit_call *call;

	if (!audit->to_log && !audit->path)
		return NULL;
	call = alloc_zero(sizeof(*call));
	call->tool = alloc_str(ask->tool);
	strbuf_adds(&call->record, "\"event\":\"tool_call\"");
	add_who(&call->record, session);
	add_text(&call->record, "domain", ask->domain);
	add_text(&call->record, "tool", ask->tool);
	add_text(&call->record, "trace_id", ask->trace);
	if (ask->call)
		strbuf_addf(&call->record, ",\"call\":%llu", (unsigned long long)ask->call);
	add_arguments(&call->record, ask->arguments);
	if (audit->values)
		add_values(&call->record, ask->arguments);
	return call;
}

/* --- where it goes ------------------------------------------------------------------------------- */

static void note_drop(struct audit *audit, int err)
{
	audit->n_dropped++;
	if (log_limit_ok(&audit->log, 1, "lost audit records"))
		(void)log_err(
			err, "cannot write an audit record to '%s' (audit.target)", audit->path);
}

/* One write, so that records of several processes would not mix. */
static void write_to_file(struct audit *audit, const struct strbuf *line)
{
	ssize_t n;

	if (audit->fd < 0) {
		note_drop(audit, EBADF);
		return;
	}
	n = write(audit->fd, line->data, line->len);
	if (n != (ssize_t)line->len)
		note_drop(audit, n < 0 ? errno : ENOSPC);
}

static void free_call(struct audit_call *call)
{
	strbuf_done(&call->record);
	free(call->tool);
	free(call);
}

void audit_end(struct audit *audit, struct audit_call *call, const char *outcome, int code,
	int64_t duration_us)
{
	auto_strbuf line = { 0 };
	char now[CLOCK_TEXT_SIZE];

	if (!call)
		return;
	clock_wall_text(now);
	strbuf_addf(
		&line, "{\"time\":\"%s\",%s,\"outcome\":\"%s\"", now, call->record.data, outcome);
	if (code)
		strbuf_addf(&line, ",\"code\":%d", code);
	strbuf_addf(&line, ",\"duration\":%.6f}", (double)duration_us / 1e6);
	if (audit->to_log) {
		const struct log_about about = { .audit = line.data };

		log_info_about(&about, "audit: %s: %s", call->tool, outcome);
	} else if (audit->path) {
		strbuf_addc(&line, '\n');
		write_to_file(audit, &line);
	}
	free_call(call);
}

uint64_t audit_count_dropped(const struct audit *audit)
{
	return audit->n_dropped;
}

/* --- public -------------------------------------------------------------------------------------- */

void audit_set_conf(struct audit *audit, const struct conf *conf)
{
	const char *target = conf->audit.target;

	audit->values = conf->audit.values;
	audit->to_log = streq(target, "log");
	audit->fd = fd_close(audit->fd);
	free(TAKE(audit->path));
	if (!*target || audit->to_log)
		return;
	audit->path = alloc_str(target);
	audit->fd = open(target, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK,
		FILE_MODE);
	if (audit->fd < 0)
		(void)log_err(
			errno, "cannot open '%s' (audit.target): calls are not recorded", target);
}

struct audit *audit_new(const struct conf *conf)
{
	struct audit *audit = alloc_zero(sizeof(*audit));

	audit->fd = -1;
	audit_set_conf(audit, conf);
	return audit;
}

void audit_free(struct audit *audit)
{
	if (!audit)
		return;
	(void)fd_close(audit->fd);
	free(audit->path);
	free(audit);
}
