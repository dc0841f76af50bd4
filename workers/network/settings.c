#include "workers/network/settings.h"

#include <errno.h>

#include "shared/limits.h"
#include "shared/quote.h"

const char *const network_methods[] = { "GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE",
	NULL };

const struct param network_settings_params[] = {
	PARAM(network_settings, allow, AT_MOST(256),
		.doc = "Addresses that may be used although they are not public."),
	PARAM(network_settings, deny, AT_MOST(256), .doc = "Addresses that may not be used."),
	PARAM(network_settings, dns_servers, AT_MOST(8),
		.doc = "Name servers; default: the system's."),
	PARAM(network_settings, robots, .def_bool = true, .doc = "Ask robots.txt and obey."),
	PARAM(network_settings, max_response_bytes, RANGE(KIB, 64 * MIB), .def_int = 5 * MIB,
		.doc = "Body of an HTTP answer, decompressed."),
	PARAM(network_settings, allow_methods, AT_MOST(7),
		.doc = "Methods of net_http_request. Default: GET, HEAD."),
	{ 0 },
};

static bool is_method(const char *text)
{
	for (size_t i = 0; network_methods[i]; i++)
		if (streq(network_methods[i], text))
			return true;

	return false;
}

int network_settings_check(const struct network_settings *settings, struct fail *fail)
{
	const struct str_list *methods = &settings->allow_methods;
	char quoted[QUOTE_SIZE];

	for (size_t i = 0; i < methods->n; i++)
		if (!is_method(methods->items[i]))
			return fail_set(fail, -EINVAL,
				"allow_methods: %s is none of GET, HEAD, OPTIONS, POST, PUT, PATCH, "
				"DELETE",
				quote(quoted, methods->items[i]));

	return 0;
}
