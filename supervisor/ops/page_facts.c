/* See page_render.h: sessions, limits that were reached, the gateway, the sandbox, and the daemon itself. */
#include "supervisor/ops/page_private.h"

enum { CERTIFICATE_SOON_DAYS = 14 };

static void count_fact(struct strbuf *out, const char *term, json_int_t n)
{
	auto_strbuf text = { 0 };

	page_add_count(&text, n);
	page_fact(out, term, text.data);
}

/* --- sessions ------------------------------------------------------------------------------------- */

static void render_sessions(struct strbuf *out, const json_t *status)
{
	json_t *sessions = json_object_get(status, "sessions");
	const char *transport;
	json_t *n;

	page_begin_section(out, "sessions", "Sessions");
	strbuf_adds(out, "<dl class=\"facts\">");
	count_fact(out, "Open", page_number(sessions, "open"));
	json_object_foreach(json_object_get(sessions, "by_transport"), transport, n) {
		auto_strbuf term = { 0 };

		strbuf_addf(&term, "Open, by %s", transport);
		count_fact(out, term.data, json_integer_value(n));
	}
	count_fact(out, "At most", page_number(sessions, "limit"));
	count_fact(out, "Opened since the start", page_number(sessions, "opened_total"));
	count_fact(out, "Requests without a session", page_number(sessions, "stateless_total"));
	strbuf_adds(out, "</dl>");
	page_end_section(out);
}

/* --- limits --------------------------------------------------------------------------------------- */

enum { COUNT_COLUMNS = 2 };

/* {name: how often}, of what came more than never. */
static void add_counts(struct strbuf *out, json_t *counts, const char *caption,
	const struct page_column columns[COUNT_COLUMNS])
{
	bool has_any = false;
	const char *name;
	json_t *n;

	json_object_foreach(counts, name, n) {
		if (json_integer_value(n) == 0)
			continue;
		if (!has_any)
			page_begin_table(out, caption, columns, COUNT_COLUMNS);
		has_any = true;
		page_begin_row(out);
		page_cell(out, columns, 0, name);
		page_count_cell(out, columns, 1, json_integer_value(n));
		page_end_row(out);
	}
	if (has_any)
		page_end_table(out);
	else
		strbuf_adds(out, "<p class=\"none\">None since the start of the daemon.</p>");
}

static void render_limits(struct strbuf *out, const json_t *status)
{
	static const struct page_column limits[] = { { "Limit", PAGE_TEXT },
		{ "Reached", PAGE_NUMBER } };
	static const struct page_column reasons[] = { { "Reason", PAGE_TEXT },
		{ "Requests", PAGE_NUMBER } };

	page_begin_section(out, "limits", "Limits reached");
	add_counts(out, json_object_get(status, "limits"),
		"Limits that were reached, and how often, since the start of the daemon", limits);
	strbuf_adds(out, "<h3>Refused at the door</h3>");
	add_counts(out, json_object_get(status, "refusals"),
		"Requests that were refused at the door, by the reason, since the start of the "
		"daemon",
		reasons);
	page_end_section(out);
}

/* --- the gateway ---------------------------------------------------------------------------------- */

static void add_item_trouble(struct strbuf *out, const json_t *item)
{
	if (*page_text(item, "error"))
		page_add_trouble(out, page_text(item, "error"), page_text(item, "remedy"));
}

static void add_token_fact(struct strbuf *out, const json_t *token)
{
	const json_t *days = json_object_get(token, "days_left");
	auto_strbuf text = { 0 };

	if (!json_is_integer(days))
		return;
	strbuf_addf(&text, "%s, in %lld days", page_text(token, "expires"),
		(long long)json_integer_value(days));
	page_fact(out, "Token ends", text.data);
}

