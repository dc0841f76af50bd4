/* IP addresses and CIDR blocks: their range, their size, and what they are set aside for.
 *
 * Source: RFC 4632, RFC 4291; IANA's special-purpose address registries for IPv4 and IPv6. */
#pragma once

#include <netinet/in.h>
#include <stdint.h>

#include "shared/cleanup.h"

enum {
	IP_MAX_BYTES = 16,
	IP_BLOCK_TEXT_SIZE = INET6_ADDRSTRLEN + sizeof("/128"),
	IP_COUNT_TEXT_SIZE = 40, /* 2^128 has 39 digits */
};

struct ip_block {
	int family;                  /* AF_INET or AF_INET6 */
	int prefix;                  /* length in bits */
	uint8_t bytes[IP_MAX_BYTES]; /* the first address; IPv4 uses four */
};

/* An address ("10.0.0.1": a block of one) or a block ("10.0.0.0/8"); bits behind the prefix are
 * dropped. -EINVAL: *ret_why is a static text. */
int ip_parse(const char *text, struct ip_block *ret, const char **ret_why) must_check;

void ip_format_first(const struct ip_block *block, char ret[INET6_ADDRSTRLEN]);
void ip_format_last(const struct ip_block *block, char ret[INET6_ADDRSTRLEN]);
void ip_format_block(const struct ip_block *block, char ret[IP_BLOCK_TEXT_SIZE]);

/* How many addresses it has, all digits. */
void ip_format_count(const struct ip_block *block, char ret[IP_COUNT_TEXT_SIZE]);

/* "private", "global" …; "mixed" for a block with addresses of several kinds. */
const char *ip_kind(const struct ip_block *block);
