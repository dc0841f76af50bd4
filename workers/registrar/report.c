/* What mcp-fleetd is told, for its status, metrics and mcp-fleetctl; see registrar.h. Field names are
 * stable. */
#include <math.h>
#include <stdio.h>
#include <time.h>

#include "shared/alloc.h"
#include "shared/jx.h"
#include "shared/utf8.h"
#include "workers/registrar/registrar.h"

enum { DAY_S = 24 * 3600 };

const char *contact_name(enum contact contact)
{
	static const char *const names[] = { [CONTACT_OFF] = "off",
		[CONTACT_UNKNOWN] = "unknown",
		[CONTACT_CONNECTED] = "connected",
		[CONTACT_UNREACHABLE] = "unreachable",
		[CONTACT_REFUSED] = "refused",
		[CONTACT_LIMITED] = "rate_limited" };

	return names[contact];
}

static json_t *text_or_null(const char *text)
{
	auto_strbuf whole = { 0 };

	if (!text || !*text)
		return json_null();
	utf8_repair(&whole, text, strlen(text)); /* words may have been cut off */
	return json_string(whole.data);
}

static json_t *make_token(const struct token *token)
{
	json_t *json = json_pack("{s:s, s:n, s:n}", "source", token_source_name(token->source),
		"expires", "days_left");
	time_t at = (time_t)token->expires;
	char text[CLOCK_TEXT_SIZE];
	struct tm utc;

	if (token->expires == 0 || !gmtime_r(&at, &utc) ||
		strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &utc) == 0)
		return json;
	(void)json_object_set_new(json, "expires", json_string(text));
	(void)json_object_set_new(json, "days_left",
		json_integer((json_int_t)floor(difftime(at, time(NULL)) / DAY_S)));
	return json;
}

static json_t *next_try(const struct registrar *registrar)
{
	int64_t left = registrar->round_at_ms - clock_now_ms();

	if (registrar->round_at_ms == 0 || !registrar->url)
		return json_null();
	return json_integer(left > 0 ? left : 0);
}

static json_t *make_gateway(const struct registrar *registrar)
{
	bool is_off = !registrar->url;
	const char *error =
		registrar->settings_error ? registrar->settings_error : registrar->error;

	if (is_off && !registrar->settings_error)
		error = NULL;
	return json_pack("{s:o, s:s, s:o, s:o, s:o, s:o, s:o}", "url", text_or_null(registrar->url),
		"state", contact_name(is_off ? CONTACT_OFF : registrar->contact), "error",
		text_or_null(error), "remedy", text_or_null(is_off ? NULL : registrar->remedy),
		"last_contact", text_or_null(registrar->last_contact), "next_try_ms",
		next_try(registrar), "token", make_token(&registrar->token));
}

static json_t *make_domain(const struct registrar *registrar, const struct domain *domain)
{
	auto_free char *gateway_name = target_gateway_name(registrar, domain->name);
	auto_free char *url = target_url(registrar, domain->name);
	json_t *json = json_pack("{s:s, s:s, s:o, s:s, s:o}", "name", domain->name, "state",
		domain_state_name(domain->state), "id", text_or_null(domain->id), "gateway_name",
		gateway_name, "url", text_or_null(registrar->public_url ? url : NULL));

	(void)json_object_update_new(
		json, json_pack("{s:I, s:I, s:o, s:o, s:o}", "tools_wanted",
			      (json_int_t)json_array_size(domain->tools), "tools_found",
			      (json_int_t)domain->n_found, "error", text_or_null(domain->error),
			      "remedy", text_or_null(domain->remedy), "last_sync",
			      text_or_null(domain->last_sync)));
	return json;
}

static json_t *make_domains(const struct registrar *registrar)
{
	json_t *list = json_array();
	const struct domain *domain;

	TAILQ_FOREACH(domain, &registrar->domains, next)
		if (domain->is_configured || domain->id)
			(void)json_array_append_new(list, make_domain(registrar, domain));
	return list;
}

static json_t *make_server(const struct registrar *registrar)
{
	const struct virtual_server *server = &registrar->server;
	auto_free char *url = NULL;

	if (!registrar->url || !registrar->server_name || !*registrar->server_name)
		return json_null();
	if (server->id)
		url = alloc_printf("%s/servers/%s/mcp", registrar->url, server->id);
	return json_pack("{s:s, s:o, s:o, s:s, s:I, s:I, s:o, s:o}", "name", registrar->server_name,
		"id", text_or_null(server->id), "url", text_or_null(url), "state",
		domain_state_name(server->state), "tools_wanted", (json_int_t)server->n_wanted,
		"tools_found", (json_int_t)server->n_found, "error", text_or_null(server->error),
		"remedy", text_or_null(server->remedy));
}

static json_t *make_counters(const struct registrar *registrar)
{
	const struct gateway_counters *counters = &registrar->gateway.counters;

	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I}", "requests",
		(json_int_t)counters->requests, "creates", (json_int_t)counters->creates, "updates",
		(json_int_t)counters->updates, "deletes", (json_int_t)counters->deletes, "errors",
		(json_int_t)counters->errors, "rounds", (json_int_t)registrar->n_rounds);
}

json_t *report_make(const struct registrar *registrar)
{
	return json_pack("{s:o, s:o, s:o, s:O, s:o}", "gateway", make_gateway(registrar), "domains",
		make_domains(registrar), "server", make_server(registrar), "drift",
		registrar->drift, "counters", make_counters(registrar));
}

/* What differs from report to report although nothing has changed. */
static char *stable_part(json_t *report)
{
	json_auto_t *copy = json_deep_copy(report);
	json_t *gateway = json_object_get(copy, "gateway");
	auto_strbuf text = { 0 };

	(void)json_object_del(copy, "counters");
	(void)json_object_del(gateway, "last_contact");
	(void)json_object_del(gateway, "next_try_ms");
	jx_dump(&text, copy);
	return strbuf_take(&text);
}

void report_publish(struct registrar *registrar, bool always)
{
	json_auto_t *report = report_make(registrar);
	auto_free char *part = stable_part(report);

	if (!always && registrar->published && streq(part, registrar->published))
		return;
	free(registrar->published);
	registrar->published = TAKE(part);
	aide_link_notify(&registrar->link, "registrar/state", report);
	(void)aide_link_turn(&registrar->link);
}