static void add_gateway_facts(struct strbuf *out, const json_t *report)
{
	const json_t *gateway = json_object_get(report, "gateway");
	const json_t *counters = json_object_get(report, "counters");

	strbuf_adds(out, "<dl class=\"facts\"><div><dt>State</dt><dd>");
	page_add_state(out, page_text(gateway, "state"));
	strbuf_adds(out, "</dd></div>");
	page_fact(out, "Address", page_text(gateway, "url"));
	page_fact(out, "Last contact", page_text(gateway, "last_contact"));
	add_token_fact(out, json_object_get(gateway, "token"));
	count_fact(out, "Requests", page_number(counters, "requests"));
	count_fact(out, "Requests that failed", page_number(counters, "errors"));
	count_fact(out, "Comparisons", page_number(counters, "rounds"));
	strbuf_adds(out, "</dl>");
	add_item_trouble(out, gateway);
}

static const struct page_column entry_columns[] = { { "Registered", PAGE_TEXT },
	{ "State", PAGE_TEXT }, { "Tools there", PAGE_NUMBER }, { "Tools wanted", PAGE_NUMBER },
	{ "Trouble", PAGE_WORDS } };

static void add_entry(struct strbuf *out, const json_t *entry, const char *aside)
{
	page_begin_row(out);
	page_begin_cell(out, entry_columns, 0);
	html_addf(out, "<bdi>%s</bdi>", page_text(entry, "name"));
	if (*aside)
		html_addf(out, " <span class=\"aside\">%s</span>", aside);
	page_end_cell(out, 0);
	page_begin_cell(out, entry_columns, 1);
	page_add_state(out, page_text(entry, "state"));
	page_end_cell(out, 1);
	page_count_cell(out, entry_columns, 2, page_number(entry, "tools_found"));
	page_count_cell(out, entry_columns, 3, page_number(entry, "tools_wanted"));
	if (*page_text(entry, "error")) {
		page_begin_cell(out, entry_columns, 4);
		add_item_trouble(out, entry);
		page_end_cell(out, 4);
	} else {
		page_cell(out, entry_columns, 4, "");
	}
	page_end_row(out);
}

static void add_entries(struct strbuf *out, const json_t *report)
{
	const json_t *server = json_object_get(report, "server");
	size_t i;
	json_t *domain;

	page_begin_table(
		out, "What is registered at the gateway", entry_columns, N_ELEMENTS(entry_columns));
	json_array_foreach(json_object_get(report, "domains"), i, domain)
		add_entry(out, domain, "");
	if (json_is_object(server))
		add_entry(out, server, "virtual server");
	page_end_table(out);
}

static void add_drift(struct strbuf *out, const json_t *drift, bool is_connected)
{
	static const struct page_column columns[] = { { "Entry", PAGE_TEXT },
		{ "Differs", PAGE_WORDS }, { "Would be done", PAGE_WORDS } };
	size_t i;
	json_t *item;

	strbuf_adds(out, "<h3>Drift</h3>");
	if (json_array_size(drift) == 0) {
		html_addf(out, "<p class=\"none\">%s</p>",
			is_connected ? "None: the gateway has what the fleet is."
				     : "Not known: the gateway does not answer.");
		return;
	}
	page_begin_table(out, "What differs between the gateway and the fleet", columns,
		N_ELEMENTS(columns));
	json_array_foreach(drift, i, item) {
		page_begin_row(out);
		page_cell(out, columns, 0, page_text(item, "domain"));
		page_cell(out, columns, 1, page_text(item, "what"));
		page_cell(out, columns, 2, page_text(item, "action"));
		page_end_row(out);
	}
	page_end_table(out);
}

static void render_gateway(struct strbuf *out, const json_t *status)
{
	const json_t *report = json_object_get(status, "gateway");
	const json_t *gateway = json_object_get(report, "gateway");
	bool is_known = json_is_object(report) && (!streq(page_text(gateway, "state"), "off") ||
							  *page_text(gateway, "error"));

	page_begin_section(out, "gateway", "Gateway");
	if (is_known) {
		add_gateway_facts(out, report);
		add_entries(out, report);
		add_drift(out, json_object_get(report, "drift"),
			streq(page_text(gateway, "state"), "connected"));
	} else {
		strbuf_adds(out,
			"<p class=\"none\">No gateway is known: mcp-fleetctl register tells "
			"of one.</p>");
	}
	page_end_section(out);
}

/* --- the daemon ----------------------------------------------------------------------------------- */

