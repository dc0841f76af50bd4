/* See metrics.h. */
#include "supervisor/ops/metrics.h"

#include "config.h"

#include "shared/alloc.h"
#include "shared/clock.h"

#define CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

struct metrics {
	struct loop *loop;
	const struct health *health;
	const struct registration *registration;
	const struct otlp *otlp; /* NULL: nobody makes spans */
	const struct courier *courier;
	int64_t began_ms;
};

/* --- the format --------------------------------------------------------------------------------- */

static void begin(struct strbuf *out, const char *name, const char *type, const char *help)
{
	strbuf_addf(
		out, "# HELP mcp_fleet_%s %s\n# TYPE mcp_fleet_%s %s\n", name, help, name, type);
}

/* In a label's value these three are escaped. */
static void add_label(struct strbuf *out, const char *name, const char *value)
{
	strbuf_addf(out, "%s=\"", name);
	for (; *value; value++) {
		if (*value == '\n')
			strbuf_adds(out, "\\n");
		else if (*value == '"' || *value == '\\')
			strbuf_addf(out, "\\%c", *value);
		else
			strbuf_addc(out, *value);
	}
	strbuf_addc(out, '"');
}

static void add_plain(
	struct strbuf *out, const char *name, const char *type, const char *help, json_int_t value)
{
	begin(out, name, type, help);
	strbuf_addf(out, "mcp_fleet_%s %lld\n", name, (long long)value);
}

static const char *text_of(json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "";
}

/* --- the gateway -------------------------------------------------------------------------------- */

static void add_domain_states(struct strbuf *out, json_t *domains)
{
	json_t *domain;
	size_t i;

	begin(out, "gateway_domain_state", "gauge",
		"The state of a domain at the gateway: 1 for the one that it is in.");
	json_array_foreach(domains, i, domain) {
		strbuf_adds(out, "mcp_fleet_gateway_domain_state{");
		add_label(out, "domain", text_of(domain, "name"));
		strbuf_addc(out, ',');
		add_label(out, "state", text_of(domain, "state"));
		strbuf_adds(out, "} 1\n");
	}
}

static void add_domain_tools(
	struct strbuf *out, json_t *domains, const char *name, const char *member, const char *help)
{
	json_t *domain;
	size_t i;

	begin(out, name, "gauge", help);
	json_array_foreach(domains, i, domain) {
		strbuf_addf(out, "mcp_fleet_%s{", name);
		add_label(out, "domain", text_of(domain, "name"));
		strbuf_addf(out, "} %lld\n",
			(long long)json_integer_value(json_object_get(domain, member)));
	}
}

static void add_counters(struct strbuf *out, json_t *counters)
{
	static const struct {
		const char *member;
		const char *name;
		const char *help;
	} all[] = {
		{ "rounds", "gateway_rounds_total",
			"How often the gateway was compared with the fleet." },
		{ "requests", "gateway_requests_total", "Requests to the gateway." },
		{ "creates", "gateway_creates_total", "Entries made at the gateway." },
		{ "updates", "gateway_updates_total", "Entries changed at the gateway." },
		{ "deletes", "gateway_deletes_total", "Entries deleted at the gateway." },
		{ "errors", "gateway_errors_total", "Requests to the gateway that failed." },
	};

	for (size_t i = 0; i < N_ELEMENTS(all); i++)
		add_plain(out, all[i].name, "counter", all[i].help,
			json_integer_value(json_object_get(counters, all[i].member)));
}

