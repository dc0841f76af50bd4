/* See top_frame.h. */
#include "ctl/top_frame.h"

#include "ctl/member.h"
#include "ctl/output.h"
#include "shared/clock.h"

/* --- cells ------------------------------------------------------------------------------------- */

static void add_rate(struct table *table, double value)
{
	if (value < 0)
		table_add(table, COLOR_DIM, "-");
	else
		table_addf(table, COLOR_NONE, value < 10 ? "%.1f" : "%.0f", value);
}

static void add_latency(struct table *table, const struct latency *latency)
{
	auto_strbuf text = { 0 };

	latency_add(&text, latency);
	table_add(table, text.len ? COLOR_NONE : COLOR_DIM, text.len ? strbuf_get(&text) : "-");
}

static void add_usage(struct table *table, const struct load *load)
{
	auto_strbuf rss = { 0 };

	if (load->has_usage)
		out_bytes(&rss, load->rss_bytes);
	table_add(table, rss.len ? COLOR_NONE : COLOR_DIM, rss.len ? strbuf_get(&rss) : "-");
	add_rate(table, load->cpu_percent);
}

static void add_domain(struct table *table, const struct load *load)
{
	table_add(table, COLOR_BOLD, load->name);
	table_add(table, COLOR_NONE, NULL);
	table_add(table, out_state_color(load->state), load->state);
	add_rate(table, load->calls_per_second);
	add_latency(table, &load->p50);
	add_latency(table, &load->p99);
	table_addf(table, COLOR_NONE, "%lld", (long long)load->in_flight);
	table_addf(table, load->queued ? COLOR_WARN : COLOR_NONE, "%lld", (long long)load->queued);
	add_usage(table, load);
}

static void add_process(struct table *table, const struct load *load)
{
	table_addf(table, COLOR_NONE, "  %s", load->name);
	if (load->pid > 0)
		table_addf(table, COLOR_NONE, "%d", (int)load->pid);
	else
		table_add(table, COLOR_NONE, NULL);
	table_add(table, out_state_color(load->state), load->state);
	add_rate(table, load->calls_per_second);
	add_latency(table, &load->p50);
	add_latency(table, &load->p99);
	table_addf(table, COLOR_NONE, "%lld", (long long)load->in_flight);
	table_add(table, COLOR_NONE, NULL);
	add_usage(table, load);
}

/* --- the text ---------------------------------------------------------------------------------- */

/* A line of the head, cut to the screen. */
static void add_head(struct strbuf *out, const struct ctl *ctl, enum color color, size_t columns,
	const char *text)
{
	auto_strbuf line = { 0 };

	out_clean(&line, text);
	if (columns)
		strbuf_cut(&line, out_cut(strbuf_get(&line), columns));
	out_add_colored(out, ctl, color, strbuf_get(&line));
	strbuf_addc(out, '\n');
}

static void add_summary(struct strbuf *out, const struct ctl *ctl, const json_t *status,
	const struct load_view *view, size_t columns)
{
	const json_t *sessions = json_object_get(status, "sessions");
	bool is_ready = json_is_true(json_object_get(status, "ready"));
	auto_strbuf text = { 0 };

	strbuf_addf(&text, "mcp-fleetd %s, up ", member_text(status, "version"));
	out_duration(&text, member_int(status, "uptime_ms"));
	strbuf_addf(&text, ", %s, %lld sessions, process %d", is_ready ? "ready" : "not ready",
		(long long)member_int(sessions, "open"), (int)view->daemon.pid);
	if (view->daemon.has_usage) {
		strbuf_adds(&text, ": ");
		out_bytes(&text, view->daemon.rss_bytes);
	}
	if (view->daemon.cpu_percent >= 0)
		strbuf_addf(&text, ", %.1f %% of a processor", view->daemon.cpu_percent);
	add_head(out, ctl, is_ready ? COLOR_NONE : COLOR_WARN, columns, strbuf_get(&text));
}

static void add_second_line(
	struct strbuf *out, const struct ctl *ctl, const struct top_frame *frame)
{
	auto_strbuf text = { 0 };

	if (frame->silent_ms) {
		strbuf_adds(&text, "the daemon has told nothing for ");
		out_duration(&text, frame->silent_ms);
		strbuf_adds(&text, ": is it stopped or overloaded?");
		add_head(out, ctl, COLOR_BAD, frame->columns, strbuf_get(&text));
	} else if (frame->rows) {
		add_head(out, ctl, COLOR_DIM, frame->columns,
			"q ends; sort by n name, c calls, l latency, w waiting, m memory, p processor");
	}
}

