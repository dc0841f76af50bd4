/* See health.h. */
#include "supervisor/ops/health.h"

#include <jansson.h>

#include "config.h"

#include "shared/alloc.h"
#include "shared/clock.h"

struct health {
	struct loop *loop;
	struct mcp *mcp;
	const struct conf *conf;
	int64_t began_ms;
	bool stopping;
};

struct report {
	const struct health *health;
	const struct confine_support *support;
	json_t *domains;
	json_t *reasons;
	unsigned n_up;
	unsigned n_domains;
	unsigned n_disabled; /* not among them */
};

static size_t count_tools(const struct health *health, const char *domain)
{
	const struct endpoint *endpoint = catalog_endpoint(mcp_get_catalog(health->mcp), domain);

	return endpoint ? endpoint_count_tools(endpoint) : 0;
}

/* Why a domain is not ready; NULL: it is. The words are appended with the remedy. */
static char *reason_of(const struct domain_stats *stats, const char *name, size_t n_tools)
{
	switch (stats->state) {
	case DOMAIN_UP:
	case DOMAIN_ASLEEP:
		return n_tools > 0 ? NULL
				   : alloc_printf("%s: it lists no tools; see domains.%s.tools",
					     name, name);
	case DOMAIN_STARTING:
		return alloc_printf("%s: starting%s%s", name, *stats->last_death ? "; last: " : "",
			stats->last_death);
	case DOMAIN_DOWN:
		return alloc_printf(
			"%s: down, being started again; last: %s", name, stats->last_death);
	case DOMAIN_PARKED:
		return alloc_printf("%s: parked after too many failures, tried again later: %s. "
				    "Mend the cause, then reload (SIGHUP)",
			name, stats->last_death);
	case DOMAIN_DISABLED: /* somebody wanted it so */
		return NULL;
	case DOMAIN_STOPPED:
		break;
	}
	return alloc_printf("%s: stopped", name);
}

/* A reason must never be lost: without one the fleet counts as ready. */
static void add_reason(struct report *report, const char *name, const char *text)
{
	json_t *reason = json_string(text);

	if (!reason) /* words that are not UTF-8 */
		reason = json_string_nocheck(name);
	(void)json_array_append_new(report->reasons, reason);
}

/* Names that the domain does not get. */
static void report_clash(void *arg, const char *name, const char *text)
{
	struct report *report = arg;
	const struct conf_domain *conf = conf_find_domain(report->health->conf, name);
	auto_free char *reason = alloc_printf("%s: %s", name, text);

	if (!conf || conf->required)
		add_reason(report, name, reason);
}

static void report_domain(void *arg, struct domain *domain)
{
	struct report *report = arg;
	const char *name = domain_get_name(domain);
	const struct conf_domain *conf = conf_find_domain(report->health->conf, name);
	size_t n_tools = count_tools(report->health, name);
	struct domain_stats stats;
	auto_free char *reason = NULL;
	auto_strbuf missing = { 0 };
	json_t *json;

	domain_get_stats(domain, &stats);
	if (conf)
		confine_add_missing(conf, report->support, &missing);
	reason = reason_of(&stats, name, n_tools);
	report->n_domains += stats.state != DOMAIN_DISABLED;
	report->n_disabled += stats.state == DOMAIN_DISABLED;
	report->n_up += domain_state_is_up(stats.state);
	if (reason && (!conf || conf->required))
		add_reason(report, name, reason);
	json = json_pack("{s:s, s:b, s:I, s:i, s:i, s:i, s:i, s:I, s:I, s:s}", "state",
		domain_state_name(stats.state), "required", conf ? (int)conf->required : 0, "tools",
		(json_int_t)n_tools, "processes", (int)stats.n_processes, "ready",
		(int)stats.n_ready, "calls_in_flight", (int)stats.n_in_flight, "calls_queued",
		(int)stats.n_queued, "calls_total", (json_int_t)stats.n_calls, "restarts",
		(json_int_t)stats.n_restarts, "last_death", stats.last_death);
	if (!json) /* the last words of a worker were not UTF-8 */
		json = json_pack("{s:s}", "state", domain_state_name(stats.state));
	(void)json_object_set_new(json, "sandbox", json_string(conf ? confine_profile(conf) : ""));
	if (missing.len > 0)
		(void)json_object_set_new(json, "not_enforced", json_string(missing.data));
	(void)json_object_set_new(report->domains, name, json);
}

static void make_report(const struct health *health, struct report *report)
{
	const struct fleet *fleet = mcp_get_fleet(health->mcp);

	*report = (struct report){ .health = health,
		.support = fleet_get_support(fleet),
		.domains = json_object(),
		.reasons = json_array() };
	fleet_each(fleet, report_domain, report);
	catalog_each_clash(mcp_get_catalog(health->mcp), report_clash, report);
	if (health->stopping)
		(void)json_array_append_new(report->reasons, json_string("the fleet is stopping"));
}

