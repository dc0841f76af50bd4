/* See page_render.h: the frame, what is first seen, and what all sections are made of. */
#include "supervisor/ops/page_render.h"

#include "shared/alloc.h"
#include "supervisor/ops/page_files.h"
#include "supervisor/ops/page_private.h"

enum { DATE_LEN = 10 }; /* "2026-01-31" */

/* --- what sections are made of ------------------------------------------------------------------- */

static const char *class_of(const struct page_column *column)
{
	static const char *const names[] = {
		[PAGE_TEXT] = "text", [PAGE_NUMBER] = "number", [PAGE_WORDS] = "wide"
	};

	return names[column->kind];
}

/* Roles are written out: the style makes cards of the rows on a narrow screen, and then some browsers do not
 * see the table any more. */
void page_begin_table(struct strbuf *out, const char *caption, const struct page_column *columns,
	size_t n_columns)
{
	html_addf(out,
		"<table role=\"table\"><caption class=\"unseen\">%s</caption>"
		"<thead role=\"rowgroup\"><tr role=\"row\">",
		caption);
	for (size_t i = 0; i < n_columns; i++)
		html_addf(out, "<th role=\"columnheader\" scope=\"col\" class=\"%s\">%s</th>",
			class_of(&columns[i]), columns[i].title);
	strbuf_adds(out, "</tr></thead><tbody role=\"rowgroup\">");
}

void page_end_table(struct strbuf *out)
{
	strbuf_adds(out, "</tbody></table>");
}

void page_begin_row(struct strbuf *out)
{
	strbuf_adds(out, "<tr role=\"row\">");
}

void page_end_row(struct strbuf *out)
{
	strbuf_adds(out, "</tr>");
}

void page_begin_cell(struct strbuf *out, const struct page_column *columns, size_t at)
{
	if (at == 0)
		strbuf_adds(out, "<th role=\"rowheader\" scope=\"row\">");
	else
		html_addf(out, "<td role=\"cell\" data-label=\"%s\" class=\"%s\">",
			columns[at].title, class_of(&columns[at]));
}

void page_end_cell(struct strbuf *out, size_t at)
{
	strbuf_adds(out, at == 0 ? "</th>" : "</td>");
}

void page_cell(struct strbuf *out, const struct page_column *columns, size_t at, const char *text)
{
	page_begin_cell(out, columns, at);
	if (*text)
		html_addf(out, "<bdi>%s</bdi>", text);
	else
		strbuf_adds(out, "<span class=\"zero\">–</span>");
	page_end_cell(out, at);
}

void page_count_cell(struct strbuf *out, const struct page_column *columns, size_t at, json_int_t n)
{
	page_begin_cell(out, columns, at);
	if (n == 0)
		strbuf_adds(out, "<span class=\"zero\">0</span>");
	else
		page_add_count(out, n);
	page_end_cell(out, at);
}

/* Of domains, processes, the gateway; what is not here is quiet. */
static const char *kind_of(const char *state)
{
	static const struct {
		const char *state;
		const char *kind;
	} kinds[] = { { "up", "good" }, { "ready", "good" }, { "connected", "good" },
		{ "registered", "good" }, { "starting", "busy" }, { "listing", "busy" },
		{ "draining", "busy" }, { "stopping", "busy" }, { "terminating", "busy" },
		{ "waiting", "busy" }, { "registering", "busy" }, { "rate_limited", "busy" },
		{ "degraded", "busy" }, { "backoff", "bad" }, { "down", "bad" },
		{ "parked", "bad" }, { "killed", "bad" }, { "unreachable", "bad" },
		{ "refused", "bad" }, { "foreign", "bad" } };

	for (size_t i = 0; i < N_ELEMENTS(kinds); i++)
		if (streq(kinds[i].state, state))
			return kinds[i].kind;
	return "quiet";
}

void page_add_state(struct strbuf *out, const char *state)
{
	html_addf(out, "<span class=\"state %s\">%s</span>", kind_of(state), state);
}