/* Lines for which there is no room are left out, and that is said. */
static void add_body(struct strbuf *out, const char *body, size_t room)
{
	size_t n_lines = 0;
	const char *at = body;

	for (const char *c = body; *c; c++)
		n_lines += *c == '\n';
	if (room == 0 || n_lines <= room) {
		strbuf_adds(out, body);
		return;
	}
	for (size_t i = 0; i + 1 < room; i++)
		at = strchr(at, '\n') + 1;
	strbuf_add(out, body, (size_t)(at - body));
	strbuf_addf(out, "… %zu more\n", n_lines - (room - 1));
}

void top_frame_render(const struct ctl *ctl, const json_t *status, const struct load_view *view,
	const struct top_frame *frame, struct strbuf *out)
{
	static const struct column columns[] = { { "NAME", false }, { "PID", true },
		{ "STATE", false }, { "CALLS/S", true }, { "P50", true }, { "P99", true },
		{ "RUNNING", true }, { "QUEUED", true }, { "MEMORY", true }, { "CPU %", true } };
	auto_(table_freep) struct table *table = table_new(columns, N_ELEMENTS(columns));
	auto_strbuf body = { 0 };
	size_t n_head = frame->rows || frame->silent_ms ? 2 : 1;

	for (size_t i = 0; i < view->n_domains; i++) {
		const struct load *domain = &view->domains[i];

		add_domain(table, domain);
		for (size_t k = 0; k < domain->n; k++)
			add_process(table, &view->processes[domain->first + k]);
	}
	table_render(ctl, table, frame->columns, &body);
	add_summary(out, ctl, status, view, frame->columns);
	add_second_line(out, ctl, frame);
	add_body(out, strbuf_get(&body), frame->rows > n_head ? frame->rows - n_head : 0);
}

/* --- JSON -------------------------------------------------------------------------------------- */

static json_t *number_or_null(double value)
{
	return value < 0 ? json_null() : json_real(value);
}

static json_t *latency_or_null(const struct latency *latency)
{
	return latency->n_calls && !latency->is_above ? json_real(latency->ms) : json_null();
}

static void set_usage(json_t *json, const struct load *load)
{
	(void)json_object_set_new(json, "rss_bytes",
		load->has_usage ? json_integer((json_int_t)load->rss_bytes) : json_null());
	(void)json_object_set_new(json, "cpu_percent", number_or_null(load->cpu_percent));
}

static json_t *process_json(const struct load *load)
{
	json_t *json = json_pack("{s:s, s:i, s:s, s:o, s:o, s:o, s:I}", "name", load->name, "pid",
		(int)load->pid, "state", load->state, "calls_per_second",
		number_or_null(load->calls_per_second), "p50_ms", latency_or_null(&load->p50),
		"p99_ms", latency_or_null(&load->p99), "in_flight", (json_int_t)load->in_flight);

	set_usage(json, load);
	return json;
}

static json_t *domain_json(const struct load_view *view, const struct load *load)
{
	json_t *json = json_pack("{s:s, s:s, s:o, s:o, s:o, s:I, s:I}", "name", load->name, "state",
		load->state, "calls_per_second", number_or_null(load->calls_per_second), "p50_ms",
		latency_or_null(&load->p50), "p99_ms", latency_or_null(&load->p99), "in_flight",
		(json_int_t)load->in_flight, "queued", (json_int_t)load->queued);
	json_t *processes = json_array();

	set_usage(json, load);
	for (size_t i = 0; i < load->n; i++)
		(void)json_array_append_new(
			processes, process_json(&view->processes[load->first + i]));
	(void)json_object_set_new(json, "processes", processes);
	return json;
}

json_t *top_frame_json(const json_t *status, const struct load_view *view)
{
	char now[CLOCK_TEXT_SIZE];
	json_t *daemon = json_pack("{s:i}", "pid", (int)view->daemon.pid);
	json_t *domains = json_array();

	clock_wall_text(now);
	set_usage(daemon, &view->daemon);
	for (size_t i = 0; i < view->n_domains; i++)
		(void)json_array_append_new(domains, domain_json(view, &view->domains[i]));
	return json_pack("{s:s, s:I, s:b, s:o, s:o}", "time", now, "uptime_ms",
		(json_int_t)member_int(status, "uptime_ms"), "ready",
		(int)json_is_true(json_object_get(status, "ready")), "daemon", daemon, "domains",
		domains);
}
