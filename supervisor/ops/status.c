/* See status.h. */
#include "supervisor/ops/status.h"

#include <unistd.h>

#include "config.h"

#include "shared/alloc.h"
#include "shared/clock.h"
#include "shared/jx.h"
#include "supervisor/ops/control_private.h"
#include "supervisor/ops/process_usage.h"
#include "supervisor/stats.h"

/* It is made for each second in which somebody watches, so less is read than for /metrics. */
enum { MAX_READ = 250, US_PER_MS = 1000, DAY_S = 24 * 60 * 60 };

struct status {
	struct status_parts parts;
	char *settings; /* the file as others find it: it may have been given from the folder that we were
	                 * started in. NULL: the built-in default */
	int64_t began_ms;
};

static json_t *number(uint64_t value)
{
	return json_integer((json_int_t)value);
}

/* --- a domain ----------------------------------------------------------------------------------- */

struct listing {
	const struct status *status;
	json_t *items;
	int64_t now_ms;
	unsigned *n_read; /* of all processes */
	struct process_usage_sum usage;
};

/* Numbers where they are known, else null. */
static void add_usage(json_t *json, bool is_known, int64_t resident_bytes, int64_t cpu_us)
{
	(void)json_object_set_new(
		json, "memory_bytes", is_known ? json_integer(resident_bytes) : json_null());
	(void)json_object_set_new(
		json, "cpu_ms", is_known ? json_integer(cpu_us / US_PER_MS) : json_null());
}

static json_t *session_of(const struct status *status, uint64_t no)
{
	const struct session *session =
		no ? session_find_number(mcp_get_sessions(status->parts.mcp), no) : NULL;
	char id[SESSION_ID_TEXT];

	if (!session)
		return json_null();
	session_get_id(session, id);
	id[CONTROL_SHOWN_ID] = '\0'; /* the status is the same for all who may look */
	return json_string(id);
}

/* Milliseconds with their fraction; the last bucket has no bound. */
static void add_bucket(void *arg, int64_t bound_us, uint64_t n_below)
{
	json_t *bound = bound_us == INT64_MAX ? json_null() : json_real((double)bound_us / 1000);

	(void)json_array_append_new(arg, json_pack("[o, I]", bound, (json_int_t)n_below));
}

static void add_process(void *arg, const struct domain_process *process)
{
	struct listing *list = arg;
	int64_t age_ms = process->since_ms > 0 ? list->now_ms - process->since_ms : 0;
	json_t *latency = json_array();
	struct process_usage usage = { 0 };
	bool is_read =
		process_usage_add(&list->usage, process->pid, list->n_read, MAX_READ, &usage);
	json_t *json = json_pack("{s:s, s:i, s:s, s:i, s:i, s:I, s:I, s:b}", "name", process->name,
		"pid", (int)process->pid, "state", process->state, "calls", (int)process->n_calls,
		"starts", (int)process->n_starts, "answered", (json_int_t)process->n_answered,
		"age_ms", (json_int_t)age_ms, "retiring", (int)process->retiring);

	add_usage(json, is_read, usage.resident_bytes, usage.cpu_us);
	histogram_each(process->latency, add_bucket, latency);
	(void)json_object_set_new(json, "latency", latency);
	(void)json_object_set_new(json, "last_end", jx_text(process->last_end));
	(void)json_object_set_new(json, "session", session_of(list->status, process->session));
	(void)json_array_append_new(list->items, json);
}

static json_t *calls_of(const struct domain_stats *stats)
{
	json_t *json = json_object();

	(void)json_object_set_new(json, "in_flight", number(stats->n_in_flight));
	(void)json_object_set_new(json, "queued", number(stats->n_queued));
	(void)json_object_set_new(json, "total", number(stats->n_calls));
	(void)json_object_set_new(json, "ok", number(stats->n_ok));
	(void)json_object_set_new(json, "errors", number(stats->n_errors));
	(void)json_object_set_new(json, "lost", number(stats->n_lost));
	(void)json_object_set_new(json, "timed_out", number(stats->n_timed_out));
	(void)json_object_set_new(json, "cancelled", number(stats->n_cancelled));
	return json;
}

