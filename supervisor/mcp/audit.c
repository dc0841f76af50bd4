/* See audit.h. */
#include "supervisor/mcp/audit.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shared/alloc.h"
#include "shared/clock.h"
#include "shared/fd.h"
#include "shared/jspan.h"
#include "shared/limits.h"
#include "shared/log.h"
#include "supervisor/mcp/audit_flood.h"
#include "supervisor/stats.h"

enum {
	MAX_ARGUMENTS = 64,
	MAX_NAME_BYTES = 256, /* of an argument, as it is written in JSON */
	MAX_TEXT_BYTES = 256,
	MAX_VALUES_BYTES = 64 * KIB,
	FILE_MODE = 0640,
};

struct audit {
	bool to_log;
	bool values;
	int fd;       /* of the file; -1: none, */
	int why;      /* errno of its open(2) */
	char *path;   /* NULL: no file is wanted */
	bool is_torn; /* it ends within a record, for want of room */
	struct log_limit log;
	struct audit_flood refusals;
};

/* Of this process; those who refuse are in all layers. */
static struct audit *the_audit;

struct audit_call {
	char *tool;           /* for people: cut, clean */
	struct strbuf record; /* all but its end */
};

/* --- the record ---------------------------------------------------------------------------------- */

/* An unknown tool may have a name of any length. */
static void add_cut(struct strbuf *out, const char *text)
{
	auto_free char *cut = alloc_mem(text, strnlen(text, MAX_TEXT_BYTES));

	log_add_clean(out, cut);
}

static void add_text(struct strbuf *out, const char *name, const char *value)
{
	auto_strbuf clean = { 0 };

	if (!value || !*value)
		return;
	add_cut(&clean, value);
	strbuf_addf(out, ",\"%s\":", name);
	strbuf_add_json(out, clean.data, clean.len);
}

static void add_who(struct strbuf *out, const struct session *session)
{
	const struct principal *principal = session_get_principal(session);
	enum principal_kind kind = session_is_stdio(session) ? PRINCIPAL_LOCAL : PRINCIPAL_ANYBODY;
	struct session_report report;
	char id[SESSION_SHOWN_TEXT];

	session_get_report(session, &report);
	session_get_shown_id(session, id);
	add_text(out, "kind", principal_kind_name(principal ? principal->kind : kind));
	add_text(out, "key", principal ? principal->name : NULL);
	add_text(out, "client_ip", session_get_address(session));
	add_text(out, "transport", report.transport);
	add_text(out, "session", id);
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
	if (jspan_type(arguments) != JSPAN_OBJECT)
		return;
	if (arguments.len > MAX_VALUES_BYTES) {
		strbuf_adds(out, ",\"values_left_out\":true");
		return;
	}
	strbuf_adds(out, ",\"values\":");
	/* Control characters stand between the tokens only, where they mean the same as a blank. */
	for (size_t i = 0; i < arguments.len; i++) {
		bool is_control = (unsigned char)arguments.at[i] < 0x20;

		strbuf_addc(out, (char)(is_control ? ' ' : arguments.at[i]));
	}
}

