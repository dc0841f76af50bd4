/* mcp-fleetctl status: how the fleet is, or one domain with its processes. */

#include "ctl/args.h"
#include "ctl/client.h"
#include "ctl/domains.h"
#include "ctl/latency.h"
#include "ctl/member.h"
#include "ctl/output.h"
#include "ctl/report.h"
#include "ctl/status_door.h"
#include "shared/clock.h"

/* --- texts ------------------------------------------------------------------------------------- */

static char *clean(const char *text)
{
	auto_strbuf out = { 0 };

	out_clean(&out, text);
	return strbuf_take(&out);
}

static char *duration(int64_t ms)
{
	auto_strbuf out = { 0 };

	out_duration(&out, ms);
	return strbuf_take(&out);
}

static char *percentile(const json_t *latency, double share)
{
	struct latency value = latency_get(latency, NULL, share);
	auto_strbuf out = { 0 };

	latency_add(&out, &value);
	return strbuf_take(&out);
}

/* "name   text" of one of the lines under a heading; nothing where there is no text. */
static void print_fact(const struct ctl *ctl, const char *name, const char *text)
{
	auto_free char *shown = clean(text);

	if (*shown)
		out_line(ctl, COLOR_NONE, "%-15s %s", name, shown);
}

static void print_remedy(const struct ctl *ctl, const char *remedy)
{
	auto_free char *shown = clean(remedy);

	if (*shown)
		out_line(ctl, COLOR_NONE, "    remedy: %s", shown);
}

/* --- the daemon -------------------------------------------------------------------------------- */

static void print_reasons(const struct ctl *ctl, const json_t *reasons)
{
	size_t i;
	json_t *reason;

	json_array_foreach(reasons, i, reason) {
		const char *text = json_string_value(reason);
		auto_free char *shown = clean(text ? text : "");

		out_line(ctl, COLOR_WARN, "  %s", shown);
	}
}

/* Of the daemon itself. */
static void print_usage(const struct ctl *ctl, const json_t *status)
{
	auto_strbuf text = { 0 };

	if (!json_is_integer(json_object_get(status, "memory_bytes")))
		return;
	out_bytes(&text, (uint64_t)member_int(status, "memory_bytes"));
	strbuf_addf(&text, ", processor time %.2f s",
		(double)member_int(status, "cpu_ms") / CLOCK_SECOND_MS);
	print_fact(ctl, "memory", strbuf_get(&text));
}

static void add_listeners(struct strbuf *out, const json_t *listeners)
{
	size_t i;
	json_t *listener;

	json_array_foreach(listeners, i, listener) {
		if (json_is_string(listener))
			strbuf_addf(out, "%s%s", i ? ", " : " at ", json_string_value(listener));
	}
}

static void print_daemon(const struct ctl *ctl, const json_t *status)
{
	bool is_ready = json_is_true(json_object_get(status, "ready"));
	auto_free char *version = clean(member_text(status, "version"));
	auto_free char *uptime = duration(member_int(status, "uptime_ms"));
	const json_t *sessions = json_object_get(status, "sessions");
	auto_strbuf transport = { 0 };
	auto_strbuf counts = { 0 };

	out_line(ctl, is_ready ? COLOR_GOOD : COLOR_WARN, "mcp-fleetd %s, process %lld, up %s: %s",
		version, (long long)member_int(status, "pid"), uptime,
		is_ready ? "ready" : "not ready");
	print_reasons(ctl, json_object_get(status, "reasons"));
	strbuf_adds(&transport, member_text(status, "transport"));
	add_listeners(&transport, json_object_get(status, "listeners"));
	print_fact(ctl, "transport", strbuf_get(&transport));
	print_fact(ctl, "local socket", member_text(status, "local_socket"));
	print_fact(ctl, "settings", member_text(status, "settings"));
	print_fact(ctl, "sandbox", member_text(status, "sandbox"));
	strbuf_addf(&counts, "%lld of at most %lld", (long long)member_int(sessions, "open"),
		(long long)member_int(sessions, "limit"));
	print_fact(ctl, "sessions", strbuf_get(&counts));
	strbuf_cut(&counts, 0);
	strbuf_addf(&counts, "%lld", (long long)member_int(status, "tools"));
	print_fact(ctl, "tools", strbuf_get(&counts));
	print_usage(ctl, status);
	status_door_print(ctl, status);
}

/* --- domains ----------------------------------------------------------------------------------- */