/* That it serves does not mean that all of its processes do. */
static const char *remedy_for_some(const struct domain_stats *stats)
{
	if (stats->n_parked > 0)
		return "a process of it is parked: mend the cause, then mcp-fleetctl restart";
	if (stats->n_waiting > 0)
		return "a process of it is being started again; mcp-fleetctl logs shows what it says";
	if (stats->state == DOMAIN_ASLEEP)
		return "none is needed: it starts with the next call";
	return "none is needed: it was replaced";
}

static const char *remedy_for(const struct domain_stats *stats)
{
	switch (stats->state) {
	case DOMAIN_PARKED:
		return "mend the cause, then mcp-fleetctl restart or reload: it is tried again rarely";
	case DOMAIN_STARTING:
	case DOMAIN_DOWN:
		return "it is being started again; mcp-fleetctl logs shows what it says";
	case DOMAIN_DISABLED:
		return "mcp-fleetctl enable switches it on again";
	case DOMAIN_UP:
	case DOMAIN_ASLEEP:
		return remedy_for_some(stats);
	case DOMAIN_STOPPED:
		break;
	}
	return "none is needed: the fleet is stopping";
}

static json_t *error_of(const struct domain_stats *stats, int64_t now_ms)
{
	json_t *text = jx_text(stats->last_error);

	if (json_is_null(text))
		return text;
	return json_pack("{s:o, s:s, s:I}", "text", text, "remedy", remedy_for(stats), "age_ms",
		(json_int_t)(now_ms - stats->last_error_ms));
}

static void add_details(const struct listing *list, json_t *json, struct domain *domain,
	const struct domain_stats *stats)
{
	const struct status *status = list->status;
	const struct conf_domain *conf =
		conf_find_domain(status->parts.conf, domain_get_name(domain));
	struct listing processes = { .status = status,
		.items = json_array(),
		.now_ms = list->now_ms,
		.n_read = list->n_read,
		.usage.cpu_us = stats->ended_cpu_us };
	auto_strbuf missing = { 0 };
	json_t *latency = json_array();

	domain_each_process(domain, add_process, &processes);
	add_usage(json, !processes.usage.is_partial, processes.usage.resident_bytes,
		processes.usage.cpu_us);
	histogram_each(stats->latency, add_bucket, latency);
	(void)json_object_set_new(json, "required", json_boolean(conf && conf->required));
	(void)json_object_set_new(json, "sandbox",
		json_string(health_get_sandbox(
			status->parts.health, domain_get_name(domain), &missing)));
	(void)json_object_set_new(json, "not_enforced", jx_text(missing.data));
	(void)json_object_set_new(json, "calls", calls_of(stats));
	(void)json_object_set_new(json, "last_error", error_of(stats, processes.now_ms));
	(void)json_object_set_new(json, "latency", latency);
	(void)json_object_set_new(json, "processes", processes.items);
}

static size_t count_tools(const struct status *status, const char *domain)
{
	const struct endpoint *endpoint =
		catalog_endpoint(mcp_get_catalog(status->parts.mcp), domain);

	return endpoint ? endpoint_count_tools(endpoint) : 0;
}

static void add_domain(void *arg, struct domain *domain)
{
	struct listing *list = arg;
	const char *name = domain_get_name(domain);
	struct domain_stats stats;
	json_t *json;

	domain_get_stats(domain, &stats);
	json = json_pack("{s:s, s:s, s:I, s:I}", "name", name, "state",
		domain_state_name(stats.state), "tools",
		(json_int_t)count_tools(list->status, name), "restarts",
		(json_int_t)stats.n_restarts);
	add_details(list, json, domain, &stats);
	(void)json_array_append_new(list->items, json);
}

/* --- the whole ---------------------------------------------------------------------------------- */