static void add_not_enforced(struct strbuf *out, const json_t *status)
{
	bool has_any = false;
	size_t i;
	json_t *domain;

	json_array_foreach(json_object_get(status, "domains"), i, domain) {
		const char *missing = page_text(domain, "not_enforced");

		if (!*missing)
			continue;
		if (!has_any)
			strbuf_adds(
				out, "<h3>Not enforced on this machine</h3><dl class=\"facts\">");
		has_any = true;
		page_fact(out, page_text(domain, "name"), missing);
	}
	if (has_any)
		strbuf_adds(out, "</dl>");
}

static void add_listeners(struct strbuf *out, const json_t *listeners)
{
	auto_strbuf text = { 0 };
	size_t i;
	json_t *listener;

	json_array_foreach(listeners, i, listener)
		strbuf_addf(&text, "%s%s", i ? ", " : "", json_string_value(listener));
	page_fact(out, "Listens on", strbuf_get(&text));
}

static void add_own_usage(struct strbuf *out, const json_t *status)
{
	auto_strbuf memory = { 0 };
	auto_strbuf cpu = { 0 };

	if (!page_has_number(status, "memory_bytes"))
		return;
	page_add_bytes(&memory, page_number(status, "memory_bytes"));
	page_add_cpu(&cpu, page_number(status, "cpu_ms"));
	page_fact(out, "Memory", memory.data);
	page_fact(out, "Processor time", cpu.data);
}

static void add_tls(struct strbuf *out, const json_t *tls)
{
	json_int_t days = page_number(tls, "days_left");
	auto_strbuf name = { 0 };
	auto_strbuf end = { 0 };

	if (!json_is_object(tls))
		return;
	strbuf_addf(&name, "%s, serial %s", page_text(tls, "subject"), page_text(tls, "serial"));
	if (days < 0)
		strbuf_adds(&end, "has ended: renew it, then reload");
	else
		strbuf_addf(&end, "in %lld days%s", (long long)days,
			days < CERTIFICATE_SOON_DAYS ? ": renew it, then reload" : "");
	page_fact(out, "Certificate", name.data);
	page_fact(out, "Certificate ends", end.data);
}

static void add_keys(struct strbuf *out, const json_t *status)
{
	const json_t *keys = json_object_get(status, "keys");
	auto_strbuf text = { 0 };

	if (!json_is_object(keys))
		return;
	strbuf_addf(&text, "%lld in %s", (long long)page_number(keys, "count"),
		page_text(status, "keys_path"));
	if (*page_text(keys, "fault"))
		strbuf_addf(
			&text, ", whose last change is not taken: %s", page_text(keys, "fault"));
	page_fact(out, "Keys", text.data);
}

static void render_daemon(struct strbuf *out, const json_t *status)
{
	page_begin_section(out, "daemon", "Daemon");
	strbuf_adds(out, "<dl class=\"facts\">");
	page_fact(out, "Version", page_text(status, "version"));
	html_addf(
		out, "<div><dt>PID</dt><dd>%lld</dd></div>", (long long)page_number(status, "pid"));
	add_own_usage(out, status);
	page_fact(out, "Transport", page_text(status, "transport"));
	add_listeners(out, json_object_get(status, "listeners"));
	page_fact(out, "Looked after at", page_text(status, "admin"));
	add_tls(out, json_object_get(status, "tls"));
	add_keys(out, status);
	page_fact(out, "Local socket", page_text(status, "local_socket"));
	page_fact(out, "Control socket", page_text(status, "control_socket"));
	page_fact(out, "Settings", page_text(status, "settings"));
	page_fact(out, "State kept in", page_text(status, "state_dir"));
	page_fact(out, "Sandbox", page_text(status, "sandbox"));
	strbuf_adds(out, "</dl>");
	add_not_enforced(out, status);
	page_end_section(out);
}

void page_render_facts(struct strbuf *out, const json_t *status)
{
	strbuf_adds(out, "<div class=\"pair\">");
	render_sessions(out, status);
	render_limits(out, status);
	strbuf_adds(out, "</div>");
	render_gateway(out, status);
	render_daemon(out, status);
}
