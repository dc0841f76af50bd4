/* See settings.h. */
#include "workers/registrar/settings.h"

#include <curl/curl.h>
#include <errno.h>

#include "shared/alloc.h"
#include "shared/clock.h"

enum {
	MAX_TEXT = 4096,
	MAX_TIMEOUT_MS = 3600 * 1000,
	DEFAULT_TIMEOUT_MS = 60 * 1000,
};

static const char *const transports[] = { "sse", "streamable", NULL };
static const char *const visibilities[] = { "public", "team", "private", NULL };

#define TEXT(args, field, ...) PARAM(args, field, AT_MOST(MAX_TEXT), .def_str = "", __VA_ARGS__)

static const struct param settings_params[] = {
	TEXT(settings, url, .doc = "Of the gateway."),
	TEXT(settings, token_file, .doc = "Holds the gateway's token."),
	PARAM(settings, auth_header, RANGE(1, 128), .def_str = "Authorization",
		.doc = "The header for the token."),
	TEXT(settings, ca_file, .doc = "Trusted for the gateway."),
	TEXT(settings, client_cert, .doc = "For the gateway."),
	TEXT(settings, client_key, .doc = "Of client_cert."),
	PARAM(settings, verify, .def_bool = true, .doc = "The gateway's certificate is checked."),
	TEXT(settings, public_url, .doc = "Of the fleet, as the gateway reaches it."),
	PARAM(settings, transport, .choices = transports, .def_str = "sse", .doc = "Of the peers."),
	PARAM(settings, name_prefix, AT_MOST(64), .def_str = "fleet-",
		.doc = "Of the peers' names."),
	PARAM(settings, visibility, .choices = visibilities, .def_str = "public",
		.doc = "Of the peers."),
	PARAM(settings, tags, .doc = "Of the peers."),
	PARAM(settings, domains_filter, .doc = "The domains to register."),
	TEXT(settings, server, .doc = "The virtual server's name."),
	PARAM(settings, interval_ms, RANGE(100, INT64_C(86400000)), .def_int = 60 * CLOCK_SECOND_MS,
		.doc = "Between two rounds."),
	TEXT(settings, peer_key_file, .doc = "The key that the gateway sends."),
	TEXT(settings, peer_ca_file, .doc = "Trusted by the gateway for us."),
	TEXT(settings, state_file, .doc = "What is kept over restarts."),
	PARAM(settings, domains, .doc = "All that are configured."),
	{ 0 },
};

static const struct param order_params[] = {
	TEXT(order, gateway, .doc = "URL of the gateway."),
	TEXT(order, token_file, .doc = "Holds the gateway's token."),
	PARAM(order, domains, .doc = "The domains to register."),
	TEXT(order, server, .doc = "The virtual server's name."),
	PARAM(order, verify, .def_bool = true, .doc = "The gateway's certificate is checked."),
	PARAM(order, timeout_ms, RANGE(0, MAX_TIMEOUT_MS), .def_int = DEFAULT_TIMEOUT_MS,
		.doc = "How long to wait for all being there."),
	{ 0 },
};

int settings_read(json_t *json, struct settings *ret, struct fail *fail)
{
	int r = schema_decode(settings_params, json, ret, fail);

	ret->json = json_incref(json);
	return r;
}

void settings_done(struct settings *settings)
{
	schema_done(settings_params, settings);
	json_decref(settings->json);
	*settings = (struct settings){ 0 };
}

int order_read(json_t *json, struct order *ret, struct fail *fail)
{
	int r = schema_decode(order_params, json, ret, fail);

	ret->json = json_incref(json);
	return r;
}

void order_done(struct order *order)
{
	schema_done(order_params, order);
	json_decref(order->json);
	*order = (struct order){ 0 };
}

static bool has_part(CURLU *handle, CURLUPart part)
{
	char *text = NULL;
	bool is_there = curl_url_get(handle, part, &text, 0) == CURLUE_OK;

	curl_free(text);
	return is_there;
}

static int check_parts(CURLU *handle, const char *url, struct fail *fail)
{
	if (curl_url_set(handle, CURLUPART_URL, url, 0) != CURLUE_OK)
		return fail_set(fail, -EINVAL, "it is not a URL");
	if (has_part(handle, CURLUPART_USER) || has_part(handle, CURLUPART_PASSWORD))
		return fail_set(fail, -EINVAL,
			"it holds a user name or a password: leave them out, the token's file "
			"is the place for a secret");
	if (has_part(handle, CURLUPART_QUERY) || has_part(handle, CURLUPART_FRAGMENT))
		return fail_set(fail, -EINVAL, "it has a query or a fragment");
	return 0;
}

int settings_check_url(const char *url, char **ret, struct fail *fail)
{
	CURLU *handle;
	size_t len = strlen(url);
	int r;

	if (strncmp(url, "http://", 7) != 0 && strncmp(url, "https://", 8) != 0)
		return fail_set(fail, -EINVAL, "it does not begin with http:// or https://");
	handle = curl_url();
	if (!handle)
		abort(); /* out of memory */
	r = check_parts(handle, url, fail);
	curl_url_cleanup(handle);
	if (r < 0)
		return r;
	while (len > 0 && url[len - 1] == '/')
		len--;
	*ret = alloc_mem(url, len);
	return 0;
}

bool list_has(const struct str_list *list, const char *name)
{
	for (size_t i = 0; i < list->n; i++)
		if (streq(list->items[i], name))
			return true;
	return false;
}