/* "127.0.0.1:8000, [::1]:8000" as a list. */
static json_t *listeners_of(const struct status *status)
{
	json_t *list = json_array();
	auto_strbuf text = { 0 };
	char *save = NULL;

	status->parts.add_addresses(status->parts.arg, &text);
	if (text.len == 0)
		return list;
	for (char *at = strtok_r(text.data, ", ", &save); at; at = strtok_r(NULL, ", ", &save))
		(void)json_array_append_new(list, json_string(at));
	return list;
}

static void count_transport(void *arg, struct session *session)
{
	const char *name = session_get_transport(session);
	json_int_t n = json_integer_value(json_object_get(arg, name));

	if (*name && !session_is_once(session))
		(void)json_object_set_new(arg, name, json_integer(n + 1));
}

/* Those that are open; a transport without any is left out. */
static json_t *transports_of(struct sessions *sessions)
{
	json_t *json = json_object();

	sessions_each(sessions, count_transport, json);
	return json;
}

static json_t *sessions_of(const struct status *status)
{
	struct sessions *sessions = mcp_get_sessions(status->parts.mcp);
	struct sessions_totals totals;

	sessions_get_totals(sessions, &totals);
	return json_pack("{s:i, s:i, s:o, s:I, s:I, s:I}", "open", (int)sessions_count(sessions),
		"limit", (int)status->parts.conf->limits.sessions, "by_transport",
		transports_of(sessions), "opened_total", (json_int_t)totals.n_opened,
		"refused_total", (json_int_t)totals.n_refused, "stateless_total",
		(json_int_t)totals.n_once);
}

static json_t *domains_of(const struct status *status)
{
	unsigned n_read = 0;
	struct listing list = { .status = status,
		.items = json_array(),
		.now_ms = loop_now_ms(status->parts.loop),
		.n_read = &n_read };

	fleet_each(mcp_get_fleet(status->parts.mcp), add_domain, &list);
	return list.items;
}

static const char *transport_of(const struct status *status)
{
	return status->parts.conf->transport == CONF_TRANSPORT_SSE ? "sse" : "stdio";
}

/* Whole ones; negative as soon as it is over. */
static int64_t days_until(int64_t end_s)
{
	int64_t left_s = end_s - clock_wall_ms() / CLOCK_SECOND_MS;

	return left_s < 0 ? -1 + (left_s + 1) / DAY_S : left_s / DAY_S;
}

static json_t *tls_of(const struct status *status)
{
	const struct status_parts *parts = &status->parts;
	const struct tls *tls = parts->get_tls ? parts->get_tls(parts->arg) : NULL;
	const struct tls_counts *counts = tls_get_counts();

	if (!tls)
		return json_null();
	return json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "subject",
		tls_get_subject(tls), "serial", tls_get_serial(tls), "not_before",
		(json_int_t)tls_get_not_before(tls), "not_after",
		(json_int_t)tls_get_not_after(tls), "days_left",
		(json_int_t)days_until(tls_get_not_after(tls)), "handshakes",
		(json_int_t)counts->handshakes, "failed", (json_int_t)counts->failed, "plain_http",
		(json_int_t)counts->plain_http, "truncated", (json_int_t)counts->truncated);
}

/* How often each limit was reached, of those that were. */
static json_t *limits_of(void)
{
	json_t *json = json_object();

	for (int i = 0; i < STATS_LIMITS; i++)
		if (stats_get_limit((enum stats_limit)i) > 0)
			(void)json_object_set_new(json, stats_limit_name((enum stats_limit)i),
				number(stats_get_limit((enum stats_limit)i)));
	return json;
}

/* The same of what was refused at the door. */
static json_t *refusals_of(void)
{
	json_t *json = json_object();

	for (int i = 0; i < STATS_REFUSALS; i++)
		if (stats_get_refusal((enum stats_refusal)i) > 0)
			(void)json_object_set_new(json, stats_refusal_name((enum stats_refusal)i),
				number(stats_get_refusal((enum stats_refusal)i)));
	return json;
}