void page_begin_section(struct strbuf *out, const char *id, const char *title)
{
	html_addf(out, "<section class=\"card\" aria-labelledby=\"%s\"><h2 id=\"%s\">%s</h2>", id,
		id, title);
}

void page_end_section(struct strbuf *out)
{
	strbuf_adds(out, "</section>");
}

void page_fact(struct strbuf *out, const char *term, const char *value)
{
	if (*value)
		html_addf(out, "<div><dt>%s</dt><dd><bdi>%s</bdi></dd></div>", term, value);
}

void page_add_trouble(struct strbuf *out, const char *text, const char *remedy)
{
	html_addf(out, "<p class=\"words\" dir=\"auto\">%s</p>", text);
	if (*remedy)
		html_addf(out,
			"<p class=\"remedy\"><span class=\"label\">Remedy</span> <bdi>%s</bdi></p>",
			remedy);
}

/* --- what is first seen --------------------------------------------------------------------------- */

void page_count_domains(const json_t *status, size_t *ret_up, size_t *ret_wanted)
{
	size_t i;
	json_t *domain;

	*ret_up = 0;
	*ret_wanted = 0;
	json_array_foreach(json_object_get(status, "domains"), i, domain) {
		const char *state = page_text(domain, "state");

		*ret_up += streq(state, "up") || streq(state, "asleep");
		*ret_wanted += !streq(state, "disabled");
	}
}

/* Announced to those who hear the page when it changes: so it has only what they want to be told. */
static void add_verdict(struct strbuf *out, const json_t *status)
{
	bool is_ready = page_is_true(status, "ready");
	const json_t *reasons = json_object_get(status, "reasons");
	size_t n_up;
	size_t n_wanted;
	size_t i;
	json_t *reason;

	page_count_domains(status, &n_up, &n_wanted);
	html_addf(out, "<div class=\"verdict %s\" role=\"status\"><p><strong>%s</strong> ",
		!is_ready         ? "bad"
		: n_up < n_wanted ? "busy"
				  : "good",
		is_ready ? "Ready" : "Not ready");
	html_addf(out, "<span>%lld of %lld domains up</span></p>", (long long)n_up,
		(long long)n_wanted);
	if (json_array_size(reasons) > 0)
		strbuf_adds(out, "<ul class=\"reasons\">");
	json_array_foreach(reasons, i, reason)
		html_addf(out, "<li dir=\"auto\">%s</li>", json_string_value(reason));
	if (json_array_size(reasons) > 0)
		strbuf_adds(out, "</ul>");
	strbuf_adds(out, "</div>");
}

/* Sums over all domains. */
struct sums {
	json_int_t in_flight;
	json_int_t queued;
	json_int_t total;
	json_int_t failed;
	json_int_t restarts;
	struct histogram latency;
};

static void sum_up(const json_t *status, struct sums *ret)
{
	size_t i;
	json_t *domain;

	*ret = (struct sums){ 0 };
	json_array_foreach(json_object_get(status, "domains"), i, domain) {
		const json_t *calls = json_object_get(domain, "calls");
		struct histogram latency;

		ret->in_flight += page_number(calls, "in_flight");
		ret->queued += page_number(calls, "queued");
		ret->total += page_number(calls, "total");
		ret->failed += page_number(calls, "errors") + page_number(calls, "lost") +
			       page_number(calls, "timed_out");
		ret->restarts += page_number(domain, "restarts");
		page_load_latency(domain, &latency);
		ret->latency.n += latency.n;
		for (unsigned k = 0; k < HISTOGRAM_BUCKETS; k++)
			ret->latency.counts[k] += latency.counts[k];
	}
}

/* `note`: below the value, in small letters; "": none. */
static void add_tile(struct strbuf *out, const char *term, const char *value, const char *note)
{
	html_addf(out, "<div><dt>%s</dt><dd>%s</dd>", term, value);
	if (*note)
		html_addf(out, "<dd class=\"note\">%s</dd>", note);
	strbuf_adds(out, "</div>");
}