struct audit_call *audit_begin(
	const struct audit *audit, const struct session *session, const struct audit_ask *ask)
{
	struct audit_call *call;
	auto_strbuf tool = { 0 };

	if (!audit->to_log && !audit->path)
		return NULL;
	call = alloc_zero(sizeof(*call));
	add_cut(&tool, ask->tool);
	call->tool = strbuf_take(&tool);
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

static void note_lost(struct audit *audit, int err)
{
	stats_audit_lost();
	if (log_limit_ok(&audit->log, 1, "lost audit records"))
		(void)log_err(
			err, "cannot write an audit record to '%s' (audit.target)", audit->path);
}

/* One write, so that records of several processes would not mix. */
static void write_to_file(struct audit *audit, const struct strbuf *line)
{
	ssize_t n;

	if (audit->fd < 0) {
		note_lost(audit, audit->why);
		return;
	}
	/* What a full disk cut off must not spoil the record behind it, too. */
	if (audit->is_torn && write(audit->fd, "\n", 1) == 1)
		audit->is_torn = false;
	n = write(audit->fd, line->data, line->len);
	if (n == (ssize_t)line->len)
		return;
	audit->is_torn |= n > 0;
	note_lost(audit, n < 0 ? errno : ENOSPC);
}

static void free_call(struct audit_call *call)
{
	strbuf_done(&call->record);
	free(call->tool);
	free(call);
}

void audit_end(struct audit *audit, struct audit_call *call, const struct log_about *about,
	const char *outcome, int code)
{
	auto_strbuf line = { 0 };
	struct log_about audited = *about;
	char now[CLOCK_TEXT_SIZE];

	if (!call)
		return;
	clock_wall_text(now);
	strbuf_addf(&line, "{\"time\":\"%s\",%s", now, call->record.data);
	add_text(&line, "worker", about->worker);
	strbuf_addf(&line, ",\"outcome\":\"%s\"", outcome);
	if (code)
		strbuf_addf(&line, ",\"code\":%d", code);
	strbuf_addf(&line, ",\"duration\":%.6f}", (double)about->duration_us / 1e6);
	if (audit->to_log) {
		audited.audit = line.data;
		log_info_about(&audited, "audit: %s: %s", call->tool, outcome);
	} else if (audit->path) {
		strbuf_addc(&line, '\n');
		write_to_file(audit, &line);
	}
	free_call(call);
}

static void add_refusal(struct strbuf *line, const struct audit_refusal *refusal)
{
	const struct principal *principal = refusal->principal;

	strbuf_adds(line, "\"event\":\"refused\"");
	add_text(line, "reason", refusal->reason);
	if (refusal->status)
		strbuf_addf(line, ",\"status\":%d", refusal->status);
	add_text(line, "why", refusal->why);
	add_text(line, "detail", refusal->detail);
	if (principal)
		add_text(line, "kind", principal_kind_name(principal->kind));
	add_text(line, "key", principal ? principal->name : NULL);
	add_text(line, "owner", refusal->owner);
	add_text(line, "client_ip", refusal->address);
	add_text(line, "method", refusal->method);
	add_text(line, "endpoint", refusal->endpoint);
	add_text(line, "domain", refusal->domain);
	if (refusal->pid)
		strbuf_addf(line, ",\"pid\":%lld,\"uid\":%lld", refusal->pid, refusal->uid);
}

void audit_refused(const struct audit_refusal *refusal)
{
	struct audit *audit = the_audit;
	auto_strbuf line = { 0 };
	char now[CLOCK_TEXT_SIZE];
	uint64_t left_out;

	if (!audit || (!audit->to_log && !audit->path) ||
		!audit_flood_admit(&audit->refusals, refusal->address ? refusal->address : "",
			refusal->reason, clock_now_ms(), &left_out))
		return;
	clock_wall_text(now);
	strbuf_addf(&line, "{\"time\":\"%s\",", now);
	add_refusal(&line, refusal);
	if (left_out)
		strbuf_addf(&line, ",\"left_out\":%llu", (unsigned long long)left_out);
	strbuf_addc(&line, '}');
	if (audit->to_log) {
		const struct log_about about = { .client = refusal->address,
			.key = refusal->principal ? refusal->principal->name : NULL,
			.domain = refusal->domain,
			.audit = line.data };

		log_info_about(&about, "audit: refused: %s", refusal->reason);
	} else {
		strbuf_addc(&line, '\n');
		write_to_file(audit, &line);
	}
}

/* A full disk, or a daemon that was killed, may have left a part of a record. What is no file keeps what is known. */
static bool ends_within_record(const struct audit *audit)
{
	auto_close int reader = -1;
	struct stat st;
	char last = '\n';

	if (fstat(audit->fd, &st) < 0 || !S_ISREG(st.st_mode))
		return audit->is_torn;
	reader = open(audit->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (reader < 0 || st.st_size == 0 || pread(reader, &last, 1, st.st_size - 1) != 1)
		return false;
	return last != '\n';
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
	audit->why = errno;
	if (audit->fd >= 0)
		audit->is_torn = ends_within_record(audit);
	else
		(void)log_err(audit->why,
			"cannot open '%s' (audit.target): calls are not recorded until a reload "
			"finds it writable",
			target);
}

struct audit *audit_new(const struct conf *conf)
{
	struct audit *audit = alloc_zero(sizeof(*audit));

	audit->fd = -1;
	audit_set_conf(audit, conf);
	the_audit = audit;
	return audit;
}

void audit_free(struct audit *audit)
{
	if (!audit)
		return;
	if (the_audit == audit)
		the_audit = NULL;
	(void)fd_close(audit->fd);
	free(audit->path);
	free(audit);
}
