/* See report.h. */
#include "ctl/report.h"

#include "ctl/output.h"
#include "shared/alloc.h"

static const char *text_of(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "";
}

const char **report_take_names(const struct ctl_args *args)
{
	size_t n = 0;
	const char **names;

	while (args_get_nth(args, "domain", n))
		n++;
	if (n == 0)
		return NULL;
	names = alloc_zero((n + 1) * sizeof(*names));
	for (size_t i = 0; i < n; i++)
		names[i] = args_get_nth(args, "domain", i);
	return names;
}

bool report_add_names(json_t *params, const char *const *names)
{
	json_t *domains;

	if (!names)
		return true;
	domains = json_array();
	(void)json_object_set_new(params, "domains", domains);
	for (; *names; names++)
		if (json_array_append_new(domains, json_string(*names)) < 0)
			return false;
	return true;
}

static bool is_wanted(const char *const *names, const char *name)
{
	if (!names)
		return true;
	for (; *names; names++)
		if (streq(*names, name))
			return true;
	return false;
}

static const json_t *get_domain(const json_t *report, size_t i, const char *const *names)
{
	const json_t *domain = json_array_get(json_object_get(report, "domains"), i);

	return is_wanted(names, text_of(domain, "name")) ? domain : NULL;
}

static size_t count_domains(const json_t *report)
{
	return json_array_size(json_object_get(report, "domains"));
}

static const json_t *get_server(const json_t *report)
{
	const json_t *server = json_object_get(report, "server");

	return json_is_object(server) ? server : NULL;
}

static bool is_state(const json_t *entry, const char *state)
{
	return streq(text_of(entry, "state"), state);
}

struct report_count report_count(const json_t *report, const char *const *names, const char *state)
{
	struct report_count count = { 0 };
	const json_t *server = get_server(report);

	for (size_t i = 0; i < count_domains(report); i++) {
		const json_t *domain = get_domain(report, i, names);

		count.n += domain != NULL;
		count.n_good += domain && is_state(domain, state);
	}
	for (const char *const *name = names; name && *name; name++) {
		bool is_there = false;

		for (size_t i = 0; i < count_domains(report); i++)
			is_there |= streq(text_of(get_domain(report, i, NULL), "name"), *name);
		count.n += !is_there;
	}
	if (server && streq(state, "registered")) {
		count.n++;
		count.n_good += is_state(server, state);
	}
	return count;
}

enum ctl_exit report_judge(const struct report_count *count)
{
	if (count->n > 0 && count->n_good == count->n)
		return CTL_DONE;
	return count->n_good > 0 ? CTL_PARTLY : CTL_FAILED;
}

bool report_is_connected(const json_t *report)
{
	return streq(text_of(json_object_get(report, "gateway"), "state"), "connected");
}

/* "31/31", or nothing while it is not known. */
static void add_tools(struct strbuf *out, const json_t *entry)
{
	const json_t *wanted = json_object_get(entry, "tools_wanted");
	const json_t *found = json_object_get(entry, "tools_found");

	if (json_is_integer(wanted) && json_is_integer(found))
		strbuf_addf(out, "%lld/%lld", (long long)json_integer_value(found),
			(long long)json_integer_value(wanted));
}

static void add_line(struct strbuf *out, const json_t *entry)
{
	out_clean(out, text_of(entry, "name"));
	strbuf_addc(out, ' ');
	add_tools(out, entry);
	strbuf_addc(out, ' ');
	out_clean(out, text_of(entry, "state"));
	if (*text_of(entry, "error")) {
		strbuf_adds(out, ": ");
		out_clean(out, text_of(entry, "error"));
	}
	strbuf_addc(out, '\n');
}

void report_add_lines(struct strbuf *out, const json_t *report, const char *const *names)
{
	for (size_t i = 0; i < count_domains(report); i++) {
		const json_t *domain = get_domain(report, i, names);

		if (domain)
			add_line(out, domain);
	}
	if (get_server(report))
		add_line(out, get_server(report));
}

void report_on_notice(void *arg, const char *method, json_t *params)
{
	struct report_progress *progress = arg;
	auto_strbuf lines = { 0 };

	if (!streq(method, "gateway"))
		return;
	report_add_lines(&lines, params, progress->names);
	live_draw(&progress->live, strbuf_get(&lines));
}