static void add_count_tile(
	struct strbuf *out, const char *term, json_int_t n, json_int_t of, const char *what)
{
	auto_strbuf value = { 0 };
	auto_strbuf note = { 0 };

	page_add_count(&value, n);
	page_add_count(&note, of);
	strbuf_addf(&note, " %s", what);
	add_tile(out, term, value.data, note.data);
}

static void add_latency_tile(struct strbuf *out, const struct histogram *latency)
{
	auto_strbuf value = { 0 };
	auto_strbuf note = { 0 };

	page_add_latency(&value, latency, 0.5);
	if (latency->n > 0) {
		strbuf_adds(&note, "p99 ");
		page_add_latency(&note, latency, 0.99);
	}
	add_tile(out, "Median latency", value.data, strbuf_get(&note));
}

static void add_tiles(struct strbuf *out, const json_t *status)
{
	const json_t *sessions = json_object_get(status, "sessions");
	struct sums sums;
	auto_strbuf uptime = { 0 };
	auto_strbuf tools = { 0 };
	auto_strbuf restarts = { 0 };

	sum_up(status, &sums);
	page_add_age(&uptime, page_number(status, "uptime_ms"));
	page_add_count(&tools, page_number(status, "tools"));
	page_add_count(&restarts, sums.restarts);
	strbuf_adds(out, "<dl class=\"tiles\">");
	add_count_tile(out, "Calls in flight", sums.in_flight, sums.queued, "queued");
	add_count_tile(out, "Calls", sums.total, sums.failed, "failed");
	add_latency_tile(out, &sums.latency);
	add_count_tile(out, "Sessions", page_number(sessions, "open"),
		page_number(sessions, "limit"), "at most");
	add_tile(out, "Tools", tools.data, "");
	add_tile(out, "Restarts", restarts.data, "");
	add_tile(out, "Up for", uptime.data, "");
	strbuf_adds(out, "</dl>");
}

/* --- the whole ------------------------------------------------------------------------------------ */

static void add_title(struct strbuf *out, const json_t *status)
{
	strbuf_adds(
		out, page_is_true(status, "ready") ? "Ready – mcp-fleet" : "Not ready – mcp-fleet");
}

void page_render_fleet(struct strbuf *out, const json_t *status, const char *as_of)
{
	auto_strbuf title = { 0 };
	auto_strbuf when = { 0 };

	add_title(&title, status);
	html_addf(out, "<div id=\"state\" data-title=\"%s\" data-version=\"%s\">", title.data,
		page_text(status, "version"));
	add_verdict(out, status);
	add_tiles(out, status);
	page_render_domains(out, status);
	page_render_troubles(out, status);
	page_render_processes(out, status);
	page_render_facts(out, status);
	strbuf_addf(&when, "%.10s %.8s UTC", as_of, as_of + DATE_LEN + 1);
	html_addf(out, "<p class=\"as-of\">As of <time datetime=\"%s\">%s</time>.</p></div>", as_of,
		when.data);
}

/* What stands at a mark of status.html, <!--name-->. */
static void add_part(struct strbuf *out, const char *name, const json_t *status, const char *as_of)
{
	if (strncmp(name, "title-->", 8) == 0)
		add_title(out, status);
	else if (strncmp(name, "version-->", 10) == 0)
		html_add(out, page_text(status, "version"));
	else if (strncmp(name, "fleet-->", 8) == 0)
		page_render_fleet(out, status, as_of);
}

void page_render(struct strbuf *out, const json_t *status, const char *as_of)
{
	const char *from = page_html;
	const char *mark;

	while ((mark = strstr(from, "<!--"))) {
		strbuf_add(out, from, (size_t)(mark - from));
		add_part(out, mark + 4, status, as_of);
		from = strstr(mark, "-->") + 3;
	}
	strbuf_adds(out, from);
}