static void answer_json(struct http_conn *conn, int status, json_t *json)
{
	auto_free char *text = json_dumps(json, JSON_INDENT(2));
	auto_free char *body = alloc_printf("%s\n", text ? text : "{}");
	const struct http_reply reply = { .status = status,
		.content_type = "application/json",
		.body = body,
		.body_len = strlen(body),
		.extra = "Cache-Control: no-store\r\n" };

	http_conn_answer(conn, &reply);
}

static json_t *make_life(const struct health *health)
{
	return json_pack("{s:s, s:s, s:I, s:i}", "status", "alive", "version", PACKAGE_VERSION,
		"uptime_seconds",
		(json_int_t)((loop_now_ms(health->loop) - health->began_ms) / CLOCK_SECOND_MS),
		"sessions", (int)sessions_count(mcp_get_sessions(health->mcp)));
}

/* Where others need a credential a probe gets its answer without one, but no words: there are the last ones of a
 * worker among them, and they may be anything. */
static bool on_health(void *arg, struct http_conn *conn, struct http_ask *ask)
{
	json_auto_t *json =
		http_conn_tells_all(conn) ? make_life(arg) : json_pack("{s:s}", "status", "alive");

	answer_json(conn, 200, json);
	return false;
}

/* Takes over what is in the report. */
static json_t *make_readiness(const struct health *health, const struct report *report)
{
	auto_strbuf sandbox = { 0 };

	confine_describe(report->support, &sandbox);
	return json_pack("{s:b, s:o, s:o, s:s, s:i, s:I}", "ready",
		(int)(json_array_size(report->reasons) == 0), "reasons", report->reasons, "domains",
		report->domains, "sandbox", strbuf_get(&sandbox), "sessions",
		(int)sessions_count(mcp_get_sessions(health->mcp)), "tools",
		(json_int_t)count_tools(health, NULL));
}

static bool on_ready(void *arg, struct http_conn *conn, struct http_ask *ask)
{
	const struct health *health = arg;
	json_auto_t *json = NULL;
	struct report report;
	bool is_ready;

	make_report(health, &report);
	is_ready = json_array_size(report.reasons) == 0;
	json = make_readiness(health, &report);
	if (!http_conn_tells_all(conn)) {
		json_decref(json);
		json = json_pack("{s:b}", "ready", (int)is_ready);
	}
	answer_json(conn, is_ready ? 200 : 503, json);
	return false;
}

json_t *health_make_reasons(const struct health *health)
{
	struct report report;

	make_report(health, &report);
	json_decref(report.domains);
	return report.reasons;
}

const char *health_get_sandbox(
	const struct health *health, const char *domain, struct strbuf *missing)
{
	const struct conf_domain *conf = conf_find_domain(health->conf, domain);

	if (!conf)
		return "";
	confine_add_missing(conf, fleet_get_support(mcp_get_fleet(health->mcp)), missing);
	return confine_profile(conf);
}

void health_add_summary(const struct health *health, struct strbuf *out)
{
	struct report report;

	make_report(health, &report);
	strbuf_addf(out, "%u/%u domains up, %zu tools, %u sessions", report.n_up, report.n_domains,
		count_tools(health, NULL), sessions_count(mcp_get_sessions(health->mcp)));
	if (report.n_disabled > 0)
		strbuf_addf(out, ", %u domain%s disabled", report.n_disabled,
			report.n_disabled == 1 ? "" : "s");
	json_decref(report.domains);
	json_decref(report.reasons);
}

struct health *health_new(struct loop *loop, struct mcp *mcp, const struct conf *conf)
{
	struct health *health = alloc_zero(sizeof(*health));

	health->loop = loop;
	health->mcp = mcp;
	health->conf = conf;
	health->began_ms = loop_now_ms(loop);
	return health;
}

void health_free(struct health *health)
{
	free(health);
}

void health_set_conf(struct health *health, const struct conf *conf)
{
	health->conf = conf;
}

void health_set_stopping(struct health *health)
{
	health->stopping = true;
}

void health_get_routes(struct health *health, struct http_route ret[HEALTH_ROUTES])
{
	ret[0] = (struct http_route){ .path = "/health",
		.methods = HTTPD_GET,
		.zone = GUARD_ZONE_PROBE,
		.head = on_health,
		.arg = health };
	ret[1] = (struct http_route){ .path = "/ready",
		.methods = HTTPD_GET,
		.zone = GUARD_ZONE_PROBE,
		.head = on_ready,
		.arg = health };
}
