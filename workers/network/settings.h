/* What the operator decides about the network tools: the keys of domains.network. */
#pragma once

#include "shared/fail.h"
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

/* The methods that allow_methods may name; NULL at the end. */
extern const char *const network_methods[];

/* What the table cannot say. -EINVAL: fail names the key and what is wrong with it. */
int network_settings_check(const struct network_settings *settings, struct fail *fail) must_check;
