/* See page_render.h: domains, their last trouble, and processes. */
#include "supervisor/ops/page_private.h"

enum {
	/* The picture of latencies: a bar for each doubling, the last one for all above. */
	SPREAD_BARS = 22,
	SPREAD_HEIGHT = 20,
	BAR_WIDTH = 3,
	BAR_STEP = 4,
};

/* --- domains -------------------------------------------------------------------------------------- */

static unsigned bar_of(unsigned bucket)
{
	unsigned bar = bucket == 0 ? 0 : 1 + (bucket - 1) / HISTOGRAM_PARTS;

	return bar < SPREAD_BARS ? bar : SPREAD_BARS - 1;
}

/* A drawing of what the two columns beside it say: it needs no words of its own. */
static void add_spread(struct strbuf *out, const struct histogram *latency)
{
	uint64_t counts[SPREAD_BARS] = { 0 };
	uint64_t most = 0;

	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
		counts[bar_of(i)] += latency->counts[i];
	for (unsigned i = 0; i < SPREAD_BARS; i++)
		most = counts[i] > most ? counts[i] : most;
	html_addf(out,
		"<svg class=\"spread\" viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\" "
		"aria-hidden=\"true\">",
		(int)SPREAD_BARS * BAR_STEP, (int)SPREAD_HEIGHT, (int)SPREAD_BARS * BAR_STEP,
		(int)SPREAD_HEIGHT);
	for (unsigned i = 0; i < SPREAD_BARS; i++) {
		double part = most ? (double)counts[i] / (double)most : 0;
		int height = 2 + (int)(part * (SPREAD_HEIGHT - 3));

		if (counts[i] > 0)
			html_addf(out, "<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\"/>",
				(int)i * BAR_STEP, SPREAD_HEIGHT - 1 - height, (int)BAR_WIDTH,
				height);
	}
	html_addf(out, "<path d=\"M0 %d.5h%d\"/></svg>", (int)SPREAD_HEIGHT - 1,
		(int)SPREAD_BARS * BAR_STEP);
}

static void add_spread_cell(struct strbuf *out, const struct page_column *columns, size_t at,
	const struct histogram *latency)
{
	if (latency->n == 0) {
		page_cell(out, columns, at, "");
		return;
	}
	page_begin_cell(out, columns, at);
	add_spread(out, latency);
	page_end_cell(out, at);
}

static void add_latency_cell(struct strbuf *out, const struct page_column *columns, size_t at,
	const struct histogram *latency, double share)
{
	if (latency->n == 0) {
		page_cell(out, columns, at, "");
		return;
	}
	page_begin_cell(out, columns, at);
	page_add_latency(out, latency, share);
	page_end_cell(out, at);
}

/* Running ones: a process that is parked, or waits for its next start, is none. */
static json_int_t count_running(const json_t *domain)
{
	json_int_t n = 0;
	size_t i;
	json_t *process;

	json_array_foreach(json_object_get(domain, "processes"), i, process)
		n += page_number(process, "pid") > 0;
	return n;
}

static void add_domain_name(
	struct strbuf *out, const struct page_column *columns, const json_t *domain)
{
	page_begin_cell(out, columns, 0);
	html_addf(out, "<bdi>%s</bdi>", page_text(domain, "name"));
	if (!page_is_true(domain, "required"))
		strbuf_adds(out, " <span class=\"aside\">optional</span>");
	page_end_cell(out, 0);
}

static void add_domain_row(
	struct strbuf *out, const struct page_column *columns, const json_t *domain)
{
	const json_t *calls = json_object_get(domain, "calls");
	struct histogram latency;
	size_t at = 0;

	page_load_latency(domain, &latency);
	page_begin_row(out);
	add_domain_name(out, columns, domain);
	page_begin_cell(out, columns, ++at);
	page_add_state(out, page_text(domain, "state"));
	page_end_cell(out, at);
	page_count_cell(out, columns, ++at, page_number(domain, "tools"));
	page_count_cell(out, columns, ++at, count_running(domain));
	page_count_cell(out, columns, ++at, page_number(calls, "in_flight"));
	page_count_cell(out, columns, ++at, page_number(calls, "queued"));
	page_count_cell(out, columns, ++at, page_number(calls, "total"));
	page_count_cell(out, columns, ++at, page_number(calls, "errors"));
	page_count_cell(out, columns, ++at, page_number(calls, "lost"));
	page_count_cell(out, columns, ++at, page_number(calls, "timed_out"));
	page_count_cell(out, columns, ++at, page_number(calls, "cancelled"));
	page_count_cell(out, columns, ++at, page_number(domain, "restarts"));
	add_latency_cell(out, columns, ++at, &latency, 0.5);
	add_latency_cell(out, columns, ++at, &latency, 0.99);
	add_spread_cell(out, columns, ++at, &latency);
	page_end_row(out);
}