static void add_gateway(struct strbuf *out, json_t *report)
{
	json_t *gateway = json_object_get(report, "gateway");
	json_t *domains = json_object_get(report, "domains");
	json_t *days = json_object_get(json_object_get(gateway, "token"), "days_left");

	add_plain(out, "gateway_connected", "gauge", "1: the gateway answers and takes the token.",
		streq(text_of(gateway, "state"), "connected"));
	add_domain_states(out, domains);
	add_domain_tools(out, domains, "gateway_tools_wanted", "tools_wanted",
		"Tools of a domain that the gateway should have.");
	add_domain_tools(out, domains, "gateway_tools_found", "tools_found",
		"Tools of a domain that the gateway has.");
	add_plain(out, "gateway_drift", "gauge",
		"What differs between the gateway and the fleet, and was not put right.",
		(json_int_t)json_array_size(json_object_get(report, "drift")));
	if (json_is_integer(days))
		add_plain(out, "gateway_token_days_left", "gauge",
			"Days until the gateway's token ends.", json_integer_value(days));
	add_counters(out, json_object_get(report, "counters"));
	add_plain(out, "registrar_restarts_total", "counter",
		"How often the registrar's process was replaced.",
		json_integer_value(
			json_object_get(json_object_get(report, "process"), "restarts")));
}

static void add_spans(const struct metrics *metrics, struct strbuf *out)
{
	struct otlp_stats stats;

	otlp_get_stats(metrics->otlp, &stats);
	add_plain(out, "spans_total", "counter", "Spans that were made.", (json_int_t)stats.n_made);
	add_plain(out, "spans_sent_total", "counter", "Spans that the collector has taken.",
		(json_int_t)stats.n_sent);
	add_plain(out, "spans_dropped_total", "counter",
		"Spans that were lost: no room, refused, or switched off.",
		(json_int_t)stats.n_dropped);
	add_plain(out, "spans_waiting", "gauge", "Spans on their way to the collector.",
		(json_int_t)stats.n_waiting);
	add_plain(out, "span_requests_failed_total", "counter",
		"Requests to the collector that failed or were refused.",
		(json_int_t)stats.n_failures);
	add_plain(out, "courier_restarts_total", "counter",
		"How often the courier's process was replaced because it had died.",
		(json_int_t)courier_get_restarts(metrics->courier));
}

/* --- the whole ---------------------------------------------------------------------------------- */

static void add_fleet(const struct metrics *metrics, struct strbuf *out)
{
	json_auto_t *reasons = health_make_reasons(metrics->health);

	begin(out, "build_info", "gauge", "Always 1; the version is a label.");
	strbuf_adds(out, "mcp_fleet_build_info{version=\"" PACKAGE_VERSION "\"} 1\n");
	add_plain(out, "uptime_seconds", "gauge", "Since the start of the daemon.",
		(loop_now_ms(metrics->loop) - metrics->began_ms) / CLOCK_SECOND_MS);
	add_plain(out, "ready", "gauge", "1: /ready answers 200.", json_array_size(reasons) == 0);
}

static bool on_metrics(void *arg, struct http_conn *conn, struct http_ask *ask)
{
	const struct metrics *metrics = arg;
	json_auto_t *report = registration_make_report(metrics->registration);
	auto_strbuf out = { 0 };

	add_fleet(metrics, &out);
	if (report)
		add_gateway(&out, report);
	if (metrics->otlp)
		add_spans(metrics, &out);
	const struct http_reply reply = { .status = 200,
		.content_type = CONTENT_TYPE,
		.body = out.data,
		.body_len = out.len,
		.extra = "Cache-Control: no-store\r\n" };

	http_conn_answer(conn, &reply);
	return false;
}

struct metrics *metrics_new(
	struct loop *loop, const struct health *health, const struct registration *registration)
{
	struct metrics *metrics = alloc_zero(sizeof(*metrics));

	metrics->loop = loop;
	metrics->health = health;
	metrics->registration = registration;
	metrics->began_ms = loop_now_ms(loop);
	return metrics;
}

void metrics_use_spans(
	struct metrics *metrics, const struct otlp *otlp, const struct courier *courier)
{
	metrics->otlp = otlp;
	metrics->courier = courier;
}

void metrics_free(struct metrics *metrics)
{
	free(metrics);
}

void metrics_get_routes(struct metrics *metrics, struct http_route ret[METRICS_ROUTES])
{
	ret[0] = (struct http_route){ .path = "/metrics",
		.zone = GUARD_ZONE_ADMIN,
		.methods = HTTPD_GET,
		.head = on_metrics,
		.arg = metrics };
}