static enum color color_of(const char *state)
{
	if (streq(state, "registered") || streq(state, "connected"))
		return COLOR_GOOD;
	if (streq(state, "waiting") || streq(state, "registering") ||
		streq(state, "unregistered") || streq(state, "off") || streq(state, "unknown"))
		return COLOR_NONE;
	return streq(state, "degraded") || streq(state, "disabled") || streq(state, "rate_limited")
		       ? COLOR_WARN
		       : COLOR_BAD;
}

static void add_row(struct table *table, const json_t *entry)
{
	auto_strbuf tools = { 0 };
	const char *gateway_name = text_of(entry, "gateway_name");

	add_tools(&tools, entry);
	table_add(table, COLOR_BOLD, text_of(entry, "name"));
	table_add(table, COLOR_NONE, strbuf_get(&tools));
	table_add(table, color_of(text_of(entry, "state")), text_of(entry, "state"));
	table_add(table, COLOR_NONE, *gateway_name ? gateway_name : text_of(entry, "name"));
	table_add(table, COLOR_DIM, text_of(entry, "url"));
}

/* "git: refused: what; what to do". */
static void print_trouble(const struct ctl *ctl, const char *name, const json_t *entry)
{
	auto_strbuf line = { 0 };
	const char *state = text_of(entry, "state");

	if (!*text_of(entry, "error"))
		return;
	out_clean(&line, name);
	strbuf_adds(&line, ": ");
	out_clean(&line, text_of(entry, "error"));
	out_line(ctl, color_of(state), "%s", strbuf_get(&line));
	if (!*text_of(entry, "remedy"))
		return;
	strbuf_cut(&line, 0);
	out_clean(&line, text_of(entry, "remedy"));
	out_line(ctl, COLOR_NONE, "  %s", strbuf_get(&line));
}

static void print_gateway(const struct ctl *ctl, const json_t *gateway)
{
	auto_strbuf line = { 0 };

	strbuf_adds(&line, *text_of(gateway, "url") ? "gateway " : "gateway");
	out_clean(&line, text_of(gateway, "url"));
	strbuf_adds(&line, ": ");
	out_clean(&line, text_of(gateway, "state"));
	if (streq(text_of(gateway, "state"), "off") && !*text_of(gateway, "url"))
		strbuf_adds(&line, ": none is known; " REPORT_HOW_TO_REGISTER);
	out_line(ctl, color_of(text_of(gateway, "state")), "%s", strbuf_get(&line));
	print_trouble(ctl, "gateway", gateway);
}

void report_print(const struct ctl *ctl, const json_t *report, const char *const *names)
{
	static const struct column columns[] = { { "DOMAIN", false }, { "TOOLS", true },
		{ "STATE", false }, { "NAME THERE", false }, { "URL", false } };
	auto_(table_freep) struct table *table = table_new(columns, N_ELEMENTS(columns));
	const json_t *server = get_server(report);

	for (size_t i = 0; i < count_domains(report); i++) {
		const json_t *domain = get_domain(report, i, names);

		if (domain)
			add_row(table, domain);
	}
	if (server)
		add_row(table, server);
	table_print(ctl, table, 0);
	print_gateway(ctl, json_object_get(report, "gateway"));
	for (size_t i = 0; i < count_domains(report); i++) {
		const json_t *domain = get_domain(report, i, names);

		if (domain)
			print_trouble(ctl, text_of(domain, "name"), domain);
	}
	if (server)
		print_trouble(ctl, text_of(server, "name"), server);
}

void report_print_drift(const struct ctl *ctl, const json_t *report)
{
	const json_t *drift = json_object_get(report, "drift");

	for (size_t i = 0; i < json_array_size(drift); i++) {
		const json_t *entry = json_array_get(drift, i);
		auto_strbuf line = { 0 };

		out_clean(&line, *text_of(entry, "domain") ? text_of(entry, "domain") : "gateway");
		strbuf_adds(&line, ": ");
		out_clean(&line, text_of(entry, "what"));
		if (*text_of(entry, "action")) {
			strbuf_adds(&line, "; to do: ");
			out_clean(&line, text_of(entry, "action"));
		}
		out_line(ctl, COLOR_WARN, "%s", strbuf_get(&line));
	}
	if (json_array_size(drift) == 0 && report_is_connected(report))
		out_line(ctl, COLOR_GOOD, "no drift: the gateway has what it should have");
}
