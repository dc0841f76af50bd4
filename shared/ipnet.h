/* IP addresses and networks, as rules name them. An IPv4 address is the IPv6 address that maps it
 * (RFC 4291, 2.5.5.2), so that there is one kind to compare. Pure; no name is ever looked up. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "shared/cleanup.h"

struct ipnet {
	uint8_t ip[16];
	unsigned bits; /* of the 128 that count */
};

/* Reads "10.0.0.0/8", "2001:db8::/32", or an address alone, also in brackets. -EINVAL: another form, or bits
 * behind the network that are not 0. */
int ipnet_parse(const char *text, struct ipnet *ret) must_check;

bool ipnet_has(const struct ipnet *net, const uint8_t ip[16]);
