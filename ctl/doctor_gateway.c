/* mcp-fleetctl doctor: the gateway, both ways. What needs the token is asked of the registrar, which alone has it;
 * whether the gateway and this fleet can be reached is tried from here as well. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>

#include "ctl/doctor.h"
#include "ctl/probe.h"
#include "ctl/report.h"
#include "shared/alloc.h"
#include "shared/fd.h"

enum { PROBE_MS = 8000, WARN_DAYS = 7, MAX_KEY = 16384 };

/* --- from here to the gateway ------------------------------------------------------------------ */

static void look_from_here(struct doctor *doctor, const char *url)
{
	const json_t *settings = doctor->settings;
	auto_free char *health = alloc_printf(
		"%.*s/health", (int)(strlen(url) - (url[strlen(url) - 1] == '/')), url);
	const struct probe probe = {
		.url = health,
		.ca_file = doctor_text_or_null(settings, "gateway.ca_file"),
		.client_cert = doctor_text_or_null(settings, "gateway.client_cert"),
		.client_key = doctor_text_or_null(settings, "gateway.client_key"),
		.is_unverified = json_is_false(doctor_get(settings, "gateway.verify")),
		.timeout_ms = PROBE_MS,
	};
	struct probe_result result = { 0 };
	struct fail fail = { 0 };
	int r = probe_get(&probe, &result, &fail);

	if (r < 0)
		finding_add(&doctor->findings, FINDING_FAIL, "gateway_reachable", url,
			"see whether it runs, its address and port, its certificate "
			"(gateway.ca_file), and the proxy in the environment",
			"%s", fail.text);
	else if (result.status == 200)
		finding_add(&doctor->findings, FINDING_OK, "gateway_reachable", url, NULL,
			"/health answers 200");
	else
		finding_add(&doctor->findings, FINDING_WARN, "gateway_reachable", url,
			result.status == 429 ? "wait: it refuses this address for some minutes"
					     : "see whether this is the gateway's address",
			"/health answers %ld", result.status);
	if (probe.is_unverified)
		finding_add(&doctor->findings, FINDING_WARN, "gateway_verify", url,
			"give its certificates with gateway.ca_file instead",
			"its certificate is not checked (gateway.verify: false)");
	strbuf_done(&result.body);
}

/* --- what the registrar says ------------------------------------------------------------------- */

static void look_at_state(struct doctor *doctor, const json_t *report)
{
	const char *url = doctor_text_or_null(report, "gateway.url");
	const char *state = doctor_text(report, "gateway.state");
	const char *error = doctor_text_or_null(report, "gateway.error");
	const char *remedy = doctor_text_or_null(report, "gateway.remedy");

	if (report_is_connected(report))
		finding_add(
			&doctor->findings, FINDING_OK, "gateway", url, NULL, "it takes our token");
	else
		finding_add(&doctor->findings, FINDING_FAIL, "gateway", url,
			remedy ? remedy : "mcp-fleetctl logs tells more", "%s%s%s", state,
			error ? ": " : "", error ? error : "");
}

static void look_at_token(struct doctor *doctor, const json_t *report)
{
	const json_t *days = doctor_get(report, "gateway.token.days_left");
	const char *source = doctor_text(report, "gateway.token.source");
	const char *expires = doctor_text(report, "gateway.token.expires");
	json_int_t left = json_integer_value(days);

	if (streq(source, "none"))
		finding_add(&doctor->findings, FINDING_FAIL, "token", NULL,
			"set gateway.token_file, or run mcp-fleetctl register with "
			"MCPGATEWAY_BEARER_TOKEN",
			"there is none");
	else if (!json_is_integer(days))
		finding_add(&doctor->findings, FINDING_OK, "token", NULL, NULL,
			"from %s; it names no end", source);
	else
		finding_add(&doctor->findings,
			left < 0           ? FINDING_FAIL
			: left < WARN_DAYS ? FINDING_WARN
					   : FINDING_OK,
			"token", NULL,
			left < WARN_DAYS ? "make a new one at the gateway, and put it in its place"
					 : NULL,
			"from %s; it %s on %s", source, left < 0 ? "ended" : "ends", expires);
}

static enum finding_result judge(const char *state)
{
	static const char *const bad[] = { "refused", "foreign", "unreachable" };

	if (streq(state, "registered"))
		return FINDING_OK;
	for (size_t i = 0; i < N_ELEMENTS(bad); i++)
		if (streq(state, bad[i]))
			return FINDING_FAIL;
	return FINDING_WARN;
}

static void look_at_entry(struct doctor *doctor, const json_t *entry)
{
	const char *state = doctor_text(entry, "state");
	const char *error = doctor_text_or_null(entry, "error");
	const char *remedy = doctor_text_or_null(entry, "remedy");

	if (!remedy && judge(state) != FINDING_OK)
		remedy = "mcp-fleetctl register does it now, and tells what hinders it";
	finding_add(&doctor->findings, judge(state), "registration", doctor_text(entry, "name"),
		remedy, "%s, %lld of %lld tools%s%s", state,
		(long long)doctor_number(entry, "tools_found"),
		(long long)doctor_number(entry, "tools_wanted"), error ? ": " : "",
		error ? error : "");
}

static void look_at_drift(struct doctor *doctor, const json_t *report)
{
	const json_t *drift = doctor_get(report, "drift");

	for (size_t i = 0; i < json_array_size(drift); i++) {
		const json_t *entry = json_array_get(drift, i);
		const char *action = doctor_text_or_null(entry, "action");

		finding_add(&doctor->findings, FINDING_WARN, "drift",
			doctor_text_or_null(entry, "domain"),
			action ? action : "mcp-fleetctl register mends it now", "%s",
			doctor_text(entry, "what"));
	}
}