/* A process that is parked, or waits for its next start, is none. */
static size_t count_running(const json_t *processes)
{
	size_t n = 0;
	size_t i;
	json_t *process;

	json_array_foreach(processes, i, process)
		n += member_int(process, "pid") > 0;
	return n;
}

static void add_domain_row(struct table *table, const json_t *domain)
{
	const char *state = member_text(domain, "state");
	const json_t *calls = json_object_get(domain, "calls");
	const json_t *latency = json_object_get(domain, "latency");
	int64_t failed = member_int(calls, "errors") + member_int(calls, "lost") +
			 member_int(calls, "timed_out");
	auto_free char *p50 = percentile(latency, 0.5);
	auto_free char *p99 = percentile(latency, 0.99);

	table_add(table, COLOR_NONE, member_text(domain, "name"));
	table_add(table, out_state_color(state), state);
	table_addf(table, COLOR_NONE, "%lld", (long long)member_int(domain, "tools"));
	table_addf(table, COLOR_NONE, "%zu", count_running(json_object_get(domain, "processes")));
	table_addf(table, member_int(domain, "restarts") ? COLOR_WARN : COLOR_NONE, "%lld",
		(long long)member_int(domain, "restarts"));
	table_addf(table, COLOR_NONE, "%lld", (long long)member_int(calls, "total"));
	table_addf(table, failed ? COLOR_WARN : COLOR_NONE, "%lld", (long long)failed);
	table_addf(table, COLOR_NONE, "%lld", (long long)member_int(calls, "in_flight"));
	table_addf(table, COLOR_NONE, "%lld", (long long)member_int(calls, "queued"));
	table_add(table, COLOR_NONE, p50);
	table_add(table, COLOR_NONE, p99);
}

static void print_domain_table(const struct ctl *ctl, const json_t *domains)
{
	static const struct column columns[] = { { "DOMAIN", false }, { "STATE", false },
		{ "TOOLS", true }, { "PROCS", true }, { "RESTARTS", true }, { "CALLS", true },
		{ "FAILED", true }, { "RUNNING", true }, { "QUEUED", true }, { "P50", true },
		{ "P99", true } };
	auto_(table_freep) struct table *table = table_new(columns, N_ELEMENTS(columns));
	size_t i;
	json_t *domain;

	json_array_foreach(domains, i, domain)
		add_domain_row(table, domain);
	table_print(ctl, table, out_columns());
}

/* "git: …, 5 s ago" and what to do about it. */
static void print_last_error(const struct ctl *ctl, const json_t *domain)
{
	const json_t *error = json_object_get(domain, "last_error");
	const char *state = member_text(domain, "state");
	auto_free char *name = clean(member_text(domain, "name"));
	auto_free char *text = clean(member_text(error, "text"));
	auto_free char *age = duration(member_int(error, "age_ms"));

	if (!json_is_object(error))
		return;
	out_line(ctl, streq(state, "up") || streq(state, "asleep") ? COLOR_DIM : COLOR_BAD,
		"%s: %s, %s ago", name, text, age);
	print_remedy(ctl, member_text(error, "remedy"));
}

static void print_errors(const struct ctl *ctl, const json_t *domains)
{
	bool has_any = false;
	size_t i;
	json_t *domain;

	json_array_foreach(domains, i, domain) {
		if (!has_any && json_is_object(json_object_get(domain, "last_error"))) {
			has_any = true;
			out_line(ctl, COLOR_NONE, "%s", "");
			out_line(ctl, COLOR_BOLD, "Last errors");
		}
		print_last_error(ctl, domain);
	}
}

/* --- the gateway ------------------------------------------------------------------------------- */

static void print_trouble(const struct ctl *ctl, const json_t *item)
{
	auto_free char *error = clean(member_text(item, "error"));

	if (*error)
		out_line(ctl, COLOR_BAD, "    %s", error);
	print_remedy(ctl, member_text(item, "remedy"));
}

/* "git 31/31 registered". */
static void print_registered(const struct ctl *ctl, const char *what, const json_t *item)
{
	const char *state = member_text(item, "state");
	auto_free char *name = clean(member_text(item, "name"));
	auto_free char *shown = clean(state);

	out_line(ctl, out_state_color(state), "  %s%s %lld/%lld %s", what, name,
		(long long)member_int(item, "tools_found"),
		(long long)member_int(item, "tools_wanted"), shown);
	print_trouble(ctl, item);
}

