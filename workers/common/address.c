/* The special-purpose blocks of IPv4 and IPv6.
 *
 * Source: the IANA registries of special-purpose addresses (RFC 6890), RFC 6761 for localhost. */
#include "workers/common/address.h"

#include <netinet/in.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "shared/cleanup.h"

struct block {
	uint8_t bytes[16];
	unsigned bits;
};

static const struct block blocks4[] = {
	{ { 0 }, 8 },
	{ { 10 }, 8 },
	{ { 100, 64 }, 10 },
	{ { 127 }, 8 },
	{ { 169, 254 }, 16 },
	{ { 172, 16 }, 12 },
	{ { 192, 0, 0 }, 24 },
	{ { 192, 0, 2 }, 24 },
	{ { 192, 88, 99 }, 24 },
	{ { 192, 168 }, 16 },
	{ { 198, 18 }, 15 },
	{ { 198, 51, 100 }, 24 },
	{ { 203, 0, 113 }, 24 },
	{ { 224 }, 4 },
	{ { 240 }, 4 },
};

static const struct block blocks6[] = {
	{ { 0 }, 96 },                                        /* ::, ::1, compatible */
	{ { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff }, 96 }, /* mapped */
	{ { 0x00, 0x64, 0xff, 0x9b }, 96 },                   /* NAT64 */
	{ { 0x00, 0x64, 0xff, 0x9b, 0x00, 0x01 }, 48 },       /* NAT64, local */
	{ { 0x01, 0x00 }, 64 },                               /* discard only */
	{ { 0x20, 0x01, 0x00, 0x00 }, 23 },                   /* protocols, Teredo */
	{ { 0x20, 0x01, 0x0d, 0xb8 }, 32 },                   /* documentation */
	{ { 0x20, 0x02 }, 16 },                               /* 6to4 */
	{ { 0xfc }, 7 },                                      /* private */
	{ { 0xfe, 0x80 }, 10 },                               /* link-local */
	{ { 0xfe, 0xc0 }, 10 },                               /* site-local */
	{ { 0xff }, 8 },                                      /* multicast */
};

static bool is_in(const uint8_t *address, const struct block *block)
{
	unsigned whole = block->bits / 8;
	unsigned rest = block->bits % 8;

	if (memcmp(address, block->bytes, whole) != 0)
		return false;

	return rest == 0 || ((address[whole] ^ block->bytes[whole]) >> (8 - rest)) == 0;
}

static bool is_in_any(const uint8_t *address, const struct block *blocks, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (is_in(address, &blocks[i]))
			return true;

	return false;
}

bool address_is_public(const struct sockaddr *address)
{
	struct sockaddr_in in4;
	struct sockaddr_in6 in6;

	if (address->sa_family == AF_INET) {
		memcpy(&in4, address, sizeof(in4));
		return !is_in_any((const uint8_t *)&in4.sin_addr, blocks4, N_ELEMENTS(blocks4));
	}
	if (address->sa_family == AF_INET6) {
		memcpy(&in6, address, sizeof(in6));
		return !is_in_any(in6.sin6_addr.s6_addr, blocks6, N_ELEMENTS(blocks6));
	}

	return false;
}

bool address_is_local_name(const char *host)
{
	static const char name[] = "localhost";
	size_t len = strlen(host);

	while (len > 0 && host[len - 1] == '.')
		len--;
	if (len < strlen(name))
		return false;

	host += len - strlen(name);
	return strncasecmp(host, name, strlen(name)) == 0 &&
	       (len == strlen(name) || host[-1] == '.');
}
