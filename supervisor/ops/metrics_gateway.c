/* /metrics: the gateway, as the registrar reports it. Without a gateway there is nothing. */
#include "supervisor/ops/metrics_private.h"

static const char *text_of(json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "";
}

static void add_states(struct metrics_text *text, json_t *domains)
{
	json_t *domain;
	size_t i;

	metrics_begin(text, METRIC_GATEWAY_DOMAIN_STATE);
	json_array_foreach(domains, i, domain)
		metrics_add(text, 1,
			(const char *[]){ text_of(domain, "name"), text_of(domain, "state") });
}

static void add_tools(
	struct metrics_text *text, enum metric_id id, json_t *domains, const char *member)
{
	json_t *domain;
	size_t i;

	metrics_begin(text, id);
	json_array_foreach(domains, i, domain) {
		const char *name = text_of(domain, "name");

		metrics_add(text, json_integer_value(json_object_get(domain, member)), &name);
	}
}

static void add_counters(struct metrics_text *text, json_t *counters)
{
	static const struct {
		enum metric_id id;
		const char *member;
	} all[] = {
		{ METRIC_GATEWAY_ROUNDS, "rounds" },
		{ METRIC_GATEWAY_REQUESTS, "requests" },
		{ METRIC_GATEWAY_CREATES, "creates" },
		{ METRIC_GATEWAY_UPDATES, "updates" },
		{ METRIC_GATEWAY_DELETES, "deletes" },
		{ METRIC_GATEWAY_ERRORS, "errors" },
	};

	for (size_t i = 0; i < N_ELEMENTS(all); i++)
		metrics_add_one(text, all[i].id,
			json_integer_value(json_object_get(counters, all[i].member)));
}

void metrics_add_gateway(const struct metrics *metrics, struct metrics_text *text)
{
	json_auto_t *report = registration_make_report(metrics->parts.registration);
	json_t *gateway = json_object_get(report, "gateway");
	json_t *domains = json_object_get(report, "domains");
	json_t *days = json_object_get(json_object_get(gateway, "token"), "days_left");
	json_t *process = json_object_get(report, "process");

	if (!report)
		return;
	metrics_add_one(
		text, METRIC_GATEWAY_CONNECTED, streq(text_of(gateway, "state"), "connected"));
	add_states(text, domains);
	add_tools(text, METRIC_GATEWAY_TOOLS_WANTED, domains, "tools_wanted");
	add_tools(text, METRIC_GATEWAY_TOOLS_FOUND, domains, "tools_found");
	metrics_add_one(text, METRIC_GATEWAY_DRIFT,
		(int64_t)json_array_size(json_object_get(report, "drift")));
	if (json_is_integer(days))
		metrics_add_one(text, METRIC_GATEWAY_TOKEN_DAYS, json_integer_value(days));
	add_counters(text, json_object_get(report, "counters"));
	metrics_add_one(text, METRIC_REGISTRAR_RESTARTS,
		json_integer_value(json_object_get(process, "restarts")));
}