static void print_token(const struct ctl *ctl, const json_t *token)
{
	const json_t *days = json_object_get(token, "days_left");
	auto_free char *expires = clean(member_text(token, "expires"));

	if (json_is_integer(days))
		out_line(ctl, json_integer_value(days) < 7 ? COLOR_WARN : COLOR_NONE,
			"  token expires %s, in %lld days", expires,
			(long long)json_integer_value(days));
}

static void print_drift(const struct ctl *ctl, const json_t *drift)
{
	size_t i;
	json_t *item;

	json_array_foreach(drift, i, item) {
		auto_free char *domain = clean(member_text(item, "domain"));
		auto_free char *what = clean(member_text(item, "what"));
		auto_free char *action = clean(member_text(item, "action"));

		out_line(ctl, COLOR_WARN, "  %s: %s (%s)", domain, what, action);
	}
}

static void print_gateway(const struct ctl *ctl, const json_t *report)
{
	const json_t *gateway = json_object_get(report, "gateway");
	const json_t *server = json_object_get(report, "server");
	const char *state = member_text(gateway, "state");
	auto_free char *url = clean(member_text(gateway, "url"));
	auto_free char *shown = clean(state);
	size_t i;
	json_t *domain;

	if (!json_is_object(report))
		return;
	out_line(ctl, COLOR_NONE, "%s", "");
	if (streq(state, "off") && !*url) {
		out_line(ctl, COLOR_DIM, "%s", "No gateway is known: " REPORT_HOW_TO_REGISTER);
		return;
	}
	out_line(ctl, out_state_color(state), "Gateway %s %s", url, shown);
	print_trouble(ctl, gateway);
	print_token(ctl, json_object_get(gateway, "token"));
	json_array_foreach(json_object_get(report, "domains"), i, domain)
		print_registered(ctl, "", domain);
	if (json_is_object(server))
		print_registered(ctl, "server ", server);
	print_drift(ctl, json_object_get(report, "drift"));
}

/* --- one domain -------------------------------------------------------------------------------- */

static void print_calls(const struct ctl *ctl, const json_t *domain)
{
	const json_t *calls = json_object_get(domain, "calls");
	const json_t *latency = json_object_get(domain, "latency");
	auto_free char *p50 = percentile(latency, 0.5);
	auto_free char *p99 = percentile(latency, 0.99);

	out_line(ctl, COLOR_NONE,
		"%-15s %lld: %lld ok, %lld errors, %lld lost, %lld timed out, %lld cancelled",
		"calls", (long long)member_int(calls, "total"), (long long)member_int(calls, "ok"),
		(long long)member_int(calls, "errors"), (long long)member_int(calls, "lost"),
		(long long)member_int(calls, "timed_out"),
		(long long)member_int(calls, "cancelled"));
	out_line(ctl, COLOR_NONE, "%-15s %lld running, %lld queued", "now",
		(long long)member_int(calls, "in_flight"), (long long)member_int(calls, "queued"));
	if (*p50)
		out_line(ctl, COLOR_NONE, "%-15s half within %s ms, 99 of 100 within %s ms",
			"latency", p50, p99);
}

static void add_usage(struct table *table, const json_t *process)
{
	auto_strbuf memory = { 0 };

	if (json_is_integer(json_object_get(process, "memory_bytes"))) {
		out_bytes(&memory, (uint64_t)member_int(process, "memory_bytes"));
		table_add(table, COLOR_NONE, strbuf_get(&memory));
		table_addf(table, COLOR_NONE, "%.2f s",
			(double)member_int(process, "cpu_ms") / CLOCK_SECOND_MS);
	} else {
		table_add(table, COLOR_NONE, NULL);
		table_add(table, COLOR_NONE, NULL);
	}
}

static void add_process_row(struct table *table, const json_t *process)
{
	const char *state = member_text(process, "state");
	int64_t pid = member_int(process, "pid");
	auto_free char *age = duration(member_int(process, "age_ms"));

	table_add(table, COLOR_NONE, member_text(process, "name"));
	if (pid > 0)
		table_addf(table, COLOR_NONE, "%lld", (long long)pid);
	else
		table_add(table, COLOR_NONE, NULL);
	table_add(table, out_state_color(state), state);
	table_addf(table, COLOR_NONE, "%lld", (long long)member_int(process, "calls"));
	table_addf(table, COLOR_NONE, "%lld", (long long)member_int(process, "answered"));
	table_addf(table, COLOR_NONE, "%lld", (long long)member_int(process, "starts"));
	table_add(table, COLOR_NONE, pid > 0 ? age : NULL);
	add_usage(table, process);
	table_add(table, COLOR_NONE, member_text(process, "session"));
	table_add(table, COLOR_DIM, member_text(process, "last_end"));
}

