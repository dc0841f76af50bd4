/* One line of domains.network.allow, deny or dns_servers: what it matches.
 *
 *   name        www.example.org      name:443
 *   suffix      .example.org         .example.org:443     that name and all below it
 *   addresses   10.1.0.0/16  ::1     10.1.0.0/16:443  [fd00::/8]:443  [::1]:443
 *
 * A rule with a port matches that port only. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "workers/common/failure.h"

enum { RULE_MAX_NAME = 253 };

enum rule_kind {
	RULE_NAME,
	RULE_SUFFIX, /* `name` is without the dot before it */
	RULE_ADDRESSES,
};

struct rule {
	enum rule_kind kind;
	char name[RULE_MAX_NAME + 1]; /* lower case, without the dot of the root */
	int family;
	int prefix;        /* in bits */
	uint8_t bytes[16]; /* the first address; IPv4 uses four */
	int port;          /* 0: any */
};

/* A failure is invalid_argument, whose words do not name the rule. */
int rule_parse(const char *text, struct rule *ret, struct failure *fail) must_check;

/* A name without regard to case and to a dot at its end. Port 0 is matched by no rule with a port. */
bool rule_has_name(const struct rule *rule, const char *name, int port);
bool rule_has_address(const struct rule *rule, const struct sockaddr *address, int port);

/* Whether it is one address, and no more. */
bool rule_is_one_address(const struct rule *rule);