/* --- from the gateway to us: the same requests, from here -------------------------------------- */

/* What the gateway has to show; NULL: nothing, or we may not read it. */
static char *read_key(const struct doctor *doctor)
{
	const char *path = doctor_text_or_null(doctor->settings, "gateway.key_file");
	auto_strbuf key = { 0 };

	if (!path || fd_read_file(path, MAX_KEY, &key) < 0)
		return NULL;
	while (key.len > 0 && strchr(" \t\r\n", key.data[key.len - 1]))
		strbuf_cut(&key, key.len - 1);
	for (size_t i = 0; i < key.len; i++)
		if (key.data[i] <= ' ' || key.data[i] > '~')
			return NULL; /* no key that a header could carry */
	return strbuf_take(&key);
}

static void tell_refusal(struct doctor *doctor, const char *url, bool has_key)
{
	if (doctor->settings && !doctor_text_or_null(doctor->settings, "gateway.key_file"))
		finding_add(&doctor->findings, FINDING_FAIL, "public_url", url,
			"make a key for the gateway (mcp-fleetctl key add gateway), put it into a file, "
			"and name that in gateway.key_file",
			"it asks for a key, and the gateway has none to show: gateway.key_file is not set");
	else
		finding_add(&doctor->findings, has_key ? FINDING_FAIL : FINDING_SKIP, "public_url",
			url,
			has_key ? "gateway.key_file must hold a key that the fleet takes" : NULL,
			"it asks for a key%s",
			has_key ? ", and does not take gateway.key_file's"
				: "; ours cannot be read from here");
}

static void tell_answer(struct doctor *doctor, const char *url, bool is_sse, bool has_key,
	const struct probe_result *result)
{
	const char *remedy = "gateway.public_url must lead to this fleet, through all proxies";

	if (result->status == 401 || result->status == 403)
		tell_refusal(doctor, url, has_key);
	else if (is_sse && result->status == 200 && result->has_until)
		finding_add(&doctor->findings, FINDING_OK, "public_url", url, NULL,
			"it sends the endpoint event");
	else if (is_sse && result->status == 503)
		finding_add(&doctor->findings, FINDING_WARN, "public_url", url,
			"see why: mcp-fleetctl status", "the domain is not served now (503)");
	else if (!is_sse && result->status > 0 && result->status != 404 && result->status < 500)
		finding_add(&doctor->findings, FINDING_OK, "public_url", url, NULL,
			"it answers (%ld to a GET without a session)", result->status);
	else if (result->status == 200)
		finding_add(&doctor->findings, FINDING_FAIL, "public_url", url,
			"a proxy on the way holds back or changes event streams: switch its "
			"buffering off",
			"it answers 200, but no endpoint event comes");
	else
		finding_add(&doctor->findings, FINDING_FAIL, "public_url", url, remedy,
			"it answers %ld", result->status);
}

static void look_at_url(struct doctor *doctor, const char *url)
{
	bool is_sse = strlen(url) > 4 && streq(url + strlen(url) - 4, "/sse");
	auto_free char *key = read_key(doctor);
	const struct probe probe = {
		.url = url,
		.accept = "text/event-stream",
		.bearer = key,
		.ca_file = doctor_text_or_null(doctor->settings, "gateway.peer_ca_file"),
		.until = is_sse ? "event: endpoint" : NULL,
		.timeout_ms = PROBE_MS,
	};
	struct probe_result result = { 0 };
	struct fail fail = { 0 };

	if (probe_get(&probe, &result, &fail) == 0)
		tell_answer(doctor, url, is_sse, key != NULL, &result);
	else
		finding_add(&doctor->findings, FINDING_FAIL, "public_url", url,
			"set gateway.public_url to where the gateway reaches this fleet",
			"from here it cannot be reached: %s", fail.text);
	strbuf_done(&result.body);
}

/* --- all of it --------------------------------------------------------------------------------- */

static void look_at_report(struct doctor *doctor, const json_t *report)
{
	const json_t *domains = doctor_get(report, "domains");

	look_at_state(doctor, report);
	look_at_token(doctor, report);
	for (size_t i = 0; i < json_array_size(domains); i++) {
		const json_t *entry = json_array_get(domains, i);

		look_at_entry(doctor, entry);
		if (doctor_text_or_null(entry, "url"))
			look_at_url(doctor, doctor_text(entry, "url"));
	}
	if (json_is_object(doctor_get(report, "server")))
		look_at_entry(doctor, doctor_get(report, "server"));
	look_at_drift(doctor, report);
}

static void ask_registrar(struct doctor *doctor)
{
	struct fail fail = { 0 };
	json_auto_t *report = client_call(doctor->client, "gateway/check", NULL, &fail);

	if (report)
		look_at_report(doctor, report);
	else
		finding_add(&doctor->findings, FINDING_FAIL, "gateway", NULL,
			"mcp-fleetctl logs tells more", "the registrar cannot look at it: %s",
			fail.text);
}

void doctor_check_gateway(struct doctor *doctor)
{
	bool is_running = json_is_object(doctor_get(doctor->status, "gateway"));
	const char *url = doctor_text_or_null(doctor->status, "gateway.gateway.url");

	if (!url)
		url = doctor_text_or_null(doctor->settings, "gateway.url");
	if (!url) {
		finding_add(&doctor->findings, FINDING_SKIP, "gateway", NULL, NULL,
			"the fleet is registered at none");
		return;
	}
	look_from_here(doctor, url);
	if (is_running)
		ask_registrar(doctor);
	else
		finding_add(&doctor->findings, FINDING_SKIP, "gateway", url, NULL,
			"whether it takes us is known by the daemon only");
}