static void print_processes(const struct ctl *ctl, const json_t *processes)
{
	static const struct column columns[] = { { "PROCESS", false }, { "PID", true },
		{ "STATE", false }, { "RUNNING", true }, { "ANSWERED", true }, { "STARTS", true },
		{ "AGE", true }, { "MEMORY", true }, { "CPU", true }, { "SESSION", false },
		{ "LAST END", false } };
	auto_(table_freep) struct table *table = table_new(columns, N_ELEMENTS(columns));
	size_t i;
	json_t *process;

	out_line(ctl, COLOR_NONE, "%s", "");
	if (json_array_size(processes) == 0) {
		out_line(ctl, COLOR_DIM, "no process");
		return;
	}
	json_array_foreach(processes, i, process)
		add_process_row(table, process);
	table_print(ctl, table, out_columns());
}

static void print_domain(const struct ctl *ctl, const json_t *status, const json_t *domain)
{
	const char *state = member_text(domain, "state");
	const json_t *report = json_object_get(status, "gateway");
	const json_t *registered = member_find(
		json_object_get(report, "domains"), "name", member_text(domain, "name"));
	auto_free char *name = clean(member_text(domain, "name"));
	auto_free char *shown = clean(state);

	out_line(ctl, out_state_color(state), "%s: %s%s, %lld tools, %lld restarts", name, shown,
		json_is_true(json_object_get(domain, "required")) ? " (required)" : "",
		(long long)member_int(domain, "tools"), (long long)member_int(domain, "restarts"));
	print_fact(ctl, "sandbox", member_text(domain, "sandbox"));
	print_fact(ctl, "not enforced", member_text(domain, "not_enforced"));
	print_calls(ctl, domain);
	print_last_error(ctl, domain);
	if (registered) {
		out_line(ctl, COLOR_NONE, "at the gateway");
		print_registered(ctl, "", registered);
	}
	print_processes(ctl, json_object_get(domain, "processes"));
}

/* --- the verb ---------------------------------------------------------------------------------- */

static int show_domain(const struct ctl *ctl, const json_t *status, const char *name)
{
	const json_t *domains = json_object_get(status, "domains");
	json_t *domain = member_find(domains, "name", name);
	const char *state = member_text(domain, "state");

	if (!domain)
		return domains_fail_unknown(ctl, status, name);
	if (ctl->is_json)
		out_json(json_incref(domain));
	else
		print_domain(ctl, status, domain);
	return streq(state, "up") || streq(state, "asleep") ? CTL_DONE : CTL_PARTLY;
}

static int run(const struct ctl *ctl, const struct ctl_args *args)
{
	int status_exit = CTL_DONE;
	json_auto_t *status = client_ask(ctl, "status", NULL, &status_exit);

	if (!status)
		return status_exit;
	if (args_at(args, 0))
		return show_domain(ctl, status, args_at(args, 0));
	if (ctl->is_json) {
		out_json(json_incref(status));
	} else {
		print_daemon(ctl, status);
		out_line(ctl, COLOR_NONE, "%s", "");
		print_domain_table(ctl, json_object_get(status, "domains"));
		print_errors(ctl, json_object_get(status, "domains"));
		print_gateway(ctl, json_object_get(status, "gateway"));
	}
	return json_is_true(json_object_get(status, "ready")) ? CTL_DONE : CTL_PARTLY;
}

const struct verb verb_status = {
	.name = "status",
	.args = "[DOMAIN]",
	.summary = "show how the fleet is, or one domain with its processes",
	.help = "FAILED counts calls that ended with an error, were lost with their process, or ran out of time.\n"
		"P50 and P99 are the milliseconds within which half and 99 of 100 calls were answered.\n"
		"Of the door it shows the certificate, the keys, limits that were reached, and what was refused, and why.\n"
		"Exits 0 when the fleet (the domain) is ready, 4 when it is not.",
	.word = CTL_WORD_DOMAIN,
	.max_args = 1,
	.run = run,
};