/* Those of the keys file that are taken now. */
static json_t *keys_of(const struct status *status)
{
	const struct keys *keys = status->parts.keys;

	if (!keys || !status->parts.conf->keys_path)
		return json_null();
	return json_pack("{s:o, s:o}", "count", number(keys_count(keys)), "fault",
		jx_text(keys_get_fault(keys)));
}

static void add_own_usage(json_t *json)
{
	struct process_usage usage = { 0 };
	bool is_known = process_usage_read(0, &usage) == 0;

	add_usage(json, is_known, usage.resident_bytes, usage.own_cpu_us);
}

static void add_paths(const struct status *status, json_t *json)
{
	(void)json_object_set_new(json, "settings", jx_text(status->settings));
	(void)json_object_set_new(json, "state_dir", jx_text(status->parts.state_dir));
	(void)json_object_set_new(json, "keys_path", jx_text(status->parts.conf->keys_path));
}

static void add_places(const struct status *status, json_t *json)
{
	const struct status_parts *parts = &status->parts;
	auto_strbuf admin = { 0 };

	(void)json_object_set_new(json, "transport", json_string(transport_of(status)));
	(void)json_object_set_new(json, "listeners", listeners_of(status));
	if (parts->add_admin)
		parts->add_admin(parts->arg, &admin);
	(void)json_object_set_new(json, "admin", jx_text(admin.data));
	(void)json_object_set_new(
		json, "local_socket", jx_text(parts->get_local_socket(parts->arg)));
	(void)json_object_set_new(
		json, "control_socket", jx_text(parts->get_control_socket(parts->arg)));
	add_paths(status, json);
}

json_t *status_make(const struct status *status)
{
	const struct status_parts *parts = &status->parts;
	json_t *reasons = health_make_reasons(parts->health);
	json_t *report = registration_make_report(parts->registration);
	auto_strbuf sandbox = { 0 };
	json_t *json = json_pack("{s:s, s:i, s:I, s:b, s:o}", "version", PACKAGE_VERSION, "pid",
		(int)getpid(), "uptime_ms",
		(json_int_t)(loop_now_ms(parts->loop) - status->began_ms), "ready",
		(int)(json_array_size(reasons) == 0), "reasons", reasons);

	confine_describe(fleet_get_support(mcp_get_fleet(parts->mcp)), &sandbox);
	add_places(status, json);
	(void)json_object_set_new(json, "sandbox", json_string(strbuf_get(&sandbox)));
	add_own_usage(json);
	(void)json_object_set_new(json, "keys", keys_of(status));
	(void)json_object_set_new(json, "tls", tls_of(status));
	(void)json_object_set_new(json, "sessions", sessions_of(status));
	(void)json_object_set_new(json, "limits", limits_of());
	(void)json_object_set_new(json, "refusals", refusals_of());
	(void)json_object_set_new(json, "tools", number(count_tools(status, NULL)));
	(void)json_object_set_new(json, "domains", domains_of(status));
	(void)json_object_set_new(json, "gateway", report ? report : json_null());
	return json;
}

json_t *status_make_hello(const struct status *status)
{
	json_t *json = json_pack("{s:s, s:i, s:i}", "version", PACKAGE_VERSION, "protocol",
		(int)CONTROL_PROTOCOL, "pid", (int)getpid());

	(void)json_object_set_new(json, "transport", json_string(transport_of(status)));
	add_paths(status, json);
	return json;
}

/* Once for each set of settings: a file system may take its time. */
static void find_settings(struct status *status)
{
	const char *given = status->parts.conf->path;
	char *path = given ? realpath(given, NULL) : NULL;

	free(status->settings);
	status->settings = path || !given ? path : alloc_str(given);
}

struct status *status_new(const struct status_parts *parts)
{
	struct status *status = alloc_zero(sizeof(*status));

	status->parts = *parts;
	find_settings(status);
	status->began_ms = loop_now_ms(parts->loop);
	return status;
}

void status_free(struct status *status)
{
	if (!status)
		return;
	free(status->settings);
	free(status);
}

void status_set_conf(struct status *status, const struct conf *conf)
{
	status->parts.conf = conf;
	find_settings(status);
}
