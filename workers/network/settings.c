#include "workers/network/settings.h"

#include "shared/limits.h"

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