void page_render_domains(struct strbuf *out, const json_t *status)
{
	static const struct page_column columns[] = { { "Domain", PAGE_TEXT },
		{ "State", PAGE_TEXT }, { "Tools", PAGE_NUMBER }, { "Processes", PAGE_NUMBER },
		{ "In flight", PAGE_NUMBER }, { "Queued", PAGE_NUMBER }, { "Calls", PAGE_NUMBER },
		{ "Errors", PAGE_NUMBER }, { "Lost", PAGE_NUMBER }, { "Timed out", PAGE_NUMBER },
		{ "Cancelled", PAGE_NUMBER }, { "Restarts", PAGE_NUMBER }, { "p50", PAGE_NUMBER },
		{ "p99", PAGE_NUMBER }, { "Latencies", PAGE_TEXT } };
	size_t i;
	json_t *domain;

	page_begin_section(out, "domains", "Domains");
	page_begin_table(out,
		"Each domain: its state, its calls, and within which time half and 99 of 100 calls "
		"were answered, since the start of the daemon",
		columns, N_ELEMENTS(columns));
	json_array_foreach(json_object_get(status, "domains"), i, domain)
		add_domain_row(out, columns, domain);
	page_end_table(out);
	page_end_section(out);
}

/* --- trouble -------------------------------------------------------------------------------------- */

static void add_domain_trouble(struct strbuf *out, const json_t *domain)
{
	const json_t *error = json_object_get(domain, "last_error");

	html_addf(out, "<li><h3><bdi>%s</bdi></h3> ", page_text(domain, "name"));
	page_add_state(out, page_text(domain, "state"));
	strbuf_adds(out, " <span class=\"aside\">");
	page_add_age(out, page_number(error, "age_ms"));
	strbuf_adds(out, " ago</span>");
	page_add_trouble(out, page_text(error, "text"), page_text(error, "remedy"));
	strbuf_adds(out, "</li>");
}

void page_render_troubles(struct strbuf *out, const json_t *status)
{
	bool has_any = false;
	size_t i;
	json_t *domain;

	page_begin_section(out, "trouble", "Last trouble");
	json_array_foreach(json_object_get(status, "domains"), i, domain) {
		if (!json_is_object(json_object_get(domain, "last_error")))
			continue;
		if (!has_any)
			strbuf_adds(out, "<ul class=\"list\">");
		has_any = true;
		add_domain_trouble(out, domain);
	}
	strbuf_adds(out, has_any ? "</ul>"
				 : "<p class=\"none\">No process died, and no call was lost, since "
				   "the start of the daemon.</p>");
	page_end_section(out);
}

/* --- processes ------------------------------------------------------------------------------------ */

static const struct page_column process_columns[] = { { "Process", PAGE_TEXT },
	{ "State", PAGE_TEXT }, { "PID", PAGE_NUMBER }, { "Up for", PAGE_NUMBER },
	{ "Memory", PAGE_NUMBER }, { "CPU", PAGE_NUMBER }, { "In flight", PAGE_NUMBER },
	{ "Answered", PAGE_NUMBER }, { "p50", PAGE_NUMBER }, { "p99", PAGE_NUMBER },
	{ "Starts", PAGE_NUMBER }, { "Last end", PAGE_WORDS } };

static void add_process_row(struct strbuf *out, const json_t *process)
{
	const struct page_column *columns = process_columns;
	json_int_t pid = page_number(process, "pid");
	struct histogram latency;
	auto_strbuf pid_text = { 0 };
	auto_strbuf age = { 0 };
	auto_strbuf memory = { 0 };
	auto_strbuf cpu = { 0 };
	size_t at = 1;

	page_load_latency(process, &latency);
	page_begin_row(out);
	page_cell(out, columns, 0, page_text(process, "name"));
	page_begin_cell(out, columns, at);
	page_add_state(out, page_text(process, "state"));
	if (page_is_true(process, "retiring"))
		strbuf_adds(out, " <span class=\"aside\">being replaced</span>");
	if (*page_text(process, "session"))
		html_addf(out, " <span class=\"aside\">for session %s…</span>",
			page_text(process, "session"));
	page_end_cell(out, at);
	if (pid > 0) {
		strbuf_addf(&pid_text, "%lld", (long long)pid);
		page_add_age(&age, page_number(process, "age_ms"));
	}
	page_cell(out, columns, ++at, strbuf_get(&pid_text));
	page_cell(out, columns, ++at, strbuf_get(&age));
	if (page_has_number(process, "memory_bytes"))
		page_add_bytes(&memory, page_number(process, "memory_bytes"));
	if (page_has_number(process, "cpu_ms"))
		page_add_cpu(&cpu, page_number(process, "cpu_ms"));
	page_cell(out, columns, ++at, strbuf_get(&memory));
	page_cell(out, columns, ++at, strbuf_get(&cpu));
	page_count_cell(out, columns, ++at, page_number(process, "calls"));
	page_count_cell(out, columns, ++at, page_number(process, "answered"));
	add_latency_cell(out, columns, ++at, &latency, 0.5);
	add_latency_cell(out, columns, ++at, &latency, 0.99);
	page_count_cell(out, columns, ++at, page_number(process, "starts"));
	page_cell(out, columns, ++at, page_text(process, "last_end"));
	page_end_row(out);
}

void page_render_processes(struct strbuf *out, const json_t *status)
{
	bool has_any = false;
	size_t i;
	size_t k;
	json_t *domain;
	json_t *process;

	page_begin_section(out, "processes", "Processes");
	json_array_foreach(json_object_get(status, "domains"), i, domain) {
		json_array_foreach(json_object_get(domain, "processes"), k, process) {
			if (!has_any)
				page_begin_table(out,
					"Each process: its state, its calls, and how the one "
					"before it in its place ended",
					process_columns, N_ELEMENTS(process_columns));
			has_any = true;
			add_process_row(out, process);
		}
	}
	if (has_any)
		page_end_table(out);
	else
		strbuf_adds(out, "<p class=\"none\">No process runs.</p>");
	page_end_section(out);
}
