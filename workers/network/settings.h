/* What the operator decides about the network tools: the keys of domains.network. */
#pragma once

#include "shared/schema.h"

struct network_settings {
	struct str_list allow;
	struct str_list deny;
	struct str_list dns_servers; /* empty: the system's */
	bool robots;
	int64_t max_response_bytes;
	struct str_list allow_methods; /* NULL items: the default, GET and HEAD */
};

extern const struct param network_settings_params[];
